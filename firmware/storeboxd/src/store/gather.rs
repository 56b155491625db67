//! How many commands share one sync.
//!
//! A sync costs the same for one command as for a hundred. While one runs, the next commands pile up by
//! themselves; but the terminals that were just answered come back a moment later, and a batch that starts
//! without them makes them wait for a whole sync more. So the committer waits for as many as it expects, for at
//! most half of what the last commit took.

use std::time::Duration;

use storebox_core::limits::{BATCH_COMMANDS, BATCH_WAIT_US};

/// What the last batch tells about the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gather {
    last_size: usize,
    last_commit: Duration,
}

impl Gather {
    /// How many commands are expected, with so many requests under way.
    ///
    /// One alone never waits: nobody would join it.
    pub(super) fn expected(&self, under_way: usize) -> usize {
        under_way.max(self.last_size).min(BATCH_COMMANDS)
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Duration {
        (self.last_commit / 2).min(Duration::from_micros(BATCH_WAIT_US))
    }

    /// Learns from a batch.
    pub(super) fn learn(&mut self, size: usize, commit: Duration) {
        self.last_size = size;
        self.last_commit = commit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_never_waits() {
        let mut gather = Gather::default();
        assert_eq!(gather.patience(), Duration::ZERO);
        gather.learn(1, Duration::from_millis(10));
        assert_eq!(gather.expected(1), 1);
    }

    #[test]
    fn the_wait_is_short_beside_the_commit() {
        let mut gather = Gather::default();
        gather.learn(64, Duration::from_millis(10));
        assert_eq!(gather.expected(3), 64);
        assert_eq!(gather.patience(), Duration::from_micros(BATCH_WAIT_US));
        gather.learn(64, Duration::from_micros(200));
        assert_eq!(gather.patience(), Duration::from_micros(100));
    }
}
