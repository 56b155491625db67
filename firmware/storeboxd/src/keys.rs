//! Private keys of the box: one each in a file that only the daemon reads.

use std::fmt;
use std::io;
use std::path::Path;

use rcgen::KeyPair;

use crate::files;

/// The key in a file (ECDSA, P-256; PKCS#8 PEM); none if there is no such file. One that was copied with a wider mode is
/// closed to others.
///
/// # Errors
/// [`KeyError`]; the file is left as it is.
pub(crate) fn read(path: &Path) -> Result<Option<KeyPair>, KeyError> {
    let at = |operation| move |error| KeyError::Io { operation, error };
    let Some(pem) = files::read(path).map_err(at("read"))? else { return Ok(None) };
    files::narrow(path).map_err(at("set the mode of"))?;
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &rcgen::PKCS_ECDSA_P256_SHA256);
    key.map(Some).map_err(|_| KeyError::Damaged)
}

/// Makes a key, which is on the disk when this returns.
///
/// # Errors
/// [`KeyError`]; there is no new file then.
pub(crate) fn make(path: &Path) -> Result<KeyPair, KeyError> {
    let key = KeyPair::generate().map_err(KeyError::Making)?;
    let written = files::write(path, key.serialize_pem().as_bytes(), files::PRIVATE);
    written.map_err(|error| KeyError::Io { operation: "write", error })?;
    Ok(key)
}

/// There is no key to use.
#[derive(Debug)]
pub(crate) enum KeyError {
    /// The file cannot be read or written. Trying again may help.
    Io {
        /// What was being done to it.
        operation: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The file holds something else. Trying again does not help.
    Damaged,
    /// There is no randomness.
    Making(rcgen::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, error } => write!(f, "cannot {operation} the key's file: {error}"),
            Self::Damaged => f.write_str("the key's file is not a complete P-256 private key (PKCS#8 PEM)"),
            Self::Making(error) => write!(f, "no key can be made: {error}"),
        }
    }
}
