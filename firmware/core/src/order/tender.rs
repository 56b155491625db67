//! Payments of an order: what a terminal offers, and what that pays.

use crate::command::Rejection;
use crate::id::TenderId;
use crate::limits::TENDERS_PER_ORDER;
use crate::money::Money;
use crate::order::decide::too_large;
use crate::order::{Order, Tender, TenderKind, TenderState};
use crate::payment::CardOffered;
use crate::text::Name;

/// A payment as a terminal wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenderWish {
    /// The id it gets.
    pub id: TenderId,
    /// Where it stands in the request, for messages: `tenders[1]`; nothing if it is the request.
    pub field: String,
    /// Cash: what is handed over, tip included. Anything else: what it pays of the order.
    pub amount: Money,
    /// What the guest gives on top.
    pub tip: Money,
    /// What it is paid with.
    pub means: Means,
}

/// What a payment is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Notes and coins.
    Cash,
    /// A card the processor has a token for.
    CardToken(CardOffered),
    /// A card that is new to the store.
    Card(CardOffered),
    /// A stand-alone card terminal.
    Terminal {
        /// The number on its slip.
        slip: Name,
        /// For receipts.
        last_four: Option<crate::payment::LastFour>,
    },
    /// A gift card.
    GiftCard {
        /// Its number.
        number: Name,
    },
    /// Loyalty points.
    Loyalty {
        /// Whose.
        account: Name,
        /// How many, by the word of the terminal.
        points: Option<u32>,
    },
}

/// What payments depend on besides the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The smallest coin.
    pub cash_rounding: Money,
    /// A card charged more than this takes a signature.
    pub signature_above: Option<Money>,
}

impl Means {
    /// Which of them it is.
    pub const fn kind(&self) -> TenderKind {
        match self {
            Self::Cash => TenderKind::Cash,
            Self::CardToken(_) => TenderKind::CardToken,
            Self::Card(_) => TenderKind::Card,
            Self::Terminal { .. } => TenderKind::Terminal,
            Self::GiftCard { .. } => TenderKind::GiftCard,
            Self::Loyalty { .. } => TenderKind::Loyalty,
        }
    }

    /// The card that is charged, if it is one.
    pub const fn card(&self) -> Option<&CardOffered> {
        match self {
            Self::CardToken(card) | Self::Card(card) => Some(card),
            Self::Cash | Self::Terminal { .. } | Self::GiftCard { .. } | Self::Loyalty { .. } => None,
        }
    }
}

/// The path of a member of a payment, which may be the whole body.
pub(crate) fn member_of(field: &str, member: &str) -> String {
    if field.is_empty() { member.to_owned() } else { format!("{field}.{member}") }
}

/// Applies payments to what is due, in order.
pub(super) fn take(order: &Order, wishes: &[TenderWish], terms: &Terms) -> Result<Vec<Tender>, Rejection> {
    if order.tenders.len() + wishes.len() > TENDERS_PER_ORDER {
        return Err(Rejection::TooMany { what: "payments of one order", limit: TENDERS_PER_ORDER });
    }
    take_up_to(order.due().ok_or_else(too_large)?, wishes, terms)
}

/// Applies payments to an amount, in order.
pub(super) fn take_up_to(mut due: Money, wishes: &[TenderWish], terms: &Terms) -> Result<Vec<Tender>, Rejection> {
    let mut tenders = Vec::with_capacity(wishes.len());
    for wish in wishes {
        if due == Money::ZERO {
            return Err(Rejection::invalid(
                member_of(&wish.field, "amount"),
                "the order is paid without it".to_owned(),
            ));
        }
        let tender = match &wish.means {
            Means::Cash => wish.take_cash(due, terms)?,
            Means::CardToken(_)
            | Means::Card(_)
            | Means::Terminal { .. }
            | Means::GiftCard { .. }
            | Means::Loyalty { .. } => wish.take_exactly(due, terms)?,
        };
        due = due.checked_sub(tender.amount).ok_or_else(too_large)?;
        tenders.push(tender);
    }
    Ok(tenders)
}

impl TenderWish {
    /// Only cash is rounded, and only where it pays the rest; what is over is change.
    fn take_cash(&self, due: Money, terms: &Terms) -> Result<Tender, Rejection> {
        let coin = terms.cash_rounding;
        for (member, money) in [("amount", self.amount), ("tip", self.tip)] {
            if !money.is_multiple_of(coin) {
                let message = format!("the smallest coin is {} minor units: give a multiple of it", coin.minor());
                return Err(self.refuse(member, message));
            }
        }
        let for_order = self.amount.checked_sub(self.tip).ok_or_else(too_large)?;
        let rounded = due.nearest(coin).ok_or_else(too_large)?;
        if for_order < Money::ZERO || (for_order == Money::ZERO && rounded > Money::ZERO) {
            return Err(self.refuse("tip", "the tip takes all that is handed over".to_owned()));
        }
        let mut tender = self.tender(due.min(for_order), None);
        tender.tendered = self.amount;
        if for_order >= rounded {
            tender.amount = due;
            tender.rounding = rounded.checked_sub(due).ok_or_else(too_large)?;
            tender.change = for_order.checked_sub(rounded).ok_or_else(too_large)?;
        }
        Ok(tender)
    }

    fn take_exactly(&self, due: Money, terms: &Terms) -> Result<Tender, Rejection> {
        if self.amount > due {
            let message = format!("{} minor units are due: only cash may be more, and gives change", due.minor());
            return Err(self.refuse("amount", message));
        }
        let charged = self.amount.checked_add(self.tip).ok_or_else(too_large)?;
        let mut tender = self.tender(self.amount, None);
        tender.tendered = charged;
        match &self.means {
            Means::Cash => {}
            Means::CardToken(card) | Means::Card(card) => {
                tender.state = TenderState::Queued;
                tender.reference = Some(Name::cut(&card.payment.to_string()));
                tender.last_four.clone_from(&card.last_four);
                tender.signature_required = terms.signature_above.is_some_and(|above| charged > above);
            }
            Means::Terminal { slip, last_four } => {
                tender.reference = Some(slip.clone());
                tender.last_four.clone_from(last_four);
            }
            Means::GiftCard { number } => tender.reference = Some(number.clone()),
            Means::Loyalty { account, points } => {
                tender.reference = Some(account.clone());
                tender.points = *points;
            }
        }
        Ok(tender)
    }

    fn tender(&self, amount: Money, reference: Option<Name>) -> Tender {
        Tender {
            id: self.id,
            kind: self.means.kind(),
            amount,
            tendered: amount,
            change: Money::ZERO,
            tip: self.tip,
            rounding: Money::ZERO,
            reference,
            last_four: None,
            points: None,
            signature_required: false,
            state: TenderState::Captured,
        }
    }

    fn refuse(&self, member: &str, message: String) -> Rejection {
        Rejection::invalid(member_of(&self.field, member), message)
    }
}
