//! The hardware watchdog, from the first moment: a start that hangs is ended like a system that hangs.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::{clock, ioctl, limits};

/// systemd feeds this one, so this one is armed: another would reset the box as soon as nobody feeds it.
const DEVICE: &str = "watchdog0";
/// The armed watchdog, or none on a machine without.
#[derive(Debug)]
pub struct Watchdog {
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    device: File,
    fed: Instant,
}

impl Watchdog {
    /// Opens the watchdog in `dev`, which starts it, and answers a line for the log. A machine without one starts all
    /// the same.
    pub fn arm(dev: &Path) -> (Self, String) {
        let device = match OpenOptions::new().write(true).open(dev.join(DEVICE)) {
            Ok(device) => device,
            Err(error) => return (Self { armed: None }, format!("no watchdog: {error}")),
        };
        let told = match ioctl::set_watchdog_timeout(&device, limits::WATCHDOG_TIMEOUT_S.cast_signed()) {
            Ok(seconds) => format!("watchdog armed, {seconds} s"),
            Err(error) => format!("watchdog armed, its timeout could not be set: {error}"),
        };
        let mut armed = Armed { device, fed: clock::now() };
        armed.feed();
        (Self { armed: Some(armed) }, told)
    }

    /// A sign of life, not more often than needed.
    pub fn feed(&mut self) {
        if let Some(armed) = &mut self.armed
            && armed.fed.elapsed() >= limits::FEED_EVERY
        {
            armed.feed();
        }
    }

    /// Leaves the running watchdog to systemd, which has the timeout's seconds to open it.
    ///
    /// Closing does not stop it: a driver with "magic close" stops only after a `V` was written
    /// (`Documentation/watchdog/watchdog-api.rst`), which never happens here, and the drivers of our boards have it. The
    /// kernel says "watchdog did not stop!" to that, as it should.
    pub fn hand_over(self) {
        if let Some(mut armed) = self.armed {
            armed.feed();
        }
    }
}

impl Armed {
    fn feed(&mut self) {
        // Any byte but `V`. An error cannot be helped here; without food the box restarts.
        let _ = self.device.write_all(b"1");
        self.fed = clock::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_watchdog_is_fed_but_never_told_to_stop() {
        let dev = std::env::temp_dir().join(format!("storebox-initramfs-watchdog-{}", std::process::id()));
        fs::create_dir_all(&dev).unwrap();
        fs::write(dev.join(DEVICE), "").unwrap();
        let (mut watchdog, _) = Watchdog::arm(&dev);
        watchdog.feed();
        watchdog.hand_over();
        let written = fs::read(dev.join(DEVICE)).unwrap();
        fs::remove_dir_all(&dev).unwrap();
        assert!(!written.is_empty() && !written.contains(&b'V'), "{written:?}");
    }

    #[test]
    fn a_machine_without_a_watchdog_starts() {
        let (watchdog, told) = Watchdog::arm(Path::new("/nonexistent"));
        assert!(watchdog.armed.is_none());
        assert!(told.starts_with("no watchdog"), "{told}");
    }
}
