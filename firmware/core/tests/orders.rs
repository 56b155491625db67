//! The life of an order, through `open` and `decide` only (L1, L3).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use proptest::prelude::*;
use storebox_core::command::{Actor, Rejection};
use storebox_core::device::DeviceKind;
use storebox_core::id::{DeviceId, EmployeeId, LineId, OrderId, TenderId};
use storebox_core::limits::{LINES_PER_ORDER, VERSIONS_PER_ORDER};
use storebox_core::money::{Money, TaxRule};
use storebox_core::order::{
    Action, Change, Decision, Expected, Header, HeaderPatch, Line, LineChange, Means, Modification, Modifier, Opened,
    Order, OrderLine, OrderNumber, PaymentStatus, Pricing, Recorded, Status, TenderWish, Terms, decide, open,
};
use storebox_core::people::{Role, Staff};
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::{Hlc, Timestamp};

/// No coin is smaller than the minor unit, and nobody signs.
const TERMS: Terms = Terms { cash_rounding: Money::from_minor(1), signature_above: None };
const MANAGER: Actor =
    Actor { staff: Some(Staff { employee: EmployeeId::from_bytes([4; 16]), role: Role::Manager }), ..TILL };
const TILL: Actor = Actor { device: DeviceId::from_bytes([1; 16]), kind: DeviceKind::Pos, staff: None };

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn at(step: u64) -> Hlc {
    Hlc { wall: Timestamp::from_millis(1_000_000 + step), counter: 0 }
}

fn line(number: u8, price: i64, thousandths: i64) -> Line {
    Line {
        id: LineId::from_bytes([number; 16]),
        item_id: name("item"),
        name: name("Item"),
        quantity: Quantity::from_thousandths(thousandths),
        unit_price: Money::from_minor(price),
        modifiers: Vec::new(),
        notes: None,
        pricing: Pricing::OpenItem,
        tax: TaxRule { rate_ppm: 100_000, included: false },
        discount: None,
        category: None,
        station: None,
        stocked: false,
    }
}

fn opened(lines: Vec<Line>, tax_rule: TaxRule) -> Opened {
    let number = OrderNumber { register: name("A"), serial: 42 };
    let lines = lines.into_iter().map(|line| Line { tax: tax_rule, ..line }).collect();
    Opened { number, client_id: None, header: Header::default(), lines, tax_rule }
}

fn order(lines: Vec<Line>) -> Order {
    let tax = TaxRule { rate_ppm: 100_000, included: false };
    open(OrderId::from_bytes([9; 16]), opened(lines, tax), &TILL, at(0)).unwrap().1
}

fn after(order: &Order, action: &Action) -> Result<Order, Rejection> {
    match decide(order, action, Expected::default(), &MANAGER, &TERMS, at(u64::from(order.version)))? {
        Decision::Unchanged => Ok(order.clone()),
        Decision::Record(decided) => Ok(decided.1),
    }
}

fn cash(amount: i64) -> Action {
    Action::Close { tenders: vec![note(3, amount)] }
}

fn note(id: u8, amount: i64) -> TenderWish {
    let (id, amount) = (TenderId::from_bytes([id; 16]), Money::from_minor(amount));
    TenderWish { id, field: "tenders".to_owned(), amount, tip: Money::ZERO, means: Means::Cash }
}

fn void() -> Action {
    Action::Void { reason: Note::new("guest left".to_owned()).ok() }
}

fn in_status(status: Status) -> Order {
    let fresh = order(vec![line(1, 500, 1_000)]);
    match status {
        Status::Pending => fresh,
        Status::Confirmed => after(&fresh, &Action::SendToKitchen).unwrap(),
        Status::Preparing | Status::Ready => Order { status, ..after(&fresh, &Action::SendToKitchen).unwrap() },
        Status::Completed => after(&fresh, &cash(550)).unwrap(),
        Status::Voided => after(&fresh, &void()).unwrap(),
    }
}

/// L1: every state × every action, as the drawing in `order` has it.
#[test]
fn every_transition_is_allowed_or_refused_as_drawn() {
    let modify = Action::Modify(Modification { added: vec![line(2, 100, 1_000)], ..Modification::default() });
    let actions = [modify, Action::SendToKitchen, cash(10_000), void()];
    for status in Status::ALL {
        let order = in_status(status);
        assert_eq!(order.status, status);
        for action in &actions {
            match after(&order, action) {
                Ok(after) => {
                    assert!(status.is_open(), "{status:?} allowed {action:?}");
                    assert!(after.status >= status, "{action:?} took {status:?} back to {:?}", after.status);
                }
                Err(Rejection::InvalidTransition { action: refused, current }) => {
                    assert!(!status.is_open(), "{status:?} refused {action:?}");
                    assert_eq!((refused, *current), (action.kind(), order.clone()));
                }
                Err(other) => panic!("{status:?} {action:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn cash_gives_change_and_too_little_is_refused_with_what_is_due() {
    let order = order(vec![line(1, 1_000, 1_000)]);
    assert_eq!(order.totals.total, Money::from_minor(1_100));
    let closed = after(&order, &cash(2_000)).unwrap();
    assert_eq!(closed.payment_status(), PaymentStatus::Paid);
    assert_eq!(closed.tenders[0].amount, Money::from_minor(1_100));
    assert_eq!(closed.tenders[0].change, Money::from_minor(900));
    assert_eq!(after(&order, &cash(1_000)), Err(Rejection::Underpaid { due: Money::from_minor(100) }));
}

#[test]
fn several_notes_cover_the_total_in_the_order_they_were_counted() {
    let order = order(vec![line(1, 1_000, 1_000)]);
    let closed = after(&order, &Action::Close { tenders: vec![note(1, 1_000), note(2, 500)] }).unwrap();
    assert_eq!(closed.tenders.iter().map(|tender| tender.change.minor()).collect::<Vec<_>>(), [0, 400]);
    let too_many = Action::Close { tenders: vec![note(1, 1_100), note(2, 500)] };
    assert!(matches!(after(&order, &too_many), Err(Rejection::Invalid { .. })));
}

#[test]
fn an_empty_order_can_be_opened_but_neither_sent_nor_closed() {
    let tab = order(Vec::new());
    assert_eq!(after(&tab, &Action::SendToKitchen), Err(Rejection::NothingOrdered));
    assert_eq!(after(&tab, &cash(100)), Err(Rejection::NothingOrdered));
    assert_eq!(after(&tab, &void()).unwrap().status, Status::Voided);
}

#[test]
fn sending_twice_changes_nothing_but_new_lines_are_sent() {
    let sent = in_status(Status::Confirmed);
    assert_eq!(after(&sent, &Action::SendToKitchen).unwrap().version, sent.version);
    let added = Modification { added: vec![line(2, 100, 1_000)], ..Modification::default() };
    let more = after(&sent, &Action::Modify(added)).unwrap();
    assert!(more.has_unsent());
    let sent_again = after(&more, &Action::SendToKitchen).unwrap();
    assert!(!sent_again.has_unsent() && sent_again.version > more.version);
}

#[test]
fn what_a_terminal_expects_must_hold() {
    let order = order(vec![line(1, 100, 1_000)]);
    let moved = after(&order, &Action::SendToKitchen).unwrap();
    let void = void();
    let try_with = |expected| decide(&moved, &void, expected, &MANAGER, &TERMS, at(9));
    let stale = Expected { version: Some(order.version), updated_at: None };
    assert_eq!(try_with(stale), Err(Rejection::StaleVersion { current: Box::new(moved.clone()) }));
    let stale = Expected { version: None, updated_at: Some(order.updated_at) };
    assert_eq!(try_with(stale), Err(Rejection::StaleVersion { current: Box::new(moved.clone()) }));
    let right = Expected { version: Some(moved.version), updated_at: Some(moved.updated_at) };
    assert!(try_with(right).is_ok());
}

#[test]
fn a_header_changes_only_for_who_has_seen_it() {
    let order = order(vec![line(1, 100, 1_000)]);
    let header = HeaderPatch { table_id: Some(Some(name("table-5"))), ..HeaderPatch::default() };
    let action = Action::Modify(Modification { header, ..Modification::default() });
    assert_eq!(after(&order, &action), Err(Rejection::VersionNeeded));
    let seen = Expected { version: Some(1), updated_at: None };
    let Ok(Decision::Record(decided)) = decide(&order, &action, seen, &TILL, &TERMS, at(1)) else { panic!("refused") };
    assert_eq!(decided.1.header.table_id, Some(name("table-5")));
}

#[test]
fn a_kiosk_changes_only_its_own_orders() {
    let order = order(vec![line(1, 100, 1_000)]);
    let kiosk = |device| Actor { device, kind: DeviceKind::Kiosk, staff: None };
    let try_as = |actor| decide(&order, &Action::SendToKitchen, Expected::default(), &actor, &TERMS, at(1));
    assert_eq!(try_as(kiosk(DeviceId::from_bytes([8; 16]))), Err(Rejection::NotYours));
    assert!(try_as(kiosk(TILL.device)).is_ok());
}

#[test]
fn lines_change_by_differences_and_go_when_nothing_is_left() {
    let order = order(vec![line(1, 100, 2_000), line(2, 100, 1_000)]);
    let change = |id: u8, delta| LineChange {
        id: LineId::from_bytes([id; 16]),
        quantity_delta: Quantity::from_thousandths(delta),
        notes: None,
    };
    let modify = |changed| Action::Modify(Modification { changed, ..Modification::default() });
    let less = after(&order, &modify(vec![change(1, -500), change(2, -1_000)])).unwrap();
    assert_eq!(less.lines.len(), 1);
    assert_eq!(less.lines[0].line.quantity, Quantity::from_thousandths(1_500));
    for wrong in [vec![change(1, -2_001)], vec![change(7, 1)], vec![change(1, 1), change(1, 1)]] {
        assert!(matches!(after(&order, &modify(wrong)), Err(Rejection::Invalid { .. })));
    }
}

#[test]
fn bounds_hold() {
    let many: Vec<Line> = (0..=LINES_PER_ORDER).map(|_| line(1, 1, 1_000)).collect();
    let refused = open(OrderId::from_bytes([9; 16]), opened(many, TaxRule::default()), &TILL, at(0));
    assert!(matches!(refused, Err(Rejection::TooMany { .. })));
    let worn_out = Order { version: VERSIONS_PER_ORDER, ..order(vec![line(1, 1, 1_000)]) };
    assert!(matches!(after(&worn_out, &Action::SendToKitchen), Err(Rejection::TooMany { .. })));
    let huge = vec![line(1, i64::MAX / 2, 1_000), line(2, i64::MAX / 2, 1_000), line(3, 2, 1_000)];
    let refused = open(OrderId::from_bytes([9; 16]), opened(huge, TaxRule::default()), &TILL, at(0));
    assert!(matches!(refused, Err(Rejection::Invalid { .. })));
    let below_zero = Line {
        modifiers: vec![Modifier { id: None, name: name("without"), price: Money::from_minor(-101) }],
        ..line(1, 100, 1_000)
    };
    let refused = open(OrderId::from_bytes([9; 16]), opened(vec![below_zero], TaxRule::default()), &TILL, at(0));
    assert!(matches!(refused, Err(Rejection::Invalid { .. })));
}

#[test]
fn a_history_that_does_not_begin_or_begins_twice_is_broken() {
    let send = Recorded { at: at(1), device: TILL.device, staff: None, change: Change::SentToKitchen };
    assert!(Order::opened(OrderId::from_bytes([9; 16]), &send).is_err());
    let mut order = order(vec![line(1, 1, 1_000)]);
    let again = Change::Opened(opened(Vec::new(), TaxRule::default()));
    assert!(order.apply(&Recorded { at: at(2), device: TILL.device, staff: None, change: again }).is_err());
}

fn any_action() -> impl Strategy<Value = Action> {
    let added = (1u8..20, 0i64..5_000, 1i64..5_000).prop_map(|(id, price, quantity)| Modification {
        added: vec![line(id, price, quantity)],
        ..Modification::default()
    });
    let changed = (1u8..20, -3_000i64..3_000).prop_map(|(id, delta)| Modification {
        changed: vec![LineChange {
            id: LineId::from_bytes([id; 16]),
            quantity_delta: Quantity::from_thousandths(delta),
            notes: Some(Note::new("well done".into()).ok()),
        }],
        ..Modification::default()
    });
    let removed = (1u8..20)
        .prop_map(|id| Modification { removed: vec![LineId::from_bytes([id; 16])], ..Modification::default() });
    prop_oneof![
        4 => added.prop_map(Action::Modify),
        3 => changed.prop_map(Action::Modify),
        1 => removed.prop_map(Action::Modify),
        2 => Just(Action::SendToKitchen),
        1 => (0i64..100_000).prop_map(cash),
        1 => Just(void()),
    ]
}

proptest! {
    /// L1, L3: whatever terminals do, states never go back, versions and times strictly increase, sums are exact,
    /// and replaying the history gives the same order at every version.
    #[test]
    fn no_sequence_of_actions_breaks_an_order(
        rate_ppm in 0u32..300_000,
        included in any::<bool>(),
        actions in proptest::collection::vec((any_action(), 0u64..3), 1..40),
    ) {
        let id = OrderId::from_bytes([9; 16]);
        let (first, mut order) =
            open(id, opened(vec![line(1, 250, 1_000)], TaxRule { rate_ppm, included }), &TILL, at(0)).unwrap();
        let mut history = vec![first];
        let mut states = vec![order.clone()];
        for (action, wall) in actions {
            let Ok(Decision::Record(decided)) = decide(&order, &action, Expected::default(), &MANAGER, &TERMS, at(wall)) else {
                continue;
            };
            let (recorded, after) = *decided;
            prop_assert!(after.status >= order.status);
            prop_assert_eq!(after.version, order.version + 1);
            prop_assert!(after.updated_at > order.updated_at);
            let subtotal: i64 = after.lines.iter().map(|line| line.line.total().unwrap().minor()).sum();
            prop_assert_eq!(after.totals.subtotal.minor(), subtotal);
            // Two tax rules on one check: the first line's, and that of every line that was added.
            let (mut tax, mut added) = (0, 0);
            for first in [true, false] {
                let of_rule = |line: &&OrderLine| (line.line.tax == TaxRule { rate_ppm, included }) == first;
                let sum: i64 = after.lines.iter().filter(of_rule).map(|line| line.line.total().unwrap().minor()).sum();
                let rule = if first { TaxRule { rate_ppm, included } } else { line(0, 0, 0).tax };
                let whole = if rule.included { 1_000_000 + i64::from(rule.rate_ppm) } else { 1_000_000 };
                let of_sum = (2 * sum * i64::from(rule.rate_ppm) + whole) / (2 * whole);
                tax += of_sum;
                added += if rule.included { 0 } else { of_sum };
            }
            prop_assert_eq!(after.totals.tax.minor(), tax);
            prop_assert_eq!(after.totals.total.minor(), subtotal + added);
            if after.status == Status::Completed {
                prop_assert_eq!(after.paid(), Some(after.totals.total));
                for tender in &after.tenders {
                    prop_assert_eq!(tender.tendered.minor(), tender.amount.minor() + tender.change.minor());
                }
            }
            history.push(recorded);
            states.push(after.clone());
            order = after;
        }
        let mut replayed = Order::opened(id, &history[0]).unwrap();
        prop_assert_eq!(&replayed, &states[0]);
        for (recorded, state) in history.iter().zip(&states).skip(1) {
            replayed.apply(recorded).unwrap();
            prop_assert_eq!(&replayed, state);
        }
    }
}

#[test]
fn order_numbers_read_as_printed() {
    assert_eq!(order(Vec::new()).number.to_string(), "A-0042");
}
