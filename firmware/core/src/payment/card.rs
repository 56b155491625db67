//! A card payment that waits for the cloud: queued with the sale, settled when the processor has answered (L6).

use serde::{Deserialize, Serialize};

use crate::day::Day;
use crate::entry::{Entity, Entry, Versioned};
use crate::id::{CardPaymentId, DeviceId, EmployeeId, OrderId, TenderId};
use crate::money::Money;
use crate::order::TenderKind;
use crate::record::{Record, RecordError, v1};
use crate::text::{Note, Text};
use crate::time::Timestamp;

/// Tells cards apart without knowing them: SHA-256 of the token, or of what else names the card.
pub type CardHash = [u8; 32];
/// The last four digits of a card's number, as printed on receipts.
pub type LastFour = Text<4>;

/// A card as a terminal offers it. The token was sealed before it came here: nothing in the store can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardOffered {
    /// The id the queued payment gets.
    pub payment: CardPaymentId,
    /// Tells cards apart.
    pub card: CardHash,
    /// The sealed token or reader blob.
    pub sealed: Vec<u8>,
    /// For receipts.
    pub last_four: Option<LastFour>,
}

/// A card payment that waits for the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardPayment {
    /// Names it.
    pub id: CardPaymentId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
    /// What was paid with it.
    pub order: OrderId,
    /// As which payment of that order.
    pub tender: TenderId,
    /// The terminal that took it.
    pub device: DeviceId,
    /// What the card is charged, tip included.
    pub amount: Money,
    /// Stored token or new card.
    pub method: TenderKind,
    /// Tells cards apart.
    pub card: CardHash,
    /// The sealed token or reader blob.
    pub sealed: Vec<u8>,
    /// For receipts.
    pub last_four: Option<LastFour>,
    /// Where it stands.
    pub status: CardStatus,
    /// When it was taken.
    pub queued_at: Timestamp,
    /// The business day it counts for.
    pub day: Day,
    /// When the processor decided.
    pub processed_at: Option<Timestamp>,
    /// How often the processor was asked.
    pub attempts: u32,
    /// When it was last asked.
    pub last_attempt: Option<Timestamp>,
    /// Its last answer.
    pub response: Option<Note>,
    /// Somebody had to sign for it.
    pub signature_required: bool,
    /// It was declined after the sale: somebody has to look after the money.
    pub fallback_required: bool,
    /// Somebody has.
    pub fallback_handled: bool,
    /// Who.
    pub handled_by: Option<EmployeeId>,
    /// The payment that took its place; none if the store bears the loss.
    pub replaced_by: Option<TenderId>,
}

/// Where a card payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStatus {
    /// It waits.
    Queued,
    /// The processor was asked.
    Processing,
    /// The money is there.
    Completed,
    /// The processor could not say; it is asked again.
    Failed,
    /// The processor said no.
    Declined,
    /// It was taken back before anybody was asked.
    Voided,
}

impl CardStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Processing, Self::Completed, Self::Failed, Self::Declined, Self::Voided];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }

    /// Whether its money counts as risked: nobody knows yet whether it comes.
    pub const fn is_risked(self) -> bool {
        match self {
            Self::Queued | Self::Processing | Self::Failed => true,
            Self::Completed | Self::Declined | Self::Voided => false,
        }
    }
}

/// What happens to a card payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The processor is asked.
    Begin,
    /// It took the money.
    Complete {
        /// What it answered.
        response: Option<Note>,
    },
    /// It could not say.
    Fail {
        /// What it answered.
        response: Option<Note>,
    },
    /// It said no.
    Decline {
        /// What it answered.
        response: Option<Note>,
    },
    /// The payment is taken back.
    Void,
}

impl Step {
    /// What happened, for the event.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Begin => "processing",
            Self::Complete { .. } => "completed",
            Self::Fail { .. } => "failed",
            Self::Decline { .. } => "declined",
            Self::Void => "voided",
        }
    }
}

impl CardPayment {
    /// Whether somebody still has something to do about it, be it only to wait.
    pub const fn is_open(&self) -> bool {
        self.status.is_risked() || (self.fallback_required && !self.fallback_handled)
    }

    /// The payment after a step, or `None` if it cannot be taken from where it stands.
    pub fn after(&self, step: &Step, at: Timestamp) -> Option<Self> {
        let mut next = Self { version: self.version.saturating_add(1), ..self.clone() };
        match (self.status, step) {
            (CardStatus::Queued | CardStatus::Failed, Step::Begin) => {
                next.status = CardStatus::Processing;
                next.attempts = self.attempts.saturating_add(1);
                next.last_attempt = Some(at);
            }
            (CardStatus::Processing, Step::Complete { response }) => {
                next.status = CardStatus::Completed;
                next.processed_at = Some(at);
                next.response.clone_from(response);
            }
            (CardStatus::Processing, Step::Fail { response }) => {
                next.status = CardStatus::Failed;
                next.response.clone_from(response);
            }
            (CardStatus::Processing, Step::Decline { response }) => {
                next.status = CardStatus::Declined;
                next.processed_at = Some(at);
                next.response.clone_from(response);
                next.fallback_required = true;
            }
            // Once a processor was asked the money may be on its way.
            (CardStatus::Queued, Step::Void) => next.status = CardStatus::Voided,
            (
                CardStatus::Queued
                | CardStatus::Processing
                | CardStatus::Completed
                | CardStatus::Failed
                | CardStatus::Declined
                | CardStatus::Voided,
                Step::Begin | Step::Complete { .. } | Step::Fail { .. } | Step::Decline { .. } | Step::Void,
            ) => return None,
        }
        Some(next)
    }

    /// The payment once somebody has looked after its money, or `None` if nobody has to.
    pub fn handled(&self, by: Option<EmployeeId>, replaced_by: Option<TenderId>) -> Option<Self> {
        let waits = self.fallback_required && !self.fallback_handled;
        waits.then(|| Self {
            version: self.version.saturating_add(1),
            fallback_handled: true,
            handled_by: by,
            replaced_by,
            ..self.clone()
        })
    }
}

impl Record for CardPayment {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for CardPayment {
    const ENTITY: Entity = Entity::CardPayment;

    fn into_entry(self) -> Entry {
        Entry::CardPayment(self)
    }
}
