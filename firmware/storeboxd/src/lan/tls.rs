//! TLS as terminals see it: 1.2 and 1.3, HTTP/2 and HTTP/1.1, a certificate that changes while running.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::identity::LanIdentity;

/// HTTP/2 first: one connection carries a terminal's requests and its event stream.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The server's side of TLS. Cheap to share; what is served is swapped in place.
pub struct ServerTls {
    config: Arc<ServerConfig>,
    leaf: Arc<Swapped>,
    provider: Arc<CryptoProvider>,
}

impl ServerTls {
    /// TLS that serves `identity`, with the cipher order that suits this processor.
    ///
    /// # Errors
    /// [`TlsError`] if the identity's key and certificate do not fit together or there is no randomness.
    pub fn new(identity: &LanIdentity) -> Result<Self, TlsError> {
        Self::with_aes(identity, has_aes_instructions())
    }

    fn with_aes(identity: &LanIdentity, aes_instructions: bool) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(aes_instructions));
        let leaf = Arc::new(Swapped(ArcSwap::from_pointee(certified(identity, &provider)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Configuration)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&leaf) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        // Terminals reconnect after every radio gap: a ticket saves them a signature and a round trip, and
        // costs the box no memory. Its keys live in this process only and rotate every six hours.
        config.ticketer = ring::Ticketer::new().map_err(TlsError::Configuration)?;
        // Where AES runs in software (a Pi 4) ChaCha20 is several times faster, whatever the client prefers.
        config.ignore_client_order = !aes_instructions;
        Ok(Self { config: Arc::new(config), leaf, provider })
    }

    /// Serves `identity` from the next handshake on. Connections that are open keep what they have.
    ///
    /// # Errors
    /// [`TlsError`] as for [`ServerTls::new`]; what was served is served on.
    pub fn replace(&self, identity: &LanIdentity) -> Result<(), TlsError> {
        self.leaf.0.store(Arc::new(certified(identity, &self.provider)?));
        Ok(())
    }

    /// What wraps an accepted TCP connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config())
    }

    /// The configuration, for whoever drives rustls directly. It follows [`ServerTls::replace`].
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for ServerTls {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// One certificate for every name: terminals often connect by address, which sends no name at all.
#[derive(Debug)]
struct Swapped(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Swapped {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(identity: &LanIdentity, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(identity.chain(), identity.private_key(), provider).map_err(TlsError::Identity)
}

/// The ring provider; ChaCha20 first if AES would run in software.
fn provider(aes_instructions: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !aes_instructions {
        // The sort is stable: within each group the provider's own order stays.
        provider.cipher_suites.sort_by_key(|suite| !is_chacha20(suite.suite()));
    }
    provider
}

fn is_chacha20(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

#[cfg(target_arch = "x86_64")]
fn has_aes_instructions() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes_instructions() -> bool {
    std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes_instructions() -> bool {
    false
}

/// Why TLS cannot be served. Trying again with the same identity does not help.
#[derive(Debug)]
pub enum TlsError {
    /// The identity's key and certificate do not fit together.
    Identity(rustls::Error),
    /// The configuration was refused, or there is no randomness for ticket keys.
    Configuration(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(_) => f.write_str("the LAN key and certificate cannot be served"),
            Self::Configuration(_) => f.write_str("cannot set up TLS"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Identity(source) | Self::Configuration(source) => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::client::Resumption;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::time_provider::TimeProvider;
    use rustls::{
        ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection, SupportedProtocolVersion,
    };

    use super::super::identity::{BUILD_TIME_S, LanIdentity, LeafNames};
    use super::*;
    use crate::files::Scratch;

    /// A client's clock that stands still.
    #[derive(Debug)]
    struct At(i64);

    impl TimeProvider for At {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.try_into().unwrap())))
        }
    }

    fn identity(dir: &Scratch) -> LanIdentity {
        LanIdentity::load_or_make(&dir.0, BUILD_TIME_S, &LeafNames::fixed()).unwrap()
    }

    /// A client that trusts `ca.pem` and nothing else.
    fn client(identity: &LanIdentity, version: &'static SupportedProtocolVersion, now_s: i64) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(identity.ca_pem().as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(At(now_s)))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(8);
        config
    }

    /// Carries bytes both ways in memory until neither side has anything to say.
    fn shake(
        tls: &ServerTls,
        client: &Arc<ClientConfig>,
        name: &str,
    ) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name)?;
        let mut server = ServerConnection::new(tls.config())?;
        while client.wants_write() || server.wants_write() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets()?;
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        Ok((client, server))
    }

    #[test]
    fn both_versions_shake_hands_by_every_name_and_resume() {
        let dir = Scratch::new();
        let identity = identity(&dir);
        let tls = ServerTls::new(&identity).unwrap();
        assert!(tls.config().ticketer.enabled(), "resuming must cost the box no memory");
        let ca = CertificateDer::from_pem_slice(identity.ca_pem().as_bytes()).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for name in ["localhost", "storebox.local", "127.0.0.1", "::1"] {
                let client = Arc::new(client(&identity, version, BUILD_TIME_S));
                let (first, _) = shake(&tls, &client, name).unwrap();
                assert_eq!(first.protocol_version(), Some(version.version), "{name}");
                let sent = first.peer_certificates().unwrap();
                assert_eq!((sent.len(), sent.last()), (2, Some(&ca)), "leaf and CA are sent");
                assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
                let (second, _) = shake(&tls, &client, name).unwrap();
                assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?} {name}");
            }
        }
    }

    #[test]
    fn http_2_is_preferred_http_1_1_is_spoken_and_anything_else_refused() {
        let dir = Scratch::new();
        let identity = identity(&dir);
        let tls = ServerTls::new(&identity).unwrap();
        let alpn = |offered: &[&[u8]]| {
            let mut client = client(&identity, &rustls::version::TLS13, BUILD_TIME_S);
            client.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
            shake(&tls, &Arc::new(client), "localhost").map(|(client, _)| client.alpn_protocol().map(<[u8]>::to_vec))
        };
        assert_eq!(alpn(&[b"http/1.1", b"h2"]), Ok(Some(b"h2".to_vec())));
        assert_eq!(alpn(&[b"http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
        assert_eq!(alpn(&[]), Ok(None));
        assert!(alpn(&[b"smtp"]).is_err());
    }

    #[test]
    fn a_renewed_certificate_is_served_without_a_restart() {
        let dir = Scratch::new();
        let mut identity = identity(&dir);
        let tls = ServerTls::new(&identity).unwrap();
        let later_s = BUILD_TIME_S + 500 * 24 * 3600;
        let late = Arc::new(client(&identity, &rustls::version::TLS13, later_s));
        assert!(shake(&tls, &late, "localhost").is_err(), "the first leaf has expired");

        assert!(identity.renew_if_due(later_s, &LeafNames::fixed()).unwrap());
        assert!(shake(&tls, &late, "localhost").is_err(), "the new leaf is not served yet");
        tls.replace(&identity).unwrap();
        let (connection, _) = shake(&tls, &late, "localhost").unwrap();
        assert_eq!(connection.peer_certificates().unwrap(), identity.chain());
    }

    #[test]
    fn a_client_of_another_store_refuses() {
        let (ours, theirs) = (Scratch::new(), Scratch::new());
        let tls = ServerTls::new(&identity(&ours)).unwrap();
        let stranger = Arc::new(client(&identity(&theirs), &rustls::version::TLS13, BUILD_TIME_S));
        assert!(shake(&tls, &stranger, "localhost").is_err());
    }

    #[test]
    fn without_aes_instructions_chacha20_wins_whatever_the_client_prefers() {
        let dir = Scratch::new();
        let identity = identity(&dir);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let client = Arc::new(client(&identity, version, BUILD_TIME_S));
            let negotiated = |aes| {
                let tls = ServerTls::with_aes(&identity, aes).unwrap();
                let (connection, _) = shake(&tls, &client, "localhost").unwrap();
                connection.negotiated_cipher_suite().unwrap().suite()
            };
            assert!(is_chacha20(negotiated(false)), "{version:?}");
            assert!(!is_chacha20(negotiated(true)), "{version:?}");
        }
    }

    #[test]
    fn nothing_older_than_tls_1_2_is_spoken() {
        let dir = Scratch::new();
        let tls = ServerTls::new(&identity(&dir)).unwrap();
        // A TLS 1.1 ClientHello (RFC 4346 section 7.4.1.2): record, handshake header, version 3.2, random,
        // no session, one suite (ECDHE-ECDSA with AES-128-CBC), no compression.
        let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x09, 1, 0]);
        let mut server = ServerConnection::new(tls.config()).unwrap();
        server.read_tls(&mut hello.as_slice()).unwrap();
        let refused = server.process_new_packets().unwrap_err();
        assert!(matches!(refused, rustls::Error::PeerIncompatible(_)), "{refused:?}");
    }

    #[test]
    fn what_is_printed_holds_no_key() {
        let dir = Scratch::new();
        let tls = ServerTls::new(&identity(&dir)).unwrap();
        assert_eq!(format!("{tls:?}"), "ServerTls { .. }");
    }
}
