//! Gift cards and loyalty accounts: what is known of their balances, and what was spent since (L7).

use serde::{Deserialize, Serialize};

use crate::command::Rejection;
use crate::money::Money;
use crate::order::{TenderKind, member_of};
use crate::record::{Record, RecordError, v1};
use crate::text::Name;
use crate::time::Timestamp;

/// What kind of account it is. The number is part of its key on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A gift card.
    GiftCard = 1,
    /// What a customer's points are worth.
    Loyalty = 2,
}

impl AccountKind {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GiftCard => "gift_card",
            Self::Loyalty => "loyalty",
        }
    }

    /// What it is called in messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::GiftCard => "gift card",
            Self::Loyalty => "loyalty account",
        }
    }

    /// The account that a payment of this kind is taken from, if it is from one.
    pub const fn of_tender(kind: TenderKind) -> Option<Self> {
        match kind {
            TenderKind::GiftCard => Some(Self::GiftCard),
            TenderKind::Loyalty => Some(Self::Loyalty),
            TenderKind::Cash | TenderKind::CardToken | TenderKind::Card | TenderKind::Terminal => None,
        }
    }
}

/// Names an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// What kind it is.
    pub kind: AccountKind,
    /// Its number.
    pub number: Name,
}

/// An account as far as the box knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Names it.
    pub key: AccountKey,
    /// What is on it by the last word from outside.
    pub balance: Money,
    /// What was spent here and is not in `balance` yet; below zero if more was given back.
    pub held: Money,
    /// When it last changed here.
    pub updated_at: Timestamp,
}

/// The balance of an account, from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountBalance {
    /// Names it.
    pub key: AccountKey,
    /// What is on it.
    pub balance: Money,
}

impl Record for Account {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Account {
    /// What can still be spent.
    pub fn available(&self) -> Money {
        self.balance.checked_sub(self.held).unwrap_or_default().max(Money::ZERO)
    }

    /// The account once `amount` more of it is spent.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] that says what is left.
    pub fn spend(&self, field: &str, amount: Money, at: Timestamp) -> Result<Self, Rejection> {
        let left = self.available();
        let held = self.held.checked_add(amount).filter(|_| amount <= left);
        let Some(held) = held else {
            let noun = self.key.kind.noun();
            let message = format!("{} minor units are left on this {noun}: take the rest in another way", left.minor());
            return Err(Rejection::invalid(member_of(field, "amount"), message));
        };
        Ok(Self { held, updated_at: at, ..self.clone() })
    }

    /// The account once `amount` was put back on it.
    #[must_use]
    pub fn give_back(&self, amount: Money, at: Timestamp) -> Self {
        let held = self.held.checked_sub(amount).unwrap_or(self.held);
        Self { held, updated_at: at, ..self.clone() }
    }

    /// The account with a new balance from outside. What was spent here stays held: no word has come that it is in
    /// the new balance, and too little to spend is better than too much.
    #[must_use]
    pub fn loaded(known: Option<&Self>, from: &AccountBalance, at: Timestamp) -> Self {
        let held = known.map_or(Money::ZERO, |known| known.held);
        Self { key: from.key.clone(), balance: from.balance, held, updated_at: at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let key = AccountKey { kind: AccountKind::GiftCard, number: Name::cut("G-1") };
        Account { key, balance: Money::from_minor(1_000), held: Money::ZERO, updated_at: Timestamp::EPOCH }
    }

    #[test]
    fn l7_spending_holds_what_is_there_and_no_more() {
        let at = Timestamp::from_millis(5);
        let after = account().spend("t", Money::from_minor(700), at).unwrap();
        assert_eq!(after.available(), Money::from_minor(300));
        let Err(Rejection::Invalid { message, .. }) = after.spend("t", Money::from_minor(301), at) else {
            panic!("more was spent than there is")
        };
        assert!(message.contains("300"), "{message}");
        assert_eq!(after.give_back(Money::from_minor(700), at).available(), Money::from_minor(1_000));
    }

    #[test]
    fn l7_a_new_balance_keeps_what_is_held() {
        let at = Timestamp::from_millis(5);
        let spent = account().spend("t", Money::from_minor(700), at).unwrap();
        let from = AccountBalance { key: spent.key.clone(), balance: Money::from_minor(1_000) };
        assert_eq!(Account::loaded(Some(&spent), &from, at).available(), Money::from_minor(300));
    }
}
