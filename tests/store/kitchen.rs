//! Queues of the kitchen in the store (L5).

use std::collections::BTreeMap;

use storebox_core::command::{Command, Outcome, Request};
use storebox_core::device::DeviceKind;
use storebox_core::entry::Entry;
use storebox_core::id::{OrderId, TicketId};
use storebox_core::kitchen::{Action, Command as Kitchen, OPEN_ITEM_STATION, State, Ticket};
use storebox_core::limits::OPEN_TICKETS;
use storebox_core::order;

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::wish::{actor, change, device, open, order_id};

/// Orders that are sent and never marked: some more than the queues hold.
const ORDERS: u32 = OPEN_TICKETS as u32 + 10;

fn sent(desk: &Desk) {
    let orders: Vec<u32> = (1..=ORDERS).collect();
    for chunk in orders.chunks(256) {
        let mut requests: Vec<Request> = chunk.iter().map(|n| open(*n, 1)).collect();
        requests.extend(chunk.iter().map(|n| change(*n, &format!("send-{n}"), None, order::Action::SendToKitchen)));
        desk.wait(desk.send(&requests)).into_iter().for_each(|answer| assert!(answer.unwrap().result.is_ok()));
    }
}

fn queue(desk: &Desk, limit: usize) -> Vec<Ticket> {
    let station = Some(OPEN_ITEM_STATION);
    desk.store.read_blocking(|view| view.tickets(None, station, limit)).unwrap().unwrap().tickets
}

fn moved(desk: &Desk, ticket: TicketId, action: Action) -> Ticket {
    let command = Command::Kitchen(Kitchen::Move { ticket, action, generation: None });
    let actor = actor(&device(1, DeviceKind::Kds));
    let request = Request { actor: Some(actor), key: None, received: None, command };
    match desk.ask(&request).unwrap().result {
        Ok(Outcome::Changed(entry)) => match *entry {
            Entry::Ticket(ticket) => ticket,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// L5: a shop whose kitchen never marks anything keeps a queue of its newest tickets, in the order they were sent even
/// though the wall clock stands still; a ticket that left it can still be moved.
#[test]
fn l5_a_queue_is_bounded_and_in_order() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    sent(&desk);
    let listed: Vec<OrderId> = queue(&desk, usize::MAX).iter().map(|ticket| ticket.order).collect();
    let newest: Vec<OrderId> = (11..=ORDERS).map(order_id).collect();
    assert_eq!(listed, newest);

    let first = queue(&desk, 1).remove(0);
    assert_eq!(moved(&desk, first.id, Action::Serve).state, State::Served);
    assert_eq!(queue(&desk, 1)[0].order, order_id(12));
    assert_eq!(moved(&desk, first.id, Action::Recall).state, State::InProgress);
    assert_eq!(queue(&desk, 1)[0].id, first.id, "a recalled ticket is in its old place");
    desk.close().unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert_eq!(queue(&desk, 1)[0].id, first.id);
    desk.close().unwrap();
}

/// L5: whatever displays ask for at once, each ticket has one history.
#[test]
fn l5_moves_that_share_a_commit_see_each_other() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.order(&open(1, 1));
    desk.order(&change(1, "send", None, order::Action::SendToKitchen));
    let ticket = queue(&desk, 1).remove(0).id;
    let actor = actor(&device(1, DeviceKind::Kds));
    let ask = |action| Request {
        actor: Some(actor),
        key: None,
        received: None,
        command: Command::Kitchen(Kitchen::Move { ticket, action, generation: None }),
    };
    let moves = [Action::MarkReady, Action::Start, Action::MarkReady, Action::Serve, Action::Recall, Action::Recall];
    let answers = desk.ask_together(&disk, &open(2, 1), &moves.map(ask));
    let mut versions: BTreeMap<u32, State> = BTreeMap::new();
    for answer in answers.into_iter().skip(1) {
        let Ok(Outcome::Changed(entry)) = answer.unwrap().result else { panic!("a move was refused") };
        let Entry::Ticket(ticket) = *entry else { panic!("{entry:?}") };
        assert!(versions.insert(ticket.version, ticket.state).is_none_or(|state| state == ticket.state));
    }
    assert_eq!(versions, BTreeMap::from([(2, State::Ready), (3, State::Served), (4, State::InProgress)]));
    desk.close().unwrap();
}
