//! Records as they lie on disk. Every version ever released is kept here as bytes and must be read for ever.
//!
//! `STOREBOX_REWRITE=1 cargo test -p storebox-core --test frozen` writes the files of today's version anew. Until
//! the first release a format may change in place, in a commit whose message begins `format:`; after it, a change
//! is a new version with a new file, and the old file stays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and these read files that the crate itself must not know"
)]

mod shop;

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use storebox_core::catalogue::Loaded;
use storebox_core::conflict::{RefusedReason, RefusedWrite};
use storebox_core::day::Day;
use storebox_core::device::{Device, DeviceKind, Presence};
use storebox_core::entry::{Entity, EntryEvent, EntryRef};
use storebox_core::event::{Event, EventData, OrderEvent, OrderEventKind};
use storebox_core::id::{CardPaymentId, ConflictId, DeviceId, EmployeeId, LineId, OrderId, TenderId};
use storebox_core::idempotency::{Remembered, RememberedResult};
use storebox_core::money::{Currency, Money, TaxRule};
use storebox_core::order::{
    ActionKind, Change, Discount, Header, HeaderPatch, Line, LineChange, Modification, Modifier, Opened, OrderNumber,
    OrderType, PaymentStatus, Pricing, Recorded, Reduction, Refund, RefundLine, Status, Tender, TenderKind,
    TenderState,
};
use storebox_core::outbox::OutboxEntry;
use storebox_core::payment::{
    Account, AccountKey, AccountKind, CardPayment, CardPolicy, CardStatus, Forced, Limits, Policy,
};
use storebox_core::quantity::Quantity;
use storebox_core::record::{Record, RecordError, decode, encode};
use storebox_core::settings::{Connectivity, Settings};
use storebox_core::text::{Name, Note, Text};
use storebox_core::time::{Hlc, Timestamp};

#[test]
fn order_changes_are_read_for_ever() {
    let recorded = |change| Recorded {
        at: clock(),
        device: DeviceId::from_bytes([1; 16]),
        staff: Some(EmployeeId::from_bytes([7; 16])),
        change,
    };
    check("order_opened", &recorded(Change::Opened(opened())));
    check("order_modified", &recorded(Change::Modified(modification())));
    check("order_sent", &recorded(Change::SentToKitchen));
    check("order_closed", &recorded(Change::Closed { tenders: vec![tender()] }));
    check("order_progressed", &recorded(Change::Progressed(Status::Preparing)));
    check("order_tendered", &recorded(Change::Tendered(tender())));
    check(
        "order_settled",
        &recorded(Change::Settled { tender: tender().id, state: TenderState::Declined, reason: None }),
    );
    check("order_refunded", &recorded(Change::Refunded(refund())));
    check("order_voided", &recorded(Change::Voided { reason: Some(note("guest left")) }));
}

#[test]
fn events_are_read_for_ever() {
    let event = |data| Event { at: clock(), device: Some(DeviceId::from_bytes([1; 16])), data };
    check(
        "event_order",
        &event(EventData::Order(OrderEvent {
            kind: OrderEventKind::Closed,
            id: OrderId::from_bytes([2; 16]),
            number: number(),
            version: 3,
            status: Status::Completed,
            payment_status: PaymentStatus::Paid,
            total: Money::from_minor(1_100),
        })),
    );
    check("event_settings", &event(EventData::Settings(settings())));
    check("event_connectivity", &event(EventData::Connectivity(Connectivity::Offline)));
    let ticket = EntryRef { entity: Entity::Ticket, id: [9; 16], version: 2 };
    check("event_entry", &event(EventData::Entry(EntryEvent { entry: ticket, kind: Text::cut("ticket.started") })));
    check("event_catalogue", &event(EventData::Catalogue { revision: 300 }));
    let id = DeviceId::from_bytes([1; 16]);
    check("event_device_renamed", &event(EventData::DeviceRenamed { id, name: name("Till 2") }));
    check("event_device_revoked", &event(EventData::DeviceRevoked { id, name: name("Till 2") }));
    check("event_device_presence", &event(EventData::DevicePresence { id, presence: Presence::Offline }));
    check("event_forced_offline", &event(EventData::ForcedOffline { until: Some(Timestamp::from_millis(9)) }));
    check("event_drawer", &event(EventData::DrawerOpened { reason: note("change for the float") }));
    check("event_device", &event(EventData::DevicePaired { name: name("Till 1"), kind: DeviceKind::Handheld }));
}

#[test]
fn everything_else_is_read_for_ever() {
    check("settings", &settings());
    check("card_payment", &card_payment());
    let key = AccountKey { kind: AccountKind::Loyalty, number: name("L-7") };
    let at = Timestamp::from_millis(1_700_000_000_000);
    check("account", &Account { key, balance: Money::from_minor(5_000), held: Money::from_minor(-20), updated_at: at });
    check("forced_offline", &Forced { since: at, until: at.plus_millis(60_000), by: None });
    check("connectivity", &Connectivity::LocalOnly);
    let ticket = EntryRef { entity: Entity::Ticket, id: [9; 16], version: 2 };
    check("outbox_entry", &OutboxEntry::Entry(ticket));
    check("outbox", &OutboxEntry::Order { id: OrderId::from_bytes([2; 16]), version: 7 });
    check(
        "device",
        &Device {
            id: DeviceId::from_bytes([1; 16]),
            name: name("Till 1"),
            kind: DeviceKind::Pos,
            token_hash: [4; 32],
            paired_at: Timestamp::from_millis(1_700_000_000_000),
            replaced_token_hash: Some([5; 32]),
        },
    );
    for (file, result) in [
        ("remembered_entry", RememberedResult::Entry(EntryRef { entity: Entity::Shift, id: [9; 16], version: 1 })),
        (
            "remembered_entry_left",
            RememberedResult::EntryLeft(EntryRef { entity: Entity::Ticket, id: [9; 16], version: 1 }),
        ),
        ("remembered_done", RememberedResult::Done),
        ("remembered_opened", RememberedResult::Opened(OrderId::from_bytes([2; 16]))),
        ("remembered_left", RememberedResult::Left { id: OrderId::from_bytes([2; 16]), version: 300 }),
        (
            "remembered_loaded",
            RememberedResult::Loaded(Loaded { revision: 300, created: 1, updated: 2, deleted: 3, unchanged: 4 }),
        ),
        ("remembered_refused", RememberedResult::Refused(ConflictId::from_bytes([6; 16]))),
    ] {
        let device = DeviceId::from_bytes([1; 16]);
        check(file, &Remembered { fingerprint: [7; 32], device, at: Timestamp::from_millis(1), result });
    }
    check(
        "refused_write",
        &RefusedWrite {
            device: DeviceId::from_bytes([1; 16]),
            at: Timestamp::from_millis(1_700_000_000_000),
            route: "POST /pos/orders/x/close".to_owned(),
            request: "{}".to_owned(),
            order: OrderId::from_bytes([2; 16]),
            version: 4,
            reason: RefusedReason::InvalidTransition(ActionKind::Close),
        },
    );
}

#[test]
fn what_is_no_record_is_told_apart() {
    let good = encode(&Connectivity::Offline).unwrap();
    let read = decode::<Connectivity>;
    assert_eq!(read(&[]), Err(RecordError::Empty));
    assert_eq!(read(&[9, 0]), Err(RecordError::Unknown { version: 9 }));
    assert_eq!(read(&[1, 77]), Err(RecordError::Malformed));
    assert_eq!(read(&[good.as_slice(), &[0]].concat()), Err(RecordError::Malformed));
}

/// Compares a record with its file, both ways.
fn check<R: Record + PartialEq + Debug>(file: &str, record: &R) {
    let name = format!("{file}.v{}.hex", R::VERSION);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frozen").join(&name);
    let bytes = encode(record).unwrap();
    if std::env::var_os("STOREBOX_REWRITE").is_some() {
        fs::write(&path, lines_of(&bytes)).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; see the head of this file"));
    assert_eq!(lines_of(&bytes), kept, "{name}: today's bytes differ from the kept ones; see the head of this file");
    assert_eq!(decode::<R>(&from_hex(&kept)).as_ref(), Ok(record), "{name}: the kept bytes are read differently");
}

fn lines_of(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n").collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn clock() -> Hlc {
    Hlc { wall: Timestamp::from_millis(1_700_000_000_123), counter: 5 }
}

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn note(text: &str) -> Note {
    Note::new(text.to_owned()).unwrap()
}

fn number() -> OrderNumber {
    OrderNumber { register: name("A"), serial: 42 }
}

fn line() -> Line {
    Line {
        id: LineId::from_bytes([3; 16]),
        item_id: name("coffee"),
        name: name("Coffee"),
        quantity: Quantity::from_thousandths(1_500),
        unit_price: Money::from_minor(350),
        modifiers: vec![Modifier { id: Some(name("milk")), name: name("Oat milk"), price: Money::from_minor(-20) }],
        notes: Some(note("hot")),
        pricing: Pricing::Override { listed: Money::from_minor(450) },
        tax: TaxRule { rate_ppm: 88_750, included: false },
        discount: Some(Discount {
            promotion: name("happy-hour"),
            name: name("Happy hour"),
            reduction: Reduction::Share { ppm: 250_000 },
        }),
        category: Some(name("cakes")),
        station: Some(name("bar")),
        stocked: true,
    }
}

fn opened() -> Opened {
    Opened {
        number: number(),
        client_id: Some(name("01HWABCD1234567890ABCDEFGH")),
        header: Header {
            table_id: Some(name("table-5")),
            order_type: OrderType::Delivery,
            customer_id: Some(name("c-1")),
            notes: Some(note("birthday")),
        },
        lines: vec![line()],
        tax_rule: TaxRule { rate_ppm: 88_750, included: true },
    }
}

fn modification() -> Modification {
    Modification {
        header: HeaderPatch {
            table_id: Some(None),
            order_type: Some(OrderType::Takeaway),
            customer_id: None,
            notes: Some(Some(note("no cake"))),
        },
        added: vec![line()],
        changed: vec![LineChange {
            id: LineId::from_bytes([3; 16]),
            quantity_delta: Quantity::from_thousandths(-500),
            notes: Some(None),
        }],
        removed: vec![LineId::from_bytes([4; 16])],
        reason: Some(note("spilled")),
    }
}

fn tender() -> Tender {
    Tender {
        id: TenderId::from_bytes([8; 16]),
        kind: TenderKind::Cash,
        amount: Money::from_minor(1_100),
        tendered: Money::from_minor(2_000),
        change: Money::from_minor(900),
        tip: Money::from_minor(100),
        rounding: Money::from_minor(-2),
        reference: Some(name("slip 7")),
        last_four: Some(Text::cut("1111")),
        points: Some(70),
        signature_required: true,
        state: TenderState::Captured,
    }
}

fn refund() -> Refund {
    Refund {
        id: TenderId::from_bytes([9; 16]),
        lines: vec![RefundLine { line: LineId::from_bytes([3; 16]), quantity: Quantity::from_thousandths(1_000) }],
        amount: Money::from_minor(550),
        tax: Money::from_minor(50),
        kind: TenderKind::Cash,
        tender: Some(TenderId::from_bytes([8; 16])),
        rounding: Money::from_minor(2),
        reference: Some(name("slip 8")),
        restock: true,
        reason: note("cold"),
    }
}

fn settings() -> Settings {
    Settings {
        name: name("Corner shop"),
        currency: Currency::from_code("JPY").unwrap(),
        timezone: name("Asia/Tokyo"),
        day_starts_at_h: 4,
        register: name("A"),
        tax_rule: TaxRule { rate_ppm: 100_000, included: true },
        cash_rounding: Money::from_minor(10),
        payments: Policy { new_cards: CardPolicy::Terminal, ..Policy::standard(Some(Limits::USD)) },
    }
}

fn card_payment() -> CardPayment {
    CardPayment {
        id: CardPaymentId::from_bytes([10; 16]),
        version: 4,
        order: OrderId::from_bytes([2; 16]),
        tender: TenderId::from_bytes([8; 16]),
        device: DeviceId::from_bytes([1; 16]),
        amount: Money::from_minor(1_200),
        method: TenderKind::CardToken,
        card: [11; 32],
        sealed: vec![1, 2, 3],
        last_four: Some(Text::cut("1111")),
        status: CardStatus::Declined,
        queued_at: Timestamp::from_millis(1_700_000_000_000),
        day: Day(19_675),
        processed_at: Some(Timestamp::from_millis(1_700_000_001_000)),
        attempts: 2,
        last_attempt: Some(Timestamp::from_millis(1_700_000_000_500)),
        response: Some(note("insufficient funds")),
        signature_required: true,
        fallback_required: true,
        fallback_handled: true,
        handled_by: Some(EmployeeId::from_bytes([7; 16])),
        replaced_by: Some(TenderId::from_bytes([12; 16])),
    }
}
