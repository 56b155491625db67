//! Whom a terminal believes at the other end of TLS.

use std::fmt;
use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

/// SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 5280, DER).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).expect("the certificate parses");
        let digest = ::ring::digest::digest(&::ring::digest::SHA256, parsed.tbs_certificate.subject_pki.raw);
        Self(digest.as_ref().try_into().unwrap())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom to believe.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Anyone who holds the key of the certificate shown: a terminal before it is paired.
    Anyone,
    /// Whoever this authority (PEM) vouches for, with dates and names checked.
    Authority(Arc<str>),
    /// Whoever holds this key, whatever the dates say: for tests that turn the box's clock.
    Holder(Key),
}

/// A rustls configuration for `trust`, and where the key that was seen last is noted.
pub(crate) fn client_config(
    trust: &Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> (ClientConfig, Arc<Mutex<Option<Key>>>) {
    let provider = Arc::new(ring::default_provider());
    let seen = Arc::new(Mutex::new(None));
    let authority = match trust {
        Trust::Authority(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.expect("the authority's PEM reads")).expect("the authority is one");
            }
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            Some(verifier.build().expect("the authority can be asked"))
        }
        Trust::Anyone | Trust::Holder(_) => None,
    };
    let holder = match trust {
        Trust::Holder(key) => Some(*key),
        Trust::Anyone | Trust::Authority(_) => None,
    };
    let verifier = Recorder { provider: provider.clone(), authority, holder, seen: seen.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("rustls knows these versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    (config, seen)
}

/// Notes the key it sees, then asks whoever is trusted. The handshake's signature is always checked: the other end
/// holds the key it shows.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
    holder: Option<Key>,
    seen: Arc<Mutex<Option<Key>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = Key::of(end_entity);
        *self.seen.lock().unwrap() = Some(key);
        if self.holder.is_some_and(|holder| holder != key) {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        match &self.authority {
            Some(authority) => authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
