//! Keeps card data out of everything a request can leave behind (B12).
//!
//! Every body goes through here before it is read into types, so before anything of it can reach the store or a log.
//! What is free text or about a payment is looked at. Members that hold a typed identifier are not: one in ten valid
//! barcodes passes the checksum of card numbers.

use serde_json::{Map, Value};
use storebox_core::payment::card_number::{CardData, find, find_in_name};

use super::problem::Problem;

/// Members that hold identifiers of things that are sold. UUIDs are told by their form, wherever they stand.
const IDENTIFIERS: [&str; 8] = ["itemId", "itemIds", "modifierId", "barcode", "barcodes", "sku", "gtin", "ean"];
/// Members that machines make of random bits and hashes: what looks like a card number there is chance.
const MACHINE_MADE: [&str; 4] = ["proof", "nonce", "secret", "imageHash"];
/// Members whose text is nobody's business once it was used.
const SECRETS: [&str; 8] = ["token", "encryptedBlob", "secret", "proof", "pin", "oldPin", "newPin", "password"];

/// Refuses a body that holds a card number, the data of a card's stripe, or a card verification code.
///
/// # Errors
/// 422 that names the field, and nothing of what it holds.
pub fn check(members: &Map<String, Value>) -> Result<(), Problem> {
    check_members(members, "")
}

/// The body without what must not be kept with it.
pub fn without_secrets(body: &Value) -> Value {
    match body {
        Value::Object(members) => {
            let kept = members.iter().map(|(name, value)| {
                let value =
                    if SECRETS.contains(&name.as_str()) { Value::from("(not kept)") } else { without_secrets(value) };
                (name.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => body.clone(),
    }
}

/// Whether a body may hold such a thing, as text.
pub fn may_hold_secrets(body: &str) -> bool {
    SECRETS.iter().any(|name| body.contains(&format!("\"{name}\"")))
}

fn check_members(members: &Map<String, Value>, path: &str) -> Result<(), Problem> {
    members.iter().try_for_each(|(name, value)| {
        match find_in_name(name) {
            // A name may be a number itself: then it is not repeated.
            Some(found) if find(name).is_some() => return Err(refuse(path, found)),
            Some(found) => return Err(refuse(&below(path, name), found)),
            None => {}
        }
        let is_exempt = IDENTIFIERS.contains(&name.as_str()) || MACHINE_MADE.contains(&name.as_str());
        if is_exempt { Ok(()) } else { check_value(value, &below(path, name)) }
    })
}

fn check_value(value: &Value, path: &str) -> Result<(), Problem> {
    let found = match value {
        Value::Null | Value::Bool(_) => None,
        Value::String(text) => find(text),
        Value::Number(number) => find(&number.to_string()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            return items.try_for_each(|(index, item)| check_value(item, &format!("{path}[{index}]")));
        }
        Value::Object(members) => return check_members(members, path),
    };
    found.map_or(Ok(()), |found| Err(refuse(path, found)))
}

fn refuse(path: &str, found: CardData) -> Problem {
    Problem::invalid(if path.is_empty() { "." } else { path }, found.to_string())
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(body: &Value) -> bool {
        let problem = check(body.as_object().unwrap()).err();
        if let Some(problem) = &problem {
            assert!(!format!("{problem:?}").contains("4111"), "{problem:?}");
        }
        problem.is_some()
    }

    #[test]
    fn b12_free_text_at_any_depth_is_looked_at_and_identifiers_are_not() {
        const NUMBER: &str = "4111111111111111";
        for body in [
            json!({ "notes": NUMBER }),
            json!({ "items": [{ "name": "Gift", "modifiers": [{ "name": format!("to {NUMBER}") }] }] }),
            json!({ "token": NUMBER }),
            json!({ "amount": 4_111_111_111_111_111_i64 }),
            json!({ NUMBER: true }),
            json!({ "tender": { "cvv": "123" } }),
            json!({ "cardNumber": "x" }),
        ] {
            assert!(refused(&body), "{body}");
        }
        for body in [
            json!({ "items": [{ "itemId": NUMBER }] }),
            json!({ "proof": "50c11bf34111111111111111d03f" }),
            json!({ "notes": "4006381333931" }),
            json!({ "lineId": "01890a5d-ac96-774b-bcce-b302099a8057" }),
        ] {
            assert!(!refused(&body), "{body}");
        }
    }

    #[test]
    fn b12_what_is_kept_of_a_refused_request_holds_no_token() {
        let body = json!({ "tenders": [{ "type": "card", "token": "tok_1", "encryptedBlob": "AAAA", "amount": 1 }] });
        assert!(may_hold_secrets(&body.to_string()));
        let kept = without_secrets(&body).to_string();
        assert!(!kept.contains("tok_1") && !kept.contains("AAAA") && kept.contains("\"amount\":1"), "{kept}");
    }
}
