//! What there is of an item.

use serde::{Deserialize, Serialize};

use super::sum;
use crate::id::MovementId;
use crate::quantity::Quantity;
use crate::record::{Record, RecordError, v1};
use crate::text::Name;
use crate::time::Timestamp;

/// What there is of an item: the sum of its movements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The item's name as last printed.
    pub name: Option<Name>,
    /// How much there is.
    pub level: Quantity,
    /// At this level, or below, it is low.
    pub low_at: Option<Quantity>,
    /// How many movements there were.
    pub movements: u64,
    /// Which of them was the last stock-take; none if it was never counted.
    pub baseline: Option<u64>,
    /// The last movement.
    pub last: Option<MovementId>,
    /// When that was.
    pub at: Timestamp,
    /// What somebody should look at.
    pub review: Option<Review>,
}

/// Why somebody should look at an item. A stock-take that finds what was expected ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Review {
    /// More was sold than there was.
    Negative,
    /// A stock-take found something else than was expected.
    Discrepancy {
        /// What it found beyond (or, below zero, short of) it.
        difference: Quantity,
    },
}

/// What terminals are told besides the movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What there is does not agree with what there should be.
    Discrepancy,
    /// There is little left.
    Low,
}

impl Signal {
    /// What happened to the stock, in one word.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Discrepancy => "discrepancy",
            Self::Low => "low",
        }
    }
}

impl Level {
    /// Adds a movement. What goes below nothing, or comes to be low, is told once.
    pub fn apply(&mut self, delta: Quantity, movement: MovementId, at: Timestamp) -> Vec<Signal> {
        let (was_negative, was_low) = (self.is_negative(), self.is_low());
        self.level = sum(self.level, delta);
        self.movements = self.movements.saturating_add(1);
        self.last = Some(movement);
        self.at = at;
        let mut signals = Vec::new();
        if self.is_negative() && !was_negative {
            self.review = Some(Review::Negative);
            signals.push(Signal::Discrepancy);
        }
        if self.is_low() && !was_low {
            signals.push(Signal::Low);
        }
        signals
    }

    /// Makes the last movement a stock-take that found so much more than was expected.
    pub(super) fn counted(&mut self, difference: Quantity, was_known: bool, low_at: Option<Quantity>) -> Vec<Signal> {
        self.baseline = Some(self.movements);
        self.low_at = low_at.or(self.low_at);
        let mut signals = Vec::new();
        // The first count of an item contradicts nothing.
        let is_off = was_known && difference != Quantity::default();
        self.review = is_off.then_some(Review::Discrepancy { difference });
        if is_off {
            signals.push(Signal::Discrepancy);
        }
        if self.is_low() {
            signals.push(Signal::Low);
        }
        signals
    }

    /// Whether there is little left.
    pub fn is_low(&self) -> bool {
        self.low_at.is_some_and(|low_at| self.level <= low_at)
    }

    fn is_negative(&self) -> bool {
        self.level.thousandths() < 0
    }
}

impl Record for Level {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}
