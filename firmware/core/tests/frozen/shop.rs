//! Records of the rest of the shop.

use storebox_core::audit::{AuditEntry, Head};
use storebox_core::catalogue::{
    Barcode, Category, Choice, Hours, ImageText, Item, Kept, Kind, Marks, ModifierGroup, Object, ObjectRef, Offer,
    Promotion, Station, TaxClass, TimedPrice, Weekday,
};
use storebox_core::day::Day;
use storebox_core::id::{
    CustomerId, DayCloseId, DeviceId, DrawerMovementId, EmployeeId, LineId, MovementId, OrderId, ShiftId, TicketId,
};
use storebox_core::kitchen::{Action as KitchenAction, Decision, KitchenTimes, State, Ticket, TicketLine, decide};
use storebox_core::money::Money;
use storebox_core::order::OrderType;
use storebox_core::people::{Customer, Email, Employee, Phone, PinHash, Role, Written};
use storebox_core::quantity::Quantity;
use storebox_core::record::encode;
use storebox_core::report::{DayClose, DrawerKind, DrawerMovement, PackedTotals, Part, Period, Sums, Total};
use storebox_core::retention::Progress;
use storebox_core::shift::{Shift, Stamp};
use storebox_core::stock::{Level, Movement, MovementKind, Review, StockChange};
use storebox_core::text::Text;
use storebox_core::time::Timestamp;

use super::{check, clock, name, note, number};

#[test]
fn people_and_what_they_did_are_read_for_ever() {
    let at = Timestamp::from_millis(1_700_000_000_000);
    check(
        "employee",
        &Employee {
            id: EmployeeId::from_bytes([7; 16]),
            version: 3,
            login: name("17"),
            name: name("Anna"),
            role: Role::Manager,
            active: true,
            pin_hash: Some(PinHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned())),
            must_change_pin: true,
            created_at: at,
            updated_at: at.plus_millis(1),
        },
    );
    check(
        "customer",
        &Customer {
            id: CustomerId::from_bytes([5; 16]),
            version: 2,
            name: Written { value: name("Anna"), at: clock() },
            phone: Written { value: Phone::new("+1 555 0100".to_owned()).ok(), at: clock() },
            email: Written { value: Email::new("anna@example.org".to_owned()).ok(), at: clock() },
            notes: Written { value: Some(note("no nuts")), at: clock() },
            loyalty: Written { value: Some(name("L-17")), at: clock() },
            last_seen_at: at,
            created_at: at,
            updated_at: at.plus_millis(1),
        },
    );
    let stamp = |at| Stamp { at, noted_at: at.plus_millis(5), device: DeviceId::from_bytes([1; 16]), by: None };
    check(
        "shift",
        &Shift {
            id: ShiftId::from_bytes([9; 16]),
            version: 2,
            employee: EmployeeId::from_bytes([7; 16]),
            clock_in: Some(stamp(at)),
            clock_out: Some(Stamp { by: Some(EmployeeId::from_bytes([8; 16])), ..stamp(at.plus_millis(1_000)) }),
            overlaps: true,
            notes: Some(note("early")),
        },
    );
    check("audit_head", &Head { number: 300, hash: [3; 32] });
    check(
        "audit_entry",
        &AuditEntry {
            at: clock(),
            device: Some(DeviceId::from_bytes([1; 16])),
            staff: Some(EmployeeId::from_bytes([7; 16])),
            role: Some(Role::Admin),
            what: Text::cut("order.refunded"),
            about: name("A-0042"),
            previous: [3; 32],
        },
    );
}

#[test]
fn the_kitchens_records_are_read_for_ever() {
    let ticket = ticket();
    check("ticket", &ticket);
    let at = |second: u64| Timestamp::from_millis(1_700_000_000_000 + second * 1_000);
    let mut times = KitchenTimes::default();
    let queued = Ticket { generation: 1, state: State::Queued, ready_at: None, served_at: None, ..ticket };
    let Ok(Decision::Become(ready)) = decide(&queued, KitchenAction::MarkReady, None, at(200)) else { panic!() };
    times.count(&queued, &ready, 20);
    let Ok(Decision::Become(served)) = decide(&ready, KitchenAction::Serve, None, at(260)) else { panic!() };
    times.count(&ready, &served, 20);
    check("kitchen_times", &times);
}

#[test]
fn reports_are_read_for_ever() {
    let sums = Sums {
        sales: 3,
        quantity: Quantity::from_thousandths(4_500),
        gross: Money::from_minor(3_000),
        discount: Money::from_minor(300),
        net: Money::from_minor(2_500),
        tax: Money::from_minor(200),
        refunds: 1,
        returned: Quantity::from_thousandths(1_000),
        refunded: Money::from_minor(550),
        refunded_tax: Money::from_minor(50),
        voids: 2,
        voided: Money::from_minor(900),
        payments: 4,
        paid: Money::from_minor(2_700),
        tips: Money::from_minor(100),
        rounding: Money::from_minor(-2),
    };
    let total = Total { name: Some(name("Coffee")), sums };
    check("total", &total);
    let packed = PackedTotals(vec![Part { key: name("coffee"), total: total.clone() }]);
    check("packed_totals", &packed);
    let mut read = Vec::new();
    let bytes = encode(&packed).unwrap();
    PackedTotals::each(&bytes, |key, total| read.push(Part { key: name(key), total: total.into() })).unwrap();
    assert_eq!(read, packed.0, "read where they lie");
    let period = Period {
        last_number: 7,
        since: Timestamp::from_millis(1_700_000_000_000),
        opening_float: Money::from_minor(10_000),
        paid_in: Money::from_minor(500),
        paid_out: Money::from_minor(2_000),
        grand_total: Money::from_minor(1_000_000),
    };
    check("period", &period);
    check(
        "day_close",
        &DayClose {
            id: DayCloseId::from_bytes([10; 16]),
            number: 8,
            day: Day(20_000),
            from: Timestamp::from_millis(1_700_000_000_000),
            to: Timestamp::from_millis(1_700_086_400_000),
            totals: sums,
            tenders: vec![Part { key: name("cash"), total: total.clone() }],
            taxes: vec![Part { key: name("88750+"), total }],
            opening_float: Money::from_minor(10_000),
            paid_in: Money::from_minor(500),
            paid_out: Money::from_minor(2_000),
            expected: Money::from_minor(11_248),
            counted: Money::from_minor(11_200),
            next_float: Money::from_minor(10_000),
            grand_total: Money::from_minor(1_002_150),
            open_orders: 3,
            note: Some(note("short")),
            device: DeviceId::from_bytes([1; 16]),
            staff: Some(EmployeeId::from_bytes([7; 16])),
        },
    );
    check(
        "drawer_movement",
        &DrawerMovement {
            id: DrawerMovementId::from_bytes([11; 16]),
            kind: DrawerKind::PaidOut,
            amount: Money::from_minor(2_000),
            reason: Some(note("window cleaner")),
            at: Timestamp::from_millis(1_700_000_000_000),
            device: DeviceId::from_bytes([1; 16]),
            staff: None,
        },
    );
}

#[test]
fn stock_is_read_for_ever() {
    check(
        "movement",
        &Movement {
            id: MovementId::from_bytes([12; 16]),
            kind: MovementKind::Sale,
            order: Some(OrderId::from_bytes([2; 16])),
            changes: vec![StockChange {
                item: name("coffee"),
                delta: Quantity::from_thousandths(-1_500),
                level: Quantity::from_thousandths(8_500),
            }],
            counted: Some(Quantity::from_thousandths(9_000)),
            note: Some(note("second shelf")),
            at: Timestamp::from_millis(1_700_000_000_000),
            device: DeviceId::from_bytes([1; 16]),
            staff: Some(EmployeeId::from_bytes([7; 16])),
        },
    );
    check(
        "level",
        &Level {
            name: Some(name("Coffee")),
            level: Quantity::from_thousandths(-500),
            low_at: Some(Quantity::from_thousandths(2_000)),
            movements: 300,
            baseline: Some(12),
            last: Some(MovementId::from_bytes([12; 16])),
            at: Timestamp::from_millis(1_700_000_000_000),
            review: Some(Review::Discrepancy { difference: Quantity::from_thousandths(-250) }),
        },
    );
    check(
        "progress",
        &Progress {
            last_at: Some(Timestamp::from_millis(1_700_000_000_000)),
            orders: 300,
            keys: 900,
            keys_after: Some(vec![1, 2, 3]),
        },
    );
}

#[test]
fn the_catalogue_is_read_for_ever() {
    let kept = |object| Kept { revision: 300, at: Timestamp::from_millis(1_700_000_000_123), object };
    let [from, until] = [1_700_000_000_000, 1_800_000_000_000].map(|millis| Some(Timestamp::from_millis(millis)));
    let image = |text: &str| Some(ImageText::cut(text));
    check("catalogue_deleted", &kept(Object::Deleted(ObjectRef { kind: Kind::Promotion, id: name("happy") })));
    check(
        "catalogue_category",
        &kept(Object::Category(Category {
            id: name("cakes"),
            name: name("Cakes"),
            position: 2,
            image_url: image("/cakes.png"),
            image_hash: image("ab12"),
        })),
    );
    check(
        "catalogue_item",
        &kept(Object::Item(Item {
            id: name("coffee"),
            name: name("Coffee"),
            category: Some(name("drinks")),
            barcodes: vec![Barcode::cut("2000000000015")],
            price: Money::from_minor(350),
            prices: vec![TimedPrice { price: Money::from_minor(300), from, until: None }],
            tax_class: Some(name("food")),
            station: Some(name("bar")),
            stocked: true,
            modifier_groups: vec![name("milk")],
            active: true,
            image_url: None,
            image_hash: image("cd34"),
        })),
    );
    let oat = Choice { id: name("oat"), name: name("Oat milk"), price: Money::from_minor(-20) };
    let group = ModifierGroup { id: name("milk"), name: name("Milk"), min: 0, max: 1, modifiers: vec![oat] };
    check("catalogue_group", &kept(Object::ModifierGroup(group)));
    for (file, offer) in [
        ("catalogue_percent", Offer::PercentOff { ppm: 250_000 }),
        ("catalogue_amount", Offer::AmountOff { amount: Money::from_minor(100) }),
        ("catalogue_free", Offer::FreePieces { free: 1, of: 3 }),
    ] {
        let promotion = Promotion {
            id: name("happy"),
            name: name("Happy hour"),
            offer,
            items: vec![name("coffee")],
            categories: vec![name("cakes")],
            from,
            until,
            days: vec![Weekday::Mon, Weekday::Sun],
            hours: vec![Hours { from_min: 1_020, until_min: 60 }],
            active: false,
        };
        check(file, &kept(Object::Promotion(promotion)));
    }
    let class = TaxClass { id: name("food"), name: name("Food"), rate_ppm: 88_750, included: true };
    check("catalogue_tax", &kept(Object::TaxRule(class)));
    let station = Station { id: name("bar"), name: name("Bar"), orange_after_s: 240, red_after_s: 480 };
    check("catalogue_station", &kept(Object::Station(station)));
    let forgotten_at = Timestamp::from_millis(1_700_000_000_000);
    check("catalogue_marks", &Marks { revision: 300, forgotten: 200, forgotten_at });
}

fn ticket() -> Ticket {
    let at = |second: u64| Timestamp::from_millis(1_700_000_000_000 + second * 1_000);
    Ticket {
        id: TicketId::from_bytes([10; 16]),
        version: 4,
        order: OrderId::from_bytes([2; 16]),
        number: number(),
        station: name("grill"),
        table: Some(name("table-5")),
        order_type: OrderType::DineIn,
        notes: Some(note("birthday")),
        waiter: name("Anna"),
        generation: 2,
        state: State::Served,
        sent_at: at(0),
        updated_at: at(30),
        started_at: Some(at(10)),
        ready_at: Some(at(20)),
        served_at: Some(at(30)),
        lines: vec![TicketLine {
            line: LineId::from_bytes([3; 16]),
            name: name("Burger"),
            quantity: Quantity::from_thousandths(2_000),
            modifiers: vec![name("rare")],
            notes: Some(note("hot")),
            cancelled: Quantity::from_thousandths(1_000),
        }],
        orange_after_s: 600,
        red_after_s: 900,
    }
}
