//! What terminals send about payments apart from one order.

use serde::Deserialize;
use storebox_core::limits::{ACCOUNTS_PER_REQUEST, FORCED_OFFLINE_MIN, FORCED_OFFLINE_MIN_DEFAULT};
use storebox_core::money::Money;
use storebox_core::payment::{AccountBalance, AccountKey, AccountKind, Fallback};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use crate::lan::orders::{NewTender, Till};
use crate::lan::problem::Problem;
use crate::lan::query;

/// Taking queued payments to the processor.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessQueue {
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Looking after a payment that was declined after the sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FallBack {
    /// What to do.
    action: FallbackWord,
    /// `other_tender`: the payment that takes its place.
    tender: Option<NewTender>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Note,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// What to do about a payment that was declined.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(rename_all = "snake_case")]
pub enum FallbackWord {
    /// The store bears the loss.
    WriteOff,
    /// The guest pays in another way.
    OtherTender,
}

/// Keeping the box from the cloud.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForceMode {
    /// `false` ends it.
    forced: bool,
    /// For how long (default 60).
    #[schema(minimum = 1, maximum = 1440)]
    minutes: Option<u64>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Balances to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadAccounts {
    /// The accounts; those that are not named stay as they are.
    #[schema(max_items = 1000)]
    accounts: Vec<NewBalance>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// The balance of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBalance {
    /// What kind of account it is.
    #[schema(value_type = AccountKindWord)]
    kind: AccountKind,
    /// Its number.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    number: Name,
    /// What is on it, in minor units; of points, what they are worth.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_i64)]
    balance: Money,
}

/// What kind of account it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum AccountKindWord {
    /// A gift card.
    GiftCard,
    /// What a customer's points are worth.
    Loyalty,
}

/// Opening the drawer without a sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenDrawer {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub reason: Note,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

impl FallBack {
    /// What to do, and why.
    pub fn into_parts(self, till: &Till) -> Result<(Fallback, Note), Problem> {
        let fallback = match (self.action, self.tender) {
            (FallbackWord::WriteOff, None) => Fallback::WriteOff,
            (FallbackWord::WriteOff, Some(_)) => {
                return Err(Problem::invalid("tender", "nothing is paid when the loss is written off"));
            }
            (FallbackWord::OtherTender, Some(tender)) => {
                Fallback::OtherTender(Box::new(tender.into_wish("tender".to_owned(), till)?))
            }
            (FallbackWord::OtherTender, None) => {
                return Err(Problem::invalid("tender", "give the payment that takes its place"));
            }
        };
        Ok((fallback, self.reason))
    }
}

impl ForceMode {
    /// When it ends; nothing if it ends now.
    pub fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        let minutes = query::within("minutes", self.minutes, 1..=FORCED_OFFLINE_MIN, FORCED_OFFLINE_MIN_DEFAULT)?;
        Ok(self.forced.then(|| now.plus_millis(minutes.saturating_mul(60_000))))
    }
}

impl LoadAccounts {
    /// The balances.
    pub fn into_balances(self) -> Result<Vec<AccountBalance>, Problem> {
        if self.accounts.len() > ACCOUNTS_PER_REQUEST {
            return Err(Problem::invalid("accounts", format!("at most {ACCOUNTS_PER_REQUEST} in one request")));
        }
        let accounts = self.accounts.into_iter().enumerate().map(|(index, new)| {
            if new.balance.is_negative() {
                return Err(Problem::invalid(format!("accounts[{index}].balance"), "must not be below zero"));
            }
            Ok(AccountBalance { key: AccountKey { kind: new.kind, number: new.number }, balance: new.balance })
        });
        accounts.collect()
    }
}
