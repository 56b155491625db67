//! Giving money back: how much, and how much tax is in it (L11).
//!
//! Parts are differences of sums, so that they add up: what a line is worth is what all lines brought back so far are
//! worth together, less what they were worth before. When everything has come back, exactly the total was given back,
//! and exactly the tax.

use crate::command::Rejection;
use crate::id::{LineId, TenderId};
use crate::money::Money;
use crate::order::decide::too_large;
use crate::order::{Order, Refund, RefundLine, Tender, TenderKind, Terms, Totals};
use crate::quantity::Quantity;
use crate::text::{Name, Note};

/// A refund as a terminal wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundWish {
    /// The id it gets.
    pub id: TenderId,
    /// What is brought back. Neither lines nor amount: everything that is left.
    pub lines: Vec<RefundLine>,
    /// How much is given back, if not what the lines are worth.
    pub amount: Option<Money>,
    /// How it is given back.
    pub kind: TenderKind,
    /// The payment it takes back.
    pub tender: Option<TenderId>,
    /// Slip of a card terminal.
    pub slip: Option<Name>,
    /// Whether what is brought back can be sold again.
    pub restock: bool,
    /// Why.
    pub reason: Note,
}

/// What is to be given back.
pub(super) fn refund(order: &Order, wish: &RefundWish, terms: &Terms) -> Result<Refund, Rejection> {
    let (tender, reference) = way(order, wish)?;
    let left = order.paid().zip(order.refunded()).and_then(|(paid, refunded)| paid.checked_sub(refunded));
    let left = left.ok_or_else(too_large)?;
    if left <= Money::ZERO {
        return Err(refuse("amount", "everything that was paid has been given back".to_owned()));
    }
    let everything = wish.lines.is_empty() && wish.amount.is_none();
    let lines = if everything { remaining_lines(order) } else { wish.lines.clone() };
    let before = returned(order, &[]).map_err(|_| too_large())?;
    let after = returned(order, &lines)?;
    let worth = after.total.checked_sub(before.total).ok_or_else(too_large)?;
    let amount = match wish.amount {
        Some(amount) => amount,
        None if everything => left,
        None => worth.min(left),
    };
    if amount <= Money::ZERO || amount > left {
        return Err(refuse("amount", format!("between 1 and {} minor units can be given back", left.minor())));
    }
    let by_lines = after.tax.checked_sub(before.tax).ok_or_else(too_large)?;
    let fair = if amount == worth {
        Some(by_lines)
    } else {
        order.totals.tax.portion(amount.minor(), order.totals.total.minor())
    };
    let tax = tax_in(order, amount, fair.ok_or_else(too_large)?).ok_or_else(too_large)?;
    if let Some(tender) = tender {
        let given = order.refunds.iter().filter(|refund| refund.tender == Some(tender.id));
        let given = Money::sum(given.map(|refund| Some(refund.amount))).ok_or_else(too_large)?;
        let most = tender.amount.checked_sub(given).ok_or_else(too_large)?;
        if amount > most {
            return Err(refuse("amount", format!("{} minor units of this payment can be given back", most.minor())));
        }
    }
    let rounding = match wish.kind {
        TenderKind::Cash => amount.nearest(terms.cash_rounding).and_then(|rounded| rounded.checked_sub(amount)),
        TenderKind::CardToken
        | TenderKind::Card
        | TenderKind::Terminal
        | TenderKind::GiftCard
        | TenderKind::Loyalty => Some(Money::ZERO),
    };
    Ok(Refund {
        id: wish.id,
        lines,
        amount,
        tax,
        kind: wish.kind,
        tender: tender.map(|tender| tender.id),
        rounding: rounding.ok_or_else(too_large)?,
        reference,
        restock: wish.restock,
        reason: wish.reason.clone(),
    })
}

/// The tax in what is given back: `fair`, moved so far that what is left of the tax still fits into what is left of
/// the total, and that the last part takes the rest.
fn tax_in(order: &Order, amount: Money, fair: Money) -> Option<Money> {
    let given = order.refunded()?;
    let given_tax = Money::sum(order.refunds.iter().map(|refund| Some(refund.tax)))?;
    let tax_left = order.totals.tax.checked_sub(given_tax)?;
    let left_after = order.totals.total.checked_sub(given)?.checked_sub(amount)?;
    let least = tax_left.checked_sub(left_after)?.max(Money::ZERO);
    Some(fair.min(tax_left).min(amount).max(least))
}

/// The payment it takes back, and where the money goes.
fn way<'o>(order: &'o Order, wish: &RefundWish) -> Result<(Option<&'o Tender>, Option<Name>), Rejection> {
    let named = match wish.tender {
        None => None,
        Some(id) => match order.counted_tenders().find(|tender| tender.id == id) {
            Some(tender) => Some(tender),
            None => return Err(refuse("tenderId", "the order has no such payment".to_owned())),
        },
    };
    match wish.kind {
        TenderKind::Cash => Ok((named, None)),
        TenderKind::Terminal => Ok((named, wish.slip.clone())),
        TenderKind::CardToken | TenderKind::Card => {
            Err(Rejection::CloudRequired { what: "to give money back to a card without its card terminal" })
        }
        TenderKind::GiftCard | TenderKind::Loyalty => {
            let mut of_kind = order.counted_tenders().filter(|tender| tender.kind == wish.kind);
            let only = of_kind.next().filter(|_| of_kind.next().is_none());
            match named.or(only) {
                Some(tender) if tender.kind == wish.kind => Ok((Some(tender), tender.reference.clone())),
                Some(_) | None => {
                    Err(refuse("tenderId", "name the payment whose account the money goes back to".to_owned()))
                }
            }
        }
    }
}

/// What all lines brought back so far are worth, with these more.
fn returned(order: &Order, more: &[RefundLine]) -> Result<Totals, Rejection> {
    for (index, back) in more.iter().enumerate() {
        let field = format!("items[{index}]");
        let Some(line) = order.line(back.line) else {
            return Err(refuse(&field, format!("the order has no line {}", back.line)));
        };
        let left = line.line.quantity.checked_add(quantity_back(order, &[], back.line).negated());
        let asked = more.iter().filter(|other| other.line == back.line).count();
        if asked > 1 || !back.quantity.is_positive() || left.is_none_or(|left| back.quantity > left) {
            let left = left.unwrap_or_default();
            return Err(refuse(&field, format!("{left} of line {} can still be brought back, named once", back.line)));
        }
    }
    let worth = order.lines.iter().map(|line| {
        let quantity = quantity_back(order, more, line.line.id).thousandths();
        let whole = line.line.quantity.thousandths();
        (line.line.total().and_then(|total| total.portion(quantity, whole)), line.line.tax)
    });
    Totals::of(worth).ok_or_else(too_large)
}

fn quantity_back(order: &Order, more: &[RefundLine], line: LineId) -> Quantity {
    let before = order.refunds.iter().flat_map(|refund| &refund.lines);
    let of_line = before.chain(more).filter(|back| back.line == line);
    of_line.fold(Quantity::default(), |sum, back| sum.checked_add(back.quantity).unwrap_or(sum))
}

fn remaining_lines(order: &Order) -> Vec<RefundLine> {
    let lines = order.lines.iter().filter_map(|line| {
        let back = quantity_back(order, &[], line.line.id);
        let quantity = line.line.quantity.checked_add(back.negated())?;
        quantity.is_positive().then_some(RefundLine { line: line.line.id, quantity })
    });
    lines.collect()
}

fn refuse(field: &str, message: String) -> Rejection {
    Rejection::invalid(field.to_owned(), message)
}
