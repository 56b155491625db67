//! From a claim to a registered box, without a line of our own on the box's side (B8, U11).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::reference::{Kind, Reference, on_each_database};
use crate::stranger::{Stranger, claim};

on_each_database! {
    b8_u11_curl_and_openssl_enrol_enrol_again_and_register
    b8_a_box_that_lay_in_a_cupboard_renews_with_its_key
    u11_b14_revoked_and_replaced_boxes_are_told_so
    u11_only_the_admin_makes_claims_and_sees_the_fleet
}

fn b8_u11_curl_and_openssl_enrol_enrol_again_and_register(kind: Kind) {
    let mut cloud = Reference::start_on(kind);
    let (token, store) = claim(&cloud, json!({ "storeName": "Corner shop", "register": "B" }));

    let (status, authorities) = cloud.curl("/.well-known/est/cacerts", &[]);
    assert_eq!(status, 200);
    std::fs::write(cloud.path("cacerts.p7b"), BASE64_STANDARD.decode(authorities).unwrap()).unwrap();
    cloud.openssl(&["pkcs7", "-inform", "DER", "-in", "cacerts.p7b", "-print_certs", "-out", "cacerts.pem"]);

    let stranger = Stranger::new(&cloud, "box");
    assert_eq!(stranger.enrol("no-such-token"), Err(json!("claim-unknown")));
    stranger.enrol(&token).unwrap();
    let verified = cloud.openssl(&["verify", "-CAfile", "cacerts.pem", "-purpose", "sslclient", "box.pem"]);
    assert_eq!(verified, b"box.pem: OK\n");
    let subject = cloud.openssl(&["x509", "-in", "box.pem", "-noout", "-subject"]);
    assert!(String::from_utf8(subject).unwrap().contains(&stranger.id), "the subject is the name of the key");

    let registered = stranger.register().unwrap();
    assert_eq!((&registered["storeId"], &registered["epoch"]), (&json!(store), &json!(1)), "{registered}");
    assert_eq!((&registered["storeName"], &registered["register"]), (&json!("Corner shop"), &json!("B")));
    stranger.renew("box.pem").unwrap();
    // Somebody else's key does not renew for it, and a claim is for one box.
    let thief = Stranger::new(&cloud, "thief");
    assert_eq!(thief.enrol(&token), Err(json!("claim-used")));
    cloud.openssl(&["req", "-x509", "-key", "thief.key", "-subj", "/CN=box", "-days", "1", "-out", "thief.pem"]);
    assert_eq!(thief.renew("thief.pem"), Err(json!("wrong-certificate")));
    assert_eq!(thief.register(), Err(json!("wrong-certificate")));

    let id = stranger.id.clone();
    cloud.restart();
    let stranger = Stranger { cloud: &cloud, name: "box".to_owned(), id };
    stranger.enrol(&token).unwrap();
    assert_eq!(stranger.register().unwrap()["epoch"], 1, "what it was told outlives the cloud's own restart");
    let (_, boxes) = cloud.admin("/v1/devices", None);
    assert_eq!(boxes.as_array().unwrap().len(), 1, "{boxes}");
}

/// RFC 7030, section 3.3.2: a certificate that has lapsed, or that is not ours at all, still shows who holds a known key.
fn b8_a_box_that_lay_in_a_cupboard_renews_with_its_key(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let (token, _) = claim(&cloud, json!({}));
    let stranger = Stranger::new(&cloud, "box");
    stranger.enrol(&token).unwrap();
    cloud.openssl(&["req", "-new", "-key", "box.key", "-subj", "/CN=box", "-out", "again.csr"]);
    std::fs::write(cloud.path("extensions"), "keyUsage=digitalSignature\n").unwrap();
    let lapsed = ["-signkey", "box.key", "-days", "-1", "-extfile", "extensions", "-out", "lapsed.pem"];
    cloud.openssl(&[&["x509", "-req", "-in", "again.csr"], &lapsed[..]].concat());
    stranger.renew("lapsed.pem").unwrap();
    stranger.register().unwrap();
}

fn u11_b14_revoked_and_replaced_boxes_are_told_so(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let (token, store) = claim(&cloud, json!({}));
    let old = Stranger::new(&cloud, "old");
    old.enrol(&token).unwrap();
    old.register().unwrap();
    let (second, _) = claim(&cloud, json!({ "storeId": store }));
    let new = Stranger::new(&cloud, "new");
    assert_eq!(new.enrol(&second), Err(json!("store-has-box")));
    let (replacing, _) = claim(&cloud, json!({ "storeId": store, "intent": "replace" }));
    new.enrol(&replacing).unwrap();
    assert_eq!(new.register().unwrap()["epoch"], 2);
    assert_eq!(old.register(), Err(json!("device-replaced")));

    assert_eq!(cloud.admin(&format!("/v1/devices/{}/revoke", new.id), Some(json!({}))).0, 204);
    assert_eq!(new.register(), Err(json!("device-revoked")));
    assert_eq!(new.renew("new.pem"), Err(json!("device-revoked")));
    assert_eq!(cloud.admin(&format!("/v1/devices/{}/restore", new.id), Some(json!({}))).0, 204);
    assert_eq!(new.register().unwrap()["epoch"], 2);
}

fn u11_only_the_admin_makes_claims_and_sees_the_fleet(kind: Kind) {
    let cloud = Reference::start_on(kind);
    for arguments in [&[] as &[&str], &["-H", "Authorization: Bearer wrong"]] {
        assert_eq!(cloud.curl("/v1/devices", arguments).0, 401);
        let wish = [arguments, &["--json", "{}"]].concat();
        assert_eq!(cloud.curl("/v1/claims", &wish).0, 401);
    }
    assert_eq!(cloud.admin("/v1/claims", Some(json!({ "storeId": "0199c0de-0000-7000-8000-000000000000" }))).0, 404);
    let (status, claim) = cloud.admin("/v1/claims", Some(json!({ "storeName": "Corner shop" })));
    let site = claim["site"].as_str().unwrap();
    assert!(
        status == 201 && site.contains("[cloud]\nurl = \"https://localhost:") && site.contains("sha256/"),
        "{site}"
    );
}
