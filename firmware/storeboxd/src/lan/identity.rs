//! Who the box is on the LAN: a store CA the terminals trust, and the certificate the box serves with.
//!
//! The CA can only vouch for names and addresses that exist inside a store (name constraints, RFC 5280 section
//! 4.2.1.10), so a terminal that trusts it gives nothing away about the rest of the world. The serving
//! certificate (the leaf) is short-lived and renews itself; its *key* stays for the life of the box, because
//! the SHA-256 of its SubjectPublicKeyInfo is the fingerprint terminals know the box by.
//!
//! | file | what | made |
//! |---|---|---|
//! | `ca.key`, `lan.key` | private keys, PKCS#8 PEM, mode 0600 | once, before any certificate |
//! | `ca.pem` | what clients trust | once |
//! | `lan.pem` | the leaf | again at every renewal |
//!
//! Every file is written aside, synced and renamed, and keys come before the certificates that need them: a
//! start that was cut short at any point is completed by the next one. Time comes in as a parameter.

mod certificate;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub use certificate::BUILD_TIME_S;
use certificate::Leaf;

use crate::files;
use crate::keys::{self, KeyError};
pub use names::LeafNames;

const CA_KEY: &str = "ca.key";
const CA_PEM: &str = "ca.pem";
const LAN_KEY: &str = "lan.key";
const LAN_PEM: &str = "lan.pem";

const CA_KEY_REMEDY: &str = "restore ca.key and ca.pem from a backup; or remove both: the box then makes a \
                             new CA, and every terminal must be given the new ca.pem";
const LAN_KEY_REMEDY: &str = "restore lan.key from a backup; or remove lan.key and lan.pem: the box then makes \
                              a new key, and terminals that know it by its fingerprint must pair again";
const CA_PEM_REMEDY: &str = "remove ca.pem: the box makes it again from ca.key, and terminals that trust the \
                             old file go on trusting the box";

/// The box's identity on the LAN, loaded from its folder and kept in step with it.
pub struct LanIdentity {
    dir: PathBuf,
    ca_key: KeyPair,
    ca_der: CertificateDer<'static>,
    ca_pem: String,
    leaf_key: KeyPair,
    leaf: Leaf,
    unsaved: Option<IdentityError>,
}

impl LanIdentity {
    /// Loads the identity from `dir`, makes whatever is missing, and renews the leaf if that is due.
    ///
    /// `now_s` is wall time in seconds since 1970. A clock before [`BUILD_TIME_S`] was never set; the box
    /// serves all the same, with the validity the leaf had before or, for the first one, as of the build.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what to do. Nothing that was there is changed then; files that
    /// were missing may have been made, and trying again goes on from there. A damaged leaf is no error: it is
    /// issued again. Nor is a leaf that cannot be saved, see [`LanIdentity::unsaved`].
    pub fn load_or_make(dir: &Path, now_s: i64, names: &LeafNames) -> Result<Self, IdentityError> {
        files::private_dir(dir).map_err(io_error("prepare the folder", dir))?;
        let ca_key = load_or_make_key(&dir.join(CA_KEY), &dir.join(CA_PEM), CA_KEY_REMEDY)?;
        let leaf_key = load_or_make_key(&dir.join(LAN_KEY), &dir.join(LAN_PEM), LAN_KEY_REMEDY)?;
        let (ca_pem, ca_der) = load_or_make_ca(&dir.join(CA_PEM), &ca_key, now_s)?;

        // Whatever is wrong with the leaf on disk, a new one is as good.
        let kept = files::read(&dir.join(LAN_PEM)).ok().flatten().and_then(|pem| Leaf::read(&pem, &leaf_key, &ca_key));
        let (leaf, issued) = match kept {
            Some(leaf) if !leaf.is_due(now_s, names) => (leaf, false),
            kept => (Leaf::issue(&leaf_key, &ca_key, names, now_s, kept.as_ref())?, true),
        };
        let dir = dir.to_owned();
        let mut identity = Self { dir, ca_key, ca_der, ca_pem, leaf_key, leaf, unsaved: None };
        if issued {
            identity.save_leaf();
        }
        Ok(identity)
    }

    /// Issues a new leaf for the same key if two thirds of its life are over, if `names` are not the ones it
    /// carries, or if `now_s` (seconds since 1970) is outside its validity. True if there is a new one to serve.
    ///
    /// A clock before [`BUILD_TIME_S`] says nothing about validity: it is a box that has just lost power and
    /// does not know the time yet, and its leaf is better than one issued at a wrong time.
    ///
    /// # Errors
    /// [`IdentityError`] if a certificate cannot be made; the leaf that was served stays. Try again later.
    pub fn renew_if_due(&mut self, now_s: i64, names: &LeafNames) -> Result<bool, IdentityError> {
        if self.leaf.is_due(now_s, names) {
            self.leaf = Leaf::issue(&self.leaf_key, &self.ca_key, names, now_s, Some(&self.leaf))?;
            self.save_leaf();
            return Ok(true);
        }
        if self.unsaved.is_some() {
            self.save_leaf();
        }
        Ok(false)
    }

    /// Why the leaf being served is not on disk, if it is not (a full disk, say). The box serves with it all
    /// the same; every [`LanIdentity::renew_if_due`] tries to save it again.
    pub fn unsaved(&self) -> Option<&IdentityError> {
        self.unsaved.as_ref()
    }

    /// SHA-256 of the leaf key's SubjectPublicKeyInfo (DER). It outlives every renewal.
    pub fn fingerprint(&self) -> [u8; 32] {
        certificate::spki_sha256(&self.leaf_key)
    }

    /// The certificate clients trust, as PEM text.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What is sent in the handshake: the leaf, then the CA.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.leaf.der.clone(), self.ca_der.clone()]
    }

    /// The leaf's private key.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()).into()
    }

    /// When the leaf ends, in seconds since 1970.
    pub fn not_after_s(&self) -> i64 {
        self.leaf.not_after_s
    }

    fn save_leaf(&mut self) {
        let path = self.dir.join(LAN_PEM);
        self.unsaved =
            files::write(&path, self.leaf.pem().as_bytes(), files::PUBLIC).map_err(io_error("write", &path)).err();
    }
}

impl fmt::Debug for LanIdentity {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanIdentity")
            .field("dir", &self.dir)
            .field("fingerprint", &hex(&self.fingerprint()))
            .field("not_after_s", &self.leaf.not_after_s)
            .finish_non_exhaustive()
    }
}

/// A key is made only while nothing depends on it: a certificate without its key is damage, not a first start.
fn load_or_make_key(path: &Path, certificate: &Path, remedy: &'static str) -> Result<KeyPair, IdentityError> {
    let damaged = |what| IdentityError::Damaged { path: path.to_owned(), what, remedy };
    let unusable = |error| match error {
        KeyError::Io { operation, error } => io_error(operation, path)(error),
        KeyError::Damaged => damaged("is not a complete P-256 private key (PKCS#8 PEM)"),
        KeyError::Making(error) => IdentityError::Making(error),
    };
    if let Some(key) = keys::read(path).map_err(unusable)? {
        return Ok(key);
    }
    if certificate.try_exists().map_err(io_error("look for", certificate))? {
        return Err(damaged("is missing although its certificate is there"));
    }
    keys::make(path).map_err(unusable)
}

/// The CA certificate. One made again from the same key has the same name, so it verifies the same leaves.
fn load_or_make_ca(path: &Path, key: &KeyPair, now_s: i64) -> Result<(String, CertificateDer<'static>), IdentityError> {
    if let Some(pem) = files::read(path).map_err(io_error("read", path))? {
        let damaged = |what| IdentityError::Damaged { path: path.to_owned(), what, remedy: CA_PEM_REMEDY };
        let der = certificate::read_ca(&pem, key).map_err(damaged)?;
        return Ok((pem, der));
    }
    let ca = certificate::make_ca(key, now_s)?;
    let pem = ca.pem();
    files::write(path, pem.as_bytes(), files::PUBLIC).map_err(io_error("write", path))?;
    Ok((pem, ca.into()))
}

/// Why there is no identity to serve with.
#[derive(Debug)]
pub enum IdentityError {
    /// A file or folder could not be read or written. Trying again may help.
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is incomplete, foreign or missing where it must not be. It was left as it is; trying again does
    /// not help.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
        /// What the operator does about it.
        remedy: &'static str,
    },
    /// A key or certificate could not be made: no randomness, or a name that fits in no certificate.
    Making(rcgen::Error),
    /// The time is beyond the calendar of certificates.
    Time,
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    move |source| IdentityError::Io { operation, path: path.to_owned(), source }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, .. } => write!(f, "cannot {operation} {}", path.display()),
            Self::Damaged { path, what, remedy } => write!(f, "{} {what}; {remedy}", path.display()),
            Self::Making(_) => f.write_str("cannot make a key or certificate for the LAN"),
            Self::Time => f.write_str("the time is beyond the calendar of certificates"),
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Making(source) => Some(source),
            Self::Damaged { .. } | Self::Time => None,
        }
    }
}

/// Lower-case hexadecimal, as fingerprints and proofs are written.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
