//! Whole screens, as an installer sees them.

use storebox_core::text::Name;
use storebox_core::time::Timestamp;

use super::*;
use crate::facts::DataReport;

/// A box with one terminal and a cloud it cannot reach.
pub fn selling() -> BoxStatus {
    let noon = Timestamp::from_millis(1_769_860_800_000);
    BoxStatus {
        version: "0.1.0".to_owned(),
        name: Name::new("Corner café".to_owned()).unwrap(),
        state: BoxState::Selling,
        since: noon,
        fingerprint: Some("0123456789abcdef".repeat(4)),
        port: Some(443),
        paired_devices: 1,
        pairing_secret: None,
        owner_pin: None,
        pending_uploads: 0,
        connectivity: Connectivity::Offline,
        registration: None,
        at: noon,
    }
}

fn fresh() -> BoxStatus {
    let pairing_secret = Some("0123456789ABCDEFGHJKMNPQRS".to_owned());
    BoxStatus { paired_devices: 0, pairing_secret, connectivity: Connectivity::LocalOnly, ..selling() }
}

fn facts(service: Service) -> Facts {
    let addresses = ["192.168.1.20", "fd00::5"].map(|text| text.parse().unwrap());
    let network = Network::Addresses(addresses.to_vec());
    Facts { host: "storebox-1a2b".to_owned(), network, service, data: None, slot: None }
}

fn check(facts: &Facts, expected: &str) {
    let shown = render(facts);
    assert_eq!(shown.join("\n"), expected.trim_end(), "\n{}", shown.join("\n"));
}

#[test]
fn b8_a_claimed_box_shows_how_far_it_is() {
    let registration = Some("Not yet: The cloud answers.".to_owned());
    let shown = facts(Service::Speaks(BoxStatus { registration, ..fresh() }));
    assert_eq!(said(&shown, "Cloud"), "Not yet: The cloud answers.");
}

/// What is said beside a label, and in the last lines.
fn said(facts: &Facts, label: &str) -> String {
    let lines = render(facts);
    let front = format!("  {label:LABEL_COLUMNS$}");
    let mut said = lines.iter().skip_while(|line| !line.starts_with(&front));
    let first = said.next().unwrap_or_else(|| panic!("{label} is not in\n{}", lines.join("\n")));
    let rest = said.take_while(|line| line.starts_with(&" ".repeat(2 + LABEL_COLUMNS)));
    let values: Vec<_> = [first].into_iter().chain(rest).map(|line| line[2 + LABEL_COLUMNS..].to_owned()).collect();
    values.join(" ")
}

fn next(facts: &Facts) -> String {
    let lines = render(facts);
    let steps = lines.iter().filter_map(|line| line.strip_prefix(NEXT_STEP));
    assert!(lines.last().unwrap().starts_with(NEXT_STEP), "the next step comes last");
    steps.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_new_box_shows_how_to_pair_the_first_terminal() {
    check(
        &Facts {
            data: Some(DataReport { encrypted: false, reason: "data not encrypted: no TPM".to_owned() }),
            slot: Some("a"),
            ..facts(Service::Speaks(fresh()))
        },
        "
  Corner café
  Store box 0.1.0, system A

  State        Ready. No terminal is paired.
  Cloud        None is configured; none is needed.
  Data         data not encrypted: no TPM

  Addresses    https://192.168.1.20
               https://[fd00::5]
               https://storebox-1a2b.local

  Fingerprint  0123 4567 89ab cdef 0123 4567 89ab cdef
               0123 4567 89ab cdef 0123 4567 89ab cdef

> Pair the first terminal at https://192.168.1.20 with the secret
> 0123456789ABCDEFGHJKMNPQRS",
    );
}

#[test]
fn a_box_that_sells_has_nothing_to_ask_for() {
    check(
        &facts(Service::Speaks(selling())),
        "
  Corner café
  Store box 0.1.0

  State        Selling. 1 terminal is paired.
  Cloud        Cannot be reached. Nothing waits for it.

  Addresses    https://192.168.1.20
               https://[fd00::5]
               https://storebox-1a2b.local

  Fingerprint  0123 4567 89ab cdef 0123 4567 89ab cdef
               0123 4567 89ab cdef 0123 4567 89ab cdef

> All is well: there is nothing to do.",
    );
}

#[test]
fn a_box_without_a_cable_or_a_service_yet() {
    check(
        &Facts { network: Network::NoLink, ..facts(Service::Unheard) },
        "
  Store box
  The service has not said a word yet

  State        Starting...

  Addresses    No address yet: is the network cable in?

> Plug one end of the network cable into the box and the other into the switch
> of the store.",
    );
}

#[test]
fn every_state_has_its_words_and_its_next_step() {
    let speaks = |state| facts(Service::Speaks(BoxStatus { state, paired_devices: 3, ..selling() }));
    for (state, words, step) in [
        (BoxState::Starting, "Starting...", "Wait until"),
        (BoxState::Selling, "Selling. 3 terminals are paired.", "All is well"),
        (BoxState::ReadOnly, "Cannot write since 2026-01-31 12:00 UTC: the disk is full.", "Call your support"),
        (BoxState::Stopping, "Stopping...", "Wait: the box finishes"),
    ] {
        assert!(said(&speaks(state), "State").starts_with(words), "{}", said(&speaks(state), "State"));
        assert!(next(&speaks(state)).starts_with(step), "{}", next(&speaks(state)));
    }
    let silent = facts(Service::Silent { since: selling().at, last: Some(selling()) });
    assert_eq!(said(&silent, "State"), "The service does not answer since 2026-01-31 12:00 UTC.");
    assert!(next(&silent).starts_with("The box starts its service again"));
    assert!(render(&silent).iter().any(|line| line.contains("Corner café")), "its last words are still good");
    let never = facts(Service::Silent { since: selling().at, last: None });
    assert_eq!(said(&never, "State"), "The service does not answer since 2026-01-31 12:00 UTC.");
}

#[test]
fn a_full_disk_comes_before_the_network_and_the_network_before_pairing() {
    let mut offline = facts(Service::Speaks(fresh()));
    offline.network = Network::NoAddress;
    assert!(next(&offline).contains("DHCP"), "{}", next(&offline));
    assert_eq!(said(&offline, "Addresses"), "No address yet: the cable is in, the router gives none.");
    offline.service = Service::Speaks(BoxStatus { state: BoxState::ReadOnly, ..fresh() });
    assert!(next(&offline).contains("disk is full"), "{}", next(&offline));
}

#[test]
fn another_port_is_part_of_every_address() {
    let other = facts(Service::Speaks(BoxStatus { port: Some(8443), ..fresh() }));
    let shown = said(&other, "Addresses");
    assert_eq!(shown, "https://192.168.1.20:8443 https://[fd00::5]:8443 https://storebox-1a2b.local:8443");
    assert!(next(&other).contains("https://192.168.1.20:8443 "), "{}", next(&other));
}

/// A serial console gets a new screen for every change, so a sale must not be one.
#[test]
fn not_every_sale_is_another_screen() {
    let waiting = |pending_uploads| {
        let status = BoxStatus { pending_uploads, ..selling() };
        said(&facts(Service::Speaks(status)), "Cloud")
    };
    assert_eq!(waiting(1), "Cannot be reached. A few changes wait for it.");
    assert_eq!(waiting(9), waiting(1));
    assert_eq!(waiting(2_345), "Cannot be reached. More than 1000 changes wait for it.");
    assert_eq!(waiting(9_999), waiting(1_000));
    assert!(waiting(u64::MAX).contains("10000000000000000000"));
}

#[test]
fn whatever_is_said_fits_the_screen_and_steers_no_terminal() {
    let mut worst = facts(Service::Speaks(BoxStatus {
        name: Name::new("W\n\t".repeat(42)).unwrap(),
        version: "\x1b[2J".repeat(30),
        fingerprint: Some("\x07".repeat(500)),
        pairing_secret: Some("\x1b]0;x\x07".repeat(5)),
        ..fresh()
    }));
    worst.host = "h".repeat(64);
    worst.network = Network::Addresses((0..50).map(|n| IpAddr::from([10, 255, 255, n])).collect());
    worst.data = Some(DataReport { encrypted: true, reason: "because \x1b[31m".repeat(100) });
    worst.slot = Some("b");
    let lines = render(&worst);
    assert!(lines.len() <= LINES, "{} lines\n{}", lines.len(), lines.join("\n"));
    for line in &lines {
        assert!(line.chars().count() <= COLUMNS, "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(lines.iter().any(|line| line.contains("and 46 more")));
    assert!(lines.last().unwrap().starts_with(NEXT_STEP));
}

#[test]
fn l10_the_owner_signs_in_once_a_terminal_is_paired() {
    let owner_pin = Some("927463".to_owned());
    let paired = facts(Service::Speaks(BoxStatus { owner_pin: owner_pin.clone(), ..selling() }));
    assert_eq!(next(&paired), "Sign in at a terminal as \"owner\" with the PIN 927463, and choose another one.");
    let unpaired = facts(Service::Speaks(BoxStatus { owner_pin, ..fresh() }));
    assert!(next(&unpaired).starts_with("Pair the first terminal"), "one step after the other");
    assert_eq!(next(&facts(Service::Speaks(selling()))), "All is well: there is nothing to do.");
}
