//! What a closed order means for the books: lines that balance, for the cloud's ledger.

use serde::{Deserialize, Serialize};

use super::sums::{Sum, tender_word};
use crate::money::Money;
use crate::order::{Order, Status, TenderState};

/// What an amount is booked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// Income from what was sold, without tax.
    Sales,
    /// Tax owed.
    Tax,
    /// Tips owed to the staff.
    Tips,
    /// Differences from rounding cash.
    Rounding,
    /// What came in; the memo says how.
    Tender,
    /// What guests still owe, or are owed.
    Due,
    /// What was given back, without tax.
    Refunds,
}

/// One line: a debit above zero, a credit below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLine {
    /// On what.
    pub account: Account,
    /// How it was paid, if it is a payment.
    pub memo: &'static str,
    /// How much.
    pub amount: Money,
}

/// The lines of an order that is over; they sum to nothing. None for an order that is not closed.
pub fn journal(order: &Order) -> Vec<JournalLine> {
    if order.status != Status::Completed {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut add = |account, memo, amount: Money| {
        if amount != Money::ZERO {
            lines.push(JournalLine { account, memo, amount });
        }
    };
    let totals = order.totals;
    add(Account::Sales, "", totals.tax.plus(totals.total.turned()));
    add(Account::Tax, "", totals.tax.turned());
    let mut due = totals.total;
    for tender in &order.tenders {
        match tender.state {
            TenderState::Captured | TenderState::Queued => {
                let received = tender.amount.plus(tender.tip).plus(tender.rounding);
                add(Account::Tender, tender_word(tender.kind), received);
                add(Account::Tips, "", tender.tip.turned());
                add(Account::Rounding, "", tender.rounding.turned());
                due = due.plus(tender.amount.turned());
            }
            TenderState::Declined | TenderState::Voided => {}
        }
    }
    for refund in &order.refunds {
        add(Account::Refunds, "", refund.amount.plus(refund.tax.turned()));
        add(Account::Tax, "", refund.tax);
        add(Account::Tender, tender_word(refund.kind), refund.amount.turned());
    }
    add(Account::Due, "", due);
    lines
}
