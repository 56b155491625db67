//! Payments that wait for the cloud, and what may be taken without it (L6, L7).
//!
//! What payments change beside their order is decided as a whole ([`Effects`]) before the first byte is written, on the
//! tables as the commands before it left them: two tills together cannot pass a limit.

use redb::ReadableTable;
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::day::Day;
use storebox_core::entry::Versioned;
use storebox_core::event::{Event, EventData};
use storebox_core::id::{CardPaymentId, TenderId};
use storebox_core::limits::CARD_DAYS_KEPT;
use storebox_core::money::Money;
use storebox_core::order::{self, Action, Change, Order, Recorded, Refund, Tender, TenderState, TenderWish};
use storebox_core::payment::{
    Account, AccountBalance, AccountKey, AccountKind, CardHash, CardOffered, CardPayment, CardStatus, Command,
    Fallback, Forced, Standing, Step,
};
use storebox_core::people::Permission;
use storebox_core::record::{decode, encode};
use storebox_core::text::Note;
use storebox_core::time::{Hlc, Timestamp};

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::{ACCOUNTS, CARD_DAYS, META_FORCED, META_QUEUED, OPEN_PAYMENTS};
use crate::store::view::{Found, find_order};

/// What payments change beside their order.
#[derive(Default)]
pub(super) struct Effects {
    standing: Standing,
    /// Whether `standing.queued` was read, and so has to be written.
    charged: bool,
    day: Day,
    payments: Vec<(CardPayment, &'static str)>,
}

/// A decision inside a decision: a refusal, or something to go on with.
type Tried<T> = Result<Result<T, Rejection>, StoreError>;

/// Leaves with a refusal.
macro_rules! agreed {
    ($tried:expr) => {
        match $tried {
            Ok(value) => value,
            Err(rejection) => return Ok(Err(rejection)),
        }
    };
}

impl Ledger<'_> {
    /// Decides what a change of an order means for cards and accounts. Nothing is written.
    pub(super) fn effects(&self, action: &Action, recorded: &Recorded, after: &Order, actor: &Actor) -> Tried<Effects> {
        let mut effects = Effects { day: self.calendar.day(recorded.at.wall), ..Effects::default() };
        match (&recorded.change, action) {
            (Change::Closed { tenders }, Action::Close { tenders: wishes }) => {
                for (tender, wish) in tenders.iter().zip(wishes) {
                    agreed!(self.take(&mut effects, tender, wish, after, actor, recorded.at)?);
                }
            }
            (Change::Tendered(tender), Action::Tender(wish)) => {
                agreed!(self.take(&mut effects, tender, wish, after, actor, recorded.at)?);
            }
            (Change::Settled { tender, state: TenderState::Voided, .. }, _) => {
                if let Some(tender) = after.tenders.iter().find(|other| other.id == *tender) {
                    agreed!(self.take_back(&mut effects, tender, recorded.at)?);
                }
            }
            (Change::Refunded(refund), _) => self.give_back(&mut effects, refund, recorded.at)?,
            (
                Change::Opened(_)
                | Change::Modified(_)
                | Change::SentToKitchen
                | Change::Closed { .. }
                | Change::Voided { .. }
                | Change::Progressed(_)
                | Change::Tendered(_)
                | Change::Settled { .. },
                _,
            ) => {}
        }
        Ok(Ok(effects))
    }

    /// Writes what was decided, after the order's own change.
    pub(super) fn carry(&mut self, effects: Effects, actor: Option<&Actor>, at: Hlc) -> Result<(), StoreError> {
        for account in effects.standing.accounts.values() {
            self.put_account(account)?;
        }
        if effects.charged {
            self.put_queued(effects.standing.queued)?;
            let mut days = self.transaction.open_table(CARD_DAYS)?;
            for (card, sum) in &effects.standing.cards {
                days.insert((effects.day.0, *card), sum.minor())?;
            }
            let kept_from = effects.day.0.saturating_sub(CARD_DAYS_KEPT);
            days.retain_in((0, [0; 32])..(kept_from, [0; 32]), |_, _| false)?;
        }
        for (payment, what) in effects.payments {
            self.keep_payment(&payment, what, actor, at)?;
        }
        Ok(())
    }

    /// Does what is asked about payments apart from one order.
    pub(super) fn settle(&mut self, command: &Command, actor: Option<&Actor>, at: Hlc) -> Decided {
        match (command, actor) {
            (Command::Follow { payment, step }, None) => self.follow_payment(*payment, step, at),
            (Command::Fallback { payment, fallback, reason }, Some(actor)) => {
                self.fall_back(*payment, fallback, reason, actor, at)
            }
            (Command::LoadAccounts(balances), actor) => self.load_accounts(balances, actor, at),
            (Command::ForceOffline { until }, Some(actor)) => {
                agreed!(actor.must(Permission::ForceOffline));
                self.force_offline(*until, actor, at)
            }
            (Command::OpenDrawer { reason }, Some(actor)) => {
                agreed!(actor.must(Permission::NoSale));
                self.audit(Some(actor), "drawer.opened", reason.as_str(), at)?;
                let data = EventData::DrawerOpened { reason: reason.clone() };
                self.log(&Event { at, device: Some(actor.device), data })?;
                Ok(Ok(Outcome::Done))
            }
            (Command::Follow { .. }, Some(_))
            | (Command::Fallback { .. } | Command::ForceOffline { .. } | Command::OpenDrawer { .. }, None) => {
                Ok(Err(Rejection::NotYours))
            }
        }
    }

    /// Notes a privileged change of an order in the audit log.
    pub(super) fn audit_change(
        &mut self,
        before: &Order,
        recorded: &Recorded,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let what = match &recorded.change {
            Change::Refunded(_) => "order.refunded",
            Change::Voided { .. } if before.has_sent() => "order.voided",
            Change::Settled { .. } => "tender.voided",
            Change::Modified(modification) if modification.reason.is_some() => "order.lines_taken_off",
            Change::Opened(_)
            | Change::Modified(_)
            | Change::SentToKitchen
            | Change::Closed { .. }
            | Change::Voided { .. }
            | Change::Progressed(_)
            | Change::Tendered(_) => return Ok(()),
        };
        self.audit(Some(actor), what, &before.id.to_string(), recorded.at)
    }

    fn take(
        &self,
        effects: &mut Effects,
        tender: &Tender,
        wish: &TenderWish,
        order: &Order,
        actor: &Actor,
        at: Hlc,
    ) -> Tried<()> {
        if let Some(card) = wish.means.card() {
            self.know_card(effects, card.card)?;
            let policy = self.settings.payments;
            agreed!(effects.standing.charge(&policy, &wish.field, tender.kind, card.card, tender.tendered));
            effects.payments.push((queued(tender, card, order, actor, effects.day, at), "queued"));
        }
        if let Some(key) = account_of(tender) {
            self.know_account(effects, &key)?;
            agreed!(effects.standing.spend(&wish.field, &key, tender.tendered, at.wall));
        }
        Ok(Ok(()))
    }

    fn take_back(&self, effects: &mut Effects, tender: &Tender, at: Hlc) -> Tried<()> {
        if let Some(payment) = self.payment_of(tender)? {
            let Some(next) = payment.after(&Step::Void, at.wall) else {
                let message = match payment.status {
                    CardStatus::Completed => "the card was charged: close the order and give the money back",
                    CardStatus::Queued
                    | CardStatus::Processing
                    | CardStatus::Failed
                    | CardStatus::Declined
                    | CardStatus::Voided => "the processor was asked already: wait for what it says",
                };
                let current = Box::new(payment.into_entry());
                return Ok(Err(Rejection::EntryState { message: message.to_owned(), current }));
            };
            effects.day = payment.day;
            self.know_card(effects, payment.card)?;
            effects.standing.take_back(payment.card, payment.amount);
            effects.payments.push((next, "voided"));
        }
        if let Some(key) = account_of(tender) {
            self.know_account(effects, &key)?;
            effects.standing.give_back(&key, tender.tendered, at.wall);
        }
        Ok(Ok(()))
    }

    fn give_back(&self, effects: &mut Effects, refund: &Refund, at: Hlc) -> Result<(), StoreError> {
        if let (Some(kind), Some(number)) = (AccountKind::of_tender(refund.kind), &refund.reference) {
            let key = AccountKey { kind, number: number.clone() };
            self.know_account(effects, &key)?;
            effects.standing.give_back(&key, refund.amount, at.wall);
        }
        Ok(())
    }

    fn know_card(&self, effects: &mut Effects, card: CardHash) -> Result<(), StoreError> {
        if !effects.charged {
            effects.standing.queued = self.queued()?;
            effects.charged = true;
        }
        if !effects.standing.cards.contains_key(&card) {
            let days = self.transaction.open_table(CARD_DAYS)?;
            let sum = days.get((effects.day.0, card))?.map_or(0, |sum| sum.value());
            effects.standing.cards.insert(card, Money::from_minor(sum));
        }
        Ok(())
    }

    fn know_account(&self, effects: &mut Effects, key: &AccountKey) -> Result<(), StoreError> {
        if !effects.standing.accounts.contains_key(key)
            && let Some(account) = self.account(key)?
        {
            effects.standing.accounts.insert(key.clone(), account);
        }
        Ok(())
    }

    fn follow_payment(&mut self, id: CardPaymentId, step: &Step, at: Hlc) -> Decided {
        let Some(payment) = self.latest::<CardPayment>(id.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "card payment" }));
        };
        let Some(next) = payment.after(step, at.wall) else {
            let message = format!("the payment is {}", payment.status.as_str());
            return Ok(Err(Rejection::EntryState { message, current: Box::new(payment.into_entry()) }));
        };
        let state = match step {
            Step::Complete { .. } => Some(TenderState::Captured),
            Step::Decline { .. } => Some(TenderState::Declined),
            Step::Void => Some(TenderState::Voided),
            Step::Begin | Step::Fail { .. } => None,
        };
        let settled = match (state, find_order(&self.order_changes, payment.order, None)?) {
            (None, _) | (_, Found::Missing) => None,
            (Some(state), Found::Order(before)) => {
                let (recorded, after) =
                    agreed!(order::settle_tender(&before, payment.tender, state, payment.device, at));
                Some((recorded, before, after))
            }
            (Some(_), Found::Unreadable { reason, .. }) => {
                // The money is real, whatever became of the order's record.
                self.set_aside(payment.order, &reason, at)?.ok();
                None
            }
        };
        if let Some((recorded, before, after)) = settled {
            self.record(&recorded, Some(&before), &after)?;
        }
        if payment.status.is_risked() && !next.status.is_risked() {
            let left = self.queued()?.checked_sub(payment.amount).unwrap_or_default().max(Money::ZERO);
            self.put_queued(left)?;
        }
        self.keep_payment(&next, step.word(), None, at)?;
        Ok(Ok(Outcome::Changed(Box::new(next.into_entry()))))
    }

    fn fall_back(&mut self, id: CardPaymentId, fallback: &Fallback, reason: &Note, actor: &Actor, at: Hlc) -> Decided {
        agreed!(actor.must(Permission::SettlePayments));
        let Some(payment) = self.latest::<CardPayment>(id.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "card payment" }));
        };
        let by = actor.staff.map(|staff| staff.employee);
        let replaced_by: Option<TenderId> = match fallback {
            Fallback::WriteOff => None,
            Fallback::OtherTender(wish) => Some(wish.id),
        };
        let Some(next) = payment.handled(by, replaced_by) else {
            let message = "nobody has to look after this payment: it was not declined, or that was done".to_owned();
            return Ok(Err(Rejection::EntryState { message, current: Box::new(payment.into_entry()) }));
        };
        if let Fallback::OtherTender(wish) = fallback {
            let before = match find_order(&self.order_changes, payment.order, None)? {
                Found::Order(order) => order,
                Found::Missing => return Ok(Err(Rejection::UnknownOrder)),
                Found::Unreadable { .. } => return Ok(Err(Rejection::Unreadable)),
            };
            let (recorded, after) =
                agreed!(order::replace_tender(&before, payment.tender, wish, actor, &self.settings.terms(), at));
            let effects = agreed!(self.effects(&Action::Tender(wish.clone()), &recorded, &after, actor)?);
            self.record(&recorded, Some(&before), &after)?;
            self.carry(effects, Some(actor), at)?;
        }
        let what = match fallback {
            Fallback::WriteOff => "payment.written_off",
            Fallback::OtherTender(_) => "payment.replaced",
        };
        self.audit(Some(actor), what, &format!("{id} {reason}"), at)?;
        self.keep_payment(&next, "handled", Some(actor), at)?;
        Ok(Ok(Outcome::Changed(Box::new(next.into_entry()))))
    }

    fn load_accounts(&mut self, balances: &[AccountBalance], actor: Option<&Actor>, at: Hlc) -> Decided {
        if let Some(actor) = actor {
            agreed!(actor.must(Permission::LoadCatalogue));
        }
        for balance in balances {
            let known = self.account(&balance.key)?;
            self.put_account(&Account::loaded(known.as_ref(), balance, at.wall))?;
        }
        self.audit(actor, "accounts.loaded", &balances.len().to_string(), at)?;
        self.touch(at);
        Ok(Ok(Outcome::Done))
    }

    fn force_offline(&mut self, until: Option<Timestamp>, actor: &Actor, at: Hlc) -> Decided {
        match until {
            Some(until) => {
                let forced = Forced { since: at.wall, until, by: actor.staff.map(|staff| staff.employee) };
                self.meta.insert(META_FORCED, encode(&forced)?.as_slice())?;
            }
            None => {
                self.meta.remove(META_FORCED)?;
            }
        }
        self.audit(Some(actor), if until.is_some() { "offline.forced" } else { "offline.released" }, "", at)?;
        self.log(&Event { at, device: Some(actor.device), data: EventData::ForcedOffline { until } })?;
        Ok(Ok(Outcome::Done))
    }

    fn payment_of(&self, tender: &Tender) -> Result<Option<CardPayment>, StoreError> {
        if tender.kind.is_queued()
            && let Some(id) = tender.reference.as_ref().and_then(|name| name.as_str().parse::<CardPaymentId>().ok())
        {
            return self.latest(id.to_bytes());
        }
        Ok(None)
    }

    fn keep_payment(
        &mut self,
        payment: &CardPayment,
        what: &str,
        actor: Option<&Actor>,
        at: Hlc,
    ) -> Result<(), StoreError> {
        {
            let mut open = self.transaction.open_table(OPEN_PAYMENTS)?;
            if payment.is_open() {
                open.insert(payment.id.to_bytes(), ())?;
            } else {
                open.remove(payment.id.to_bytes())?;
            }
        }
        self.keep(payment, what, actor.map(|actor| actor.device), at)
    }

    fn queued(&self) -> Result<Money, StoreError> {
        let bytes = self.meta.get(META_QUEUED)?;
        let bytes = bytes.and_then(|bytes| bytes.value().try_into().ok());
        Ok(Money::from_minor(bytes.map_or(0, i64::from_le_bytes)))
    }

    fn put_queued(&mut self, queued: Money) -> Result<(), StoreError> {
        self.meta.insert(META_QUEUED, queued.minor().to_le_bytes().as_slice())?;
        Ok(())
    }

    fn account(&self, key: &AccountKey) -> Result<Option<Account>, StoreError> {
        let accounts = self.transaction.open_table(ACCOUNTS)?;
        let bytes = accounts.get((key.kind as u8, key.number.as_str()))?;
        Ok(bytes.and_then(|bytes| {
            decode(bytes.value()).inspect_err(|error| log::error!("an account cannot be read: {error}")).ok()
        }))
    }

    fn put_account(&self, account: &Account) -> Result<(), StoreError> {
        let mut accounts = self.transaction.open_table(ACCOUNTS)?;
        accounts.insert((account.key.kind as u8, account.key.number.as_str()), encode(account)?.as_slice())?;
        Ok(())
    }
}

/// The account that a payment is taken from.
fn account_of(tender: &Tender) -> Option<AccountKey> {
    let kind = AccountKind::of_tender(tender.kind)?;
    Some(AccountKey { kind, number: tender.reference.clone()? })
}

fn queued(tender: &Tender, card: &CardOffered, order: &Order, actor: &Actor, day: Day, at: Hlc) -> CardPayment {
    CardPayment {
        id: card.payment,
        version: 1,
        order: order.id,
        tender: tender.id,
        device: actor.device,
        amount: tender.tendered,
        method: tender.kind,
        card: card.card,
        sealed: card.sealed.clone(),
        last_four: card.last_four.clone(),
        status: CardStatus::Queued,
        queued_at: at.wall,
        day,
        processed_at: None,
        attempts: 0,
        last_attempt: None,
        response: None,
        signature_required: tender.signature_required,
        fallback_required: false,
        fallback_handled: false,
        handled_by: None,
        replaced_by: None,
    }
}
