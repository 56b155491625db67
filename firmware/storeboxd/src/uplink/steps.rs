//! The steps of enrolment, each one request to the cloud.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_provisioning::enrolment::{Kept, Outcome, Stage};
use storebox_provisioning::est;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::{self, Problem, Registration};

use super::client::{self, Answer, NoAnswer, Peer, Question};
use super::trust::{By, Trust};

/// Who asks, and what is known of time.
pub struct Asking<'a> {
    /// What the box has kept.
    pub kept: &'a Kept,
    /// Its key; none before it is made.
    pub key: Option<&'a KeyPair>,
    /// The proxy on the way.
    pub proxy: Option<&'a Name>,
    /// What the box's clock shows.
    pub now: Timestamp,
    /// Whether somebody who knows has set it.
    pub time_is_verified: bool,
    /// It is not earlier than this.
    pub floor: Timestamp,
}

/// What came of a step, and what the cloud's clock showed.
pub struct Done {
    /// What came of it.
    pub outcome: Outcome,
    /// What the cloud's clock showed, if it can be believed.
    pub time: Option<Timestamp>,
    /// Why, for the log; empty if it went well.
    pub why: String,
}

impl Done {
    fn failed(stage: Stage, why: impl ToString) -> Self {
        Self { outcome: Outcome::Failed(stage), time: None, why: why.to_string() }
    }
}

impl From<NoAnswer> for Done {
    fn from(error: NoAnswer) -> Self {
        let outcome = if error.is_of_proxy { Outcome::NoProxy } else { Outcome::Failed(error.stage) };
        Self { outcome, time: None, why: error.to_string() }
    }
}

impl Asking<'_> {
    /// Fetches the authorities from who has a pinned key, or from who one of the known ones vouches for.
    pub async fn fetch_authorities(&self) -> Done {
        let answer = match self.ask(Question::get(est::AUTHORITIES), false).await {
            Ok(answer) => answer,
            Err(done) => return done,
        };
        take(&answer, Stage::Tls, |body| est::certificates(body).map(Outcome::Authorities))
    }

    /// Asks for a certificate with the claim.
    pub async fn enrol(&self) -> Done {
        let Some(claim) = &self.kept.claim else { return Done::failed(Stage::Claim, "there is no claim") };
        let mut question = match self.certificate_request(est::ENROL) {
            Ok(question) => question,
            Err(done) => return done,
        };
        let basic = BASE64_STANDARD.encode(claim.user_and_password());
        match HeaderValue::from_str(&format!("Basic {basic}")) {
            Ok(value) => drop(question.headers.insert(header::AUTHORIZATION, value)),
            Err(error) => return Done::failed(Stage::Claim, error),
        }
        self.certificate(question, false).await
    }

    /// Asks for another certificate, showing the one there is or was, or else one of the box's own making: what counts is
    /// the key.
    pub async fn renew(&self) -> Done {
        match self.certificate_request(est::RENEW) {
            Ok(question) => self.certificate(question, true).await,
            Err(done) => done,
        }
    }

    /// Says what the box is, and hears what it has become.
    pub async fn register(&self, id: BoxId, request: &registration::Request) -> Done {
        let body = match serde_json::to_vec(request) {
            Ok(body) => body,
            Err(error) => return Done::failed(Stage::Registered, error),
        };
        let question = Question::with_body(Method::PUT, registration::path(id), "application/json", body);
        match self.ask(question, true).await {
            Ok(answer) => take(&answer, Stage::Registered, |body| {
                serde_json::from_slice::<Registration>(body)
                    .map(|registration| Outcome::Registered(Box::new(registration)))
            }),
            Err(done) => done,
        }
    }

    /// Shows that the box is alive. Nothing comes of it if all is well.
    pub async fn heartbeat(&self, id: BoxId) -> Result<Option<Timestamp>, Done> {
        let question = Question::with_body(Method::POST, registration::heartbeat_path(id), "application/json", "{}");
        let answer = self.ask(question, true).await?;
        if answer.status.is_success() { Ok(answer.time) } else { Err(refused(&answer)) }
    }

    fn certificate_request(&self, path: &str) -> Result<Question, Done> {
        let key = self.key.ok_or_else(|| Done::failed(Stage::Enrolled, "there is no key"))?;
        let body = est::request(key).map_err(|error| Done::failed(Stage::Enrolled, error))?;
        Ok(Question::with_body(Method::POST, path.to_owned(), est::REQUEST_TYPE, body))
    }

    async fn certificate(&self, question: Question, shows_key: bool) -> Done {
        let Some(id) = self.kept.id else { return Done::failed(Stage::Enrolled, "the box has no name yet") };
        match self.ask(question, shows_key).await {
            Ok(answer) => take(&answer, Stage::Enrolled, |body| {
                est::certificates(body)
                    .and_then(|certificates| est::certificate_of(id, &certificates, &self.kept.authorities))
                    .map(Outcome::Enrolled)
            }),
            Err(done) => done,
        }
    }

    async fn ask(&self, question: Question, shows_key: bool) -> Result<Answer, Done> {
        let Some(cloud) = &self.kept.cloud else { return Err(Done::failed(Stage::Claim, "no cloud is named")) };
        let by = match (&self.kept.authorities, &cloud.pins) {
            (authorities, _) if !authorities.is_empty() => By::Authorities(authorities.clone()),
            (_, pins) if !pins.is_empty() => By::Pins(pins.clone()),
            _ => By::Anybody,
        };
        let trust = Trust { by, now: self.now, time_is_verified: self.time_is_verified, floor: self.floor };
        let identity = if shows_key { Some(self.identity()?) } else { None };
        Ok(client::ask(Peer { url: &cloud.url, proxy: self.proxy, trust, identity }, question).await?)
    }

    /// The box's certificate and key; one of its own making if it has none of the cloud's.
    fn identity(&self) -> Result<(Vec<CertificateDer<'static>>, rustls::pki_types::PrivateKeyDer<'static>), Done> {
        let key = self.key.ok_or_else(|| Done::failed(Stage::Enrolled, "there is no key"))?;
        let chain = match &self.kept.certificate {
            Some(certificate) => certificate.chain.iter().map(|der| CertificateDer::from(der.clone())).collect(),
            None => {
                let own = CertificateParams::default().self_signed(key);
                vec![own.map_err(|error| Done::failed(Stage::Enrolled, error))?.into()]
            }
        };
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }
}

/// An answer as what came of the step.
fn take<E: ToString>(answer: &Answer, stage: Stage, read: impl FnOnce(&[u8]) -> Result<Outcome, E>) -> Done {
    match answer.status {
        StatusCode::ACCEPTED => Done {
            outcome: Outcome::Later(answer.retry_after),
            time: answer.time,
            why: "somebody has yet to decide".to_owned(),
        },
        status if status.is_success() => match read(&answer.body) {
            Ok(outcome) => Done { outcome, time: answer.time, why: String::new() },
            Err(error) => {
                Done { time: answer.time, ..Done::failed(stage, format!("the cloud's answer: {}", error.to_string())) }
            }
        },
        _ => refused(answer),
    }
}

/// A refusal: by its problem's type, else by its status, for an EST server need not know our problems.
fn refused(answer: &Answer) -> Done {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        detail: String,
    }
    let body: Option<Body> = serde_json::from_slice(&answer.body).ok();
    let problem = body.as_ref().and_then(|body| Problem::of_type(&body.kind)).unwrap_or(match answer.status.as_u16() {
        401 => Problem::ClaimUnknown,
        403 => Problem::WrongCertificate,
        408 | 429 | 500.. => Problem::Busy,
        _ => Problem::RequestRefused,
    });
    let detail = body.map(|body| body.detail).filter(|detail| !detail.is_empty());
    let why = format!("the cloud answers {}: {}", answer.status, detail.unwrap_or_else(|| problem.title().to_owned()));
    Done { outcome: Outcome::Refused(problem, answer.retry_after), time: answer.time, why }
}
