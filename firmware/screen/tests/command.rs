//! The program as the unit starts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and wait for real time"
)]

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::unistd::ttyname;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(label: &str) -> Self {
        let path = std::env::temp_dir().join(format!("storebox-screen-{label}-{}", std::process::id()));
        let _left_by_an_earlier_process = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn status(&self) -> PathBuf {
        self.0.join("status.json")
    }

    /// Writes the status as the daemon does, at this moment.
    fn says(&self, name: &str, state: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = storebox_core::time::Timestamp::from_millis(now.as_millis().try_into().unwrap());
        let text = format!(
            r#"{{"version":"0.1.0","name":"{name}","state":"{state}","since":"2026-01-31T12:00:00.000Z","port":443,
                "pairedDevices":2,"pendingUploads":0,"connectivity":"local_only","at":"{at}"}}"#
        );
        let aside = self.0.join("aside");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, self.status()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Ended with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn command(status: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storebox-screen"));
    command.arg("--status").arg(status).arg("--data").arg(status.with_file_name("data.json")).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_command_line_is_checked() {
    let nowhere = Path::new("/nonexistent/status.json");
    for (arguments, words) in [
        (&[][..], "--tty"),
        (&["--once", "--tty", "/dev/null"][..], "--once"),
        (&["--tty"][..], "--tty"),
        (&["--ttty", "/dev/null"][..], "--ttty"),
        (&["/dev/null"][..], "/dev/null"),
    ] {
        let output = command(nowhere).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", text(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{arguments:?}: {}", text(&output));
    }
    for argument in ["--help", "--version"] {
        let output = command(nowhere).arg(argument).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("storebox-screen"), "{}", text(&output));
    }
}

#[test]
fn once_prints_what_the_files_say() {
    let folder = Folder::new("once");
    let once = || text(&command(&folder.status()).arg("--once").output().unwrap());
    assert!(once().contains("Starting..."), "{}", once());
    folder.says("Corner shop", "selling");
    fs::write(folder.0.join("data.json"), r#"{"encrypted":true,"reason":"data encrypted with this box's TPM"}"#)
        .unwrap();
    let shown = once();
    for words in ["Corner shop", "2 terminals are paired", "data encrypted with this box's TPM", "\n> "] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    fs::write(folder.status(), "{\"version\":").unwrap();
    let damaged = once();
    assert!(damaged.contains("cannot read") && damaged.contains("Starting..."), "{damaged}");
}

#[test]
fn a_serial_console_gets_each_change_once_and_one_that_is_missing_is_waited_for() {
    let folder = Folder::new("tty");
    folder.says("Corner shop", "starting");
    let pty = openpty(None, None).unwrap();
    let console = ttyname(&pty.slave).unwrap();
    let missing = folder.0.join("console");
    let mut command = command(&folder.status());
    command.arg("--tty").arg(&missing).arg("--tty").arg(&console).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let mut master = File::from(pty.master);

    let first = read_until(&mut master, "Starting...");
    folder.says("Corner shop", "selling");
    let second = read_until(&mut master, "2 terminals are paired");
    let shown = first + &second;
    assert_eq!(shown.matches("Corner shop").count(), 2, "each screen is shown once\n{shown}");

    // New words that say the same are no new screen.
    folder.says("Corner shop", "selling");
    assert!(!is_readable(&master, Duration::from_millis(2_500)), "nothing changed");

    fs::write(&missing, "").unwrap();
    let started = Instant::now();
    while fs::read_to_string(&missing).unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10), "the console that came late stays empty");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(running);
}

/// Reads until `words` and whatever belongs to their screen have come.
fn read_until(master: &mut File, words: &str) -> String {
    let mut shown = String::new();
    while !shown.contains(words) || is_readable(master, Duration::from_millis(300)) {
        assert!(is_readable(master, Duration::from_secs(10)), "no \"{words}\" after\n{shown}");
        let mut bytes = [0; 4_096];
        let count = master.read(&mut bytes).unwrap();
        shown += &String::from_utf8_lossy(bytes.get(..count).unwrap());
    }
    shown
}

fn is_readable(master: &File, within: Duration) -> bool {
    let mut ready = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
    poll(&mut ready, PollTimeout::try_from(within).unwrap()).unwrap() > 0
}
