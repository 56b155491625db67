//! Payments, refunds and the books, through `decide` and `journal` only (L6, L11, L12).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use proptest::prelude::*;
use storebox_core::command::{Actor, Rejection};
use storebox_core::device::DeviceKind;
use storebox_core::id::{CardPaymentId, DeviceId, EmployeeId, LineId, OrderId, TenderId};
use storebox_core::money::{Money, TaxRule};
use storebox_core::order::{
    Action, Decision, Expected, Header, JournalAccount, Line, LineChange, Means, Modification, Opened, Order,
    OrderNumber, PaymentStatus, Pricing, RefundLine, RefundWish, Status, TenderKind, TenderState, TenderWish, Terms,
    decide, journal, open, replace_tender, settle_tender,
};
use storebox_core::payment::CardOffered;
use storebox_core::people::{Permission, Role, Staff};
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::{Hlc, Timestamp};

const TILL: Actor = Actor { device: DeviceId::from_bytes([1; 16]), kind: DeviceKind::Pos, staff: None };
const MANAGER: Actor =
    Actor { staff: Some(Staff { employee: EmployeeId::from_bytes([4; 16]), role: Role::Manager }), ..TILL };
const TERMS: Terms = Terms { cash_rounding: Money::from_minor(1), signature_above: Some(Money::from_minor(2_500)) };
const FIVES: Terms = Terms { cash_rounding: Money::from_minor(5), ..TERMS };
const ADDED: TaxRule = TaxRule { rate_ppm: 100_000, included: false };

fn minor(amount: i64) -> Money {
    Money::from_minor(amount)
}

fn reason() -> Note {
    Note::new("cold".to_owned()).unwrap()
}

fn at(step: u64) -> Hlc {
    Hlc { wall: Timestamp::from_millis(1_000_000 + step), counter: 0 }
}

fn line(number: u8, price: i64, thousandths: i64, tax: TaxRule) -> Line {
    Line {
        id: LineId::from_bytes([number; 16]),
        item_id: Name::cut("item"),
        name: Name::cut("Item"),
        quantity: Quantity::from_thousandths(thousandths),
        unit_price: minor(price),
        modifiers: Vec::new(),
        notes: None,
        pricing: Pricing::OpenItem,
        tax,
        discount: None,
        category: None,
        station: None,
        stocked: false,
    }
}

fn order(lines: Vec<Line>) -> Order {
    let number = OrderNumber { register: Name::cut("A"), serial: 1 };
    let opened = Opened { number, client_id: None, header: Header::default(), lines, tax_rule: ADDED };
    open(OrderId::from_bytes([9; 16]), opened, &TILL, at(0)).unwrap().1
}

/// One line of 10.00, with 10 % tax 11.00.
fn eleven() -> Order {
    order(vec![line(1, 1_000, 1_000, ADDED)])
}

fn after_by(order: &Order, action: &Action, actor: &Actor, terms: &Terms) -> Result<Order, Rejection> {
    match decide(order, action, Expected::default(), actor, terms, at(u64::from(order.version)))? {
        Decision::Unchanged => Ok(order.clone()),
        Decision::Record(decided) => Ok(decided.1),
    }
}

fn after(order: &Order, action: &Action) -> Result<Order, Rejection> {
    after_by(order, action, &MANAGER, &TERMS)
}

fn wish(id: u8, amount: i64, tip: i64, means: Means) -> TenderWish {
    let (amount, tip) = (minor(amount), minor(tip));
    TenderWish { id: TenderId::from_bytes([id; 16]), field: "tenders[0]".to_owned(), amount, tip, means }
}

fn card() -> Means {
    let payment = CardPaymentId::from_bytes([6; 16]);
    Means::CardToken(CardOffered { payment, card: [6; 32], sealed: vec![1], last_four: None })
}

fn slip() -> Means {
    Means::Terminal { slip: Name::cut("42"), last_four: None }
}

fn pay(id: u8, amount: i64, tip: i64, means: Means) -> Action {
    Action::Tender(Box::new(wish(id, amount, tip, means)))
}

fn close(tenders: Vec<TenderWish>) -> Action {
    Action::Close { tenders }
}

fn refund(lines: Vec<RefundLine>, amount: Option<i64>) -> Action {
    Action::Refund(Box::new(RefundWish {
        id: TenderId::from_bytes([8; 16]),
        lines,
        amount: amount.map(minor),
        kind: TenderKind::Cash,
        tender: None,
        slip: None,
        restock: false,
        reason: reason(),
    }))
}

fn back(number: u8, thousandths: i64) -> RefundLine {
    RefundLine { line: LineId::from_bytes([number; 16]), quantity: Quantity::from_thousandths(thousandths) }
}

fn invalid_field(refused: Result<Order, Rejection>) -> String {
    match refused {
        Err(Rejection::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn l1_an_order_is_paid_in_parts_and_closed_with_the_rest() {
    let part = after(&eleven(), &pay(1, 400, 0, slip())).unwrap();
    assert_eq!((part.status, part.payment_status()), (Status::Pending, PaymentStatus::Partial));
    assert_eq!(part.due(), Some(minor(700)));
    let missing = after(&part, &close(vec![wish(2, 600, 0, Means::Cash)]));
    assert_eq!(missing, Err(Rejection::Underpaid { due: minor(100) }));
    let closed = after(&part, &close(vec![wish(2, 1_000, 0, Means::Cash)])).unwrap();
    assert_eq!((closed.payment_status(), closed.paid()), (PaymentStatus::Paid, Some(minor(1_100))));
    assert_eq!(closed.tenders[1].change, minor(300));

    let whole = after(&eleven(), &pay(1, 1_100, 0, slip())).unwrap();
    assert_eq!(whole.payment_status(), PaymentStatus::Paid);
    assert_eq!(after(&whole, &close(Vec::new())).unwrap().status, Status::Completed);
    let free = order(vec![line(1, 0, 1_000, ADDED)]);
    assert_eq!(after(&free, &close(Vec::new())).unwrap().payment_status(), PaymentStatus::Paid);
    assert_eq!(after(&eleven(), &close(Vec::new())), Err(Rejection::Underpaid { due: minor(1_100) }));
}

#[test]
fn l6_only_cash_may_be_more_than_is_due() {
    assert_eq!(invalid_field(after(&eleven(), &pay(1, 1_101, 0, slip()))), "tenders[0].amount");
    let closed = after(&eleven(), &close(vec![wish(1, 1_500, 100, Means::Cash)])).unwrap();
    let tender = &closed.tenders[0];
    assert_eq!((tender.amount, tender.tip, tender.change), (minor(1_100), minor(100), minor(300)));
    let charged = after(&eleven(), &close(vec![wish(1, 1_100, 165, card())])).unwrap();
    let tender = &charged.tenders[0];
    assert_eq!((tender.tendered, tender.state), (minor(1_265), TenderState::Queued));
    assert!(!tender.signature_required);
    let dear = order(vec![line(1, 2_500, 1_000, ADDED)]);
    assert!(after(&dear, &close(vec![wish(1, 2_750, 0, card())])).unwrap().tenders[0].signature_required);
}

#[test]
fn l6_cash_is_rounded_to_the_smallest_coin_where_it_pays_the_rest() {
    for (due, handed, rounding, change) in
        [(772, 770, -2, 0), (773, 775, 2, 0), (772, 1_000, -2, 230), (770, 770, 0, 0)]
    {
        let order = order(vec![line(1, due, 1_000, TaxRule::default())]);
        let closed = after_by(&order, &close(vec![wish(1, handed, 0, Means::Cash)]), &TILL, &FIVES).unwrap();
        let tender = &closed.tenders[0];
        assert_eq!((tender.amount, tender.rounding, tender.change), (minor(due), minor(rounding), minor(change)));
    }
    let order = order(vec![line(1, 772, 1_000, TaxRule::default())]);
    let odd = after_by(&order, &close(vec![wish(1, 772, 0, Means::Cash)]), &TILL, &FIVES);
    assert_eq!(invalid_field(odd), "tenders[0].amount");
    let part = after_by(&order, &pay(1, 400, 0, Means::Cash), &TILL, &FIVES).unwrap();
    assert_eq!((part.tenders[0].amount, part.tenders[0].rounding), (minor(400), Money::ZERO));
    assert!(after_by(&order, &close(vec![wish(1, 772, 0, slip())]), &TILL, &FIVES).is_ok(), "only cash is rounded");
}

#[test]
fn l11_staff_voids_what_the_kitchen_does_not_know_of_and_a_manager_the_rest() {
    let void = |reason| Action::Void { reason };
    assert_eq!(after_by(&eleven(), &void(None), &TILL, &TERMS).unwrap().status, Status::Voided);
    let sent = after(&eleven(), &Action::SendToKitchen).unwrap();
    let refused = after_by(&sent, &void(Some(reason())), &TILL, &TERMS);
    assert_eq!(refused, Err(Rejection::NotAllowed(Permission::VoidSent)));
    assert_eq!(invalid_field(after(&sent, &void(None))), "reason");
    assert_eq!(after(&sent, &void(Some(reason()))).unwrap().status, Status::Voided);

    let modify = |modification| Action::Modify(modification);
    let take_off = Modification { removed: vec![LineId::from_bytes([1; 16])], ..Modification::default() };
    let less =
        LineChange { id: LineId::from_bytes([1; 16]), quantity_delta: Quantity::from_thousandths(-500), notes: None };
    let reduce = Modification { changed: vec![less], ..Modification::default() };
    for change in [take_off, reduce] {
        assert!(after_by(&eleven(), &modify(change.clone()), &TILL, &TERMS).is_ok(), "{change:?}");
        let refused = after_by(&sent, &modify(change.clone()), &TILL, &TERMS);
        assert_eq!(refused, Err(Rejection::NotAllowed(Permission::VoidSent)));
        assert_eq!(invalid_field(after(&sent, &modify(change.clone()))), "reason");
        assert!(after(&sent, &modify(Modification { reason: Some(reason()), ..change })).is_ok());
    }
}

#[test]
fn l11_what_is_paid_for_is_voided_payment_first() {
    let paid = after(&eleven(), &pay(1, 400, 0, slip())).unwrap();
    let void = Action::Void { reason: None };
    assert!(matches!(after(&paid, &void), Err(Rejection::HasPayments { .. })));
    let empty = Modification { removed: vec![LineId::from_bytes([1; 16])], ..Modification::default() };
    assert!(matches!(after(&paid, &Action::Modify(empty)), Err(Rejection::HasPayments { .. })));
    let take_back = Action::VoidTender { tender: TenderId::from_bytes([1; 16]), reason: reason() };
    let refused = after_by(&paid, &take_back, &TILL, &TERMS);
    assert_eq!(refused, Err(Rejection::NotAllowed(Permission::Refund)));
    let unpaid = after(&paid, &take_back).unwrap();
    assert_eq!((unpaid.payment_status(), unpaid.due()), (PaymentStatus::Unpaid, Some(minor(1_100))));
    assert_eq!(after(&unpaid, &take_back).unwrap().version, unpaid.version, "it was taken back already");
    assert_eq!(after(&unpaid, &void).unwrap().status, Status::Voided);
}

#[test]
fn l11_money_is_given_back_by_a_manager_after_the_sale_and_never_more_than_was_paid() {
    let open = eleven();
    assert!(matches!(after(&open, &refund(Vec::new(), None)), Err(Rejection::InvalidTransition { .. })));
    let closed = after(&open, &close(vec![wish(1, 1_100, 0, Means::Cash)])).unwrap();
    let refused = after_by(&closed, &refund(Vec::new(), None), &TILL, &TERMS);
    assert_eq!(refused, Err(Rejection::NotAllowed(Permission::Refund)));
    assert_eq!(invalid_field(after(&closed, &refund(Vec::new(), Some(1_101)))), "amount");
    let half = after(&closed, &refund(vec![back(1, 500)], None)).unwrap();
    assert_eq!((half.refunds[0].amount, half.refunds[0].tax), (minor(550), minor(50)));
    assert_eq!(half.payment_status(), PaymentStatus::Paid);
    assert_eq!(invalid_field(after(&half, &refund(vec![back(1, 501)], None))), "items[0]");
    let all = after(&half, &refund(Vec::new(), None)).unwrap();
    assert_eq!((all.payment_status(), all.refunded()), (PaymentStatus::Refunded, Some(minor(1_100))));
    assert_eq!(all.refunds[1].lines, [back(1, 500)]);
    assert_eq!(invalid_field(after(&all, &refund(Vec::new(), None))), "amount");
    let voided = after(&open, &Action::Void { reason: None }).unwrap();
    assert!(matches!(after(&voided, &refund(Vec::new(), None)), Err(Rejection::InvalidTransition { .. })));
}

#[test]
fn l6_a_payment_that_is_declined_after_the_sale_leaves_the_order_closed_and_is_replaced() {
    let closed = after(&eleven(), &close(vec![wish(1, 1_100, 0, card())])).unwrap();
    let id = TenderId::from_bytes([1; 16]);
    let (_, declined) = settle_tender(&closed, id, TenderState::Declined, TILL.device, at(9)).unwrap();
    assert_eq!((declined.status, declined.payment_status()), (Status::Completed, PaymentStatus::Unpaid));
    let outstanding = journal(&declined).into_iter().find(|line| line.account == JournalAccount::Outstanding).unwrap();
    assert_eq!(outstanding.amount, minor(1_100));
    let part = replace_tender(&declined, id, &wish(2, 1_000, 0, slip()), &MANAGER, &TERMS, at(10));
    assert_eq!(part, Err(Rejection::Underpaid { due: minor(100) }));
    let (_, paid) = replace_tender(&declined, id, &wish(2, 1_100, 0, slip()), &MANAGER, &TERMS, at(10)).unwrap();
    assert_eq!(paid.payment_status(), PaymentStatus::Paid);
    assert!(journal(&paid).iter().all(|line| line.account != JournalAccount::Outstanding));
}

#[test]
fn l6_of_two_payments_that_were_declined_each_is_replaced_by_itself() {
    let both = close(vec![wish(1, 700, 0, card()), wish(2, 400, 0, card())]);
    let mut order = after(&eleven(), &both).unwrap();
    let ids = [TenderId::from_bytes([1; 16]), TenderId::from_bytes([2; 16])];
    for id in ids {
        order = settle_tender(&order, id, TenderState::Declined, TILL.device, at(9)).unwrap().1;
    }
    let (_, half) = replace_tender(&order, ids[1], &wish(3, 1_000, 0, Means::Cash), &MANAGER, &TERMS, at(10)).unwrap();
    assert_eq!((half.tenders[2].amount, half.tenders[2].change), (minor(400), minor(600)));
    let (_, paid) = replace_tender(&half, ids[0], &wish(4, 700, 0, slip()), &MANAGER, &TERMS, at(11)).unwrap();
    assert_eq!(paid.payment_status(), PaymentStatus::Paid);
    let again = replace_tender(&paid, ids[0], &wish(5, 700, 0, slip()), &MANAGER, &TERMS, at(12));
    assert_eq!(
        again.unwrap_err(),
        Rejection::invalid("tenders[0].amount".into(), "the order is paid without it".into())
    );
}

fn any_order() -> impl Strategy<Value = Order> {
    let rule = (0u32..300_000, any::<bool>()).prop_map(|(rate_ppm, included)| TaxRule { rate_ppm, included });
    let rules = proptest::collection::vec(rule, 1..3);
    let lines = proptest::collection::vec((0i64..5_000, 1i64..4_000, 0usize..2), 1..5);
    (rules, lines).prop_map(|(rules, lines)| {
        let line = |(index, (price, quantity, rule)): (usize, (i64, i64, usize))| {
            line(u8::try_from(index).unwrap() + 1, price, quantity, rules[rule % rules.len()])
        };
        order(lines.into_iter().enumerate().map(line).collect())
    })
}

fn any_tender() -> impl Strategy<Value = (i64, i64, Means)> {
    let means = prop_oneof![Just(Means::Cash), Just(card()), Just(slip())];
    (1i64..8_000, prop_oneof![Just(0i64), 1i64..500], means)
}

proptest! {
    /// L6, L11, L12: however an order is paid, in whatever coins, and however it is given back: what comes in is what
    /// is owed, change and rounding are exact, parts of a refund add up to the total and its tax, and the journal
    /// balances at every step.
    #[test]
    fn l6_l11_money_is_exact_for_any_order(
        order in any_order(),
        tenders in proptest::collection::vec(any_tender(), 0..6),
        coin in prop_oneof![Just(1i64), Just(5), Just(10), Just(100)],
        refunds in proptest::collection::vec((0u8..6, 1i64..4_000, proptest::option::of(1i64..4_000)), 0..6),
    ) {
        let terms = Terms { cash_rounding: minor(coin), ..TERMS };
        let mut order = order;
        for (index, (amount, tip, means)) in tenders.into_iter().enumerate() {
            let id = u8::try_from(index).unwrap() + 10;
            if let Ok(next) = after_by(&order, &pay(id, amount, tip, means), &TILL, &terms) {
                prop_assert!(next.paid() <= Some(order.totals.total));
                order = next;
            }
        }
        let due = order.due().unwrap();
        let rest = if due == Money::ZERO { Vec::new() } else { vec![wish(99, due.minor(), 0, slip())] };
        let mut order = after_by(&order, &close(rest), &TILL, &terms).unwrap();
        prop_assert_eq!(order.payment_status(), PaymentStatus::Paid);
        prop_assert_eq!(order.paid(), Some(order.totals.total));
        for tender in &order.tenders {
            let sum = tender.amount.minor() + tender.rounding.minor() + tender.tip.minor() + tender.change.minor();
            prop_assert_eq!(tender.tendered.minor(), sum);
            prop_assert!(tender.change >= Money::ZERO && tender.rounding.minor().abs() * 2 <= coin);
            if tender.kind == TenderKind::Cash {
                prop_assert!(tender.change.is_multiple_of(terms.cash_rounding));
            } else {
                prop_assert_eq!((tender.rounding, tender.change), (Money::ZERO, Money::ZERO));
            }
        }
        let balance = |order: &Order| journal(order).iter().map(|line| line.amount.minor()).sum::<i64>();
        prop_assert_eq!(balance(&order), 0);
        let (total, tax) = (order.totals.total, order.totals.tax);
        for (number, quantity, amount) in refunds {
            let lines = if number == 0 { Vec::new() } else { vec![back(number, quantity)] };
            let Ok(next) = after_by(&order, &refund(lines, amount), &MANAGER, &terms) else { continue };
            order = next;
            let last = order.refunds.last().unwrap();
            prop_assert!(last.amount > Money::ZERO && last.tax >= Money::ZERO && last.tax <= last.amount);
            prop_assert!(order.refunded() <= Some(total));
            prop_assert_eq!(balance(&order), 0);
        }
        if let Ok(next) = after_by(&order, &refund(Vec::new(), None), &MANAGER, &terms) {
            order = next;
        }
        prop_assert_eq!(order.refunded(), Some(total));
        prop_assert_eq!(order.refunds.iter().map(|refund| refund.tax.minor()).sum::<i64>(), tax.minor());
        prop_assert_eq!(balance(&order), 0);
        let status = if total == Money::ZERO { PaymentStatus::Paid } else { PaymentStatus::Refunded };
        prop_assert_eq!(order.payment_status(), status);
    }

    /// L11: lines brought back one by one, without amounts, give back exactly what they were sold for.
    #[test]
    fn l11_lines_brought_back_in_any_parts_give_back_the_total(order in any_order(), cuts in proptest::collection::vec(1i64..1_000, 4)) {
        let total = order.totals.total;
        let rest = if total == Money::ZERO { Vec::new() } else { vec![wish(99, total.minor(), 0, slip())] };
        let mut order = after(&order, &close(rest)).unwrap();
        let lines: Vec<_> = order.lines.iter().map(|line| (line.line.id, line.line.quantity.thousandths())).collect();
        for ((line, quantity), cut) in lines.iter().zip(cuts) {
            let first = cut.min(*quantity);
            for part in [first, quantity - first] {
                let lines = vec![RefundLine { line: *line, quantity: Quantity::from_thousandths(part) }];
                if let Ok(next) = after(&order, &refund(lines, None)) {
                    order = next;
                }
            }
        }
        let skipped = order.totals.total.minor() - order.refunded().unwrap().minor();
        // A part that is worth nothing is refused, and stays with the guest.
        prop_assert!((0..=i64::try_from(order.lines.len()).unwrap() * 2).contains(&skipped), "{} left", skipped);
    }
}
