//! What the cloud tells people of their boxes: that one cannot be reached, and that it can be again.
//!
//! An alert is raised in the transaction in which its cause becomes known, so each cause raises it once, whichever instance
//! sees it. It is one row for each who is to be told, and an instance that delivers it claims that row for a while first. If
//! that instance ends in between, another delivers it: perhaps twice, but never not at all.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use serde::{Deserialize, Serialize};
use storebox_core::id::StoreId;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;

use super::{BoxRow, Rows, StoreRow, Terms};

/// How many are told of one store in one way.
pub const TARGETS: usize = 8;
/// How long an instance may take to deliver an alert before another tries, in milliseconds.
const LEASE_MS: u64 = 60_000;
/// How long until the second attempt, in milliseconds; each further one takes twice as long.
const RETRY_MS: u64 = 5_000;
/// The longest pause between attempts, in milliseconds.
const RETRY_MS_MAX: u64 = 3_600_000;
/// After so many attempts an alert is given up: it is ten hours old then.
pub const ATTEMPTS: u32 = 20;
/// The longest address of mail or of a webhook.
const ADDRESS_BYTES: usize = 500;

/// Who is told of a store's box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Alerts {
    /// By mail.
    pub mail: Vec<MailAddress>,
    /// By a request to these.
    pub webhooks: Vec<Webhook>,
}

impl Alerts {
    /// Whether there are no more of them than one store may have.
    pub fn are_few(&self) -> bool {
        self.mail.len() <= TARGETS && self.webhooks.len() <= TARGETS
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        let mail = self.mail.iter().cloned().map(Target::Mail);
        mail.chain(self.webhooks.iter().cloned().map(Target::Webhook))
    }
}

/// An address of mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(lettre::Address);

impl MailAddress {
    /// For what sends mail.
    pub const fn address(&self) -> &lettre::Address {
        &self.0
    }
}

impl TryFrom<String> for MailAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        if text.len() > ADDRESS_BYTES {
            return Err(NotAnAddress(text));
        }
        lettre::Address::from_str(&text).map(Self).map_err(|_| NotAnAddress(text))
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0.to_string()
    }
}

/// Where a request goes: a URL with `https` or `http`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Webhook(String);

impl Webhook {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Webhook {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        let is_one = Uri::from_str(&text).is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|host| !host.is_empty())
        });
        if is_one && text.len() <= ADDRESS_BYTES { Ok(Self(text)) } else { Err(NotAnAddress(text)) }
    }
}

impl From<Webhook> for String {
    fn from(webhook: Webhook) -> Self {
        webhook.0
    }
}

/// Nobody can be told there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAddress(String);

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(80).collect();
        write!(f, "{shown:?} is neither an address like shop@example.com nor a URL like https://example.com/alerts")
    }
}

impl std::error::Error for NotAnAddress {}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A box missed its heartbeats.
    BoxUnreachable,
    /// It shows that it is alive again.
    BoxReachable,
}

impl Event {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BoxUnreachable => "box-unreachable",
            Self::BoxReachable => "box-reachable",
        }
    }
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// Whoever reads this mail.
    Mail(MailAddress),
    /// What listens there.
    Webhook(Webhook),
}

/// An alert for one who is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertRow {
    /// What has happened.
    pub event: Event,
    /// In which store.
    pub store: StoreId,
    /// To which box.
    pub device: BoxId,
    /// How often it has been unreachable by then.
    pub outage: u32,
    /// When it became known.
    pub at: Timestamp,
    /// When the box was last heard of before that.
    pub seen_at: Timestamp,
    /// Who is told.
    pub target: Target,
    /// How often that was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
}

impl AlertRow {
    /// Names what has happened, the same for all who are told, however often.
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.device, self.outage, self.event.word())
    }

    /// Names the row.
    pub fn id(&self) -> String {
        let target = match &self.target {
            Target::Mail(address) => address.0.to_string(),
            Target::Webhook(webhook) => webhook.0.clone(),
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, target.as_bytes());
        let digits: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digits}", self.name())
    }

    /// What the same people are told before this.
    fn earlier(&self) -> Self {
        let mut earlier = self.clone();
        match self.event {
            Event::BoxUnreachable => {
                earlier.event = Event::BoxReachable;
                earlier.outage = self.outage.saturating_sub(1);
            }
            Event::BoxReachable => earlier.event = Event::BoxUnreachable,
        }
        earlier
    }
}

/// Since when the fleet is watched without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchRow {
    /// Since when.
    pub since: Timestamp,
    /// When it was last looked at.
    pub last: Timestamp,
}

/// Notes that an instance looks at the fleet now; gives since when one has done so without a gap. While the cloud itself is
/// away boxes are silent for its sake, so only the time since then counts.
///
/// # Errors
/// The database's.
pub fn watch<R: Rows>(rows: &mut R, terms: &Terms, now: Timestamp) -> Result<Timestamp, R::Error> {
    let row = match rows.watch()? {
        Some(row) if now.millis_since(row.last) <= terms.silence_ms() => {
            WatchRow { since: row.since, last: row.last.max(now) }
        }
        _ => WatchRow { since: now, last: now },
    };
    rows.put_watch(&row)?;
    Ok(row.since)
}

/// Raises the alert that a box cannot be reached, if that is so and was not said yet. Says whether it was raised.
///
/// # Errors
/// The database's.
pub fn lose<R: Rows>(
    rows: &mut R,
    id: BoxId,
    watched_since: Timestamp,
    terms: &Terms,
    now: Timestamp,
) -> Result<bool, R::Error> {
    let Some(mut device) = rows.device(id)? else { return Ok(false) };
    let Some(store) = rows.store(device.store)? else { return Ok(false) };
    let silent_since = device.seen_at.max(watched_since);
    if !is_watched(id, &device, &store) || now.millis_since(silent_since) <= terms.silence_ms() {
        return Ok(false);
    }
    device.outages = device.outages.saturating_add(1);
    device.lost_at = Some(now);
    raise(rows, Event::BoxUnreachable, id, &device, &store, now)?;
    rows.put_device(id, &device)?;
    Ok(true)
}

/// Whether it would be said of this box that it cannot be reached.
pub fn is_watched(id: BoxId, device: &BoxRow, store: &StoreRow) -> bool {
    !device.is_revoked && device.epoch > 0 && device.lost_at.is_none() && store.holder == Some(id)
}

/// Raises the alert that a box can be reached again, if it was said that it cannot. The row is changed, but not written.
pub(super) fn find<R: Rows>(rows: &mut R, id: BoxId, device: &mut BoxRow, now: Timestamp) -> Result<(), R::Error> {
    if device.lost_at.take().is_none() {
        return Ok(());
    }
    let Some(store) = rows.store(device.store)? else { return Ok(()) };
    raise(rows, Event::BoxReachable, id, device, &store, now)
}

fn raise<R: Rows>(
    rows: &mut R,
    event: Event,
    id: BoxId,
    device: &BoxRow,
    store: &StoreRow,
    now: Timestamp,
) -> Result<(), R::Error> {
    for target in store.alerts.targets() {
        let row = AlertRow {
            event,
            store: device.store,
            device: id,
            outage: device.outages,
            at: now,
            seen_at: device.seen_at,
            target,
            attempts: 0,
            next_at: now,
        };
        rows.put_alert(&row.id(), &row)?;
    }
    Ok(())
}

/// Claims an alert for whoever calls, if it is due and nobody else has it; gives what is to be delivered, and for which
/// store.
///
/// # Errors
/// The database's.
pub fn claim<R: Rows>(rows: &mut R, id: &str, now: Timestamp) -> Result<Option<(AlertRow, StoreRow)>, R::Error> {
    let Some(mut alert) = rows.alert(id)? else { return Ok(None) };
    // That a box is back is not said before that it was gone.
    if now < alert.next_at || rows.alert(&alert.earlier().id())?.is_some() {
        return Ok(None);
    }
    let Some(store) = rows.store(alert.store)? else {
        rows.remove_alert(id)?;
        return Ok(None);
    };
    alert.attempts = alert.attempts.saturating_add(1);
    alert.next_at = now.plus_millis(LEASE_MS);
    rows.put_alert(id, &alert)?;
    Ok(Some((alert, store)))
}

/// Notes how the attempt ended that was claimed. An alert that was delivered, or tried too often, is gone.
///
/// # Errors
/// The database's.
pub fn conclude<R: Rows>(
    rows: &mut R,
    id: &str,
    attempt: u32,
    is_delivered: bool,
    now: Timestamp,
) -> Result<(), R::Error> {
    let Some(mut alert) = rows.alert(id)? else { return Ok(()) };
    if is_delivered || alert.attempts >= ATTEMPTS {
        return rows.remove_alert(id);
    }
    // It took so long that another instance has claimed it.
    if alert.attempts != attempt {
        return Ok(());
    }
    let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
    alert.next_at = now.plus_millis(RETRY_MS.saturating_mul(doubled).min(RETRY_MS_MAX));
    rows.put_alert(id, &alert)
}
