//! What one change of an order adds to the totals, by everything they are kept by.
//!
//! Money is counted as the difference between the order after a change and before it. So whatever becomes of a payment
//! is counted the same way: it comes in when it is taken, and goes out again when it is declined or voided.

use serde::{Deserialize, Serialize};

use crate::money::{Money, TaxRule};
use crate::order::{
    Change, Line, Order, OrderType, Recorded, Refund, RefundLine, Status, Tender, TenderKind, TenderState,
};
use crate::quantity::Quantity;
use crate::record::{Record, RecordError, v1, version_and_body};
use crate::text::Name;

use super::Part;

macro_rules! sums {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// Sums of sales, payments and what was given back. Counts may go below zero in a difference.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Sums {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl Sums {
            /// Adds others. What cannot be represented stays at the end of the range: a sale is never refused for it.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.plus(other.$field);)*
            }

            /// The same the other way round.
            #[must_use]
            pub fn negated(&self) -> Self {
                Self { $($field: self.$field.turned(),)* }
            }
        }
    };
}

sums! {
    /// Orders closed; by item, category and tax: lines of them.
    sales: i64,
    /// How much was sold, in thousandths of whatever units.
    quantity: Quantity,
    /// Prices before discounts, with the tax they contain.
    gross: Money,
    /// What promotions took off.
    discount: Money,
    /// What is left without tax.
    net: Money,
    /// The tax on or in it. `net + tax` is what guests owed.
    tax: Money,
    /// How often money was given back.
    refunds: i64,
    /// How much was brought back.
    returned: Quantity,
    /// What was given back, tax included.
    refunded: Money,
    /// The tax in it.
    refunded_tax: Money,
    /// Orders voided.
    voids: i64,
    /// What they would have cost.
    voided: Money,
    /// Payments taken and not taken back.
    payments: i64,
    /// What they paid of orders.
    paid: Money,
    /// What guests gave on top.
    tips: Money,
    /// What rounding cash added (or, below zero, took).
    rounding: Money,
}

impl Sums {
    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What guests owed.
    pub fn total(&self) -> Money {
        self.net.plus(self.tax)
    }

    /// What is in the drawer of these payments, if they are cash.
    pub fn in_drawer(&self) -> Money {
        self.paid.plus(self.rounding).plus(self.tips).plus(self.refunded.turned())
    }
}

/// Arithmetic that ends at the end of the range.
pub(super) trait Sum: Copy {
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The same the other way round.
    fn turned(self) -> Self;
}

impl Sum for i64 {
    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }

    fn turned(self) -> Self {
        self.saturating_neg()
    }
}

impl Sum for Money {
    fn plus(self, other: Self) -> Self {
        Self::from_minor(self.minor().plus(other.minor()))
    }

    fn turned(self) -> Self {
        Self::from_minor(self.minor().turned())
    }
}

impl Sum for Quantity {
    fn plus(self, other: Self) -> Self {
        Self::from_thousandths(self.thousandths().plus(other.thousandths()))
    }

    fn turned(self) -> Self {
        Self::from_thousandths(self.thousandths().turned())
    }
}

/// What totals are kept by. The number is part of their key on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Everything; its key is empty.
    Whole = 1,
    /// Hour of the clock on the wall: `00` to `23`.
    Hour = 2,
    /// Category; empty for what has none.
    Category = 3,
    /// Item; empty for money given back without an item.
    Item = 4,
    /// How it was paid, or given back.
    Tender = 5,
    /// Who was signed in; empty if nobody was.
    Employee = 6,
    /// How the guest took it.
    OrderType = 7,
    /// Tax rule: parts per million, and `+` if it was added to prices.
    Tax = 8,
}

impl Dimension {
    /// What the end of a business day shows.
    pub const CLOSED: [Self; 3] = [Self::Whole, Self::Tender, Self::Tax];

    /// Every one.
    pub const ALL: [Self; 8] =
        [Self::Whole, Self::Hour, Self::Category, Self::Item, Self::Tender, Self::Employee, Self::OrderType, Self::Tax];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "day",
            Self::Hour => "hour",
            Self::Category => "category",
            Self::Item => "item",
            Self::Tender => "tender",
            Self::Employee => "employee",
            Self::OrderType => "order_type",
            Self::Tax => "tax",
        }
    }
}

/// A total as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The name last seen of what it is a total of, if it has one.
    pub name: Option<Name>,
    /// The sums.
    pub sums: Sums,
}

/// A total as it is kept, read without a copy of its name: a report adds up many thousands of them.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TotalRef<'a> {
    /// The name last seen of what it is a total of, if it has one.
    pub name: Option<&'a str>,
    /// The sums.
    pub sums: Sums,
}

impl<'a> TotalRef<'a> {
    /// Reads a kept [`Total`].
    ///
    /// # Errors
    /// [`RecordError`] as for [`decode`](crate::record::decode).
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (version, body) = version_and_body(bytes)?;
        v1(version, body)
    }
}

impl Total {
    /// Adds another, which is newer.
    pub fn add<'a>(&mut self, other: impl Into<TotalRef<'a>>) {
        let other = other.into();
        if let Some(name) = other.name
            && self.name.as_ref().map(Name::as_str) != Some(name)
        {
            self.name = Some(Name::cut(name));
        }
        self.sums.add(&other.sums);
    }
}

impl From<TotalRef<'_>> for Total {
    fn from(total: TotalRef<'_>) -> Self {
        Self { name: total.name.map(Name::cut), sums: total.sums }
    }
}

impl<'a> From<&'a Total> for TotalRef<'a> {
    fn from(total: &'a Total) -> Self {
        Self { name: total.name.as_ref().map(Name::as_str), sums: total.sums }
    }
}

impl Record for Total {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// The totals of a whole day by one dimension, in the order of their keys: read as one, they cost about half.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedTotals(pub Vec<Part>);

impl PackedTotals {
    /// Takes every total as it lies in a kept record.
    ///
    /// # Errors
    /// [`RecordError`] as for [`decode`](crate::record::decode); some may have been taken then.
    pub fn each(bytes: &[u8], mut take: impl FnMut(&str, TotalRef<'_>)) -> Result<(), RecordError> {
        let (version, body) = version_and_body(bytes)?;
        if version != Self::VERSION {
            return Err(RecordError::Unknown { version });
        }
        let (count, mut rest) = postcard::take_from_bytes::<u64>(body).map_err(|_| RecordError::Malformed)?;
        for _ in 0..count {
            let ((key, total), after) = postcard::take_from_bytes(rest).map_err(|_| RecordError::Malformed)?;
            take(key, total);
            rest = after;
        }
        if rest.is_empty() { Ok(()) } else { Err(RecordError::Malformed) }
    }
}

impl Record for PackedTotals {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What is to be added to one total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// By what it is kept.
    pub dimension: Dimension,
    /// Which of them.
    pub key: Name,
    /// What is added.
    pub total: Total,
}

/// What a change adds, at an hour of the clock on the wall. Nothing for most changes.
pub fn count(recorded: &Recorded, before: Option<&Order>, after: &Order, hour: u8) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut whole = Sums::default();
    if after.status == Status::Completed && before.is_none_or(|before| before.status != Status::Completed) {
        whole.sales = 1;
        for (line, sums) in lines(after) {
            let of_whole = Sums { sales: 0, ..sums };
            whole.add(&of_whole);
            rows.extend(by_line(line, sums));
        }
    }
    if after.status == Status::Voided && before.is_none_or(|before| before.status != Status::Voided) {
        whole.voids = 1;
        whole.voided = after.totals.total;
    }
    for (kind, sums) in money(before, after) {
        whole.add(&sums);
        rows.push(row(Dimension::Tender, tender_word(kind), None, sums));
    }
    if let Change::Refunded(refund) = &recorded.change {
        let of_tender = Sums {
            refunds: 1,
            refunded: refund.amount,
            refunded_tax: refund.tax,
            rounding: refund.rounding.turned(),
            ..Sums::default()
        };
        rows.push(row(Dimension::Tender, tender_word(refund.kind), None, of_tender));
        let returned = refund.lines.iter().fold(Quantity::default(), |sum, line| sum.plus(line.quantity));
        whole.add(&Sums { returned, ..of_tender });
        rows.extend(given_back(refund, after));
    }
    if !whole.is_empty() {
        let staff = recorded.staff.map(|staff| staff.to_string()).unwrap_or_default();
        rows.push(row(Dimension::Whole, "", None, whole));
        rows.push(row(Dimension::Hour, &format!("{hour:02}"), None, whole));
        rows.push(row(Dimension::Employee, &staff, None, whole));
        rows.push(row(Dimension::OrderType, order_type_word(after.header.order_type), None, whole));
    }
    rows
}

fn row(dimension: Dimension, key: &str, name: Option<Name>, sums: Sums) -> Row {
    Row { dimension, key: Name::cut(key), total: Total { name, sums } }
}

fn by_line(line: &Line, sums: Sums) -> [Row; 3] {
    let category = line.category.as_ref().map_or("", Name::as_str);
    [
        row(Dimension::Item, line.item_id.as_str(), Some(line.name.clone()), sums),
        row(Dimension::Category, category, None, sums),
        row(Dimension::Tax, &tax_word(line.tax), None, sums),
    ]
}

/// Every line with its share of the order. Tax is rounded once for each rule; a line's tax is what it adds to the
/// tax of the lines before it, so that the lines come to the order's own tax to the minor unit.
fn lines(order: &Order) -> impl Iterator<Item = (&Line, Sums)> {
    let mut rules: Vec<(TaxRule, Money)> = Vec::new();
    order.lines.iter().map(move |line| {
        let line = &line.line;
        let price = line.total().unwrap_or_default();
        let before = match rules.iter_mut().find(|(rule, _)| *rule == line.tax) {
            Some((_, sum)) => grown(sum, price),
            None => {
                rules.push((line.tax, price));
                Money::ZERO
            }
        };
        let tax_before = line.tax.tax_on(before).unwrap_or_default();
        let tax = line.tax.tax_on(before.plus(price)).unwrap_or_default().plus(tax_before.turned());
        let net = if line.tax.included { price.plus(tax.turned()) } else { price };
        let discount = line.reduced_by().unwrap_or_default();
        let gross = price.plus(discount);
        (line, Sums { sales: 1, quantity: line.quantity, gross, discount, net, tax, ..Sums::default() })
    })
}

/// Adds to a sum and gives what it was.
fn grown(sum: &mut Money, more: Money) -> Money {
    let after = sum.plus(more);
    core::mem::replace(sum, after)
}

/// What payments came in, less those that were taken back, by kind.
fn money(before: Option<&Order>, after: &Order) -> Vec<(TenderKind, Sums)> {
    let was: &[Tender] = before.map_or(&[], |before| &before.tenders);
    if was == after.tenders {
        return Vec::new();
    }
    let mut kinds: Vec<(TenderKind, Sums)> = Vec::new();
    let gone = was.iter().map(|tender| (tender.kind, of_tender(tender).negated()));
    for (kind, sums) in gone.chain(after.tenders.iter().map(|tender| (tender.kind, of_tender(tender)))) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => sum.add(&sums),
            None => kinds.push((kind, sums)),
        }
    }
    kinds.retain(|(_, sums)| !sums.is_empty());
    kinds
}

fn of_tender(tender: &Tender) -> Sums {
    match tender.state {
        TenderState::Captured | TenderState::Queued => {
            Sums { payments: 1, paid: tender.amount, tips: tender.tip, rounding: tender.rounding, ..Sums::default() }
        }
        TenderState::Declined | TenderState::Voided => Sums::default(),
    }
}

/// A refund by item, category and tax, shared out by the value of what was brought back.
fn given_back(refund: &Refund, order: &Order) -> Vec<Row> {
    let lines: Vec<(&Line, &RefundLine)> =
        refund.lines.iter().filter_map(|back| Some((&order.line(back.line)?.line, back))).collect();
    if lines.is_empty() {
        let sums = Sums { refunds: 1, refunded: refund.amount, refunded_tax: refund.tax, ..Sums::default() };
        return [Dimension::Item, Dimension::Category, Dimension::Tax].map(|of| row(of, "", None, sums)).into();
    }
    let weights: Vec<i64> = lines
        .iter()
        .map(|(line, back)| {
            line.price().and_then(|price| price.times(back.quantity)).unwrap_or_default().minor().max(1)
        })
        .collect();
    let amounts = shared_out(refund.amount, &weights).into_iter().zip(shared_out(refund.tax, &weights));
    lines
        .into_iter()
        .zip(amounts)
        .flat_map(|((line, back), (refunded, refunded_tax))| {
            let sums = Sums { refunds: 1, returned: back.quantity, refunded, refunded_tax, ..Sums::default() };
            by_line(line, sums)
        })
        .collect()
}

/// An amount in shares of these weights, which come to the whole of it.
fn shared_out(amount: Money, weights: &[i64]) -> Vec<Money> {
    let all: i128 = weights.iter().map(|weight| i128::from(*weight)).sum::<i128>().max(1);
    let mut seen = 0_i128;
    let mut given = 0_i64;
    weights
        .iter()
        .map(|weight| {
            seen += i128::from(*weight);
            // At most the amount itself, which is an i64.
            let so_far = i64::try_from(i128::from(amount.minor()) * seen / all).unwrap_or(amount.minor());
            let share = so_far.saturating_sub(given);
            given = so_far;
            Money::from_minor(share)
        })
        .collect()
}

/// The word for a kind of payment.
pub const fn tender_word(kind: TenderKind) -> &'static str {
    match kind {
        TenderKind::Cash => "cash",
        TenderKind::CardToken => "card_token",
        TenderKind::Card => "card",
        TenderKind::Terminal => "terminal",
        TenderKind::GiftCard => "gift_card",
        TenderKind::Loyalty => "loyalty",
    }
}

const fn order_type_word(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Counter => "counter",
        OrderType::DineIn => "dine_in",
        OrderType::Takeaway => "takeaway",
        OrderType::Delivery => "delivery",
    }
}

fn tax_word(rule: TaxRule) -> String {
    format!("{}{}", rule.rate_ppm, if rule.included { "" } else { "+" })
}
