//! How much the store risks on cards while no bank can be asked (S0, `offline_payment_limits`).

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// What the owner allows. Part of the settings: what it says is recorded with every payment it made possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Cards that are new to the store.
    pub new_cards: CardPolicy,
    /// Cards the processor has a token for.
    pub stored_cards: CardPolicy,
    /// What may be queued. Without them nothing is: `queue` then acts as `deny`.
    pub limits: Option<Limits>,
}

/// What is done with a card while no bank can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardPolicy {
    /// It is not taken.
    Deny,
    /// The payment waits for the cloud, within the limits.
    Queue,
    /// It goes through a card terminal of its own, whose slip is recorded.
    Terminal,
}

impl CardPolicy {
    /// The word used on the wire and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Queue => "queue",
            Self::Terminal => "terminal",
        }
    }
}

/// The bounds of what may be queued. A tip is part of what a card is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// One payment is at most this.
    pub per_transaction: Money,
    /// All payments of one card on one business day are together at most this.
    pub per_card_per_day: Money,
    /// Everything that waits for the cloud is together at most this.
    pub total_queued: Money,
    /// A payment above this takes a signature.
    pub signature_above: Money,
}

impl Limits {
    /// S0's limits, which are in US dollars.
    pub const USD: Self = Self {
        per_transaction: Money::from_minor(10_000),
        per_card_per_day: Money::from_minor(20_000),
        total_queued: Money::from_minor(200_000),
        signature_above: Money::from_minor(2_500),
    };
}

impl Policy {
    /// What holds unless the owner says otherwise: stored cards are queued, new ones are not taken.
    pub const fn standard(limits: Option<Limits>) -> Self {
        Self { new_cards: CardPolicy::Deny, stored_cards: CardPolicy::Queue, limits }
    }
}
