//! `provision claim`

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use lexopt::{Arg, ValueExt};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Map, Value};
use storebox_core::network::CloudUrl;
use storebox_provisioning::pin::Pin;
use storebox_provisioning::site::Site;

use crate::failure::{Failure, OrFail};
use crate::http::{self, Client, Reply, Trust};
use crate::site::draft::{self, Draft};
use crate::site::make::Delivery;
use crate::terminal;

/// What `provision claim --help` prints.
pub const HELP: &str = "\
Usage: provision claim --cloud URL (--ca FILE | --pin PIN) --admin-token-file FILE [OPTION]...

Makes a claim at the reference cloud, and the installer's file for the box that is to use it.

  --cloud URL         where the cloud is
  --ca FILE           the authorities that vouch for it (PEM), or
  --pin PIN           its key, as it shows it; more than once for more
  --admin-token-file FILE
                      what lets you make claims, in a file; the cloud keeps it in admin-token
Options:
  --store-name NAME   a new store of this name, or
  --store-id ID       a store there is
  --register NAME     what a new store's order numbers begin with
  --intent INTENT     new (default), replace, reset
  --days N            how long the claim may wait for its box
  --timezone ZONE     time zone of the store, like Asia/Jakarta
  --address A/24      a fixed address with the length of its network's prefix; without it DHCP
  --gateway A, --dns A, --proxy HOST:PORT, --time-server HOST
                      what belongs to it; --dns and --time-server more than once for more
  -o, --output FILE   where the file is written; default storebox.toml, - for standard output
  --qr FILE           also as a picture: FILE.svg, FILE.png, or - for the terminal
  --force             replace files that are there
  -h, --help          this text
";

/// A cloud on the other side of the world answers sooner.
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// If the cloud does not make the claim, or the file cannot be written. A claim whose file could not be written is shown.
pub fn run(arguments: lexopt::Parser) -> Result<(), Failure> {
    let wish = Wish::parse(arguments)?;
    wish.delivery.must_be_possible()?;
    let own = wish.draft.site().map_err(|faults| draft::wrong(&faults))?;
    let (cloud, request) = (wish.cloud()?, wish.request()?);
    let client = Client::new(wish.trust()?, CONNECT, ANSWER)?;
    let reply = http::run(client.ask(cloud.host(), cloud.port(), request))?;
    let made = Made::read(&reply)?;
    let site =
        Site::read(made.site.as_bytes()).map_err(|_| Failure::new("the cloud answers with a file no box takes"))?;
    let site = Site { cloud: site.cloud, claim: site.claim, ..own };
    terminal::say(&format!("Claim made for the store {}, good until {}.", made.store_id, made.expires));
    if let Some(told) = site.cloud.as_ref().filter(|told| told.url != cloud) {
        terminal::say(&format!("Boxes go to {}, as the cloud says of itself.", told.url));
    }
    wish.delivery.give(&site).map_err(|failure| {
        let text = site.write();
        Failure::new(format!("the claim was made, but its file is not there; this belongs in it:\n\n{text}\n"))
            .because(failure)
    })
}

/// What was asked for.
#[derive(Default)]
struct Wish {
    cloud: Option<String>,
    ca: Option<PathBuf>,
    pins: Vec<Pin>,
    token: Option<PathBuf>,
    body: Map<String, Value>,
    draft: Draft,
    delivery: Delivery,
}

impl Wish {
    fn parse(mut arguments: lexopt::Parser) -> Result<Self, Failure> {
        let mut wish = Self::default();
        while let Some(argument) = arguments.next()? {
            let option = match argument {
                Arg::Long(name) => name.to_owned(),
                Arg::Short('o') => "output".to_owned(),
                other => return Err(Failure::from(other.unexpected())),
            };
            if wish.delivery.take(&mut arguments, &option)? || wish.draft.take_store(&mut arguments, &option)? {
                continue;
            }
            match option.as_str() {
                "cloud" => wish.cloud = Some(arguments.value()?.string()?),
                "ca" => wish.ca = Some(arguments.value()?.into()),
                "pin" => wish.pins.push(arguments.value()?.parse()?),
                "admin-token-file" => wish.token = Some(arguments.value()?.into()),
                "store-name" => {
                    let name = arguments.value()?.string()?;
                    wish.draft.name = Some(name.clone());
                    wish.body.insert("storeName".to_owned(), name.into());
                }
                "store-id" => wish.say("storeId", arguments.value()?.string()?),
                "register" => wish.say("register", arguments.value()?.string()?),
                "intent" => wish.say("intent", arguments.value()?.string()?),
                "days" => wish.say("days", arguments.value()?.parse::<u64>()?),
                other => return Err(Failure::from(Arg::Long(other).unexpected())),
            }
        }
        if wish.body.contains_key("storeName") && wish.body.contains_key("storeId") {
            return Err(Failure::usage("a new store, or one there is? Both cannot be"));
        }
        Ok(wish)
    }

    fn say(&mut self, key: &str, value: impl Into<Value>) {
        self.body.insert(key.to_owned(), value.into());
    }

    fn cloud(&self) -> Result<CloudUrl, Failure> {
        let text = self.cloud.as_deref().ok_or_else(|| Failure::usage("where is the cloud? --cloud says"))?;
        CloudUrl::new(text).map_err(|error| Failure::usage(format!("--cloud: {error}")))
    }

    fn trust(&self) -> Result<Trust, Failure> {
        let Some(file) = &self.ca else {
            if self.pins.is_empty() {
                return Err(Failure::usage("who vouches for the cloud? --ca or --pin says"));
            }
            return Ok(Trust::Pins(self.pins.clone()));
        };
        if !self.pins.is_empty() {
            return Err(Failure::usage("--ca or --pin? Both cannot be"));
        }
        let wrong = || format!("{} holds no certificate authority (PEM)", file.display());
        let pem = fs::read(file).or_fail(|| format!("cannot read {}", file.display()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.or_fail(wrong)?).or_fail(wrong)?;
        }
        if roots.is_empty() { Err(Failure::data(wrong())) } else { Ok(Trust::Authorities(roots)) }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Failure> {
        let file = self.token.as_ref();
        let file = file.ok_or_else(|| Failure::usage("what lets you make claims? --admin-token-file says"))?;
        let token = fs::read_to_string(file).or_fail(|| format!("cannot read {}", file.display()))?;
        let no_token = || format!("{} holds no token", file.display());
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim())).or_fail(no_token)?;
        authorization.set_sensitive(true);
        let path = self.cloud()?.as_str().splitn(4, '/').nth(3).map_or(String::new(), |path| format!("/{path}"));
        let body = Bytes::from(Value::Object(self.body.clone()).to_string());
        Request::post(format!("{path}/v1/claims"))
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .or_fail(|| "cannot ask the cloud".to_owned())
    }
}

/// What is looked at of the cloud's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    store_id: String,
    expires: String,
    site: String,
}

impl Made {
    fn read(reply: &Reply) -> Result<Self, Failure> {
        match reply.status {
            StatusCode::CREATED => {
                serde_json::from_slice(&reply.body).or_fail(|| "the cloud's answer is not understood".to_owned())
            }
            StatusCode::UNAUTHORIZED => {
                Err(Failure::new("the cloud does not know the token: take the one it keeps in admin-token now"))
            }
            StatusCode::NOT_FOUND => {
                Err(Failure::new("the cloud knows no such store: see GET /v1/devices, or leave --store-id out"))
            }
            other => Err(Failure::new(format!("the cloud refuses ({other}): {}", reason(&reply.body)))),
        }
    }
}

/// What a refusal says: a problem (RFC 9457), or a line of text.
fn reason(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let words: Vec<&str> = ["title", "detail"].iter().filter_map(|key| problem.get(key)?.as_str()).collect();
    if words.is_empty() { String::from_utf8_lossy(body).chars().take(300).collect() } else { words.join(" ") }
}
