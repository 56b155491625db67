//! Where the run does its work: under the build's target folder, so that store and raw syncs share a disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders and binaries of a run. Its scratch folder goes with it, unless the run failed.
#[derive(Debug)]
pub(crate) struct Workplace {
    target: PathBuf,
    /// Held as long as the run: two at once would measure each other.
    _lock: File,
}

impl Workplace {
    /// Takes the folder for this run.
    pub(crate) fn take() -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let target = program.ancestors().nth(2).expect("cargo builds into target/PROFILE").to_owned();
        fs::create_dir_all(target.join("bench")).expect("the target folder can be written");
        let lock = File::create(target.join("bench/lock")).expect("the target folder can be written");
        lock.try_lock().expect("another run has this folder; two at once would measure each other");
        let this = Self { target, _lock: lock };
        // Left by a run that failed.
        let _ = fs::remove_dir_all(this.scratch());
        fs::create_dir_all(this.scratch()).expect("the target folder can be written");
        this
    }

    /// The folder for everything that goes with the run.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.target.join("bench/run")
    }

    /// Where the report goes if nobody says.
    pub(crate) fn report(&self) -> PathBuf {
        self.target.join("bench/report.md")
    }

    /// Builds the box as it ships.
    pub(crate) fn build_box(&self) -> PathBuf {
        build(&self.target, &[])
    }

    /// Builds the box that keeps nothing. Its own target folder keeps it from replacing the real one.
    pub(crate) fn build_without_storage(&self) -> PathBuf {
        build(&self.target.join("bench-without-storage"), &["--features", "without-storage"])
    }

    /// Compiles what makes syncs slower.
    pub(crate) fn build_slow_sync(&self) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/slow_sync.c");
        let library = self.target.join("bench/slow_sync.so");
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        succeed(compiler);
        library
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for inspection: {}", self.scratch().display());
        } else if let Err(err) = fs::remove_dir_all(self.scratch()) {
            eprintln!("cannot remove {}: {err}", self.scratch().display());
        }
    }
}

/// The folder that holds the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a workspace")
}

fn build(target: &Path, features: &[&str]) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "-p", "storeboxd"]).args(features);
    cargo.arg("--target-dir").arg(target).current_dir(root());
    succeed(cargo);
    target.join("release/storeboxd")
}

fn succeed(mut command: Command) {
    // What it prints is progress, and standard output is for figures.
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let status = status.unwrap_or_else(|err| panic!("cannot run {command:?}: {err}"));
    assert!(status.success(), "{command:?} failed: {status}");
}
