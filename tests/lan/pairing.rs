//! How a terminal becomes the store's (L19).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use storebox_tests::pairing::client_proof;
use storebox_tests::sample::two_coffees;
use storebox_tests::{BoxConfig, Door, Folder, Link, Pairing, RunningBox, Shop, Terminal, Trust};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn as_till(secret: &str) -> Pairing<'_> {
    Pairing { name: "Till 9", kind: "pos", secret }
}

#[tokio::test]
async fn l18_anyone_may_ping_and_learns_who_the_box_is() {
    let shop = Shop::open("pairing").await;
    let mut stranger = Terminal::newcomer(shop.running.door());
    let ping = stranger.get("/api/local/ping").await.expect(200);
    assert_eq!(ping["service"], "storebox");
    assert_eq!((&ping["name"], &ping["mode"]), (&json!("Test store"), &json!("server")));
    assert_eq!((&ping["currency"], &ping["currencyExponent"]), (&json!("USD"), &json!(2)));
    assert_eq!(ping["port"], shop.running.door().address().port());
    assert_eq!(ping["fingerprint"], stranger.key_seen().to_string(), "the key in TLS is the box's");
    assert!(ping["version"].is_string() && ping["storeId"].is_string(), "{ping}");
    let posted = stranger.call(hyper::Method::POST, "/api/local/ping").await.expect(200);
    assert_ne!(posted["nonce"], ping["nonce"], "every nonce is new");
}

#[tokio::test]
async fn l19_a_terminal_that_knows_the_secret_is_paired_and_gets_the_authority() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    assert!(secret.chars().filter(char::is_ascii_alphanumeric).count() >= 26, "at least 128 bits");
    for kind in ["pos", "kds", "kiosk", "handheld", "register", "display"] {
        // `Terminal::pair` checks the box's proof, then connects again believing only the authority it was given.
        let mut terminal = Terminal::pair(&shop.running, "New one", kind).await;
        assert_eq!(&*terminal.ca, shop.running.ca());
        terminal.get("/pos/orders").await.must_be(200);
        assert_eq!(terminal.key_seen().to_string(), terminal.get("/api/local/ping").await.text("fingerprint"));
    }
}

#[tokio::test]
async fn l19_the_secret_itself_pairs_whoever_already_knows_the_box() {
    let shop = Shop::open("pairing").await;
    let trust = Trust::Authority(shop.running.ca().into());
    let mut sure = Terminal::visitor(shop.running.door(), &trust, rustls::ALL_VERSIONS);
    let body = json!({ "name": "curl", "kind": "pos", "secret": shop.running.secret() });
    let answer = sure.post("/api/local/pair", body).await;
    answer.must_be(201);
    assert_eq!(answer.body["proof"], Value::Null);
    sure.settled(&answer).get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l19_what_is_no_pairing_is_422() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    let mut stranger = Terminal::newcomer(shop.running.door());
    for (body, field) in [
        (json!({ "kind": "pos", "secret": secret }), "name"),
        (json!({ "name": "", "kind": "pos", "secret": secret }), "name"),
        (json!({ "name": "x".repeat(129), "kind": "pos", "secret": secret }), "name"),
        (json!({ "name": "x", "secret": secret }), "kind"),
        (json!({ "name": "x", "kind": "toaster", "secret": secret }), "kind"),
        (json!({ "name": "x", "kind": "pos", "secret": secret, "admin": true }), "admin"),
    ] {
        stranger.post("/api/local/pair", body).await.refused_field(field);
    }
    stranger.post("/api/local/pair", json!({ "name": "x", "kind": "pos" })).await.refused(422);
    stranger.post("/api/local/pair", json!({ "name": "x", "kind": "pos", "proof": "00" })).await.refused(422);
}

#[tokio::test]
async fn l19_wrong_secrets_are_refused_then_throttled_and_logged() {
    let shop = Shop::open("pairing").await;
    let mut guesser = Terminal::newcomer(shop.running.door()).come_from(Ipv4Addr::new(127, 0, 0, 2));
    let mut statuses = Vec::new();
    for guess in 0..8 {
        let refusal = guesser.pair_as(as_till(&format!("GUESS-{guess}"))).await.expect_err("a guess");
        match refusal.status {
            429 => refusal.refused(429),
            _ => refusal.refused(401),
        };
        statuses.push(refusal.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let secret = shop.running.secret();
    let right = guesser.pair_as(as_till(&secret)).await.expect_err("too late");
    right.refused(429);
    let body = json!({ "name": "x", "kind": "pos", "secret": secret });
    guesser.post("/api/local/pair", body).await.refused(429);

    let log = shop.running.log();
    assert!(log.contains("127.0.0.2"), "who guessed is in the log:\n{log}");
    assert!(!log.contains(&secret), "the secret is not");
    let mut other = Terminal::newcomer(shop.running.door()).come_from(Ipv4Addr::new(127, 0, 0, 3));
    other.pair_as(as_till(&secret)).await.expect("another address is not disturbed");
}

#[tokio::test]
async fn l19_a_throttled_address_may_try_again_later() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    let mut clumsy = Terminal::newcomer(shop.running.door()).come_from(Ipv4Addr::new(127, 0, 0, 4));
    let refusal = loop {
        let refusal = clumsy.pair_as(as_till("WRONG")).await.expect_err("a wrong one");
        if refusal.status == 429 {
            break refusal;
        }
    };
    let seconds: u64 = refusal.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    clumsy.pair_as(as_till(&secret)).await.expect("it waited");
}

#[tokio::test]
async fn l19_a_nonce_works_once_and_only_if_the_box_gave_it() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    let mut terminal = Terminal::newcomer(shop.running.door());
    let nonce = terminal.get("/api/local/ping").await.text("nonce");
    let key = terminal.key_seen();
    let body = as_till(&secret).body(key, &nonce);
    terminal.post("/api/local/pair", body.clone()).await.must_be(201);
    terminal.post("/api/local/pair", body).await.refused(401);
    let mut forged = nonce.into_bytes();
    forged[0] = if forged[0] == b'A' { b'B' } else { b'A' };
    for nonce in [String::from_utf8(forged).unwrap(), "made-up".to_owned(), String::new()] {
        let answer = terminal.post("/api/local/pair", as_till(&secret).body(key, &nonce)).await;
        assert!(matches!(answer.status, 401 | 422), "{answer}");
    }
}

#[tokio::test]
async fn l19_a_proof_for_another_kind_of_message_is_refused() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    let mut terminal = Terminal::newcomer(shop.running.door());
    let nonce = terminal.get("/api/local/ping").await.text("nonce");
    let proof = storebox_tests::pairing::box_proof(&secret, terminal.key_seen(), &nonce);
    let body = json!({ "name": "x", "kind": "pos", "nonce": nonce, "proof": proof });
    terminal.post("/api/local/pair", body).await.refused(401);
}

/// Someone in between: shows a certificate of their own and passes every byte on to the box.
async fn man_in_the_middle(running: &RunningBox) -> Door {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = Door::at(listener.local_addr().unwrap().port());
    let link = Link::new(running.door(), &Trust::Anyone);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, link) = (acceptor.clone(), link.twin());
            tokio::spawn(async move {
                let mut victim = acceptor.accept(tcp).await.unwrap();
                let mut to_box = link.open().await.unwrap();
                // Either end hangs up when the test is over.
                let _ = tokio::io::copy_bidirectional(&mut victim, &mut to_box).await;
            });
        }
    });
    door
}

#[tokio::test]
async fn l19_a_man_in_the_middle_gets_no_token() {
    let shop = Shop::open("pairing").await;
    let secret = shop.running.secret();
    let middle = man_in_the_middle(&shop.running).await;
    let mut victim = Terminal::newcomer(&middle);
    let refusal = victim.pair_as(as_till(&secret)).await.expect_err("the proof is about the wrong key");
    refusal.refused(401);
    assert_ne!(victim.get("/api/local/ping").await.text("fingerprint"), victim.key_seen().to_string());
    // The same proof sent to the box directly is as worthless.
    let nonce = victim.get("/api/local/ping").await.text("nonce");
    let proof = client_proof(&secret, victim.key_seen(), &nonce);
    let mut middle = Terminal::newcomer(shop.running.door());
    let body = json!({ "name": "x", "kind": "pos", "nonce": nonce, "proof": proof });
    middle.post("/api/local/pair", body).await.refused(401);
}

#[tokio::test]
async fn l19_pairing_again_keeps_the_device_and_ends_the_old_token() {
    let mut shop = Shop::open("pairing").await;
    let order = shop.order().await;
    let secret = shop.running.secret();
    let mut again = Terminal::newcomer(shop.running.door()).with_token(&shop.till.token);
    let mut till = again.pair_as(Pairing { name: "Till 1 new", kind: "pos", secret: &secret }).await.unwrap();
    assert_eq!(till.device_id, shop.till.device_id);
    assert_ne!(till.token, shop.till.token);
    shop.till.get("/pos/orders").await.refused(401);
    assert_eq!(till.get("/pos/orders").await.expect(200), json!([order]));
    assert_eq!(till.post("/pos/orders", two_coffees()).await.expect(201)["deviceId"], till.device_id.as_str());

    let stale = Terminal::newcomer(shop.running.door()).with_token(&shop.till.token).pair_as(as_till(&secret)).await;
    assert_ne!(stale.expect("an old token is no hindrance").device_id, till.device_id, "nor does it open a door");
}

#[tokio::test]
async fn l19_secret_authority_and_devices_survive_a_restart() {
    let mut shop = Shop::open("pairing").await;
    shop.till.get("/pos/orders").await.must_be(200);
    let before = (shop.running.secret(), shop.running.ca(), shop.till.key_seen());
    shop.running.restart().await;
    shop.till.get("/pos/orders").await.must_be(200);
    assert_eq!((shop.running.secret(), shop.running.ca(), shop.till.key_seen()), before);
}

#[tokio::test]
async fn l19_the_secret_may_lie_elsewhere_and_must_be_one() {
    let folder = Folder::new("pairing");
    let file = folder.path().join("secret");
    let config = BoxConfig::new(folder.path()).lan("shared_secret_file", &format!("\"{}\"", file.display()));
    std::fs::write(&file, "too short\n").unwrap();
    let stopped = RunningBox::refused(config.clone()).await;
    assert_eq!(stopped.code, Some(70), "{}", stopped.log);
    assert!(stopped.log.contains(file.to_str().unwrap()), "{}", stopped.log);
    std::fs::write(&file, "7K3M9QX2VTB0ZNH5WRD8FJ6CPA\n").unwrap();
    let running = RunningBox::start(config).await;
    let mut terminal = Terminal::newcomer(running.door());
    terminal.pair_as(as_till("7K3M9QX2VTB0ZNH5WRD8FJ6CPA")).await.expect("the owner's secret");
}
