//! What the box answered, and what it must have answered.

use bytes::Bytes;
use hyper::{HeaderMap, Response};
use serde_json::Value;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, for messages.
    pub asked: String,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub bytes: Bytes,
    /// The body, if it is JSON; else null.
    pub body: Value,
}

impl Answer {
    /// Reads a response.
    pub fn new(asked: String, response: Response<Bytes>) -> Self {
        let (head, bytes) = response.into_parts();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { asked, status: head.status.as_u16(), headers: head.headers, bytes, body }
    }

    /// A header's text, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("headers are text"))
    }

    /// A string member of the body.
    #[track_caller]
    pub fn text(&self, member: &str) -> String {
        match self.body[member].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("no text in \"{member}\"; {self}"),
        }
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        self.must_be(status);
        self.body
    }

    /// Fails unless it has this status.
    #[track_caller]
    pub fn must_be(&self, status: u16) {
        assert!(self.status == status, "expected {status}; {self}");
    }

    /// Fails unless it is a refusal of this status in the form every refusal has.
    #[track_caller]
    pub fn refused(&self, status: u16) -> &Self {
        self.must_be(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        assert_eq!(self.body["status"], status, "{self}");
        assert_eq!(self.body["statusCode"], status, "{self}");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "no title; {self}");
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "no detail; {self}");
        assert_eq!(self.body["message"], self.body["detail"], "{self}");
        let kind = self.body["type"].as_str().and_then(|kind| kind.strip_prefix("urn:storebox:problem:"));
        let kebab = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(kind.is_some_and(kebab), "the type is not ours; {self}");
        match status {
            401 => assert!(self.header("www-authenticate").is_some(), "no WWW-Authenticate; {self}"),
            405 => assert!(self.header("allow").is_some(), "no Allow; {self}"),
            429 | 503 => {
                let seconds = self.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
                assert!(seconds.is_some_and(|seconds| seconds > 0), "no Retry-After in seconds; {self}");
            }
            _ => {}
        }
        self
    }

    /// Fails unless it is a 422 that names this field: by its path, or, where it is the field's name that is wrong
    /// or missing, in the message about what should hold it.
    #[track_caller]
    pub fn refused_field(&self, field: &str) -> &Self {
        self.refused(422);
        let names_it = |error: &Value| {
            let says = |member: &str| error[member].as_str().is_some_and(|text| text.contains(field));
            says("field") || says("message")
        };
        let named = self.body["errors"].as_array().is_some_and(|errors| errors.iter().any(names_it));
        assert!(named, "the refusal does not name \"{field}\"; {self}");
        self
    }

    /// Fails unless it is a 409 of this type.
    #[track_caller]
    pub fn conflict(&self, kind: &str) -> &Self {
        self.refused(409);
        assert_eq!(self.body["conflictType"], kind, "{self}");
        self
    }

    /// Fails unless it is a 409 of this type that shows the order as it is.
    #[track_caller]
    pub fn conflict_with_state(&self, kind: &str, current: &Value) -> &Self {
        self.conflict(kind);
        assert_eq!(&self.body["currentState"], current, "{self}");
        self
    }

    /// Whether it is an earlier answer given again.
    #[track_caller]
    pub fn is_replayed(&self) -> bool {
        match self.header("idempotent-replayed") {
            Some("true") => true,
            None => false,
            Some(other) => panic!("Idempotent-Replayed: {other}; {self}"),
        }
    }

    /// Fails unless it is `original` given again: same status, same bytes, marked.
    #[track_caller]
    pub fn replays(&self, original: &Self) {
        assert!(self.is_replayed(), "not marked as replayed; {self}");
        assert_eq!((self.status, &self.bytes), (original.status, &original.bytes), "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.bytes);
        let cut: String = body.chars().take(2_000).collect();
        write!(f, "{} answered {} {cut}\n{:?}", self.asked, self.status, self.headers)
    }
}
