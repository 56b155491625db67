use core::time::Duration;

use storebox_core::network::CloudUrl;

use super::*;
use crate::enrolment::{Kept, Now, Outcome, Step};
use crate::identity::BoxId;
use crate::registration::Problem;
use crate::site::{Claim, Cloud, Intent, Site};

const NOW: Now = Now { monotonic: Duration::from_secs(1_000), wall: Timestamp::from_millis(1_790_000_000_000) };

fn claimed() -> Enrolment {
    let mut enrolment = Enrolment::new(Kept::default());
    let cloud = Cloud { url: CloudUrl::new("https://cloud.example").unwrap(), pins: Vec::new() };
    enrolment.claim(cloud, Some(Claim::new("7Q2M-XK4D", Intent::New).unwrap()));
    enrolment
}

fn text(enrolment: &Enrolment, reached: Option<Stage>, faults: &[Fault]) -> String {
    let addresses = ["192.168.7.20".to_owned()];
    let report = Report {
        time: NOW.wall,
        release: "0.1.0",
        host_name: "storebox.local",
        addresses: &addresses,
        proxy: Some("192.168.7.5:3128"),
        faults,
        address_failed: false,
        reached,
        enrolment,
    };
    report.text()
}

#[test]
fn b8_any_editor_shows_it_and_no_secret_is_in_it() {
    let mut enrolment = claimed();
    for problem in Problem::ALL {
        enrolment.done(NOW, Step::Register, Outcome::Refused(problem, None), 0);
        let text = text(&enrolment, Some(Stage::Time), &[]);
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert!(!text.contains("7Q2M"), "the token is a secret: {text}");
        let unbroken = text.replace("\r\n", " ");
        assert!(unbroken.contains(problem.title()) && unbroken.contains(problem.advice()), "{problem:?}: {text}");
    }
}

#[test]
fn b8_a_proxy_that_lets_nobody_through_is_named() {
    let mut enrolment = claimed();
    enrolment.done(NOW, Step::MakeKey, Outcome::KeyMade(BoxId::new([0xab; 32])), 0);
    enrolment.done(NOW, Step::FetchAuthorities, Outcome::NoProxy, 0);
    let text = text(&enrolment, Some(Stage::Time), &[]);
    let shown = ["  Proxy      192.168.7.5:3128", "[!!] The cloud answers", "The proxy on the way", "[network] proxy"];
    assert!(shown.iter().all(|words| text.contains(words)), "{text}");
}

#[test]
fn b8_the_way_is_shown_as_far_as_it_goes() {
    let mut enrolment = claimed();
    let marks = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("  [")).map(|line| line[2..6].to_owned()).collect()
    };
    assert_eq!(
        marks(&text(&enrolment, Some(Stage::Address), &[])),
        ["[ok]", "[ok]", "[  ]", "[  ]", "[  ]", "[  ]", "[  ]", "[  ]"]
    );
    enrolment.done(NOW, Step::MakeKey, Outcome::KeyMade(BoxId::new([0xab; 32])), 0);
    enrolment.done(NOW, Step::FetchAuthorities, Outcome::Failed(Stage::Names), 0);
    let shown = text(&enrolment, Some(Stage::Address), &[]);
    assert_eq!(marks(&shown)[..4], ["[ok]", "[ok]", "[!!]", "[  ]"]);
    assert!(shown.contains("abab-abab-abab-abab") && shown.contains("internet works"), "{shown}");
    enrolment.done(NOW, Step::FetchAuthorities, Outcome::Authorities(vec![vec![1]]), 0);
    enrolment.done(NOW, Step::Enrol, Outcome::Refused(Problem::ClaimUsed, None), 0);
    let shown = text(&enrolment, Some(Stage::Time), &[]);
    assert_eq!(marks(&shown), ["[ok]", "[ok]", "[ok]", "[ok]", "[ok]", "[!!]", "[  ]", "[  ]"]);
}

#[test]
fn b9_an_address_that_was_given_up_is_said_before_the_way() {
    let enrolment = claimed();
    let report = Report {
        time: NOW.wall,
        release: "0.1.0",
        host_name: "storebox.local",
        addresses: &[],
        proxy: None,
        faults: &[],
        address_failed: true,
        reached: Some(Stage::Link),
        enrolment: &enrolment,
    };
    let shown = report.text();
    assert!(shown.find("REACHED NOBODY").unwrap() < shown.find("[ok]").unwrap(), "{shown}");
}

#[test]
fn b8_what_is_wrong_with_the_file_comes_first() {
    let faults = Site::read(b"[network]\naddress = \"192.168.7\xc3\xbc\"\n").unwrap_err();
    let shown = text(&Enrolment::new(Kept::default()), Some(Stage::Address), &faults);
    let file = shown.find("WAS NOT TAKEN").unwrap();
    assert!(file < shown.find("[ok]").unwrap() && shown.contains("line 2: address"), "{shown}");
    assert!(shown.is_ascii(), "{shown}");
    let unclaimed = text(&Enrolment::new(Kept::default()), Some(Stage::Time), &[]);
    assert!(unclaimed.contains("belongs to no store yet") && unclaimed.contains("[claim]"), "{unclaimed}");
}
