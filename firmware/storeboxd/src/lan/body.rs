//! Request bodies: bounded, timed, read into types, with everything idempotency needs (L2).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use http_body_util::BodyExt;
use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value};
use storebox_core::command::{Actor, Command, Received, Request};
use storebox_core::idempotency::{Fingerprint, RequestKey};
use storebox_core::limits::{BODY_BYTES, BODY_DISCARD_BYTES, BODY_S, IDEMPOTENCY_KEY_CHARS, REFUSED_BODY_BYTES};

use super::problem::Problem;
use super::{Api, card_guard};
use crate::store::{Answer, Store, SubmitError, UnderWay};

/// Header of the idempotency key.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Member of the body that stands in for the header.
const KEY_MEMBER: &str = "_idempotencyKey";

/// Members that nothing is kept of, not even their hash: a PIN could be guessed from it.
const SECRET_MEMBERS: [&str; 3] = ["pin", "oldPin", "newPin"];

/// A JSON body of at most `MAX` bytes read into `T`, and the rest of what the request says.
pub struct Body<T, const MAX: usize = BODY_BYTES> {
    /// What the body says.
    pub value: T,
    rest: Rest,
}

/// What a write request says besides its body.
pub struct Rest {
    key: Option<RequestKey>,
    received: Received,
    /// The version in `If-Match`.
    pub if_match: Option<u32>,
    /// Held until the request is answered.
    under_way: UnderWay,
}

impl<T, const MAX: usize> Body<T, MAX> {
    /// Takes the body apart from the rest.
    pub fn split(self) -> (T, Rest) {
        (self.value, self.rest)
    }
}

impl Rest {
    /// The version a terminal saw, from the header or the body's `version`.
    ///
    /// # Errors
    /// 422 if they name different ones.
    pub fn expected(&self, version: Option<u32>) -> Result<Option<u32>, Problem> {
        match (self.if_match, version) {
            (Some(header), Some(body)) if header != body => {
                Err(Problem::invalid("version", "If-Match and version name different versions"))
            }
            (header, body) => Ok(header.or(body)),
        }
    }

    /// The same without its key: nothing about the request is remembered. For what cannot be repeated anyway.
    pub fn without_key(self) -> Self {
        Self { key: None, ..self }
    }

    /// Has the command that this request is decided.
    ///
    /// # Errors
    /// [`SubmitError`] as [`Store::submit`] says.
    pub async fn submit(self, store: &Store, actor: Actor, command: Command) -> Result<Answer, SubmitError> {
        let Self { key, received, if_match: _, under_way } = self;
        let answer = store.submit(Request { actor: Some(actor), key, received: Some(received), command }).await;
        drop(under_way);
        answer
    }
}

impl<T: DeserializeOwned, const MAX: usize> FromRequest<Arc<Api>> for Body<T, MAX> {
    type Rejection = Problem;

    async fn from_request(request: HttpRequest, api: &Arc<Api>) -> Result<Self, Problem> {
        let under_way = api.store.under_way();
        let route = format!("{} {}", request.method(), request.uri().path());
        let (parts, body) = request.into_parts();
        let if_match = if_match(&parts.headers)?;
        let header_key = header_key(&parts.headers)?;
        let bytes = read(&parts.headers, body, MAX).await?;
        let Parsed { value, body_key, fingerprint, text } = if bytes.len() > BODY_BYTES {
            parse_large(&parts.headers, &bytes)?
        } else {
            parse(&parts.headers, &bytes)?
        };
        let key = the_one_key(header_key, body_key)?;
        let key = key.map(|key| RequestKey { key, scope: scope(&route), fingerprint });
        let received = Received { route, body: cut(text) };
        Ok(Self { value, rest: Rest { key, received, if_match, under_way } })
    }
}

/// What a body says.
struct Parsed<T> {
    value: T,
    body_key: Option<String>,
    fingerprint: Fingerprint,
    text: String,
}

fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<Parsed<T>, Problem> {
    let mut members = object(headers, bytes)?;
    let body_key = body_key(&mut members)?;
    card_guard::check(&members)?;
    let secrets: Vec<(&str, Value)> =
        SECRET_MEMBERS.iter().filter_map(|member| Some((*member, members.remove(*member)?))).collect();
    // Members of a `serde_json` map are sorted, so equal requests give equal text.
    let mut canonical = Value::Object(members);
    let text = canonical.to_string();
    let fingerprint = sha256(text.as_bytes());
    let text =
        if card_guard::may_hold_secrets(&text) { card_guard::without_secrets(&canonical).to_string() } else { text };
    if let Value::Object(members) = &mut canonical {
        members.extend(secrets.into_iter().map(|(member, secret)| (member.to_owned(), secret)));
    }
    Ok(Parsed { value: deserialize(canonical)?, body_key, fingerprint, text })
}

/// A body that is too large to be held as a tree: it is read into its type at once, and fingerprinted as it came.
fn parse_large<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<Parsed<T>, Problem> {
    #[derive(Deserialize)]
    struct KeyMember {
        #[serde(rename = "_idempotencyKey", default)]
        key: Option<String>,
    }

    must_be_json(headers)?;
    // A list could be read into a type too, member by member.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::invalid(".", "the body has to be a JSON object"));
    }
    let failed = |field: String, error: &serde_json::Error| match error.classify() {
        Category::Data => Problem::invalid(field, error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::bad_request(format!("the body is not JSON: {error}"))
        }
    };
    let member: KeyMember = serde_json::from_slice(bytes).map_err(|error| failed(KEY_MEMBER.to_owned(), &error))?;
    let body_key = member.key.map(|key| checked_key(KEY_MEMBER, key)).transpose()?;
    let value = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes))
        .map_err(|error| failed(error.path().to_string(), error.inner()))?;
    let kept = bytes.get(..REFUSED_BODY_BYTES).unwrap_or(bytes);
    let text = String::from_utf8_lossy(kept).into_owned();
    Ok(Parsed { value, body_key, fingerprint: sha256(bytes), text })
}

async fn read(headers: &HeaderMap, body: axum::body::Body, max: usize) -> Result<Vec<u8>, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match tokio::time::timeout(Duration::from_secs(BODY_S), collect(body, declared.unwrap_or(0), max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            let detail = format!("a body is at most {max} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail))
        }
        Ok(Err(_broken)) => Err(Problem::bad_request("the body ended early")),
        Err(_elapsed) => {
            let detail = format!("the body took longer than {BODY_S} s");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body came too slowly", detail))
        }
    }
}

/// The whole body, or `None` if it is too large. Then the rest is read and thrown away, within a bound: a
/// connection that is closed while the terminal still sends loses the answer.
async fn collect(mut body: axum::body::Body, declared: usize, max: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut bytes = Vec::with_capacity(declared.min(BODY_BYTES.min(max)));
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        received += data.len();
        if received > max.saturating_add(BODY_DISCARD_BYTES) {
            break;
        }
        if received <= max {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((received <= max).then_some(bytes))
}

fn object(headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    must_be_json(headers)?;
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(mut members)) => {
            members.values_mut().for_each(make_whole);
            Ok(members)
        }
        Ok(_) => Err(Problem::invalid(".", "the body has to be a JSON object")),
        Err(error) => Err(Problem::bad_request(format!("the body is not JSON: {error}"))),
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let detail = "send JSON with Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body is not JSON", detail));
    }
    Ok(())
}

/// Writes whole numbers as such: `2.0` is an integer too (JSON Schema 2020-12, section 6.1.1), and the same request.
fn make_whole(value: &mut Value) {
    /// Beyond it a double cannot tell neighbours apart.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= LARGEST) {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range checked above")]
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn deserialize<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| Problem::invalid(error.path().to_string(), error.inner().to_string()))
}

/// Tells "set to null" from "not mentioned": for `deserialize_with`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

// Idempotency keys.

fn header_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::invalid("Idempotency-Key", "must be visible ASCII characters"))?;
    // The IETF draft has it quoted (RFC 8941 string), most clients send it bare.
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    checked_key("Idempotency-Key", bare.to_owned()).map(Some)
}

fn body_key(members: &mut Map<String, Value>) -> Result<Option<String>, Problem> {
    match members.remove(KEY_MEMBER) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) => checked_key(KEY_MEMBER, key).map(Some),
        Some(_) => Err(Problem::invalid(KEY_MEMBER, "must be text")),
    }
}

fn checked_key(field: &str, key: String) -> Result<String, Problem> {
    // A quotation mark would make it a guess which of a header's marks belong to the key.
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARS || !key.bytes().all(allowed) {
        let rule =
            format!("must be 1 to {IDEMPOTENCY_KEY_CHARS} visible ASCII characters, none of them a quotation mark");
        return Err(Problem::invalid(field, rule));
    }
    Ok(key)
}

fn the_one_key(header: Option<String>, body: Option<String>) -> Result<Option<String>, Problem> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => {
            Err(Problem::invalid(KEY_MEMBER, "the Idempotency-Key header and _idempotencyKey name different keys"))
        }
        (header, body) => Ok(header.or(body)),
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let bare = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    bare.parse().map(Some).map_err(|_| Problem::invalid("If-Match", "must be a version as in ETag, like \"3\""))
}

fn scope(route: &str) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = sha256(route.as_bytes());
    [a, b, c, d, e, f, g, h]
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

/// As much of a text as is kept about a refused request.
fn cut(mut text: String) -> String {
    if text.len() > REFUSED_BODY_BYTES {
        text.truncate(text.floor_char_boundary(REFUSED_BODY_BYTES));
    }
    text
}
