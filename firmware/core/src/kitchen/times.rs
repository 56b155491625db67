//! How long the kitchen takes: counted with every ticket, so that asking costs nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kitchen::Ticket;
use crate::limits::KITCHEN_TIME_MAX_S;
use crate::record::{Record, RecordError, v1};

/// Width of one step of a spread. What a kitchen takes is told in minutes.
const STEP_S: u32 = 10;

/// Times of one station on one business day. Each ticket counts once, when it is first ready and first served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitchenTimes {
    /// From sending until ready.
    pub preparation: Spread,
    /// From ready until served.
    pub serving: Spread,
    /// How often something came back.
    pub recalls: u32,
    /// Preparation by the hour of the clock on the wall in which tickets were ready.
    pub hours: BTreeMap<u8, HourTimes>,
}

/// Preparation in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourTimes {
    /// Tickets that were ready.
    pub tickets: u32,
    /// The sum of their times.
    pub sum_ms: u64,
}

/// How often what took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there were.
    pub count: u32,
    /// The sum of their times.
    pub sum_ms: u64,
    /// The longest.
    pub max_ms: u64,
    /// Step of [`STEP_S`] seconds → how many fell into it.
    steps: BTreeMap<u32, u32>,
}

impl Record for KitchenTimes {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl KitchenTimes {
    /// Counts what a move of a ticket says; whether it says anything. `hour` is the hour of the clock on the wall.
    pub fn count(&mut self, before: &Ticket, after: &Ticket, hour: u8) -> bool {
        let first = after.generation == 1;
        let mut counted = false;
        if after.generation > before.generation {
            self.recalls = self.recalls.saturating_add(1);
            counted = true;
        }
        if let (true, None, Some(ready_at)) = (first, before.ready_at, after.ready_at) {
            let took_ms = ready_at.millis_since(after.sent_at);
            self.preparation.add(took_ms);
            let hour = self.hours.entry(hour).or_default();
            hour.tickets = hour.tickets.saturating_add(1);
            hour.sum_ms = hour.sum_ms.saturating_add(took_ms);
            counted = true;
        }
        if let (true, None, Some(served_at), Some(ready_at)) =
            (first, before.served_at, after.served_at, after.ready_at)
        {
            self.serving.add(served_at.millis_since(ready_at));
            counted = true;
        }
        counted
    }
}

impl HourTimes {
    /// The mean, in seconds.
    pub fn mean_s(&self) -> Option<f64> {
        mean_s(self.sum_ms, self.tickets)
    }
}

impl Spread {
    fn add(&mut self, took_ms: u64) {
        self.count = self.count.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        self.max_ms = self.max_ms.max(took_ms);
        let seconds = u32::try_from(took_ms / 1_000).unwrap_or(u32::MAX).min(KITCHEN_TIME_MAX_S);
        let step = self.steps.entry(seconds / STEP_S).or_default();
        *step = step.saturating_add(1);
    }

    /// The mean, in seconds; nothing if nothing was counted.
    pub fn mean_s(&self) -> Option<f64> {
        mean_s(self.sum_ms, self.count)
    }

    /// The time that `percent` of all did not exceed, in seconds, rounded down to ten; nothing if nothing was counted.
    pub fn percentile_s(&self, percent: u32) -> Option<u32> {
        let rank = (u64::from(self.count) * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        for (step, count) in &self.steps {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(step * STEP_S);
            }
        }
        None
    }
}

fn mean_s(sum_ms: u64, count: u32) -> Option<f64> {
    // To a tenth: more would only look exact.
    (count > 0).then(|| (sum_ms as f64 / f64::from(count) / 100.0).round() / 10.0)
}
