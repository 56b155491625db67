//! What terminals send about payments and refunds.

use serde::Deserialize;
use storebox_core::id::{CardPaymentId, LineId, TenderId};
use storebox_core::limits::{CARD_BLOB_CHARS, CARD_TOKEN_CHARS, TIP_MAX_MINOR};
use storebox_core::money::Money;
use storebox_core::order::{Expected, Means, RefundLine, RefundWish, TenderKind, TenderWish};
use storebox_core::payment::{CardHash, CardOffered, LastFour};
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note, Text};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use crate::entropy;
use crate::lan::body::sha256;
use crate::lan::payment_key::PaymentKey;
use crate::lan::problem::Problem;

/// What it takes to read a payment: when it is, and what seals card tokens.
pub struct Till<'a> {
    /// When the request came.
    pub now: Timestamp,
    /// Seals card tokens.
    pub key: &'a PaymentKey,
}

/// A request body with the members of a payment, and more.
macro_rules! tender_body {
    ($(#[$about:meta])* $name:ident { $($more:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            /// How it is paid.
            #[serde(rename = "type")]
            kind: NewTenderWord,
            /// Cash: how much is handed over, tip included; what is over is change. Anything else: what it pays of the order.
            /// In minor units.
            #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_i64)]
            amount: Money,
            /// What the guest gives on top, in minor units.
            #[serde(default)]
            #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000)]
            tip: Money,
            /// `card_token`, `card`: the processor's token.
            #[schema(value_type = Option<String>, min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
            token: Option<Text<CARD_TOKEN_CHARS>>,
            /// `card`: what the reader encrypted, instead of a token.
            #[schema(value_type = Option<String>, min_length = 1, max_length = 4096, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
            encrypted_blob: Option<Text<CARD_BLOB_CHARS>>,
            /// Cards: the last four digits, for receipts; with `encryptedBlob` they are needed.
            #[schema(value_type = Option<String>, pattern = r"^[0-9]{4}$", min_length = 4, max_length = 4)]
            card_last_four: Option<LastFour>,
            /// `terminal`: the number on the card terminal's slip.
            #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
            slip: Option<Name>,
            /// `gift_card`: its number.
            #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
            number: Option<Name>,
            /// `loyalty`: whose points.
            #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
            account: Option<Name>,
            /// `loyalty`: how many points that takes.
            points: Option<u32>,
            $($more)*
        }
    };
}

tender_body!(
    /// A payment. Which members it needs depends on its type.
    NewTender {}
);

tender_body!(
    /// A payment of an order. Which members it needs depends on its type.
    AddTender {
        /// The version seen.
        #[schema(minimum = 1)]
        version: Option<u32>,
        /// The idempotency key, for clients that cannot set headers.
        #[serde(rename = "_idempotencyKey", default)]
        #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
        _idempotency_key: Option<String>,
    }
);

/// How something is paid.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(rename_all = "snake_case")]
pub enum NewTenderWord {
    /// Notes and coins.
    Cash,
    /// A card the processor has a token for.
    CardToken,
    /// A card that is new to the store.
    Card,
    /// A stand-alone card terminal.
    Terminal,
    /// A gift card.
    GiftCard,
    /// Loyalty points.
    Loyalty,
    /// Takes the cloud.
    MobileMoney,
    /// Takes the cloud.
    PrepaidCredit,
}

/// Taking a payment back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoidTender {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Note,
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Giving money back: for what is brought back, or an amount; with neither, everything that is left.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundOrder {
    /// What is brought back.
    #[serde(default)]
    #[schema(max_items = 500)]
    items: Vec<ItemBack>,
    /// How much is given back, if not what the items are worth; in minor units, tax included.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount: Option<Money>,
    /// How it is given back.
    #[serde(rename = "type")]
    kind: NewTenderWord,
    /// The payment it takes back; needed for a gift card or points if the order has several such payments.
    #[schema(value_type = Option<String>, format = Uuid)]
    tender_id: Option<TenderId>,
    /// `terminal`: the number on the card terminal's slip.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    slip: Option<Name>,
    /// Whether what is brought back can be sold again.
    #[serde(default)]
    restock: bool,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    reason: Note,
    /// The version seen.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Something that is brought back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemBack {
    /// Which line.
    #[schema(value_type = String, format = Uuid)]
    line_id: LineId,
    /// How much of it.
    #[schema(value_type = f64, exclusive_minimum = 0, maximum = 100_000, multiple_of = 0.001)]
    quantity: Quantity,
}

impl NewTender {
    /// The payment; `field` is where it stands in the request.
    pub fn into_wish(self, field: String, till: &Till) -> Result<TenderWish, Problem> {
        if self.amount <= Money::ZERO {
            return Err(Problem::invalid(at(&field, "amount"), "must be more than nothing"));
        }
        if self.tip.is_negative() || self.tip.minor() > TIP_MAX_MINOR {
            let rule = format!("must be between 0 and {TIP_MAX_MINOR} minor units");
            return Err(Problem::invalid(at(&field, "tip"), rule));
        }
        if let Some(digits) = &self.card_last_four
            && !(digits.as_str().len() == 4 && digits.as_str().bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(Problem::invalid(at(&field, "cardLastFour"), "must be four digits"));
        }
        let (amount, tip, kind) = (self.amount, self.tip, self.kind);
        self.refuse_strangers(&field)?;
        let needed = |member: &str, what: &str| Problem::invalid(at(&field, member), what.to_owned());
        let means = match kind {
            NewTenderWord::Cash => Means::Cash,
            NewTenderWord::CardToken => {
                let token = self.token.ok_or_else(|| needed("token", "give the processor's token"))?;
                Means::CardToken(till.card(token.as_str(), token.as_str(), self.card_last_four)?)
            }
            NewTenderWord::Card => Means::Card(match (self.token, self.encrypted_blob, self.card_last_four) {
                (Some(token), None, last_four) => till.card(token.as_str(), token.as_str(), last_four)?,
                // A reader encrypts the same card differently every time: what it prints tells cards apart.
                (None, Some(blob), Some(last_four)) => {
                    till.card(blob.as_str(), &format!("last four {last_four}"), Some(last_four))?
                }
                (None, Some(_), None) => {
                    return Err(needed("cardLastFour", "give the last four digits with what the reader encrypted"));
                }
                (Some(_), Some(_), _) | (None, None, _) => {
                    return Err(needed("token", "give the processor's token or what the reader encrypted, not both"));
                }
            }),
            NewTenderWord::Terminal => Means::Terminal {
                slip: self.slip.ok_or_else(|| needed("slip", "give the number on the card terminal's slip"))?,
                last_four: self.card_last_four,
            },
            NewTenderWord::GiftCard => {
                Means::GiftCard { number: self.number.ok_or_else(|| needed("number", "give the gift card's number"))? }
            }
            NewTenderWord::Loyalty => Means::Loyalty {
                account: self.account.ok_or_else(|| needed("account", "say whose points"))?,
                points: self.points,
            },
            NewTenderWord::MobileMoney => return Err(Problem::cloud_required("a payment with mobile money")),
            NewTenderWord::PrepaidCredit => return Err(Problem::cloud_required("a payment with prepaid credit")),
        };
        Ok(TenderWish { id: TenderId::new(till.now, entropy::for_id()), field, amount, tip, means })
    }

    /// A member that belongs to another type of payment is a mistake: the money would go elsewhere.
    fn refuse_strangers(&self, field: &str) -> Result<(), Problem> {
        use NewTenderWord::{Card, CardToken, GiftCard, Loyalty, Terminal};
        let given = [
            ("token", self.token.is_some(), matches!(self.kind, CardToken | Card)),
            ("encryptedBlob", self.encrypted_blob.is_some(), matches!(self.kind, Card)),
            ("cardLastFour", self.card_last_four.is_some(), matches!(self.kind, CardToken | Card | Terminal)),
            ("slip", self.slip.is_some(), matches!(self.kind, Terminal)),
            ("number", self.number.is_some(), matches!(self.kind, GiftCard)),
            ("account", self.account.is_some(), matches!(self.kind, Loyalty)),
            ("points", self.points.is_some(), matches!(self.kind, Loyalty)),
        ];
        match given.into_iter().find(|(_, given, fits)| *given && !fits) {
            Some((member, ..)) => Err(Problem::invalid(at(field, member), "does not belong to a payment of this type")),
            None => Ok(()),
        }
    }
}

impl Till<'_> {
    fn card(&self, secret: &str, names_card: &str, last_four: Option<LastFour>) -> Result<CardOffered, Problem> {
        let payment = CardPaymentId::new(self.now, entropy::for_id());
        let sealed = self.key.seal(secret.as_bytes(), payment).map_err(|error| {
            log::error!("a card token cannot be sealed: {error}");
            Problem::unavailable("cards cannot be taken right now: the box cannot keep their tokens safe")
        })?;
        let card: CardHash = sha256(names_card.as_bytes());
        Ok(CardOffered { payment, card, sealed, last_four })
    }
}

impl AddTender {
    /// The payment and what the terminal expects.
    pub fn into_parts(self, till: &Till) -> Result<(TenderWish, Expected), Problem> {
        let expected = Expected { version: self.version, updated_at: None };
        let tender = NewTender {
            kind: self.kind,
            amount: self.amount,
            tip: self.tip,
            token: self.token,
            encrypted_blob: self.encrypted_blob,
            card_last_four: self.card_last_four,
            slip: self.slip,
            number: self.number,
            account: self.account,
            points: self.points,
        };
        Ok((tender.into_wish(String::new(), till)?, expected))
    }
}

impl VoidTender {
    /// The reason and what the terminal expects.
    pub fn into_parts(self) -> (Note, Expected) {
        (self.reason, Expected { version: self.version, updated_at: None })
    }
}

impl RefundOrder {
    /// The refund and what the terminal expects.
    pub fn into_parts(self, now: Timestamp) -> Result<(RefundWish, Expected), Problem> {
        let kind = match self.kind {
            NewTenderWord::Cash => TenderKind::Cash,
            NewTenderWord::CardToken => TenderKind::CardToken,
            NewTenderWord::Card => TenderKind::Card,
            NewTenderWord::Terminal => TenderKind::Terminal,
            NewTenderWord::GiftCard => TenderKind::GiftCard,
            NewTenderWord::Loyalty => TenderKind::Loyalty,
            NewTenderWord::MobileMoney => return Err(Problem::cloud_required("a refund by mobile money")),
            NewTenderWord::PrepaidCredit => return Err(Problem::cloud_required("a refund to prepaid credit")),
        };
        if self.slip.is_some() && kind != TenderKind::Terminal {
            return Err(Problem::invalid("slip", "does not belong to a refund of this type"));
        }
        if self.slip.is_none() && kind == TenderKind::Terminal {
            return Err(Problem::invalid("slip", "give the number on the card terminal's slip"));
        }
        let lines = self.items.into_iter().map(|item| RefundLine { line: item.line_id, quantity: item.quantity });
        let wish = RefundWish {
            id: TenderId::new(now, entropy::for_id()),
            lines: lines.collect(),
            amount: self.amount,
            kind,
            tender: self.tender_id,
            slip: self.slip,
            restock: self.restock,
            reason: self.reason,
        };
        Ok((wish, Expected { version: self.version, updated_at: None }))
    }
}

/// The path of a member of a payment, which may be the whole body.
fn at(field: &str, member: &str) -> String {
    if field.is_empty() { member.to_owned() } else { format!("{field}.{member}") }
}
