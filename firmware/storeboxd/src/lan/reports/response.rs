//! Reports as terminals see them.

use serde::Serialize;
use storebox_core::day::Day;
use storebox_core::id::{DayCloseId, DeviceId, DrawerMovementId, EmployeeId, StoreId};
use storebox_core::money::{Currency, Money};
use storebox_core::quantity::Quantity;
use storebox_core::report::{DayClose, DayState, Dimension, DrawerKind, DrawerMovement, Part, Sums, amount, table};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

/// Totals of one business day, by everything but items.
pub struct PartsOfDay {
    /// Everything.
    pub whole: Vec<Part>,
    /// By hour.
    pub hours: Vec<Part>,
    /// By category.
    pub categories: Vec<Part>,
    /// By kind of payment.
    pub tenders: Vec<Part>,
    /// By employee.
    pub employees: Vec<Part>,
    /// By how guests took it.
    pub order_types: Vec<Part>,
    /// By tax rule.
    pub taxes: Vec<Part>,
}

/// Sums. Money is in minor units.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Sums)]
pub struct SumsBody {
    /// Orders closed; by item, category and tax: lines of them.
    sales: i64,
    /// How much was sold.
    #[schema(value_type = f64)]
    quantity: Quantity,
    /// Prices before discounts.
    #[schema(value_type = i64)]
    gross: Money,
    /// What promotions took off.
    #[schema(value_type = i64)]
    discount: Money,
    /// What is left without tax.
    #[schema(value_type = i64)]
    net: Money,
    /// The tax on or in it.
    #[schema(value_type = i64)]
    tax: Money,
    /// What guests owed: net and tax.
    #[schema(value_type = i64)]
    total: Money,
    /// How often money was given back.
    refunds: i64,
    /// How much was brought back.
    #[schema(value_type = f64)]
    returned: Quantity,
    /// What was given back, tax included.
    #[schema(value_type = i64)]
    refunded: Money,
    /// The tax in it.
    #[schema(value_type = i64)]
    refunded_tax: Money,
    /// Orders voided.
    voids: i64,
    /// What they would have cost.
    #[schema(value_type = i64)]
    voided: Money,
    /// Payments taken and not taken back.
    payments: i64,
    /// What they paid of orders.
    #[schema(value_type = i64)]
    paid: Money,
    /// What guests gave on top.
    #[schema(value_type = i64)]
    tips: Money,
    /// What rounding cash added or took.
    #[schema(value_type = i64)]
    rounding: Money,
}

/// One of the totals of a report.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportPart)]
pub struct PartBody {
    /// Of what; empty for what has no item, category or employee.
    #[schema(value_type = String)]
    key: Name,
    /// Its name, if it has one besides the key.
    #[schema(value_type = Option<String>, required)]
    name: Option<Name>,
    /// The sums.
    #[serde(flatten)]
    sums: SumsBody,
}

/// A business day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DayReport)]
pub struct DayBody {
    /// Which.
    #[schema(format = Date)]
    day: String,
    /// Everything.
    totals: SumsBody,
    /// By hour of the clock on the wall.
    hours: Vec<PartBody>,
    /// By category.
    categories: Vec<PartBody>,
    /// By how it was paid, or given back.
    tenders: Vec<PartBody>,
    /// By who was signed in.
    employees: Vec<PartBody>,
    /// By how guests took it.
    order_types: Vec<PartBody>,
    /// By tax rule: parts per million, and `+` if it was added to prices.
    taxes: Vec<PartBody>,
    /// Today only: everything since the last end of a day.
    #[schema(required)]
    running: Option<RunningBody>,
}

/// What the end of the day would hold now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunningDay)]
pub struct RunningBody {
    /// The number the next end of a day gets.
    next_number: u32,
    /// When the last one was; 1970 if there was none.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Everything since.
    totals: SumsBody,
    /// By how it was paid, or given back.
    tenders: Vec<PartBody>,
    /// By tax rule.
    taxes: Vec<PartBody>,
    /// Cash in the drawer at the beginning.
    #[schema(value_type = i64)]
    opening_float: Money,
    /// Cash put in since.
    #[schema(value_type = i64)]
    paid_in: Money,
    /// Cash taken out since.
    #[schema(value_type = i64)]
    paid_out: Money,
    /// Cash that should be in the drawer.
    #[schema(value_type = i64)]
    expected_cash: Money,
    /// Orders that are open.
    open_orders: u64,
}

/// The end of a business day (Z report).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DayClose)]
pub struct DayCloseBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: DayCloseId,
    /// Counts them from 1, without gaps.
    number: u32,
    /// The store.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// The business day it was made on.
    #[schema(format = Date)]
    day: String,
    /// When the one before was made; 1970 for the first.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Everything.
    totals: SumsBody,
    /// By how it was paid, or given back.
    tenders: Vec<PartBody>,
    /// By tax rule.
    taxes: Vec<PartBody>,
    /// Cash in the drawer at the beginning.
    #[schema(value_type = i64)]
    opening_float: Money,
    /// Cash put in.
    #[schema(value_type = i64)]
    paid_in: Money,
    /// Cash taken out.
    #[schema(value_type = i64)]
    paid_out: Money,
    /// Cash that should be in the drawer.
    #[schema(value_type = i64)]
    expected_cash: Money,
    /// Cash that is.
    #[schema(value_type = i64)]
    counted_cash: Money,
    /// What is there beyond (or, below zero, short of) what should be.
    #[schema(value_type = i64)]
    difference: Money,
    /// What stays in the drawer for the next day.
    #[schema(value_type = i64)]
    next_float: Money,
    /// All sales since the beginning of the store, less what was given back.
    #[schema(value_type = i64)]
    grand_total: Money,
    /// Orders that were open.
    open_orders: u64,
    /// What there is to say about it.
    #[schema(value_type = Option<String>, required)]
    note: Option<Note>,
    /// At which terminal.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// By whom.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    employee_id: Option<EmployeeId>,
}

/// Cash that went into or out of the drawer without a sale.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DrawerMovement)]
pub struct DrawerMovementBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: DrawerMovementId,
    /// What it was.
    #[serde(rename = "type")]
    #[schema(value_type = DrawerWord)]
    kind: DrawerKind,
    /// How much, in minor units.
    #[schema(value_type = i64)]
    amount: Money,
    /// Why.
    #[schema(value_type = Option<String>, required)]
    reason: Option<Note>,
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

/// What moved cash.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum DrawerWord {
    /// The opening float was counted.
    Float,
    /// Put in.
    PaidIn,
    /// Taken out.
    PaidOut,
}

impl SumsBody {
    fn new(sums: &Sums) -> Self {
        Self {
            sales: sums.sales,
            quantity: sums.quantity,
            gross: sums.gross,
            discount: sums.discount,
            net: sums.net,
            tax: sums.tax,
            total: sums.total(),
            refunds: sums.refunds,
            returned: sums.returned,
            refunded: sums.refunded,
            refunded_tax: sums.refunded_tax,
            voids: sums.voids,
            voided: sums.voided,
            payments: sums.payments,
            paid: sums.paid,
            tips: sums.tips,
            rounding: sums.rounding,
        }
    }
}

impl PartBody {
    /// A total.
    pub fn new(part: &Part) -> Self {
        Self { key: part.key.clone(), name: part.total.name.clone(), sums: SumsBody::new(&part.total.sums) }
    }
}

impl DayBody {
    /// A day's totals, and what runs.
    pub fn new(day: Day, parts: PartsOfDay, running: Option<RunningBody>) -> Self {
        Self {
            day: day.to_string(),
            totals: parts.whole.first().map(|part| SumsBody::new(&part.total.sums)).unwrap_or_default(),
            hours: all(&parts.hours),
            categories: all(&parts.categories),
            tenders: all(&parts.tenders),
            employees: all(&parts.employees),
            order_types: all(&parts.order_types),
            taxes: all(&parts.taxes),
            running,
        }
    }
}

impl RunningBody {
    /// What runs.
    pub fn new(state: &DayState) -> Self {
        Self {
            next_number: state.period.last_number.saturating_add(1),
            since: state.period.since,
            totals: SumsBody::new(&state.whole),
            tenders: all(&state.tenders),
            taxes: all(&state.taxes),
            opening_float: state.period.opening_float,
            paid_in: state.period.paid_in,
            paid_out: state.period.paid_out,
            expected_cash: state.period.expected(&state.cash()),
            open_orders: state.open_orders,
        }
    }
}

impl DayCloseBody {
    /// An end of a day of this store.
    pub fn new(close: &DayClose, store_id: StoreId) -> Self {
        Self {
            id: close.id,
            number: close.number,
            store_id,
            day: close.day.to_string(),
            from: close.from,
            to: close.to,
            totals: SumsBody::new(&close.totals),
            tenders: all(&close.tenders),
            taxes: all(&close.taxes),
            opening_float: close.opening_float,
            paid_in: close.paid_in,
            paid_out: close.paid_out,
            expected_cash: close.expected,
            counted_cash: close.counted,
            difference: close.difference(),
            next_float: close.next_float,
            grand_total: close.grand_total,
            open_orders: close.open_orders,
            note: close.note.clone(),
            device_id: close.device,
            employee_id: close.staff,
        }
    }
}

impl DrawerMovementBody {
    /// A movement.
    pub fn new(movement: &DrawerMovement) -> Self {
        Self {
            id: movement.id,
            kind: movement.kind,
            amount: movement.amount,
            reason: movement.reason.clone(),
            at: movement.at,
            device_id: movement.device,
            employee_id: movement.staff,
        }
    }
}

/// A day as a table for spreadsheets: amounts in the currency's main unit.
pub fn day_table(parts: &PartsOfDay, currency: Currency) -> String {
    let sections = [
        (Dimension::Whole, &parts.whole),
        (Dimension::Hour, &parts.hours),
        (Dimension::Category, &parts.categories),
        (Dimension::Tender, &parts.tenders),
        (Dimension::Employee, &parts.employees),
        (Dimension::OrderType, &parts.order_types),
        (Dimension::Tax, &parts.taxes),
    ];
    let rows = sections
        .into_iter()
        .flat_map(|(dimension, parts)| parts.iter().map(move |part| row(Some(dimension.as_str()), part, currency)));
    table(std::iter::once("section").chain(["key"]).chain(HEADING), rows)
}

/// Totals as a table for spreadsheets: amounts in the currency's main unit.
pub fn parts_table(by: &str, parts: &[Part], currency: Currency) -> String {
    table(std::iter::once(by).chain(HEADING), parts.iter().map(|part| row(None, part, currency)))
}

const HEADING: [&str; 18] = [
    "name",
    "sales",
    "quantity",
    "gross",
    "discount",
    "net",
    "tax",
    "total",
    "refunds",
    "returned",
    "refunded",
    "refunded_tax",
    "voids",
    "voided",
    "payments",
    "paid",
    "tips",
    "rounding",
];

fn row(section: Option<&str>, part: &Part, currency: Currency) -> Vec<String> {
    let sums = part.total.sums;
    let money = |value| amount(value, currency);
    let name = part.total.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut row: Vec<String> = section.map(str::to_owned).into_iter().collect();
    row.extend([
        part.key.to_string(),
        name,
        sums.sales.to_string(),
        sums.quantity.to_string(),
        money(sums.gross),
        money(sums.discount),
        money(sums.net),
        money(sums.tax),
        money(sums.total()),
        sums.refunds.to_string(),
        sums.returned.to_string(),
        money(sums.refunded),
        money(sums.refunded_tax),
        sums.voids.to_string(),
        money(sums.voided),
        sums.payments.to_string(),
        money(sums.paid),
        money(sums.tips),
        money(sums.rounding),
    ]);
    row
}

fn all(parts: &[Part]) -> Vec<PartBody> {
    parts.iter().map(PartBody::new).collect()
}
