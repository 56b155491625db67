//! How long things are kept, and what may go (U14). Nothing the cloud has not acknowledged ever goes.
//!
//! What has to be sent is known by its references in the outbox, which are numbered like events. Whoever cleans up
//! looks at the oldest of them, [`Waiting`]: a record that appears there stays, and so does everything that is newer
//! than what could be looked at.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{CLOSING_HOURS, ORDERS_KEPT_DAYS, ORDERS_KEPT_DAYS_LEAST, ORDERS_WORTH_GIVING_BACK, QUIET_S};
use crate::order::{Order, TenderState};
use crate::record::{Record, RecordError, v1};
use crate::time::Timestamp;

/// What the owner configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Days that orders are kept after they ended.
    pub orders_days: u32,
    /// Days that customers are kept who were not seen.
    pub customers_days: u32,
    /// Size of the store's file above which orders are kept for the least time only.
    pub max_size_bytes: Option<u64>,
    /// Whether the box cleans up by itself.
    pub auto_cleanup: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            orders_days: ORDERS_KEPT_DAYS,
            customers_days: crate::limits::CUSTOMERS_KEPT_DAYS,
            max_size_bytes: None,
            auto_cleanup: true,
        }
    }
}

impl Policy {
    /// Orders that ended before this may go, given the size of the store's file.
    pub fn orders_from(&self, now: Timestamp, size_bytes: u64) -> Timestamp {
        let pressed = self.max_size_bytes.is_some_and(|most| size_bytes > most);
        let days = if pressed { ORDERS_KEPT_DAYS_LEAST } else { self.orders_days.max(ORDERS_KEPT_DAYS_LEAST) };
        days_before(now, days)
    }
}

/// Whether now is the time to make the store's file smaller: enough was removed, nobody wrote for a while, and it is
/// about the hour at which business days begin.
pub fn may_give_space_back(orders_removed: u64, quiet_for: Duration, hour: u8, day_starts_at_h: u8) -> bool {
    let since_start = (hour + 24 - day_starts_at_h % 24) % 24;
    let is_closing_time = !(CLOSING_HOURS..24 - CLOSING_HOURS).contains(&since_start);
    orders_removed >= ORDERS_WORTH_GIVING_BACK && quiet_for >= Duration::from_secs(QUIET_S) && is_closing_time
}

/// So many days before.
pub fn days_before(now: Timestamp, days: u32) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(u64::from(days) * 86_400_000))
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Remove some of what may go.
    CleanUp {
        /// Orders that ended before this may.
        orders_before: Timestamp,
    },
}

/// What still has to be sent, as far as it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Orders of which something has.
    pub orders: BTreeSet<[u8; 16]>,
    /// Of changes with this number or a later one nothing is known; none if everything was looked at.
    pub unknown_from: Option<u64>,
}

impl Waiting {
    /// Whether all of an order was sent, if its last change has this number.
    pub fn lets_go(&self, order: [u8; 16], number: u64) -> bool {
        self.unknown_from.is_none_or(|from| number < from) && !self.orders.contains(&order)
    }
}

/// Whether an order is of no more use here: it is over and old, and no money of it is still to come.
pub fn is_past(order: &Order, before: Timestamp) -> bool {
    let settled = order.tenders.iter().all(|tender| match tender.state {
        // Who was to look after a declined payment had all that time.
        TenderState::Captured | TenderState::Voided | TenderState::Declined => true,
        TenderState::Queued => false,
    });
    !order.status.is_open() && order.updated_at < before && settled
}

/// How far cleaning up is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When something was last removed.
    pub last_at: Option<Timestamp>,
    /// Orders removed since the store was made.
    pub orders: u64,
    /// Idempotency keys removed since then.
    pub keys: u64,
    /// Keys of removed orders are still to be looked for, after this one.
    pub keys_after: Option<Vec<u8>>,
}

impl Record for Progress {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u14_space_is_given_back_at_closing_time_when_it_is_worth_while() {
        let quiet = Duration::from_secs(QUIET_S);
        let may = |hour, starts| may_give_space_back(ORDERS_WORTH_GIVING_BACK, quiet, hour, starts);
        assert_eq!((0..24).filter(|hour| may(*hour, 0)).collect::<Vec<_>>(), [0, 1, 22, 23]);
        assert_eq!((0..24).filter(|hour| may(*hour, 5)).collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!(!may_give_space_back(ORDERS_WORTH_GIVING_BACK - 1, quiet, 0, 0));
        assert!(!may_give_space_back(ORDERS_WORTH_GIVING_BACK, quiet / 2, 0, 0));
    }

    #[test]
    fn u14_orders_are_kept_at_least_a_week_whatever_the_size() {
        let day = 86_400_000;
        let now = Timestamp::from_millis(1_000 * day);
        let policy = Policy { orders_days: 3, max_size_bytes: Some(10), ..Policy::default() };
        assert_eq!(policy.orders_from(now, 0), Timestamp::from_millis(993 * day));
        let policy = Policy { orders_days: 400, ..policy };
        assert_eq!(policy.orders_from(now, 10), Timestamp::from_millis(600 * day));
        assert_eq!(policy.orders_from(now, 11), Timestamp::from_millis(993 * day));
    }

    #[test]
    fn u14_what_waits_or_is_unknown_stays() {
        let waiting = Waiting { orders: BTreeSet::from([[1; 16]]), unknown_from: Some(50) };
        assert!(!waiting.lets_go([1; 16], 7));
        assert!(waiting.lets_go([2; 16], 49));
        assert!(!waiting.lets_go([2; 16], 50));
        assert!(Waiting::default().lets_go([2; 16], u64::MAX));
    }
}
