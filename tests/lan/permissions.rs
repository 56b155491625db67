//! Who may do what, through every route (L13), and what every route says it can answer (L22).

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{Shop, Terminal, sample};

/// Who a route takes at least.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Least {
    Staff,
    Manager,
    Admin,
}

use Least::{Admin, Manager, Staff};

/// What is in the path of a route where its description has a placeholder.
const PLACES: [(&str, &str); 6] = [
    ("{id}", NOBODY),
    ("{tenderId}", NOBODY),
    ("{item}", "tea"),
    ("{number}", "1"),
    ("{kind}", "gift_card"),
    ("{entity}", "orders"),
];
const NOBODY: &str = "0199c0de-0000-7000-8000-000000000000";

/// Routes, who they take at least, and what to send (null for nothing); an answer of 403 means that it is not allowed,
/// anything else that it is. `{closed}` is an order that is paid. Some routes are here for each case they tell apart.
fn routes() -> Vec<(Least, &'static str, Value)> {
    let none = || json!({});
    let nothing = || Value::Null;
    let order = sample::two_coffees;
    let of_the_owner = || json!({ "employee": "owner" });
    let cash = || json!({ "type": "cash", "amount": 100 });
    vec![
        (Admin, "GET /api/audit", nothing()),
        (Admin, "GET /api/audit/verify", nothing()),
        (Staff, "GET /api/customers", nothing()),
        (Staff, "POST /api/customers", json!({ "name": "Guest" })),
        (Staff, "GET /api/customers/{id}", nothing()),
        (Staff, "PATCH /api/customers/{id}", json!({ "name": "Guest" })),
        (Staff, "GET /api/employees", nothing()),
        (Admin, "POST /api/employees", json!({ "login": "x", "name": "X", "role": "staff" })),
        (Admin, "PATCH /api/employees/{id}", json!({ "active": false })),
        (Staff, "GET /api/inventory", nothing()),
        (Manager, "POST /api/inventory/counts", json!({ "item": "tea", "counted": 5 })),
        (Manager, "POST /api/inventory/movements", json!({ "item": "tea", "kind": "waste", "quantity": 1 })),
        (Staff, "GET /api/inventory/{item}", nothing()),
        (Staff, "GET /api/inventory/{item}/movements", nothing()),
        (Admin, "POST /api/local/accounts", json!({ "accounts": [] })),
        (Staff, "GET /api/local/accounts/{kind}/{number}", nothing()),
        (Admin, "POST /api/local/cache/clear", none()),
        (Manager, "POST /api/local/cache/refresh", none()),
        (Staff, "GET /api/local/cache/status", nothing()),
        (Staff, "GET /api/local/cache/{entity}", nothing()),
        (Admin, "GET /api/local/cache/employees", nothing()),
        (Manager, "GET /api/local/cache/day_closes", nothing()),
        (Admin, "POST /api/local/catalogue", json!({ "mode": "merge" })),
        (Admin, "GET /api/local/config", nothing()),
        (Admin, "PUT /api/local/config", json!({ "set": {} })),
        (Staff, "GET /api/local/devices", nothing()),
        (Admin, "PATCH /api/local/devices/{id}", json!({ "name": "Another" })),
        (Admin, "DELETE /api/local/devices/{id}", nothing()),
        (Manager, "POST /api/local/drawer/open", json!({ "reason": "change" })),
        (Staff, "POST /api/local/ping", none()),
        (Staff, "GET /api/local/status", nothing()),
        (Staff, "GET /api/menu/items", nothing()),
        (Staff, "GET /api/menu/items/{id}", nothing()),
        (Staff, "GET /api/v1/menu/sync", nothing()),
        (Staff, "GET /api/offline/mode", nothing()),
        (Manager, "POST /api/offline/mode/force", json!({ "forced": false })),
        (Staff, "GET /api/offline/payments/queue", nothing()),
        (Manager, "GET /api/offline/payments/declined", nothing()),
        (Manager, "POST /api/offline/payments/process", none()),
        (Manager, "POST /api/offline/payments/{id}/fallback", json!({ "action": "write_off", "reason": "gone" })),
        (Manager, "GET /api/reports/day", nothing()),
        (Manager, "GET /api/reports/day/closes", nothing()),
        (Manager, "GET /api/reports/day/closes/{number}", nothing()),
        (Manager, "GET /api/reports/sales", nothing()),
        (Manager, "POST /api/reports/day/close", json!({ "countedCash": 0 })),
        (Manager, "POST /api/reports/drawer/float", json!({ "amount": 0 })),
        (Manager, "POST /api/reports/drawer/movement", json!({ "amount": 100, "reason": "change" })),
        (Staff, "GET /api/shifts", nothing()),
        (Manager, "GET /api/shifts?employee=owner", nothing()),
        (Staff, "POST /api/shifts/clock-in", none()),
        (Manager, "POST /api/shifts/clock-in", of_the_owner()),
        (Staff, "POST /api/shifts/clock-out", none()),
        (Manager, "POST /api/shifts/clock-out", of_the_owner()),
        (Staff, "GET /kds/queue", nothing()),
        (Staff, "GET /kds/stations", nothing()),
        (Staff, "GET /kds/statistics", nothing()),
        (Staff, "GET /kds/tickets/{id}", nothing()),
        (Staff, "POST /kds/tickets/{id}/start", none()),
        (Staff, "POST /kds/tickets/{id}/bump", none()),
        (Staff, "POST /kds/tickets/{id}/mark-ready", none()),
        (Staff, "POST /kds/tickets/{id}/recall", none()),
        (Staff, "POST /kds/tickets/{id}/serve", none()),
        (Staff, "GET /pos/orders", nothing()),
        (Staff, "POST /pos/orders", order()),
        (Staff, "POST /api/v1/orders/create", order()),
        (Staff, "GET /pos/orders/{id}", nothing()),
        (Staff, "PATCH /pos/orders/{id}", none()),
        (Staff, "GET /pos/orders/{id}/journal", nothing()),
        (Staff, "POST /pos/orders/{id}/send-to-kitchen", none()),
        (Staff, "POST /pos/orders/{id}/tenders", cash()),
        (Staff, "POST /pos/orders/{id}/tenders/{tenderId}/void", none()),
        (Staff, "POST /pos/orders/{id}/close", none()),
        (Staff, "POST /pos/orders/{id}/void", none()),
        (Manager, "POST /pos/orders/{closed}/refund", json!({ "reason": "cold", "type": "cash" })),
    ]
}

/// What nobody needs a permission for: who somebody is has yet to be said, or is said with it.
const OPEN: [&str; 9] = [
    "GET /",
    "GET /api/local/ping",
    "GET /api/sync/events",
    "GET /health/",
    "GET /metrics",
    "GET /openapi.json",
    "POST /api/auth/pin",
    "POST /api/auth/sign-in",
    "POST /api/auth/sign-out",
];
const PAIRING: &str = "POST /api/local/pair";
/// What answers anybody at any time, and so describes no refusal.
const ALWAYS: [&str; 4] = ["GET /api/local/ping", "GET /health/", "GET /metrics", "GET /openapi.json"];

async fn ask(terminal: &mut Terminal, route: &str, body: &Value, closed: &str) -> storebox_tests::Answer {
    let (method, path) = route.split_once(' ').expect("method and path");
    let path = path.replace("{closed}", closed);
    let path = PLACES.iter().fold(path, |path, (place, is)| path.replace(place, is));
    let call = terminal.call(method.parse::<Method>().unwrap(), path);
    if body.is_null() { call.await } else { call.json(body).await }
}

async fn check(shop: &mut Shop, terminal: &mut Terminal, role: Least) {
    let closed = shop.closed_order().await;
    for (least, route, body) in routes() {
        let answer = ask(terminal, route, &body, closed["id"].as_str().unwrap()).await;
        if role >= least {
            assert!(answer.status != 403 && answer.status != 401, "{route} should be allowed: {answer}");
        } else {
            assert_eq!(answer.status, 403, "{route} should be refused: {answer}");
            answer.refused(403);
            assert_eq!(answer.body["type"], "urn:storebox:problem:sign-in-needed", "{route}: {answer}");
        }
    }
}

#[tokio::test]
async fn l13_every_route_takes_the_role_of_the_table() {
    let mut shop = Shop::open("permissions").await;
    let (mut staff, mut manager, mut owner) = (shop.staff("anna").await, shop.manager().await, shop.owner().await);
    check(&mut shop, &mut staff, Staff).await;
    check(&mut shop, &mut manager, Manager).await;
    check(&mut shop, &mut owner, Admin).await;
}

#[tokio::test]
async fn l13_a_terminal_that_nobody_signed_in_to_acts_as_staff() {
    let mut shop = Shop::open("permissions").await;
    let closed = shop.closed_order().await;
    for (least, route, body) in routes() {
        // Whose shift it is cannot be told without a person.
        if route.contains("/api/shifts") {
            continue;
        }
        let answer = ask(&mut shop.till, route, &body, closed["id"].as_str().unwrap()).await;
        assert_eq!(answer.status == 403, least > Staff, "{route}: {answer}");
    }
}

/// A route that is added has to say here whom it takes.
#[tokio::test]
async fn l13_l22_every_route_is_in_the_table_and_described_with_what_it_can_answer() {
    let mut shop = Shop::open("permissions").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    let mut listed: BTreeSet<String> = OPEN.iter().chain([&PAIRING]).map(|&route| route.to_owned()).collect();
    listed.extend(routes().into_iter().map(|(_, route, _)| {
        let route = route.split('?').next().unwrap();
        route
            .replace("{closed}", "{id}")
            .replace("/cache/employees", "/cache/{entity}")
            .replace("/cache/day_closes", "/cache/{entity}")
    }));
    let mut described = BTreeSet::from(["GET /".to_owned()]);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let route = format!("{} {path}", method.to_uppercase());
            if !ALWAYS.contains(&route.as_str()) {
                for status in ["401", "403", "422", "429", "503"] {
                    let responses = &operation["responses"];
                    assert!(responses[status].is_object(), "{route}: {status} is not described: {responses}");
                }
            }
            described.insert(route);
        }
    }
    let missing: Vec<_> = listed.symmetric_difference(&described).collect();
    assert!(missing.is_empty(), "in the table or in the description only: {missing:?}");
}
