//! The box that is measured, as a process.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use storebox_tests::{BoxConfig, Door, Pairing, Terminal};

use crate::medium::Medium;
use crate::quiet::process_s;

/// How long a box may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a box that listens is left alone before it counts as idle.
const SETTLE: Duration = Duration::from_millis(500);

/// A running box with nobody on it but whoever reads its metrics. It is killed when the value goes.
#[derive(Debug)]
pub(crate) struct Subject {
    child: Child,
    folder: PathBuf,
    door: Door,
    /// Who reads the metrics, on a connection of its own.
    observer: Terminal,
    /// Memory it held before anybody connected.
    pub(crate) idle: Memory,
    /// How long it took to listen.
    pub(crate) started_in: Duration,
}

/// Memory a process holds, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident in all, with the parts of its program that were used (`VmRSS`).
    pub(crate) resident: f64,
    /// Resident and its own: heap and stacks (`RssAnon`).
    pub(crate) own: f64,
    /// The most it ever held (`VmHWM`).
    pub(crate) peak: f64,
}

/// What the box counts, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) commits: u64,
    pub(crate) commands: u64,
    pub(crate) commit_us: u64,
    pub(crate) syncs: u64,
    pub(crate) bytes: u64,
    pub(crate) open_orders: u64,
    pub(crate) last_event: u64,
}

impl Subject {
    /// Starts `program` on a new, empty store in `folder`.
    pub(crate) async fn start(program: &Path, folder: &Path, medium: &Medium) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        let config = BoxConfig::new(folder);
        let file = folder.join("storebox.toml");
        fs::write(&file, config.to_toml()).expect("the configuration can be written");
        let log = File::create(folder.join("log")).expect("the log can be written");
        let mut command = medium.command(program);
        command.arg("--config").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // What this machine's service manager says must not reach the box.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM");
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|err| panic!("cannot start {}: {err}", program.display()));

        let door = Door::at(0);
        let newcomer = Terminal::newcomer(&door);
        let idle = Memory { resident: 0.0, own: 0.0, peak: 0.0 };
        let (folder, started_in) = (folder.to_owned(), Duration::ZERO);
        let mut this = Self { child, folder, door, observer: newcomer, idle, started_in };
        this.listens().await;
        this.started_in = started.elapsed();
        tokio::time::sleep(SETTLE).await;
        this.idle = Memory::of(this.child.id());
        this.observer = this.pair("Observer").await;
        this
    }

    /// Pairs another terminal; nothing is connected yet with its token.
    pub(crate) async fn pair(&mut self, name: &str) -> Terminal {
        let secret = fs::read_to_string(self.folder.join("state/lan/secret")).expect("the box made its secret");
        let mut newcomer = Terminal::newcomer(&self.door);
        let paired = newcomer.pair_as(Pairing { name, kind: "pos", secret: secret.trim() }).await;
        paired.unwrap_or_else(|refusal| panic!("pairing was refused: {refusal}"))
    }

    /// What it counts now.
    pub(crate) async fn counts(&mut self) -> Counts {
        let answer = self.observer.get("/metrics").await;
        answer.must_be(200);
        let text = String::from_utf8(answer.bytes.to_vec()).expect("metrics are text");
        Counts::read(&text)
    }

    /// Processor time it has used so far, in seconds, in user and in kernel mode.
    pub(crate) fn cpu_s(&self) -> f64 {
        process_s(self.child.id())
    }

    /// Memory it holds now.
    pub(crate) fn memory(&self) -> Memory {
        Memory::of(self.child.id())
    }

    /// A file of its state; empty if there is none.
    pub(crate) fn state(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join("state").join(name)).unwrap_or_default()
    }

    /// Sets the keys of what is asked of this process apart from those of others on the same store.
    pub(crate) fn seed(&self) -> u64 {
        u64::from(self.child.id()) << 16
    }

    /// Ends it in order, and removes what it kept.
    pub(crate) async fn end(self) {
        let folder = self.folder.clone();
        self.stop().await;
        fs::remove_dir_all(folder).expect("the folder can be removed");
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGTERM).expect("the process takes a signal");
        self.observer.hang_up();
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(asked.elapsed() < PATIENCE, "the box does not end; its log:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        assert!(status.success(), "the box ended with {status}; its log:\n{}", self.log());
    }

    async fn listens(&mut self) {
        let started = Instant::now();
        loop {
            let address = fs::read_to_string(self.folder.join("state/lan/address")).unwrap_or_default();
            if let Some(port) = address.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok()) {
                self.door.move_to(port);
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the box ended instead of listening; its log:\n{}", self.log());
            assert!(started.elapsed() < PATIENCE, "the box does not listen; its log:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_else(|err| format!("no log: {err}"))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It has ended by itself unless the run failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Memory {
    fn of(process: u32) -> Self {
        let path = format!("/proc/{process}/status");
        let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"));
        let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(':')).collect();
        let bytes = |name: &str| {
            let value = fields.get(name).and_then(|value| value.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            // What /proc calls kB is 1024 bytes.
            value.unwrap_or_else(|| panic!("{path} does not say {name}")) * 1024.0
        };
        Self { resident: bytes("VmRSS"), own: bytes("RssAnon"), peak: bytes("VmHWM") }
    }
}

impl Counts {
    fn read(text: &str) -> Self {
        let values: HashMap<&str, u64> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(name, value)| Some((name.strip_prefix("storebox_")?, value.parse().ok()?)))
            .collect();
        let value = |name: &str| *values.get(name).unwrap_or_else(|| panic!("the box does not count {name}:\n{text}"));
        Self {
            commits: value("commits_total"),
            commands: value("commands_total"),
            commit_us: value("commit_microseconds_total"),
            syncs: value("syncs_total"),
            bytes: value("written_bytes_total"),
            open_orders: value("open_orders"),
            last_event: value("last_event"),
        }
    }

    /// What was added since an earlier moment.
    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            commits: self.commits - earlier.commits,
            commands: self.commands - earlier.commands,
            commit_us: self.commit_us - earlier.commit_us,
            syncs: self.syncs - earlier.syncs,
            bytes: self.bytes - earlier.bytes,
            open_orders: self.open_orders - earlier.open_orders,
            last_event: self.last_event - earlier.last_event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_read_by_name() {
        let text = "# TYPE storebox_commits counter\nstorebox_commits_total 3\nstorebox_commands_total 5\n\
                    storebox_commit_microseconds_total 7\nstorebox_syncs_total 6\nstorebox_written_bytes_total 40\n\
                    storebox_open_orders 4\nstorebox_last_event 8\nstorebox_uptime_seconds 9\n# EOF\n";
        let counts = Counts::read(text);
        assert_eq!((counts.commits, counts.commands, counts.syncs), (3, 5, 6));
        assert_eq!((counts.bytes, counts.open_orders, counts.last_event), (40, 4, 8));
        let nothing = counts.since(&counts);
        assert_eq!((nothing.commit_us, nothing.open_orders), (0, 0));
    }
}
