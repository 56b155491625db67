//! Which partition holds the root: the one with the slot's label whose hash tree has the root hash the kernel was
//! started with. Two disks may carry the label (an old card left in, a stick to install from); the hash tells them apart.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::cmdline::Parameters;
use crate::failure::Failure;
use crate::partitions::{self, Partition};
use crate::verity::{self, TopBlock};
use crate::watchdog::Watchdog;
use crate::{clock, console, limits};

/// Waits for the root's partition, feeding the watchdog.
///
/// # Errors
/// When there is none after [`limits::DISK_WAIT`], or only such with another tree.
pub fn root(parameters: &Parameters, unloaded: &[String], watchdog: &mut Watchdog) -> Result<Partition, Failure> {
    let label = parameters.slot.root_label();
    let begin = clock::now();
    let mut search = Search::default();
    let mut rejected = BTreeSet::new();
    loop {
        let all = partitions::list(Path::new("/sys"));
        let labelled: Vec<_> = all.iter().filter(|one| one.label == label).cloned().collect();
        let mut matching = Vec::new();
        for one in &labelled {
            // What was told apart once is not read again.
            if rejected.contains(&one.node) {
                continue;
            }
            match verity::top_block(one, &parameters.verity) {
                TopBlock::Matches => matching.push(one.clone()),
                TopBlock::Differs => drop(rejected.insert(one.node.clone())),
                // The node may not be there yet, or the medium not be ready.
                TopBlock::Unreadable => {}
            }
        }
        match search.step(begin.elapsed(), &matching, !rejected.is_empty()) {
            Step::Take(root) => {
                if labelled.len() > 1 {
                    let others = partitions::in_words(labelled.iter().filter(|one| **one != root));
                    console::warn(&format!(
                        "more than one disk carries {label}: this start uses {}, not {others}. Take out the disk that \
                         does not belong here.",
                        root.node
                    ));
                }
                return Ok(root);
            }
            Step::Wait => {}
            Step::Announce => console::warn(&format!("waiting for a disk with a partition named {label} …")),
            Step::GiveUp if labelled.is_empty() => {
                return Err(Failure::NoDisk {
                    label,
                    waited_s: begin.elapsed().as_secs(),
                    seen: partitions::in_words(&all),
                    unloaded: unloaded.join(", "),
                });
            }
            Step::GiveUp => {
                let rejected = labelled
                    .iter()
                    .map(|one| {
                        let why = if rejected.contains(&one.node) { "has another content" } else { "cannot be read" };
                        format!("{} {why}", one.node)
                    })
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(Failure::NoMatch { label, rejected });
            }
        }
        watchdog.feed();
        clock::wait(limits::POLL);
    }
}

/// What to do after a look at the disks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Take(Partition),
    Wait,
    Announce,
    GiveUp,
}

/// The rules of waiting, without clock and disks.
#[derive(Debug, Default)]
struct Search {
    first_match: Option<Duration>,
    first_rejected: Option<Duration>,
    announced: bool,
}

impl Search {
    /// `matching` are the partitions with the right content in the order of [`partitions::list`]; `rejected` says that
    /// some have another.
    fn step(&mut self, elapsed: Duration, matching: &[Partition], rejected: bool) -> Step {
        if let Some(best) = matching.first() {
            let since = *self.first_match.get_or_insert(elapsed);
            if !best.removable || elapsed >= since + limits::BUILT_IN_DISK_WAIT {
                return Step::Take(best.clone());
            }
            return Step::Wait;
        }
        if rejected {
            let since = *self.first_rejected.get_or_insert(elapsed);
            if elapsed >= since + limits::BETTER_DISK_WAIT {
                return Step::GiveUp;
            }
        }
        if elapsed >= limits::DISK_WAIT {
            return Step::GiveUp;
        }
        if elapsed >= limits::DISK_ANNOUNCE && !rejected && !self.announced {
            self.announced = true;
            return Step::Announce;
        }
        Step::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partitions::tests::partition;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_built_in_disk_is_taken_at_once() {
        let disk = partition("nvme0n1p", 3, "storebox-root-a", false);
        assert_eq!(Search::default().step(s(0), std::slice::from_ref(&disk), false), Step::Take(disk));
    }

    #[test]
    fn a_stick_lets_a_built_in_disk_go_first() {
        let stick = partition("sda", 3, "storebox-root-a", true);
        let disk = partition("sdb", 3, "storebox-root-a", false);
        let mut search = Search::default();
        assert_eq!(search.step(s(1), std::slice::from_ref(&stick), false), Step::Wait);
        assert_eq!(search.step(s(2), &[disk.clone(), stick], false), Step::Take(disk));
    }

    #[test]
    fn a_stick_alone_is_taken_after_a_moment() {
        let stick = partition("sda", 3, "storebox-root-a", true);
        let mut search = Search::default();
        assert_eq!(search.step(s(20), std::slice::from_ref(&stick), false), Step::Wait);
        assert_eq!(search.step(s(22), std::slice::from_ref(&stick), false), Step::Take(stick));
    }

    #[test]
    fn waiting_is_announced_once_and_ends() {
        let mut search = Search::default();
        assert_eq!(search.step(s(2), &[], false), Step::Wait);
        assert_eq!(search.step(s(3), &[], false), Step::Announce);
        assert_eq!(search.step(s(4), &[], false), Step::Wait);
        assert_eq!(search.step(s(29), &[], false), Step::Wait);
        assert_eq!(search.step(s(30), &[], false), Step::GiveUp);
    }

    #[test]
    fn a_damaged_disk_does_not_hold_up_the_restart_for_long() {
        let mut search = Search::default();
        assert_eq!(search.step(s(1), &[], true), Step::Wait);
        assert_eq!(search.step(s(5), &[], true), Step::Wait);
        assert_eq!(search.step(s(6), &[], true), Step::GiveUp);
    }

    #[test]
    fn a_good_disk_beside_a_damaged_one_is_taken() {
        let disk = partition("sdb", 3, "storebox-root-a", false);
        let mut search = Search::default();
        assert_eq!(search.step(s(1), &[], true), Step::Wait);
        assert_eq!(search.step(s(2), std::slice::from_ref(&disk), true), Step::Take(disk));
    }
}
