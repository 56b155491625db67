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
    /// Loads it from a folder. What is missing is made there, if it may be.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn load(folder: &Path, may_make: bool) -> Result<Self, AuthorityError> {
        let key = key(&folder.join("authority.key"), may_make)?;
        let server_key = self::key(&folder.join("server.key"), may_make)?;
        let file = folder.join("authority.pem");
        let mut params = named("Store box cloud authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = load_or_make(&file, 0o644, may_make, || {
            hold(&mut params, AUTHORITY_DAYS);
            Ok(params.self_signed(&key)?.pem())
        })?;
        let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes())
            .map(|der: rustls::pki_types::CertificateDer<'static>| der.to_vec())
            .map_err(|_| AuthorityError::NoCertificate { file: file.clone() })?;
        if BoxId::of_certificate(&certificate) != Some(BoxId::of_key(&key.subject_public_key_info())) {
            return Err(AuthorityError::OtherKey { file });
        }
        Ok(Self { issuer: Issuer::new(params, key), certificate, server_key })
    }

    /// The authority's certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The name of its key, made as a box's is.
    pub fn key(&self) -> BoxId {
        BoxId::of_key(&self.issuer.key().subject_public_key_info())
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

/// The key in a file, made first if there is none and one may be made.
fn key(file: &Path, may_make: bool) -> Result<KeyPair, AuthorityError> {
    let pem =
        load_or_make(file, 0o600, may_make, || Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem()))?;
    Ok(KeyPair::from_pem(&pem)?)
}

/// The text of a file, made first if there is none and one may be made. Of two instances that make it at once one
/// succeeds, and both have what that one made.
///
/// # Errors
/// [`AuthorityError`].
pub fn load_or_make(
    file: &Path,
    mode: u32,
    may_make: bool,
    make: impl FnOnce() -> Result<String, AuthorityError>,
) -> Result<String, AuthorityError> {
    let failed = |error| AuthorityError::File { file: file.to_owned(), error };
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => {
            write(file, make()?.as_bytes(), mode).map_err(failed)?;
            fs::read_to_string(file).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(AuthorityError::Missing { file: file.to_owned() }),
        read => read.map_err(failed),
    }
}

/// Writes a file that is there as a whole or not at all, unless there is one of that name.
fn write(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = file.with_extension(format!("{}.new", std::process::id()));
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    // A rename would replace what another instance has made meanwhile.
    let linked = fs::hard_link(&unfinished, file);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()),
    }
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
    /// A file is missing whose content others rely on.
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// A file holds the certificate of another key.
    OtherKey {
        /// Which.
        file: PathBuf,
    },
    /// The database belongs to another authority's boxes.
    Stranger {
        /// This one's key.
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
            Self::Missing { file } => write!(
                f,
                "{} is missing, but boxes of this database know it: copy the folder's files from another instance or a \
                 backup",
                file.display()
            ),
            Self::OtherKey { file } => write!(f, "{} is not of the key beside it", file.display()),
            Self::Stranger { file } => write!(
                f,
                "{} is not the authority of this database's boxes: every instance needs the same keys, so copy the \
                 folder's files from another instance or a backup",
                file.display()
            ),
            Self::Certificate(error) => write!(f, "a key or certificate cannot be used: {error}"),
        }
    }
}

impl std::error::Error for AuthorityError {}
