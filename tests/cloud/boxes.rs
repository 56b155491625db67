//! The real box and the reference cloud: from an installer's file to a registered box, and what comes after (B8, B14, U11).

use serde_json::{Value, json};
use storebox_tests::{FakeClock, sample};

use crate::installed::{Installed, cloud_of};
use crate::reference::{Kind, Reference};
use crate::stranger::claim;
use crate::wire::Wire;

/// The installer's file of a claim.
fn site(cloud: &Reference, wish: Value) -> String {
    let (status, claim) = cloud.admin("/v1/claims", Some(wish));
    assert_eq!(status, 201, "{claim}");
    claim["site"].as_str().unwrap().to_owned()
}

/// Every box the cloud knows.
fn boxes(cloud: &Reference) -> Vec<Value> {
    cloud.admin("/v1/devices", None).1.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_a_box_with_an_installers_file_registers_within_seconds_and_both_sides_show_it() {
    let cloud = Reference::start_on(Kind::Embedded);
    let wish = json!({
        "storeName": "Corner shop", "register": "B",
        "configuration": { "store.timezone": "\"Asia/Jakarta\"", "store.no_such_option": "5", "lan.rate_burst": "much" },
    });
    let file = site(&cloud, wish);
    let mut installed = Installed::start(&file).await;
    let status = installed.is_registered().await;
    assert!(status.contains("Store      Corner shop") && !status.contains("[!!]"), "{status}");
    assert_eq!(status.matches("[ok]").count(), 8, "{status}");

    let mut till = installed.till().await;
    let shown = cloud_of(&mut till).await;
    let known = boxes(&cloud);
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!((&shown["identity"], &shown["storeName"]), (&known[0]["id"], &json!("Corner shop")), "{shown}");
    assert!(shown["steps"].as_array().unwrap().iter().all(|step| step["state"] == "reached"), "{shown}");
    let order = till.post("/pos/orders", sample::two_coffees()).await.expect(201);
    assert!(order["orderNumber"].as_str().unwrap().starts_with("B-"), "{order}");
    let page = till.get("/").await;
    page.must_be(200);
    let page = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(page.contains("This box speaks for <strong>Corner shop</strong>"), "{page}");
    let log = installed.running.log();
    assert!(log.contains("store.no_such_option is no option") && log.contains("lan.rate_burst is left out"), "{log}");

    // It is who it was after power was lost, and asks for nothing anew.
    installed.running.restart().await;
    installed.logs("registered for Corner shop as box 1, register B", 2).await;
    assert_eq!(cloud_of(&mut till).await["identity"], known[0]["id"]);
    let known_now = boxes(&cloud);
    assert_eq!((known_now.len(), &known_now[0]["epoch"]), (1, &json!(1)), "{known_now:?}");
    assert_eq!(known_now[0]["enrolledAt"], known[0]["enrolledAt"]);
}

/// The cloud owns the configuration; an admin is told so.
#[tokio::test(flavor = "multi_thread")]
async fn b8_b16_what_the_cloud_says_an_admin_does_not_change() {
    let cloud = Reference::start_on(Kind::Embedded);
    let file = site(&cloud, json!({ "configuration": { "offline.payment_limit": "50.0" } }));
    let installed = Installed::start(&file).await;
    installed.is_registered().await;
    let mut till = installed.running.owner_at(&installed.till().await).await;
    let config = till.get("/api/local/config").await.expect(200);
    let option =
        |key: &str| config["options"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone();
    assert_eq!(option("offline.payment_limit")["saidBy"], "cloud");
    assert_eq!(option("offline.payment_limit")["value"], 50.0);
    let refused = till.put("/api/local/config", json!({ "set": { "offline.payment_limit": 10.0 } })).await;
    refused.refused(422);
    assert!(refused.body["detail"].as_str().unwrap().contains("cloud"), "{refused}");
    till.put("/api/local/config", json!({ "set": { "store.cash_rounding": 5 } })).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_l1_a_box_sells_while_its_cloud_is_away_and_registers_when_it_comes() {
    let cloud = Reference::start_on(Kind::Embedded);
    let wire = Wire::to(cloud.port());
    wire.cut();
    let file = site(&cloud, json!({})).replace(&format!(":{}", cloud.port()), &format!(":{}", wire.port()));
    let installed = Installed::start(&file).await;
    installed.says("[!!] The cloud answers").await;
    let mut till = installed.till().await;
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
    assert_eq!(cloud_of(&mut till).await["steps"][4]["state"], "broken");
    wire.mend();
    installed.is_registered().await;
    assert_eq!(boxes(&cloud).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_u11_a_cloud_with_another_key_than_the_pin_hears_nothing() {
    let cloud = Reference::start_on(Kind::Embedded);
    let good = site(&cloud, json!({}));
    let pin = good.lines().find(|line| line.starts_with("pin")).unwrap();
    let wrong = good.replace(pin, "pin = \"sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=\"");
    let installed = Installed::start(&wrong).await;
    installed.says("answers with another key than the pin says").await;
    assert!(installed.running.log().contains("it has another key than the pin says"), "{}", installed.running.log());
    assert!(boxes(&cloud).is_empty());
    // The installer mends the file while the box runs.
    installed.write_site(&good);
    installed.is_registered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_a_broken_file_is_named_with_its_lines_and_the_box_goes_on_as_before() {
    let cloud = Reference::start_on(Kind::Embedded);
    let good = site(&cloud, json!({ "storeName": "Corner shop" }));
    let mut installed = Installed::start(&good).await;
    installed.is_registered().await;
    installed.write_site("[cloud]\nurl = \"http://cloud\"\n[network]\naddress = \"300.1.2.3/24\"\n");
    let status = installed.says("storebox.toml WAS NOT TAKEN").await;
    assert!(status.contains("line 2: url") && status.contains("line 4: address"), "{status}");
    installed.running.restart().await;
    installed.says("storebox.toml WAS NOT TAKEN").await;
    let mut till = installed.till().await;
    assert_eq!(cloud_of(&mut till).await["storeName"], "Corner shop");
    assert_eq!(cloud_of(&mut till).await["siteFaults"].as_array().unwrap().len(), 2);
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
}

/// What is absent stays as it was: somebody may have tidied the card up.
#[tokio::test(flavor = "multi_thread")]
async fn b8_a_file_that_is_gone_changes_nothing() {
    let cloud = Reference::start_on(Kind::Embedded);
    let file = format!("{}\n[store]\ntimezone = \"Asia/Jakarta\"\n", site(&cloud, json!({})));
    let mut installed = Installed::start(&file).await;
    installed.is_registered().await;
    installed.remove_site();
    installed.running.restart().await;
    installed.logs("registered for Store", 2).await;
    let mut owner = installed.running.owner_at(&installed.till().await).await;
    let config = owner.get("/api/local/config").await.expect(200);
    let zone = config["options"].as_array().unwrap().iter().find(|one| one["key"] == "store.timezone").unwrap();
    assert_eq!((&zone["value"], &zone["saidBy"]), (&json!("Asia/Jakarta"), &json!("installer")), "{config}");
}

/// A box that was stolen, or sold: it gets nothing from the cloud, and the store it stands in sells on.
#[tokio::test(flavor = "multi_thread")]
async fn u11_l1_a_revoked_box_sells_on_and_comes_back_when_it_is_restored() {
    let cloud = Reference::start_on(Kind::Embedded);
    let mut installed = Installed::start(&site(&cloud, json!({}))).await;
    installed.is_registered().await;
    let mut till = installed.till().await;
    let id = boxes(&cloud)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(cloud.admin(&format!("/v1/devices/{id}/revoke"), Some(json!({}))).0, 204);
    installed.running.restart().await;
    installed.says("This box was taken out of service in the cloud.").await;
    till.post("/pos/orders", sample::two_coffees()).await.must_be(201);
    assert_eq!(cloud_of(&mut till).await["problem"], "This box was taken out of service in the cloud.");
    assert_eq!(cloud.admin(&format!("/v1/devices/{id}/restore"), Some(json!({}))).0, 204);
    installed.running.restart().await;
    installed.logs("registered for Store", 2).await;
    installed.is_registered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b14_a_new_box_takes_the_place_of_the_old_one_which_is_told() {
    let cloud = Reference::start_on(Kind::Embedded);
    let (_, store) = claim(&cloud, json!({ "storeName": "Corner shop" }));
    let mut old = Installed::start(&site(&cloud, json!({ "storeId": store }))).await;
    old.is_registered().await;
    let second = Installed::start(&site(&cloud, json!({ "storeId": store }))).await;
    second.says("The store has another box already.").await;
    // The installer of the second one gets a claim to replace the first, and writes it into the file.
    second.write_site(&site(&cloud, json!({ "storeId": store, "intent": "replace" })));
    second.is_registered().await;
    old.running.restart().await;
    old.says("Another box has taken this one's place.").await;
    let mut epochs: Vec<u64> = boxes(&cloud).iter().map(|known| known["epoch"].as_u64().unwrap()).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, [1, 2]);
}

/// No battery, no time server: the clock of a box may show anything, and the cloud is known all the same.
#[tokio::test(flavor = "multi_thread")]
async fn b11_b8_a_box_registers_whatever_its_clock_shows() {
    let cloud = Reference::start_on(Kind::Embedded);
    for year in ["@1970-01-01 00:10:00", "@2020-06-01 00:00:00", "@2099-06-01 00:00:00"] {
        let clock = FakeClock::new();
        clock.set(year);
        let mut installed = Installed::start_with(&site(&cloud, json!({})), |config| clock.drive(config)).await;
        installed.is_registered().await;
        assert!(installed.running.log().contains("the clock shows"), "{year}: {}", installed.running.log());
        // It jumps back, or is set right: the box is who it was.
        clock.set("+0");
        installed.running.restart().await;
        installed.logs("registered for Store", 2).await;
    }
    let known = boxes(&cloud);
    assert_eq!(known.len(), 3);
    assert!(known.iter().all(|one| one["epoch"] == 1), "{known:?}");
}

/// A box that lay in a cupboard for thirteen months, while the cloud went on.
#[tokio::test(flavor = "multi_thread")]
async fn b8_a_certificate_that_lapsed_in_a_cupboard_is_renewed_by_its_key() {
    let clock = FakeClock::new();
    let mut cloud = Reference::start_with(&clock.environment());
    let wire = Wire::to(cloud.port());
    let file = site(&cloud, json!({})).replace(&format!(":{}", cloud.port()), &format!(":{}", wire.port()));
    let mut installed = Installed::start_with(&file, |config| clock.drive(config)).await;
    installed.is_registered().await;
    installed.running.terminate().await;
    clock.set("+396d");
    cloud.restart();
    wire.lead_to(cloud.port());
    installed.running.restart().await;
    installed.logs("the cloud gave the box a certificate", 2).await;
    installed.logs("registered for Store as box 1", 2).await;
    // For curl, whose clock nobody turned.
    clock.set("+0");
    cloud.restart();
    let known = boxes(&cloud);
    assert_eq!((known.len(), &known[0]["epoch"]), (1, &json!(1)), "{known:?}");
}
