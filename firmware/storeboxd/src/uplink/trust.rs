//! What the cloud has to show before the box says anything to it.
//!
//! Until the authorities are known the cloud is known by its key alone, which the installer's file pins. From then on its
//! certificate has to come from one of them. A box without a battery may not know the time: then a certificate holds
//! unless it ended before any time that can be now.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use storebox_core::time::Timestamp;
use storebox_provisioning::est;
use storebox_provisioning::pin::Pin;

/// What the cloud has to show.
pub struct Trust {
    /// By what it is known.
    pub by: By,
    /// What the box's clock shows.
    pub now: Timestamp,
    /// Whether the clock was set by somebody who knows.
    pub time_is_verified: bool,
    /// It is not earlier than this, whatever the clock shows.
    pub floor: Timestamp,
}

/// By what the cloud is known.
#[derive(Clone, Debug)]
pub enum By {
    /// Its key, or the key of an authority it shows.
    Pins(Vec<Pin>),
    /// Its authorities, each in DER.
    Authorities(Vec<Vec<u8>>),
    /// Any authority that browsers know.
    Anybody,
}

/// The certificate the cloud showed.
#[derive(Debug, Default)]
pub struct Seen(Arc<Mutex<Option<(Timestamp, Timestamp)>>>);

impl Seen {
    /// A time the cloud tells, if it is within the life of the certificate it showed.
    pub fn believes(&self, time: SystemTime) -> Option<Timestamp> {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        let time = Timestamp::from_millis(u64::try_from(since.as_millis()).ok()?);
        let (from, until) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        (from..=until).contains(&time).then_some(time)
    }
}

/// What a connection to the cloud is made with, and what is seen of the cloud on it.
///
/// # Errors
/// [`Error`] if no authority can be used, or the box's own certificate.
pub fn config(
    trust: Trust,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<(ClientConfig, Seen), Error> {
    let provider = Arc::new(ring::default_provider());
    let seen = Seen::default();
    let verifier = Verifier { trust, provider: Arc::clone(&provider), seen: Arc::clone(&seen.0) };
    if let By::Authorities(authorities) = &verifier.trust.by {
        verifier.chain_verifier(authorities)?;
    }
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, seen))
}

struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    seen: Arc<Mutex<Option<(Timestamp, Timestamp)>>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("by", &self.trust.by).finish_non_exhaustive()
    }
}

impl Verifier {
    fn chain_verifier(&self, authorities: &[Vec<u8>]) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().map(|der| CertificateDer::from(der.as_slice())));
        self.verifier_of(roots)
    }

    fn verifier_of(&self, roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, Error> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(format!("none of the cloud's authorities can be used: {error}")))
    }

    /// The time a certificate is looked at.
    fn time_for(&self, (from, until): (Timestamp, Timestamp)) -> UnixTime {
        let Trust { now, time_is_verified, floor, .. } = self.trust;
        let at = if time_is_verified { now } else { now.max(floor).max(from).min(until.max(floor)) };
        UnixTime::since_unix_epoch(Duration::from_millis(at.as_millis()))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (pin, life) = est::key_and_life(end_entity).ok_or(CertificateError::BadEncoding)?;
        let now = self.time_for(life);
        let in_chain = |verifier: Arc<WebPkiServerVerifier>| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let verified = match &self.trust.by {
            // Who has the key is the cloud, whatever its certificate says: the handshake shows that it has.
            By::Pins(pins) if pins.contains(&pin) => Ok(ServerCertVerified::assertion()),
            By::Pins(pins) => {
                let is_pinned =
                    |der: &&CertificateDer<'_>| est::key_and_life(der).is_some_and(|(pin, _)| pins.contains(&pin));
                let pinned: Vec<Vec<u8>> = intermediates.iter().filter(is_pinned).map(|der| der.to_vec()).collect();
                if pinned.is_empty() {
                    return Err(Error::General(format!("it has another key than the pin says: {pin}")));
                }
                in_chain(self.chain_verifier(&pinned)?)
            }
            By::Authorities(authorities) => in_chain(self.chain_verifier(authorities)?),
            By::Anybody => {
                in_chain(self.verifier_of(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))?)
            }
        }?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(life);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
