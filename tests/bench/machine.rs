//! On what the figures were measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use storebox_core::time::Timestamp;

use crate::workplace::root;

/// What decides how fast anything is here.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Processors this program may use.
    pub(crate) cores: usize,
    /// What they call themselves.
    pub(crate) processor: String,
    /// Kernel release.
    pub(crate) kernel: String,
    /// File system, device and options under the store.
    pub(crate) disk: String,
    /// Whether the device keeps writes back until it is told to flush, as the kernel sees it.
    pub(crate) disk_cache: String,
    /// When the run began, by the system's clock.
    pub(crate) date: String,
    /// The commit that was built.
    pub(crate) commit: String,
    /// Runnable processes over the last minute, before the run began.
    pub(crate) load: String,
}

impl Machine {
    /// Looks around; `folder` is where the stores will be.
    pub(crate) fn look(folder: &Path) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
        let mount = Mount::of(folder);
        // Memory makes nothing durable, and its syncs cost nothing.
        assert!(!matches!(mount.kind.as_str(), "tmpfs" | "ramfs"), "{} is memory: no disk to measure", mount.point);
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: processor(),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            disk: format!("{} on {} ({})", mount.kind, mount.source, mount.options),
            disk_cache: cache_of(&mount.device),
            date: Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap()).to_string(),
            commit: describe(),
            load: first_line("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
struct Mount {
    point: String,
    device: String,
    kind: String,
    source: String,
    options: String,
}

impl Mount {
    fn of(folder: &Path) -> Self {
        let folder = folder.canonicalize().expect("the folder is there");
        let table = fs::read_to_string("/proc/self/mountinfo").expect("Linux says what is mounted");
        let mounts = table.lines().filter_map(Self::read).filter(|mount| folder.starts_with(&mount.point));
        // Of two on the same point, the later hides the earlier.
        mounts.max_by_key(|mount| mount.point.len()).expect("every folder is on something")
    }

    fn read(line: &str) -> Option<Self> {
        let (first, second) = line.split_once(" - ")?;
        let first: Vec<&str> = first.split(' ').collect();
        let second: Vec<&str> = second.split(' ').collect();
        Some(Self {
            device: (*first.get(2)?).to_owned(),
            point: (*first.get(4)?).to_owned(),
            kind: (*second.first()?).to_owned(),
            source: (*second.get(1)?).to_owned(),
            options: (*second.get(2)?).to_owned(),
        })
    }
}

/// A partition has no queue of its own; its disk, the folder above, has.
fn cache_of(device: &str) -> String {
    let at = Path::new("/sys/dev/block").join(device);
    let read = |queue: &str| fs::read_to_string(at.join(queue)).ok();
    let cache = read("queue/write_cache").or_else(|| read("../queue/write_cache"));
    cache.map_or_else(|| "unknown".to_owned(), |cache| cache.trim().to_owned())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|found| found.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    // ARM machines name their model at the end instead.
    named("model name").or_else(|| named("Model")).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn describe() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--tags"]).current_dir(root()).output();
    match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(_) | Err(_) => "unknown (not a git work tree)".to_owned(),
    }
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_and_without_optional_fields() {
        for line in [
            "29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard",
            "29 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
        ] {
            let mount = Mount::read(line).unwrap();
            assert_eq!((mount.device.as_str(), mount.point.as_str()), ("254:0", "/"));
            assert_eq!((mount.kind.as_str(), mount.source.as_str()), ("ext4", "/dev/vda"));
        }
    }
}
