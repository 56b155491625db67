//! One question to one server, and whom to believe about it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use storebox_provisioning::pin::Pin;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::failure::{Failure, OrFail};

/// Bytes of an answer: more than any of ours has.
const ANSWER_MAX: usize = 1 << 20;

/// Whom to believe.
#[derive(Debug)]
pub enum Trust {
    /// Whoever has the key of the certificate shown: a box, which is known by its fingerprint.
    Anybody,
    /// Whoever one of these authorities vouches for.
    Authorities(RootCertStore),
    /// Whoever has one of these keys, or is vouched for by an authority that has.
    Pins(Vec<Pin>),
}

/// Asks servers.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    connect: Duration,
    answer: Duration,
}

/// What a server answered.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// The certificate it showed (DER).
    pub certificate: Vec<u8>,
}

impl Client {
    /// A client that waits so long for a connection, and for the answer.
    ///
    /// # Errors
    /// If there is nobody to believe.
    pub fn new(trust: Trust, connect: Duration, answer: Duration) -> Result<Self, Failure> {
        let failed = || "cannot prepare TLS".to_owned();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let judge = Judge { provider: Arc::clone(&provider), belief: Belief::of(trust, &provider)? };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .or_fail(failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), connect, answer })
    }

    /// Asks a host, whose IPv6 address may stand in brackets, and reads the whole answer.
    ///
    /// # Errors
    /// If it does not answer in time, or is not believed.
    pub async fn ask(&self, host: &str, port: u16, mut request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let shown = format!("{host}:{port}");
        let bare = host.trim_matches(['[', ']']);
        let silent = || format!("{shown} does not answer");
        let name = ServerName::try_from(bare.to_owned()).or_fail(|| format!("{host} is no name of a host"))?;
        let stream = timeout(self.connect, TcpStream::connect((bare, port))).await.or_fail(silent)?.or_fail(silent)?;
        let encrypted = timeout(self.answer, self.tls.connect(name, stream)).await.or_fail(silent)?;
        let encrypted = encrypted.or_fail(|| format!("{shown} is not believed"))?;
        let certificate = encrypted.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.map(|der| der.to_vec()).unwrap_or_default();
        let value = HeaderValue::from_str(&shown).or_fail(|| format!("{host} is no name of a host"))?;
        request.headers_mut().insert(HOST, value);
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(encrypted)).await.or_fail(silent)?;
            // It ends with the sender; what went wrong the sender says.
            let kept = tokio::spawn(connection);
            let reply = sender.send_request(request).await.or_fail(silent)?;
            let status = reply.status();
            let body = Limited::new(reply.into_body(), ANSWER_MAX).collect().await;
            let body = body.or_fail(|| format!("the answer of {shown} broke off"))?.to_bytes();
            kept.abort();
            Ok(Reply { status, body, certificate })
        };
        timeout(self.answer, exchange).await.or_fail(silent)?
    }
}

/// Runs what waits for servers.
///
/// # Errors
/// If the system lets nothing wait, and those of what is run.
pub fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_fail(|| "cannot wait for servers".to_owned())?.block_on(work)
}

/// The pin of a certificate's key.
pub fn pin(certificate: &[u8]) -> Option<Pin> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let hash = digest(&SHA256, parsed.tbs_certificate.subject_pki.raw);
    hash.as_ref().try_into().ok().map(Pin::new)
}

#[derive(Debug)]
enum Belief {
    Anybody,
    Authorities(Arc<WebPkiServerVerifier>),
    Pins(Vec<Pin>),
}

impl Belief {
    fn of(trust: Trust, provider: &Arc<CryptoProvider>) -> Result<Self, Failure> {
        Ok(match trust {
            Trust::Anybody => Self::Anybody,
            Trust::Pins(pins) => Self::Pins(pins),
            Trust::Authorities(roots) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
                Self::Authorities(verifier.or_fail(|| "there is no authority to believe".to_owned())?)
            }
        })
    }
}

/// Decides whether a server is believed.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    belief: Belief,
}

impl Judge {
    /// Who is vouched for by an authority in the chain that a pin names.
    fn pinned_authority(&self, pins: &[Pin], chain: &[CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        for authority in chain.iter().filter(|certificate| pin(certificate).is_some_and(|pin| pins.contains(&pin))) {
            roots.add(authority.clone().into_owned())?;
        }
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&self.provider))
            .build()
            .map_err(|_| Error::General("it shows no key that the pin names: copy the pin from it again".to_owned()))
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = match &self.belief {
            Belief::Anybody => return Ok(ServerCertVerified::assertion()),
            Belief::Pins(pins) if pin(end_entity).is_some_and(|pin| pins.contains(&pin)) => {
                return Ok(ServerCertVerified::assertion());
            }
            Belief::Pins(pins) => self.pinned_authority(pins, intermediates)?,
            Belief::Authorities(verifier) => Arc::clone(verifier),
        };
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
