//! The way of a box from unclaimed to registered, and what keeps it there.
//!
//! ```text
//! unclaimed ── claim ──▶ key made ──▶ authorities known ──▶ enrolled ──▶ registered ⟲ once a day
//!                                                              ▲             │
//!                                                              └── renewing ◀┘ at half to two thirds of its life
//! ```
//!
//! Whoever drives it asks what is to be done ([`Enrolment::next`]), does it, and says what came of it
//! ([`Enrolment::done`]); what is kept then ([`Enrolment::kept`]) has to be on disk before it is asked again. So power
//! may go at any time: every step may be done twice, and the cloud knows a box by its key.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use storebox_core::limits::{
    CLAIM_RETRY_S, ENROLMENT_RETRY_FIRST_S, ENROLMENT_RETRY_MOST_S, REGISTRATION_EVERY_S, RETRY_AFTER_MOST_S,
    REVOKED_RETRY_S,
};
use storebox_core::record::{Record, RecordError, v1};
use storebox_core::time::Timestamp;

use crate::identity::BoxId;
use crate::registration::{Conduct, Problem, Registration};
use crate::site::{Claim, Cloud};

/// What outlasts a loss of power.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the cloud is.
    pub cloud: Option<Cloud>,
    /// What lets the box enrol; none once it is registered by it.
    pub claim: Option<Claim>,
    /// The claim that was used last: the installer's file may bring it again.
    pub used: Option<Claim>,
    /// The box's key is on disk, and this is its name.
    pub id: Option<BoxId>,
    /// The cloud's certificate authorities, each in DER.
    pub authorities: Vec<Vec<u8>>,
    /// The box's certificate.
    pub certificate: Option<Certificate>,
    /// What the box has become.
    pub registration: Option<Registration>,
    /// Why it no longer is, if somebody took it out of service.
    pub revoked: Option<Problem>,
}

impl Record for Kept {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// A certificate of the box's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// It, and what leads from it to an authority, each in DER.
    pub chain: Vec<Vec<u8>>,
    /// When it begins to hold.
    pub from: Timestamp,
    /// When it no longer does.
    pub until: Timestamp,
}

impl Certificate {
    /// When it is time for the next: between half and two thirds of its life, at a moment that is each box's own, so that
    /// boxes that enrolled together do not renew together.
    pub fn renewal(&self, id: BoxId) -> Timestamp {
        let life = self.until.millis_since(self.from);
        let [high, low, ..] = *id.digest();
        let share = u64::from(u16::from_be_bytes([high, low]));
        self.from.plus_millis(life / 2 + (life / 6).saturating_mul(share) / u64::from(u16::MAX))
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the box's key, or find the one that is there, and sync it to disk.
    MakeKey,
    /// Fetch the cloud's certificate authorities (RFC 7030, section 4.1), from who has a pinned key.
    FetchAuthorities,
    /// Ask for a certificate with the claim (section 4.2.1).
    Enrol,
    /// Ask for another one with the certificate there is or was (section 4.2.2).
    Renew,
    /// Register ([`crate::registration`]).
    Register,
    /// Take the token out of the installer's file.
    ForgetToken,
}

impl Step {
    const COUNT: usize = 6;
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key is on disk.
    KeyMade(BoxId),
    /// The cloud's authorities, each in DER; at least one.
    Authorities(Vec<Vec<u8>>),
    /// A certificate of the box's key.
    Enrolled(Certificate),
    /// The box is registered.
    Registered(Box<Registration>),
    /// There is no token in the installer's file.
    TokenForgotten,
    /// Somebody has yet to decide, or there is much to do: ask again, after as long as was said.
    Later(Option<Duration>),
    /// The cloud refuses, and perhaps says when to ask again.
    Refused(Problem, Option<Duration>),
    /// It did not work.
    Failed(Stage),
    /// The proxy on the way does not let the box through.
    NoProxy,
}

/// How far the way to the cloud goes, in the order in which an installer looks for what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A cable is in.
    Link,
    /// The box has an address.
    Address,
    /// The cloud's name is found.
    Names,
    /// The time is known.
    Time,
    /// The cloud answers, and has the key it should.
    Tls,
    /// The claim is accepted.
    Claim,
    /// The box has a certificate.
    Enrolled,
    /// The box is registered.
    Registered,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Do(Step),
    /// Nothing before so much more time has passed.
    Wait(Duration),
    /// Nothing before somebody brings a claim.
    Nothing,
}

/// What it is, now.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Time that passed since any moment.
    pub monotonic: Duration,
    /// The clock on the wall, right or wrong.
    pub wall: Timestamp,
}

/// When a step may be tried again.
#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    failures: u32,
    not_before: Duration,
}

/// The state machine.
#[derive(Debug)]
pub struct Enrolment {
    kept: Kept,
    retries: [Retry; Step::COUNT],
    trouble: Option<Trouble>,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The way to the cloud ends here.
    Failed(Stage),
    /// It ends at the proxy.
    Proxy,
    /// The cloud refuses.
    Refused(Problem),
    /// Somebody has yet to decide.
    Waiting,
}

impl Enrolment {
    /// Goes on from what was kept.
    pub fn new(kept: Kept) -> Self {
        Self { kept, retries: [Retry::default(); Step::COUNT], trouble: None }
    }

    /// What has to be on disk before [`Enrolment::next`] is asked again.
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What stands in the way, if anything does.
    pub const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Somebody says where the cloud is and perhaps brings a claim. Says whether that was new.
    ///
    /// A claim of another cloud makes a stranger of the box. Without one the cloud has moved, and the box with it.
    pub fn claim(&mut self, cloud: Cloud, claim: Option<Claim>) -> bool {
        let Kept { cloud: known, claim: waiting, used, .. } = &self.kept;
        let news = claim.filter(|claim| waiting.as_ref() != Some(claim) && used.as_ref() != Some(claim));
        if news.is_none() && known.as_ref() == Some(&cloud) {
            return false;
        }
        if known.as_ref().is_none_or(|known| known.url != cloud.url) {
            // Whoever answers there has to show a pinned key first.
            self.kept.authorities.clear();
        }
        if news.is_some() {
            // The claim decides anew whose box this is; its key stays.
            let authorities = core::mem::take(&mut self.kept.authorities);
            self.kept = Kept { id: self.kept.id, claim: news, authorities, ..Kept::default() };
        }
        self.kept.cloud = Some(cloud);
        self.retries = Default::default();
        self.trouble = None;
        true
    }

    /// A cable was plugged in, an address came: whatever waited need not.
    pub fn hurry(&mut self) {
        for retry in &mut self.retries {
            retry.not_before = Duration::ZERO;
        }
    }

    /// What is to be done.
    pub fn next(&self, now: Now) -> Next {
        let mut wait: Option<Duration> = None;
        for (step, due_in) in self.due(now.wall) {
            let due = now.monotonic.saturating_add(due_in).max(self.retry(step).not_before);
            match due.saturating_sub(now.monotonic) {
                Duration::ZERO => return Next::Do(step),
                rest => wait = Some(wait.map_or(rest, |least| least.min(rest))),
            }
        }
        wait.map_or(Next::Nothing, Next::Wait)
    }

    /// Says what came of a step. `random` spreads the attempts of many boxes.
    pub fn done(&mut self, now: Now, step: Step, outcome: Outcome, random: u64) {
        let failures = self.retry(step).failures;
        let later =
            Retry { failures: failures.saturating_add(1), not_before: now.monotonic + back_off(failures, random) };
        let after = |wait: Duration| Retry { not_before: now.monotonic + wait, ..later };
        let asked = |wait: Option<Duration>| wait.map_or(later, |wait| after(wait.clamp(FIRST, RETRY_AFTER_MOST)));
        let (retry, trouble) = match outcome {
            Outcome::KeyMade(id) => {
                self.kept.id = Some(id);
                (Retry::default(), None)
            }
            Outcome::Authorities(authorities) => {
                self.kept.authorities = authorities;
                (Retry { failures: 0, ..after(AGAIN) }, None)
            }
            Outcome::Enrolled(certificate) => {
                self.kept.certificate = Some(certificate);
                // By a clock that is wrong it may seem to have lapsed at once.
                (Retry { failures: 0, ..after(AGAIN) }, None)
            }
            Outcome::Registered(registration) => {
                self.kept.registration = Some(*registration);
                self.kept.revoked = None;
                (Retry { failures: 0, ..after(AGAIN) }, None)
            }
            Outcome::TokenForgotten => {
                self.kept.used = self.kept.claim.take();
                (Retry::default(), None)
            }
            Outcome::Later(wait) => (asked(wait), Some(Trouble::Waiting)),
            Outcome::Failed(stage) => (later, Some(Trouble::Failed(stage))),
            Outcome::NoProxy => (later, Some(Trouble::Proxy)),
            Outcome::Refused(problem, wait) => {
                let retry = match problem.conduct() {
                    Conduct::AskAgain => asked(wait),
                    Conduct::NeedsClaim => after(CLAIM_RETRY),
                    Conduct::NeedsCertificate => {
                        self.kept.certificate = None;
                        later
                    }
                    Conduct::Revoked => {
                        self.kept.revoked = Some(problem);
                        after(REVOKED_RETRY)
                    }
                };
                (retry, Some(Trouble::Refused(problem)))
            }
        };
        if let Some(place) = self.retries.get_mut(step as usize) {
            *place = retry;
        }
        self.trouble = trouble.or(self.kept.revoked.map(Trouble::Refused));
    }

    fn retry(&self, step: Step) -> Retry {
        self.retries.get(step as usize).copied().unwrap_or_default()
    }

    /// What is to be done now or later, the most important first, and how much later.
    fn due(&self, wall: Timestamp) -> Vec<(Step, Duration)> {
        let Kept { cloud, claim, used, id, authorities, certificate, registration, revoked } = &self.kept;
        let at_once = |step| vec![(step, Duration::ZERO)];
        let is_claimed = claim.is_some() || used.is_some();
        let (true, Some(_)) = (is_claimed, cloud) else { return Vec::new() };
        let Some(id) = id else { return at_once(Step::MakeKey) };
        if authorities.is_empty() {
            return at_once(Step::FetchAuthorities);
        }
        let Some(certificate) = certificate else {
            // Its key is known, so it needs no claim again.
            return at_once(if registration.is_none() && claim.is_some() { Step::Enrol } else { Step::Renew });
        };
        let mut steps = at_once(Step::Register);
        if revoked.is_some() {
            return steps;
        }
        if registration.is_some() {
            steps.push((Step::FetchAuthorities, Duration::ZERO));
            if claim.is_some() {
                steps.push((Step::ForgetToken, Duration::ZERO));
            }
        }
        let renewal = (Step::Renew, Duration::from_millis(certificate.renewal(*id).millis_since(wall)));
        // A certificate that has lapsed registers nobody.
        steps.insert(if certificate.until <= wall { 0 } else { steps.len() }, renewal);
        steps
    }
}

const FIRST: Duration = Duration::from_secs(ENROLMENT_RETRY_FIRST_S);
const MOST: Duration = Duration::from_secs(ENROLMENT_RETRY_MOST_S);
const RETRY_AFTER_MOST: Duration = Duration::from_secs(RETRY_AFTER_MOST_S);
const CLAIM_RETRY: Duration = Duration::from_secs(CLAIM_RETRY_S);
const REVOKED_RETRY: Duration = Duration::from_secs(REVOKED_RETRY_S);
const AGAIN: Duration = Duration::from_secs(REGISTRATION_EVERY_S);

/// How long to wait after so many failures: twice as long each time, up to a bound, less up to half of it by chance.
fn back_off(failures: u32, random: u64) -> Duration {
    let whole = FIRST.saturating_mul(1_u32.checked_shl(failures.min(30)).unwrap_or(u32::MAX)).min(MOST);
    let parts = u32::try_from(random >> 32).unwrap_or(u32::MAX);
    whole - whole / 2 * (parts >> 16) / 0xffff
}

#[cfg(test)]
mod tests;
