//! The store's own settings, as far as its records depend on them.

use serde::{Deserialize, Serialize};

use crate::day::Calendar;
use crate::money::{Currency, Money, TaxRule};
use crate::order::Terms;
use crate::payment::Policy;
use crate::record::{Record, RecordError, v1};
use crate::text::Name;

/// What the owner configured. Kept in the store too, so that a change is noticed and told to every terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What the store is called.
    pub name: Name,
    /// What it counts in. It cannot change once there are orders.
    pub currency: Currency,
    /// IANA name of the time zone its days begin and end in.
    pub timezone: Name,
    /// Hours after midnight at which business days begin.
    pub day_starts_at_h: u8,
    /// Prefix of the order numbers this box gives out.
    pub register: Name,
    /// The tax on what it sells.
    pub tax_rule: TaxRule,
    /// The smallest coin: cash is rounded to it.
    pub cash_rounding: Money,
    /// How much is risked on cards while the cloud is away.
    pub payments: Policy,
}

impl Settings {
    /// When the store's business days begin and end.
    pub fn calendar(&self) -> Calendar {
        Calendar::new(&self.timezone, self.day_starts_at_h)
    }

    /// What the payments of an order depend on.
    pub fn terms(&self) -> Terms {
        Terms {
            cash_rounding: self.cash_rounding,
            signature_above: self.payments.limits.map(|limits| limits.signature_above),
        }
    }
}

impl Record for Settings {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What part the box plays among the boxes of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Accepts no other device.
    Standalone,
    /// Answers every terminal of the store.
    #[default]
    Server,
}

impl Mode {
    /// The word used on the wire and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Server => "server",
        }
    }
}

/// How the box stands with the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connectivity {
    /// No cloud is configured: nothing is missing.
    LocalOnly,
    /// A cloud is configured and cannot be reached.
    Offline,
}

impl Connectivity {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalOnly => "local_only",
            Self::Offline => "offline",
        }
    }
}

impl Record for Connectivity {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}
