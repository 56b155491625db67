//! A box that falls silent, and who is told (U15).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::receivers::{LOGIN, Listener, MailServer, wait_for};
use crate::reference::{Kind, Reference, on_each_database};
use crate::stranger::{Stranger, claim};

on_each_database! {
    u15_who_is_named_is_told_once_that_a_box_is_gone_and_once_that_it_is_back
    u15_only_the_admin_says_who_is_told
}

/// A box registers for a store that tells these, and falls silent.
fn registered<'c>(cloud: &'c Reference, name: &str, alerts: Value) -> Stranger<'c> {
    let (token, _) = claim(cloud, json!({ "storeName": name, "alerts": alerts }));
    let stranger = Stranger::new(cloud, name);
    stranger.enrol(&token).unwrap();
    stranger.register().unwrap();
    stranger
}

fn u15_who_is_named_is_told_once_that_a_box_is_gone_and_once_that_it_is_back(kind: Kind) {
    let mail = MailServer::start();
    let (well, ill) = (Listener::start(0, Duration::ZERO), Listener::start(1, Duration::ZERO));
    let smtp = format!("smtps://{LOGIN}@localhost:{}", mail.port);
    let arguments = ["--heartbeat", "1", "--smtp", &smtp, "--mail-from", "fleet@cloud.example"];
    let cloud = Reference::start_believing(kind, &arguments, &mail.authority());
    let alerts = json!({ "mail": ["shop@example.com", "boss@example.com"], "webhooks": [well.url, ill.url] });
    let stranger = registered(&cloud, "Café", alerts);

    let gone = wait_for(&well.taken, 1);
    assert_eq!((&gone[0]["event"], &gone[0]["store"]["name"]), (&json!("box-unreachable"), &json!("Café")));
    assert_eq!((&gone[0]["device"]["id"], &gone[0]["device"]["epoch"]), (&json!(stranger.id), &json!(1)));
    let mails = wait_for(&mail.mails, 2);
    let told: BTreeSet<_> = mails.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    assert_eq!(told, BTreeSet::from(["shop@example.com", "boss@example.com"]));
    for mail in &mails {
        let text = mail["text"].as_str().unwrap();
        assert_eq!(mail["from"], "fleet@cloud.example");
        assert!(text.contains("Subject: =?utf-8?Q?Box_unreachable:_Caf=C3=A9?="), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated") && text.contains(&stranger.id[..4]), "{text}");
    }
    // Who refused it gets it again, the same.
    assert_eq!(wait_for(&ill.taken, 1), gone);
    assert_eq!(*ill.refused.lock().unwrap(), gone);
    assert_eq!((well.taken.lock().unwrap().len(), mail.mails.lock().unwrap().len()), (1, 2), "it is said once");

    let back = thread::scope(|scope| {
        let told = scope.spawn(|| wait_for(&well.taken, 2));
        while !told.is_finished() {
            stranger.beat().unwrap();
            thread::sleep(Duration::from_millis(300));
        }
        told.join().unwrap()
    });
    assert_eq!(back[1]["event"], "box-reachable");
    let mails = wait_for(&mail.mails, 4);
    assert!(mails[2..4].iter().all(|mail| mail["text"].as_str().unwrap().contains("Box_reachable_again")));
}

/// Each of several boxes is missed by both instances, and told of by one.
#[test]
fn u15_of_two_instances_one_tells() {
    // Both look for alerts every two seconds, so each sees those that the other is delivering.
    let listener = Listener::start(0, Duration::from_secs(3));
    let cluster = Cluster::shared();
    let one = Reference::start_in(Some(Arc::clone(&cluster)), &["--heartbeat", "1"], &[]);
    let _two = one.beside("cloud-2");
    let names = ["a", "b", "c", "d", "e", "f"];
    let boxes: BTreeSet<_> =
        names.map(|name| registered(&one, name, json!({ "webhooks": [listener.url] })).id).into_iter().collect();
    wait_for(&listener.taken, boxes.len());
    // Time for whoever would tell it twice, and for what is under way.
    thread::sleep(Duration::from_secs(7));
    let told = listener.taken.lock().unwrap().clone();
    let of: BTreeSet<_> = told.iter().map(|one| one["device"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((told.len(), of), (boxes.len(), boxes), "{told:#?}");
    assert_eq!(cluster.sql(one.database(), "SELECT count(*) FROM alerts"), "0");
}

fn u15_only_the_admin_says_who_is_told(kind: Kind) {
    let cloud = Reference::start_on(kind);
    let (_, store) = claim(&cloud, json!({ "storeName": "Shop" }));
    let path = format!("/v1/stores/{store}");
    let change = |path: &str, change: Value| cloud.change(path, change);
    let wish = json!({ "name": "Corner shop", "alerts": { "webhooks": ["https://example.com/alerts"] } });
    let (status, changed) = change(&path, wish.clone());
    assert_eq!((status, &changed["name"], &changed["id"]), (200, &json!("Corner shop"), &json!(store)));
    assert_eq!(changed["alerts"], json!({ "mail": [], "webhooks": ["https://example.com/alerts"] }));
    let (_, renamed) = change(&path, json!({ "name": "Shop" }));
    assert_eq!(renamed["alerts"], changed["alerts"], "what is left out stays as it is");
    let (status, stores) = cloud.admin("/v1/stores", None);
    assert_eq!((status, stores), (200, json!([renamed])));
    for (wrong, why) in [
        (json!({ "alerts": { "webhooks": ["ftp://example.com"] } }), "neither an address"),
        (json!({ "alerts": { "mail": ["shop@example.com"] } }), "sends no mail"),
        (json!({ "alerts": { "webhooks": vec!["https://example.com"; 9] } }), "At most eight"),
        (json!({ "alarms": {} }), "alarms"),
    ] {
        let (status, problem) = change(&path, wrong.clone());
        assert!(status == 422 && problem["detail"].as_str().unwrap().contains(why), "{wrong}: {status} {problem}");
    }
    assert_eq!(change("/v1/stores/0199c0de-0000-7000-8000-000000000000", json!({})).0, 404);
    assert_eq!(cloud.curl(&path, &["-X", "PATCH", "--json", &wish.to_string()]).0, 401);
    assert_eq!(cloud.curl("/v1/stores", &[]).0, 401);
}

/// What the first release of the tables held is there after the newest has come.
#[test]
fn u11_tables_of_an_earlier_release_are_brought_along() {
    let cluster = Cluster::shared();
    let (url, name) = cluster.database_with_name();
    let first = include_str!("../../provisioning/cloud/src/database/migrations/0001.sql");
    let store = "0199c0de-0000-7000-8000-000000000000";
    let row = json!({ "name": "Old shop", "register": "A", "configuration": {}, "epoch": 0, "holder": null });
    cluster.sql(&name, first);
    cluster.sql(
        &name,
        &format!(
            "CREATE TABLE schema (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), version integer NOT NULL);
             INSERT INTO schema (version) VALUES (1);
             INSERT INTO stores VALUES ('{store}', '{row}')"
        ),
    );
    let other = Reference::start_in(Some(Arc::clone(&cluster)), &[], &[]);
    let cloud = other.beside_on("cloud-2", &url);
    assert_eq!(cluster.sql(&name, "SELECT version FROM schema"), "2");
    let (token, _) = claim(&cloud, json!({ "storeId": store }));
    let stranger = Stranger::new(&cloud, "box");
    stranger.enrol(&token).unwrap();
    assert_eq!(stranger.register().unwrap()["storeName"], "Old shop");
}
