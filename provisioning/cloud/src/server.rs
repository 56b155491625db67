//! Connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use storebox_provisioning::identity::BoxId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::api::Peer;

/// Connections at once; more wait to be accepted. Each takes some ten kilobytes.
const CONNECTIONS: usize = 10_000;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After this the next connection is tried again, when there were too many files.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, tls: rustls::ServerConfig, router: Router) -> ! {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { std::process::abort() };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("no connection: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = attend(stream, acceptor, router).await {
                log::debug!("a connection ended: {error}");
            }
            drop(permit);
        });
    }
}

async fn attend(stream: TcpStream, acceptor: TlsAcceptor, router: Router) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = Peer(shown.and_then(|certificate| BoxId::of_certificate(certificate)));
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let served = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    served.map_err(io::Error::other)
}
