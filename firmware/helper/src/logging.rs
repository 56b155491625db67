//! Where log lines go.

use std::io::Write;

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};

/// To the journal with their key-values when standard error is the journal, else to standard error.
pub fn start() {
    if systemd_journal_logger::connected_to_journal()
        && let Ok(journal) = systemd_journal_logger::JournalLog::new()
        && journal.with_extra_fields([("VERSION", env!("CARGO_PKG_VERSION"))]).install().is_ok()
    {
        log::set_max_level(LevelFilter::Info);
        return;
    }
    start_on_stderr();
}

/// To standard error, each line with its level as `sd-daemon(3)` has it, so that the service manager can show it on
/// the console and file it in the journal.
pub fn start_on_stderr() {
    // A second start changes nothing.
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut pairs = Pairs(String::new());
        // Collecting into a string fails nowhere.
        let _collected = record.key_values().visit(&mut pairs);
        let text = format!("{}{}", record.args(), pairs.0);
        // What a program said may have several lines, each of which is one of the journal's.
        let mark = format!("<{}>", severity(record.level()));
        let line: String = text.lines().map(|line| format!("{mark}{line}\n")).collect();
        // Nobody may be reading; the work goes on.
        let _shown = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Severity of RFC 5424, table 2.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

struct Pairs(String);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}
