//! Payments that wait for the cloud as terminals see them: never the token.

use serde::Serialize;
use storebox_core::id::{CardPaymentId, DeviceId, EmployeeId, OrderId, StoreId, TenderId};
use storebox_core::money::Money;
use storebox_core::order::TenderKind;
use storebox_core::payment::{
    Account, AccountKind, CardPayment, CardPolicy, CardStatus, Forced, LastFour, Limits, Policy,
};
use storebox_core::settings::Connectivity;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use super::request::AccountKindWord;
use crate::lan::orders::TenderWord;

/// A card payment that waits for the cloud.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CardPayment)]
pub struct PaymentBody {
    /// Names it.
    #[schema(value_type = String, format = Uuid)]
    id: CardPaymentId,
    /// The store it was taken in.
    #[schema(value_type = String, format = Uuid)]
    location_id: StoreId,
    /// What was paid with it.
    #[schema(value_type = String, format = Uuid)]
    order_id: OrderId,
    /// As which payment of that order.
    #[schema(value_type = String, format = Uuid)]
    tender_id: TenderId,
    /// The terminal that took it.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// What the card is charged, tip included, in minor units.
    #[schema(value_type = i64)]
    amount: Money,
    /// Stored token or new card.
    #[schema(value_type = TenderWord)]
    payment_method: TenderKind,
    /// The card's last four digits.
    #[schema(value_type = Option<String>, required)]
    card_last_four: Option<LastFour>,
    /// Where it stands.
    #[schema(value_type = CardStatusWord)]
    status: CardStatus,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    queued_at: Timestamp,
    /// When the processor decided.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    processed_at: Option<Timestamp>,
    /// How often the processor was asked.
    attempts: u32,
    /// When it was last asked.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_attempt: Option<Timestamp>,
    /// Its last answer.
    #[schema(value_type = Option<String>, required)]
    processor_response: Option<Note>,
    /// Somebody had to sign for it.
    signature_required: bool,
    /// It was declined after the sale: somebody has to look after the money.
    fallback_required: bool,
    /// Somebody has.
    fallback_handled: bool,
    /// Who.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    handled_by: Option<EmployeeId>,
    /// The payment of the order that took its place.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    replaced_by: Option<TenderId>,
    /// Number of changes.
    version: u32,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Where a card payment stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum CardStatusWord {
    /// It waits.
    Queued,
    /// The processor was asked.
    Processing,
    /// The money is there.
    Completed,
    /// The processor could not say; it is asked again.
    Failed,
    /// The processor said no.
    Declined,
    /// It was taken back before anybody was asked.
    Voided,
}

/// How the box stands with the cloud, and what it takes meanwhile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfflineMode)]
pub struct ModeBody {
    /// How the box stands with the cloud.
    #[schema(value_type = OfflineModeWord)]
    mode: Connectivity,
    /// Since when it is kept from the cloud.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    since: Option<Timestamp>,
    /// It is kept from the cloud by hand.
    forced: bool,
    /// When that ends by itself.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    forced_until: Option<Timestamp>,
    /// Cards that are new to the store.
    #[schema(value_type = CardPolicyWord)]
    card_policy: CardPolicy,
    /// Cards the processor has a token for.
    #[schema(value_type = CardPolicyWord)]
    token_policy: CardPolicy,
    /// What may be queued; nothing is without it.
    #[schema(required)]
    limits: Option<LimitsBody>,
    /// What waits for the cloud, in minor units.
    #[schema(value_type = i64)]
    queued_total: Money,
    /// Card payments that somebody still has something to do about.
    open_payments: u64,
}

/// The bounds of what may be queued, in minor units.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfflineLimits)]
pub struct LimitsBody {
    /// One payment.
    #[schema(value_type = i64)]
    per_transaction: Money,
    /// One card on one business day.
    #[schema(value_type = i64)]
    per_card_per_day: Money,
    /// Everything that waits.
    #[schema(value_type = i64)]
    total_queued: Money,
    /// Above this somebody has to sign.
    #[schema(value_type = i64)]
    require_signature_above: Money,
}

/// What is done with a card while no bank can be asked.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum CardPolicyWord {
    /// It is not taken.
    Deny,
    /// The payment waits for the cloud, within the limits.
    Queue,
    /// It goes through a card terminal of its own.
    Terminal,
}

/// How the box stands with the cloud.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum OfflineModeWord {
    /// No cloud is configured: nothing is missing.
    LocalOnly,
    /// A cloud is configured and cannot be reached, or must not be.
    Offline,
}

/// A gift card or loyalty account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub struct AccountBody {
    /// What kind it is.
    #[schema(value_type = AccountKindWord)]
    kind: AccountKind,
    /// Its number.
    #[schema(value_type = String)]
    number: Name,
    /// What is on it by the last word from outside, in minor units.
    #[schema(value_type = i64)]
    balance: Money,
    /// What was spent here since; below zero if more was given back.
    #[schema(value_type = i64)]
    held: Money,
    /// What can be spent.
    #[schema(value_type = i64)]
    available: Money,
    /// When it last changed here.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl PaymentBody {
    /// A card payment of this store.
    pub fn new(payment: &CardPayment, store: StoreId) -> Self {
        Self {
            id: payment.id,
            location_id: store,
            order_id: payment.order,
            tender_id: payment.tender,
            device_id: payment.device,
            amount: payment.amount,
            payment_method: payment.method,
            card_last_four: payment.last_four.clone(),
            status: payment.status,
            queued_at: payment.queued_at,
            processed_at: payment.processed_at,
            attempts: payment.attempts,
            last_attempt: payment.last_attempt,
            processor_response: payment.response.clone(),
            signature_required: payment.signature_required,
            fallback_required: payment.fallback_required,
            fallback_handled: payment.fallback_handled,
            handled_by: payment.handled_by,
            replaced_by: payment.replaced_by,
            version: payment.version,
            created_at: payment.queued_at,
        }
    }
}

impl ModeBody {
    /// How it stands. `forced` is given only while it holds.
    pub fn new(mode: Connectivity, forced: Option<Forced>, policy: &Policy, queued: Money, waiting: u64) -> Self {
        Self {
            mode: if forced.is_some() { Connectivity::Offline } else { mode },
            since: forced.map(|forced| forced.since),
            forced: forced.is_some(),
            forced_until: forced.map(|forced| forced.until),
            card_policy: policy.new_cards,
            token_policy: policy.stored_cards,
            limits: policy.limits.as_ref().map(LimitsBody::new),
            queued_total: queued,
            open_payments: waiting,
        }
    }
}

impl LimitsBody {
    fn new(limits: &Limits) -> Self {
        Self {
            per_transaction: limits.per_transaction,
            per_card_per_day: limits.per_card_per_day,
            total_queued: limits.total_queued,
            require_signature_above: limits.signature_above,
        }
    }
}

impl AccountBody {
    /// What is known of an account.
    pub fn new(account: &Account) -> Self {
        Self {
            kind: account.key.kind,
            number: account.key.number.clone(),
            balance: account.balance,
            held: account.held,
            available: account.available(),
            updated_at: account.updated_at,
        }
    }
}
