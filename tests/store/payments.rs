//! Card payments on their way to the processor, as whatever takes them there moves them on (L6), and limits that hold
//! within one batch.

use storebox_core::command::{Command, Outcome, Rejection, Request};
use storebox_core::entry::Entry;
use storebox_core::id::{CardPaymentId, TenderId};
use storebox_core::money::Money;
use storebox_core::order::{Action, Means, Order, PaymentStatus, Status, TenderState, TenderWish};
use storebox_core::payment::{self, CardOffered, CardPayment, CardStatus, Fallback, Step};
use storebox_core::text::Note;

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::wish::{NOON, actor, change, device, of_the_box, open, order_id, request, till};

fn payment_id(n: u32) -> CardPaymentId {
    CardPaymentId::new(NOON.plus_millis(n.into()), [0x0c; 10])
}

/// Closes the `n`-th order, of 19.51, with a card.
fn close_with_card(n: u32, card: u8, amount: i64) -> Request {
    let offered = CardOffered { payment: payment_id(n), card: [card; 32], sealed: vec![card], last_four: None };
    let tender = tender(n, amount, Means::CardToken(offered));
    change(n, &format!("close-{n}"), None, Action::Close { tenders: vec![tender] })
}

fn tender(n: u32, amount: i64, means: Means) -> TenderWish {
    let id = TenderId::new(NOON.plus_millis(n.into()), [means.kind() as u8; 10]);
    TenderWish { id, field: "tenders[0]".to_owned(), amount: Money::from_minor(amount), tip: Money::ZERO, means }
}

/// The total of an order of so many lines: 1.5 soups at 6.50, and 10 % tax.
const fn total(lines: i64) -> i64 {
    (lines * 975 * 11 + 5) / 10
}

fn follow(desk: &Desk, n: u32, step: Step) -> Result<CardPayment, Rejection> {
    let command = payment::Command::Follow { payment: payment_id(n), step };
    match desk.ask(&of_the_box(Command::Payment(command))).unwrap().result? {
        Outcome::Changed(entry) => match *entry {
            Entry::CardPayment(payment) => Ok(payment),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn order(desk: &Desk, n: u32) -> Order {
    match desk.find(order_id(n)) {
        storeboxd::store::Found::Order(order) => *order,
        other => panic!("{other:?}"),
    }
}

fn queued(desk: &Desk) -> i64 {
    desk.store.read_blocking(|view| view.queued_total()).unwrap().minor()
}

fn open_payments(desk: &Desk) -> Vec<CardPayment> {
    desk.store.read_blocking(|view| view.open_payments(100, |_| true)).unwrap()
}

#[test]
fn l6_a_queued_payment_is_completed_after_it_failed_once() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.order(&open(1, 2));
    let closed = desk.order(&close_with_card(1, 7, total(2)));
    assert_eq!((closed.status, closed.payment_status()), (Status::Completed, PaymentStatus::Paid));
    assert_eq!(closed.tenders[0].state, TenderState::Queued);
    assert_eq!(queued(&desk), total(2));
    assert!(matches!(follow(&desk, 1, Step::Complete { response: None }), Err(Rejection::EntryState { .. })));
    assert_eq!(follow(&desk, 1, Step::Begin).unwrap().attempts, 1);
    let response = Note::new("time-out".to_owned()).ok();
    assert_eq!(follow(&desk, 1, Step::Fail { response }).unwrap().status, CardStatus::Failed);
    assert_eq!(queued(&desk), total(2), "what failed is asked again, so it is still risked");
    assert_eq!(follow(&desk, 1, Step::Begin).unwrap().attempts, 2);
    let completed = follow(&desk, 1, Step::Complete { response: None }).unwrap();
    assert!(completed.processed_at.is_some());
    assert_eq!((queued(&desk), open_payments(&desk).len()), (0, 0));
    assert_eq!(order(&desk, 1).tenders[0].state, TenderState::Captured);
    desk.close().unwrap();
}

#[test]
fn l6_a_declined_payment_leaves_the_order_closed_and_waits_for_a_manager() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    for n in 1..=2 {
        desk.order(&open(n, 2));
        desk.order(&close_with_card(n, 7, total(2)));
        follow(&desk, n, Step::Begin).unwrap();
        let response = Note::new("insufficient funds".to_owned()).ok();
        assert!(follow(&desk, n, Step::Decline { response }).unwrap().fallback_required);
        let declined = order(&desk, n);
        assert_eq!((declined.status, declined.tenders[0].state), (Status::Completed, TenderState::Declined));
        assert_eq!(declined.payment_status(), PaymentStatus::Unpaid);
    }
    assert_eq!((queued(&desk), open_payments(&desk).len()), (0, 2));

    let fall_back = |n: u32, who, fallback| {
        let reason = Note::new("guest was called".to_owned()).unwrap();
        let command = payment::Command::Fallback { payment: payment_id(n), fallback, reason };
        desk.ask(&request(who, &format!("fall-back-{n}"), 1, Command::Payment(command))).unwrap()
    };
    let nobody = actor(&device(2, storebox_core::device::DeviceKind::Pos));
    assert!(matches!(fall_back(1, nobody, Fallback::WriteOff).result, Err(Rejection::NotAllowed(_))));
    let written_off = fall_back(1, till(), Fallback::WriteOff);
    assert!(matches!(written_off.result, Ok(Outcome::Changed(_))), "{written_off:?}");
    assert!(fall_back(1, till(), Fallback::WriteOff).replayed);
    let part = Fallback::OtherTender(Box::new(tender(2, 100, Means::Cash)));
    assert!(matches!(fall_back(2, till(), part).result, Err(Rejection::Underpaid { .. })));
    let cash = Fallback::OtherTender(Box::new(tender(2, total(2), Means::Cash)));
    assert!(matches!(fall_back(2, till(), cash).result, Ok(Outcome::Changed(_))));
    assert_eq!(order(&desk, 1).payment_status(), PaymentStatus::Unpaid, "the store bears the loss");
    assert_eq!(order(&desk, 2).payment_status(), PaymentStatus::Paid);
    assert_eq!(open_payments(&desk).len(), 0);
    desk.close().unwrap();
}

/// L6: commands of one batch see each other, so tills that are answered by one commit cannot pass a limit together.
#[test]
fn l6_two_tills_in_one_batch_cannot_pass_a_limit_together() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    // 96.53 each: two on one card are within 200.00, three are not.
    for n in 1..=4 {
        desk.order(&open(n, 9));
    }
    let first = close_with_card(1, 7, total(9));
    let others: Vec<_> = (2..=4).map(|n| close_with_card(n, 7, total(9))).collect();
    let answers = desk.ask_together(&disk, &first, &others);
    let taken = answers.iter().filter(|answer| answer.as_ref().unwrap().result.is_ok()).count();
    assert_eq!(taken, 2, "{answers:?}");
    assert_eq!((queued(&desk), open_payments(&desk).len()), (2 * total(9), 2));
    for (n, answer) in (1..=4).zip(answers) {
        match answer.unwrap().result {
            Ok(_) => assert_eq!(order(&desk, n).status, Status::Completed),
            Err(Rejection::Invalid { message, .. }) => {
                assert!(message.contains("daily_card_limit"), "{message}");
                assert_eq!(order(&desk, n).version, 1, "a refusal leaves nothing behind");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    desk.close().unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert_eq!(queued(&desk), 2 * total(9), "what is risked outlives a restart");
    desk.close().unwrap();
}
