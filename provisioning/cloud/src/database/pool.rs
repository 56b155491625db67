//! Connections to PostgreSQL.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::DatabaseError;

/// Connections of one instance. Transactions take milliseconds: eight do some thousand of them a second, and a server takes
/// a hundred connections unless it is told otherwise.
const CONNECTIONS: usize = 8;
/// How long one of the server's hosts may take to answer.
const CONNECT: Duration = Duration::from_secs(3);
/// What a connection begins with. A row is looked up by its key even in a table so small that reading all of it is as fast:
/// who reads a whole table conflicts with everybody who writes into it. The server minds the time as well, in case this
/// process is gone.
const SESSION: &str = "
    SET enable_seqscan = off;
    SET statement_timeout = '10s';
    SET idle_in_transaction_session_timeout = '10s';
    SET client_min_messages = warning";

/// Where PostgreSQL is.
pub struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    /// Reads `postgres://USER:PASSWORD@HOST/DATABASE`, or what else libpq takes. With a file of authorities, the connection
    /// is encrypted, and the server's certificate has to be theirs and name its host.
    ///
    /// # Errors
    /// [`NotAServer`].
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Self, NotAServer> {
        let mut config = Config::from_str(url).map_err(|error| NotAServer::Url(super::chain(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(NotAServer::Url("it names no host".to_owned()));
        }
        config.application_name("storebox-cloud").connect_timeout(CONNECT).tcp_user_timeout(super::WAIT);
        let tls = match authorities {
            Some(file) => {
                config.ssl_mode(SslMode::Require);
                Some(MakeRustlsConnect::new(tls(file)?))
            }
            None if config.get_ssl_mode() == SslMode::Require => return Err(NotAServer::NoAuthorities),
            None => None,
        };
        Ok(Self { config, tls })
    }

    /// How many connections there will be at most.
    pub const fn connections(&self) -> usize {
        CONNECTIONS
    }

    /// Whether what is said to it may be read on its way.
    pub fn is_in_the_open(&self) -> bool {
        let is_near = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        };
        self.tls.is_none() && !self.config.get_hosts().iter().all(is_near)
    }

    async fn connect(&self) -> Result<Connection, tokio_postgres::Error> {
        let (client, task) = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, tokio::spawn(carry(connection)))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, tokio::spawn(carry(connection)))
            }
        };
        let connection = Connection { client, task: task.abort_handle() };
        connection.client.batch_execute(SESSION).await?;
        Ok(connection)
    }
}

/// Nobody but the server may read what is said to it.
fn tls(file: &Path) -> Result<ClientConfig, NotAServer> {
    let unusable = |error: String| NotAServer::Authorities(format!("{}: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| unusable(error.to_string()))?.with_root_certificates(roots).with_no_client_auth())
}

/// Moves a connection's bytes until it ends; whoever waits for an answer then learns of it.
async fn carry(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        log::debug!("a connection to the database ended: {}", super::chain(&error));
    }
}

/// A connection, which ends with the value, even if the server no longer answers.
pub(super) struct Connection {
    pub(super) client: Client,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connections that nobody uses at the moment. How many are in use is bounded by the turns of
/// [`Database`](super::Database).
pub(super) struct Pool {
    server: Server,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(server: Server) -> Self {
        Self { server, idle: Mutex::default() }
    }

    /// One that was used before, or a new one.
    ///
    /// # Errors
    /// [`DatabaseError::Away`], [`DatabaseError::Slow`].
    pub(super) async fn take(&self, deadline: Instant) -> Result<Connection, DatabaseError> {
        while let Some(connection) = self.pop() {
            if !connection.client.is_closed() {
                return Ok(connection);
            }
        }
        let connecting = timeout_at(deadline, self.server.connect()).await;
        connecting.map_err(|_| DatabaseError::Slow)?.map_err(DatabaseError::Away)
    }

    /// Keeps one for the next who needs it.
    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.client.is_closed() && idle.len() < CONNECTIONS {
            idle.push(connection);
        }
    }

    /// Forgets the idle ones: where one broke, the others are no better.
    pub(super) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn pop(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// What was said of the database's server cannot be used.
#[derive(Debug)]
pub enum NotAServer {
    /// Its URL is wrong.
    Url(String),
    /// Its authorities cannot be read.
    Authorities(String),
    /// It is to be encrypted, but nobody says whose certificate to believe.
    NoAuthorities,
}

impl From<io::Error> for NotAServer {
    fn from(error: io::Error) -> Self {
        Self::Authorities(error.to_string())
    }
}

impl fmt::Display for NotAServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "the database's URL is none ({error}): postgres://USER@HOST/DATABASE"),
            Self::Authorities(error) => write!(f, "the database's authorities cannot be used: {error}"),
            Self::NoAuthorities => f.write_str(
                "sslmode=require says that the database's connection is encrypted, but not for whom: name the file of \
                 its authorities with --database-ca",
            ),
        }
    }
}

impl std::error::Error for NotAServer {}
