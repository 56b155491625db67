//! Paired terminals.

use serde::{Deserialize, Serialize};

use crate::id::DeviceId;
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
