//! The books the test keeps beside the box's: from what was answered about orders, never from reports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What came in and went out, in minor units; quantities in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub sales: i64,
    pub quantity: i64,
    pub net: i64,
    pub discount: i64,
    pub tax: i64,
    pub total: i64,
    pub payments: i64,
    pub paid: i64,
    pub tips: i64,
    pub rounding: i64,
    pub refunds: i64,
    pub refunded: i64,
    pub refunded_tax: i64,
    pub voids: i64,
    pub voided: i64,
}

impl Sums {
    /// Adds others, `sign` times.
    fn add(&mut self, other: &Self, sign: i64) {
        let Self { sales, quantity, net, discount, tax, total, payments, paid, tips, rounding, .. } = other;
        self.sales += sign * sales;
        self.quantity += sign * quantity;
        self.net += sign * net;
        self.discount += sign * discount;
        self.tax += sign * tax;
        self.total += sign * total;
        self.payments += sign * payments;
        self.paid += sign * paid;
        self.tips += sign * tips;
        self.rounding += sign * rounding;
        self.refunds += sign * other.refunds;
        self.refunded += sign * other.refunded;
        self.refunded_tax += sign * other.refunded_tax;
        self.voids += sign * other.voids;
        self.voided += sign * other.voided;
    }

    /// The same of a report.
    pub fn reported(report: &Value) -> Self {
        let of = |member: &str| report[member].as_i64().unwrap_or_else(|| panic!("no {member} in {report}"));
        Self {
            sales: of("sales"),
            quantity: thousandths(&report["quantity"]),
            net: of("net"),
            discount: of("discount"),
            tax: of("tax"),
            total: of("total"),
            payments: of("payments"),
            paid: of("paid"),
            tips: of("tips"),
            rounding: of("rounding"),
            refunds: of("refunds"),
            refunded: of("refunded"),
            refunded_tax: of("refundedTax"),
            voids: of("voids"),
            voided: of("voided"),
        }
    }
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every order as it was last answered.
    pub orders: BTreeMap<String, Value>,
    pub whole: Sums,
    pub tenders: BTreeMap<String, Sums>,
    pub employees: BTreeMap<String, Sums>,
    pub hours: BTreeMap<String, Sums>,
    pub order_types: BTreeMap<String, Sums>,
    pub categories: BTreeMap<String, Sums>,
    pub items: BTreeMap<String, Sums>,
    /// What is in the drawer: handed over, less change, less what was given back.
    pub cash: i64,
    /// What is on its way to card processors.
    pub queued: i64,
    /// Gift card → what was spent of it.
    pub gift_cards: BTreeMap<String, i64>,
    /// Counted item → its level.
    pub stock: BTreeMap<String, i64>,
    /// Tickets that were ready, and served, by station.
    pub ready: BTreeMap<String, BTreeSet<String>>,
    pub served: BTreeMap<String, BTreeSet<String>>,
    /// How often one came back, by station.
    pub recalls: BTreeMap<String, i64>,
    /// What tills may have spent of a gift card or charged to a stored one, and of stored cards in all.
    aside: BTreeMap<String, i64>,
    /// How often what happened, so that a night in which nothing did is noticed.
    pub happened: BTreeMap<&'static str, u32>,
}

impl Ledger {
    /// Books of a store that counts these items.
    pub fn new(stocked: Vec<String>) -> Self {
        Self { stock: stocked.into_iter().map(|item| (item, 0)).collect(), ..Self::default() }
    }

    /// Something happened.
    pub fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// Puts so much more of an account aside; how much is now.
    pub fn put_aside(&mut self, account: &str, more: i64) -> i64 {
        let aside = self.aside.entry(account.to_owned()).or_default();
        *aside += more;
        *aside
    }

    /// What somebody did made this of an order.
    pub fn book(&mut self, who: &str, after: &Value) {
        let id = after["id"].as_str().expect("an order has an id").to_owned();
        check_arithmetic(after);
        let before = self.orders.insert(id, after.clone()).unwrap_or_default();
        let mut sums = Sums::default();
        let became = |status: &str| after["status"] == status && before["status"] != status;
        if became("completed") {
            self.sell(after, &mut sums);
        }
        if became("voided") {
            (sums.voids, sums.voided) = (1, int(after, "total"));
        }
        let mut kinds: BTreeMap<String, Sums> = BTreeMap::new();
        for (order, sign) in [(&before, -1), (after, 1)] {
            for tender in list(order, "tenders") {
                if tender["status"] == "voided" {
                    continue;
                }
                kinds.entry(text(tender, "type")).or_default().add(&of_tender(tender), sign);
                self.move_money(tender, sign);
            }
        }
        for refund in &list(after, "refunds")[list(&before, "refunds").len()..] {
            kinds.entry(text(refund, "type")).or_default().add(&of_refund(refund), 1);
            self.give_back(refund, after);
        }
        for (kind, of_kind) in &kinds {
            sums.add(of_kind, 1);
            self.tenders.entry(kind.clone()).or_default().add(of_kind, 1);
        }
        self.whole.add(&sums, 1);
        if sums != Sums::default() {
            // The store is in UTC.
            let hour = text(after, "updatedAt")[11..13].to_owned();
            self.hours.entry(hour).or_default().add(&sums, 1);
            self.employees.entry(who.to_owned()).or_default().add(&sums, 1);
            self.order_types.entry(text(after, "orderType")).or_default().add(&sums, 1);
        }
    }

    fn sell(&mut self, order: &Value, sums: &mut Sums) {
        *sums = Sums { sales: 1, tax: int(order, "tax"), total: int(order, "total"), ..Sums::default() };
        for line in list(order, "items") {
            let (item, quantity) = (text(line, "itemId"), thousandths(&line["quantity"]));
            let discount = line["discount"]["amount"].as_i64().unwrap_or_default();
            let of_line = Sums { sales: 1, quantity, net: int(line, "lineTotal"), discount, ..Sums::default() };
            sums.add(&Sums { sales: 0, ..of_line }, 1);
            if let Some(level) = self.stock.get_mut(&item) {
                *level -= quantity;
            }
            self.items.entry(item).or_default().add(&of_line, 1);
            let category = line["category"].as_str().unwrap_or_default().to_owned();
            self.categories.entry(category).or_default().add(&of_line, 1);
            for (what, is_so) in [
                ("override", line["priceOverride"] == true),
                ("promotion", discount > 0),
                ("open item", line["openItem"] == true),
                ("modifier", !list(line, "modifiers").is_empty()),
            ] {
                if is_so {
                    self.note(what);
                }
            }
        }
    }

    fn move_money(&mut self, tender: &Value, sign: i64) {
        let amount = sign * int(tender, "amount");
        match text(tender, "type").as_str() {
            "cash" => self.cash += sign * (int(tender, "tendered") - int(tender, "change")),
            "card_token" => {
                assert_eq!(tender["status"], "queued", "{tender}");
                self.queued += sign * int(tender, "tendered");
            }
            "gift_card" => *self.gift_cards.entry(text(tender, "reference")).or_default() += amount,
            _ => {}
        }
    }

    fn give_back(&mut self, refund: &Value, order: &Value) {
        let amount = int(refund, "amount");
        match text(refund, "type").as_str() {
            "cash" => self.cash -= amount + int(refund, "rounding"),
            "gift_card" => *self.gift_cards.entry(text(refund, "reference")).or_default() -= amount,
            _ => {}
        }
        if refund["restock"] == true {
            for back in list(refund, "items") {
                let line = list(order, "items").iter().find(|line| line["lineId"] == back["lineId"]).unwrap();
                if let Some(level) = self.stock.get_mut(&text(line, "itemId")) {
                    *level += thousandths(&back["quantity"]);
                    self.note("restocked");
                }
            }
        }
    }

    /// What a display was told about a ticket.
    pub fn ticket(&mut self, ticket: &Value) {
        let (station, id) = (text(ticket, "station"), text(ticket, "id"));
        if ticket["generation"] != 1 {
            return;
        }
        if ticket["readyAt"].is_string() {
            self.ready.entry(station.clone()).or_default().insert(id.clone());
        }
        if ticket["servedAt"].is_string() {
            self.served.entry(station).or_default().insert(id);
        }
    }
}

/// An order's sums follow from its lines and payments.
fn check_arithmetic(order: &Value) {
    let lines: i64 = list(order, "items").iter().map(|line| int(line, "lineTotal")).sum();
    assert_eq!(lines, int(order, "subtotal"), "{order}");
    assert_eq!(int(order, "subtotal") + int(order, "tax"), int(order, "total"), "{order}");
    let paid = list(order, "tenders").iter().filter(|tender| tender["status"] != "voided");
    let paid: i64 = paid.map(|tender| int(tender, "amount")).sum();
    assert_eq!((paid, int(order, "total") - paid), (int(order, "paid"), int(order, "due")), "{order}");
    let refunded: i64 = list(order, "refunds").iter().map(|refund| int(refund, "amount")).sum();
    assert_eq!(refunded, int(order, "refunded"), "{order}");
    let tax: i64 = list(order, "refunds").iter().map(|refund| int(refund, "tax")).sum();
    let left = int(order, "tax") - tax;
    assert!((0..=int(order, "total") - refunded).contains(&left) || refunded == 0, "tax in refunds of {order}");
}

fn of_tender(tender: &Value) -> Sums {
    let (paid, tips, rounding) = (int(tender, "amount"), int(tender, "tip"), int(tender, "rounding"));
    assert_eq!(int(tender, "tendered") - int(tender, "change"), paid + tips + rounding, "{tender}");
    Sums { payments: 1, paid, tips, rounding, ..Sums::default() }
}

fn of_refund(refund: &Value) -> Sums {
    let (refunded, refunded_tax, rounding) = (int(refund, "amount"), int(refund, "tax"), -int(refund, "rounding"));
    Sums { refunds: 1, refunded, refunded_tax, rounding, ..Sums::default() }
}

/// A list that is a member, or nothing.
pub fn list<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

/// A number that is a member.
pub fn int(value: &Value, member: &str) -> i64 {
    value[member].as_i64().unwrap_or_else(|| panic!("no number {member} in {value}"))
}

/// A text that is a member.
pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no text {member} in {value}")).to_owned()
}

/// A quantity, which has at most three decimals.
#[allow(clippy::cast_possible_truncation, reason = "the quantities of a test are small")]
pub fn thousandths(quantity: &Value) -> i64 {
    (quantity.as_f64().expect("a quantity") * 1_000.0).round() as i64
}
