//! Who gets in after pairing (L14, L19).

use std::fs;
use std::path::Path;

use storebox_tests::{FakeClock, Shop, Terminal};

/// Base64 (RFC 4648) of ASCII text, for Basic authentication.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for piece in text.as_bytes().chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - piece.len()));
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            encoded.push(if position > piece.len() { '=' } else { char::from(ALPHABET[index as usize]) });
        }
    }
    encoded
}

const NEED_A_TOKEN: [&str; 4] = ["/pos/orders", "/pos/orders/x", "/api/sync/events", "/api/local/status"];
const NEED_NONE: [&str; 5] = ["/api/local/ping", "/health/", "/openapi.json", "/", "/metrics"];

#[tokio::test]
async fn l19_without_a_token_only_the_public_paths_answer() {
    let shop = Shop::open("tokens").await;
    let mut stranger = Terminal::newcomer(shop.running.door());
    for path in NEED_A_TOKEN {
        stranger.get(path).await.refused(401);
    }
    for path in NEED_NONE {
        stranger.get(path).await.must_be(200);
    }
}

#[tokio::test]
async fn l19_foreign_and_mangled_tokens_are_401() {
    let shop = Shop::open("tokens").await;
    let other = Shop::open("tokens").await;
    let own = shop.till.token.clone();
    let mut cut = own.clone();
    cut.pop();
    for header in [
        format!("Bearer {}", other.till.token),
        format!("Bearer {cut}"),
        format!("Bearer {own}x"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        own.clone(),
        format!("Token {own}"),
        "Basic not-base64!".to_owned(),
        format!("Basic {}", base64("user-without-password")),
        format!("Basic {}", base64("user:wrong")),
    ] {
        let mut stranger = Terminal::newcomer(shop.running.door()).with_authorization(&header);
        stranger.get("/pos/orders").await.refused(401);
        stranger.post("/pos/orders", storebox_tests::sample::two_coffees()).await.refused(401);
    }
}

#[tokio::test]
async fn l19_the_token_works_as_bearer_and_as_basic_password() {
    let shop = Shop::open("tokens").await;
    let token = &shop.till.token;
    for header in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("Basic {}", base64(&format!("till:{token}"))),
        format!("Basic {}", base64(&format!(":{token}"))),
    ] {
        let mut terminal = Terminal::newcomer(shop.running.door()).with_authorization(&header);
        terminal.get("/pos/orders").await.must_be(200);
    }
}

#[tokio::test]
async fn l19_tokens_and_secrets_are_not_readable_in_the_state_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut shop = Shop::open("tokens").await;
    shop.order().await;
    let (token, log) = (shop.till.token.clone(), shop.running.log());
    assert!(!log.contains(&token), "a token is in the log");
    let store = fs::read(shop.running.state("store.redb")).unwrap();
    assert!(!store.windows(token.len()).any(|window| window == token.as_bytes()), "a token is in the store");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["lan/secret", "lan/ca.key", "lan/lan.key"] {
        assert_eq!(mode(&shop.running.state(file)), 0o600, "{file}");
    }
}

/// A box without a battery may believe it is 1970 or 2099; its tills must get in all the same.
#[tokio::test]
async fn l19_no_clock_takes_a_token_away() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("tokens", |config| clock.drive(config)).await;
    // The certificate's dates go with the box's clock, not with this machine's.
    let mut till = shop.till.believing_the_key().await;
    for jump in ["+802d", "+25000d", "-15000d", "+0d"] {
        clock.set(jump);
        till.get("/pos/orders").await.must_be(200);
        shop.running.restart().await;
        till.get("/pos/orders").await.must_be(200);
    }
}

/// The one thing that ends a token, and the terminal is told.
#[tokio::test]
async fn l19_a_token_expires_when_its_terminal_is_paired_again() {
    let mut shop = Shop::open("tokens").await;
    let old = shop.till.token.clone();
    let secret = shop.running.secret();
    let mut again = Terminal::newcomer(shop.running.door()).with_token(&old);
    let pairing = storebox_tests::Pairing { name: "Till 1", kind: "pos", secret: &secret };
    let mut renewed = again.pair_as(pairing).await.expect("it is paired again");
    assert_ne!(renewed.token, old);
    for restarted in [false, true] {
        if restarted {
            shop.running.restart().await;
        }
        let refused = shop.till.get("/pos/orders").await;
        refused.refused(401);
        assert!(refused.body["detail"].as_str().unwrap().contains("expired"), "{}", refused.body);
        renewed.get("/pos/orders").await.must_be(200);
    }
}
