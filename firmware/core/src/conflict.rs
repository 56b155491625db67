//! What somebody may have to look at: writes that were refused, and (with several writers) merges.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, OrderId};
use crate::order::ActionKind;
use crate::record::{Record, RecordError, v1};
use crate::time::Timestamp;

/// A write that was refused because of what the record had become.
///
/// Tills in the field take every 409 for "done already" and forget the request, so the box keeps it: a manager
/// sees what the till swallowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedWrite {
    /// Who asked.
    pub device: DeviceId,
    /// When.
    pub at: Timestamp,
    /// Method and path.
    pub route: String,
    /// The request's body, cut to [`crate::limits::REFUSED_BODY_BYTES`].
    pub request: String,
    /// The order it was about.
    pub order: OrderId,
    /// What that order was then.
    pub version: u32,
    /// Why it was refused.
    pub reason: RefusedReason,
}

impl Record for RefusedWrite {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedReason {
    /// The order was over.
    InvalidTransition(ActionKind),
    /// The order had changed since.
    StaleVersion,
    /// The order existed already.
    DuplicateId,
    /// The key stood for another request.
    KeyMismatch,
    /// Payments stood in the way.
    HasPayments(ActionKind),
}
