//! How a terminal and the box prove to each other that they know the same secret, without sending it.
//!
//! ```text
//! proof of the terminal = hex(HMAC-SHA256(secret, "storebox-pair-1"     ‖ spki ‖ nonce))
//! proof of the box      = hex(HMAC-SHA256(secret, "storebox-pair-1-box" ‖ spki ‖ nonce))
//! ```
//! `secret` is the 26 characters of the pairing secret as ASCII; `spki` the 32 raw bytes of the SHA-256 of the
//! server's SubjectPublicKeyInfo (DER) *as the terminal saw it in TLS*; `nonce` the ASCII bytes of a nonce from
//! ping; the hexadecimal is lower-case. Someone in the middle shows another key, so no proof they can
//! obtain is good for the other side. A worked example is the test `the_worked_example`.

mod nonce;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ring::hmac;

use super::identity::hex;
use crate::entropy;
use crate::files;
pub use nonce::{NonceError, Nonces};

const CLIENT_LABEL: &[u8] = b"storebox-pair-1";
const BOX_LABEL: &[u8] = b"storebox-pair-1-box";

/// Crockford's base 32: no I, L, O or U, so that it survives being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 26 characters of 5 bits are 130 bits.
const SECRET_CHARS: usize = 26;
/// A secret with generous grouping; anything longer was not typed from one.
const PRESENTED_BYTES_MAX: usize = 3 * SECRET_CHARS;

/// The secret an operator carries from the box to a new terminal.
///
/// It is not grouped: its characters are the key of the proofs, and a hyphen in them would be a trap.
pub struct PairingSecret {
    text: String,
    key: hmac::Key,
}

impl PairingSecret {
    /// Reads the secret from `path` (one line), or makes one there, mode 0600.
    ///
    /// # Errors
    /// [`SecretError`]; a file that is there was not changed. Pairing again after a new secret is not needed:
    /// tokens do not depend on it.
    pub fn load_or_make(path: &Path) -> Result<Self, SecretError> {
        let io_error = |operation| move |source| SecretError::Io { operation, path: path.to_owned(), source };
        if let Some(text) = files::read(path).map_err(io_error("read"))? {
            files::narrow(path).map_err(io_error("set the mode of"))?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let whole = text.len() == SECRET_CHARS && text.bytes().all(|byte| ALPHABET.contains(&byte));
            return if whole { Ok(Self::new(text.to_owned())) } else { Err(SecretError::Damaged(path.to_owned())) };
        }
        let random: [u8; SECRET_CHARS] = entropy::random();
        // 256 is a multiple of 32, so every character is equally likely.
        let text: String = random
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
            .map(|&character| char::from(character))
            .collect();
        files::write(path, format!("{text}\n").as_bytes(), files::PRIVATE).map_err(io_error("write"))?;
        Ok(Self::new(text))
    }

    fn new(text: String) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        Self { text, key }
    }

    /// The secret itself, to be shown to the operator and nowhere else.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether `proof` is the terminal's for this secret, the box's fingerprint and `nonce`. Takes the same
    /// time whatever is wrong with it.
    pub fn is_client_proof(&self, proof: &str, spki_sha256: &[u8; 32], nonce: &str) -> bool {
        let Some(tag) = tag_of_hex(proof) else { return false };
        hmac::verify(&self.key, &message(CLIENT_LABEL, spki_sha256, nonce), &tag).is_ok()
    }

    /// The box's own proof, for the answer to a proof that was right.
    pub fn box_proof(&self, spki_sha256: &[u8; 32], nonce: &str) -> String {
        hex(hmac::sign(&self.key, &message(BOX_LABEL, spki_sha256, nonce)).as_ref())
    }

    /// Whether `presented` is the secret, however a person wrote it down: in small letters, with spaces or
    /// hyphens, with O for 0 and I or L for 1. For terminals that have verified the box's certificate.
    pub fn is_secret(&self, presented: &str) -> bool {
        if presented.len() > PRESENTED_BYTES_MAX {
            return false;
        }
        let presented: Vec<u8> = presented.bytes().filter(|byte| !b" -".contains(byte)).map(canonical).collect();
        same(&self.key, self.text.as_bytes(), &presented)
    }
}

impl fmt::Debug for PairingSecret {
    /// Shows nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingSecret(hidden)")
    }
}

fn message(label: &[u8], spki_sha256: &[u8; 32], nonce: &str) -> Vec<u8> {
    [label, spki_sha256, nonce.as_bytes()].concat()
}

fn canonical(byte: u8) -> u8 {
    match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    }
}

/// Compares without telling by its time where the two differ: both are hashed with a key the other side does
/// not know.
fn same(key: &hmac::Key, expected: &[u8], presented: &[u8]) -> bool {
    hmac::verify(key, presented, hmac::sign(key, expected).as_ref()).is_ok()
}

fn tag_of_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut tag = [0; 32];
    if digits.len() != 2 * tag.len() {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0_u8, |value, digit| {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some(value << 4 | digit)
        })?;
    }
    Some(tag)
}

/// Why there is no pairing secret.
#[derive(Debug)]
pub enum SecretError {
    /// The file could not be read or written. Trying again may help.
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else. It was left as it is.
    Damaged(PathBuf),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, .. } => write!(f, "cannot {operation} {}", path.display()),
            Self::Damaged(path) => write!(
                f,
                "{} does not hold a pairing secret (26 characters of 0-9 and A-Z without I, L, O, U); remove it: \
                 the box then makes a new one, and terminals that are paired stay so",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SecretError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Damaged(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::files::Scratch;

    const SECRET: &str = "7K3M9QX2VTB0ZNH5WRD8FJ6CPA";
    const NONCE: &str = "AAABnW0Yq4AAAQIDBAUGB3F3ZXJ0eXVpb3Bhc2RmZ2g";

    /// The bytes 00 01 02 … 1f.
    fn spki() -> [u8; 32] {
        std::array::from_fn(|place| u8::try_from(place).unwrap())
    }

    fn secret() -> PairingSecret {
        PairingSecret::new(SECRET.to_owned())
    }

    /// The wire contract, for whoever writes a terminal. Both proofs were made with OpenSSL:
    ///
    /// ```sh
    /// SECRET=7K3M9QX2VTB0ZNH5WRD8FJ6CPA
    /// SPKI=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    /// NONCE=AAABnW0Yq4AAAQIDBAUGB3F3ZXJ0eXVpb3Bhc2RmZ2g
    /// { printf storebox-pair-1; printf $SPKI | xxd -r -p; printf $NONCE; } | openssl dgst -sha256 -hmac $SECRET
    /// { printf storebox-pair-1-box; printf $SPKI | xxd -r -p; printf $NONCE; } | openssl dgst -sha256 -hmac $SECRET
    /// ```
    #[test]
    fn the_worked_example() {
        let of_terminal = "663a83ddb6838d4660a03b10649216f57eb66299a76c3dab2494cce74406c399";
        let of_box = "8902049800f979b0a5d25c377789b70b71051ec6994144ffb541d37bb93339be";
        assert!(secret().is_client_proof(of_terminal, &spki(), NONCE));
        assert_eq!(secret().box_proof(&spki(), NONCE), of_box);
    }

    #[test]
    fn a_proof_is_good_for_one_secret_one_key_one_nonce_and_one_side() {
        let proof = "663a83ddb6838d4660a03b10649216f57eb66299a76c3dab2494cce74406c399";
        let mut other_key = spki();
        other_key[31] ^= 1;
        assert!(!secret().is_client_proof(proof, &other_key, NONCE));
        assert!(!secret().is_client_proof(proof, &spki(), &NONCE[1..]));
        assert!(!PairingSecret::new("0".repeat(26)).is_client_proof(proof, &spki(), NONCE));
        assert!(!secret().is_client_proof(&secret().box_proof(&spki(), NONCE), &spki(), NONCE), "no reflection");
        for malformed in ["", "663a", &proof.to_uppercase(), &proof[1..], &format!("{proof}00"), &"ü".repeat(32)] {
            assert!(!secret().is_client_proof(malformed, &spki(), NONCE), "{malformed}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_only_for_the_daemon() {
        let dir = Scratch::new();
        let path = dir.0.join("secret");
        let first = PairingSecret::load_or_make(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", first.expose()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.expose().len(), SECRET_CHARS);
        assert_eq!(PairingSecret::load_or_make(&path).unwrap().expose(), first.expose());
        fs::remove_file(&path).unwrap();
        assert_ne!(PairingSecret::load_or_make(&path).unwrap().expose(), first.expose());
    }

    #[test]
    fn a_damaged_secret_is_named_and_left_alone() {
        let dir = Scratch::new();
        let path = dir.0.join("secret");
        let lower_case = SECRET.to_lowercase();
        for damaged in ["", "\n", &SECRET[1..], &lower_case, "7K3M9QX2VTB0ZNH5WRD8FJ6CPI", "7K3M9-QX2VTB0ZNH5WRD8FJ6CP"]
        {
            fs::write(&path, damaged).unwrap();
            let refused = PairingSecret::load_or_make(&path).unwrap_err().to_string();
            assert!(refused.contains(path.to_str().unwrap()) && refused.contains("remove it"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_secret_is_recognised_however_it_was_written_down() {
        let lower_case = SECRET.to_lowercase();
        for same in [SECRET, &lower_case, "7K3M9-QX2VT-B0ZNH-5WRD8-FJ6CP-A", "7K3M9QX2VTBOZNH5WRD8FJ6CPA"] {
            assert!(secret().is_secret(same), "{same}");
        }
        for other in ["", &SECRET[1..], "7K3M9QX2VTB0ZNH5WRD8FJ6CPB", &format!("{SECRET}A"), &"-".repeat(1_000)] {
            assert!(!secret().is_secret(other), "{other}");
        }
    }

    #[test]
    fn what_is_printed_holds_no_secret() {
        assert_eq!(format!("{:?}", secret()), "PairingSecret(hidden)");
    }
}
