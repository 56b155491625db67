//! Who is signed in, without any state of the cloud's own: what the browser keeps is signed with a key made of the admin's
//! token, so it holds at every instance, and ends when the token is replaced.

use std::io;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use storebox_core::time::Timestamp;

use crate::api::random_token;

/// The prefix has browsers take it over TLS and from this host only.
const COOKIE: &str = "__Host-session";
/// A working day.
const LIFE_S: u64 = 12 * 3_600;

/// Somebody who is signed in.
pub(super) struct Session {
    /// When it ends, and a random part.
    name: String,
    key: hmac::Key,
}

impl Session {
    /// Begins one; gives the header that has the browser keep it.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(super) fn begin(admin_token: &str, now: Timestamp) -> io::Result<HeaderValue> {
        let ends = now.plus_millis(LIFE_S * 1_000).as_millis();
        let session = Self { name: format!("{ends}.{}", random_token()?), key: key(admin_token) };
        let kept = format!("{}.{}", session.name, session.sign("session"));
        let value = format!("{COOKIE}={kept}; Path=/; Max-Age={LIFE_S}; Secure; HttpOnly; SameSite=Strict");
        HeaderValue::try_from(value).map_err(io::Error::other)
    }

    /// The one a request belongs to.
    pub(super) fn of(headers: &HeaderMap, admin_token: &str, now: Timestamp) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let kept = cookies
            .flat_map(|line| line.split(';'))
            .find_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
        let (name, signature) = kept.rsplit_once('.')?;
        let session = Self { name: name.to_owned(), key: key(admin_token) };
        let ends = name.split('.').next()?.parse().ok()?;
        (session.has_signed("session", signature) && now < Timestamp::from_millis(ends)).then_some(session)
    }

    /// The header that has the browser forget it.
    pub(super) fn end() -> HeaderValue {
        HeaderValue::from_static("__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
    }

    /// What its forms carry, and no page of another site can know.
    pub(super) fn form_token(&self) -> String {
        self.sign("form")
    }

    /// Whether a form was its own.
    pub(super) fn has_made(&self, form_token: &str) -> bool {
        self.has_signed("form", form_token)
    }

    fn sign(&self, what: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, format!("{what} {}", self.name).as_bytes()))
    }

    fn has_signed(&self, what: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        hmac::verify(&self.key, format!("{what} {}", self.name).as_bytes(), &signature).is_ok()
    }
}

fn key(admin_token: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, admin_token.as_bytes())
}

/// Whether a form was sent from a page of this host, as the browser says. Every browser says one of the two.
pub(super) fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = said("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| said("host"));
    match (said("origin"), host) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(header::HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn u11_a_session_holds_for_its_time_and_its_token() {
        let kept = Session::begin("secret", NOW).unwrap();
        let cookie = kept.to_str().unwrap().split(';').next().unwrap().to_owned();
        let at = |cookie: &str, token: &str, hours: u64| {
            let cookie = format!("theme=dark; {cookie}");
            Session::of(&headers("cookie", &cookie), token, NOW.plus_millis(hours * 3_600_000))
        };
        let session = at(&cookie, "secret", 11).unwrap();
        assert!(session.has_made(&session.form_token()) && !session.has_made("AAAA") && !session.has_made(""));
        assert!(at(&cookie, "secret", 12).is_none(), "it is over");
        assert!(at(&cookie, "another", 0).is_none(), "the admin's token was replaced");
        let later = cookie.replacen('9', "8", 1);
        assert!(later == cookie || at(&later, "secret", 0).is_none(), "somebody made it last longer");
        let form = session.form_token();
        let (name, _) = cookie.rsplit_once('.').unwrap();
        assert!(at(&format!("{name}.{form}"), "secret", 0).is_none(), "one signature is not the other");
        let another = Session::begin("secret", NOW).unwrap();
        let another = at(another.to_str().unwrap().split(';').next().unwrap(), "secret", 0).unwrap();
        assert!(!another.has_made(&form), "forms are each session's own");
    }

    #[test]
    fn u11_a_form_of_another_site_is_known_as_one() {
        let uri = Uri::from_static("https://cloud.example:8444/claims");
        for (name, value, is_own) in [
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("origin", "https://cloud.example:8444", true),
            ("origin", "https://cloud.example", false),
            ("origin", "http://cloud.example:8444", false),
            ("origin", "null", false),
            ("x-nothing", "of the kind", false),
        ] {
            assert_eq!(is_same_origin(&headers(name, value), &uri), is_own, "{name}: {value}");
        }
    }
}
