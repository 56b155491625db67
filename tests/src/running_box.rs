//! The real binary as a process.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::config::BoxConfig;
use crate::link::Door;

/// How long the box may take to be ready, with several starting at once on a small machine.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end: the drain's ten seconds, and some.
const END: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// A box under test. It is killed when the value goes.
#[derive(Debug)]
pub struct RunningBox {
    config: BoxConfig,
    child: Option<Child>,
    door: Door,
}

/// How a box ended.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// How long that took.
    pub took: Duration,
    /// Everything it wrote to stderr.
    pub log: String,
}

impl RunningBox {
    /// Starts a box and waits until it listens.
    pub async fn start(config: BoxConfig) -> Self {
        let mut running = Self { config, child: None, door: Door::at(0) };
        running.restart().await;
        running
    }

    /// Starts a box and waits for nothing; [`find_door`](Self::find_door) when it has said that it is ready.
    pub fn launched(config: BoxConfig) -> Self {
        let mut running = Self { config, child: None, door: Door::at(0) };
        running.launch();
        running
    }

    /// Takes the address of a box that says it listens.
    pub fn find_door(&self) {
        self.door.move_to(self.port().expect("a box that is ready has written its address"));
    }

    /// Starts a box that must refuse to run.
    pub async fn refused(config: BoxConfig) -> Stopped {
        Self::launched(config).ended().await
    }

    /// Starts it again on the same state, having killed it first if it still runs, and waits until it listens.
    pub async fn restart(&mut self) {
        self.kill();
        // Left by a kill; it would be taken for the new process's.
        let _ = fs::remove_file(self.config.state_dir().join("lan/address"));
        self.launch();
        let started = Instant::now();
        loop {
            if let Some(port) = self.port() {
                self.door.move_to(port);
                return;
            }
            if let Some(status) = self.child().try_wait().unwrap() {
                panic!("the box ended ({status}) instead of listening; its log:\n{}", self.log());
            }
            assert!(started.elapsed() < START, "the box does not listen after {START:?}; its log:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Starts the process and waits for nothing.
    pub fn launch(&mut self) {
        self.kill();
        let child = command(&self.config).spawn();
        self.child = Some(child.unwrap_or_else(|err| panic!("cannot start {}: {err}", binary().display())));
    }

    /// Ends the process at once (SIGKILL), whatever it is doing.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("the process can be waited for");
        }
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(&mut self) -> Stopped {
        self.ask_to_end();
        self.ended().await
    }

    /// Asks it to end (SIGTERM) and waits for nothing.
    pub fn ask_to_end(&self) {
        kill(self.pid(), Signal::SIGTERM).expect("the process takes a signal");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> Stopped {
        let started = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = self.child().try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < END, "the box does not end; its log:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        self.child = None;
        Stopped { code: status.code(), took: started.elapsed(), log: self.log() }
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        let id = self.child.as_ref().expect("the box runs").id();
        Pid::from_raw(i32::try_from(id).unwrap())
    }

    /// Where it listens; follows restarts.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Its configuration.
    pub const fn config(&self) -> &BoxConfig {
        &self.config
    }

    /// Changes the configuration it is started with next.
    pub fn reconfigure(&mut self, change: impl FnOnce(BoxConfig) -> BoxConfig) {
        self.config = change(self.config.clone());
    }

    /// A file or folder of its state, as this process can reach it.
    pub fn state(&self, name: &str) -> PathBuf {
        let path = self.config.state_dir().join(name);
        match (self.config.disk_bytes, &self.child) {
            // The disk is mounted in the process's own view of the file system.
            (Some(_), Some(child)) => {
                let seen_from = PathBuf::from(format!("/proc/{}/root", child.id()));
                seen_from.join(path.strip_prefix("/").unwrap())
            }
            _ => path,
        }
    }

    /// The pairing secret.
    pub fn secret(&self) -> String {
        self.read("lan/secret").trim().to_owned()
    }

    /// The authority's certificate (PEM).
    pub fn ca(&self) -> String {
        self.read("lan/ca.pem")
    }

    /// Everything it wrote to stderr, over all its runs.
    pub fn log(&self) -> String {
        fs::read(log_path(&self.config))
            .map_or_else(|err| format!("no log: {err}"), |log| String::from_utf8_lossy(&log).into_owned())
    }

    fn read(&self, name: &str) -> String {
        let path = self.state(name);
        fs::read_to_string(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()))
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("the box runs")
    }

    fn port(&self) -> Option<u16> {
        let address = fs::read_to_string(self.state("lan/address")).ok()?;
        address.trim().rsplit_once(':')?.1.parse().ok()
    }
}

impl Drop for RunningBox {
    fn drop(&mut self) {
        if std::thread::panicking() && self.child.is_some() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("the end of the box's log:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
        self.kill();
    }
}

/// The binary under test: `STOREBOX_BIN`, else the one beside this test, else the newest of the workspace.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STOREBOX_BIN") {
        return PathBuf::from(path);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a workspace");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let beside = std::env::current_exe().unwrap();
    let beside = beside.ancestors().nth(2).map(|profile| profile.join("storeboxd"));
    let mut built = vec![target.join("debug/storeboxd"), target.join("release/storeboxd")];
    built.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).and_then(|file| file.modified()).ok()));
    beside.into_iter().chain(built).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("there is no storeboxd to test: run `cargo build -p storeboxd`, or name one in STOREBOX_BIN")
    })
}

fn command(config: &BoxConfig) -> Command {
    let file = config.folder.join("storebox.toml");
    fs::write(&file, config.to_toml()).expect("the configuration can be written");
    let mut command = match (config.disk_bytes, config.own_network, &config.handed_over) {
        (None, false, None) => Command::new(binary()),
        (Some(bytes), false, None) => on_small_disk(config.state_dir(), bytes),
        (None, true, None) => in_own_network(),
        (None, false, Some(_)) => with_descriptor_3(),
        _ => panic!("a box is started in one special way at a time"),
    };
    command.arg("--config").arg(file).args(&config.arguments);
    // What this machine's service manager says must not reach the box under test.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "RUNTIME_DIRECTORY"] {
        command.env_remove(name);
    }
    command.envs(config.env.iter().map(|(name, value)| (name, value)));
    let stdin = config.handed_over.as_ref().map(|socket| socket.try_clone().expect("a descriptor can be copied"));
    command.stdin(stdin.map_or_else(Stdio::null, Stdio::from));
    command.stdout(append(&config.folder.join("stdout"))).stderr(append(&log_path(config)));
    command
}

/// A child can be given its standard input but no other descriptor, so the shell puts it where it belongs.
fn with_descriptor_3() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""]).arg(binary());
    command
}

/// A new network has its loopback interface switched off.
fn in_own_network() -> Command {
    let mut command = unshare("-n");
    command.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(binary());
    command
}

/// Only root may; anybody else is root in a user namespace of their own.
fn unshare(what: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args((!geteuid().is_root()).then_some("-r")).arg(what);
    command
}

/// `unshare` and `sh` become the box by `exec`: the child's id stays the box's.
fn on_small_disk(state_dir: &Path, bytes: u64) -> Command {
    fs::create_dir_all(state_dir).expect("the mount point can be made");
    let mut command = unshare("-m");
    let script = format!("mount -t tmpfs -o size={bytes} storebox \"$0\" && exec \"$@\"");
    command.args(["sh", "-c", &script]).arg(state_dir).arg(binary());
    command
}

fn log_path(config: &BoxConfig) -> PathBuf {
    config.folder.join("log")
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log can be written")
}
