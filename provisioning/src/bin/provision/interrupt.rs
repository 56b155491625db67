//! Ctrl-C, noticed between two steps: what is half done is said, not just left.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::{Failure, OrFail};

/// Signals that ask the command to end, held back until it looks.
pub struct Interrupt(SignalFd);

impl Interrupt {
    /// Holds them back from now on. The command has one thread while it does.
    ///
    /// # Errors
    /// If the system cannot.
    pub fn hold() -> Result<Self, Failure> {
        let failed = || "cannot hold back signals".to_owned();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals.thread_block().or_fail(failed)?;
        SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map(Self).or_fail(failed)
    }

    /// Whether somebody asked since the last look.
    pub fn came(&self) -> bool {
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}
