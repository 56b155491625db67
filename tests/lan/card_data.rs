//! Card numbers, stripes and codes are refused wherever they are sent, and nothing of them is left behind (B12).

use std::fs;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::{Map, Value, json};
use storebox_tests::{Shop, of};

/// A number of a known issuer that passes the checksum.
const NUMBER: &str = "4111111111111111";
/// Members that hold identifiers of things that are sold, or what machines made of random bits: they are exempt.
const IDENTIFIERS: [&str; 7] = ["itemId", "modifierId", "barcodes", "proof", "nonce", "secret", "imageHash"];

/// Every file of the box's state, and its log.
pub fn everything_kept(shop: &Shop) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let folder = shop.running.config().state_dir().parent().expect("the state is in a folder").to_owned();
    collect(&folder, &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.is_file() {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}

/// Bodies that hold `text` in one member each, for every member of a schema that may hold text.
fn bodies(document: &Value, schema: &Value, text: &str, depth: usize, found: &mut Vec<(String, Value)>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    };
    if depth > 6 {
        return;
    }
    for one in ["oneOf", "anyOf", "allOf"].iter().filter_map(|word| schema[*word].as_array()).flatten() {
        bodies(document, one, text, depth + 1, found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        if name == "_idempotencyKey" || IDENTIFIERS.contains(&name.as_str()) {
            continue;
        }
        let is = |kind: &str| {
            member["type"] == kind || member["type"].as_array().is_some_and(|all| all.contains(&json!(kind)))
        };
        if is("string") {
            found.push((name.clone(), Value::Object(Map::from_iter([(name.clone(), json!(text))]))));
        }
        let mut below = Vec::new();
        if is("array") {
            if member["items"]["type"] == "string" {
                below.push((String::new(), json!(text)));
            }
            bodies(document, &member["items"], text, depth + 1, &mut below);
            below.iter_mut().for_each(|(_, value)| *value = json!([value.clone()]));
        } else {
            bodies(document, member, text, depth + 1, &mut below);
        }
        found.extend(
            below.into_iter().map(|(inner, value)| {
                (format!("{name}.{inner}"), Value::Object(Map::from_iter([(name.clone(), value)])))
            }),
        );
    }
}

#[tokio::test]
async fn b12_every_text_of_every_write_refuses_a_card_number_and_nothing_of_it_is_left() {
    let mut shop = Shop::open("card-data").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    let order = shop.closed_order().await;
    // Who may do everything: nothing is refused before it was looked at.
    let mut owner = shop.owner().await;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let mut all = Vec::new();
            bodies(&document, schema, &format!("call {NUMBER} now"), 0, &mut all);
            for (member, body) in all {
                // On an order that is over, so that what is let through would be kept as a refused write.
                let path = path.replace("{id}", order["id"].as_str().unwrap());
                let path = path.replace("{tenderId}", order["tenders"][0]["tenderId"].as_str().unwrap());
                let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let answer = owner.call(verb, path).json(&body).await;
                answer.refused_field("card number");
                assert!(!String::from_utf8_lossy(&answer.bytes).contains(NUMBER), "{member}: {answer}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "only {tried} texts were found in the document");
    for text in [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "%B4111111111111111^DOE/JANE^2712101?",
        ";4111111111111111=27121010000000000?",
        "cvv 123",
    ] {
        let refused = shop.till.post(of(&order, "/void"), json!({ "reason": text })).await;
        refused.refused_field("reason");
    }
    let nested = json!({ "tenders": [{ "type": "card", "amount": 770, "cvv": "123" }] });
    shop.till.post(of(&order, "/close"), nested).await.refused_field("cvv");
    let number: i64 = NUMBER.parse().unwrap();
    shop.till.post(of(&order, "/close"), json!({ "version": number })).await.refused_field("version");
    shop.running.kill();
    let files = everything_kept(&shop);
    assert!(files.iter().any(|(path, _)| path.ends_with("store.redb")));
    for (path, bytes) in files {
        for text in [NUMBER, "4111 1111", "4111-1111"] {
            let kept = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!kept, "{} holds {text}", path.display());
        }
    }
}

#[tokio::test]
async fn b12_barcodes_and_other_identifiers_are_not_taken_for_card_numbers() {
    let mut shop = Shop::open("card-data").await;
    // The first is a valid EAN-13 that passes the checksum of cards too, the second a GTIN-14 in an issuer's range.
    for barcode in ["4006381333955", "4012888888881881"] {
        let item = json!({ "itemId": barcode, "name": "Pen", "quantity": 1, "unitPrice": 100 });
        let order = shop.till.post("/pos/orders", json!({ "items": [item] })).await.expect(201);
        assert_eq!(order["items"][0]["itemId"], barcode);
    }
    for notes in
        ["4006381333955", "table 12, 2 guests", "call 555 0100 after 18:00", "01890a5d-ac96-774b-bcce-b302099a8057"]
    {
        shop.till.post("/pos/orders", json!({ "items": [], "notes": notes })).await.expect(201);
    }
}
