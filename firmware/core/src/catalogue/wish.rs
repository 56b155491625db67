//! What a terminal wants on an order, before it has a price.

use crate::command::Rejection;
use crate::id::LineId;
use crate::money::{Money, TaxRule};
use crate::order::{Line, Modifier, Pricing};
use crate::quantity::Quantity;
use crate::text::{Name, Note};

/// A line as a terminal wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineWish {
    /// The id it gets.
    pub id: LineId,
    /// Where it stands in the request, for messages: `items[2]`.
    pub field: String,
    /// The item, as the terminal names it: an id of the catalogue, or anything.
    pub item_id: Name,
    /// Its name as printed, if it is not in the catalogue.
    pub name: Option<Name>,
    /// How much of it.
    pub quantity: Quantity,
    /// The price of one; the catalogue's if it is not given.
    pub unit_price: Option<Money>,
    /// Additions and omissions.
    pub modifiers: Vec<ModifierWish>,
    /// For the kitchen.
    pub notes: Option<Note>,
    /// Whoever asks may not sell at another price than the catalogue's.
    pub listed_only: bool,
}

/// An addition or omission as a terminal wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifierWish {
    /// The modifier, as the terminal names it.
    pub id: Option<Name>,
    /// Its name as printed, if it is not one of the item's.
    pub name: Option<Name>,
    /// What it adds to the price of one, if it is not one of the item's.
    pub price: Option<Money>,
}

impl LineWish {
    /// The line of an item that is not in the catalogue: name and price are the terminal's word.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] if it did not give them.
    pub fn open_item(&self, tax: TaxRule) -> Result<Line, Rejection> {
        let (Some(name), Some(unit_price)) = (&self.name, self.unit_price) else {
            let unknown = format!("there is no item {} in the catalogue: give its name and unitPrice", self.item_id);
            return Err(Rejection::invalid(self.field.clone(), unknown));
        };
        let modifiers =
            self.modifiers.iter().enumerate().map(|(index, modifier)| modifier.own_word(&self.field, index));
        Ok(Line {
            id: self.id,
            item_id: self.item_id.clone(),
            name: name.clone(),
            quantity: self.quantity,
            unit_price,
            modifiers: modifiers.collect::<Result<_, _>>()?,
            notes: self.notes.clone(),
            pricing: Pricing::OpenItem,
            tax,
            discount: None,
            category: None,
            station: None,
            stocked: false,
        })
    }
}

impl ModifierWish {
    /// A modifier that is not in the catalogue: name and price are the terminal's word. `line` is where its line stands.
    pub(super) fn own_word(&self, line: &str, index: usize) -> Result<Modifier, Rejection> {
        let (Some(name), Some(price)) = (&self.name, self.price) else {
            let field = format!("{line}.modifiers[{index}]");
            return Err(Rejection::invalid(field, "there is no such modifier: give its name and price".to_owned()));
        };
        Ok(Modifier { id: self.id.clone(), name: name.clone(), price })
    }
}
