//! What is done with special rights is written down, and nobody changes it unnoticed (L13, L19).

use std::collections::BTreeSet;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};
use storebox_tests::{STAFF_PIN, Shop, Terminal};

const AUDIT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("audit");

/// Everything in the audit log, read in small pieces.
async fn everything(owner: &mut Terminal) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    loop {
        let since = entries.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
        let page = owner.get(format!("/api/audit?since={since}&limit=3")).await.expect(200);
        if page == json!([]) {
            return entries;
        }
        entries.extend(page.as_array().unwrap().iter().cloned());
    }
}

#[tokio::test]
async fn l13_privileged_actions_are_written_down_with_who_and_where() {
    let shop = Shop::open("audit").await;
    let mut manager = shop.manager().await;
    manager.get("/api/audit").await.refused(403);
    manager.get("/api/audit/verify").await.refused(403);
    shop.till.twin().get("/api/audit").await.refused(403);
    for _ in 0..5 {
        shop.till.twin().sign_in("manager", "000001").await.unwrap_err();
    }
    let wrong = json!({ "name": "Thief", "kind": "pos", "secret": "0123456789ABCDEFGHJKMNPQRS" });
    Terminal::newcomer(shop.running.door()).post("/api/local/pair", wrong).await.refused(401);

    let mut owner = shop.owner().await;
    let entries = everything(&mut owner).await;
    let what: BTreeSet<&str> = entries.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    for expected in [
        "employee.created",
        "device.paired",
        "staff.signed_in",
        "employee.pin_changed",
        "staff.wrong_pin",
        "staff.locked_out",
        "device.pairing_refused",
    ] {
        assert!(what.contains(expected), "{expected} is missing: {what:?}");
    }
    let created = entries.iter().find(|entry| entry["about"] == "manager" && entry["what"] == "employee.created");
    let created = created.unwrap();
    assert_eq!((&created["role"], &created["deviceId"]), (&json!("admin"), &json!(shop.till.device_id)));
    let thief = entries.iter().find(|entry| entry["what"] == "device.pairing_refused").unwrap();
    assert!(thief["about"].as_str().unwrap().contains("Thief"), "{thief}");
    for pair in entries.windows(2) {
        assert_eq!(pair[1]["previousHash"], pair[0]["hash"]);
        assert_eq!(pair[1]["seq"].as_u64(), pair[0]["seq"].as_u64().map(|seq| seq + 1));
    }
    let text = Value::from(entries.clone()).to_string();
    assert!(!text.contains("000001") && !text.contains(STAFF_PIN) && !text.contains("argon2"), "{text}");
    let verdict = owner.get("/api/audit/verify").await.expect(200);
    assert_eq!((&verdict["ok"], &verdict["firstBroken"]), (&json!(true), &Value::Null));
    for bad in ["since=-1", "since=x", "limit=0", "limit=1001", "until=3"] {
        owner.get(format!("/api/audit?{bad}")).await.refused(422);
    }
}

/// Changes the audit log behind the box's back, and gives what it finds.
async fn after(work: impl FnOnce(&mut redb::Table<'_, u64, &'static [u8]>)) -> Value {
    let mut shop = Shop::open("audit").await;
    shop.manager().await;
    assert_eq!(shop.running.terminate().await.code, Some(0));
    let database = Database::open(shop.running.state("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    work(&mut transaction.open_table(AUDIT).unwrap());
    transaction.commit().unwrap();
    assert!(database.begin_read().is_ok());
    drop(database);
    shop.running.restart().await;
    let mut owner = shop.owner().await;
    // New entries do not hide the damage.
    owner.get("/api/audit?limit=1000").await.must_be(200);
    owner.get("/api/audit/verify").await.expect(200)
}

#[tokio::test]
async fn l13_a_changed_entry_is_found() {
    let flip = |number: u64| {
        move |table: &mut redb::Table<'_, u64, &'static [u8]>| {
            let mut bytes = table.get(number).unwrap().unwrap().value().to_vec();
            // In the middle: the name of whom it is about, or the hash.
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            table.insert(number, bytes.as_slice()).unwrap();
        }
    };
    assert_eq!(after(|_| {}).await["ok"], true);
    for number in [1, 3] {
        let verdict = after(flip(number)).await;
        assert_eq!(verdict["ok"], false, "{verdict}");
        let broken = verdict["firstBroken"].as_u64().unwrap();
        assert!((number.saturating_sub(1).max(1)..=number).contains(&broken), "{verdict}");
    }
}

#[tokio::test]
async fn l13_an_entry_that_is_gone_is_found() {
    let verdict = after(|table| {
        table.remove(2).unwrap();
    })
    .await;
    assert_eq!((&verdict["ok"], &verdict["firstBroken"]), (&json!(false), &json!(2)));
    let verdict = after(|table| {
        table.pop_last().unwrap();
    })
    .await;
    assert_eq!(verdict["ok"], false, "{verdict}");
}

#[tokio::test]
async fn l13_a_change_of_settings_is_written_down() {
    let mut shop = Shop::open("audit").await;
    shop.owner().await;
    shop.running.reconfigure(|config| config.store("name", "\"Another name\""));
    shop.running.restart().await;
    let entries = everything(&mut shop.owner().await).await;
    let noted = entries.iter().filter(|entry| entry["what"] == "settings.changed").collect::<Vec<_>>();
    assert_eq!(noted.len(), 1, "the first start is no change: {entries:?}");
    assert_eq!((&noted[0]["about"], &noted[0]["employeeId"]), (&json!("Another name"), &Value::Null));
}
