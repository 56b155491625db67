//! Orders as terminals see them.

use serde::Serialize;
use storebox_core::id::{DeviceId, LineId, OrderId, StoreId, TenderId};
use storebox_core::money::Money;
use storebox_core::order::{
    Modifier, Order, OrderLine, OrderType, PaymentStatus, Pricing, Status, Tender, TenderKind, TenderState,
};
use storebox_core::outbox::SyncStatus;
use storebox_core::payment::LastFour;
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use super::books::{RefundBody, TenderStateWord, TenderWord};
use super::request::OrderTypeWord;

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub struct OrderBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: OrderId,
    /// The terminal's own name for it.
    #[schema(value_type = Option<String>, required)]
    client_id: Option<Name>,
    /// What is printed on the check.
    order_number: String,
    /// The store that made it.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// The terminal that opened it.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// The table.
    #[schema(value_type = Option<String>, required)]
    table_id: Option<Name>,
    /// How the guest takes it.
    #[schema(value_type = OrderTypeWord)]
    order_type: OrderType,
    /// The customer.
    #[schema(value_type = Option<String>, required)]
    customer_id: Option<Name>,
    /// For whoever serves it.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
    /// Where it stands.
    #[schema(value_type = StatusWord)]
    status: Status,
    /// How much of it is paid.
    #[schema(value_type = PaymentStatusWord)]
    payment_status: PaymentStatus,
    /// What was ordered.
    items: Vec<ItemBody>,
    /// The sum of the lines, in minor units.
    #[schema(value_type = i64)]
    subtotal: Money,
    /// The tax on or in them.
    #[schema(value_type = i64)]
    tax: Money,
    /// What is to be paid.
    #[schema(value_type = i64)]
    total: Money,
    /// Payments applied.
    tenders: Vec<TenderBody>,
    /// What was paid: the amounts of all payments that were neither declined nor voided.
    #[schema(value_type = i64)]
    paid: Money,
    /// What is still to be paid.
    #[schema(value_type = i64)]
    due: Money,
    /// What was given back as change.
    #[schema(value_type = i64)]
    change: Money,
    /// Money given back after the sale.
    refunds: Vec<RefundBody>,
    /// How much of it in all.
    #[schema(value_type = i64)]
    refunded: Money,
    /// Why it was voided.
    #[schema(value_type = Option<String>, required)]
    void_reason: Option<Note>,
    /// Number of changes, for `If-Match`.
    version: u32,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was closed or voided.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    closed_at: Option<Timestamp>,
    /// Where it stands on its way to the cloud.
    #[schema(value_type = SyncStatusWord)]
    sync_status: SyncStatus,
    /// When the cloud had it.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    synced_at: Option<Timestamp>,
    /// What the cloud said against it.
    #[schema(required)]
    sync_error: Option<String>,
    /// How often the cloud answered for it.
    sync_attempts: u32,
}

/// A line.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Item)]
pub struct ItemBody {
    /// Names the line.
    #[schema(value_type = String, format = Uuid)]
    line_id: LineId,
    /// The item.
    #[schema(value_type = String)]
    item_id: Name,
    /// Its name as printed.
    #[schema(value_type = String)]
    name: Name,
    /// How much of it.
    #[schema(value_type = f64)]
    quantity: Quantity,
    /// The price of one without modifiers.
    #[schema(value_type = i64)]
    unit_price: Money,
    /// Additions and omissions.
    modifiers: Vec<ModifierBody>,
    /// For the kitchen.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
    /// The price of the line.
    #[schema(value_type = i64)]
    line_total: Money,
    /// Name and price are the terminal's word.
    open_item: bool,
    /// The kitchen knows about all of it.
    sent: bool,
    /// The price is the terminal's word and differs from the catalogue's.
    price_override: bool,
    /// The catalogue's price of one when it was ordered; none of an open item.
    #[schema(value_type = Option<i64>, required)]
    listed_price: Option<Money>,
    /// What a promotion takes off; it is in `lineTotal` already.
    #[schema(required)]
    discount: Option<DiscountBody>,
    /// The category it is counted under.
    #[schema(value_type = Option<String>, required)]
    category: Option<Name>,
}

/// What a promotion takes off a line.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Discount)]
pub struct DiscountBody {
    /// The promotion.
    #[schema(value_type = String)]
    promotion_id: Name,
    /// Its name as printed.
    #[schema(value_type = String)]
    name: Name,
    /// How much it takes off the line.
    #[schema(value_type = i64)]
    amount: Money,
}

/// An addition or omission.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Modifier)]
pub struct ModifierBody {
    /// The modifier.
    #[schema(value_type = Option<String>, required)]
    modifier_id: Option<Name>,
    /// Its name as printed.
    #[schema(value_type = String)]
    name: Name,
    /// What it adds to the price of one.
    #[schema(value_type = i64)]
    price: Money,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tender)]
pub struct TenderBody {
    /// Names the payment.
    #[schema(value_type = String, format = Uuid)]
    tender_id: TenderId,
    /// How it was paid.
    #[serde(rename = "type")]
    #[schema(value_type = TenderWord)]
    kind: TenderKind,
    /// What it pays of the order.
    #[schema(value_type = i64)]
    amount: Money,
    /// What was handed over, or charged.
    #[schema(value_type = i64)]
    tendered: Money,
    /// What was given back.
    #[schema(value_type = i64)]
    change: Money,
    /// What the guest gave on top.
    #[schema(value_type = i64)]
    tip: Money,
    /// What rounding cash to the smallest coin added to (or, below zero, took from) the amount.
    #[schema(value_type = i64)]
    rounding: Money,
    /// Slip of a card terminal, number of a gift card, queued card payment.
    #[schema(value_type = Option<String>, required)]
    reference: Option<Name>,
    /// The card's last four digits.
    #[schema(value_type = Option<String>, required)]
    card_last_four: Option<LastFour>,
    /// How many loyalty points it took.
    #[schema(required)]
    points: Option<u32>,
    /// What became of it.
    #[schema(value_type = TenderStateWord)]
    status: TenderState,
    /// Somebody has to sign for it.
    signature_required: bool,
}

/// Where an order stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum StatusWord {
    /// Open; the kitchen knows nothing of it.
    Pending,
    /// Sent to the kitchen.
    Confirmed,
    /// The kitchen works on it.
    Preparing,
    /// The kitchen is done.
    Ready,
    /// Paid and over.
    Completed,
    /// Cancelled and over.
    Voided,
}

/// How much of an order is paid.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum PaymentStatusWord {
    /// Nothing.
    Unpaid,
    /// Some of it.
    Partial,
    /// All of it.
    Paid,
    /// Paid and given back.
    Refunded,
}

/// Where a record stands on its way to the cloud.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum SyncStatusWord {
    /// Not sent yet.
    Pending,
    /// The cloud has it.
    Synced,
    /// The cloud has something else.
    Conflict,
    /// The cloud refused it.
    Error,
}

impl OrderBody {
    /// An order of this store.
    pub fn new(order: &Order, store_id: StoreId) -> Self {
        Self {
            id: order.id,
            client_id: order.client_id.clone(),
            order_number: order.number.to_string(),
            store_id,
            device_id: order.opened_by,
            table_id: order.header.table_id.clone(),
            order_type: order.header.order_type,
            customer_id: order.header.customer_id.clone(),
            notes: order.header.notes.clone(),
            status: order.status,
            payment_status: order.payment_status(),
            items: order.lines.iter().map(ItemBody::new).collect(),
            subtotal: order.totals.subtotal,
            tax: order.totals.tax,
            total: order.totals.total,
            tenders: order.tenders.iter().map(TenderBody::new).collect(),
            paid: order.paid().unwrap_or_default(),
            due: order.due().unwrap_or_default(),
            change: Money::sum(order.counted_tenders().map(|tender| Some(tender.change))).unwrap_or_default(),
            refunds: order.refunds.iter().map(RefundBody::new).collect(),
            refunded: order.refunded().unwrap_or_default(),
            void_reason: order.void_reason.clone(),
            version: order.version,
            created_at: order.opened_at,
            updated_at: order.updated_at,
            closed_at: order.ended_at,
            // Nothing has taken it to a cloud yet.
            sync_status: SyncStatus::Pending,
            synced_at: None,
            sync_error: None,
            sync_attempts: 0,
        }
    }
}

impl ItemBody {
    fn new(line: &OrderLine) -> Self {
        let sent = line.is_sent();
        let line = &line.line;
        Self {
            line_id: line.id,
            item_id: line.item_id.clone(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            modifiers: line.modifiers.iter().map(ModifierBody::new).collect(),
            notes: line.notes.clone(),
            line_total: line.total().unwrap_or_default(),
            open_item: line.pricing == Pricing::OpenItem,
            sent,
            price_override: matches!(line.pricing, Pricing::Override { .. }),
            listed_price: match line.pricing {
                Pricing::OpenItem => None,
                Pricing::Catalogue => Some(line.unit_price),
                Pricing::Override { listed } => Some(listed),
            },
            discount: line.discount.as_ref().map(|discount| DiscountBody {
                promotion_id: discount.promotion.clone(),
                name: discount.name.clone(),
                amount: line.reduced_by().unwrap_or_default(),
            }),
            category: line.category.clone(),
        }
    }
}

impl ModifierBody {
    fn new(modifier: &Modifier) -> Self {
        Self { modifier_id: modifier.id.clone(), name: modifier.name.clone(), price: modifier.price }
    }
}

impl TenderBody {
    fn new(tender: &Tender) -> Self {
        Self {
            tender_id: tender.id,
            kind: tender.kind,
            amount: tender.amount,
            tendered: tender.tendered,
            change: tender.change,
            tip: tender.tip,
            rounding: tender.rounding,
            reference: tender.reference.clone(),
            card_last_four: tender.last_four.clone(),
            points: tender.points,
            status: tender.state,
            signature_required: tender.signature_required,
        }
    }
}
