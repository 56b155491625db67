//! What the box says at the end of the evening, against the books the test kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use storebox_tests::{Shop, all_orders, of};

use super::guests::GIFT;
use super::hand::Hand;
use super::ledger::{Ledger, Sums, int, list, text, thousandths};

/// Everything is compared; the day is ended.
pub async fn balance(shop: &mut Shop, boss: &mut Hand) {
    let night = boss.night.clone();
    let ledger = std::mem::take(&mut *night.ledger());
    everything_happened(&ledger);
    orders(shop, &ledger).await;
    reports(boss, &ledger).await;
    money_elsewhere(boss, &ledger).await;
    stock(boss, &ledger).await;
    kitchen(shop, boss, &ledger).await;
    shifts(boss).await;
    end_of_day(boss, &ledger).await;
    let verdict = shop.owner().await.get("/api/audit/verify").await.expect(200);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

/// A night in which nothing went wrong proves nothing.
fn everything_happened(ledger: &Ledger) {
    eprintln!("{} orders, {:?}", ledger.orders.len(), ledger.happened);
    for what in [
        "backlog",
        "cut off",
        "gift card",
        "killed",
        "modifier",
        "override",
        "open item",
        "part payment",
        "payment taken back",
        "promotion",
        "refund",
        "refund in full",
        "restocked",
        "sent line taken off",
        "split",
        "stored card",
        "tab",
        "void sent",
        "void unsent",
    ] {
        assert!(ledger.happened.contains_key(what), "no {what}: {:?}", ledger.happened);
    }
}

async fn orders(shop: &mut Shop, ledger: &Ledger) {
    let listed = all_orders(&mut shop.till).await;
    assert_eq!(listed.len(), ledger.orders.len());
    let mut numbers = BTreeSet::new();
    for order in &listed {
        let known = &ledger.orders[&text(order, "id")];
        for member in ["orderNumber", "status", "paymentStatus", "items", "total", "tax", "tenders", "refunds", "paid"]
        {
            assert_eq!(order[member], known[member], "{member} of {order}");
        }
        let due = match order["status"].as_str() {
            Some("completed") => 0,
            Some("voided") => int(order, "total"),
            _ => panic!("an order is still open: {order}"),
        };
        assert_eq!(int(order, "due"), due, "{order}");
        numbers.insert(text(order, "orderNumber").strip_prefix("A-").unwrap().parse::<usize>().unwrap());
        let journal = shop.till.get(of(order, "/journal")).await.expect(200);
        let lines = list(&journal, "lines");
        assert_eq!(lines.iter().map(|line| int(line, "amount")).sum::<i64>(), 0, "{journal}");
        assert_eq!(lines.is_empty(), order["status"] == "voided", "{journal}");
    }
    assert_eq!(numbers, (1..=listed.len()).collect(), "no gap and none twice");
}

async fn reports(boss: &mut Hand, ledger: &Ledger) {
    assert_eq!(ledger.whole.total, ledger.whole.paid, "what was owed was paid");
    let report = boss.get("/api/reports/day").await.expect(200);
    assert_eq!(Sums::reported(&report["totals"]), ledger.whole);
    assert_eq!(Sums::reported(&report["running"]["totals"]), ledger.whole);
    assert_eq!(report["running"]["openOrders"], 0);
    assert_eq!(int(&report["running"], "expectedCash"), ledger.cash);
    assert_eq!(ledger.hours.keys().collect::<Vec<_>>(), ["18", "19"]);
    for (member, expected) in [
        ("hours", &ledger.hours),
        ("tenders", &ledger.tenders),
        ("employees", &ledger.employees),
        ("orderTypes", &ledger.order_types),
    ] {
        assert_eq!(parts(&report[member], |sums| sums), *expected, "{member}");
    }
    for member in ["taxes", "categories"] {
        let sum = |what: &str| list(&report, member).iter().map(|part| int(part, what)).sum::<i64>();
        assert_eq!((sum("total"), sum("tax")), (ledger.whole.total, ledger.whole.tax), "by {member}");
    }
    let sold = |sums: Sums| {
        let Sums { sales, quantity, net, discount, .. } = sums;
        Sums { sales, quantity, net, discount, ..Sums::default() }
    };
    // Money given back without an item has a part of its own.
    let named = |mut parts: BTreeMap<String, Sums>| {
        parts.retain(|_, sums| sums.sales > 0);
        parts
    };
    assert_eq!(named(parts(&report["categories"], sold)), ledger.categories);
    let items = boss.get("/api/reports/sales?by=item").await.expect(200);
    assert_eq!(named(parts(&items, sold)), ledger.items);
}

fn parts(report: &Value, of: impl Fn(Sums) -> Sums) -> BTreeMap<String, Sums> {
    let parts = report.as_array().expect("a list of totals").iter();
    parts.map(|part| (text(part, "key"), of(Sums::reported(part)))).collect()
}

async fn money_elsewhere(boss: &mut Hand, ledger: &Ledger) {
    let mode = boss.get("/api/offline/mode").await.expect(200);
    assert_eq!(int(&mode, "queuedTotal"), ledger.queued, "{mode}");
    for (card, spent) in &ledger.gift_cards {
        let account = boss.get(&format!("/api/local/accounts/gift_card/{card}")).await.expect(200);
        assert_eq!(int(&account, "available"), GIFT - spent, "{account}");
    }
}

async fn stock(boss: &mut Hand, ledger: &Ledger) {
    let listed = boss.get("/api/inventory?limit=500").await.expect(200);
    let levels: BTreeMap<String, i64> =
        listed.as_array().unwrap().iter().map(|row| (text(row, "itemId"), thousandths(&row["level"]))).collect();
    assert_eq!(levels, ledger.stock);
}

async fn kitchen(shop: &mut Shop, boss: &mut Hand, ledger: &Ledger) {
    assert_eq!(shop.till.get("/kds/queue").await.expect(200), json!([]), "everything was served");
    let measured = boss.get("/kds/statistics").await.expect(200);
    let stations = list(&measured, "stations");
    assert!(ledger.served.len() > 3, "{stations:?}");
    for (name, served) in &ledger.served {
        let station = stations.iter().find(|station| station["station"] == name.as_str()).unwrap();
        assert_eq!(station["serving"]["tickets"], served.len(), "{station}");
        assert_eq!(station["preparation"]["tickets"], ledger.ready[name].len(), "{station}");
        assert_eq!(int(station, "recalls"), ledger.recalls.get(name).copied().unwrap_or_default(), "{station}");
    }
}

async fn shifts(boss: &mut Hand) {
    let shifts = boss.get("/api/shifts?limit=500").await.expect(200);
    let shifts = shifts.as_array().unwrap();
    assert_eq!(shifts.len(), super::STAFF.len(), "{shifts:?}");
    for shift in shifts {
        assert_eq!((&shift["flagged"], shift["clockOut"].is_object()), (&json!(false), true), "{shift}");
    }
}

async fn end_of_day(boss: &mut Hand, ledger: &Ledger) {
    let close = boss.post("/api/reports/day/close", json!({ "countedCash": ledger.cash })).await.expect(201);
    assert_eq!((int(&close, "expectedCash"), int(&close, "difference")), (ledger.cash, 0), "{close}");
    assert_eq!((int(&close, "number"), int(&close, "openOrders")), (1, 0), "{close}");
    assert_eq!(Sums::reported(&close["totals"]), ledger.whole);
    assert_eq!(parts(&close["tenders"], |sums| sums), ledger.tenders);
    assert_eq!(int(&close, "grandTotal"), ledger.whole.total - ledger.whole.refunded, "{close}");
    let after = boss.get("/api/reports/day").await.expect(200);
    assert_eq!(Sums::reported(&after["running"]["totals"]), Sums::default(), "a new day begins with nothing");
    assert_eq!(Sums::reported(&after["totals"]), ledger.whole);
}
