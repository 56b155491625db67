//! Small files that are either whole or absent, whatever loses power and when.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Mode of a file only the daemon reads.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of a file anybody may read who can reach its folder.
pub(crate) const PUBLIC: u32 = 0o644;

/// Keys and certificates have about a kilobyte; anything larger is a foreign file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Makes `dir` and its parents if they are missing, and closes `dir` to everybody else.
///
/// # Errors
/// What the system said; part of the folders may exist then.
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    let missing: Vec<_> = dir.ancestors().skip(1).take_while(|dir| !dir.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if fs::metadata(dir)?.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    // A folder that is not synced into its parent takes everything in it along when power is lost.
    [dir].into_iter().chain(missing).try_for_each(|made| sync_dir(&parent(made)))
}

/// The text of a file, `None` if there is no such file.
///
/// # Errors
/// What the system said; also [`io::ErrorKind::InvalidData`] for a file that is no text or far too large.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= FILE_BYTES_MAX) {
        Ok(Some(text))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "larger than any key or certificate"))
    }
}

/// Takes a private file away from everybody else, should somebody have copied it with a wider mode.
///
/// # Errors
/// What the system said.
pub(crate) fn narrow(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(PRIVATE))
}

/// Replaces a file: written aside as `NAME.new`, synced, renamed, its folder synced.
///
/// # Errors
/// What the system said. The old file, or its absence, is untouched, unless the last step failed: then the new
/// one is in place but might not outlive a power loss. Writing again is safe.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = aside(path);
    // What a start that was cut short left behind: it was never renamed, so nothing depends on it.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_dir(&parent(path))
}

fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    PathBuf::from(name)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => PathBuf::from("."),
        None => path.to_owned(),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A folder of its own for one test, removed at the end.
#[cfg(test)]
pub(crate) struct Scratch(pub(crate) PathBuf);

#[cfg(test)]
impl Scratch {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("storebox-lan-{}-{number}", std::process::id()));
        // A folder of an earlier process with the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a test needs a folder");
        Self(path)
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_whole_has_its_mode_and_leaves_nothing_beside_it() {
        let dir = Scratch::new();
        let path = dir.0.join("x");
        fs::write(dir.0.join("x.new"), "half of an earl").unwrap();
        write(&path, b"one", PRIVATE).unwrap();
        write(&path, b"two", PRIVATE).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_none_and_a_foreign_one_is_an_error() {
        let dir = Scratch::new();
        let path = dir.0.join("x");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(&path, vec![b'a'; 70_000]).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let dir = Scratch::new();
        let inner = dir.0.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        private_dir(&inner).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
