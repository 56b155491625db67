//! One kept TLS connection that speaks HTTP/1.1.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::trust::{Key, Trust, client_config};

/// Where the box listens. Every clone follows when the box comes back on another port.
#[derive(Clone, Debug)]
pub struct Door {
    host: SocketAddr,
    port: Arc<AtomicU16>,
}

impl Door {
    /// A door at a port of this machine.
    pub fn at(port: u16) -> Self {
        Self::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// A door of another machine.
    pub fn to(address: SocketAddr) -> Self {
        Self { host: address, port: Arc::new(AtomicU16::new(address.port())) }
    }

    /// Where it is now.
    pub fn address(&self) -> SocketAddr {
        let mut address = self.host;
        address.set_port(self.port.load(Ordering::Acquire));
        address
    }

    /// Moves it.
    pub fn move_to(&self, port: u16) {
        self.port.store(port, Ordering::Release);
    }
}

/// No whole answer came: whether the request took effect is unknown.
#[derive(Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// A connection to the box, made when it is first needed and again after it broke.
#[derive(Debug)]
pub struct Link {
    door: Door,
    tls: Arc<ClientConfig>,
    from: Option<Ipv4Addr>,
    seen: Arc<Mutex<Option<Key>>>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Link {
    /// A link through `door` that believes `trust`; nothing is connected yet.
    pub fn new(door: &Door, trust: &Trust) -> Self {
        Self::with_versions(door, trust, rustls::ALL_VERSIONS)
    }

    /// The same, speaking only these versions of TLS.
    pub fn with_versions(door: &Door, trust: &Trust, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let (config, seen) = client_config(trust, versions);
        Self { door: door.clone(), tls: Arc::new(config), from: None, seen, sender: None }
    }

    /// Comes from another address of this machine (127.0.0.2 and so on).
    pub fn come_from(&mut self, address: Ipv4Addr) {
        self.from = Some(address);
        self.sender = None;
    }

    /// Another link with the same trust and its own connection.
    pub fn twin(&self) -> Self {
        Self { door: self.door.clone(), tls: self.tls.clone(), from: self.from, seen: self.seen.clone(), sender: None }
    }

    /// The key the box showed on the last full handshake.
    pub fn key_seen(&self) -> Option<Key> {
        *self.seen.lock().unwrap()
    }

    /// The door it goes through.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.sender = None;
    }

    /// Connects if there is no connection.
    ///
    /// # Errors
    /// [`Broken`] if the box does not answer or is not believed.
    pub async fn connect(&mut self) -> Result<(), Broken> {
        self.sender().await.map(|_| ())
    }

    /// Sends a request and gives the answer's head; the body is still to be read. A request that could not be
    /// handed to a kept connection that had died meanwhile goes over a new one: it was never sent.
    ///
    /// # Errors
    /// [`Broken`] if no answer came; the request may have taken effect.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        let mut request = request;
        for _ in 0..2 {
            let sender = self.sender().await?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut refused) => {
                    self.sender = None;
                    match refused.take_message() {
                        Some(unsent) => request = unsent,
                        None => return Err(Broken(format!("the answer did not come: {:?}", refused.error()))),
                    }
                }
            }
        }
        Err(Broken("two connections in a row broke before the request was sent".to_owned()))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Broken`] if no whole answer came; the request may have taken effect.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Broken> {
        let (head, body) = self.send(request).await?.into_parts();
        match body.collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(err) => {
                self.sender = None;
                Err(Broken(format!("the answer broke off: {err:?}")))
            }
        }
    }

    /// Opens a TLS connection of its own, for bytes that are not a request.
    ///
    /// # Errors
    /// [`Broken`] if the box does not answer or is not believed.
    pub async fn open(&self) -> Result<TlsStream<TcpStream>, Broken> {
        let address = self.door.address();
        let broken = |err: std::io::Error| Broken(format!("cannot connect to {address}: {err}"));
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(broken)?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::from((from, 0))).map_err(broken)?;
        }
        let tcp = socket.connect(address).await.map_err(broken)?;
        tcp.set_nodelay(true).map_err(broken)?;
        let name = ServerName::IpAddress(address.ip().into());
        TlsConnector::from(self.tls.clone()).connect(name, tcp).await.map_err(broken)
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Broken> {
        let usable = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            let stream = self.open().await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|err| Broken(format!("HTTP does not start: {err:?}")))?;
            // Ends when the sender goes or the box hangs up; either shows at the next request.
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        Ok(self.sender.as_mut().unwrap())
    }
}
