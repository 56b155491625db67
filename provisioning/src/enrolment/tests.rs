use std::collections::BTreeMap;

use storebox_core::id::StoreId;
use storebox_core::network::CloudUrl;
use storebox_core::record::{decode, encode};
use storebox_core::text::Name;

use super::*;
use crate::registration::PROTOCOL;
use crate::site::Intent;

const DAY: Duration = Duration::from_secs(86_400);
const YEAR_MS: u64 = 365 * 86_400_000;
const TODAY: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const TOKEN: &str = "7Q2M-XK4D";

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

fn cloud() -> Cloud {
    Cloud { url: CloudUrl::new("https://cloud.example").unwrap(), pins: Vec::new() }
}

fn claim(token: &str) -> Claim {
    Claim::new(token, Intent::New).unwrap()
}

fn claimed() -> Enrolment {
    let mut enrolment = Enrolment::new(Kept::default());
    assert!(enrolment.claim(cloud(), Some(claim(TOKEN))));
    enrolment
}

fn certificate(from: Timestamp) -> Certificate {
    Certificate { chain: vec![vec![1, 2, 3]], from, until: from.plus_millis(YEAR_MS) }
}

fn registration(epoch: u32) -> Registration {
    Registration {
        store_id: StoreId::from_bytes([9; 16]),
        store_name: name("Corner shop"),
        register: name("A"),
        epoch,
        configuration: BTreeMap::new(),
        sync_url: CloudUrl::new("https://sync.example").unwrap(),
        sync_format: name("application/json"),
        heartbeat_s: 60,
        time: TODAY,
    }
}

fn at(monotonic: Duration) -> Now {
    Now { monotonic, wall: TODAY }
}

/// Takes every step at once, as a cloud that has nothing against it would.
fn register(enrolment: &mut Enrolment, now: Now) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Next::Do(step) = enrolment.next(now) {
        steps.push(step);
        let outcome = match step {
            Step::MakeKey => Outcome::KeyMade(BoxId::new([7; 32])),
            Step::FetchAuthorities => Outcome::Authorities(vec![vec![1]]),
            Step::Enrol | Step::Renew => Outcome::Enrolled(certificate(now.wall)),
            Step::Register => Outcome::Registered(Box::new(registration(1))),
            Step::ForgetToken => Outcome::TokenForgotten,
        };
        enrolment.done(now, step, outcome, 0);
        assert!(steps.len() < 20, "it never ends: {steps:?}");
    }
    steps
}

#[test]
fn b8_a_claimed_box_takes_one_step_after_the_other() {
    let mut enrolment = Enrolment::new(Kept::default());
    assert_eq!(enrolment.next(at(DAY)), Next::Nothing);
    enrolment = claimed();
    let steps = register(&mut enrolment, at(DAY));
    assert_eq!(steps, [Step::MakeKey, Step::FetchAuthorities, Step::Enrol, Step::Register, Step::ForgetToken]);
    assert_eq!(enrolment.trouble(), None);
    assert_eq!(enrolment.kept().claim, None, "the token is not kept where it could be used again");
    assert!(!enrolment.claim(cloud(), Some(claim(TOKEN))), "the card's file is read at every start");
}

#[test]
fn b8_a_registered_box_says_so_every_day_and_renews_in_time() {
    let mut enrolment = claimed();
    register(&mut enrolment, at(DAY));
    assert_eq!(enrolment.next(at(DAY)), Next::Wait(DAY));
    assert_eq!(register(&mut enrolment, at(DAY * 2)), [Step::Register, Step::FetchAuthorities]);
    let id = enrolment.kept().id.unwrap();
    let renewal = enrolment.kept().certificate.as_ref().unwrap().renewal(id);
    let share = renewal.millis_since(TODAY) as f64 / YEAR_MS as f64;
    assert!((0.5..=2.0 / 3.0).contains(&share), "{share}");
    let then = Now { monotonic: DAY * 2, wall: renewal };
    assert_eq!(enrolment.next(then), Next::Do(Step::Renew));
}

/// A box that was in a cupboard for thirteen months.
#[test]
fn b8_a_certificate_that_has_lapsed_is_renewed_first_and_needs_no_claim() {
    let mut enrolment = claimed();
    register(&mut enrolment, at(DAY));
    let mut again = Enrolment::new(enrolment.kept().clone());
    let then = Now { monotonic: Duration::ZERO, wall: TODAY.plus_millis(YEAR_MS + 30 * 86_400_000) };
    assert_eq!(register(&mut again, then), [Step::Renew, Step::Register, Step::FetchAuthorities]);
}

/// A clock that ran ahead to 2099 makes every certificate look lapsed, even a new one.
#[test]
fn b11_a_clock_that_is_far_ahead_neither_keeps_the_box_from_registering_nor_has_it_renew_without_end() {
    let mut enrolment = claimed();
    let now = at(DAY);
    let ahead = Now { wall: TODAY.plus_millis(70 * YEAR_MS), ..now };
    let mut steps = Vec::new();
    while let Next::Do(step) = enrolment.next(ahead) {
        steps.push(step);
        let outcome = match step {
            Step::MakeKey => Outcome::KeyMade(BoxId::new([7; 32])),
            Step::FetchAuthorities => Outcome::Authorities(vec![vec![1]]),
            Step::Enrol | Step::Renew => Outcome::Enrolled(certificate(TODAY)),
            Step::Register => Outcome::Registered(Box::new(registration(1))),
            Step::ForgetToken => Outcome::TokenForgotten,
        };
        enrolment.done(ahead, step, outcome, 0);
        assert!(steps.len() < 20, "it never ends: {steps:?}");
    }
    assert!(
        steps.contains(&Step::Register) && steps.iter().filter(|step| **step == Step::Renew).count() <= 1,
        "{steps:?}"
    );
}

#[test]
fn b8_attempts_grow_rarer_and_a_cable_makes_them_at_once() {
    let mut enrolment = claimed();
    let mut now = at(DAY);
    let mut waits = Vec::new();
    for _ in 0..15 {
        let Next::Do(step) = enrolment.next(now) else { panic!("it is time: {:?}", enrolment.next(now)) };
        enrolment.done(now, step, Outcome::Failed(Stage::Link), u64::MAX);
        assert_eq!(enrolment.trouble(), Some(Trouble::Failed(Stage::Link)));
        let Next::Wait(wait) = enrolment.next(now) else { panic!("it waits") };
        waits.push(wait);
        now.monotonic += wait;
    }
    assert!(waits.is_sorted() && waits[0] >= FIRST / 2 && *waits.last().unwrap() == MOST / 2, "{waits:?}");
    let Next::Do(step) = enrolment.next(now) else { panic!("it is time") };
    enrolment.done(now, step, Outcome::Failed(Stage::Link), 0);
    assert!(matches!(enrolment.next(now), Next::Wait(_)));
    enrolment.hurry();
    assert_eq!(enrolment.next(now), Next::Do(step));
}

#[test]
fn b8_the_cloud_says_when_to_ask_again_within_bounds() {
    let mut enrolment = claimed();
    let now = at(DAY);
    for (asked, waits) in [(5, 5), (0, 1), (10_000_000, RETRY_AFTER_MOST_S)] {
        let outcome = Outcome::Later(Some(Duration::from_secs(asked)));
        enrolment.done(now, Step::MakeKey, outcome, 0);
        assert_eq!(enrolment.next(now), Next::Wait(Duration::from_secs(waits)));
        assert_eq!(enrolment.trouble(), Some(Trouble::Waiting));
    }
}

/// Every problem leads to what the protocol says, and a new claim always helps.
#[test]
fn b8_every_problem_leads_to_what_the_protocol_says() {
    for problem in Problem::ALL {
        let mut enrolment = claimed();
        register(&mut enrolment, at(DAY));
        let now = at(DAY * 3);
        enrolment.done(now, Step::Register, Outcome::Refused(problem, None), 0);
        assert_eq!(enrolment.trouble(), Some(Trouble::Refused(problem)));
        assert!(enrolment.kept().registration.is_some(), "{problem:?}: the store sells on as what it is");
        let again = Enrolment::new(enrolment.kept().clone());
        match problem.conduct() {
            Conduct::NeedsCertificate => assert_eq!(enrolment.next(now), Next::Do(Step::Renew)),
            Conduct::Revoked => {
                assert_eq!(enrolment.next(now), Next::Wait(REVOKED_RETRY));
                assert_eq!(again.kept().revoked, Some(problem));
                assert_eq!(again.next(now), Next::Do(Step::Register), "a start asks at once");
            }
            Conduct::AskAgain | Conduct::NeedsClaim => assert_eq!(again.kept().revoked, None),
        }
        assert!(enrolment.claim(cloud(), Some(claim("another-one"))));
        assert_eq!(register(&mut enrolment, now).last(), Some(&Step::ForgetToken), "{problem:?}");
        assert_eq!(enrolment.kept().revoked, None);
    }
}

#[test]
fn b8_another_cloud_hears_nothing_of_the_first() {
    let mut enrolment = claimed();
    register(&mut enrolment, at(DAY));
    let elsewhere = Cloud { url: CloudUrl::new("https://other.example").unwrap(), pins: Vec::new() };
    assert!(enrolment.claim(elsewhere, Some(claim("another-one"))));
    let kept = enrolment.kept();
    assert!(
        kept.id.is_some() && kept.authorities.is_empty() && kept.certificate.is_none() && kept.registration.is_none()
    );
    assert_eq!(register(&mut enrolment, at(DAY))[..2], [Step::FetchAuthorities, Step::Enrol]);
}

#[test]
fn b8_a_cloud_that_moved_keeps_its_boxes() {
    let mut enrolment = claimed();
    register(&mut enrolment, at(DAY));
    let moved = Cloud { url: CloudUrl::new("https://moved.example").unwrap(), pins: Vec::new() };
    assert!(enrolment.claim(moved.clone(), Some(claim(TOKEN))), "the file still has the old token");
    let kept = enrolment.kept();
    assert!(kept.certificate.is_some() && kept.registration.is_some() && kept.claim.is_none());
    assert_eq!(register(&mut enrolment, at(DAY)), [Step::FetchAuthorities, Step::Register]);
    assert!(!enrolment.claim(moved, None));
}

/// Frozen: once released, these bytes are read for ever.
#[test]
fn b8_what_is_kept_is_kept_in_these_bytes() {
    let mut enrolment = claimed();
    register(&mut enrolment, at(DAY));
    let kept = enrolment.kept();
    let bytes = encode(kept).unwrap();
    let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, include_str!("kept-v1.hex").trim(), "protocol {PROTOCOL}");
    assert_eq!(decode::<Kept>(&bytes).as_ref(), Ok(kept));
}
