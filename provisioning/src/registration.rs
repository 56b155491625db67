//! The registration protocol: what a box says of itself, and what the cloud makes of it.
//!
//! A box that has a certificate puts its [`Request`] to [`path`] over TLS with that certificate, as often as it has
//! something new to say and until it is answered. The cloud answers
//!
//! - 200 with a [`Registration`],
//! - 202 with `Retry-After` while somebody has yet to decide,
//! - a problem (RFC 9457) whose `type` is one of [`Problem`], perhaps with `Retry-After`.
//!
//! The cloud knows a box by the name in the path, which follows from its key: the same request twice is one registration.

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use storebox_core::id::StoreId;
use storebox_core::network::CloudUrl;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;

use crate::identity::BoxId;
use crate::site::Intent;

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u32 = 1;

/// Where a box registers.
pub fn path(id: BoxId) -> String {
    format!("/v1/devices/{id}/registration")
}

/// Where a box shows that it is alive.
pub fn heartbeat_path(id: BoxId) -> String {
    format!("/v1/devices/{id}/heartbeat")
}

/// What a box says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// What it asks to become.
    pub intent: Intent,
    /// Which hardware: `rpi4`, `rpi5` or `x86`.
    pub board: Name,
    /// Its maker's serial number, if the hardware says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Name>,
    /// What it runs.
    pub release: Name,
    /// Its name in the store's network.
    pub host_name: Name,
    /// Its addresses there.
    pub addresses: Vec<IpAddr>,
    /// SHA-256 of the public key terminals know it by, in hexadecimal digits.
    pub lan_fingerprint: Name,
    /// Whether what it keeps is encrypted, with a key only this machine has.
    pub encrypted: bool,
    /// What the installer called the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_name: Option<Name>,
    /// What its clock shows.
    pub time: Timestamp,
    /// Whether the clock was set by somebody who knows.
    pub time_is_verified: bool,
}

/// What a box has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// Which store it speaks for.
    pub store_id: StoreId,
    /// What the store is called.
    pub store_name: Name,
    /// What its order numbers begin with: one to eight capital letters and digits.
    pub register: Name,
    /// Counts the boxes the store has had. One with a lower number no longer speaks for it.
    pub epoch: u32,
    /// Options by name, as a box's configuration file has them (`store.timezone`), each in TOML's words.
    #[serde(default)]
    pub configuration: BTreeMap<Name, Note>,
    /// Where the store is kept in step.
    pub sync_url: CloudUrl,
    /// In which words: `application/json` or `application/vnd.storebox.sync`.
    pub sync_format: Name,
    /// How often the box shows that it is alive, in seconds.
    pub heartbeat_s: u32,
    /// What the cloud's clock shows.
    pub time: Timestamp,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $word:literal $status:literal $conduct:ident, $title:literal, $advice:literal;)*) => {
        /// Why the cloud does not do as it is asked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Problem {
            $($(#[$doc])* $name,)*
        }

        impl Problem {
            /// Every one.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$name),*];

            /// The last part of its `type`.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The status it comes with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What the box does then.
            pub const fn conduct(self) -> Conduct {
                match self { $(Self::$name => Conduct::$conduct,)* }
            }

            /// What has happened, for the owner of a shop.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What to do about it, for the owner of a shop.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

problems! {
    /// The claim's token is none that the cloud gave out.
    ClaimUnknown = "claim-unknown" 401 NeedsClaim,
        "The cloud does not know the claim.",
        "Copy the token from the cloud again, or make a new claim there, and write it into storebox.toml.";
    /// Another box has used the claim.
    ClaimUsed = "claim-used" 403 NeedsClaim,
        "Another box has used this claim.",
        "A claim is for one box: make another one in the cloud, and write its token into storebox.toml.";
    /// The claim came too late.
    ClaimExpired = "claim-expired" 403 NeedsClaim,
        "The claim is too old.",
        "Make a new one in the cloud, and write its token into storebox.toml.";
    /// The store has a box, and the claim is not one to replace it.
    StoreHasBox = "store-has-box" 409 NeedsClaim,
        "The store has another box already.",
        "If this one takes its place, make a claim to replace it in the cloud, and write its token into storebox.toml.";
    /// Somebody took the box's rights away.
    DeviceRevoked = "device-revoked" 403 Revoked,
        "This box was taken out of service in the cloud.",
        "The store sells on, but nothing reaches the cloud. If that was a mistake, put the box back into service there.";
    /// Another box speaks for the store now.
    DeviceReplaced = "device-replaced" 403 Revoked,
        "Another box has taken this one's place.",
        "Switch this one off, or make a claim for it in the cloud and write its token into storebox.toml.";
    /// The certificate is not of the key the box is named by, or of nobody the cloud trusts.
    WrongCertificate = "wrong-certificate" 403 NeedsCertificate,
        "The cloud does not accept this box's certificate.",
        "The box asks for another one by itself.";
    /// The cloud cannot sign what it was sent.
    RequestRefused = "request-refused" 422 AskAgain,
        "The cloud does not understand what the box sent.",
        "The box goes on trying. If it stays so, its release and the cloud do not go together: look for an update.";
    /// The box is too old for the cloud.
    ReleaseTooOld = "release-too-old" 426 AskAgain,
        "The box's release is too old for the cloud.",
        "The box updates itself when it can; else flash a newer image.";
    /// The box's clock is wrong beyond what a certificate allows for.
    ClockWrong = "clock-wrong" 400 AskAgain,
        "The box's clock is wrong.",
        "It is set as soon as a time server answers: see whether the network lets NTP (123/udp) out.";
    /// The cloud has too much to do.
    Busy = "busy" 503 AskAgain,
        "The cloud is busy.",
        "The box asks again by itself.";
}

/// What a box does about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Asks again, ever less often.
    AskAgain,
    /// Asks again now and then, and hopes for another claim.
    NeedsClaim,
    /// Throws its certificate away and enrols anew.
    NeedsCertificate,
    /// Sells on, and asks once a day whether that still holds.
    Revoked,
}

impl Problem {
    /// What every `type` begins with.
    pub const PREFIX: &'static str = "urn:storebox:problem:";

    /// The problem of a `type`.
    pub fn of_type(text: &str) -> Option<Self> {
        let word = text.strip_prefix(Self::PREFIX)?;
        Self::ALL.into_iter().find(|problem| problem.word() == word)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.title(), self.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_every_problem_has_a_word_of_its_own_and_says_what_to_do() {
        for problem in Problem::ALL {
            assert_eq!(Problem::of_type(&format!("{}{}", Problem::PREFIX, problem.word())), Some(problem));
            assert!((400..600).contains(&problem.status()) && problem.title().ends_with('.'), "{problem:?}");
        }
        assert_eq!(Problem::of_type("about:blank"), None);
        assert_eq!(Problem::of_type("urn:storebox:problem:too-hot"), None);
    }
}
