//! The contract as a whole: what is documented, in which protocols, and the paths for people and machines (L22).

use std::process::Command;

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{Folder, RunningBox, Shop, Terminal, Trust};

/// Every path of the contract so far, with a concrete address.
const CONTRACT: [(&str, &str, &str); 32] = [
    ("get", "/api/local/ping", "/api/local/ping"),
    ("post", "/api/local/ping", "/api/local/ping"),
    ("post", "/api/local/pair", "/api/local/pair"),
    ("get", "/api/local/status", "/api/local/status"),
    ("post", "/pos/orders", "/pos/orders"),
    ("get", "/pos/orders", "/pos/orders"),
    ("get", "/pos/orders/{id}", "/pos/orders/x"),
    ("patch", "/pos/orders/{id}", "/pos/orders/x"),
    ("post", "/pos/orders/{id}/send-to-kitchen", "/pos/orders/x/send-to-kitchen"),
    ("post", "/pos/orders/{id}/close", "/pos/orders/x/close"),
    ("post", "/pos/orders/{id}/void", "/pos/orders/x/void"),
    ("post", "/pos/orders/{id}/tenders", "/pos/orders/x/tenders"),
    ("post", "/pos/orders/{id}/tenders/{tenderId}/void", "/pos/orders/x/tenders/y/void"),
    ("post", "/pos/orders/{id}/refund", "/pos/orders/x/refund"),
    ("get", "/pos/orders/{id}/journal", "/pos/orders/x/journal"),
    ("get", "/api/offline/payments/queue", "/api/offline/payments/queue"),
    ("get", "/api/offline/payments/declined", "/api/offline/payments/declined"),
    ("post", "/api/offline/payments/process", "/api/offline/payments/process"),
    ("post", "/api/offline/payments/{id}/fallback", "/api/offline/payments/x/fallback"),
    ("get", "/api/offline/mode", "/api/offline/mode"),
    ("post", "/api/offline/mode/force", "/api/offline/mode/force"),
    ("post", "/api/local/accounts", "/api/local/accounts"),
    ("post", "/api/local/drawer/open", "/api/local/drawer/open"),
    ("get", "/api/sync/events", "/api/sync/events"),
    ("get", "/health/", "/health/"),
    ("get", "/metrics", "/metrics"),
    ("get", "/openapi.json", "/openapi.json"),
    ("get", "/api/v1/menu/sync", "/api/v1/menu/sync"),
    ("post", "/api/v1/orders/create", "/api/v1/orders/create"),
    ("get", "/api/menu/items", "/api/menu/items"),
    ("get", "/api/menu/items/{id}", "/api/menu/items/x"),
    ("post", "/api/local/catalogue", "/api/local/catalogue"),
];

#[tokio::test]
async fn l22_every_path_is_in_the_openapi_document_and_answers() {
    let mut shop = Shop::open("contract").await;
    let document = shop.till.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), Some("application/json"), "{document}");
    let document = document.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    for (method, path, concrete) in CONTRACT {
        let described = &document["paths"][path][method];
        assert!(described["responses"].is_object(), "{method} {path} is not described");
        let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = shop.till.call(verb, concrete).await;
        // A thing that does not exist is 404 as well; that the path exists shows in the words.
        let is_nowhere = answer.status == 404 && answer.text("detail").contains("at this address");
        let known = answer.status != 405 && !is_nowhere;
        assert!(known, "{answer}");
    }
    let described: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert!(described >= CONTRACT.len(), "{described}");
}

#[tokio::test]
async fn l22_every_reference_in_the_openapi_document_leads_somewhere() {
    let mut shop = Shop::open("contract").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    let mut open = vec![&document];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    references += 1;
                    let pointer = reference.strip_prefix('#').expect("references stay within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(references > 0);
}

#[tokio::test]
async fn l22_health_carries_its_seven_members() {
    let mut shop = Shop::open("contract").await;
    shop.order().await;
    let health = Terminal::newcomer(shop.running.door()).get("/health/").await.expect(200);
    let mut members: Vec<_> = health.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["database", "disk_space", "last_sync", "pending_sync", "redis", "status", "uptime"]);
    assert_eq!(health["status"], "healthy");
    assert_ne!(health["pending_sync"], json!(0), "an order waits for the cloud");
}

#[tokio::test]
async fn l22_status_metrics_and_page_say_what_the_box_does() {
    let mut shop = Shop::open("contract").await;
    shop.order().await;
    assert!(shop.till.get("/api/local/status").await.expect(200).is_object());
    let metrics = shop.till.get("/metrics").await;
    metrics.must_be(200);
    let text = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    assert!(text.contains("# TYPE storebox_"), "{text}");
    let page = Terminal::newcomer(shop.running.door()).get("/").await;
    page.must_be(200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(text.contains("Test store"), "{text}");
    assert!(!text.contains(&shop.running.secret()), "the page is for everybody");
}

#[tokio::test]
async fn l22_the_stores_name_is_escaped_on_the_page() {
    let name = "<script>alert(1)</script> & Söhne";
    let shop = Shop::open_with("contract", |config| config.store("name", &format!("\"{name}\""))).await;
    let page = Terminal::newcomer(shop.running.door()).get("/").await;
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(!text.contains("<script>alert") && text.contains("&amp; Söhne"), "{text}");
}

#[tokio::test]
async fn l22_tls_1_2_and_1_3_are_both_spoken() {
    let shop = Shop::open("contract").await;
    let trust = Trust::Authority(shop.running.ca().into());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut terminal = Terminal::visitor(shop.running.door(), &trust, &[version]);
        terminal.get("/api/local/ping").await.must_be(200);
    }
}

/// Runs curl against the box with its authority; gives HTTP version and status, then the body.
fn curl(running: &RunningBox, arguments: &[&str], path: &str) -> (String, String) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_version} %{http_code}"])
        .arg("--cacert")
        .arg(running.state("lan/ca.pem"))
        .args(arguments)
        .arg(format!("https://{}{path}", running.door().address()))
        .output()
        .expect("curl is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    let (body, numbers) = text.rsplit_once('\n').unwrap();
    (numbers.to_owned(), body.to_owned())
}

#[tokio::test]
async fn l22_curl_sells_over_both_versions_of_http_and_tls() {
    let shop = Shop::open("contract").await;
    let pairing = json!({ "name": "curl", "kind": "pos", "secret": shop.running.secret() }).to_string();
    let kind = "content-type: application/json";
    let (_, paired) = curl(&shop.running, &["--header", kind, "--data", &pairing], "/api/local/pair");
    let paired: Value = serde_json::from_str(&paired).unwrap();
    let bearer = format!("authorization: Bearer {}", paired["token"].as_str().unwrap());
    let order = storebox_tests::sample::two_coffees().to_string();
    for (arguments, expected) in [
        (["--http1.1", "--tlsv1.3", "--tls-max", "1.3"], "1.1 201"),
        (["--http1.1", "--tlsv1.2", "--tls-max", "1.2"], "1.1 201"),
        (["--http2", "--tlsv1.3", "--tls-max", "1.3"], "2 201"),
        (["--http2", "--tlsv1.2", "--tls-max", "1.2"], "2 201"),
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--header", kind, "--header", &bearer, "--data", &order]);
        let (numbers, body) = curl(&shop.running, &all, "/pos/orders");
        assert_eq!(numbers, expected, "{arguments:?}: {body}");
    }
}

#[tokio::test]
async fn l14_curl_learns_that_ten_megabytes_are_too_much() {
    let shop = Shop::open("contract").await;
    let folder = Folder::new("contract");
    let file = folder.path().join("large");
    std::fs::write(&file, vec![b' '; 10 * 1024 * 1024]).unwrap();
    let data = format!("@{}", file.display());
    let bearer = format!("authorization: {}", shop.till.authorization());
    for (version, expected) in [("--http1.1", "1.1 413"), ("--http2", "2 413")] {
        let kind = "content-type: application/json";
        let arguments = [version, "--header", kind, "--header", &bearer, "--data-binary", &data];
        let (numbers, body) = curl(&shop.running, &arguments, "/pos/orders");
        assert_eq!(numbers, expected, "{body}");
    }
}

#[tokio::test]
async fn l22_the_certificate_chain_satisfies_openssl() {
    let shop = Shop::open("contract").await;
    let output = Command::new("openssl")
        .args(["s_client", "-brief", "-verify_return_error", "-verify_ip", "127.0.0.1", "-CAfile"])
        .arg(shop.running.state("lan/ca.pem"))
        .arg("-connect")
        .arg(shop.running.door().address().to_string())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Verification: OK"), "{said}");
}
