//! Files the command makes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, OrFail};
use crate::terminal;

/// Where something goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output: `-`.
    Standard,
    /// Into a file.
    File(PathBuf),
}

impl From<std::ffi::OsString> for Output {
    fn from(word: std::ffi::OsString) -> Self {
        if word == "-" { Self::Standard } else { Self::File(word.into()) }
    }
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner: it holds a secret.
    Owner,
    /// Everybody.
    All,
}

/// Refuses a file that is there already, before anything is done for it.
///
/// # Errors
/// If it is there and may not be replaced.
pub fn must_be_free(path: &Path, may_replace: bool) -> Result<(), Failure> {
    if !may_replace && path.symlink_metadata().is_ok() {
        return Err(Failure::new(format!(
            "{} is there already: move it away, name another with -o, or add --force to replace it",
            path.display()
        )));
    }
    Ok(())
}

/// Writes a file whole or not at all.
///
/// # Errors
/// If it is there and may not be replaced, or cannot be written.
pub fn write(path: &Path, bytes: &[u8], readers: Readers, may_replace: bool) -> Result<(), Failure> {
    must_be_free(path, may_replace)?;
    let failed = || format!("cannot write {}", path.display());
    let name = path.file_name().ok_or_else(|| Failure::usage(format!("{} names no file", path.display())))?;
    let mut aside_name = name.to_owned();
    aside_name.push(format!(".{}", std::process::id()));
    let aside = path.with_file_name(aside_name);
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&aside)
        .and_then(|mut file: File| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| {
            if may_replace {
                fs::rename(&aside, path)
            } else {
                // A link is made only if nothing has the name, however late it came.
                fs::hard_link(&aside, path).or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Err(error),
                    // FAT has no links.
                    _ => fs::rename(&aside, path),
                })
            }
        });
    // It is there only if a link was made, or nothing was.
    let _gone = fs::remove_file(&aside);
    written.or_fail(failed)
}

/// Gives text to wherever it goes.
///
/// # Errors
/// As [`write`] and [`terminal::print`].
pub fn give(output: &Output, text: &str, readers: Readers, may_replace: bool) -> Result<(), Failure> {
    match output {
        Output::Standard => terminal::print(text),
        Output::File(path) => write(path, text.as_bytes(), readers, may_replace),
    }
}
