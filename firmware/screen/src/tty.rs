//! A screen or a serial console that may be absent, slow or unplugged.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::render::{COLUMNS, NEXT_STEP};

/// A screen is drawn again so often although nothing changed: the kernel may have written over it.
const REDRAW: Duration = Duration::from_secs(10);

/// Somewhere to draw. Nothing here waits: a console with nobody at its other end must not hold up the others.
pub struct Tty {
    path: PathBuf,
    kind: Kind,
    open: Option<Open>,
    /// Why it cannot be used, if it cannot.
    trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A virtual console: drawn in place.
    Screen,
    /// Anything else: each new screen below the last, so that what was there stays readable.
    Serial,
}

struct Open {
    file: File,
    shown: Vec<String>,
    drawn_at: Duration,
    /// What the console has not taken yet.
    pending: Vec<u8>,
}

impl Tty {
    /// A console, not yet opened.
    pub fn new(path: PathBuf) -> Self {
        Self { kind: kind(&path), path, open: None, trouble: None }
    }

    /// Draws `lines` if they are new, or if it is time to draw them again; `now` is monotonic. What does not work is
    /// said once and tried again with the next call.
    pub fn draw(&mut self, lines: &[String], now: Duration) {
        let trouble = match self.try_draw(lines, now) {
            Ok(()) => None,
            Err(error) => {
                self.open = None;
                Some(format!("cannot draw on {}: {error}", self.path.display()))
            }
        };
        if let Some(text) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            let _said = writeln!(io::stderr(), "{text}");
        }
        self.trouble = trouble;
    }

    fn try_draw(&mut self, lines: &[String], now: Duration) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open {
                file: open_without_waiting(&self.path)?,
                shown: Vec::new(),
                drawn_at: now,
                pending: Vec::new(),
            }),
        };
        open.write_pending()?;
        let is_due = self.kind == Kind::Screen && now.saturating_sub(open.drawn_at) >= REDRAW;
        if !open.pending.is_empty() || (open.shown == lines && !is_due) {
            return Ok(());
        }
        open.pending = frame(lines, self.kind);
        lines.clone_into(&mut open.shown);
        open.drawn_at = now;
        open.write_pending()
    }
}

impl Open {
    fn write_pending(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Neither waits for a carrier nor becomes the terminal this process is ended by (open(2)).
fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits()).open(path)
}

fn kind(path: &Path) -> Kind {
    let number = path.to_str().and_then(|path| path.strip_prefix("/dev/tty"));
    let is_screen = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    if is_screen { Kind::Screen } else { Kind::Serial }
}

/// The bytes that show `lines` (console_codes(4)).
fn frame(lines: &[String], kind: Kind) -> Vec<u8> {
    let mut text = String::new();
    match kind {
        Kind::Screen => {
            // Home, then every line over what stood there: clearing first would flicker.
            text.push_str("\x1b[H");
            for line in lines {
                let is_next_step = line.starts_with(NEXT_STEP);
                let (on, off) = if is_next_step { ("\x1b[7m", "\x1b[0m") } else { ("", "") };
                text.push_str(&format!("{on}{line}{off}\x1b[K\r\n"));
            }
            text.push_str("\x1b[J");
        }
        Kind::Serial => {
            text.push_str(&format!("\r\n{}\r\n", "-".repeat(COLUMNS)));
            for line in lines {
                text.push_str(&format!("{line}\r\n"));
            }
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_are_told_apart_by_their_names() {
        for (path, expected) in [
            ("/dev/tty1", Kind::Screen),
            ("/dev/tty12", Kind::Screen),
            ("/dev/ttyS0", Kind::Serial),
            ("/dev/ttyAMA0", Kind::Serial),
            ("/dev/tty", Kind::Serial),
            ("/dev/pts/1", Kind::Serial),
        ] {
            assert_eq!(kind(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_screen_is_drawn_in_place_with_its_next_step_marked() {
        let lines = ["a".to_owned(), "> b".to_owned()];
        let drawn = String::from_utf8(frame(&lines, Kind::Screen)).unwrap();
        assert_eq!(drawn, "\x1b[Ha\x1b[K\r\n\x1b[7m> b\x1b[0m\x1b[K\r\n\x1b[J");
        let printed = String::from_utf8(frame(&lines, Kind::Serial)).unwrap();
        assert_eq!(printed, format!("\r\n{}\r\na\r\n> b\r\n", "-".repeat(78)));
    }
}
