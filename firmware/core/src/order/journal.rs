//! What a closed order means in a ledger: balanced lines for whoever keeps the books (L12).

use serde::Serialize;

use crate::money::Money;
use crate::order::{Order, Status, TenderKind};

/// One line of a journal. Debits are above zero, credits below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLine {
    /// Which account.
    pub account: JournalAccount,
    /// How it was paid, for what came in and went out.
    pub kind: Option<TenderKind>,
    /// How much.
    pub amount: Money,
}

/// Accounts of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalAccount {
    /// What was sold, without tax.
    Sale,
    /// The tax on it.
    Tax,
    /// What guests gave on top, owed to the staff.
    Tip,
    /// What rounding cash gained or lost.
    Rounding,
    /// What came in.
    Tender,
    /// What nobody paid: a payment was declined after the sale.
    Outstanding,
    /// What was given back, without tax.
    Refund,
}

/// The journal of an order that was paid and closed; nothing for any other, or if a sum cannot be represented. The
/// lines sum to zero.
pub fn journal(order: &Order) -> Vec<JournalLine> {
    match order.status {
        Status::Completed => lines(order).unwrap_or_default(),
        Status::Pending | Status::Confirmed | Status::Preparing | Status::Ready | Status::Voided => Vec::new(),
    }
}

fn lines(order: &Order) -> Option<Vec<JournalLine>> {
    let mut journal = Journal(Vec::new());
    journal.credit(JournalAccount::Sale, order.totals.total.checked_sub(order.totals.tax)?)?;
    journal.credit(JournalAccount::Tax, order.totals.tax)?;
    for tender in order.counted_tenders() {
        journal.credit(JournalAccount::Tip, tender.tip)?;
        journal.credit(JournalAccount::Rounding, tender.rounding)?;
        journal.add(JournalAccount::Tender, Some(tender.kind), tender.received()?)?;
    }
    journal.add(JournalAccount::Outstanding, None, order.totals.total.checked_sub(order.paid()?)?)?;
    for refund in &order.refunds {
        journal.add(JournalAccount::Refund, None, refund.amount.checked_sub(refund.tax)?)?;
        journal.add(JournalAccount::Tax, None, refund.tax)?;
        journal.add(JournalAccount::Rounding, None, refund.rounding)?;
        let out = refund.amount.checked_add(refund.rounding)?;
        journal.add(JournalAccount::Tender, Some(refund.kind), Money::ZERO.checked_sub(out)?)?;
    }
    journal.0.retain(|line| line.amount != Money::ZERO);
    Some(journal.0)
}

struct Journal(Vec<JournalLine>);

impl Journal {
    /// One line for each account and kind of payment.
    fn add(&mut self, account: JournalAccount, kind: Option<TenderKind>, amount: Money) -> Option<()> {
        match self.0.iter_mut().find(|line| line.account == account && line.kind == kind) {
            Some(line) => line.amount = line.amount.checked_add(amount)?,
            None => self.0.push(JournalLine { account, kind, amount }),
        }
        Some(())
    }

    fn credit(&mut self, account: JournalAccount, amount: Money) -> Option<()> {
        self.add(account, None, Money::ZERO.checked_sub(amount)?)
    }
}
