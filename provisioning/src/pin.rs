//! Which key the cloud has (RFC 7469, section 2.4): known before any certificate authority is.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a public key (SubjectPublicKeyInfo, DER).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pin([u8; 32]);

impl Pin {
    /// A pin of a digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Pin {
    type Err = NotAPin;

    /// Takes `sha256/` and base64, as RFC 7469 and Android write it, with two slashes, as curl does, or neither.
    fn from_str(text: &str) -> Result<Self, NotAPin> {
        let text = text.trim();
        let digits = text.strip_prefix("sha256/").unwrap_or(text);
        // A slash is also a digit of base64, so what begins with two is read as it stands first.
        [Some(digits), digits.strip_prefix('/')]
            .into_iter()
            .flatten()
            .find_map(|digits| BASE64_STANDARD.decode(digits).ok()?.try_into().ok())
            .map(Self)
            .ok_or(NotAPin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPin;

impl fmt::Display for NotAPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pin is sha256/ and the 44 characters of a SHA-256 in base64")
    }
}

impl core::error::Error for NotAPin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u11_a_pin_is_read_as_it_is_written_anywhere() {
        // Of RFC 7469, section 2.1.5.
        let digits = "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
        let pin: Pin = digits.parse().unwrap();
        assert_eq!(pin.to_string(), format!("sha256/{digits}"));
        assert_eq!(pin.digest()[..3], [0x77, 0xaa, 0xb3]);
        for text in [format!("sha256/{digits}"), format!("sha256//{digits}"), format!(" {digits} ")] {
            assert_eq!(text.parse(), Ok(pin), "{text}");
        }
        // One in 64 begins with a slash of its own.
        let slash = Pin::new([0xff; 32]);
        assert!(slash.to_string().starts_with("sha256//"));
        for text in [slash.to_string(), slash.to_string().replace("sha256/", "sha256//")] {
            assert_eq!(text.parse(), Ok(slash), "{text}");
        }
        for text in ["", "sha256/", "sha256/d6qz", "sha1/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=", "no base64!"] {
            assert_eq!(text.parse::<Pin>(), Err(NotAPin), "{text}");
        }
    }
}
