//! A terminal: paired, with one kept connection.

use std::future::{Future, IntoFuture};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request};
use rustls::SupportedProtocolVersion;
use serde_json::Value;

use crate::answer::Answer;
use crate::link::{Broken, Door, Link};
use crate::pairing::{Pairing, box_proof};
use crate::running_box::RunningBox;
use crate::trust::{Key, Trust};

/// A terminal of the store. It sends one request at a time; a [`twin`](Self::twin) sends another meanwhile.
#[derive(Debug)]
pub struct Terminal {
    link: Link,
    authorization: Option<HeaderValue>,
    /// Who is signed in to it.
    pub(crate) session: Option<HeaderValue>,
    /// What the box calls it; empty before it is paired.
    pub device_id: String,
    /// What it proves itself with; empty before it is paired.
    pub token: String,
    /// The authority the box gave it (PEM); empty before it is paired.
    pub ca: Arc<str>,
    /// What the box answered when they paired.
    pub paired: Value,
}

impl Terminal {
    /// Pairs by proof, before which it believes nobody.
    pub async fn pair(running: &RunningBox, name: &str, kind: &str) -> Self {
        let mut terminal = Self::newcomer(running.door());
        let secret = running.secret();
        match terminal.pair_as(Pairing { name, kind, secret: &secret }).await {
            Ok(paired) => paired,
            Err(refusal) => panic!("pairing was refused: {refusal}"),
        }
    }

    /// Someone who has no token and checks no certificate, only that the other end holds its key.
    pub fn newcomer(door: &Door) -> Self {
        Self::without_token(Link::new(door, &Trust::Anyone))
    }

    /// Someone who has no token, believes `trust`, and speaks these versions of TLS.
    pub fn visitor(door: &Door, trust: &Trust, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::without_token(Link::with_versions(door, trust, versions))
    }

    fn without_token(link: Link) -> Self {
        Self {
            link,
            authorization: None,
            session: None,
            device_id: String::new(),
            token: String::new(),
            ca: "".into(),
            paired: Value::Null,
        }
    }

    /// Pairs by proof over this connection; the box's own proof is checked. If this terminal has a token, it is
    /// sent along, so that the device keeps its id.
    ///
    /// # Errors
    /// The box's refusal.
    pub async fn pair_as(&mut self, pairing: Pairing<'_>) -> Result<Self, Answer> {
        let nonce = self.get("/api/local/ping").await.text("nonce");
        let key = self.key_seen();
        let answer = self.post("/api/local/pair", pairing.body(key, &nonce)).await;
        if answer.status != 201 {
            return Err(answer);
        }
        let proof = box_proof(pairing.secret, key, &nonce);
        assert_eq!(answer.text("proof"), proof, "the box does not know the secret: {answer}");
        Ok(self.settled(&answer))
    }

    /// The terminal that a pairing's answer makes of this one: its token, and only that authority believed.
    pub fn settled(&self, answer: &Answer) -> Self {
        let ca: Arc<str> = answer.text("ca").into();
        let mut terminal = Self::without_token(Link::new(self.link.door(), &Trust::Authority(ca.clone())));
        terminal.ca = ca;
        terminal.device_id = answer.text("deviceId");
        terminal.paired = answer.body.clone();
        terminal.with_token(&answer.text("token"))
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = token.to_owned();
        self.authorization = Some(HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        self
    }

    /// The same with another `Authorization`.
    #[must_use]
    pub fn with_authorization(mut self, value: &str) -> Self {
        self.authorization = Some(HeaderValue::from_str(value).unwrap());
        self
    }

    /// The same, believing whoever holds the key this terminal saw, whatever the certificate's dates say.
    pub async fn believing_the_key(mut self) -> Self {
        self.link.connect().await.expect("the box answers");
        let trust = Trust::Holder(self.key_seen());
        self.link = Link::new(self.link.door(), &trust);
        self
    }

    /// The same, coming from another address of this machine.
    #[must_use]
    pub fn come_from(mut self, address: Ipv4Addr) -> Self {
        self.link.come_from(address);
        self
    }

    /// The same device, and whoever is signed in to it, with a connection of its own.
    pub fn twin(&self) -> Self {
        Self {
            link: self.link.twin(),
            authorization: self.authorization.clone(),
            session: self.session.clone(),
            device_id: self.device_id.clone(),
            token: self.token.clone(),
            ca: self.ca.clone(),
            paired: self.paired.clone(),
        }
    }

    /// The key the box showed in TLS.
    pub fn key_seen(&self) -> Key {
        self.link.key_seen().expect("there was a handshake")
    }

    /// The connection.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// The `Authorization` header's value, for requests written by hand.
    pub fn authorization(&self) -> &str {
        self.authorization.as_ref().map_or("", |value| value.to_str().unwrap())
    }

    /// Hangs up; the next request connects again.
    pub fn hang_up(&mut self) {
        self.link.hang_up();
    }

    /// `GET`.
    pub fn get(&mut self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// `POST` with JSON.
    pub fn post(&mut self, path: impl Into<String>, body: Value) -> Call<'_> {
        self.call(Method::POST, path).json(&body)
    }

    /// `PATCH` with JSON.
    pub fn patch(&mut self, path: impl Into<String>, body: Value) -> Call<'_> {
        self.call(Method::PATCH, path).json(&body)
    }

    /// `PUT` with JSON.
    pub fn put(&mut self, path: impl Into<String>, body: Value) -> Call<'_> {
        self.call(Method::PUT, path).json(&body)
    }

    /// Any method, without a body yet.
    pub fn call(&mut self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call { terminal: self, method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Asks and gives status and bytes; the way for benchmarks: nothing is parsed or kept.
    ///
    /// # Errors
    /// [`Broken`] if no whole answer came.
    pub async fn get_bytes(&mut self, path: &str) -> Result<(u16, Bytes), Broken> {
        let request = self.head(Method::GET, path).body(Full::default()).unwrap();
        self.exchange_bytes(request).await
    }

    /// Sends a prepared body and gives status and bytes, as [`Terminal::get_bytes`] does.
    ///
    /// # Errors
    /// [`Broken`] if no whole answer came.
    pub async fn post_bytes(&mut self, path: &str, body: Bytes, key: &str) -> Result<(u16, Bytes), Broken> {
        let request = self
            .head(Method::POST, path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(HeaderName::from_static("idempotency-key"), key)
            .body(Full::new(body))
            .unwrap();
        self.exchange_bytes(request).await
    }

    async fn exchange_bytes(&mut self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), Broken> {
        let (head, bytes) = self.link.exchange(request).await?.into_parts();
        Ok((head.status.as_u16(), bytes))
    }

    /// The head every request of this terminal begins with.
    pub(crate) fn head(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, HeaderValue::from_static("127.0.0.1"));
        if let Some(session) = &self.session {
            request = request.header("x-staff-session", session.clone());
        }
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }
}

/// A request being put together. Awaiting it sends it and fails the test if no answer comes.
#[derive(Debug)]
pub struct Call<'t> {
    terminal: &'t mut Terminal,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl<'t> Call<'t> {
    /// With an idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap();
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With a body of any type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.retain(|(name, _)| name != CONTENT_TYPE);
        self.headers.push((CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap()));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Broken`] if no whole answer came; the request may have taken effect.
    pub async fn send(self) -> Result<Answer, Broken> {
        let Self { terminal, method, path, headers, body } = self;
        let asked = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
        let mut request = terminal.head(method, &path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = terminal.link.exchange(request).await?;
        Ok(Answer::new(asked, response))
    }
}

impl<'t> IntoFuture for Call<'t> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send + 't>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let asked = format!("{} {}", self.method, self.path);
            match self.send().await {
                Ok(answer) => answer,
                Err(err) => panic!("{asked}: {err}"),
            }
        })
    }
}
