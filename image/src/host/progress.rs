//! One line that says how far a long step is: on a terminal rewritten in place, else a line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::host::clock;

/// On a terminal: often enough to look alive, seldom enough not to slow anything.
const REWRITE: Duration = Duration::from_millis(200);
/// Elsewhere: a log of a long step stays readable, and a silent one does not look hung.
const REPEAT: Duration = Duration::from_secs(5);

/// What a step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown in decimal megabytes and with their rate.
    Bytes,
    /// Anything else.
    Items,
}

/// Where progress is shown.
pub struct Progress {
    out: Option<Box<dyn Write + Send>>,
    is_terminal: bool,
    step: Option<Step>,
}

struct Step {
    label: String,
    unit: Unit,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    /// Progress on standard error.
    pub fn stderr() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), out: Some(Box::new(io::stderr())), step: None }
    }

    /// Progress nobody sees.
    pub fn hidden() -> Self {
        Self { is_terminal: false, out: None, step: None }
    }

    /// Begins a step, ending the one before. `total` is in `unit` and may be unknown.
    pub fn begin(&mut self, label: impl Into<String>, unit: Unit, total: Option<u64>) {
        self.end();
        let now = clock::monotonic();
        self.step = Some(Step { label: label.into(), unit, total, done: 0, begun: now, shown: now });
        if self.is_terminal {
            self.show("\r", "\x1b[K");
        }
    }

    /// Counts what has been done since.
    pub fn add(&mut self, more: u64) {
        let now = clock::monotonic();
        let every = if self.is_terminal { REWRITE } else { REPEAT };
        let Some(step) = &mut self.step else { return };
        step.done = step.done.saturating_add(more);
        if now.duration_since(step.shown) >= every {
            step.shown = now;
            let (start, end) = if self.is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
            self.show(start, end);
        }
    }

    /// Ends the step, leaving its last line.
    pub fn end(&mut self) {
        if self.step.is_some() {
            self.show(if self.is_terminal { "\r" } else { "" }, if self.is_terminal { "\x1b[K\n" } else { "\n" });
            self.step = None;
        }
    }

    /// A line of its own, between steps or above the current one.
    pub fn note(&mut self, line: &str) {
        let start = if self.is_terminal && self.step.is_some() { "\r\x1b[K" } else { "" };
        self.write(&format!("{start}{line}\n"));
    }

    fn show(&mut self, start: &str, end: &str) {
        if let Some(step) = &self.step {
            let line = step.line(clock::monotonic().duration_since(step.begun));
            self.write(&format!("{start}{line}{end}"));
        }
    }

    /// Progress that cannot be shown is no reason to stop.
    fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Step {
    fn line(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs();
        let total = self.total.map(|total| format!(" of {}", self.amount(total))).unwrap_or_default();
        let rate = match (self.unit, self.done.checked_div(seconds)) {
            (Unit::Bytes, Some(rate)) if rate > 0 => format!(", {}/s", self.amount(rate)),
            (Unit::Bytes | Unit::Items, _) => String::new(),
        };
        format!("{}: {}{total}, {seconds} s{rate}", self.label, self.amount(self.done))
    }

    fn amount(&self, value: u64) -> String {
        match self.unit {
            Unit::Bytes => megabytes(value),
            Unit::Items => value.to_string(),
        }
    }
}

/// Decimal megabytes with one decimal, as downloads are usually named.
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(is_terminal: bool) -> String {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut progress = Progress { out: Some(Box::new(Shared(Arc::clone(&kept)))), is_terminal, step: None };
        progress.begin("fetching", Unit::Items, Some(3));
        progress.add(1);
        progress.note("beware");
        progress.add(2);
        drop(progress);
        String::from_utf8(kept.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_log_gets_whole_lines_only() {
        assert_eq!(shown(false), "beware\nfetching: 3 of 3, 0 s\n");
    }

    #[test]
    fn a_terminal_sees_one_line_rewritten() {
        let expected = "\rfetching: 0 of 3, 0 s\x1b[K\r\x1b[Kbeware\n\rfetching: 3 of 3, 0 s\x1b[K\n";
        assert_eq!(shown(true), expected);
    }

    #[test]
    fn bytes_are_shown_with_their_rate() {
        let now = clock::monotonic();
        let step = Step { label: "a".into(), unit: Unit::Bytes, total: None, done: 25_000_000, begun: now, shown: now };
        assert_eq!(step.line(Duration::from_secs(10)), "a: 25.0 MB, 10 s, 2.5 MB/s");
    }
}
