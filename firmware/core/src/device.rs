//! Paired terminals.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::DeviceId;
use crate::limits::{DEVICE_OFFLINE_S, DEVICE_WEAK_S};
use crate::record::{Record, RecordError, v1};
use crate::text::Name;
use crate::time::Timestamp;

/// What a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A till.
    Pos,
    /// A kitchen display.
    Kds,
    /// A self-service kiosk: it sees and changes its own orders only.
    Kiosk,
    /// A waiter's handheld.
    Handheld,
    /// Another register of the same store.
    Register,
    /// A screen that only shows.
    Display,
}

impl DeviceKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Pos, Self::Kds, Self::Kiosk, Self::Handheld, Self::Register, Self::Display];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pos => "pos",
            Self::Kds => "kds",
            Self::Kiosk => "kiosk",
            Self::Handheld => "handheld",
            Self::Register => "register",
            Self::Display => "display",
        }
    }
}

/// SHA-256 of a device token: what is stored, so that a stolen disk opens no door.
pub type TokenHash = [u8; 32];

/// A paired terminal as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which one.
    pub id: DeviceId,
    /// What people call it.
    pub name: Name,
    /// What it is.
    pub kind: DeviceKind,
    /// How it proves that it is itself.
    pub token_hash: TokenHash,
    /// When it was paired, or paired again.
    pub paired_at: Timestamp,
    /// The token it had before, so that a terminal still using it can be told what happened.
    pub replaced_token_hash: Option<TokenHash>,
}

impl Record for Device {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// How the box stands with a terminal. The order of the variants is the order of worry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It was heard of just now.
    Online,
    /// Some of its heartbeats were missed.
    Weak,
    /// It has been silent for long.
    Offline,
}

impl Presence {
    /// What a silence means.
    pub const fn after(silence: Duration) -> Self {
        match silence.as_secs() {
            0..DEVICE_WEAK_S => Self::Online,
            DEVICE_WEAK_S..DEVICE_OFFLINE_S => Self::Weak,
            DEVICE_OFFLINE_S.. => Self::Offline,
        }
    }

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Weak => "weak",
            Self::Offline => "offline",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l15_a_silent_device_is_weak_after_two_minutes_and_offline_after_five() {
        let after = |seconds| Presence::after(Duration::from_secs(seconds));
        assert_eq!((after(0), after(119)), (Presence::Online, Presence::Online));
        assert_eq!((after(120), after(299)), (Presence::Weak, Presence::Weak));
        assert_eq!((after(300), after(u64::MAX)), (Presence::Offline, Presence::Offline));
    }
}
