//! How the box is, as the daemon tells the screen that is attached to it.
//!
//! Both ship in one image, so the form may change with every release.

use serde::{Deserialize, Serialize};

use crate::settings::Connectivity;
use crate::text::Name;
use crate::time::Timestamp;

/// What the daemon writes beside its sockets for the screen. It is not `Debug`: it may hold secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoxStatus {
    /// The daemon's release.
    pub version: String,
    /// What the store is called.
    pub name: Name,
    /// What the box is doing.
    pub state: BoxState,
    /// Since when, by the clock on the wall.
    pub since: Timestamp,
    /// SHA-256 of the LAN key's SubjectPublicKeyInfo, hexadecimal; absent until the key is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The port terminals reach the box at; absent until it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Paired terminals.
    pub paired_devices: u64,
    /// The pairing secret, for as long as no terminal has ever been paired: whoever stands before a new box is its
    /// installer, later it may be anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing_secret: Option<String>,
    /// The first owner's PIN, for as long as it is not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_pin: Option<String>,
    /// Changes of orders that have not reached the cloud.
    pub pending_uploads: u64,
    /// How the box stands with the cloud.
    pub connectivity: Connectivity,
    /// How far it has come with being registered there, in a sentence; absent for a box that belongs to no store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// When this was written, by the clock on the wall.
    pub at: Timestamp,
}

/// What the box is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxState {
    /// It opens its store and does not listen yet.
    Starting,
    /// It answers terminals and keeps what they sell.
    Selling,
    /// It answers, but has no room to keep anything new.
    ReadOnly,
    /// It finishes what is under way and ends.
    Stopping,
}
