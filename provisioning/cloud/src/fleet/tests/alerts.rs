//! Who is told what, how often, and by whom.

use super::super::alerts::{ATTEMPTS, Event, TARGETS, claim, conclude, lose, watch};
use super::*;

/// A cloud with one registered box, whose store tells one webhook and one address.
fn watched() -> Memory {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::Replace]);
    let alerts = serde_json::json!({ "mail": ["shop@example.com"], "webhooks": ["https://example.com/alerts"] });
    cloud.stores.get_mut(&STORE).unwrap().alerts = serde_json::from_value(alerts).unwrap();
    cloud.enrol(1, OLD, NOW).unwrap();
    cloud.register(OLD).unwrap();
    cloud
}

fn at(seconds: u64) -> Timestamp {
    NOW.plus_millis(seconds * 1_000)
}

impl Memory {
    /// An instance looks at the fleet.
    fn look(&mut self, now: Timestamp) {
        let Ok(since) = watch(self, &terms(), now);
        let Ok(silent) = self.silent(now);
        for id in silent {
            let Ok(_) = lose(self, id, since, &terms(), now);
        }
    }

    /// Instances look once a minute, from one minute to another.
    fn minutes(&mut self, from: u64, to: u64) {
        (from..=to).for_each(|minute| self.look(at(minute * 60)));
    }

    /// What is told, in the order of its rows.
    fn told(&self) -> Vec<(Event, u32)> {
        self.alerts.values().map(|alert| (alert.event, alert.outage)).collect()
    }

    fn claim(&mut self, id: &str, now: Timestamp) -> Option<u32> {
        let Ok(claimed) = claim(self, id, now);
        claimed.map(|(alert, _)| alert.attempts)
    }

    fn conclude(&mut self, id: &str, attempt: u32, is_delivered: bool, now: Timestamp) {
        let Ok(()) = conclude(self, id, attempt, is_delivered, now);
    }
}

#[test]
fn u15_an_outage_is_told_once_and_its_end_once() {
    let mut cloud = watched();
    cloud.minutes(0, 3);
    assert_eq!(cloud.told(), [], "three heartbeats may be missed");
    cloud.minutes(4, 9);
    assert_eq!(cloud.told(), [(Event::BoxUnreachable, 1); 2], "one row for each who is told");
    let Ok(Ok(())) = check_in(&mut cloud, OLD, at(600)) else { panic!("it is known") };
    let Ok(Ok(())) = check_in(&mut cloud, OLD, at(660)) else { panic!("it is known") };
    let mut told = cloud.told();
    assert_eq!(told.len(), 4, "{told:?}");
    told.retain(|(event, _)| *event == Event::BoxReachable);
    assert_eq!(told, [(Event::BoxReachable, 1); 2]);
    cloud.minutes(10, 30);
    assert!(cloud.told().contains(&(Event::BoxUnreachable, 2)), "another outage is another alert");
}

#[test]
fn u15_only_a_box_that_speaks_for_its_store_is_missed() {
    let mut cloud = watched();
    cloud.enrol(2, NEW, NOW).unwrap();
    cloud.minutes(0, 9);
    assert_eq!(cloud.told(), [(Event::BoxUnreachable, 1); 2], "the one that waits is not");
    cloud.alerts.clear();
    cloud.register(NEW).unwrap();
    cloud.minutes(9, 9);
    cloud.alerts.clear();
    let Ok(true) = revoke(&mut cloud, NEW, true) else { panic!("it is known") };
    cloud.minutes(10, 30);
    assert_eq!(cloud.told(), [], "neither the one that was replaced nor the one out of service");
}

/// Its own database, network or processes were down: every box is silent then, and none is to blame.
#[test]
fn u15_a_cloud_that_was_away_misses_no_box_before_it_could_be_heard() {
    let mut cloud = watched();
    cloud.minutes(0, 2);
    cloud.look(at(3_600));
    cloud.look(at(3_660));
    assert_eq!(cloud.told(), []);
    let Ok(Ok(())) = check_in(&mut cloud, OLD, at(3_700)) else { panic!("it is known") };
    cloud.minutes(62, 64);
    assert_eq!(cloud.told(), []);
    cloud.minutes(65, 65);
    assert_eq!(cloud.told().len(), 2, "from then on as always");
}

#[test]
fn u15_an_alert_is_delivered_by_one_instance_and_by_another_if_that_one_is_gone() {
    let mut cloud = watched();
    cloud.minutes(0, 4);
    let Ok(due) = cloud.due_alerts(at(240));
    let [first, second] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!(cloud.claim(first, at(240)), Some(1));
    assert_eq!(cloud.claim(first, at(241)), None, "another has it");
    assert_eq!(cloud.claim(second, at(241)), Some(1));
    cloud.conclude(second, 1, true, at(242));
    assert_eq!(cloud.claim(second, at(999)), None, "it is delivered");
    // The one that claimed the first is gone, and comes back when another has tried in vain.
    assert_eq!(cloud.claim(first, at(300)), Some(2));
    cloud.conclude(first, 2, false, at(301));
    cloud.conclude(first, 1, false, at(302));
    assert_eq!((cloud.claim(first, at(310)), cloud.claim(first, at(311))), (None, Some(3)), "after ten seconds");
    // What comes after waits for what was before.
    let Ok(Ok(())) = check_in(&mut cloud, OLD, at(311)) else { panic!("it is known") };
    let Ok(due) = cloud.due_alerts(at(311));
    let claimed: Vec<_> = due.iter().filter(|id| cloud.claim(id, at(311)).is_some()).cloned().collect();
    assert_eq!((due.len(), claimed.len()), (2, 1), "only who was told that it is gone is told that it is back");
    cloud.conclude(first, 3, true, at(312));
    assert!(due.iter().all(|id| claimed.contains(id) || cloud.claim(id, at(312)).is_some()));
}

#[test]
fn u15_an_alert_nobody_takes_is_given_up_after_ten_hours() {
    let mut cloud = watched();
    cloud.minutes(0, 4);
    let Ok(due) = cloud.due_alerts(at(240));
    let (id, mut now, mut attempts) = (&due[0], at(240), 0);
    while cloud.alerts.contains_key(id) {
        if let Some(attempt) = cloud.claim(id, now) {
            attempts = attempt;
            cloud.conclude(id, attempt, false, now);
        }
        now = now.plus_millis(1_000);
    }
    let hours = now.millis_since(at(240)) / 3_600_000;
    assert_eq!((attempts, hours), (ATTEMPTS, 10));
}

#[test]
fn u15_who_is_told_is_read_strictly() {
    for wrong in ["", "shop", "shop@", "a b@example.com", "a@b\r\nBcc: c@d.example"] {
        assert!(serde_json::from_value::<Alerts>(serde_json::json!({ "mail": [wrong] })).is_err(), "{wrong}");
    }
    for wrong in ["", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "https://a b/"] {
        assert!(serde_json::from_value::<Alerts>(serde_json::json!({ "webhooks": [wrong] })).is_err(), "{wrong}");
    }
    let many = |count: usize| -> Alerts {
        serde_json::from_value(serde_json::json!({ "mail": vec!["shop@example.com"; count] })).unwrap()
    };
    assert!(many(TARGETS).are_few() && !many(TARGETS + 1).are_few());
}
