//! Refunds and the books as terminals see them.

use serde::Serialize;
use storebox_core::id::{LineId, OrderId, TenderId};
use storebox_core::money::Money;
use storebox_core::order::{JournalAccount, JournalLine, Order, Refund, TenderKind, journal};
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

/// Money given back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refund)]
pub struct RefundBody {
    /// Names it.
    #[schema(value_type = String, format = Uuid)]
    refund_id: TenderId,
    /// How it was given back.
    #[serde(rename = "type")]
    #[schema(value_type = TenderWord)]
    kind: TenderKind,
    /// How much, tax included.
    #[schema(value_type = i64)]
    amount: Money,
    /// The tax in it.
    #[schema(value_type = i64)]
    tax: Money,
    /// What rounding cash to the smallest coin added to (or, below zero, took from) the amount.
    #[schema(value_type = i64)]
    rounding: Money,
    /// What was brought back.
    items: Vec<ItemBackBody>,
    /// The payment it takes back.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    tender_id: Option<TenderId>,
    /// Slip of a card terminal, number of a gift card.
    #[schema(value_type = Option<String>, required)]
    reference: Option<Name>,
    /// Whether what was brought back can be sold again.
    restock: bool,
    /// Why.
    #[schema(value_type = String)]
    reason: Note,
}

/// Something that was brought back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReturnedItem)]
pub struct ItemBackBody {
    /// Which line.
    #[schema(value_type = String, format = Uuid)]
    line_id: LineId,
    /// How much of it.
    #[schema(value_type = f64)]
    quantity: Quantity,
}

/// An order in the books.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Journal)]
pub struct JournalBody {
    /// The order.
    #[schema(value_type = String, format = Uuid)]
    order_id: OrderId,
    /// Its printed number.
    order_number: String,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    closed_at: Option<Timestamp>,
    /// The lines; together zero.
    lines: Vec<JournalLineBody>,
}

/// A line of a journal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JournalLine)]
pub struct JournalLineBody {
    /// Which account.
    #[schema(value_type = JournalAccountWord)]
    account: JournalAccount,
    /// How it came in or went out.
    #[serde(rename = "type")]
    #[schema(value_type = Option<TenderWord>, required)]
    kind: Option<TenderKind>,
    /// Debits above zero, credits below, in minor units.
    #[schema(value_type = i64)]
    amount: Money,
}

/// Accounts of the journal.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum JournalAccountWord {
    /// What was sold, without tax.
    Sale,
    /// The tax on it.
    Tax,
    /// What guests gave on top.
    Tip,
    /// What rounding cash gained or lost.
    Rounding,
    /// What came in.
    Tender,
    /// What nobody paid.
    Outstanding,
    /// What was given back, without tax.
    Refund,
}

/// How something was paid.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum TenderWord {
    /// Notes and coins.
    Cash,
    /// A card the processor has a token for.
    CardToken,
    /// A card that was new to the store.
    Card,
    /// A stand-alone card terminal.
    Terminal,
    /// A gift card.
    GiftCard,
    /// Loyalty points.
    Loyalty,
}

/// What became of a payment.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum TenderStateWord {
    /// The money is there.
    Captured,
    /// It waits for the cloud; the sale counts as paid.
    Queued,
    /// The processor declined it after the sale.
    Declined,
    /// It was taken back.
    Voided,
}

impl RefundBody {
    /// A refund of an order.
    pub fn new(refund: &Refund) -> Self {
        let back = refund.lines.iter().map(|back| ItemBackBody { line_id: back.line, quantity: back.quantity });
        Self {
            refund_id: refund.id,
            kind: refund.kind,
            amount: refund.amount,
            tax: refund.tax,
            rounding: refund.rounding,
            items: back.collect(),
            tender_id: refund.tender,
            reference: refund.reference.clone(),
            restock: refund.restock,
            reason: refund.reason.clone(),
        }
    }
}

impl JournalBody {
    /// The journal of an order.
    pub fn new(order: &Order) -> Self {
        let line = |line: JournalLine| JournalLineBody { account: line.account, kind: line.kind, amount: line.amount };
        Self {
            order_id: order.id,
            order_number: order.number.to_string(),
            closed_at: order.ended_at,
            lines: journal(order).into_iter().map(line).collect(),
        }
    }
}
