//! Stock as terminals see it.

use std::fmt::Write as _;

use serde::Serialize;
use storebox_core::id::{DeviceId, EmployeeId, MovementId, OrderId};
use storebox_core::quantity::Quantity;
use storebox_core::stock::{Level, Movement, MovementKind, Review, StockChange};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

/// What there is of an item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockLevel)]
pub struct LevelBody {
    /// The item.
    item_id: String,
    /// Its name as last printed; none if it was never sold.
    #[schema(value_type = Option<String>, required)]
    name: Option<Name>,
    /// How much there is.
    #[schema(value_type = f64)]
    level: Quantity,
    /// At this level it is low.
    #[schema(value_type = Option<f64>, required)]
    low_at: Option<Quantity>,
    /// There is little left.
    low: bool,
    /// Why somebody should look at it.
    #[schema(value_type = Option<ReviewWord>, required)]
    review: Option<&'static str>,
    /// What the last stock-take found beyond (or, below zero, short of) what was expected, until one agrees.
    #[schema(value_type = Option<f64>, required)]
    difference: Option<Quantity>,
    /// How many movements there were.
    movements: u64,
    /// Which of them was the last stock-take.
    #[schema(required)]
    baseline: Option<u64>,
    /// The last movement.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    last_movement_id: Option<MovementId>,
    /// When that was.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Why somebody should look at an item.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum ReviewWord {
    /// More was sold than there was.
    Negative,
    /// A stock-take found something else than was expected.
    Discrepancy,
}

/// A change of stock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockMovement)]
pub struct MovementBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: MovementId,
    /// What moved it.
    #[schema(value_type = MovementWord)]
    kind: MovementKind,
    /// The order it is about.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    order_id: Option<OrderId>,
    /// What moved.
    changes: Vec<ChangeBody>,
    /// With a stock-take: what was counted.
    #[schema(value_type = Option<f64>, required)]
    counted: Option<Quantity>,
    /// What there is to say.
    #[schema(value_type = Option<String>, required)]
    note: Option<Note>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// At which terminal.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// By whom.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    employee_id: Option<EmployeeId>,
}

/// How much of an item moved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockChange)]
pub struct ChangeBody {
    /// Which item.
    #[schema(value_type = String)]
    item_id: Name,
    /// How much more, or below zero, less.
    #[schema(value_type = f64)]
    delta: Quantity,
    /// What there was afterwards.
    #[schema(value_type = f64)]
    level: Quantity,
}

/// What moves stock.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum MovementWord {
    /// It was sold.
    Sale,
    /// It was brought back and can be sold again.
    Return,
    /// It was delivered.
    Receive,
    /// It was thrown away.
    Waste,
    /// It was counted.
    Count,
    /// Somebody knew better.
    Correct,
}

impl LevelBody {
    /// What there is of an item.
    pub fn new(item: &str, level: &Level) -> Self {
        let (review, difference) = match level.review {
            None => (None, None),
            Some(Review::Negative) => (Some("negative"), None),
            Some(Review::Discrepancy { difference }) => (Some("discrepancy"), Some(difference)),
        };
        Self {
            item_id: item.to_owned(),
            name: level.name.clone(),
            level: level.level,
            low_at: level.low_at,
            low: level.is_low(),
            review,
            difference,
            movements: level.movements,
            baseline: level.baseline,
            last_movement_id: level.last,
            updated_at: level.at,
        }
    }
}

impl MovementBody {
    /// A movement.
    pub fn new(movement: &Movement) -> Self {
        let change = |change: &StockChange| ChangeBody {
            item_id: change.item.clone(),
            delta: change.delta,
            level: change.level,
        };
        Self {
            id: movement.id,
            kind: movement.kind,
            order_id: movement.order,
            changes: movement.changes.iter().map(change).collect(),
            counted: movement.counted,
            note: movement.note.clone(),
            at: movement.at,
            device_id: movement.device,
            employee_id: movement.staff,
        }
    }
}

/// Text as it can stand in a header and in a query.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing to a string does not fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}
