//! What there is to show, and whether the daemon is still heard.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use storebox_core::limits::{STATUS_FIRST_S, STATUS_SILENT_S};
use storebox_core::status::BoxStatus;
use storebox_core::time::Timestamp;

use crate::clock::Moment;

/// Everything one screen is made from.
pub struct Facts {
    /// The machine's name, without a domain.
    pub host: String,
    /// How the box is connected.
    pub network: Network,
    /// What the daemon says.
    pub service: Service,
    /// How the data is kept, if that is known.
    pub data: Option<DataReport>,
    /// Which of the two systems runs (`a`, `b`), if that is to be shown.
    pub slot: Option<&'static str>,
}

/// How the box is connected.
#[derive(Debug, PartialEq, Eq)]
pub enum Network {
    /// No cable, or a switch without power.
    NoLink,
    /// A cable, and nobody who gives an address.
    NoAddress,
    /// Addresses, the most useful first.
    Addresses(Vec<IpAddr>),
}

/// What the daemon says.
#[derive(Clone, PartialEq, Eq)]
pub enum Service {
    /// Nothing yet, and it has only just been started.
    Unheard,
    /// Nothing any more, or nothing at all.
    Silent {
        /// Since when.
        since: Timestamp,
        /// Its last words.
        last: Option<BoxStatus>,
    },
    /// How it is.
    Speaks(BoxStatus),
}

impl Service {
    /// Its last words.
    pub const fn last(&self) -> Option<&BoxStatus> {
        match self {
            Self::Unheard => None,
            Self::Silent { last, .. } => last.as_ref(),
            Self::Speaks(status) => Some(status),
        }
    }
}

/// How the data partition was opened, as the program that opened it says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct DataReport {
    /// Whether somebody with the disk alone can read it.
    pub encrypted: bool,
    /// Why, in words for people.
    pub reason: String,
}

/// Tells a daemon that is quiet from one that is dead.
///
/// Silence is counted by the monotonic clock from the last new word: the first correction of a box without a battery
/// moves the wall clock by years, and no service dies of that.
pub struct Pulse {
    started: Moment,
    heard: Option<Heard>,
}

struct Heard {
    status: BoxStatus,
    /// When this word was first seen.
    at: Duration,
    /// How old it was then.
    age: Duration,
}

impl Pulse {
    /// Begins to listen.
    pub const fn start(now: Moment) -> Self {
        Self { started: now, heard: None }
    }

    /// Takes what the daemon's file holds now, none if there is no such file.
    pub fn hear(&mut self, found: Option<BoxStatus>, now: Moment) -> Service {
        let is_there = found.is_some();
        if let Some(status) = found {
            match &self.heard {
                Some(heard) if heard.status == status => {}
                // Words that were there before this program may be old.
                None => {
                    let age = Duration::from_millis(now.wall.millis_since(status.at));
                    self.heard = Some(Heard { status, at: now.monotonic, age });
                }
                Some(_) => self.heard = Some(Heard { status, at: now.monotonic, age: Duration::ZERO }),
            }
        }
        // A file that has gone is a daemon between two runs, which takes longer than one between two words.
        let patience = Duration::from_secs(if is_there { STATUS_SILENT_S } else { STATUS_FIRST_S });
        match &self.heard {
            Some(heard) if now.monotonic.saturating_sub(heard.at) + heard.age > patience => {
                Service::Silent { since: heard.status.at, last: Some(heard.status.clone()) }
            }
            Some(heard) => Service::Speaks(heard.status.clone()),
            None if now.monotonic.saturating_sub(self.started.monotonic) > patience => {
                Service::Silent { since: self.started.wall, last: None }
            }
            None => Service::Unheard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::selling;

    fn moment(wall_s: u64, monotonic_s: u64) -> Moment {
        Moment { wall: Timestamp::from_millis(wall_s * 1_000), monotonic: Duration::from_secs(monotonic_s) }
    }

    fn said_at(wall_s: u64) -> Option<BoxStatus> {
        Some(BoxStatus { at: Timestamp::from_millis(wall_s * 1_000), ..selling() })
    }

    fn is_silent(service: &Service) -> bool {
        matches!(service, Service::Silent { .. })
    }

    #[test]
    fn the_first_word_may_take_a_minute() {
        let mut pulse = Pulse::start(moment(100, 0));
        assert!(pulse.hear(None, moment(160, 60)) == Service::Unheard);
        let late = pulse.hear(None, moment(161, 61));
        assert!(late == Service::Silent { since: Timestamp::from_millis(100_000), last: None });
    }

    #[test]
    fn a_word_lasts_half_a_minute_and_a_restart_a_minute() {
        let mut pulse = Pulse::start(moment(100, 0));
        assert!(!is_silent(&pulse.hear(said_at(105), moment(105, 5))));
        assert!(!is_silent(&pulse.hear(said_at(105), moment(135, 35))));
        let silent = pulse.hear(said_at(105), moment(136, 36));
        assert!(silent == Service::Silent { since: Timestamp::from_millis(105_000), last: said_at(105) });
        assert!(!is_silent(&pulse.hear(None, moment(165, 65))), "it may be starting again");
        assert!(is_silent(&pulse.hear(None, moment(166, 66))));
        assert!(!is_silent(&pulse.hear(said_at(170), moment(170, 70))), "it came back");
    }

    #[test]
    fn a_clock_that_jumps_is_no_silence() {
        let mut pulse = Pulse::start(moment(100, 0));
        pulse.hear(said_at(105), moment(105, 5));
        assert!(!is_silent(&pulse.hear(said_at(105), moment(50_000_000, 10))), "it was set right");
        assert!(!is_silent(&pulse.hear(said_at(50_000_004), moment(10, 14))), "and back");
        assert!(is_silent(&pulse.hear(said_at(50_000_004), moment(40, 45))), "which hides no silence either");
    }

    #[test]
    fn old_words_found_at_the_start_are_known_as_old() {
        let mut pulse = Pulse::start(moment(1_000, 0));
        assert!(is_silent(&pulse.hear(said_at(900), moment(1_000, 0))));
    }
}
