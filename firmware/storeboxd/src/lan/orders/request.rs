//! What terminals send about orders.

use serde::Deserialize;
use storebox_core::catalogue::{LineWish, ModifierWish};
use storebox_core::id::{LineId, OrderId};
use storebox_core::money::Money;
use storebox_core::order::{Expected, Header, HeaderPatch, LineChange, Modification, OrderType, TenderWish};
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use super::tender::{NewTender, Till};
use crate::entropy;
use crate::lan::body::present;
use crate::lan::problem::Problem;

/// A new order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewOrder)]
pub struct NewOrder {
    /// A UUID becomes the order's id; any other text is kept as `clientId` and works in paths too.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub id: Option<Name>,
    /// The table, as the terminal names it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub table_id: Option<Name>,
    /// How the guest takes it.
    #[serde(default)]
    #[schema(value_type = OrderTypeWord)]
    pub order_type: OrderType,
    /// The customer, as the terminal names them.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub customer_id: Option<Name>,
    /// For whoever serves it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub notes: Option<Note>,
    /// What is ordered; none for a tab that is only opened.
    #[schema(max_items = 500)]
    pub items: Vec<NewItem>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Something ordered. An item of the catalogue has its name and price from there; a unit price that differs is taken
/// and marked as an override, where the store's policy allows it. An item that is not in the catalogue is an open item:
/// name and price are the terminal's word, and both are needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewItem {
    /// The item: its id or a barcode of it, or for an open item whatever the terminal calls it.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    item_id: Name,
    /// The name of an open item as printed; the catalogue's items have their own.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Option<Name>,
    /// How much of it, with at most three decimals.
    #[schema(value_type = f64, exclusive_minimum = 0, maximum = 100_000, multiple_of = 0.001)]
    quantity: Quantity,
    /// The price of one in minor units; the catalogue's if it is not given.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    unit_price: Option<Money>,
    /// Additions and omissions.
    #[serde(default)]
    #[schema(max_items = 50)]
    modifiers: Vec<NewModifier>,
    /// For the kitchen.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Note>,
}

/// An addition or omission.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewModifier {
    /// The modifier, as the terminal names it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    modifier_id: Option<Name>,
    /// Its name as printed; one of the item's own modifiers has it from the catalogue.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Option<Name>,
    /// What it adds to the price of one, in minor units; one of the item's own modifiers has it from the catalogue. Below zero only as far as the item's price goes.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    price: Option<Money>,
}

/// How the guest takes an order.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum OrderTypeWord {
    /// Over the counter.
    Counter,
    /// At a table.
    DineIn,
    /// To go.
    Takeaway,
    /// Brought to the guest.
    Delivery,
}

/// Changes of an order. Lines are added, changed by differences and removed without a version; the other fields
/// need the version the terminal has seen, here or in `If-Match`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderPatch {
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The `updatedAt` seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// The table; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    table_id: Option<Option<Name>>,
    /// How the guest takes it.
    #[schema(value_type = Option<OrderTypeWord>)]
    order_type: Option<OrderType>,
    /// The customer; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    customer_id: Option<Option<Name>>,
    /// The notes; null clears them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Option<Note>>,
    /// New lines.
    #[serde(default)]
    #[schema(max_items = 500)]
    add_items: Vec<NewItem>,
    /// Changes of lines.
    #[serde(default)]
    #[schema(max_items = 500)]
    change_items: Vec<ItemChange>,
    /// Lines to take off.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 500)]
    remove_items: Vec<LineId>,
    /// Why something is taken off; needed for what the kitchen knows of, which takes a manager.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Option<Note>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// A change of one line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemChange {
    /// Which line.
    #[schema(value_type = String, format = Uuid)]
    line_id: LineId,
    /// How much more (or, below zero, less) of it; a line that comes to nothing is taken off.
    #[serde(default)]
    #[schema(value_type = f64, minimum = -100_000, maximum = 100_000, multiple_of = 0.001)]
    quantity_delta: Quantity,
    /// New notes; null clears them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Option<Note>>,
}

/// Sending to the kitchen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendToKitchen {
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Closing with payment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseOrder {
    /// What pays the rest; together with earlier payments it covers the total. None if it is paid already.
    #[serde(default)]
    #[schema(max_items = 50)]
    tenders: Vec<NewTender>,
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Voiding. What the kitchen knows of takes a manager, and a reason.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoidOrder {
    /// Why.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Option<Note>,
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

impl NewOrder {
    /// Header and lines, with ids made at `now`.
    pub fn into_parts(self, now: Timestamp) -> Result<(Header, Vec<LineWish>), Problem> {
        let header = Header {
            table_id: self.table_id,
            order_type: self.order_type,
            customer_id: self.customer_id,
            notes: self.notes,
        };
        Ok((header, lines("items", self.items, now)?))
    }
}

impl OrderPatch {
    /// What changes, the lines to add, and what the terminal expects.
    pub fn into_parts(self, now: Timestamp) -> Result<(Modification, Vec<LineWish>, Expected), Problem> {
        let added = lines("addItems", self.add_items, now)?;
        let modification = Modification {
            header: HeaderPatch {
                table_id: self.table_id,
                order_type: self.order_type,
                customer_id: self.customer_id,
                notes: self.notes,
            },
            added: Vec::new(),
            changed: self
                .change_items
                .into_iter()
                .map(|change| LineChange {
                    id: change.line_id,
                    quantity_delta: change.quantity_delta,
                    notes: change.notes,
                })
                .collect(),
            removed: self.remove_items,
            reason: self.reason,
        };
        Ok((modification, added, Expected { version: self.version, updated_at: self.updated_at }))
    }
}

impl SendToKitchen {
    /// What the terminal expects.
    pub fn expected(&self) -> Expected {
        Expected { version: self.version, updated_at: None }
    }
}

impl CloseOrder {
    /// The payments and what the terminal expects.
    pub fn into_parts(self, till: &Till) -> Result<(Vec<TenderWish>, Expected), Problem> {
        let tenders = self.tenders.into_iter().enumerate();
        let tenders = tenders.map(|(index, tender)| tender.into_wish(format!("tenders[{index}]"), till));
        Ok((tenders.collect::<Result<_, _>>()?, Expected { version: self.version, updated_at: None }))
    }
}

impl VoidOrder {
    /// The reason and what the terminal expects.
    pub fn into_parts(self) -> (Option<Note>, Expected) {
        (self.reason, Expected { version: self.version, updated_at: None })
    }
}

/// The order's id: the terminal's if it gave a UUID, else a new one with the terminal's text as its other name.
pub fn order_id(given: Option<Name>, now: Timestamp) -> (OrderId, Option<Name>) {
    match given {
        Some(name) => match name.as_str().parse() {
            Ok(id) => (id, None),
            Err(_text) => (OrderId::new(now, entropy::for_id()), Some(name)),
        },
        None => (OrderId::new(now, entropy::for_id()), None),
    }
}

fn lines(field: &str, items: Vec<NewItem>, now: Timestamp) -> Result<Vec<LineWish>, Problem> {
    items.into_iter().enumerate().map(|(index, item)| line(format!("{field}[{index}]"), item, now)).collect()
}

fn line(field: String, item: NewItem, now: Timestamp) -> Result<LineWish, Problem> {
    if !item.quantity.is_positive() {
        return Err(Problem::invalid(format!("{field}.quantity"), "must be more than nothing"));
    }
    if item.unit_price.is_some_and(Money::is_negative) {
        return Err(Problem::invalid(format!("{field}.unitPrice"), "must not be below zero"));
    }
    if item.modifiers.len() > storebox_core::limits::MODIFIERS_PER_LINE {
        let most = storebox_core::limits::MODIFIERS_PER_LINE;
        return Err(Problem::invalid(format!("{field}.modifiers"), format!("at most {most}")));
    }
    let modifiers = item
        .modifiers
        .into_iter()
        .map(|new| ModifierWish { id: new.modifier_id, name: new.name, price: new.price })
        .collect();
    Ok(LineWish {
        id: LineId::new(now, entropy::for_id()),
        field,
        item_id: item.item_id,
        name: item.name,
        quantity: item.quantity,
        unit_price: item.unit_price,
        modifiers,
        notes: item.notes,
        listed_only: false,
    })
}
