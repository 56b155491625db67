//! How many commands share one sync.
//!
//! A sync costs the same for one command as for a hundred. While one runs, the next commands pile up by
//! themselves; but the terminals that were just answered come back a moment later, and a batch that starts
//! without them makes them wait for a whole commit more: tills then fall into two groups that wait for each other,
//! and everybody waits twice as long as one commit takes. So the committer remembers how many were waiting when the
//! last batch was answered, and waits for as many, for at most a quarter of what the last commit took.

use std::time::Duration;

use storebox_core::limits::{BATCH_COMMANDS, BATCH_WAIT_US};

/// What the last batch tells about the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gather {
    last_waiting: usize,
    last_commit: Duration,
}

impl Gather {
    /// How many commands are expected, with so many requests under way.
    ///
    /// One alone never waits: nobody would join it.
    pub(super) fn expected(&self, under_way: usize) -> usize {
        under_way.max(self.last_waiting).min(BATCH_COMMANDS)
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Duration {
        (self.last_commit / 4).min(Duration::from_micros(BATCH_WAIT_US))
    }

    /// Learns from a batch: how many were waiting when it was done, itself included, and how long it took.
    pub(super) fn learn(&mut self, waiting: usize, commit: Duration) {
        self.last_waiting = waiting;
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
        gather.learn(64, Duration::from_micros(400));
        assert_eq!(gather.patience(), Duration::from_micros(100));
    }
}
