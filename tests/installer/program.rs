//! Running the program, and others.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use storebox_tests::Folder;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Of an ended process.
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Fails unless it ended with this code and said each of these words.
    #[track_caller]
    pub fn expect(self, code: i32, words: &[&str]) -> Self {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} was not said:\n{said}");
        }
        self
    }
}

/// The program, to be given its arguments.
pub fn program() -> PathBuf {
    named("STOREBOX_PROVISION", "the command `provision`")
}

/// A program that a variable names.
pub fn named(variable: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} must name {what}; tests/run sets it"));
    std::path::absolute(path).unwrap()
}

/// Runs `provision` in a folder, with nobody to ask.
#[track_caller]
pub fn provision<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Said {
    let mut command = Command::new(program());
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    Said::of(command.output().expect("provision starts"))
}

/// Runs another program, which must succeed, and gives what it printed.
#[track_caller]
pub fn run(name: &str, arguments: &[&OsStr]) -> Vec<u8> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(name).args(arguments).env("PATH", path).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|err| panic!("cannot run {name}: {err}; tests/run installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// A folder of a test's own.
pub fn folder(label: &str) -> Folder {
    Folder::new(&format!("installer-{label}"))
}
