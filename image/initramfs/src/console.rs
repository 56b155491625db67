//! Words for people: on every console, and in the kernel's log for later.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use nix::sys::reboot::{RebootMode, reboot};

use crate::{clock, limits};

/// What the kernel log marks a line with (`include/linux/kern_levels.h`). Consoles started with `quiet` show neither.
const WARNING: u8 = 4;
const INFO: u8 = 6;

/// Into the kernel's log only.
pub fn note(text: &str) {
    kernel_log(INFO, text);
}

/// Onto every console, and into the kernel's log.
pub fn warn(text: &str) {
    kernel_log(WARNING, text);
    show(&format!("\nStore box: {text}\n"));
}

/// Tells why the box cannot start and restarts it, so that boot counting can choose the other slot.
pub fn fail_and_restart(why: &str) -> ! {
    let seconds = limits::READ_FAILURE.as_secs();
    warn(&format!("the box cannot start: {why}\nThe box restarts in {seconds} s."));
    clock::wait(limits::READ_FAILURE);
    // The answer would be an error; then the watchdog, which nobody feeds any more, restarts the box.
    let _ = reboot(RebootMode::RB_AUTOBOOT);
    loop {
        clock::wait(Duration::from_secs(3600));
    }
}

/// `/dev/console` is only one of the consoles, and which one depends on the board; the kernel lists all of them.
fn show(text: &str) {
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let shown = active.split_ascii_whitespace().filter(|name| write_to(&Path::new("/dev").join(name), text)).count();
    if shown == 0 {
        write_to(Path::new("/dev/console"), text);
    }
}

fn kernel_log(level: u8, text: &str) {
    // One write is one record.
    write_to(Path::new("/dev/kmsg"), &format!("<{level}>storebox: {}\n", text.replace('\n', " ")));
}

/// Whether it was written. Never waits for a terminal, and never becomes its session's.
fn write_to(path: &Path, text: &str) -> bool {
    OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_shown_before_the_watchdog_cuts_them_short() {
        assert!(limits::READ_FAILURE + limits::FEED_EVERY < Duration::from_secs(limits::WATCHDOG_TIMEOUT_S.into()));
    }
}
