//! How far a long step is: on a terminal one line rewritten in place, else a line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock;

/// On a terminal: often enough to look alive.
const REWRITE: Duration = Duration::from_millis(200);
/// Elsewhere: seldom enough for a log.
const REPEAT: Duration = Duration::from_secs(5);
/// Before this a rate says nothing.
const MEASURED: Duration = Duration::from_secs(1);

/// What a step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown in decimal megabytes and with their rate.
    Bytes,
    /// Anything else, by its name.
    Items(&'static str),
}

/// A step that takes a while. Its last line is shown when it ends.
pub struct Progress {
    label: &'static str,
    unit: Unit,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    shown: Instant,
    is_terminal: bool,
}

impl Progress {
    /// Begins a step of `total` bytes, if that is known.
    pub fn begin(label: &'static str, total: Option<u64>) -> Self {
        Self::of(label, Unit::Bytes, total)
    }

    /// Begins a step of anything.
    pub fn of(label: &'static str, unit: Unit, total: Option<u64>) -> Self {
        let (now, is_terminal) = (clock::monotonic(), io::stderr().is_terminal());
        let progress = Self { label, unit, total, done: 0, begun: now, shown: now, is_terminal };
        progress.show();
        progress
    }

    /// Counts what is done.
    pub fn add(&mut self, more: u64) {
        self.done = self.done.saturating_add(more);
        let every = if self.is_terminal { REWRITE } else { REPEAT };
        if clock::monotonic().duration_since(self.shown) >= every {
            self.shown = clock::monotonic();
            self.show();
        }
    }

    /// What cannot be shown is no reason to stop.
    fn show(&self) {
        let elapsed = clock::monotonic().duration_since(self.begun);
        let line = match self.unit {
            Unit::Bytes => line(self.label, self.done, self.total, elapsed),
            Unit::Items(name) => {
                let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
                format!("{}: {}{of} {name}", self.label, self.done)
            }
        };
        let (start, end) = if self.is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
        let mut err = io::stderr();
        let _shown = write!(err, "{start}{line}{end}").and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show();
        if self.is_terminal {
            let _shown = writeln!(io::stderr());
        }
    }
}

fn line(label: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let of = total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
    let mut line = format!("{label}: {}{of}", megabytes(done));
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let rate = done.saturating_mul(1000).checked_div(millis).unwrap_or_default();
    if elapsed >= MEASURED && rate > 0 {
        line.push_str(&format!(", {}/s", megabytes(rate)));
        if let Some(left) = total.map(|total| total.saturating_sub(done) / rate).filter(|_| total != Some(done)) {
            line.push_str(&format!(", {} left", duration(left)));
        }
    }
    line
}

/// Seconds in words.
fn duration(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// Decimal megabytes with one decimal, as cards are sold.
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// The size of a disk as it is sold.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000_000_000 { megabytes(bytes) } else { megabytes(bytes / 1000).replace("MB", "GB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_a_step_tells_bytes_rate_and_what_is_left() {
        let after = |seconds, done| line("Writing", done, Some(740_000_000), Duration::from_secs(seconds));
        assert_eq!(after(0, 0), "Writing: 0.0 MB of 740.0 MB");
        assert_eq!(after(10, 200_000_000), "Writing: 200.0 MB of 740.0 MB, 20.0 MB/s, 27 s left");
        assert_eq!(after(10, 20_000_000), "Writing: 20.0 MB of 740.0 MB, 2.0 MB/s, 6 min 00 s left");
        assert_eq!(after(37, 740_000_000), "Writing: 740.0 MB of 740.0 MB, 20.0 MB/s");
        assert_eq!(line("Reading", 5_000_000, None, Duration::from_secs(5)), "Reading: 5.0 MB, 1.0 MB/s");
        assert_eq!((size(31_914_983_424), size(8_000_000)), ("31.9 GB".to_owned(), "8.0 MB".to_owned()));
    }
}
