//! Whether the machine was left to the run.
//!
//! Somebody else's compiler on the same processors turns a sync of 0.1 ms into one of 4 ms, because whoever waited
//! for the disk then waits for the scheduler's tick, and it does so unevenly: the raw sync and the box no longer
//! have the same disk under them. So others are measured with everything else. Whether a measurement counts is
//! decided by them alone, never by what it found.

use std::fs;
use std::time::{Duration, Instant};

/// Others may keep so many processors busy. The kernel's own work for the run's disk and network counts as theirs.
pub(crate) const OTHERS_CORES_MAX: f64 = 0.25;
/// How often a disturbed measurement is made before the last is kept, and marked.
pub(crate) const ATTEMPTS: usize = 4;
/// How long a machine must be quiet before a measurement begins.
const LOOK: Duration = Duration::from_millis(500);
/// How long to wait for that.
const PATIENCE: Duration = Duration::from_secs(120);
/// `/proc` counts processor time in hundredths of a second on every machine Linux runs on (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

/// Watches what others use while something is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    begun: Instant,
    all_s: f64,
}

impl Watch {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), all_s: all_s() }
    }

    /// Seconds since the beginning.
    pub(crate) fn took_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Processors others kept busy, given what the run itself used since the beginning, in seconds. What a host took
    /// away from a virtual machine counts too.
    pub(crate) fn others_cores(&self, ours_s: f64) -> f64 {
        ((all_s() - self.all_s - ours_s) / self.took_s()).max(0.0)
    }
}

/// Waits until others leave the machine alone; goes on all the same when they do not.
pub(crate) async fn wait_for_quiet() {
    let begun = Instant::now();
    let mut said = false;
    loop {
        let (watch, ours_s) = (Watch::begin(), own_s());
        tokio::time::sleep(LOOK).await;
        if watch.others_cores(own_s() - ours_s) < OTHERS_CORES_MAX / 2.0 {
            return;
        }
        if begun.elapsed() > PATIENCE {
            eprintln!("others are still busy after {PATIENCE:?}; measuring all the same");
            return;
        }
        if !said {
            eprintln!("others are busy; waiting");
            said = true;
        }
    }
}

/// Processor time this program has used so far, in seconds.
pub(crate) fn own_s() -> f64 {
    used_s("self", 0)
}

/// Processor time of this program's children that have ended, in seconds.
pub(crate) fn ended_children_s() -> f64 {
    used_s("self", 2)
}

/// Processor time another process has used so far, in seconds.
pub(crate) fn process_s(process: u32) -> f64 {
    used_s(&process.to_string(), 0)
}

/// User and system time in `/proc/PROCESS/stat`: of the process (proc_pid_stat(5), fields 14 and 15) or, `skipped`
/// fields on, of its children.
fn used_s(process: &str, skipped: usize) -> f64 {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"));
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, rest) = text.rsplit_once(')').expect("a name in parentheses");
    sum(rest.split_whitespace().skip(11 + skipped).take(2)) / TICKS_PER_S
}

/// Time in which processors were busy for anybody, in seconds (proc_stat(5)).
fn all_s() -> f64 {
    let text = fs::read_to_string("/proc/stat").expect("Linux counts processor time");
    busy_ticks(text.lines().next().unwrap_or_default()) / TICKS_PER_S
}

/// Everything but idle (field 4) and waiting for the disk (field 5); guests are in the first two already.
fn busy_ticks(line: &str) -> f64 {
    let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
    sum(fields[..3].iter().chain(&fields[5..8]).copied())
}

fn sum<'a>(ticks: impl Iterator<Item = &'a str>) -> f64 {
    ticks.map(|ticks| ticks.parse::<f64>().expect("a number of ticks")).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_are_not_busy() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 2000 8 16 32 64 128"), 63.0);
    }

    #[test]
    fn own_work_is_counted_as_own() {
        let (watch, before_s) = (Watch::begin(), own_s());
        while watch.took_s() < 0.2 {}
        let ours_s = own_s() - before_s;
        assert!(ours_s > 0.0, "spinning costs time");
        assert!(watch.others_cores(ours_s) <= watch.others_cores(0.0), "what is ours is not theirs");
    }
}
