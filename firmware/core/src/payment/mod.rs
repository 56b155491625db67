//! Payments: what may be taken while the cloud is away, and what waits for it (L6, L7).
//!
//! What a payment makes of its order is decided in [`crate::order`]; here is what is counted across orders: how much
//! is risked on cards nobody has asked a bank about, and what is left on gift cards.

mod account;
mod card;
pub mod card_number;
mod policy;
mod standing;

use serde::{Deserialize, Serialize};

use crate::id::{CardPaymentId, EmployeeId};
use crate::order::TenderWish;
use crate::record::{Record, RecordError, v1};
use crate::text::Note;
use crate::time::Timestamp;

pub use account::{Account, AccountBalance, AccountKey, AccountKind};
pub use card::{CardHash, CardOffered, CardPayment, CardStatus, LastFour, Step};
pub use policy::{CardPolicy, Limits, Policy};
pub use standing::Standing;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The box itself: what became of a card payment on its way to the processor.
    Follow {
        /// Which payment.
        payment: CardPaymentId,
        /// What happened.
        step: Step,
    },
    /// Say what becomes of the money of a payment that was declined after the sale.
    Fallback {
        /// Which payment.
        payment: CardPaymentId,
        /// What to do.
        fallback: Fallback,
        /// Why.
        reason: Note,
    },
    /// Take over balances of gift cards and loyalty accounts.
    LoadAccounts(Vec<AccountBalance>),
    /// Cut the box off from the cloud until then; `None` ends it.
    ForceOffline {
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
    /// Open the drawer without a sale.
    OpenDrawer {
        /// Why.
        reason: Note,
    },
}

/// What becomes of the money of a payment that was declined after the sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The store bears the loss.
    WriteOff,
    /// The guest pays in another way.
    OtherTender(Box<TenderWish>),
}

/// The box is kept from the cloud by hand (U13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Who did it.
    pub by: Option<EmployeeId>,
}

impl Forced {
    /// Whether it is so at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl Record for Forced {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}
