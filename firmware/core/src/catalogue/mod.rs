//! The catalogue: what is sold, at what price, made where (L4). The cloud owns it; the box prices from it.
//!
//! It is a set of objects, each with the number of the change that made it what it is. Whoever knows the catalogue as
//! it was at one number needs only the objects with a higher one, and what was deleted since.

mod book;
mod check;
mod object;
mod price;
mod promotion;
pub mod sample;
mod wish;

use serde::{Deserialize, Serialize};

pub use book::{Catalogue, Marks, Revised, Since};
pub use object::{
    Barcode, Bundle, Category, Choice, ImageText, Item, Kept, Kind, ModifierGroup, Object, ObjectRef, Station,
    TaxClass, TimedPrice,
};
pub use promotion::{DAY_MIN, Hours, Offer, Promotion, Weekday};
pub use wish::{LineWish, ModifierWish};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// This is the catalogue; what is not in it goes.
    Replace(Box<Bundle>),
    /// Put these in, take those out, leave the rest.
    Merge(Box<Bundle>),
}

/// What became of the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Its revision now.
    pub revision: u64,
    /// Objects that are new.
    pub created: u32,
    /// Objects that changed.
    pub updated: u32,
    /// Objects that went.
    pub deleted: u32,
    /// Objects that were given and were so already.
    pub unchanged: u32,
}
