//! How a terminal and the box prove to each other that both know the pairing secret.

use ring::hmac;
use serde_json::{Value, json};

use crate::trust::Key;

const CLIENT_LABEL: &[u8] = b"storebox-pair-1";
const BOX_LABEL: &[u8] = b"storebox-pair-1-box";

/// What a terminal says of itself when it pairs.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// What people call it.
    pub name: &'a str,
    /// `pos`, `kds`, `kiosk`, `handheld`, `register` or `display`.
    pub kind: &'a str,
    /// What the box printed or keeps in `lan/secret`.
    pub secret: &'a str,
}

impl Pairing<'_> {
    /// The request's body for a connection on which `key` was seen.
    pub fn body(&self, key: Key, nonce: &str) -> Value {
        json!({
            "name": self.name,
            "kind": self.kind,
            "nonce": nonce,
            "proof": client_proof(self.secret, key, nonce),
        })
    }
}

/// The terminal's proof: lower-case hex HMAC-SHA256 over label, key and nonce, keyed by the secret's text.
pub fn client_proof(secret: &str, key: Key, nonce: &str) -> String {
    proof(CLIENT_LABEL, secret, key, nonce)
}

/// The box's proof, which it answers with.
pub fn box_proof(secret: &str, key: Key, nonce: &str) -> String {
    proof(BOX_LABEL, secret, key, nonce)
}

fn proof(label: &[u8], secret: &str, key: Key, nonce: &str) -> String {
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&hmac_key);
    context.update(label);
    context.update(&key.0);
    context.update(nonce.as_bytes());
    context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl dgst -sha256 -hmac SECRET` over label, key and nonce.
    #[test]
    fn proofs_are_those_of_openssl() {
        let secret = "7K3M9QX2VTB0ZNH5WRD8FJ6CPA";
        let nonce = "AAABnW0Yq4AAAQIDBAUGB3F3ZXJ0eXVpb3Bhc2RmZ2g";
        let key = Key(std::array::from_fn(|index| u8::try_from(index).unwrap()));
        let of_terminal = "663a83ddb6838d4660a03b10649216f57eb66299a76c3dab2494cce74406c399";
        let of_box = "8902049800f979b0a5d25c377789b70b71051ec6994144ffb541d37bb93339be";
        assert_eq!(client_proof(secret, key, nonce), of_terminal);
        assert_eq!(box_proof(secret, key, nonce), of_box);
    }
}
