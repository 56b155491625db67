//! Connections: who may ask, how many at once, and when the helper leaves.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Uid;

use crate::clock::Deadline;
use crate::frame::{self, FrameError};
use crate::limits::{CONNECTIONS_MAX, TRANSFER_TIME_MAX};
use crate::machine::Machine;
use crate::protocol::{Answer, Refusal, Request, decode, encode};
use crate::verbs::Verbs;

/// Answers until nobody has asked for `idle`. Who connects at that very moment waits in the listening socket, which
/// the service manager holds too, and is answered by the next helper.
///
/// # Errors
/// The listening socket failed.
pub fn serve<M: Machine + 'static>(
    listener: &UnixListener,
    verbs: &Arc<Verbs<M>>,
    daemon: Uid,
    idle: Duration,
) -> io::Result<()> {
    // Somebody who connects and leaves at once must not make `accept` wait for the next.
    listener.set_nonblocking(true)?;
    let permits = Permits::new();
    loop {
        let permit = Permits::take(&permits);
        if !is_asked(listener, idle)? {
            drop(permit);
            if permits.are_unused() {
                return Ok(());
            }
            continue;
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if is_of_the_connection(&error) => continue,
            Err(error) => return Err(error),
        };
        let verbs = Arc::clone(verbs);
        let thread = thread::Builder::new().name("connection".to_owned());
        let started = thread.spawn(move || {
            let _permit = permit;
            attend(stream, &verbs, daemon);
        });
        if let Err(error) = started {
            log::error!("no thread for a connection, which is closed: {error}");
        }
    }
}

/// Waits for a connection; `false` if there is none in time.
fn is_asked(listener: &UnixListener, idle: Duration) -> io::Result<bool> {
    let timeout = PollTimeout::try_from(idle).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// accept(2) tells of a connection that has gone again in the same way as of its own failure.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | Interrupted | WouldBlock)
}

/// One connection: one request, one answer.
fn attend<M: Machine>(mut stream: UnixStream, verbs: &Verbs<M>, daemon: Uid) {
    let Some(answer) = answer(&mut stream, verbs, daemon) else {
        return;
    };
    if let Err(refusal) = &answer {
        log::warn!("refused: {refusal}");
    }
    let written = encode(&answer).map_err(|_| FrameError::TooLong);
    let written = written.and_then(|body| frame::write(&mut stream, &body, Deadline::after(TRANSFER_TIME_MAX)));
    if let Err(error) = written {
        log::warn!("the answer was not taken: {error}");
    }
}

/// What is answered; nothing to who sent no request.
fn answer<M: Machine>(stream: &mut UnixStream, verbs: &Verbs<M>, daemon: Uid) -> Option<Answer> {
    match peer(stream) {
        Ok(peer) if peer == daemon || peer.is_root() => {}
        Ok(peer) => {
            log::warn!(uid = peer.as_raw(); "a stranger asks");
            return Some(Err(Refusal::Stranger));
        }
        Err(error) => {
            log::warn!("it is not known who asks: {error}");
            return Some(Err(Refusal::Stranger));
        }
    }
    // A stream accepted from a listener that does not wait may have inherited that.
    if let Err(error) = stream.set_nonblocking(false) {
        return Some(Err(Refusal::failed(error)));
    }
    match frame::read(stream, Deadline::after(TRANSFER_TIME_MAX)) {
        Ok(body) => Some(decode::<Request>(&body).and_then(|request| verbs.carry_out(request))),
        Err(FrameError::TooLong) => Some(Err(Refusal::TooLong)),
        Err(error) => {
            log::warn!("no request came: {error}");
            None
        }
    }
}

/// The user of the process at the other end when it connected (unix(7), `SO_PEERCRED`).
fn peer(stream: &UnixStream) -> io::Result<Uid> {
    Ok(Uid::from_raw(getsockopt(stream, PeerCredentials)?.uid()))
}

/// As many permits as connections are served at once.
struct Permits {
    used: Mutex<usize>,
    given_back: Condvar,
}

struct Permit(Arc<Permits>);

impl Permits {
    fn new() -> Arc<Self> {
        Arc::new(Self { used: Mutex::new(0), given_back: Condvar::new() })
    }

    /// Waits for one.
    fn take(permits: &Arc<Self>) -> Permit {
        let used = permits.used();
        let is_full = |used: &mut usize| *used >= CONNECTIONS_MAX;
        let mut used = permits.given_back.wait_while(used, is_full).unwrap_or_else(PoisonError::into_inner);
        *used += 1;
        Permit(Arc::clone(permits))
    }

    fn are_unused(&self) -> bool {
        *self.used() == 0
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        // A number cannot be left half changed.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut used = self.0.used();
        *used = used.saturating_sub(1);
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::client::{AskError, Client};
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;
    use crate::protocol::Reply;

    const IDLE: Duration = Duration::from_millis(300);
    /// Long enough for an interpreter to start on a busy machine.
    const PATIENT: Duration = Duration::from_secs(5);

    /// Serves `daemon` until idle, while `ask` does its part.
    fn with_helper<T>(test: &str, daemon: Uid, ask: impl FnOnce(&std::path::Path) -> T) -> T {
        with_helper_until(IDLE, test, daemon, ask)
    }

    fn with_helper_until<T>(idle: Duration, test: &str, daemon: Uid, ask: impl FnOnce(&std::path::Path) -> T) -> T {
        let scratch = Scratch::new(test);
        let socket = scratch.root().at("/helper.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let verbs = Arc::new(Verbs::new(scratch.root(), Fake::new()));
        let helper = thread::spawn(move || serve(&listener, &verbs, daemon, idle));
        let result = ask(&socket);
        helper.join().unwrap().unwrap();
        result
    }

    #[test]
    fn the_daemon_is_answered_and_the_helper_leaves() {
        with_helper("serve", Uid::current(), |socket| {
            for _ in 0..10 {
                assert!(matches!(Client::at(socket).ask(&Request::Reboot), Ok(Reply::Done)));
            }
            let refused = Client::at(socket).ask(&Request::SetTime { unix_ms: 0 });
            assert!(matches!(refused, Err(AskError::Refused(Refusal::Failed { .. }))), "{refused:?}");
        });
    }

    #[test]
    fn more_ask_at_once_than_are_served_at_once() {
        with_helper("serve-many", Uid::current(), |socket| {
            let ask = || {
                let socket = socket.to_owned();
                thread::spawn(move || Client::at(&socket).ask(&Request::PowerOff))
            };
            let asking: Vec<_> = (0..4 * CONNECTIONS_MAX).map(|_| ask()).collect();
            for one in asking {
                assert!(matches!(one.join().unwrap(), Ok(Reply::Done)));
            }
        });
    }

    #[test]
    fn who_says_nothing_or_too_much_holds_up_nobody() {
        with_helper("serve-rude", Uid::current(), |socket| {
            let _silent: Vec<_> = (1..CONNECTIONS_MAX).map(|_| UnixStream::connect(socket).unwrap()).collect();
            assert!(matches!(Client::at(socket).ask(&Request::Reboot), Ok(Reply::Done)));
            let mut rude = UnixStream::connect(socket).unwrap();
            rude.write_all(&[0xff; 4]).unwrap();
            let mut answer = Vec::new();
            rude.read_to_end(&mut answer).unwrap();
            assert_eq!(decode::<Answer>(&answer[4..]), Ok(Err(Refusal::TooLong)));
        });
    }

    #[test]
    fn a_stranger_is_told_so() {
        assert!(Uid::current().is_root(), "this test runs as root, which it stops being for one connection");
        let stranger = |socket: &std::path::Path| {
            use std::os::unix::fs::PermissionsExt;
            use std::os::unix::process::CommandExt;
            for path in [socket.parent().unwrap(), socket] {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
            }
            let script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                          sys.stdout.buffer.write(s.recv(100))";
            let output = std::process::Command::new("python3").args(["-c", script]).arg(socket).uid(65_534).output();
            output.expect("install python3, with which a process of another user connects").stdout
        };
        let bytes = with_helper_until(PATIENT, "serve-stranger", Uid::from_raw(12_345), stranger);
        assert_eq!(decode::<Answer>(&bytes[4..]), Ok(Err(Refusal::Stranger)));
    }
}
