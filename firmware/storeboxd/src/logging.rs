//! Where log lines go: the journal under systemd, standard error elsewhere.

use std::io::Write;

use log::LevelFilter;
use log::kv::{self, Key, Value, VisitSource};

/// Starts logging. `STOREBOX_LOG` sets the level of a run from a shell (`debug`, `info`, `warn`, …).
pub fn start() {
    let level = std::env::var("STOREBOX_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
    if systemd_journal_logger::connected_to_journal()
        && let Ok(journal) = systemd_journal_logger::JournalLog::new()
        && journal.with_extra_fields([("VERSION", env!("CARGO_PKG_VERSION"))]).install().is_ok()
    {
        log::set_max_level(level);
        return;
    }
    env_logger::Builder::new()
        .filter_level(level)
        .format(|out, record| {
            write!(out, "{:5} {}", record.level(), record.args())?;
            let mut pairs = Pairs(out);
            record.key_values().visit(&mut pairs).map_err(std::io::Error::other)?;
            writeln!(out)
        })
        .init();
}

struct Pairs<'a>(&'a mut env_logger::fmt::Formatter);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        write!(self.0, " {key}={value}").map_err(|_| kv::Error::msg("standard error is gone"))
    }
}
