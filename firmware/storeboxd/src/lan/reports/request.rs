//! What terminals ask about reports.

use serde::Deserialize;
use storebox_core::day::Day;
use storebox_core::id::DayCloseId;
use storebox_core::money::Money;
use storebox_core::report::{CloseDay, Dimension, DrawerKind};
use storebox_core::text::Note;
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::entropy;
use crate::lan::problem::Problem;
use crate::lan::query;

/// In what form a report is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For programs.
    #[default]
    Json,
    /// For spreadsheets.
    Csv,
}

/// Which day to report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DayQuery {
    /// The business day; today if not said.
    #[param(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]
    pub day: Option<String>,
    /// `json` (default) or `csv`.
    #[param(value_type = Option<String>, pattern = r"^(json|csv)$")]
    format: Option<Format>,
}

/// Which ends of days to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClosesQuery {
    /// Those after this number.
    #[param(minimum = 0, maximum = 4_294_967_295_u64)]
    pub after: Option<u32>,
    /// At most so many (default 400).
    #[param(minimum = 1, maximum = 400)]
    pub limit: Option<usize>,
}

/// Which sales to report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SalesQuery {
    /// The first business day; the last one if not said.
    #[param(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]
    from: Option<String>,
    /// The last business day; today if not said.
    #[param(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]
    to: Option<String>,
    /// By what; `day` if not said.
    #[param(value_type = Option<String>, pattern = r"^(day|hour|category|item|tender|employee|order_type|tax)$")]
    by: Option<By>,
    /// `json` (default) or `csv`.
    #[param(value_type = Option<String>, pattern = r"^(json|csv)$")]
    format: Option<Format>,
}

/// By what sales are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Business day.
    Day,
    /// Hour of the clock on the wall.
    Hour,
    /// Category.
    Category,
    /// Item.
    Item,
    /// How it was paid.
    Tender,
    /// Who was signed in.
    Employee,
    /// How the guest took it.
    OrderType,
    /// Tax rule.
    Tax,
}

impl By {
    /// The word used on the wire.
    pub const fn word(self) -> &'static str {
        match self.dimension() {
            Some(dimension) => dimension.as_str(),
            None => "day",
        }
    }

    /// The dimension within a day; none for the day itself.
    pub const fn dimension(self) -> Option<Dimension> {
        match self {
            Self::Day => None,
            Self::Hour => Some(Dimension::Hour),
            Self::Category => Some(Dimension::Category),
            Self::Item => Some(Dimension::Item),
            Self::Tender => Some(Dimension::Tender),
            Self::Employee => Some(Dimension::Employee),
            Self::OrderType => Some(Dimension::OrderType),
            Self::Tax => Some(Dimension::Tax),
        }
    }
}

/// Ending the day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndOfDay {
    /// Cash found in the drawer, in minor units.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64)]
    counted_cash: Money,
    /// Cash left in it for the next day; all of it if not said.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    opening_float: Option<Money>,
    /// What there is to say about it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    note: Option<Note>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Counting the opening float.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DrawerFloat)]
pub struct Float {
    /// Cash in the drawer, in minor units.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub amount: Money,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Moving cash without a sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveCash {
    /// How much, in minor units: above zero paid in, below zero paid out.
    #[schema(value_type = i64, minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64)]
    amount: Money,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Note,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

impl DayQuery {
    /// In what form.
    pub fn format(&self) -> Format {
        self.format.unwrap_or_default()
    }
}

impl SalesQuery {
    /// In what form.
    pub fn format(&self) -> Format {
        self.format.unwrap_or_default()
    }

    /// By what.
    pub fn by(&self) -> By {
        self.by.unwrap_or(By::Day)
    }

    /// The first and the last day.
    pub fn days(&self, today: Day) -> Result<(Day, Day), Problem> {
        let to = query::day("to", self.to.as_deref())?.unwrap_or(today);
        let from = query::day("from", self.from.as_deref())?.unwrap_or(to);
        if from > to {
            return Err(Problem::invalid("from", "must not be after to"));
        }
        Ok((from, to))
    }
}

impl EndOfDay {
    /// The wish, with an id made at `now`.
    pub fn into_wish(self, now: Timestamp) -> CloseDay {
        let id = DayCloseId::new(now, entropy::for_id());
        CloseDay { id, counted: self.counted_cash, next_float: self.opening_float, note: self.note }
    }
}

impl MoveCash {
    /// What it is, how much and why.
    pub fn into_parts(self) -> Result<(DrawerKind, Money, Note), Problem> {
        let minor = self.amount.minor();
        let kind = match minor {
            0 => return Err(Problem::invalid("amount", "must not be nothing")),
            ..0 => DrawerKind::PaidOut,
            1.. => DrawerKind::PaidIn,
        };
        Ok((kind, Money::from_minor(minor.saturating_abs()), self.reason))
    }
}
