//! What orders and tickets mean for each other.

use core::cmp::Reverse;

use crate::id::LineId;
use crate::kitchen::{OPEN_ITEM_STATION, State, Ticket, TicketLine};
use crate::order::{Line, Order, Pricing, Status};
use crate::quantity::Quantity;
use crate::text::Name;
use crate::time::Timestamp;

/// What a change of an order sends to the kitchen: for each station, in the order of the lines, what it has to make.
pub fn fire(before: &Order, after: &Order) -> Vec<(Name, Vec<TicketLine>)> {
    let mut fired: Vec<(Name, Vec<TicketLine>)> = Vec::new();
    for line in &after.lines {
        let known = before.line(line.line.id).map_or(Quantity::default(), |before| before.sent);
        let Some(new) = line.sent.checked_add(known.negated()).filter(|new| new.is_positive()) else { continue };
        let Some(station) = station(&line.line) else { continue };
        let made = TicketLine {
            line: line.line.id,
            name: line.line.name.clone(),
            quantity: new,
            modifiers: line.line.modifiers.iter().map(|modifier| modifier.name.clone()).collect(),
            notes: line.line.notes.clone(),
            cancelled: Quantity::default(),
        };
        match fired.iter_mut().find(|(other, _)| *other == station) {
            Some((_, lines)) => lines.push(made),
            None => fired.push((station, vec![made])),
        }
    }
    fired
}

/// Who makes a line. What the catalogue knows and gives no station, nobody has to make; what it does not know, the
/// kitchen has to look at.
fn station(line: &Line) -> Option<Name> {
    match (&line.station, line.pricing) {
        (Some(station), _) => Some(station.clone()),
        (None, Pricing::OpenItem) => Some(Name::cut(OPEN_ITEM_STATION)),
        (None, Pricing::Catalogue | Pricing::Override { .. }) => None,
    }
}

/// How far an order is by what the kitchen says; nothing if that is no news. An order that is over stays as it is, and
/// a status never goes back.
pub fn progress(order: &Order, tickets: &[Ticket]) -> Option<Status> {
    let wanted = || tickets.iter().filter(|ticket| ticket.state != State::Voided);
    let is_begun = wanted().any(|ticket| ticket.state > State::Queued);
    let is_done = wanted().all(|ticket| ticket.state >= State::Ready);
    let status = match (is_begun, is_done) {
        (true, true) => Status::Ready,
        (true, false) => Status::Preparing,
        (false, _) => return None,
    };
    (order.status.is_open() && order.status < status).then_some(status)
}

/// What a change of an order makes of its tickets: those that change, as they become. A ticket that was served stays
/// as it is.
pub fn follow(before: &Order, after: &Order, tickets: &[Ticket], at: Timestamp) -> Vec<Ticket> {
    let mut open: Vec<&Ticket> = tickets.iter().filter(|ticket| ticket.state.is_open()).collect();
    if after.status == Status::Voided {
        return open.into_iter().map(|ticket| ticket.voided(at)).collect();
    }
    // Of what is taken back, the last that was sent goes first: it is the least likely to be made.
    open.sort_by_key(|ticket| Reverse(ticket.id));
    let mut cancelled: Vec<(LineId, Quantity)> = before
        .lines
        .iter()
        .filter_map(|line| {
            let still = after.line(line.line.id).map_or(Quantity::default(), |after| after.sent);
            let less = line.sent.checked_add(still.negated())?;
            less.is_positive().then_some((line.line.id, less))
        })
        .collect();
    open.into_iter().filter_map(|ticket| followed(ticket, after, &mut cancelled, at)).collect()
}

fn followed(ticket: &Ticket, after: &Order, cancelled: &mut [(LineId, Quantity)], at: Timestamp) -> Option<Ticket> {
    let mut next = ticket.next(at);
    next.table.clone_from(&after.header.table_id);
    next.order_type = after.header.order_type;
    next.notes.clone_from(&after.header.notes);
    for made in &mut next.lines {
        if let Some(line) = after.line(made.line) {
            made.notes.clone_from(&line.line.notes);
        }
        if let Some((_, left)) = cancelled.iter_mut().find(|(line, _)| *line == made.line) {
            let taken = (*left).min(made.wanted());
            made.cancelled = made.cancelled.checked_add(taken).unwrap_or(made.quantity);
            *left = left.checked_add(taken.negated()).unwrap_or_default();
        }
    }
    if next.lines.iter().all(|line| !line.wanted().is_positive()) {
        next.state = State::Voided;
    }
    let is_same = Ticket { version: ticket.version, updated_at: ticket.updated_at, ..next.clone() } == *ticket;
    (!is_same).then_some(next)
}
