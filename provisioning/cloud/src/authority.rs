//! The cloud's certificate authority, and the certificate its own server shows.
//!
//! Both keys are files that only the cloud reads. The authority vouches for boxes and for the server; what an installer's
//! file pins is the server's key, which outlives its certificates.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
};
use rustls::pki_types::{CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::pin::Pin;

use crate::clock;

/// How long a box's certificate holds: it is renewed after half a year, and may miss half a year more.
const BOX_DAYS: u64 = 365;
/// How long the server's holds; it is made anew at every start.
const SERVER_DAYS: u64 = 90;
/// How long the authority's holds. It has to outlive every box that knows it.
const AUTHORITY_DAYS: u64 = 20 * 365;
/// Clocks that are a little slow see a new certificate as one to come.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    server_key: KeyPair,
}

impl Authority {
    /// Loads it from a folder, or makes it there.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn load_or_make(folder: &Path) -> Result<Self, AuthorityError> {
        let key = key(&folder.join("authority.key"))?;
        let server_key = self::key(&folder.join("server.key"))?;
        let file = folder.join("authority.pem");
        let mut params = named("Store box cloud authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = match fs::read_to_string(&file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                hold(&mut params, AUTHORITY_DAYS);
                let pem = params.self_signed(&key)?.pem();
                write(&file, pem.as_bytes(), 0o644)?;
                pem
            }
            Err(error) => return Err(AuthorityError::File { file, error }),
        };
        let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes())
            .map(|der: rustls::pki_types::CertificateDer<'static>| der.to_vec())
            .map_err(|_| AuthorityError::NoCertificate { file })?;
        Ok(Self { issuer: Issuer::new(params, key), certificate, server_key })
    }

    /// The authority's certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What an installer's file pins.
    pub fn pin(&self) -> Pin {
        Pin::new(*BoxId::of_key(&self.server_key.subject_public_key_info()).digest())
    }

    /// The server's key and a new certificate for these names, in DER.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn server(&self, names: &[String]) -> Result<(Vec<u8>, PrivatePkcs8KeyDer<'static>), AuthorityError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("Store box cloud").distinguished_name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        hold(&mut params, SERVER_DAYS);
        let certificate = params.signed_by(&self.server_key, &self.issuer)?;
        Ok((certificate.der().to_vec(), PrivatePkcs8KeyDer::from(self.server_key.serialize_der())))
    }

    /// Whose key a request for a certificate (PKCS#10) is of. Its signature shows that whoever asks has the key.
    ///
    /// # Errors
    /// [`NotARequest`].
    pub fn asks(request: &[u8]) -> Result<BoxId, NotARequest> {
        let request = parse(request)?;
        Ok(BoxId::of_key(&request.public_key.subject_public_key_info()))
    }

    /// Signs a request. What it says of itself is not believed: the subject is the name of its key.
    ///
    /// # Errors
    /// [`NotARequest`].
    pub fn sign(&self, request: &[u8]) -> Result<Vec<u8>, NotARequest> {
        let mut request = parse(request)?;
        let id = BoxId::of_key(&request.public_key.subject_public_key_info());
        let mut params = named(&id.to_string());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        hold(&mut params, BOX_DAYS);
        request.params = params;
        let certificate = request.signed_by(&self.issuer).map_err(|_| NotARequest)?;
        Ok(certificate.der().to_vec())
    }
}

fn parse(request: &[u8]) -> Result<CertificateSigningRequestParams, NotARequest> {
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request)).map_err(|_| NotARequest)
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn hold(params: &mut CertificateParams, days: u64) {
    let now = UNIX_EPOCH + Duration::from_millis(clock::now().as_millis());
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + Duration::from_secs(days * 86_400)).into();
}

/// The key in a file, made first if there is none.
fn key(file: &Path) -> Result<KeyPair, AuthorityError> {
    match fs::read_to_string(file) {
        Ok(pem) => Ok(KeyPair::from_pem(&pem)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            write(file, key.serialize_pem().as_bytes(), 0o600)?;
            Ok(key)
        }
        Err(error) => Err(AuthorityError::File { file: file.to_owned(), error }),
    }
}

/// Writes a file that is there as a whole or not at all.
///
/// # Errors
/// [`AuthorityError::File`].
pub fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let unfinished = file.with_extension("new");
    let written = || {
        let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
        new.write_all(bytes)?;
        new.sync_all()?;
        fs::rename(&unfinished, file)?;
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    written().map_err(|error| AuthorityError::File { file: file.to_owned(), error })
}

/// The bytes are no request for a certificate, or are not signed by the key they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARequest;

/// The authority cannot be used.
#[derive(Debug)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file holds no certificate.
    NoCertificate {
        /// Which.
        file: PathBuf,
    },
    /// A key or a certificate cannot be used.
    Certificate(rcgen::Error),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error)
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
            Self::NoCertificate { file } => write!(f, "{} holds no certificate", file.display()),
            Self::Certificate(error) => write!(f, "a key or certificate cannot be used: {error}"),
        }
    }
}

impl std::error::Error for AuthorityError {}
