//! Seals what stands for a card before it reaches the store (B12). The key lies outside the database: a copy of that
//! alone opens nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use storebox_core::id::CardPaymentId;

use crate::entropy;
use crate::files;

/// The form of what is sealed: this byte, the nonce, the text and its tag (RFC 8439). The payment's id is
/// authenticated with it, so that one payment's token cannot be put in another's place.
const FORM: u8 = 1;
const KEY_BYTES: usize = 32;

/// The key card tokens are sealed with. It is made when the first one comes.
pub struct PaymentKey {
    folder: PathBuf,
    key: Mutex<Option<LessSafeKey>>,
}

impl fmt::Debug for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentKey(hidden)")
    }
}

impl PaymentKey {
    /// A key in `folder`, which need not be there yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), key: Mutex::new(None) }
    }

    /// Seals what stands for the card of a payment.
    ///
    /// # Errors
    /// What the system said about the key's file; nothing was sealed.
    pub fn seal(&self, text: &[u8], payment: CardPaymentId) -> io::Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = entropy::random();
        let mut sealed = text.to_vec();
        self.with_key(|key| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.seal_in_place_append_tag(nonce, Aad::from(payment.to_bytes()), &mut sealed)
                .map_err(|_| io::Error::other("a token is too long to seal"))
        })?;
        Ok([&[FORM][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed for that payment: for whoever takes it to the processor.
    ///
    /// # Errors
    /// What the system said about the key's file, or [`io::ErrorKind::InvalidData`] if it was sealed for another
    /// payment, with another key, or was changed since.
    pub fn open(&self, sealed: &[u8], payment: CardPaymentId) -> io::Result<Vec<u8>> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not sealed here for this payment");
        let (&FORM, rest) = sealed.split_first().ok_or_else(wrong)? else { return Err(wrong()) };
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let mut text = text.to_vec();
        self.with_key(|key| {
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let open = key.open_in_place(nonce, Aad::from(payment.to_bytes()), &mut text);
            open.map(|open| open.to_vec()).map_err(|_| wrong())
        })
    }

    fn with_key<T>(&self, work: impl FnOnce(&LessSafeKey) -> io::Result<T>) -> io::Result<T> {
        let mut held = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(key) => work(key),
            None => work(held.insert(self.load_or_make()?)),
        }
    }

    fn load_or_make(&self) -> io::Result<LessSafeKey> {
        let path = self.folder.join("payment.key");
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()));
        let bytes = match files::read(&path)? {
            Some(text) => {
                files::narrow(&path)?;
                // Making another would make every token sealed with it unreadable for ever.
                BASE64_STANDARD.decode(text.trim_end()).map_err(|_| damaged())?
            }
            None => {
                let bytes: [u8; KEY_BYTES] = entropy::random();
                files::private_dir(&self.folder)?;
                files::write(&path, format!("{}\n", BASE64_STANDARD.encode(bytes)).as_bytes(), files::PRIVATE)?;
                bytes.to_vec()
            }
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| damaged())?;
        Ok(LessSafeKey::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const PAYMENT: CardPaymentId = CardPaymentId::from_bytes([1; 16]);

    struct Folder(PathBuf);

    impl Folder {
        fn new(label: &str) -> Self {
            let id = storebox_core::id::OrderId::new(storebox_core::time::Timestamp::EPOCH, entropy::for_id());
            Self(std::env::temp_dir().join(format!("storebox-{label}-{id}")))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn b12_a_token_is_sealed_for_its_payment_and_opened_by_the_same_key_only() {
        let folder = Folder::new("seal");
        let sealed = PaymentKey::in_folder(&folder.0).seal(b"tok_4242", PAYMENT).unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"tok_4242"));
        let again = PaymentKey::in_folder(&folder.0);
        assert_eq!(again.open(&sealed, PAYMENT).unwrap(), b"tok_4242");
        assert_ne!(again.seal(b"tok_4242", PAYMENT).unwrap(), sealed, "a nonce is used once");
        assert!(again.open(&sealed, CardPaymentId::from_bytes([2; 16])).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(again.open(&changed, PAYMENT).is_err(), "byte {place}");
            assert!(again.open(&sealed[..place], PAYMENT).is_err(), "{place} bytes");
        }
        let other = Folder::new("seal");
        assert!(PaymentKey::in_folder(&other.0).open(&sealed, PAYMENT).is_err());
    }

    #[test]
    fn b12_the_key_is_private_and_a_damaged_one_is_left_alone() {
        let folder = Folder::new("seal");
        PaymentKey::in_folder(&folder.0).seal(b"x", PAYMENT).unwrap();
        let path = folder.0.join("payment.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        let refused = PaymentKey::in_folder(&folder.0).seal(b"x", PAYMENT).unwrap_err().to_string();
        assert!(refused.contains("payment.key"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    }
}
