//! The catalogue: what is sold, at what price, made where (L4). The cloud owns it; the box prices from it.

mod wish;

use serde::{Deserialize, Serialize};

use crate::text::Name;

pub use wish::{LineWish, ModifierWish};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}

/// Where something is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Station {
    /// Names it: `grill`.
    pub id: Name,
    /// What people call it.
    pub name: Name,
    /// After so long a ticket is late: orange.
    pub orange_after_s: u32,
    /// After so long it is much too late: red.
    pub red_after_s: u32,
}
