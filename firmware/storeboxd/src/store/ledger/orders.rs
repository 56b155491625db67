//! Orders, and everything that follows from a change of one.

use redb::ReadableTable;
use storebox_core::catalogue::LineWish;
use storebox_core::command::{Actor, OpenOrder, OrderRef, Outcome, Rejection};
use storebox_core::event::Event;
use storebox_core::id::OrderId;
use storebox_core::order::{self, Action, Decision, Expected, Modification, Opened, Order, OrderNumber, Recorded};
use storebox_core::outbox::OutboxEntry;
use storebox_core::record::encode;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::view::{Found, find_order};

impl Ledger<'_> {
    pub(super) fn open_order(&mut self, wish: &OpenOrder, actor: &Actor, at: Hlc) -> Decided {
        let taken = match &wish.client_id {
            Some(name) => self.client_ids.get(name.as_str())?.map(|id| OrderId::from_bytes(id.value())),
            None => Some(wish.id),
        };
        if let Some(id) = taken {
            match find_order(&self.order_changes, id, None)? {
                Found::Missing => {}
                Found::Order(existing) => return Ok(Err(Rejection::DuplicateId { existing })),
                Found::Unreadable { .. } => return Ok(Err(Rejection::Unreadable)),
            }
        }
        let Some(serial) = self.counters.last_serial.checked_add(1) else {
            return Ok(Err(Rejection::TooMany { what: "order numbers of one register", limit: u32::MAX as usize }));
        };
        let lines = match self.priced(&wish.lines, actor, at) {
            Ok(lines) => lines,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let opened = Opened {
            number: OrderNumber { register: self.settings.register.clone(), serial },
            client_id: wish.client_id.clone(),
            header: wish.header.clone(),
            lines,
            tax_rule: self.settings.tax_rule,
        };
        let (recorded, order) = match order::open(wish.id, opened, actor, at) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.counters.last_serial = serial;
        self.open_orders.insert(order.id.to_bytes(), ())?;
        if let Some(name) = &order.client_id {
            self.client_ids.insert(name.as_str(), order.id.to_bytes())?;
        }
        self.record(&recorded, None, &order)?;
        Ok(Ok(Outcome::Opened(Box::new(order))))
    }

    pub(super) fn change_order(
        &mut self,
        named: &OrderRef,
        expected: Expected,
        action: &Action,
        added: &[LineWish],
        actor: &Actor,
        at: Hlc,
    ) -> Decided {
        let id = match named {
            OrderRef::Id(id) => Some(*id),
            OrderRef::ClientId(name) => self.client_ids.get(name.as_str())?.map(|id| OrderId::from_bytes(id.value())),
        };
        let Some(id) = id else { return Ok(Err(Rejection::UnknownOrder)) };
        let order = match find_order(&self.order_changes, id, None)? {
            Found::Order(order) => order,
            Found::Missing => return Ok(Err(Rejection::UnknownOrder)),
            Found::Unreadable { reason, .. } => {
                self.set_aside(id, &reason, at)?.ok();
                return Ok(Err(Rejection::Unreadable));
            }
        };
        let priced;
        let action = match action {
            Action::Modify(modification) if !added.is_empty() => match self.priced(added, actor, at) {
                Ok(added) => {
                    priced = Action::Modify(Modification { added, ..modification.clone() });
                    &priced
                }
                Err(rejection) => return Ok(Err(rejection)),
            },
            Action::Modify(_)
            | Action::SendToKitchen
            | Action::Close { .. }
            | Action::Void { .. }
            | Action::Tender(_)
            | Action::VoidTender { .. }
            | Action::Refund(_) => action,
        };
        match order::decide(&order, action, expected, actor, &self.settings.terms(), at) {
            Err(rejection) => Ok(Err(rejection)),
            Ok(Decision::Unchanged) => Ok(Ok(Outcome::Left(order))),
            Ok(Decision::Record(decided)) => {
                let (recorded, after) = *decided;
                let effects = match self.effects(action, &recorded, &after, actor)? {
                    Ok(effects) => effects,
                    Err(rejection) => return Ok(Err(rejection)),
                };
                if !after.status.is_open() {
                    self.open_orders.remove(id.to_bytes())?;
                }
                self.record(&recorded, Some(&order), &after)?;
                self.carry(effects, Some(actor), at)?;
                self.audit_change(&order, &recorded, actor)?;
                Ok(Ok(Outcome::Left(Box::new(after))))
            }
        }
    }

    /// Appends a change to its order's history, to the log and to the outbox, and does what follows from it elsewhere.
    pub(super) fn record(
        &mut self,
        recorded: &Recorded,
        before: Option<&Order>,
        order: &Order,
    ) -> Result<(), StoreError> {
        self.order_changes.insert((order.id.to_bytes(), order.version), encode(recorded)?.as_slice())?;
        let number = self.log(&Event::of_order(recorded, order))?;
        let entry = OutboxEntry::Order { id: order.id, version: order.version };
        self.outbox.insert((entry.lane() as u8, number), encode(&entry)?.as_slice())?;
        self.note_end(order, number)?;
        self.make_tickets(recorded, before, order)?;
        self.move_stock(recorded, before, order)?;
        self.count_sale(recorded, before, order)
    }
}
