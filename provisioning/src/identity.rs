//! Who a box is to the cloud.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A box's name for ever: the SHA-256 of its public key (SubjectPublicKeyInfo, DER), in 64 hexadecimal digits.
///
/// It follows from the key alone. So a box has it before it has asked anybody anything, two boxes never share one, and
/// whatever it asks may be lost or come twice without making a second box of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId([u8; 32]);

impl BoxId {
    /// The name of the box that has this public key (SubjectPublicKeyInfo, DER).
    pub fn of_key(spki: &[u8]) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, spki).as_ref());
        Self(digest)
    }

    /// The name of the box that has the key of this certificate (DER); none if it does not decode.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self::of_key(certificate.public_key().raw))
    }

    /// The name of the box whose public key has this digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The beginning of the name, as people compare it: `0123-4567-89ab-cdef`.
    pub fn short(&self) -> String {
        let digits = self.to_string();
        let groups: Vec<&str> = (0..4).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
        groups.join("-")
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BoxId {
    type Err = NotABoxId;

    fn from_str(text: &str) -> Result<Self, NotABoxId> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotABoxId),
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(NotABoxId) };
        let mut digest = [0; 32];
        if pairs.len() != digest.len() {
            return Err(NotABoxId);
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? * 16 + digit(*low)?;
        }
        Ok(Self(digest))
    }
}

impl Serialize for BoxId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for BoxId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// Text is no box's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABoxId;

impl fmt::Display for NotABoxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a box's name is 64 hexadecimal digits in small letters")
    }
}

impl core::error::Error for NotABoxId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u11_a_boxs_name_is_written_and_read_in_one_way_only() {
        let id = BoxId::new(core::array::from_fn(|place| u8::try_from(place * 8).unwrap()));
        let text = id.to_string();
        assert!(text.starts_with("0008101820") && text.len() == 64, "{text}");
        assert_eq!(text.parse(), Ok(id));
        for wrong in ["", "00", &text[1..], &text.to_uppercase(), &format!("{text}00"), &text.replace('0', "g")] {
            assert_eq!(wrong.parse::<BoxId>(), Err(NotABoxId), "{wrong}");
        }
    }
}
