use proptest::prelude::*;

use super::*;
use crate::device::DeviceKind;
use crate::id::{LineId, TenderId};
use crate::money::{Money, TaxRule};
use crate::order::{Header, Line, Opened, OrderNumber, Pricing, Refund, RefundLine, TenderKind};
use crate::people::{Role, Staff};
use crate::time::Hlc;

fn actor(role: Role) -> Actor {
    let staff = Staff { employee: EmployeeId::from_bytes([3; 16]), role };
    Actor { device: DeviceId::from_bytes([1; 16]), kind: DeviceKind::Pos, staff: Some(staff) }
}

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn quantity(thousandths: i64) -> Quantity {
    Quantity::from_thousandths(thousandths)
}

fn move_by(kind: MovementKind, thousandths: i64) -> Command {
    Command::Move(MoveStock {
        id: MovementId::from_bytes([2; 16]),
        item: name("coffee"),
        kind,
        quantity: quantity(thousandths),
        note: None,
    })
}

fn count(thousandths: i64) -> Command {
    Command::Count(CountStock {
        id: MovementId::from_bytes([2; 16]),
        item: name("coffee"),
        counted: quantity(thousandths),
        low_at: Some(quantity(2_000)),
        note: None,
    })
}

fn decided(command: &Command, level: Option<&Level>) -> (Movement, Level, Vec<Signal>) {
    decide(command, level, &actor(Role::Manager), Timestamp::from_millis(1)).unwrap()
}

#[test]
fn l9_stock_is_counted_by_managers_only() {
    let refused = decide(&count(1), None, &actor(Role::Staff), Timestamp::EPOCH);
    assert_eq!(refused.unwrap_err(), Rejection::NotAllowed(Permission::CountStock));
}

#[test]
fn l9_what_makes_no_sense_is_refused() {
    for command in [
        move_by(MovementKind::Receive, 0),
        move_by(MovementKind::Waste, -1_000),
        move_by(MovementKind::Correct, 0),
        move_by(MovementKind::Sale, 1_000),
        move_by(MovementKind::Count, 1_000),
        count(-1),
    ] {
        let refused = decide(&command, None, &actor(Role::Admin), Timestamp::EPOCH);
        assert!(matches!(refused, Err(Rejection::Invalid { .. })), "{command:?}");
    }
}

#[test]
fn l9_a_stock_take_is_a_baseline_and_flags_what_is_off() {
    let (movement, level, signals) = decided(&count(10_000), None);
    assert_eq!(
        (level.level, level.review, signals),
        (quantity(10_000), None, vec![]),
        "the first count contradicts nothing"
    );
    assert_eq!(movement.changes[0].delta, quantity(10_000));

    let (movement, level, signals) = decided(&count(7_500), Some(&level));
    assert_eq!(movement.changes[0].delta, quantity(-2_500));
    assert_eq!(level.review, Some(Review::Discrepancy { difference: quantity(-2_500) }));
    assert_eq!((level.baseline, signals), (Some(2), vec![Signal::Discrepancy]));

    let (_, level, signals) = decided(&count(7_500), Some(&level));
    assert_eq!((level.review, signals), (None, vec![]), "a count that agrees ends the review");
}

#[test]
fn l9_below_nothing_is_flagged_once_and_never_refused() {
    let mut level = Level::default();
    let id = MovementId::from_bytes([2; 16]);
    assert_eq!(level.apply(quantity(-1_000), id, Timestamp::EPOCH), [Signal::Discrepancy]);
    assert_eq!(level.apply(quantity(-1_000), id, Timestamp::EPOCH), []);
    assert_eq!((level.level, level.review), (quantity(-2_000), Some(Review::Negative)));
}

#[test]
fn l9_a_low_level_is_told_once() {
    let (_, mut level, _) = decided(&count(3_000), None);
    let id = MovementId::from_bytes([2; 16]);
    assert_eq!(level.apply(quantity(-1_000), id, Timestamp::EPOCH), [Signal::Low]);
    assert_eq!(level.apply(quantity(-500), id, Timestamp::EPOCH), []);
}

fn line(id: u8, item: &str, thousandths: i64, stocked: bool) -> Line {
    Line {
        id: LineId::from_bytes([id; 16]),
        item_id: name(item),
        name: name(item),
        quantity: quantity(thousandths),
        unit_price: Money::from_minor(100),
        modifiers: Vec::new(),
        notes: None,
        pricing: Pricing::Catalogue,
        tax: TaxRule::default(),
        discount: None,
        category: None,
        station: None,
        stocked,
    }
}

fn recorded(change: Change) -> Recorded {
    Recorded { at: Hlc::default(), device: DeviceId::from_bytes([1; 16]), staff: None, change }
}

/// What a change of an order moves, and the order afterwards.
fn change(order: &mut Order, change: Change) -> Option<(MovementKind, Vec<Moved>)> {
    let (before, recorded) = (order.clone(), recorded(change));
    order.apply(&recorded).unwrap();
    moved(&recorded, Some(&before), order)
}

fn order(lines: Vec<Line>) -> Order {
    let number = OrderNumber { register: name("A"), serial: 1 };
    let (header, tax_rule) = (Header::default(), TaxRule::default());
    let opened = Opened { number, client_id: None, header, lines, tax_rule };
    Order::opened(OrderId::from_bytes([4; 16]), &recorded(Change::Opened(opened))).unwrap()
}

fn moves(kind: MovementKind, items: &[(&str, i64)]) -> Option<(MovementKind, Vec<Moved>)> {
    let moved = |(item, delta): &(&str, i64)| Moved { item: name(item), name: name(item), delta: quantity(*delta) };
    Some((kind, items.iter().map(moved).collect()))
}

#[test]
fn l9_closing_an_order_takes_what_is_counted_and_returns_give_it_back() {
    let lines = vec![line(1, "cola", 2_000, true), line(2, "soup", 1_000, false), line(3, "cola", 500, true)];
    let mut sold = order(lines);
    assert_eq!(change(&mut sold, Change::SentToKitchen), None);
    assert_eq!(change(&mut sold, Change::Closed { tenders: vec![] }), moves(MovementKind::Sale, &[("cola", -2_500)]));
    let refund = |restock| {
        let back =
            |id: u8, thousandths| RefundLine { line: LineId::from_bytes([id; 16]), quantity: quantity(thousandths) };
        Change::Refunded(Refund {
            id: TenderId::from_bytes([9; 16]),
            lines: vec![back(1, 1_000), back(2, 1_000)],
            amount: Money::from_minor(200),
            tax: Money::ZERO,
            kind: TenderKind::Cash,
            tender: None,
            rounding: Money::ZERO,
            reference: None,
            restock,
            reason: Note::new("cold".to_owned()).unwrap(),
        })
    };
    assert_eq!(change(&mut sold, refund(false)), None, "what cannot be sold again does not come back");
    assert_eq!(change(&mut sold, refund(true)), moves(MovementKind::Return, &[("cola", 1_000)]));
}

#[test]
fn l9_a_voided_order_moves_nothing() {
    let mut voided = order(vec![line(1, "cola", 2_000, true)]);
    assert_eq!(change(&mut voided, Change::Voided { reason: None }), None);
}

#[derive(Clone, Debug)]
enum Happening {
    Sold(i64),
    Asked(Command),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1i64..50_000).prop_map(Happening::Sold),
        (1i64..50_000).prop_map(|more| Happening::Asked(move_by(MovementKind::Receive, more))),
        (1i64..50_000).prop_map(|less| Happening::Asked(move_by(MovementKind::Waste, less))),
        (1i64..50_000).prop_map(|less| Happening::Asked(move_by(MovementKind::Correct, -less))),
        (0i64..50_000).prop_map(|found| Happening::Asked(count(found))),
    ]
}

proptest! {
    /// L9: whatever happens in whatever order, the level is the sum of its movements, and right after a stock-take
    /// it is what was counted.
    #[test]
    fn l9_the_level_is_the_sum_of_its_movements(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut level: Option<Level> = None;
        let mut deltas = 0;
        for (index, happening) in happenings.iter().enumerate() {
            match happening {
                Happening::Sold(quantity) => {
                    let mut after = level.unwrap_or_default();
                    let sold = Quantity::from_thousandths(-quantity);
                    after.apply(sold, MovementId::from_bytes([2; 16]), Timestamp::EPOCH);
                    deltas -= quantity;
                    level = Some(after);
                }
                Happening::Asked(command) => {
                    let (movement, after, _) = decided(command, level.as_ref());
                    deltas += movement.changes[0].delta.thousandths();
                    prop_assert_eq!(movement.changes[0].level, after.level);
                    if let Command::Count(wish) = command {
                        prop_assert_eq!(after.level, wish.counted);
                    }
                    level = Some(after);
                }
            }
            let level = level.as_ref().unwrap();
            prop_assert_eq!(level.level.thousandths(), deltas);
            prop_assert_eq!(level.movements, index as u64 + 1);
        }
    }
}
