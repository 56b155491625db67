//! What is risked and what is left, across all orders, while a payment is decided.

use std::collections::BTreeMap;

use crate::command::Rejection;
use crate::money::Money;
use crate::order::{TenderKind, member_of};
use crate::payment::{Account, AccountKey, AccountKind, CardHash, CardPolicy, Limits, Policy};
use crate::time::Timestamp;

/// What the ledger knows about the cards and accounts a command is about. Payments are taken against it one after the
/// other; what it is afterwards is written with them, so that the next command sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The sum of everything that waits for the cloud.
    pub queued: Money,
    /// What each card was charged today.
    pub cards: BTreeMap<CardHash, Money>,
    /// The accounts, as far as the box knows them.
    pub accounts: BTreeMap<AccountKey, Account>,
}

impl Standing {
    /// Queues a charge of a card. `field` is where it stands in the request.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] that names the limit, what is left of it and what to do; nothing was changed.
    pub fn charge(
        &mut self,
        policy: &Policy,
        field: &str,
        kind: TenderKind,
        card: CardHash,
        amount: Money,
    ) -> Result<(), Rejection> {
        let refuse = |what: &str, message: String| Err(Rejection::invalid(member_of(field, what), message));
        let limits = match allowed(policy, kind) {
            Ok(limits) => limits,
            Err(message) => return refuse("type", message),
        };
        if amount > limits.per_transaction {
            return refuse("amount", over("one card payment", "payment_limit", limits.per_transaction, None));
        }
        let today = self.cards.get(&card).copied().unwrap_or_default();
        let Some(of_card) = today.checked_add(amount).filter(|sum| *sum <= limits.per_card_per_day) else {
            let left = limits.per_card_per_day.checked_sub(today);
            return refuse("amount", over("one card on one day", "daily_card_limit", limits.per_card_per_day, left));
        };
        let Some(queued) = self.queued.checked_add(amount).filter(|sum| *sum <= limits.total_queued) else {
            let left = limits.total_queued.checked_sub(self.queued);
            return refuse("amount", over("all that waits", "total_queue_limit", limits.total_queued, left));
        };
        self.cards.insert(card, of_card);
        self.queued = queued;
        Ok(())
    }

    /// A charge does not wait any more.
    pub fn release(&mut self, amount: Money) {
        self.queued = self.queued.checked_sub(amount).unwrap_or_default().max(Money::ZERO);
    }

    /// A charge will never be made: it does not count against its card either.
    pub fn take_back(&mut self, card: CardHash, amount: Money) {
        self.release(amount);
        let today = self.cards.get(&card).copied().unwrap_or_default();
        self.cards.insert(card, today.checked_sub(amount).unwrap_or_default().max(Money::ZERO));
    }

    /// Spends from an account.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] that says what is left, or that the account is not known; nothing was changed.
    pub fn spend(&mut self, field: &str, key: &AccountKey, amount: Money, at: Timestamp) -> Result<(), Rejection> {
        let Some(account) = self.accounts.get_mut(key) else {
            let message = format!("this {} is not known here: take another payment", key.kind.noun());
            return Err(Rejection::invalid(
                member_of(field, if key.kind == AccountKind::GiftCard { "number" } else { "account" }),
                message,
            ));
        };
        *account = account.spend(field, amount, at)?;
        Ok(())
    }

    /// Puts back on an account what was spent from it. One that is not known is passed over.
    pub fn give_back(&mut self, key: &AccountKey, amount: Money, at: Timestamp) {
        if let Some(account) = self.accounts.get_mut(key) {
            *account = account.give_back(amount, at);
        }
    }
}

/// The limits under which this kind of card is queued, or why it is not taken.
fn allowed(policy: &Policy, kind: TenderKind) -> Result<Limits, String> {
    let (rule, which) = match kind {
        TenderKind::CardToken => (policy.stored_cards, "stored cards"),
        TenderKind::Card => (policy.new_cards, "new cards"),
        TenderKind::Cash | TenderKind::Terminal | TenderKind::GiftCard | TenderKind::Loyalty => {
            return Err("only cards are queued".to_owned());
        }
    };
    match (rule, policy.limits) {
        (CardPolicy::Queue, Some(limits)) => Ok(limits),
        (CardPolicy::Queue, None) => Err(format!(
            "{which} are not taken while the cloud is away until the owner sets limits ([offline]): take another payment"
        )),
        (CardPolicy::Deny, _) => Err(format!("{which} are not taken while the cloud is away: take another payment")),
        (CardPolicy::Terminal, _) => Err(format!(
            "{which} go through the card terminal while the cloud is away: send its slip as a payment of type terminal"
        )),
    }
}

fn over(what: &str, limit: &str, most: Money, left: Option<Money>) -> String {
    let left = left.unwrap_or(most).max(Money::ZERO).minor();
    let most = most.minor();
    format!(
        "{what}: at most {most} minor units while the cloud is away ({limit}), {left} are left; take the rest in another way"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        per_transaction: Money::from_minor(100),
        per_card_per_day: Money::from_minor(200),
        total_queued: Money::from_minor(500),
        signature_above: Money::from_minor(25),
    };

    fn charge(standing: &mut Standing, card: u8, amount: i64) -> Result<(), Rejection> {
        let policy = Policy::standard(Some(LIMITS));
        standing.charge(&policy, "tender", TenderKind::CardToken, [card; 32], Money::from_minor(amount))
    }

    #[test]
    fn l6_a_limit_is_named_with_what_is_left_of_it() {
        let mut standing = Standing::default();
        let says = |refused: Result<(), Rejection>, words: [&str; 2]| {
            let Err(Rejection::Invalid { field, message }) = refused else { panic!("it was taken") };
            assert_eq!(field, "tender.amount");
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        };
        says(charge(&mut standing, 1, 101), ["payment_limit", "100 are left"]);
        charge(&mut standing, 1, 100).unwrap();
        charge(&mut standing, 1, 60).unwrap();
        says(charge(&mut standing, 1, 41), ["daily_card_limit", "40 are left"]);
        for card in 2..5 {
            charge(&mut standing, card, 100).unwrap();
        }
        says(charge(&mut standing, 9, 41), ["total_queue_limit", "40 are left"]);
        charge(&mut standing, 9, 40).unwrap();
    }

    #[test]
    fn l6_policy_decides_before_any_limit() {
        let mut standing = Standing::default();
        let mut refused = |policy: Policy, kind| match standing.charge(&policy, "t", kind, [1; 32], Money::ZERO) {
            Err(Rejection::Invalid { field, message }) => {
                assert_eq!(field, "t.type");
                message
            }
            other => panic!("{other:?}"),
        };
        let standard = Policy::standard(Some(LIMITS));
        assert!(refused(standard, TenderKind::Card).contains("new cards are not taken"));
        let terminal = Policy { new_cards: CardPolicy::Terminal, ..standard };
        assert!(refused(terminal, TenderKind::Card).contains("type terminal"));
        assert!(refused(Policy::standard(None), TenderKind::CardToken).contains("sets limits"));
    }

    #[derive(Clone, Debug)]
    enum Event {
        Charge { card: u8, amount: i64 },
        Settle(usize),
        TakeBack(usize),
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => (0u8..5, 0i64..130).prop_map(|(card, amount)| Event::Charge { card, amount }),
            2 => (0usize..40).prop_map(Event::Settle),
            1 => (0usize..40).prop_map(Event::TakeBack),
        ]
    }

    proptest! {
        /// L6: whatever tills charge in whatever order, and whatever is settled in between, no limit is passed, and a
        /// refusal changes nothing.
        #[test]
        fn l6_limits_hold_under_any_interleaving(events in proptest::collection::vec(any_event(), 1..120)) {
            let mut standing = Standing::default();
            let (mut waiting, mut charged): (Vec<(u8, i64)>, BTreeMap<u8, i64>) = Default::default();
            for event in events {
                match event {
                    Event::Charge { card, amount } => {
                        let before = standing.clone();
                        match charge(&mut standing, card, amount) {
                            Ok(()) => {
                                waiting.push((card, amount));
                                *charged.entry(card).or_default() += amount;
                            }
                            Err(_) => {
                                prop_assert_eq!(&standing, &before);
                                let sum: i64 = waiting.iter().map(|(_, amount)| amount).sum();
                                let of_card = charged.get(&card).copied().unwrap_or_default();
                                prop_assert!(amount > 100 || of_card + amount > 200 || sum + amount > 500);
                            }
                        }
                    }
                    Event::Settle(index) if index < waiting.len() => {
                        let (_, amount) = waiting.remove(index);
                        standing.release(Money::from_minor(amount));
                    }
                    Event::TakeBack(index) if index < waiting.len() => {
                        let (card, amount) = waiting.remove(index);
                        *charged.entry(card).or_default() -= amount;
                        standing.take_back([card; 32], Money::from_minor(amount));
                    }
                    Event::Settle(_) | Event::TakeBack(_) => {}
                }
                prop_assert_eq!(standing.queued.minor(), waiting.iter().map(|(_, amount)| amount).sum::<i64>());
                prop_assert!(standing.queued <= LIMITS.total_queued);
                for (card, sum) in &charged {
                    prop_assert_eq!(standing.cards[&[*card; 32]].minor(), *sum);
                    prop_assert!(*sum <= LIMITS.per_card_per_day.minor());
                }
            }
        }
    }
}
