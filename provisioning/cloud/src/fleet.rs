//! What the cloud decides: who may enrol, what a box becomes, and when it no longer is.
//!
//! Every decision is made on rows that are read and written in one transaction, so that many instances of the cloud on
//! one database decide as one. Each may be made twice with the same result: a box repeats whatever it got no answer to.

pub mod alerts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use storebox_core::id::StoreId;
use storebox_core::network::CloudUrl;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::{Problem, Registration, Request};
use storebox_provisioning::site::Intent;

use self::alerts::{AlertRow, Alerts, WatchRow};

/// How often a box shows that it is alive, in seconds, unless the operator says otherwise.
pub const HEARTBEAT_S: u32 = 60;
/// After so many missed heartbeats a box cannot be reached.
pub const HEARTBEATS_MISSED: u64 = 3;

/// What lets one box enrol, found by the SHA-256 of its token: who reads the database enrols nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRow {
    /// For which store.
    pub store: StoreId,
    /// What the box is to become.
    pub intent: Intent,
    /// Until when.
    pub expires: Timestamp,
    /// The box that used it.
    pub used_by: Option<BoxId>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreRow {
    /// What it is called.
    pub name: Name,
    /// What its order numbers begin with.
    pub register: Name,
    /// Options of its box, by name, each in TOML's words.
    pub configuration: BTreeMap<Name, Note>,
    /// Counts the boxes it has had.
    pub epoch: u32,
    /// The one that speaks for it now.
    pub holder: Option<BoxId>,
    /// Who is told of its box.
    #[serde(default)]
    pub alerts: Alerts,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoxRow {
    /// The store it was claimed for.
    pub store: StoreId,
    /// What it was claimed to become.
    pub intent: Intent,
    /// When it first had a certificate.
    pub enrolled_at: Timestamp,
    /// As which of its store's boxes it registered; 0 if it has not.
    pub epoch: u32,
    /// What it last said of itself.
    pub said: Option<Request>,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// Whether somebody took it out of service.
    pub is_revoked: bool,
    /// When it was said that it cannot be reached; none if it can.
    #[serde(default)]
    pub lost_at: Option<Timestamp>,
    /// How often that was said.
    #[serde(default)]
    pub outages: u32,
}

/// The authority that vouches for the boxes of this database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityRow {
    /// The name of its key, made as a box's is.
    pub key: BoxId,
}

/// What every box is told.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where its store is kept in step.
    pub sync_url: CloudUrl,
    /// How often it shows that it is alive, in seconds.
    pub heartbeat_s: u32,
}

impl Terms {
    /// How long a box may be silent before it cannot be reached, in milliseconds.
    pub fn silence_ms(&self) -> u64 {
        u64::from(self.heartbeat_s) * 1_000 * HEARTBEATS_MISSED
    }
}

impl BoxRow {
    /// Whether it should have been heard of by now.
    pub fn is_unreachable(&self, terms: &Terms, now: Timestamp) -> bool {
        now.millis_since(self.seen_at) > terms.silence_ms()
    }
}

/// What a box is to the cloud at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It speaks for its store, and was not heard of when it should have been.
    Unreachable,
    /// It has a certificate, and has yet to register.
    Waiting,
    /// It speaks for its store.
    Registered,
    /// Another speaks for its store.
    Replaced,
    /// Somebody took it out of service.
    Revoked,
}

impl State {
    /// What a box is.
    pub fn of(id: BoxId, device: &BoxRow, store: Option<&StoreRow>, terms: &Terms, now: Timestamp) -> Self {
        if device.is_revoked {
            Self::Revoked
        } else if device.epoch == 0 {
            Self::Waiting
        } else if store.and_then(|store| store.holder) != Some(id) {
            Self::Replaced
        } else if device.is_unreachable(terms, now) {
            Self::Unreachable
        } else {
            Self::Registered
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Waiting => "waiting",
            Self::Registered => "registered",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }
}

/// The beginning of a box's name, as people compare it; its `STATUS.TXT` has the same.
pub fn short(id: BoxId) -> String {
    let digits = id.to_string();
    let groups: Vec<&str> = (0..4).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

/// The SHA-256 of a claim's token.
pub type TokenDigest = [u8; 32];

/// The rows of one transaction. What is put becomes visible to others only as a whole.
pub trait Rows {
    /// What the database says when it fails.
    type Error;

    /// A claim.
    ///
    /// # Errors
    /// The database's.
    fn claim(&mut self, token: &TokenDigest) -> Result<Option<ClaimRow>, Self::Error>;
    /// Writes a claim.
    ///
    /// # Errors
    /// The database's.
    fn put_claim(&mut self, token: &TokenDigest, row: &ClaimRow) -> Result<(), Self::Error>;
    /// A store.
    ///
    /// # Errors
    /// The database's.
    fn store(&mut self, id: StoreId) -> Result<Option<StoreRow>, Self::Error>;
    /// Writes a store.
    ///
    /// # Errors
    /// The database's.
    fn put_store(&mut self, id: StoreId, row: &StoreRow) -> Result<(), Self::Error>;
    /// A box.
    ///
    /// # Errors
    /// The database's.
    fn device(&mut self, id: BoxId) -> Result<Option<BoxRow>, Self::Error>;
    /// Writes a box.
    ///
    /// # Errors
    /// The database's.
    fn put_device(&mut self, id: BoxId, row: &BoxRow) -> Result<(), Self::Error>;
    /// Every box.
    ///
    /// # Errors
    /// The database's.
    fn devices(&mut self) -> Result<Vec<(BoxId, BoxRow)>, Self::Error>;
    /// Every store.
    ///
    /// # Errors
    /// The database's.
    fn stores(&mut self) -> Result<Vec<(StoreId, StoreRow)>, Self::Error>;
    /// The authority, once there is one.
    ///
    /// # Errors
    /// The database's.
    fn authority(&mut self) -> Result<Option<AuthorityRow>, Self::Error>;
    /// Writes the authority.
    ///
    /// # Errors
    /// The database's.
    fn put_authority(&mut self, row: &AuthorityRow) -> Result<(), Self::Error>;
    /// Since when the fleet is watched.
    ///
    /// # Errors
    /// The database's.
    fn watch(&mut self) -> Result<Option<WatchRow>, Self::Error>;
    /// Writes since when the fleet is watched.
    ///
    /// # Errors
    /// The database's.
    fn put_watch(&mut self, row: &WatchRow) -> Result<(), Self::Error>;
    /// The boxes that are watched ([`alerts::is_watched`]) and were last heard of before then; some of them, if they are
    /// many.
    ///
    /// # Errors
    /// The database's.
    fn silent(&mut self, before: Timestamp) -> Result<Vec<BoxId>, Self::Error>;
    /// An alert.
    ///
    /// # Errors
    /// The database's.
    fn alert(&mut self, id: &str) -> Result<Option<AlertRow>, Self::Error>;
    /// Writes an alert.
    ///
    /// # Errors
    /// The database's.
    fn put_alert(&mut self, id: &str, row: &AlertRow) -> Result<(), Self::Error>;
    /// Takes an alert away.
    ///
    /// # Errors
    /// The database's.
    fn remove_alert(&mut self, id: &str) -> Result<(), Self::Error>;
    /// The alerts that are to be tried by then; some of them, if they are many.
    ///
    /// # Errors
    /// The database's.
    fn due_alerts(&mut self, by: Timestamp) -> Result<Vec<String>, Self::Error>;
}

/// A decision: what comes of it, or why not, unless the database fails.
pub type Decided<T, R> = Result<Result<T, Problem>, <R as Rows>::Error>;

/// Whether a box with this key may have a certificate by a claim. From then on it is known.
///
/// # Errors
/// The database's.
pub fn enrol<R: Rows>(rows: &mut R, token: &TokenDigest, id: BoxId, now: Timestamp) -> Decided<(), R> {
    let Some(mut claim) = rows.claim(token)? else { return Ok(Err(Problem::ClaimUnknown)) };
    match claim.used_by {
        // It asks again: the answer was lost.
        Some(user) if user == id => return check_in(rows, id, now),
        Some(_) => return Ok(Err(Problem::ClaimUsed)),
        None if claim.expires < now => return Ok(Err(Problem::ClaimExpired)),
        None => {}
    }
    let holder = rows.store(claim.store)?.and_then(|store| store.holder);
    if claim.intent == Intent::New && holder.is_some_and(|holder| holder != id) {
        return Ok(Err(Problem::StoreHasBox));
    }
    claim.used_by = Some(id);
    rows.put_claim(token, &claim)?;
    // A box that was known, even one out of service, is what its newest claim says.
    let outages = match rows.device(id)? {
        Some(mut known) => {
            alerts::find(rows, id, &mut known, now)?;
            known.outages
        }
        None => 0,
    };
    let device = BoxRow {
        store: claim.store,
        intent: claim.intent,
        enrolled_at: now,
        epoch: 0,
        said: None,
        seen_at: now,
        is_revoked: false,
        lost_at: None,
        outages,
    };
    rows.put_device(id, &device)?;
    Ok(Ok(()))
}

/// A box shows that it is alive, or asks for another certificate, however long the last has lapsed: whether it is known
/// and in service.
///
/// # Errors
/// The database's.
pub fn check_in<R: Rows>(rows: &mut R, id: BoxId, now: Timestamp) -> Decided<(), R> {
    heard_of(rows, id, now).map(|known| known.map(drop))
}

/// Registers a box, or tells it again what it is.
///
/// # Errors
/// The database's.
pub fn register<R: Rows>(
    rows: &mut R,
    id: BoxId,
    request: Request,
    terms: &Terms,
    now: Timestamp,
) -> Decided<Registration, R> {
    let mut device = match heard_of(rows, id, now)? {
        Ok(device) => device,
        Err(problem) => return Ok(Err(problem)),
    };
    let Some(mut store) = rows.store(device.store)? else { return Ok(Err(Problem::ClaimUnknown)) };
    match store.holder {
        Some(holder) if holder == id && device.epoch == store.epoch => {}
        Some(holder) if holder != id && device.epoch > 0 => return Ok(Err(Problem::DeviceReplaced)),
        Some(holder) if holder != id && device.intent != Intent::Replace => return Ok(Err(Problem::StoreHasBox)),
        // The first one, the one that takes another's place, or the same with a new claim.
        _ => {
            store.epoch = store.epoch.saturating_add(1);
            store.holder = Some(id);
            device.epoch = store.epoch;
            rows.put_store(device.store, &store)?;
        }
    }
    device.said = Some(request);
    rows.put_device(id, &device)?;
    Ok(Ok(Registration {
        store_id: device.store,
        store_name: store.name,
        register: store.register,
        epoch: device.epoch,
        configuration: store.configuration,
        sync_url: terms.sync_url.clone(),
        sync_format: Name::cut("application/json"),
        heartbeat_s: terms.heartbeat_s,
        time: now,
    }))
}

/// Takes a box out of service, or puts it back. Says whether there is one.
///
/// # Errors
/// The database's.
pub fn revoke<R: Rows>(rows: &mut R, id: BoxId, is_revoked: bool) -> Result<bool, R::Error> {
    let Some(device) = rows.device(id)? else { return Ok(false) };
    rows.put_device(id, &BoxRow { is_revoked, ..device })?;
    Ok(true)
}

/// Whether an instance with this authority may serve this database: the first one that does decides it for all. Boxes that
/// one authority vouched for would not believe another.
///
/// # Errors
/// The database's.
pub fn adopt<R: Rows>(rows: &mut R, key: BoxId) -> Result<bool, R::Error> {
    match rows.authority()? {
        Some(authority) => Ok(authority.key == key),
        None => rows.put_authority(&AuthorityRow { key }).map(|()| true),
    }
}

/// A box that is known and in service, which is heard of now.
fn heard_of<R: Rows>(rows: &mut R, id: BoxId, now: Timestamp) -> Decided<BoxRow, R> {
    let Some(mut device) = rows.device(id)? else { return Ok(Err(Problem::WrongCertificate)) };
    if device.is_revoked {
        return Ok(Err(Problem::DeviceRevoked));
    }
    alerts::find(rows, id, &mut device, now)?;
    device.seen_at = device.seen_at.max(now);
    rows.put_device(id, &device)?;
    Ok(Ok(device))
}

#[cfg(test)]
mod tests;
