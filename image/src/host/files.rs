//! Files of the host, with failures that name them.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::host::failure::{Failure, OrFail};

/// Makes a folder and those above it.
///
/// # Errors
/// If it cannot be made.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).or_fail(|| format!("cannot make the folder {}", path.display()))
}

/// Makes a folder that is empty, removing what was there.
///
/// # Errors
/// If it cannot be emptied or made.
pub fn make_empty(path: &Path) -> Result<(), Failure> {
    remove(path)?;
    make_folder(path)
}

/// Removes a file, a link or a folder with everything in it. What is not there is removed already.
///
/// # Errors
/// If it cannot be removed.
pub fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.or_fail(|| format!("cannot remove {}", path.display()))
}

/// Reads a file as text.
///
/// # Errors
/// If it cannot be read, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).or_fail(|| format!("cannot read {}", path.display()))
}

/// Reads a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).or_fail(|| format!("cannot read {}", path.display()))
}

/// Writes a file, making the folders above it.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content).or_fail(|| format!("cannot write {}", path.display()))
}

/// Copies a file and its mode, making the folders above the copy.
///
/// # Errors
/// If it cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    fs::copy(from, to).map(|_| ()).or_fail(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Makes a symbolic link, replacing a file or link of that name.
///
/// # Errors
/// If it cannot be made.
pub fn link(target: &str, path: &Path) -> Result<(), Failure> {
    remove(path)?;
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    symlink(target, path).or_fail(|| format!("cannot make the link {}", path.display()))
}

/// Sets a file's mode.
///
/// # Errors
/// If it cannot be set.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .or_fail(|| format!("cannot set the mode of {}", path.display()))
}

/// What is in a folder and below: paths relative to it, folders before what is in them, otherwise sorted.
///
/// # Errors
/// If a folder cannot be read.
pub fn walk(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut ahead = vec![PathBuf::new()];
    while let Some(inside) = ahead.pop() {
        let here = folder.join(&inside);
        let entries = fs::read_dir(&here).or_fail(|| format!("cannot read the folder {}", here.display()))?;
        for entry in entries {
            let entry = entry.or_fail(|| format!("cannot read the folder {}", here.display()))?;
            let path = inside.join(entry.file_name());
            let kind = entry.file_type().or_fail(|| format!("cannot look at {}", entry.path().display()))?;
            if kind.is_dir() {
                ahead.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder's content over another folder's.
///
/// # Errors
/// If something cannot be read or written.
pub fn overlay(from: &Path, onto: &Path) -> Result<(), Failure> {
    for path in walk(from)? {
        let source = from.join(&path);
        let kind = fs::symlink_metadata(&source).or_fail(|| format!("cannot look at {}", source.display()))?;
        if kind.is_dir() {
            make_folder(&onto.join(&path))?;
        } else {
            copy(&source, &onto.join(&path))?;
        }
    }
    Ok(())
}

/// The size of a file in bytes.
///
/// # Errors
/// If there is no such file.
pub fn size(path: &Path) -> Result<u64, Failure> {
    fs::metadata(path).map(|found| found.len()).or_fail(|| format!("cannot look at {}", path.display()))
}

/// SHA-256 of a file, hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, Failure> {
    let mut file = fs::File::open(path).or_fail(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).or_fail(|| format!("cannot read {}", path.display()))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
