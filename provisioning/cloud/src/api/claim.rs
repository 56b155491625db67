//! Claims, as people make them.

use std::collections::BTreeMap;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use storebox_core::id::{Randomness, StoreId};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use storebox_provisioning::registration::Problem;
use storebox_provisioning::site::{self, Intent, Site};

use super::answer::Refusal;
use super::boxes::digest;
use super::{Cloud, random_token};
use crate::clock::now;
use crate::fleet::alerts::Alerts;
use crate::fleet::{ClaimRow, Rows, StoreRow};

/// How long a claim may wait for its box, in days, if nobody says otherwise.
const CLAIM_DAYS: u64 = 30;
/// The longest: a token that lies about for years is found by somebody.
const CLAIM_DAYS_MAX: u64 = 365;
const DAY_MS: u64 = 86_400_000;

/// A claim to be made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewClaim {
    /// The store there is; a new one if none.
    pub(super) store_id: Option<StoreId>,
    /// What a new store is called.
    #[serde(default)]
    pub(super) store_name: Option<Name>,
    /// What its order numbers begin with.
    #[serde(default)]
    pub(super) register: Option<Name>,
    /// Options of its box.
    #[serde(default)]
    pub(super) configuration: BTreeMap<Name, Note>,
    /// What the box is to become.
    #[serde(default)]
    pub(super) intent: Intent,
    /// For how many days.
    #[serde(default)]
    pub(super) days: Option<u64>,
    /// Who is told of the store's box from now on; as before if nobody is named.
    #[serde(default)]
    pub(super) alerts: Option<Alerts>,
}

/// A claim as it is shown, once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBody {
    pub(super) token: String,
    pub(super) store_id: StoreId,
    pub(super) expires: Timestamp,
    /// What goes into the installer's file.
    pub(super) site: String,
}

/// Makes a claim, and its store if that is new.
pub(super) async fn make(cloud: &Cloud, wish: &NewClaim) -> Result<ClaimBody, Refusal> {
    let days = wish.days.unwrap_or(CLAIM_DAYS);
    if !(1..=CLAIM_DAYS_MAX).contains(&days) {
        return Err(Refusal::Invalid("A claim holds for 1 to 365 days.".into()));
    }
    let is_register = |name: &Name| {
        let text = name.as_str();
        (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    if !wish.register.as_ref().is_none_or(is_register) {
        return Err(Refusal::Invalid("A register is one to eight capital letters and digits.".into()));
    }
    if let Some(alerts) = &wish.alerts {
        check(cloud, alerts)?;
    }
    let (token, at) = (random_token().map_err(|_| Problem::Busy)?, now());
    let expires = at.plus_millis(days * DAY_MS);
    let mut randomness = Randomness::default();
    SystemRandom::new().fill(&mut randomness).map_err(|_| Problem::Busy)?;
    let store = wish.store_id.unwrap_or_else(|| StoreId::new(at, randomness));
    let made = cloud.database.transact(|rows| {
        if let Some(mut row) = rows.store(store)? {
            if let Some(alerts) = &wish.alerts {
                row.alerts = alerts.clone();
                rows.put_store(store, &row)?;
            }
        } else {
            if wish.store_id.is_some() {
                return Ok(false);
            }
            let row = StoreRow {
                name: wish.store_name.clone().unwrap_or_else(|| Name::cut("Store")),
                register: wish.register.clone().unwrap_or_else(|| Name::cut("A")),
                configuration: wish.configuration.clone(),
                epoch: 0,
                holder: None,
                alerts: wish.alerts.clone().unwrap_or_default(),
            };
            rows.put_store(store, &row)?;
        }
        rows.put_claim(&digest(&token), &ClaimRow { store, intent: wish.intent, expires, used_by: None })?;
        Ok(true)
    });
    if !made.await? {
        return Err(Refusal::NotFound);
    }
    let site = site(cloud, &token, wish.intent)?;
    Ok(ClaimBody { token, store_id: store, expires, site })
}

/// Whether these people can be told.
pub(super) fn check(cloud: &Cloud, alerts: &Alerts) -> Result<(), Refusal> {
    if !alerts.are_few() {
        return Err(Refusal::Invalid("At most eight addresses and eight webhooks are told of one store.".into()));
    }
    if !alerts.mail.is_empty() && !cloud.delivery.sends_mail() {
        return Err(Refusal::Invalid("This cloud sends no mail: start it with --smtp and --mail-from.".into()));
    }
    Ok(())
}

/// The installer's file for a claim.
///
/// # Errors
/// [`Refusal::Invalid`] if the token is none.
pub(super) fn site(cloud: &Cloud, token: &str, intent: Intent) -> Result<String, Refusal> {
    let claim = site::Claim::new(token, intent).map_err(|error| Refusal::Invalid(error.to_string().into()))?;
    let whom = site::Cloud { url: cloud.terms.sync_url.clone(), pins: vec![cloud.authority.pin()] };
    Ok(Site { cloud: Some(whom), claim: Some(claim), ..Site::default() }.write())
}
