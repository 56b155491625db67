//! Many instances of the cloud on one PostgreSQL, and a PostgreSQL that is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::reference::{Kind, Reference};
use crate::stranger::{Stranger, claim};

/// Boxes that come at once.
const BOXES: usize = 12;
/// Rounds in which two meet.
const ROUNDS: usize = 6;

/// What one thread does.
type Task<'t, T> = Box<dyn FnOnce() -> T + Send + 't>;

/// Does all of this at the same moment, and gives what comes of each.
fn at_once<'t, T: Send>(tasks: Vec<Task<'t, T>>) -> Vec<T> {
    let barrier = &Barrier::new(tasks.len());
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for task in tasks {
            threads.push(scope.spawn(move || {
                barrier.wait();
                task()
            }));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The boxes, by name.
fn fleet(cloud: &Reference) -> BTreeMap<String, Value> {
    let (status, boxes) = cloud.admin("/v1/devices", None);
    assert_eq!(status, 200, "{boxes}");
    let boxes = boxes.as_array().unwrap().iter();
    boxes.map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone())).collect()
}

/// Every request of every box comes twice, at the same moment, through two instances.
#[test]
fn b8_u11_boxes_that_come_twice_through_two_instances_are_each_one() {
    let one = Reference::start_on(Kind::Postgres);
    let two = one.beside("cloud-2");
    let names: Vec<String> = (0..BOXES).map(|number| format!("box-{number}")).collect();
    let claimed: Vec<_> =
        names.iter().map(|name| (Stranger::new(&one, name), claim(&one, json!({ "storeName": name })))).collect();

    let mut tasks: Vec<Task<'_, ()>> = Vec::new();
    for (stranger, (token, _)) in &claimed {
        for cloud in [&one, &two] {
            tasks.push(Box::new(move || stranger.at(cloud).enrol(token).unwrap()));
        }
    }
    at_once(tasks);
    let mut tasks: Vec<Task<'_, (String, Value)>> = Vec::new();
    for (stranger, _) in &claimed {
        for cloud in [&one, &two] {
            tasks.push(Box::new(move || (stranger.id.clone(), stranger.at(cloud).register().unwrap())));
        }
    }
    let stores: BTreeMap<_, _> = claimed.iter().map(|(stranger, (_, store))| (stranger.id.clone(), store)).collect();
    for (id, registered) in at_once(tasks) {
        assert_eq!((&registered["storeId"], &registered["epoch"]), (&json!(stores[&id]), &json!(1)), "{registered}");
    }

    let fleet = [fleet(&one), fleet(&two)];
    for boxes in &fleet {
        assert_eq!(boxes.len(), BOXES);
        for (id, one) in boxes {
            assert_eq!((&one["store"], &one["epoch"]), (&json!(stores[id]), &json!(1)), "{one}");
        }
    }
}

#[test]
fn b8_of_two_boxes_with_one_claim_one_has_it_whichever_instance_they_ask() {
    let one = Reference::start_on(Kind::Postgres);
    let two = one.beside("cloud-2");
    for round in 0..ROUNDS {
        let (token, _) = claim(&one, json!({}));
        let strangers = ["left", "right"].map(|name| Stranger::new(&one, &format!("{name}-{round}")));
        let [left, right] = &strangers;
        let token = token.as_str();
        let got = at_once(vec![
            Box::new(|| left.enrol(token)) as Task<'_, Result<(), Value>>,
            Box::new(|| right.at(&two).enrol(token)),
        ]);
        let mut lost = got.iter().filter_map(|got| got.as_ref().err());
        assert_eq!((lost.next(), lost.next()), (Some(&json!("claim-used")), None), "round {round}: {got:?}");
        let winner = &strangers[usize::from(got[0].is_err())];
        assert_eq!(winner.at(&two).register().unwrap()["epoch"], 1);
    }
    assert_eq!(fleet(&two).len(), ROUNDS);
}

/// Two boxes are to replace a third, and both come at once.
#[test]
fn b14_replacements_that_meet_take_the_store_one_after_the_other() {
    let one = Reference::start_on(Kind::Postgres);
    let two = one.beside("cloud-2");
    for round in 0..ROUNDS {
        let (token, store) = claim(&one, json!({}));
        let old = Stranger::new(&one, &format!("old-{round}"));
        old.enrol(&token).unwrap();
        assert_eq!(old.register().unwrap()["epoch"], 1);
        let strangers = ["left", "right"].map(|name| {
            let stranger = Stranger::new(&one, &format!("{name}-{round}"));
            let (token, _) = claim(&one, json!({ "storeId": store, "intent": "replace" }));
            stranger.enrol(&token).unwrap();
            stranger
        });
        let [left, right] = &strangers;
        let epochs: Vec<_> = at_once(vec![
            Box::new(|| left.register()) as Task<'_, Result<Value, Value>>,
            Box::new(|| right.at(&two).register()),
        ]);
        let mut epochs: Vec<_> = epochs.into_iter().map(|one| one.unwrap()["epoch"].as_u64().unwrap()).collect();
        let last = usize::from(epochs[1] == 3);
        epochs.sort_unstable();
        assert_eq!(epochs, [2, 3], "round {round}: each had the store, one after the other");
        assert_eq!(strangers[last].register().unwrap()["epoch"], 3);
        for replaced in [&strangers[1 - last], &old] {
            assert_eq!(replaced.at(&two).register(), Err(json!("device-replaced")), "round {round}");
        }
    }
}

#[test]
fn u11_instances_that_start_at_once_make_the_tables_once() {
    let cluster = Cluster::shared();
    let first = Reference::start_in(Some(Arc::clone(&cluster)), &[], &[]);
    let database = cluster.database();
    // The same keys, and a database that nobody has seen.
    let url = database.as_str();
    let starts = (0..4).map(|number| {
        let first = &first;
        let task = move || {
            let data = format!("cloud-at-{number}");
            first.beside_on(&data, url)
        };
        Box::new(task) as Task<'_, Reference>
    });
    let clouds = at_once(starts.collect());
    let (token, _) = claim(&clouds[0], json!({}));
    let stranger = Stranger::new(&clouds[1], "box");
    stranger.enrol(&token).unwrap();
    assert_eq!(stranger.at(&clouds[2]).register().unwrap()["epoch"], 1);
    assert_eq!(fleet(&clouds[3]).len(), 1);
}

/// What a cloud says that does not start.
fn refusal(cloud: &Reference, data: &str) -> String {
    let output = cloud.command(data).output().unwrap();
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn u11_an_instance_with_other_keys_or_of_an_older_release_does_not_start() {
    let cluster = Cluster::shared();
    let cloud = Reference::start_in(Some(Arc::clone(&cluster)), &[], &[]);
    let said = refusal(&cloud, "cloud-without-keys");
    assert!(said.contains("authority.key is missing") && said.contains("copy"), "{said}");
    assert!(!cloud.path("cloud-without-keys/authority.key").exists(), "it makes none that boxes do not know");

    let stranger = Reference::start_on(Kind::Embedded);
    let keys = stranger.path("cloud");
    let said = refusal(&cloud, keys.to_str().unwrap());
    assert!(said.contains("is not the authority of this database's boxes"), "{said}");

    cluster.sql(cloud.database(), "UPDATE schema SET version = 99");
    let said = refusal(&cloud, "cloud");
    assert!(said.contains("of a newer release") && said.contains("99"), "{said}");
    assert_eq!(cloud.admin("/v1/devices", None).0, 200, "who runs already goes on");
}

/// PostgreSQL is stopped and started again under a cloud that stays.
#[test]
fn u11_b8_while_postgres_is_away_the_cloud_is_busy_and_then_goes_on() {
    let cluster = Arc::new(Cluster::start());
    let cloud = Reference::start_in(Some(Arc::clone(&cluster)), &[], &[]);
    let (token, _) = claim(&cloud, json!({}));
    let stranger = Stranger::new(&cloud, "box");
    stranger.enrol(&token).unwrap();
    stranger.register().unwrap();
    // Its connections are there when the server goes, and gone when it is back.
    cluster.stop();
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(stranger.register(), Err(json!("busy")));
        assert_eq!(stranger.renew("box.pem"), Err(json!("busy")));
        assert_eq!(stranger.beat(), Err(json!("busy")));
        assert!(begun.elapsed() < Duration::from_secs(30), "each waits a bounded time");
    }
    let (status, _) = cloud.admin("/v1/claims", Some(json!({})));
    assert_eq!(status, 503);
    cluster.resume();
    assert_eq!(stranger.register().unwrap()["epoch"], 1);
    // Once more, without a request in between.
    cluster.stop();
    cluster.resume();
    stranger.beat().unwrap();
    assert_eq!(fleet(&cloud).len(), 1);
}

/// Somebody works on a table, and holds up whoever needs it.
#[test]
fn u11_a_request_waits_for_postgres_only_so_long() {
    let cluster = Cluster::shared();
    let cloud = Reference::start_in(Some(Arc::clone(&cluster)), &[], &[]);
    let begun = Instant::now();
    thread::scope(|scope| {
        let hold = "BEGIN; LOCK TABLE claims; SELECT pg_sleep(13); COMMIT";
        let holder = scope.spawn(|| cluster.sql(cloud.database(), hold));
        let is_held = "SELECT count(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid WHERE relname = 'claims'
                       AND mode = 'AccessExclusiveLock' AND granted AND database =
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
        while cluster.sql(cloud.database(), is_held) == "0" {
            thread::sleep(Duration::from_millis(50));
        }
        let stranger = Stranger::new(&cloud, "box");
        assert_eq!(stranger.enrol("a-token"), Err(json!("busy")));
        assert!(!holder.is_finished(), "it came after {:?}", begun.elapsed());
        holder.join().unwrap();
        assert_eq!(stranger.enrol("a-token"), Err(json!("claim-unknown")));
    });
}

#[test]
fn u11_the_way_to_the_database_is_encrypted_if_an_authority_is_named() {
    let cluster = Cluster::shared();
    let authority = cluster.authority();
    let cloud = Reference::start_in(Some(Arc::clone(&cluster)), &["--database-ca", authority.to_str().unwrap()], &[]);
    claim(&cloud, json!({}));
    let encrypted = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname =
                     current_database() AND application_name = 'storebox-cloud'";
    assert_eq!(cluster.sql(cloud.database(), encrypted), "t");

    // A certificate of somebody else's authority.
    let others = cloud.path("cloud/authority.pem");
    let mut command = cloud.command("cloud");
    let output = command.arg("--database-ca").arg(Path::new(&others)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("the database is away: error performing TLS handshake"),
        "{said}"
    );
}
