//! Who may do what, through every route that asks for a permission (L13).

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{Shop, Terminal};

/// Who a route takes at least.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Least {
    Staff,
    Manager,
    Admin,
}

/// A route and what to send; an answer of 403 means that it is not allowed, anything else that it is.
struct Route(Least, Method, &'static str, Value);

fn routes() -> Vec<Route> {
    let nobody = "/api/employees/0199c0de-0000-7000-8000-000000000000";
    vec![
        Route(Least::Staff, Method::GET, "/api/local/status", Value::Null),
        Route(Least::Staff, Method::GET, "/api/employees", Value::Null),
        Route(Least::Staff, Method::GET, "/api/customers", Value::Null),
        Route(Least::Staff, Method::POST, "/api/customers", json!({ "name": "Guest" })),
        Route(Least::Staff, Method::GET, "/api/shifts", Value::Null),
        Route(Least::Staff, Method::POST, "/api/shifts/clock-in", json!({})),
        Route(Least::Manager, Method::GET, "/api/shifts?employee=owner", Value::Null),
        Route(Least::Manager, Method::POST, "/api/shifts/clock-in", json!({ "employee": "owner" })),
        Route(Least::Manager, Method::POST, "/api/shifts/clock-out", json!({ "employee": "owner" })),
        Route(Least::Admin, Method::POST, "/api/employees", json!({ "login": "x", "name": "X", "role": "staff" })),
        Route(Least::Admin, Method::PATCH, nobody, json!({ "active": false })),
        Route(Least::Admin, Method::GET, "/api/audit", Value::Null),
        Route(Least::Admin, Method::GET, "/api/audit/verify", Value::Null),
    ]
}

async fn check(terminal: &mut Terminal, role: Least) {
    for Route(least, method, path, body) in routes() {
        let call = terminal.call(method, path);
        let answer = if body.is_null() { call.await } else { call.json(&body).await };
        if role >= least {
            assert!(answer.status != 403 && answer.status != 401, "it should be allowed: {answer}");
        } else {
            answer.refused(403);
            assert_eq!(answer.body["type"], "urn:storebox:problem:sign-in-needed", "{answer}");
        }
    }
}

#[tokio::test]
async fn l13_every_route_takes_the_role_of_the_table() {
    let shop = Shop::open("permissions").await;
    check(&mut shop.staff("anna").await, Least::Staff).await;
    check(&mut shop.manager().await, Least::Manager).await;
    check(&mut shop.owner().await, Least::Admin).await;
}

#[tokio::test]
async fn l13_a_terminal_that_nobody_signed_in_to_acts_as_staff() {
    let mut shop = Shop::open("permissions").await;
    for Route(least, method, path, body) in routes() {
        // Whose shift it is cannot be told without a person.
        if path.starts_with("/api/shifts") {
            continue;
        }
        let call = shop.till.call(method, path);
        let answer = if body.is_null() { call.await } else { call.json(&body).await };
        assert_eq!(answer.status == 403, least > Least::Staff, "{answer}");
    }
}

#[tokio::test]
async fn l22_every_route_of_people_is_described_with_what_it_can_answer() {
    let mut shop = Shop::open("permissions").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    let more =
        [(Method::POST, "/api/auth/sign-in"), (Method::POST, "/api/auth/sign-out"), (Method::POST, "/api/auth/pin")];
    let all = routes().into_iter().map(|Route(_, method, path, _)| (method, path)).chain(more);
    for (method, path) in all {
        let path = path.split('?').next().unwrap();
        let path = if path.starts_with("/api/employees/") { "/api/employees/{id}" } else { path };
        let responses = &document["paths"][path][method.as_str().to_lowercase()]["responses"];
        for status in ["401", "403", "422", "429", "503"] {
            assert!(responses[status].is_object(), "{method} {path}: {status} is not described: {responses}");
        }
    }
    for id in ["show_customer", "change_customer"] {
        assert!(document.to_string().contains(id), "{id}");
    }
}
