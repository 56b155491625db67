//! Orders to send.

use serde_json::{Value, json};

/// Two coffees at 3.50: 7.00, with 10 % tax 7.70.
pub fn two_coffees() -> Value {
    json!({ "orderType": "counter", "items": [coffee(2)] })
}

/// Coffees at 3.50 each.
pub fn coffee(quantity: u32) -> Value {
    json!({ "itemId": "coffee", "name": "Coffee", "quantity": quantity, "unitPrice": 350 })
}

/// Cake at 4.20 a piece, with cream for 0.50.
pub fn cake_with_cream(quantity: u32) -> Value {
    json!({
        "itemId": "cake", "name": "Cake", "quantity": quantity, "unitPrice": 420,
        "modifiers": [{ "modifierId": "cream", "name": "Cream", "price": 50 }],
        "notes": "on the side",
    })
}

/// Cash for a close.
pub fn cash(amount: i64) -> Value {
    json!({ "tenders": [{ "type": "cash", "amount": amount }] })
}
