//! What a box on this network says of itself.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use x509_parser::extensions::GeneralName;

use crate::failure::{Failure, OrFail};
use crate::http::{Client, pin};

/// The names every box has.
const COMMON: [&str; 2] = ["localhost", "storebox.local"];

/// A box that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub ping: Ping,
    /// Its own name in its network, by its certificate.
    pub host_name: String,
    /// The SHA-256 of its key, in hexadecimal, by its certificate.
    pub fingerprint: String,
}

/// What is looked at of `GET /api/local/ping`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ping {
    service: String,
    /// What the store is called.
    pub name: String,
    /// The store.
    pub store_id: String,
    /// The release.
    pub version: String,
    /// server or standalone.
    pub mode: String,
    fingerprint: String,
}

/// What is looked at of `GET /health/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// healthy, degraded or unhealthy.
    pub status: String,
    /// connected, full or failed.
    pub database: String,
    /// Free share of the disk.
    pub disk_space: String,
    /// When the cloud last had everything.
    pub last_sync: Option<String>,
    /// Changes that have not reached the cloud.
    pub pending_sync: u64,
    /// How long it has been running.
    pub uptime: String,
}

impl Found {
    /// Asks what may be a box.
    ///
    /// # Errors
    /// If it does not answer, or is none; or if somebody else answers for it.
    pub async fn ask(client: &Client, host: &str, port: u16) -> Result<Self, Failure> {
        let (ping, certificate): (Ping, _) = get(client, host, port, "/api/local/ping").await?;
        if ping.service != "storebox" {
            return Err(Failure::new(format!("{host}:{port} is no store box")));
        }
        let key = pin(&certificate).ok_or_else(|| Failure::new(format!("the certificate of {host} is damaged")))?;
        let fingerprint: String = key.digest().iter().map(|byte| format!("{byte:02x}")).collect();
        if fingerprint != ping.fingerprint {
            return Err(Failure::new(format!(
                "{host}:{port} says its key is {}, but shows {fingerprint}: somebody is between you and the box",
                ping.fingerprint
            )));
        }
        Ok(Self { ping, host_name: host_name(&certificate), fingerprint })
    }
}

/// How a box is.
///
/// # Errors
/// If it does not answer.
pub async fn health(client: &Client, host: &str, port: u16) -> Result<Health, Failure> {
    Ok(get(client, host, port, "/health/").await?.0)
}

/// An answer, whatever its status, and the certificate shown with it.
async fn get<T: DeserializeOwned>(client: &Client, host: &str, port: u16, path: &str) -> Result<(T, Vec<u8>), Failure> {
    let request = Request::get(path).body(Full::<Bytes>::default()).or_fail(|| format!("cannot ask for {path}"))?;
    let reply = client.ask(host, port, request).await?;
    let answer = serde_json::from_slice(&reply.body).or_fail(|| format!("{host}:{port} is no store box"))?;
    Ok((answer, reply.certificate))
}

/// The first name in a certificate that is a box's own.
fn host_name(certificate: &[u8]) -> String {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return String::new() };
    let names = parsed.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.as_slice());
    let names = names.unwrap_or_default().iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let (common, own): (Vec<&str>, Vec<&str>) = names.partition(|name| COMMON.contains(name));
    let name = own.iter().max_by_key(|name| name.ends_with(".local")).or(common.last());
    name.map(|name| (*name).to_owned()).unwrap_or_default()
}
