//! Accepting connections: bounded, timed, and drained when the box stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use storebox_core::limits::{
    CONNECTIONS, DRAIN_S, HANDSHAKE_S, HEADERS_S, STREAM_PING_S, STREAMS_PER_CONNECTION, WRITE_STALL_S,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::closing::Closing;
use super::tls::ServerTls;
use crate::watchdog::CheckIn;

/// How long the listener rests after the kernel refused it a connection (out of files or memory).
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How often an idle listener shows that it is alive.
const IDLE: Duration = Duration::from_secs(1);

/// Counts connections.
#[derive(Debug, Default)]
pub struct Connections {
    accepted: AtomicU64,
    open: AtomicU64,
    dropped: AtomicU64,
}

impl Connections {
    /// Connections accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections ended by the box: too many, too slow, or without TLS.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A bound listener and what it serves.
pub struct Server {
    /// Where terminals arrive.
    pub listener: TcpListener,
    /// How they are met.
    pub tls: Arc<ServerTls>,
    /// What they are served.
    pub router: Router,
    /// The same object the routes see.
    pub api: Arc<super::Api>,
    /// Shows that the listener is alive.
    pub check_in: CheckIn,
}

impl Server {
    /// Serves until `stopping` becomes true, then lets requests that are under way finish.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut idle = tokio::time::interval(IDLE);
        loop {
            self.check_in.now();
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = idle.tick() => continue,
                changed = stopping.changed() => match changed {
                    Ok(()) if !*stopping.borrow() => continue,
                    Ok(()) | Err(_) => break,
                },
            };
            match accepted {
                Ok((stream, address)) => {
                    // A listener for both families shows an IPv4 terminal as ::ffff:192.168.1.20.
                    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                    self.meet(stream, address, &permits, &graceful);
                }
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        drop(self.listener);
        let drained = tokio::time::timeout(Duration::from_secs(DRAIN_S), graceful.shutdown()).await;
        if drained.is_err() {
            log::warn!("some connections did not end within {DRAIN_S} s and were cut");
        }
    }

    fn meet(&self, stream: TcpStream, address: SocketAddr, permits: &Arc<Semaphore>, graceful: &GracefulShutdown) {
        let connections = &self.api.connections;
        connections.accepted.fetch_add(1, Ordering::Relaxed);
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            // Closed at once: a terminal tries again, a flood costs nothing.
            connections.drop_one();
            return;
        };
        let (tls, router, api) = (Arc::clone(&self.tls), self.router.clone(), Arc::clone(&self.api));
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            api.connections.open.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = converse(stream, address, &tls, router, watcher, permit).await {
                api.connections.drop_one();
                log::debug!(address:% = address; "a connection ended: {error}");
            }
            api.connections.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn converse(
    stream: TcpStream,
    address: SocketAddr,
    tls: &ServerTls,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    permit: OwnedSemaphorePermit,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs(WRITE_STALL_S)));
    let handshake = tls.acceptor().accept(Box::pin(stream));
    let stream = tokio::time::timeout(Duration::from_secs(HANDSHAKE_S), handshake)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        hears.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().call(request)
    });
    let stream = TokioIo::new(Closing::new(stream, permit));
    let connection = builder().serve_connection_with_upgrades(stream, service).into_owned();
    tokio::select! {
        ended = watcher.watch(connection) => ended,
        () = silence(&heard) => Err(io::Error::new(io::ErrorKind::TimedOut, "no request came").into()),
    }
}

/// Returns if no request was heard in the time one may take. Until the first one hyper has no clock running: it still
/// waits for the bytes that tell HTTP/1 from HTTP/2.
async fn silence(heard: &AtomicBool) {
    tokio::time::sleep(Duration::from_secs(HEADERS_S)).await;
    if heard.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEADERS_S))
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .keep_alive_interval(Duration::from_secs(STREAM_PING_S))
        .keep_alive_timeout(Duration::from_secs(WRITE_STALL_S))
        .max_header_list_size(64 * 1024);
    builder
}
