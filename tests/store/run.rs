//! A script carried out on a disk, and the judgement of what was found on the disk afterwards.

use std::collections::{BTreeMap, BTreeSet};

use storebox_core::command::{Command, OrderRef, Outcome, Rejection, Request};
use storebox_core::event::{Event, EventData};
use storebox_core::id::OrderId;
use storebox_core::order::{Order, Status};
use storebox_core::time::Timestamp;
use storeboxd::store::{Answer, Found, StoreError};

use crate::audit::{audit, hold};
use crate::desk::{Desk, order_of};
use crate::disk::FaultyDisk;
use crate::script::{Step, requests};
use crate::tables::{self, Tables};
use crate::wish::open;

/// What terminals know after a script was carried out, or after it was cut short.
#[derive(Default)]
pub(crate) struct Run {
    /// By request: its answer, if it was answered.
    pub(crate) answers: Vec<Option<Answer>>,
    /// Every event a reader could have seen.
    published: BTreeMap<u64, Event>,
    /// How the store ended, if it could be opened.
    pub(crate) end: Option<Result<(), StoreError>>,
}

/// Carries a script out for as long as the store answers.
pub(crate) fn carry_out(disk: &FaultyDisk, script: &[Step]) -> Run {
    let mut run = Run::default();
    let Ok(desk) = Desk::open(disk) else { return run };
    for step in script {
        let answers = match step {
            Step::Clock(time) => {
                desk.clock.set(*time);
                continue;
            }
            Step::One(request) => vec![desk.ask(request)],
            Step::Together(first, others) => desk.ask_together(disk, first, others),
        };
        run.answers.extend(answers.into_iter().map(Result::ok));
        if run.answers.last().is_some_and(Option::is_none) {
            break;
        }
        let from = desk.store.cursor(run.published.keys().next_back().copied().unwrap_or(0));
        let seen = desk.store.read_blocking(|view| Ok(view.events(from, usize::MAX)?.unwrap().events));
        run.published.extend(seen.unwrap_or_default());
    }
    run.end = Some(desk.close());
    run
}

/// What a script comes to when nothing goes wrong.
pub(crate) struct Reference {
    answers: Vec<String>,
    orders: BTreeMap<OrderId, Order>,
    events: Vec<(String, OrderId, u32)>,
}

impl Reference {
    pub(crate) fn of(script: &[Step]) -> Self {
        let disk = FaultyDisk::blank();
        let run = carry_out(&disk, script);
        let tables = tables::read(&disk).unwrap();
        Self {
            answers: requests(script)
                .into_iter()
                .zip(&run.answers)
                .map(|(request, answer)| said(request, answer.as_ref().unwrap()))
                .collect(),
            orders: audit(&tables).unwrap(),
            events: order_events(&tables),
        }
    }
}

/// Opens the store on a disk that lost its power and judges it: everything acknowledged is there once and is
/// answered as before, everything else is there whole or not at all, and the store sells on.
pub(crate) fn judge(disk: &FaultyDisk, script: &[Step], run: &Run, reference: &Reference) -> Result<(), String> {
    // The box has no battery: its clock begins anew.
    let desk = Desk::open_at(disk, Timestamp::EPOCH).map_err(|error| format!("the store does not open: {error:?}"))?;
    let found = tables::read(disk)?;
    let orders = audit(&found)?;
    for (number, event) in &run.published {
        hold(found.events.get(number) == Some(event), || format!("event {number} is no longer {event:?}"))?;
    }
    judge_lists(&desk, &orders)?;
    let asked: Vec<Request> = requests(script).into_iter().cloned().collect();
    // All at once: how commands fall into batches makes no difference to their answers.
    let again = desk.wait(desk.send(&asked));
    for (index, (request, again)) in asked.iter().zip(again).enumerate() {
        let again = again.map_err(|error| format!("request {index} is answered {error:?}"))?;
        let expected = &reference.answers[index];
        judge_again(request, &again, run.answers.get(index).and_then(Option::as_ref), expected)
            .map_err(|broken| format!("request {index}: {broken}"))?;
    }
    judge_end(&tables::read(disk)?, reference)?;
    let sold = desk.ask(&open(1_000, 2)).map_err(|error| format!("the store does not sell on: {error:?}"))?;
    let serial = order_of(sold).number.serial as usize;
    hold(serial == reference.orders.len() + 1, || format!("the next order got number {serial}"))?;
    audit(&tables::read(disk)?)?;
    desk.close().map_err(|error| format!("the store ends badly: {error:?}"))
}

/// Judges an answer beside the one given before the power went, if any.
fn judge_again(request: &Request, again: &Answer, before: Option<&Answer>, expected: &str) -> Result<(), String> {
    let now = said(request, again);
    hold(now == expected, || format!("the answer is {now}, not {expected}"))?;
    let Some(before) = before else { return Ok(()) };
    hold(again.replayed == is_kept(request, before), || format!("the answer is {again:?}, once {before:?}"))?;
    let (now, then) = (format!("{:?}", again.result), format!("{:?}", before.result));
    hold(!again.replayed || now == then, || format!("the answer was {then} and is {now}"))
}

/// Whether the answer is given again whenever the request is.
fn is_kept(request: &Request, answer: &Answer) -> bool {
    match &answer.result {
        Ok(_) => request.key.is_some(),
        Err(Rejection::KeyMismatch { .. }) => false,
        Err(rejection) => request.key.is_some() && rejection.conflict().is_some(),
    }
}

/// The store's own reading agrees with the histories.
fn judge_lists(desk: &Desk, orders: &BTreeMap<OrderId, Order>) -> Result<(), String> {
    for order in orders.values() {
        let found = desk.store.read_blocking(|view| view.order(&OrderRef::Id(order.id))).map_err(|e| e.to_string())?;
        hold(matches!(&found, Found::Order(found) if **found == *order), || format!("{found:?} instead of {order:?}"))?;
    }
    let open = [Status::Pending, Status::Confirmed, Status::Preparing, Status::Ready];
    let listed = desk.store.read_blocking(|view| view.orders(None, &open, usize::MAX)).map_err(|e| e.to_string())?;
    let listed: BTreeSet<OrderId> = listed.unwrap().orders.iter().map(|order| order.id).collect();
    let open = orders.values().filter(|order| order.status.is_open()).map(|order| order.id).collect();
    hold(listed == open, || format!("listed as open {listed:?}, open are {open:?}"))
}

/// After everything was asked again the store is as if nothing had happened.
fn judge_end(tables: &Tables, reference: &Reference) -> Result<(), String> {
    let orders = audit(tables)?;
    for (id, expected) in &reference.orders {
        let order = orders.get(id).ok_or_else(|| format!("order {id} is missing"))?;
        let (order, expected) = (without_times(order), without_times(expected));
        hold(order == expected, || format!("{order:?} instead of {expected:?}"))?;
    }
    hold(orders.len() == reference.orders.len(), || format!("{} orders", orders.len()))?;
    let events = order_events(tables);
    hold(events == reference.events, || format!("the log tells {events:?}"))?;
    hold(tables.devices.len() == 4, || format!("{} devices", tables.devices.len()))
}

fn order_events(tables: &Tables) -> Vec<(String, OrderId, u32)> {
    let events = tables.events.values().filter_map(|event| match &event.data {
        EventData::Order(order) => Some((event.data.kind().to_owned(), order.id, order.version)),
        EventData::Settings(_)
        | EventData::Connectivity(_)
        | EventData::DevicePaired { .. }
        | EventData::DeviceRenamed { .. }
        | EventData::DeviceRevoked { .. }
        | EventData::DevicePresence { .. }
        | EventData::Entry(_)
        | EventData::Catalogue { .. }
        | EventData::ForcedOffline { .. }
        | EventData::DrawerOpened { .. } => None,
    });
    events.collect()
}

/// An answer without its times, which are another day's when it is given later; and without the order's state
/// where it is the one of today.
fn said(request: &Request, answer: &Answer) -> String {
    let (kind, order) = match &answer.result {
        Ok(Outcome::Done) => return "done".to_owned(),
        Ok(Outcome::Loaded(loaded)) => return format!("{loaded:?}"),
        Ok(Outcome::Made(entry) | Outcome::Changed(entry)) => return format!("{entry:?}"),
        Ok(Outcome::Opened(order)) => ("opened", order),
        Ok(Outcome::Left(order)) => ("left", order),
        Err(Rejection::InvalidTransition { current, .. }) => ("over", current),
        Err(Rejection::StaleVersion { current }) => ("stale", current),
        Err(Rejection::DuplicateId { existing }) => ("duplicate", existing),
        Err(Rejection::KeyMismatch { existing }) => ("mismatch", existing),
        Err(other) => return format!("{other:?}"),
    };
    if is_kept(request, answer) { format!("{kind} {:?}", without_times(order)) } else { format!("{kind} {}", order.id) }
}

fn without_times(order: &Order) -> Order {
    Order {
        opened_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        ended_at: order.ended_at.map(|_| Timestamp::EPOCH),
        ..order.clone()
    }
}

/// A script proves nothing about what it does not hold.
#[test]
fn the_script_holds_every_kind_of_answer() {
    let script = crate::script::morning();
    let reference = Reference::of(&script);
    let kinds: BTreeSet<&str> =
        reference.answers.iter().map(|answer| answer.split([' ', '{']).next().unwrap()).collect();
    let expected = [
        "Invalid",
        "NotYours",
        "NothingOrdered",
        "Underpaid",
        "UnknownOrder",
        "VersionNeeded",
        "done",
        "duplicate",
        "left",
        "mismatch",
        "opened",
        "over",
        "stale",
    ];
    assert!(kinds.into_iter().eq(expected), "{:#?}", reference.answers);
    let commands = requests(&script);
    assert!(commands.len() >= 40 && commands.iter().any(|request| matches!(request.command, Command::PairDevice(_))));
}
