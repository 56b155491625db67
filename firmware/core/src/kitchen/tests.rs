use proptest::prelude::*;

use super::*;
use crate::command::Actor;
use crate::device::DeviceKind;
use crate::id::{DeviceId, EmployeeId};
use crate::money::{Money, TaxRule};
use crate::order::{
    self, Decision as OrderDecision, Expected, Header, Line, LineChange, Modification, Modifier, Opened, Order,
    Pricing, Status, Terms,
};
use crate::people::{Role, Staff};
use crate::time::Hlc;

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn second(number: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + number * 1_000)
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::from_bytes([1; 16]),
        version: 1,
        order: OrderId::from_bytes([2; 16]),
        number: OrderNumber { register: name("A"), serial: 7 },
        station: name("grill"),
        table: None,
        order_type: OrderType::Counter,
        notes: None,
        waiter: name("Anna's handheld"),
        generation: 1,
        state: State::Queued,
        sent_at: second(0),
        updated_at: second(0),
        started_at: None,
        ready_at: None,
        served_at: None,
        lines: Vec::new(),
        orange_after_s: 600,
        red_after_s: 900,
    }
}

fn moved(ticket: &Ticket, action: Action, at: Timestamp) -> Ticket {
    match decide(ticket, action, None, at) {
        Ok(Decision::Become(ticket)) => *ticket,
        other => panic!("{action:?} led to {other:?}"),
    }
}

#[test]
fn l5_a_ticket_goes_from_the_queue_to_the_guest() {
    let started = moved(&ticket(), Action::Start, second(10));
    assert_eq!((started.state, started.started_at, started.version), (State::InProgress, Some(second(10)), 2));
    let ready = moved(&started, Action::MarkReady, second(20));
    assert_eq!((ready.state, ready.ready_at), (State::Ready, Some(second(20))));
    let served = moved(&ready, Action::Serve, second(30));
    assert_eq!((served.state, served.ready_at, served.served_at), (State::Served, Some(second(20)), Some(second(30))));
}

#[test]
fn l5_what_lies_behind_changes_nothing() {
    let served = moved(&ticket(), Action::Serve, second(5));
    assert_eq!(served.ready_at, Some(second(5)), "a bump says that it was ready too");
    for action in [Action::Start, Action::MarkReady, Action::Serve] {
        assert_eq!(decide(&served, action, None, second(9)), Ok(Decision::Unchanged), "{action:?}");
    }
    let queued = ticket();
    assert_eq!(decide(&queued, Action::Recall, None, second(9)), Ok(Decision::Unchanged), "it was never away");
}

#[test]
fn l5_a_recall_is_another_generation_and_old_words_do_not_reach_it() {
    let ready = moved(&ticket(), Action::MarkReady, second(5));
    let recalled = moved(&ready, Action::Recall, second(6));
    assert_eq!((recalled.generation, recalled.state), (2, State::InProgress));
    assert_eq!((recalled.ready_at, recalled.served_at), (None, None));
    assert_eq!(decide(&recalled, Action::MarkReady, Some(1), second(7)), Ok(Decision::Unchanged));
    assert!(matches!(decide(&recalled, Action::MarkReady, Some(2), second(7)), Ok(Decision::Become(_))));
}

#[test]
fn l5_a_voided_ticket_is_refused_as_it_is() {
    let voided = ticket().voided(second(1));
    for action in Action::ALL {
        match decide(&voided, action, None, second(2)) {
            Err(Rejection::EntryState { current, .. }) => assert_eq!(*current, voided.clone().into_entry()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn l5_changes_of_one_ticket_are_bounded() {
    let mut ticket = ticket();
    ticket.version = VERSIONS_PER_TICKET;
    assert!(matches!(decide(&ticket, Action::Start, None, second(1)), Err(Rejection::TooMany { .. })));
    assert_eq!(decide(&ticket, Action::Recall, None, second(1)), Ok(Decision::Unchanged));
}

#[test]
fn l5_a_ticket_is_green_then_orange_then_red_until_it_is_ready() {
    let ticket = ticket();
    let at = [(0, Sla::Green), (599, Sla::Green), (600, Sla::Orange), (899, Sla::Orange), (900, Sla::Red)];
    for (age_s, sla) in at {
        assert_eq!(ticket.sla(second(age_s)), sla, "after {age_s} s");
    }
    let ready = moved(&ticket, Action::MarkReady, second(700));
    assert_eq!(ready.sla(second(10_000)), Sla::Orange, "the clock stopped when it was ready");
}

#[test]
fn l5_times_are_counted_once_whatever_is_recalled() {
    let mut times = KitchenTimes::default();
    let mut count = |before: &Ticket, after: &Ticket| times.count(before, after, 12);
    let queued = ticket();
    let started = moved(&queued, Action::Start, second(10));
    assert!(!count(&queued, &started));
    let ready = moved(&started, Action::MarkReady, second(125));
    assert!(count(&started, &ready));
    let recalled = moved(&ready, Action::Recall, second(130));
    assert!(count(&ready, &recalled));
    let again = moved(&recalled, Action::Serve, second(200));
    assert!(!count(&recalled, &again));
    let bumped = moved(&queued, Action::Serve, second(15));
    assert!(count(&queued, &bumped));

    assert_eq!((times.preparation.count, times.preparation.max_ms), (2, 125_000));
    assert_eq!(times.preparation.mean_s(), Some(70.0));
    assert_eq!((times.preparation.percentile_s(50), times.preparation.percentile_s(90)), (Some(10), Some(120)));
    assert_eq!((times.serving.count, times.serving.mean_s()), (1, Some(0.0)));
    assert_eq!((times.recalls, times.hours[&12].tickets), (1, 2));
    assert_eq!(Spread::default().percentile_s(50), None);
}

// Orders.

fn actor() -> Actor {
    let staff = Staff { employee: EmployeeId::from_bytes([4; 16]), role: Role::Manager };
    Actor { device: DeviceId::from_bytes([3; 16]), kind: DeviceKind::Pos, staff: Some(staff) }
}

fn clock(number: u64) -> Hlc {
    Hlc { wall: second(number), counter: 0 }
}

fn line(id: u8, pieces: u64, station: Option<&str>, pricing: Pricing) -> Line {
    Line {
        id: LineId::from_bytes([id; 16]),
        item_id: name("item"),
        name: name("Item"),
        quantity: Quantity::pieces(pieces).unwrap(),
        unit_price: Money::from_minor(100),
        modifiers: vec![Modifier { id: None, name: name("rare"), price: Money::ZERO }],
        notes: None,
        pricing,
        tax: TaxRule::default(),
        discount: None,
        category: None,
        station: station.map(name),
        stocked: false,
    }
}

fn order_of(lines: Vec<Line>) -> Order {
    let opened = Opened {
        number: OrderNumber { register: name("A"), serial: 7 },
        client_id: None,
        header: Header::default(),
        lines,
        tax_rule: TaxRule::default(),
    };
    order::open(OrderId::from_bytes([2; 16]), opened, &actor(), clock(0)).unwrap().1
}

fn changed(order: &Order, action: &order::Action) -> Order {
    let mut action = action.clone();
    if let order::Action::Modify(modification) = &mut action {
        modification.reason = Note::new("sent by mistake".to_owned()).ok();
    }
    let terms = Terms { cash_rounding: Money::from_minor(1), signature_above: None };
    match order::decide(
        order,
        &action,
        Expected { version: Some(order.version), updated_at: None },
        &actor(),
        &terms,
        clock(1),
    ) {
        Ok(OrderDecision::Record(decided)) => decided.1,
        other => panic!("{other:?}"),
    }
}

fn by(order: &Order, id: u8, pieces: i64) -> Order {
    let change = LineChange {
        id: LineId::from_bytes([id; 16]),
        quantity_delta: Quantity::from_thousandths(pieces * 1_000),
        notes: None,
    };
    changed(order, &order::Action::Modify(Modification { changed: vec![change], ..Modification::default() }))
}

/// The tickets of a send, with ids in the order they were made.
fn tickets(first: u8, before: &Order, after: &Order) -> Vec<Ticket> {
    let made = fire(before, after).into_iter().enumerate();
    made.map(|(index, (station, lines))| Ticket {
        id: TicketId::from_bytes([first + u8::try_from(index).unwrap(); 16]),
        station,
        lines,
        ..ticket()
    })
    .collect()
}

#[test]
fn l5_what_is_new_goes_to_its_station() {
    let order = order_of(vec![
        line(1, 2, Some("grill"), Pricing::Catalogue),
        line(2, 1, Some("bar"), Pricing::Catalogue),
        line(3, 1, Some("grill"), Pricing::Catalogue),
        line(4, 1, None, Pricing::Catalogue),
        line(5, 1, None, Pricing::OpenItem),
    ]);
    let sent = changed(&order, &order::Action::SendToKitchen);
    let fired = fire(&order, &sent);
    let stations: Vec<&str> = fired.iter().map(|(station, _)| station.as_str()).collect();
    assert_eq!(stations, ["grill", "bar", OPEN_ITEM_STATION], "a bottle of water nobody has to make");
    assert_eq!(fired[0].1.len(), 2);
    assert_eq!(fired[0].1[0].modifiers, [name("rare")]);
    let more = by(&sent, 1, 3);
    let again = changed(&more, &order::Action::SendToKitchen);
    let fired = fire(&more, &again);
    assert_eq!(fired.len(), 1);
    assert_eq!(fired[0].1[0].quantity, Quantity::pieces(3).unwrap(), "only what is new");
}

#[test]
fn l5_what_is_taken_off_shows_on_the_last_ticket_first() {
    let order = order_of(vec![line(1, 2, Some("grill"), Pricing::Catalogue)]);
    let sent = changed(&order, &order::Action::SendToKitchen);
    let mut all = tickets(1, &order, &sent);
    let more = by(&sent, 1, 1);
    let again = changed(&more, &order::Action::SendToKitchen);
    all.extend(tickets(5, &more, &again));
    let fewer = by(&again, 1, -2);
    let followed = follow(&again, &fewer, &all, second(9));
    assert_eq!(followed.len(), 2);
    assert_eq!((followed[0].id, followed[0].state), (all[1].id, State::Voided), "nothing is left of the last one");
    assert_eq!((followed[1].id, followed[1].state), (all[0].id, State::Queued));
    assert_eq!(followed[1].lines[0].wanted(), Quantity::pieces(1).unwrap());
    assert_eq!(follow(&again, &again, &all, second(9)), [], "no change, no version");
}

#[test]
fn l5_what_was_served_is_not_taken_back() {
    let order = order_of(vec![line(1, 2, Some("grill"), Pricing::Catalogue)]);
    let sent = changed(&order, &order::Action::SendToKitchen);
    let served = vec![moved(&tickets(1, &order, &sent)[0], Action::Serve, second(3))];
    let voided = changed(&sent, &order::Action::Void { reason: Note::new("guest left".to_owned()).ok() });
    assert_eq!(follow(&sent, &voided, &served, second(9)), []);
    assert_eq!(follow(&sent, &by(&sent, 1, -2), &served, second(9)), []);
    let open = tickets(1, &order, &sent);
    assert_eq!(follow(&sent, &voided, &open, second(9))[0].state, State::Voided);
}

#[test]
fn l5_an_order_follows_its_tickets_and_never_goes_back() {
    let order =
        order_of(vec![line(1, 1, Some("grill"), Pricing::Catalogue), line(2, 1, Some("bar"), Pricing::Catalogue)]);
    let mut sent = changed(&order, &order::Action::SendToKitchen);
    let mut all = tickets(1, &order, &sent);
    assert_eq!(progress(&sent, &all), None);
    all[0] = moved(&all[0], Action::Serve, second(1));
    assert_eq!(progress(&sent, &all), Some(Status::Preparing));
    all[1] = moved(&all[1], Action::MarkReady, second(2));
    assert_eq!(progress(&sent, &all), Some(Status::Ready));
    sent.status = Status::Ready;
    all[1] = moved(&all[1], Action::Recall, second(3));
    assert_eq!(progress(&sent, &all), None, "a recall does not put the order back");
    sent.status = Status::Completed;
    assert_eq!(progress(&sent, &all), None, "it is over");
}

fn any_action() -> impl Strategy<Value = (Action, Option<u32>)> {
    (proptest::sample::select(&Action::ALL[..]), proptest::option::of(1u32..4))
}

proptest! {
    /// L5: whatever displays send, in whatever order and how often, a ticket never goes back.
    #[test]
    fn no_sequence_makes_a_ticket_go_back(actions in proptest::collection::vec((any_action(), 0u64..100), 1..60)) {
        let mut ticket = ticket();
        for ((action, generation), at) in actions {
            // Times go anywhere: a wall clock may be put back.
            let before = ticket.clone();
            match decide(&ticket, action, generation, second(at)) {
                Ok(Decision::Become(next)) => {
                    prop_assert_eq!(next.version, before.version + 1);
                    prop_assert!(next.progress() > before.progress(), "{:?} {:?}", before, next);
                    prop_assert!(next.updated_at >= before.updated_at);
                    prop_assert!(next.state != State::Voided);
                    prop_assert!(next.ready_at.is_some() == (next.state >= State::Ready));
                    prop_assert!(next.served_at.is_some() == (next.state == State::Served));
                    ticket = *next;
                }
                Ok(Decision::Unchanged) => prop_assert_eq!(&ticket, &before),
                Err(rejection) => prop_assert!(false, "{:?}", rejection),
            }
            // The same word once more changes nothing, but for a recall, which is then not needed.
            prop_assert_eq!(decide(&ticket, action, generation, second(at)), Ok(Decision::Unchanged));
        }
    }

    /// L5: a ticket that waits only gets later.
    #[test]
    fn lateness_only_grows(orange_after_s in 0u32..2_000, more_s in 0u32..2_000, ages in proptest::collection::vec(0u64..5_000, 2..40)) {
        let ticket = Ticket { orange_after_s, red_after_s: orange_after_s + more_s, ..ticket() };
        let mut ages = ages;
        ages.sort_unstable();
        let mut last = Sla::Green;
        for age_s in ages {
            let now = ticket.sla(second(age_s));
            prop_assert!(now >= last);
            last = now;
        }
    }

    /// L5: what is fired and what is cancelled always sum up to what the order still wants of it.
    #[test]
    fn tickets_hold_what_the_order_holds(deltas in proptest::collection::vec((1u8..3, -3i64..4, any::<bool>()), 1..30)) {
        let mut order = order_of(vec![
            line(1, 1, Some("grill"), Pricing::Catalogue),
            line(2, 2, Some("bar"), Pricing::Catalogue),
        ]);
        let mut all: Vec<Ticket> = Vec::new();
        for (id, delta, send) in deltas {
            let Some(current) = order.line(LineId::from_bytes([id; 16])) else { continue };
            if delta != 0 && current.line.quantity.thousandths() + delta * 1_000 >= 0 {
                let after = by(&order, id, delta);
                for next in follow(&order, &after, &all, second(1)) {
                    let place = all.iter().position(|ticket| ticket.id == next.id).unwrap();
                    all[place] = next;
                }
                order = after;
            }
            if send && order.has_unsent() {
                let after = changed(&order, &order::Action::SendToKitchen);
                all.extend(tickets(10 + u8::try_from(all.len()).unwrap(), &order, &after));
                order = after;
            }
            for id in [1u8, 2] {
                let id = LineId::from_bytes([id; 16]);
                let made = all.iter().flat_map(|ticket| &ticket.lines).filter(|line| line.line == id);
                let wanted: i64 = made.map(|line| line.wanted().thousandths()).sum();
                let sent = order.line(id).map_or(0, |line| line.sent.thousandths());
                prop_assert_eq!(wanted, sent);
            }
        }
    }
}
