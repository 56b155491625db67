use core::convert::Infallible;
use core::time::Duration;

use proptest::prelude::*;
use storebox_core::record::{decode, encode};
use storebox_provisioning::enrolment::{Certificate, Enrolment, Kept, Next, Now, Outcome, Stage, Step};
use storebox_provisioning::registration::PROTOCOL;
use storebox_provisioning::site::{Claim, Cloud};

use super::*;

mod alerts;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const DAY_MS: u64 = 86_400_000;
const STORE: StoreId = StoreId::from_bytes([9; 16]);
const OLD: BoxId = BoxId::new([1; 32]);
const NEW: BoxId = BoxId::new([2; 32]);

/// Rows in memory.
#[derive(Clone, Default)]
struct Memory {
    claims: BTreeMap<TokenDigest, ClaimRow>,
    stores: BTreeMap<StoreId, StoreRow>,
    devices: BTreeMap<BoxId, BoxRow>,
    authority: Option<AuthorityRow>,
    watch: Option<WatchRow>,
    alerts: BTreeMap<String, AlertRow>,
}

impl Rows for Memory {
    type Error = Infallible;

    fn claim(&mut self, token: &TokenDigest) -> Result<Option<ClaimRow>, Infallible> {
        Ok(self.claims.get(token).cloned())
    }

    fn put_claim(&mut self, token: &TokenDigest, row: &ClaimRow) -> Result<(), Infallible> {
        self.claims.insert(*token, row.clone());
        Ok(())
    }

    fn store(&mut self, id: StoreId) -> Result<Option<StoreRow>, Infallible> {
        Ok(self.stores.get(&id).cloned())
    }

    fn put_store(&mut self, id: StoreId, row: &StoreRow) -> Result<(), Infallible> {
        self.stores.insert(id, row.clone());
        Ok(())
    }

    fn device(&mut self, id: BoxId) -> Result<Option<BoxRow>, Infallible> {
        Ok(self.devices.get(&id).cloned())
    }

    fn put_device(&mut self, id: BoxId, row: &BoxRow) -> Result<(), Infallible> {
        self.devices.insert(id, row.clone());
        Ok(())
    }

    fn devices(&mut self) -> Result<Vec<(BoxId, BoxRow)>, Infallible> {
        Ok(self.devices.clone().into_iter().collect())
    }

    fn stores(&mut self) -> Result<Vec<(StoreId, StoreRow)>, Infallible> {
        Ok(self.stores.clone().into_iter().collect())
    }

    fn authority(&mut self) -> Result<Option<AuthorityRow>, Infallible> {
        Ok(self.authority.clone())
    }

    fn put_authority(&mut self, row: &AuthorityRow) -> Result<(), Infallible> {
        self.authority = Some(row.clone());
        Ok(())
    }

    fn watch(&mut self) -> Result<Option<WatchRow>, Infallible> {
        Ok(self.watch.clone())
    }

    fn put_watch(&mut self, row: &WatchRow) -> Result<(), Infallible> {
        self.watch = Some(row.clone());
        Ok(())
    }

    fn silent(&mut self, before: Timestamp) -> Result<Vec<BoxId>, Infallible> {
        let silent = self
            .devices
            .iter()
            .filter(|(id, row)| row.seen_at < before && super::alerts::is_watched(**id, row, &self.stores[&row.store]));
        Ok(silent.map(|(id, _)| *id).collect())
    }

    fn alert(&mut self, id: &str) -> Result<Option<AlertRow>, Infallible> {
        Ok(self.alerts.get(id).cloned())
    }

    fn put_alert(&mut self, id: &str, row: &AlertRow) -> Result<(), Infallible> {
        self.alerts.insert(id.to_owned(), row.clone());
        Ok(())
    }

    fn remove_alert(&mut self, id: &str) -> Result<(), Infallible> {
        self.alerts.remove(id);
        Ok(())
    }

    fn due_alerts(&mut self, by: Timestamp) -> Result<Vec<String>, Infallible> {
        Ok(self.alerts.iter().filter(|(_, row)| row.next_at <= by).map(|(id, _)| id.clone()).collect())
    }
}

impl Memory {
    /// A cloud with one store and claims for it, each found by its number.
    fn with_claims(intents: &[Intent]) -> Self {
        let mut rows = Self::default();
        let name = |text: &str| Name::new(text.to_owned()).unwrap();
        let store = StoreRow {
            name: name("Corner shop"),
            register: name("A"),
            configuration: BTreeMap::new(),
            epoch: 0,
            holder: None,
            alerts: Alerts::default(),
        };
        rows.stores.insert(STORE, store);
        for (number, intent) in (1..).zip(intents) {
            let expires = NOW.plus_millis(DAY_MS);
            rows.claims.insert([number; 32], ClaimRow { store: STORE, intent: *intent, expires, used_by: None });
        }
        rows
    }

    fn enrol(&mut self, claim: u8, id: BoxId, at: Timestamp) -> Result<(), Problem> {
        let Ok(decided) = enrol(self, &[claim; 32], id, at);
        decided
    }

    /// The epoch a box registers as.
    fn register(&mut self, id: BoxId) -> Result<u32, Problem> {
        let Ok(decided) = register(self, id, request(), &terms(), NOW);
        decided.map(|registration| registration.epoch)
    }
}

fn url() -> CloudUrl {
    CloudUrl::new("https://cloud.example").unwrap()
}

fn terms() -> Terms {
    Terms { sync_url: url(), heartbeat_s: HEARTBEAT_S }
}

fn request() -> Request {
    let name = |text: &str| Name::new(text.to_owned()).unwrap();
    Request {
        protocol: PROTOCOL,
        intent: Intent::New,
        board: name("x86"),
        serial: None,
        release: name("0.1.0"),
        host_name: name("storebox"),
        addresses: Vec::new(),
        lan_fingerprint: name("ab"),
        encrypted: true,
        store_name: None,
        time: NOW,
        time_is_verified: true,
    }
}

#[test]
fn b8_a_claim_is_for_one_box_once_and_in_time() {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::New]);
    assert_eq!(cloud.enrol(9, OLD, NOW), Err(Problem::ClaimUnknown));
    let late = NOW.plus_millis(2 * DAY_MS);
    assert_eq!(cloud.enrol(1, OLD, late), Err(Problem::ClaimExpired));
    assert_eq!(cloud.enrol(1, OLD, NOW), Ok(()));
    assert_eq!(cloud.enrol(1, NEW, NOW), Err(Problem::ClaimUsed));
    assert_eq!(cloud.enrol(1, OLD, late), Ok(()), "its answer was lost, and found again after the claim ran out");
    assert_eq!(cloud.register(OLD), Ok(1));
    assert_eq!(cloud.enrol(2, NEW, NOW), Err(Problem::StoreHasBox));
    assert_eq!(cloud.register(NEW), Err(Problem::WrongCertificate));
}

/// Both got their claims before either had registered.
#[test]
fn b8_of_two_first_boxes_one_registers() {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::New]);
    cloud.enrol(1, OLD, NOW).unwrap();
    cloud.enrol(2, NEW, NOW).unwrap();
    assert_eq!(cloud.register(NEW), Ok(1));
    assert_eq!(cloud.register(OLD), Err(Problem::StoreHasBox));
}

#[test]
fn b14_a_box_that_was_replaced_no_longer_speaks_for_the_store() {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::Replace, Intent::Replace]);
    cloud.enrol(1, OLD, NOW).unwrap();
    assert_eq!(cloud.register(OLD), Ok(1));
    cloud.enrol(2, NEW, NOW).unwrap();
    assert_eq!(cloud.register(OLD), Ok(1), "until the new one is there");
    assert_eq!(cloud.register(NEW), Ok(2));
    assert_eq!(cloud.register(OLD), Err(Problem::DeviceReplaced));
    assert_eq!(cloud.register(NEW), Ok(2), "it says so every day");
    // It comes back from repair.
    cloud.enrol(3, OLD, NOW).unwrap();
    assert_eq!(cloud.register(OLD), Ok(3));
    assert_eq!(cloud.register(NEW), Err(Problem::DeviceReplaced));
}

#[test]
fn u11_a_box_out_of_service_gets_nothing_until_it_is_back() {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::Reset]);
    cloud.enrol(1, OLD, NOW).unwrap();
    cloud.register(OLD).unwrap();
    let Ok(true) = revoke(&mut cloud, OLD, true) else { panic!("it is known") };
    let Ok(known) = check_in(&mut cloud, OLD, NOW);
    let refused = Err(Problem::DeviceRevoked);
    assert_eq!((known, cloud.enrol(1, OLD, NOW)), (refused, refused));
    assert_eq!(cloud.register(OLD), Err(Problem::DeviceRevoked));
    let Ok(true) = revoke(&mut cloud, OLD, false) else { panic!("it is known") };
    assert_eq!(cloud.register(OLD), Ok(1));
    let Ok(false) = revoke(&mut cloud, NEW, true) else { panic!("it is not known") };
    cloud.enrol(2, OLD, NOW).unwrap();
    assert_eq!(cloud.register(OLD), Ok(2), "a new claim, a new beginning");
}

#[test]
fn u15_a_box_that_fell_silent_is_unreachable() {
    let mut cloud = Memory::with_claims(&[Intent::New]);
    cloud.enrol(1, OLD, NOW).unwrap();
    let later = |s: u64| NOW.plus_millis(s * 1_000);
    assert!(!cloud.devices[&OLD].is_unreachable(&terms(), later(180)));
    assert!(cloud.devices[&OLD].is_unreachable(&terms(), later(181)));
    let Ok(beat) = check_in(&mut cloud, OLD, later(181));
    assert_eq!((beat, cloud.devices[&OLD].is_unreachable(&terms(), later(182))), (Ok(()), false));
}

#[test]
fn u15_a_box_is_in_one_state_at_a_time() {
    let mut cloud = Memory::with_claims(&[Intent::New, Intent::Replace]);
    let state = |cloud: &Memory, id: BoxId, after_s: u64| {
        State::of(id, &cloud.devices[&id], cloud.stores.get(&STORE), &terms(), NOW.plus_millis(after_s * 1_000))
    };
    cloud.enrol(1, OLD, NOW).unwrap();
    assert_eq!(state(&cloud, OLD, 999), State::Waiting);
    cloud.register(OLD).unwrap();
    assert_eq!((state(&cloud, OLD, 180), state(&cloud, OLD, 181)), (State::Registered, State::Unreachable));
    cloud.enrol(2, NEW, NOW).unwrap();
    assert_eq!((state(&cloud, OLD, 0), state(&cloud, NEW, 0)), (State::Registered, State::Waiting));
    cloud.register(NEW).unwrap();
    assert_eq!((state(&cloud, OLD, 999), state(&cloud, NEW, 0)), (State::Replaced, State::Registered));
    let Ok(true) = revoke(&mut cloud, OLD, true) else { panic!("it is known") };
    assert_eq!(state(&cloud, OLD, 0), State::Revoked);
}

#[test]
fn u11_one_authority_vouches_for_all_boxes_of_a_database() {
    let mut cloud = Memory::default();
    for (key, may_serve) in [(OLD, true), (NEW, false), (OLD, true)] {
        let Ok(adopted) = adopt(&mut cloud, key);
        assert_eq!(adopted, may_serve);
    }
}

/// What happens to a request on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    RequestLost,
    AnswerLost,
    Doubled,
    /// An earlier request of this place in time comes again first.
    Late(usize),
    /// Power goes before the outcome is kept.
    CrashBefore,
    /// Power goes once it is kept.
    CrashAfter,
    Busy,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Well),
        Just(Fate::RequestLost),
        Just(Fate::AnswerLost),
        Just(Fate::Doubled),
        (0..40_usize).prop_map(Fate::Late),
        Just(Fate::CrashBefore),
        Just(Fate::CrashAfter),
        Just(Fate::Busy),
    ]
}

/// A box on its way, with the disk it survives on.
struct Travelling {
    key: BoxId,
    claim: u8,
    machine: Enrolment,
    disk: Vec<u8>,
    time: Duration,
}

impl Travelling {
    fn new(key: BoxId, claim: u8) -> Self {
        let mut machine = Enrolment::new(Kept::default());
        let token = Claim::new(&format!("the-token-{claim}"), Intent::New).unwrap();
        machine.claim(Cloud { url: url(), pins: Vec::new() }, Some(token));
        let disk = encode(machine.kept()).unwrap();
        Self { key, claim, machine, disk, time: Duration::from_secs(1) }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.time, wall: NOW }
    }

    /// What the cloud answers.
    fn ask(&self, cloud: &mut Memory, step: Step) -> Outcome {
        let certificate = || Certificate { chain: vec![vec![1]], from: NOW, until: NOW.plus_millis(365 * DAY_MS) };
        let answer = match step {
            Step::MakeKey => Ok(Outcome::KeyMade(self.key)),
            Step::FetchAuthorities => Ok(Outcome::Authorities(vec![vec![1]])),
            Step::Enrol => cloud.enrol(self.claim, self.key, NOW).map(|()| Outcome::Enrolled(certificate())),
            Step::Renew => {
                let Ok(decided) = check_in(cloud, self.key, NOW);
                decided.map(|()| Outcome::Enrolled(certificate()))
            }
            Step::Register => {
                let Ok(decided) = register(cloud, self.key, request(), &terms(), NOW);
                decided.map(|registration| Outcome::Registered(Box::new(registration)))
            }
            Step::ForgetToken => Ok(Outcome::TokenForgotten),
        };
        answer.unwrap_or_else(|problem| Outcome::Refused(problem, None))
    }

    /// One step, as fate has it. Says whether there is nothing left to do.
    fn go(&mut self, cloud: &mut Memory, sent: &mut Vec<(BoxId, u8, Step)>, fate: Fate) -> bool {
        let step = match self.machine.next(self.now()) {
            Next::Do(step) => step,
            Next::Wait(wait) => {
                let is_there = self.machine.kept().claim.is_none() && self.machine.trouble().is_none();
                self.time += wait;
                return is_there;
            }
            Next::Nothing => panic!("a claimed box gives up"),
        };
        let asks = !matches!(step, Step::MakeKey | Step::ForgetToken);
        if asks {
            sent.push((self.key, self.claim, step));
        }
        let outcome = match fate {
            Fate::RequestLost if asks => Outcome::Failed(Stage::Tls),
            Fate::Busy if asks => Outcome::Refused(Problem::Busy, Some(Duration::from_secs(3))),
            Fate::AnswerLost if asks => {
                self.ask(cloud, step);
                Outcome::Failed(Stage::Tls)
            }
            Fate::Doubled => {
                self.ask(cloud, step);
                self.ask(cloud, step)
            }
            Fate::Late(place) if asks => {
                let (key, claim, earlier) = sent[place % sent.len()];
                Self::new(key, claim).ask(cloud, earlier);
                self.ask(cloud, step)
            }
            _ => self.ask(cloud, step),
        };
        if !matches!(fate, Fate::CrashBefore) {
            self.machine.done(self.now(), step, outcome, 0);
            self.disk = encode(self.machine.kept()).unwrap();
        }
        if matches!(fate, Fate::CrashBefore | Fate::CrashAfter) {
            self.machine = Enrolment::new(decode(&self.disk).unwrap());
        }
        false
    }
}

proptest! {
    /// Whatever is lost, doubled, late or cut off, the box's own machine and the cloud's own decisions end in one device
    /// and one registration.
    #[test]
    fn b8_any_trouble_ends_in_one_device_and_one_registration(fates in proptest::collection::vec(fate(), 0..60)) {
        let mut cloud = Memory::with_claims(&[Intent::New]);
        let mut sent = Vec::new();
        let mut travelling = Travelling::new(OLD, 1);
        for fate in fates {
            travelling.go(&mut cloud, &mut sent, fate);
        }
        while !travelling.go(&mut cloud, &mut sent, Fate::Well) {}
        prop_assert_eq!(cloud.devices.len(), 1);
        prop_assert_eq!((cloud.stores[&STORE].epoch, cloud.stores[&STORE].holder), (1, Some(OLD)));
        let registration = travelling.machine.kept().registration.as_ref().unwrap();
        prop_assert_eq!((registration.store_id, registration.epoch), (STORE, 1));
    }

    /// A box and the one that replaces it, at once: whoever comes first, at the end the new one speaks for the store, and
    /// the old one knows.
    #[test]
    fn b14_a_replacement_ends_with_the_new_box_whatever_happens(
        fates in proptest::collection::vec((any::<bool>(), fate()), 0..80),
    ) {
        let mut cloud = Memory::with_claims(&[Intent::New, Intent::Replace]);
        let mut sent = Vec::new();
        let mut old = Travelling::new(OLD, 1);
        while !old.go(&mut cloud, &mut sent, Fate::Well) {}
        let mut new = Travelling::new(NEW, 2);
        for (is_new, fate) in fates {
            let one = if is_new { &mut new } else { &mut old };
            one.go(&mut cloud, &mut sent, fate);
        }
        while !new.go(&mut cloud, &mut sent, Fate::Well) {}
        prop_assert_eq!((cloud.stores[&STORE].epoch, cloud.stores[&STORE].holder), (2, Some(NEW)));
        prop_assert_eq!(cloud.register(OLD), Err(Problem::DeviceReplaced));
        prop_assert_eq!(cloud.devices.len(), 2);
    }
}
