//! Nonces that are good once, for two minutes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use storebox_core::limits;

use super::same;
use crate::entropy;

const RANDOM_BYTES: usize = 8;
/// Half of an HMAC-SHA256 (RFC 2104 section 5): nobody guesses 128 bits within two minutes.
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 8 + RANDOM_BYTES + TAG_BYTES;
const NONCE_LIFE_MS: u64 = limits::NONCE_LIFE_S * 1_000;

/// What tells one nonce from another: when it was issued (milliseconds) and its random part.
type NonceId = (u64, [u8; RANDOM_BYTES]);

/// Nonces for pairing: issued without keeping anything, each good once and for two minutes, and only in the
/// process that issued it. At most `USED` used ones are remembered.
///
/// Time is a parameter: milliseconds of one clock that never goes back, such as time since start.
pub struct Nonces<const USED: usize = { limits::NONCES_USED }> {
    key: hmac::Key,
    used: Mutex<BTreeSet<NonceId>>,
}

impl<const USED: usize> Default for Nonces<USED> {
    /// With a key of this process only.
    fn default() -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &entropy::random::<32>());
        Self { key, used: Mutex::default() }
    }
}

impl<const USED: usize> Nonces<USED> {
    /// A new nonce: 43 characters of base64url.
    pub fn issue(&self, now_ms: u64) -> String {
        let id = (now_ms, entropy::random());
        URL_SAFE_NO_PAD.encode([&bytes_of(&id)[..], &self.tag(&id)].concat())
    }

    /// Uses a nonce up. Whoever gives it away together with a wrong proof has used it up too.
    ///
    /// # Errors
    /// [`NonceError`]; the nonce is not good for pairing. Only after [`NonceError::Busy`] is the same one worth
    /// another attempt.
    pub fn consume(&self, nonce: &str, now_ms: u64) -> Result<(), NonceError> {
        let id = self.authentic(nonce).ok_or(NonceError::Unknown)?;
        let (issued_ms, _) = id;
        let age_ms = now_ms.checked_sub(issued_ms).ok_or(NonceError::Expired)?;
        if age_ms > NONCE_LIFE_MS {
            return Err(NonceError::Expired);
        }
        // The set is whole between any two statements, so a poisoned lock means nothing.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Sorted by time: everything before this has expired and is refused without being remembered.
        let oldest_valid = (now_ms.saturating_sub(NONCE_LIFE_MS), [0; RANDOM_BYTES]);
        *used = used.split_off(&oldest_valid);
        if used.contains(&id) {
            return Err(NonceError::Used);
        }
        if used.len() >= USED {
            return Err(NonceError::Busy);
        }
        used.insert(id);
        Ok(())
    }

    fn authentic(&self, nonce: &str) -> Option<NonceId> {
        let mut bytes = [0; NONCE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
        if length != NONCE_BYTES {
            return None;
        }
        let (issued_ms, rest) = bytes.split_first_chunk::<8>()?;
        let (random, tag) = rest.split_first_chunk::<RANDOM_BYTES>()?;
        let id = (u64::from_be_bytes(*issued_ms), *random);
        same(&self.key, &self.tag(&id), tag).then_some(id)
    }

    fn tag(&self, id: &NonceId) -> [u8; TAG_BYTES] {
        let full = hmac::sign(&self.key, &bytes_of(id));
        full.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl<const USED: usize> fmt::Debug for Nonces<USED> {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

fn bytes_of((issued_ms, random): &NonceId) -> [u8; 8 + RANDOM_BYTES] {
    let mut bytes = [0; 8 + RANDOM_BYTES];
    let (front, back) = bytes.split_at_mut(8);
    front.copy_from_slice(&issued_ms.to_be_bytes());
    back.copy_from_slice(random);
    bytes
}

/// Why a nonce is not good for pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceError {
    /// This process never issued it.
    Unknown,
    /// It is older than two minutes.
    Expired,
    /// It was used before.
    Used,
    /// Too many were used in the last two minutes; nothing was used up.
    Busy,
}

impl fmt::Display for NonceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the nonce is not one of this box: take one from ping",
            Self::Expired => "the nonce has expired: take a new one from ping",
            Self::Used => "the nonce was used before: take a new one from ping",
            Self::Busy => "too many pairings at once: try again in two minutes",
        })
    }
}

impl std::error::Error for NonceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once() {
        let nonces = <Nonces>::default();
        let (one, two) = (nonces.issue(5), nonces.issue(5));
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert_eq!(nonces.consume(&one, 5), Ok(()));
        assert_eq!(nonces.consume(&one, 6), Err(NonceError::Used));
        assert_eq!(nonces.consume(&two, 6), Ok(()));
    }

    #[test]
    fn a_nonce_is_good_for_two_minutes() {
        let nonces = <Nonces>::default();
        let (one, two) = (nonces.issue(1_000), nonces.issue(1_000));
        assert_eq!(nonces.consume(&one, 121_000), Ok(()));
        assert_eq!(nonces.consume(&one, 121_000), Err(NonceError::Used), "remembered to the end");
        assert_eq!(nonces.consume(&one, 121_001), Err(NonceError::Expired));
        assert_eq!(nonces.consume(&two, 121_001), Err(NonceError::Expired));
        assert_eq!(nonces.consume(&two, 999), Err(NonceError::Expired), "issued in the future");
    }

    #[test]
    fn only_the_nonces_of_this_process_are_known() {
        let nonces = <Nonces>::default();
        let nonce = nonces.issue(0);
        assert_eq!(<Nonces>::default().consume(&nonce, 0), Err(NonceError::Unknown));
        // Every character counts, the spare bits of the last one included.
        for place in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[place] = if changed[place] == b'B' { b'C' } else { b'B' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(nonces.consume(&changed, 0), Err(NonceError::Unknown), "{place}");
        }
        for foreign in [
            "",
            "=",
            "AAABnW0Yq4AAAQIDBAUGB3F3ZXJ0eXVpb3Bhc2RmZ2g",
            &nonce[1..],
            &format!("{nonce}="),
            &format!("{nonce}AAAA"),
            &"A".repeat(9_999),
        ] {
            assert_eq!(nonces.consume(foreign, 0), Err(NonceError::Unknown), "{foreign}");
        }
        assert_eq!(nonces.consume(&nonce, 0), Ok(()), "nothing of this used it up");
    }

    #[test]
    fn used_nonces_are_bounded_and_forgotten_when_they_expire() {
        let nonces = Nonces::<3>::default();
        for _ in 0..3 {
            assert_eq!(nonces.consume(&nonces.issue(10), 10), Ok(()));
        }
        let waiting = nonces.issue(20);
        assert_eq!(nonces.consume(&waiting, 20), Err(NonceError::Busy));
        assert_eq!(nonces.consume(&waiting, 120_011), Ok(()), "there is room again, and it was not used up");
        assert_eq!(nonces.used.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_is_printed_holds_no_key() {
        assert_eq!(format!("{:?}", <Nonces>::default()), "Nonces { .. }");
    }
}
