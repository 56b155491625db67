use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::command::{Actor, Rejection};
use crate::day::Day;
use crate::device::DeviceKind;
use crate::id::{DayCloseId, DeviceId, DrawerMovementId, EmployeeId, LineId, OrderId, TenderId};
use crate::money::{Money, TaxRule};
use crate::order::{
    Change, Discount, Header, Line, Opened, Order, OrderNumber, OrderType, Pricing, Recorded, Reduction, Refund,
    RefundLine, Tender, TenderKind, TenderState,
};
use crate::people::{Permission, Role, Staff};
use crate::quantity::Quantity;
use crate::record::encode;
use crate::text::{Name, Note};
use crate::time::{Hlc, Timestamp};

type Totals = BTreeMap<(Dimension, Name), Total>;

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn money(minor: i64) -> Money {
    Money::from_minor(minor)
}

fn recorded(change: Change, staff: u8) -> Recorded {
    let staff = (staff > 0).then(|| EmployeeId::from_bytes([staff; 16]));
    Recorded { at: Hlc::default(), device: DeviceId::from_bytes([1; 16]), staff, change }
}

/// What somebody sells: lines, how it is paid, and what becomes of it.
#[derive(Clone, Debug)]
struct Sale {
    lines: Vec<Line>,
    staff: u8,
    hour: u8,
    kind: TenderKind,
    order_type: OrderType,
    tip: i64,
    rounding: i64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    LeftOpen,
    Voided,
    Closed,
    PaidInTwo,
    Declined,
    RefundedByLine { restock: bool },
    RefundedInPart(i64),
}

fn line() -> impl Strategy<Value = Line> {
    let reduction = prop_oneof![
        Just(None),
        (0u32..1_000_000).prop_map(|ppm| Some(Reduction::Share { ppm })),
        (0i64..500).prop_map(|off| Some(Reduction::Amount(money(off)))),
        Just(Some(Reduction::Free { free: 1, of: 3 })),
    ];
    let tax = prop_oneof![
        Just(TaxRule { rate_ppm: 88_750, included: false }),
        Just(TaxRule { rate_ppm: 190_000, included: true }),
        Just(TaxRule { rate_ppm: 70_000, included: true }),
    ];
    (1i64..5_000, 0i64..2_000, 0u8..4, 0u8..3, tax, reduction).prop_map(
        |(thousandths, price, item, category, tax, reduction)| Line {
            id: LineId::from_bytes([0; 16]),
            item_id: name(&format!("item-{item}")),
            name: name("Something"),
            quantity: Quantity::from_thousandths(thousandths),
            unit_price: money(price),
            modifiers: Vec::new(),
            notes: None,
            pricing: Pricing::Catalogue,
            tax,
            discount: reduction.map(|reduction| Discount { promotion: name("p"), name: name("P"), reduction }),
            category: (category > 0).then(|| name(&format!("category-{category}"))),
            station: None,
            stocked: true,
        },
    )
}

fn sale() -> impl Strategy<Value = Sale> {
    let fate = prop_oneof![
        Just(Fate::LeftOpen),
        Just(Fate::Voided),
        Just(Fate::Closed),
        Just(Fate::PaidInTwo),
        Just(Fate::Declined),
        any::<bool>().prop_map(|restock| Fate::RefundedByLine { restock }),
        (1i64..500).prop_map(Fate::RefundedInPart),
    ];
    let kind = prop_oneof![Just(TenderKind::Cash), Just(TenderKind::Card), Just(TenderKind::GiftCard)];
    let order_type = prop_oneof![Just(OrderType::Counter), Just(OrderType::DineIn)];
    (prop::collection::vec(line(), 1..6), 0u8..3, 0u8..24, kind, order_type, 0i64..200, -2i64..3, fate).prop_map(
        |(mut lines, staff, hour, kind, order_type, tip, rounding, fate)| {
            for (index, line) in lines.iter_mut().enumerate() {
                line.id = LineId::from_bytes([u8::try_from(index).unwrap(); 16]);
            }
            Sale { lines, staff, hour, kind, order_type, tip, rounding, fate }
        },
    )
}

fn tender(sale: &Sale, id: u8, amount: Money) -> Tender {
    Tender {
        id: TenderId::from_bytes([id; 16]),
        kind: sale.kind,
        amount,
        tendered: amount,
        change: Money::ZERO,
        tip: money(sale.tip),
        rounding: money(sale.rounding),
        reference: None,
        last_four: None,
        points: None,
        signature_required: false,
        state: TenderState::Captured,
    }
}

fn refund(sale: &Sale, lines: Vec<RefundLine>, amount: Money, restock: bool) -> Change {
    Change::Refunded(Refund {
        id: TenderId::from_bytes([9; 16]),
        lines,
        amount,
        tax: amount.share(70_000).unwrap(),
        kind: sale.kind,
        tender: None,
        rounding: money(sale.rounding),
        reference: None,
        restock,
        reason: Note::new("cold".to_owned()).unwrap(),
    })
}

/// The changes after the opening, as far as they depend on the order's total.
fn changes(sale: &Sale, total: Money) -> Vec<Change> {
    let all = |id| tender(sale, id, total);
    let close = Change::Closed { tenders: vec![all(1)] };
    match sale.fate {
        Fate::LeftOpen => vec![],
        Fate::Voided => vec![Change::Voided { reason: None }],
        Fate::Closed => vec![close],
        Fate::PaidInTwo => {
            let half = money(total.minor() / 2);
            let rest = total.checked_sub(half).unwrap();
            vec![Change::Tendered(tender(sale, 1, half)), Change::Closed { tenders: vec![tender(sale, 2, rest)] }]
        }
        Fate::Declined => {
            vec![
                close,
                Change::Settled { tender: TenderId::from_bytes([1; 16]), state: TenderState::Declined, reason: None },
            ]
        }
        Fate::RefundedByLine { restock } => {
            let back = |line: &Line| RefundLine { line: line.id, quantity: line.quantity };
            vec![close, refund(sale, sale.lines.iter().map(back).collect(), total, restock)]
        }
        Fate::RefundedInPart(amount) => vec![close, refund(sale, vec![], total.min(money(amount)), false)],
    }
}

fn ring_up(number: u8, sale: &Sale, totals: &mut Totals) -> Order {
    let opened = Opened {
        number: OrderNumber { register: name("A"), serial: u32::from(number) + 1 },
        client_id: None,
        header: Header { order_type: sale.order_type, ..Header::default() },
        lines: sale.lines.clone(),
        tax_rule: TaxRule::default(),
    };
    let first = recorded(Change::Opened(opened), sale.staff);
    let mut order = Order::opened(OrderId::from_bytes([number; 16]), &first).unwrap();
    let mut rows = count(&first, None, &order, sale.hour);
    for change in changes(sale, order.totals.total) {
        let recorded = recorded(change, sale.staff);
        let before = order.clone();
        order.apply(&recorded).unwrap();
        rows.extend(count(&recorded, Some(&before), &order, sale.hour));
    }
    for row in rows {
        let kept = encode(&row.total).unwrap();
        let read = TotalRef::read(&kept).unwrap();
        assert_eq!(Total::from(read), row.total, "read where it lies");
        totals.entry((row.dimension, row.key)).or_default().add(read);
    }
    order
}

fn sum_of(totals: &Totals, dimension: Dimension) -> Sums {
    let mut sums = Sums::default();
    for ((of, _), total) in totals {
        if *of == dimension {
            sums.add(&total.sums);
        }
    }
    sums
}

fn total_of(orders: &[Order], of: impl Fn(&Order) -> Money) -> Money {
    Money::sum(orders.iter().map(|order| Some(of(order)))).unwrap()
}

proptest! {
    /// L12: totals that are kept with every change are what reading all orders again gives, to the minor unit.
    #[test]
    fn l12_totals_are_what_recomputing_them_gives(sales in prop::collection::vec(sale(), 0..20)) {
        let mut totals = Totals::new();
        let orders: Vec<Order> =
            sales.iter().zip(0u8..).map(|(sale, number)| ring_up(number, sale, &mut totals)).collect();
        let whole = sum_of(&totals, Dimension::Whole);
        let closed: Vec<Order> =
            orders.iter().filter(|order| order.status == crate::order::Status::Completed).cloned().collect();
        prop_assert_eq!(whole.sales, i64::try_from(closed.len()).unwrap());
        prop_assert_eq!(whole.total(), total_of(&closed, |order| order.totals.total));
        prop_assert_eq!(whole.tax, total_of(&closed, |order| order.totals.tax));
        let refunds = closed.iter().flat_map(|order| &order.refunds);
        prop_assert_eq!(whole.refunded, Money::sum(refunds.map(|refund| Some(refund.amount))).unwrap());
        let taken = |order: &Order| {
            let kept = order.tenders.iter().filter(|tender| tender.state != TenderState::Declined);
            Money::sum(kept.map(|tender| Some(tender.amount))).unwrap()
        };
        prop_assert_eq!(whole.paid, total_of(&orders, taken));
    }

    /// L12: by whatever totals are kept, they come to the same.
    #[test]
    fn l12_every_dimension_comes_to_the_whole(sales in prop::collection::vec(sale(), 0..20)) {
        let mut totals = Totals::new();
        for (sale, number) in sales.iter().zip(0u8..) {
            ring_up(number, sale, &mut totals);
        }
        let whole = sum_of(&totals, Dimension::Whole);
        for dimension in [Dimension::Hour, Dimension::Employee, Dimension::OrderType] {
            prop_assert_eq!(sum_of(&totals, dimension), whole);
        }
        for dimension in [Dimension::Item, Dimension::Category, Dimension::Tax] {
            let sums = sum_of(&totals, dimension);
            let of_lines = |sums: &Sums| (sums.quantity, sums.gross, sums.discount, sums.net, sums.tax);
            prop_assert_eq!(of_lines(&sums), of_lines(&whole));
            let back = |sums: &Sums| (sums.returned, sums.refunded, sums.refunded_tax);
            prop_assert_eq!(back(&sums), back(&whole));
        }
        let tenders = sum_of(&totals, Dimension::Tender);
        let of_money = |sums: &Sums| (sums.payments, sums.paid, sums.tips, sums.rounding, sums.refunds, sums.refunded);
        prop_assert_eq!(of_money(&tenders), of_money(&whole));
    }
}

fn manager() -> Actor {
    let staff = Staff { employee: EmployeeId::from_bytes([3; 16]), role: Role::Manager };
    Actor { device: DeviceId::from_bytes([1; 16]), kind: DeviceKind::Pos, staff: Some(staff) }
}

fn wish(counted: i64, next_float: Option<i64>) -> CloseDay {
    let next_float = next_float.map(money);
    CloseDay { id: DayCloseId::from_bytes([4; 16]), counted: money(counted), next_float, note: None }
}

fn movement(kind: DrawerKind, amount: i64) -> DrawerMovement {
    DrawerMovement {
        id: DrawerMovementId::from_bytes([5; 16]),
        kind,
        amount: money(amount),
        reason: None,
        at: Timestamp::EPOCH,
        device: DeviceId::from_bytes([1; 16]),
        staff: None,
    }
}

#[test]
fn l12_the_drawer_holds_float_cash_tips_and_rounding_less_what_went_out() {
    let mut period = Period::default();
    for (kind, amount) in [(DrawerKind::Float, 10_000), (DrawerKind::PaidIn, 500), (DrawerKind::PaidOut, 2_000)] {
        period = move_cash(&movement(kind, amount), period, &manager()).unwrap();
    }
    let cash =
        Sums { paid: money(1_998), rounding: money(2), tips: money(100), refunded: money(50), ..Sums::default() };
    assert_eq!(period.expected(&cash), money(10_550));
    let tenders = vec![Part { key: name("cash"), total: Total { name: None, sums: cash } }];
    let state = DayState { period, tenders, ..DayState::default() };
    let (close, next) = close_day(&wish(10_500, Some(3_000)), state, &manager(), Day(1), Timestamp::EPOCH).unwrap();
    assert_eq!((close.number, close.expected, close.difference()), (1, money(10_550), money(-50)));
    assert_eq!((next.last_number, next.opening_float, next.paid_out), (1, money(3_000), Money::ZERO));
}

#[test]
fn l12_the_grand_total_never_begins_anew() {
    let whole = Sums { net: money(900), tax: money(100), refunded: money(200), ..Sums::default() };
    let period = Period { grand_total: money(5_000), last_number: 7, ..Period::default() };
    let state = DayState { period, whole, ..DayState::default() };
    let (close, next) = close_day(&wish(0, None), state, &manager(), Day(1), Timestamp::EPOCH).unwrap();
    assert_eq!((close.number, close.grand_total, next.grand_total), (8, money(5_800), money(5_800)));
}

#[test]
fn l12_only_a_manager_ends_the_day_and_never_with_less_than_nothing() {
    let nobody = Actor { staff: None, ..manager() };
    let by = |wish: CloseDay, actor: &Actor| {
        close_day(&wish, DayState::default(), actor, Day(1), Timestamp::EPOCH).map(|_| ()).unwrap_err()
    };
    assert_eq!(by(wish(0, None), &nobody), Rejection::NotAllowed(Permission::Reports));
    assert!(matches!(by(wish(-1, None), &manager()), Rejection::Invalid { .. }));
    assert!(matches!(by(wish(5, Some(6)), &manager()), Rejection::Invalid { .. }));
    let refused = move_cash(&movement(DrawerKind::PaidOut, 1), Period::default(), &nobody);
    assert_eq!(refused, Err(Rejection::NotAllowed(Permission::Reports)));
}
