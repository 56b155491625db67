//! The listener a service manager hands over (sd_listen_fds(3)).
//!
//! On the box systemd listens on port 443 and keeps doing so while the daemon starts again: the daemon needs no
//! privilege for the port, and terminals that come meanwhile wait instead of being refused.

use std::fmt;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};

/// Takes the listener out of the environment (`LISTEN_FDS`, `LISTEN_PID`), ready for an event loop; none if nothing
/// was handed over to this process. To be called first: it changes the environment, which is safe only while there is
/// one thread, and a file opened earlier might have the number of a socket that was announced but is not there.
///
/// # Errors
/// [`InheritedError`] if something else than one TCP listener was handed over: the socket unit is wrong.
pub fn take() -> Result<Option<TcpListener>, InheritedError> {
    let mut handed_over = ListenFd::from_env();
    match handed_over.len() {
        0 => return Ok(None),
        1 => {}
        count => return Err(InheritedError::Many(count)),
    }
    let Some(listener) = handed_over.take_tcp_listener(0).map_err(InheritedError::Unusable)? else { return Ok(None) };
    // A connected socket is one too; it comes from a unit with Accept=yes.
    let listens = getsockopt(&listener, sockopt::AcceptConn).map_err(|errno| InheritedError::Unusable(errno.into()))?;
    if !listens {
        return Err(InheritedError::Connected);
    }
    listener.set_nonblocking(true).map_err(InheritedError::Unusable)?;
    Ok(Some(listener))
}

/// What was handed over cannot be served on. Nothing was written.
#[derive(Debug)]
pub enum InheritedError {
    /// So many sockets; the box serves one.
    Many(usize),
    /// A connection instead of a listener.
    Connected,
    /// No TCP socket, or one that cannot be used.
    Unusable(io::Error),
}

impl fmt::Display for InheritedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service manager did not hand over one TCP listener")?;
        match self {
            Self::Many(count) => write!(f, " but {count} sockets: write one ListenStream= into the socket unit"),
            Self::Connected => f.write_str(" but a connection: remove Accept=yes from the socket unit"),
            Self::Unusable(error) => write!(f, ": {error}; write ListenStream=443 into the socket unit"),
        }
    }
}

impl std::error::Error for InheritedError {}
