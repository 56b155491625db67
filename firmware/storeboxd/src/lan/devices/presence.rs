//! Which terminals are there: every request is a sign of life, and whoever falls silent is told of (L15).
//!
//! It is kept in memory only: a heartbeat of every terminal every five seconds would wear the disk out. After a
//! restart a terminal counts as heard of when the box started.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storebox_core::command::{Command, Request};
use storebox_core::device::Presence;
use storebox_core::limits::DEVICE_LOOK_S;
use storebox_core::text::Text;
use storebox_core::time::Timestamp;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::lan::Api;
use crate::lan::problem::Problem;
use crate::store::SubmitError;

/// What a terminal says of itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Heartbeat {
    /// Requests it holds back.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    pub pending: Option<u32>,
    /// When it was last in step with the box.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_sync_at: Option<Timestamp>,
    /// Strength of its radio: 0 to 100 percent, or dBm below zero.
    #[schema(minimum = -127, maximum = 100)]
    pub signal: Option<i8>,
    /// The release of its program.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub app_version: Option<Text<64>>,
    /// Charge of its battery in percent.
    #[schema(minimum = 0, maximum = 100)]
    pub battery: Option<u8>,
}

impl Heartbeat {
    /// The same, if its numbers can be true.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn checked(self) -> Result<Self, Problem> {
        if self.battery.is_some_and(|percent| percent > 100) {
            return Err(Problem::invalid("battery", "must be between 0 and 100"));
        }
        if self.signal.is_some_and(|signal| !(-127..=100).contains(&signal)) {
            return Err(Problem::invalid("signal", "must be between 0 and 100 percent, or -127 and 0 dBm"));
        }
        Ok(self)
    }
}

/// A sign of life.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// When, by the clock that only goes forward; it begins with the box.
    pub now: Duration,
    /// When, by the clock on the wall.
    pub wall: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What is known of a terminal while the box runs.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    at: Duration,
    /// When it was last heard of, by the clock on the wall; nothing since the box started.
    pub seen_at: Option<Timestamp>,
    /// Where it was last heard from.
    pub address: Option<IpAddr>,
    /// What it last said of itself.
    pub heartbeat: Heartbeat,
    told: Told,
}

/// What the log says of a terminal: that it is there, until it says otherwise.
#[derive(Clone, Copy, Debug)]
struct Told(Presence);

impl Default for Told {
    fn default() -> Self {
        Self(Presence::Online)
    }
}

impl Sighting {
    /// Its first sign of life.
    pub fn first(moment: Moment) -> Self {
        let mut this = Self::default();
        this.saw(moment);
        this
    }

    /// Another sign of life.
    pub fn saw(&mut self, moment: Moment) {
        self.at = self.at.max(moment.now);
        self.seen_at = Some(moment.wall);
        self.address = moment.address.or(self.address);
    }

    /// How the box stands with it.
    pub fn presence(&self, now: Duration) -> Presence {
        Presence::after(now.saturating_sub(self.at))
    }

    /// How the box stands with it, if the log says otherwise.
    pub fn news(&self, now: Duration) -> Option<Presence> {
        Some(self.presence(now)).filter(|presence| *presence != self.told.0)
    }

    /// The log says so now.
    pub fn told(&mut self, presence: Presence) {
        self.told = Told(presence);
    }
}

/// Tells the log of terminals that fell silent or are back, until `stopping` becomes true.
pub async fn follow(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
    let mut look = tokio::time::interval(Duration::from_secs(DEVICE_LOOK_S));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            changed = stopping.changed() => match changed {
                Ok(()) if !*stopping.borrow() => continue,
                Ok(()) | Err(_) => return,
            },
        }
        let news = api.devices.news(api.clock.monotonic());
        if news.is_empty() {
            continue;
        }
        let command = Command::NotePresence(news.clone());
        match api.store.submit(Request { actor: None, key: None, received: None, command }).await {
            // What came late may have been written all the same: once is enough.
            Ok(_) | Err(SubmitError::TooSlow | SubmitError::Stopped) => api.devices.told(&news),
            // What could not be written is noticed again at the next look.
            Err(SubmitError::Busy | SubmitError::Full) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { now: Duration::from_secs(seconds), ..Moment::default() }
    }

    #[test]
    fn l15_every_transition_is_told_once() {
        let mut device = Sighting::default();
        let news = |device: &Sighting, seconds| device.news(Duration::from_secs(seconds));
        assert_eq!(news(&device, 119), None, "it counts from the start of the box");
        assert_eq!(news(&device, 120), Some(Presence::Weak));
        assert_eq!(news(&device, 125), Some(Presence::Weak), "it was not told yet");
        device.told(Presence::Weak);
        assert_eq!(news(&device, 130), None);
        assert_eq!(news(&device, 300), Some(Presence::Offline));
        device.told(Presence::Offline);
        device.saw(at(400));
        assert_eq!(news(&device, 401), Some(Presence::Online));
        device.told(Presence::Online);
        assert_eq!(news(&device, 402), None);
    }

    #[test]
    fn l15_a_terminal_keeps_its_last_address_and_time() {
        let address = Some(IpAddr::from([192, 168, 1, 20]));
        let mut device = Sighting::first(Moment { address, ..at(10) });
        device.saw(at(5));
        assert_eq!((device.at, device.address), (Duration::from_secs(10), address), "a late word does not count back");
    }
}
