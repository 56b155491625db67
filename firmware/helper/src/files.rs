//! Files below a root: the machine's own, or a test's folder.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use crate::limits::SMALL_FILE_BYTES_MAX;

/// Folder of what only root keeps, on the data partition.
pub const KEPT: &str = "/var/lib/storebox-system";
/// Where networkd looks for what was configured at run time (systemd.network(5)).
pub const NETWORK_RUNTIME: &str = "/run/systemd/network";

/// Where the machine's files begin.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// A folder in which a test has laid out what the machine would have.
    pub fn below(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The file that the running system knows by this absolute path.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let relative = path.as_ref().components().filter(|part| matches!(part, Component::Normal(_)));
        self.0.join(relative.collect::<PathBuf>())
    }

    /// The path that the running system knows a file by, from where it is below this root.
    pub fn name_of<'a>(&self, file: &'a Path) -> &'a Path {
        file.strip_prefix(&self.0).unwrap_or(file)
    }
}

/// The text of a small file, without the line feed at its end; nothing if it cannot be read.
pub fn line(path: &Path) -> Option<String> {
    let bytes = beginning(path, SMALL_FILE_BYTES_MAX).ok()?;
    Some(String::from_utf8(bytes).ok()?.trim().to_owned())
}

/// The number in a small file; nothing if there is none.
pub fn number<N: std::str::FromStr>(path: &Path) -> Option<N> {
    line(path)?.parse().ok()
}

/// Up to `bytes_max` bytes of a file.
///
/// # Errors
/// As reading has them.
pub fn beginning(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether something is mounted at this path of the running system (proc_pid_mountinfo(5): the fifth field).
pub fn is_mount_point(root: &Root, path: &str) -> bool {
    let mounts = fs::read_to_string(root.at("/proc/self/mountinfo")).unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(path))
}

/// Names in a folder, sorted; none if it cannot be read.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Replaces a file by one with these contents and exactly this mode: afterwards, and after a power cut at any moment, it is
/// wholly the old one or wholly the new one. The name with `.new` behind it is used on the way.
///
/// # Errors
/// As writing has them; the old file is unharmed.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
    // The unit's umask takes from a new file what others need who are to read it: networkd is not root.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(folder)
}

/// Removes a file for good. One that is not there is removed already.
///
/// # Errors
/// As removing has them.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new("/"))),
    }
}

/// Makes a folder and those above it, if they are not there.
///
/// # Errors
/// As making has them.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
pub(crate) mod scratch {
    //! A folder of a test.

    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Root;

    /// A folder that goes when the test is over.
    pub(crate) struct Scratch(PathBuf);

    impl Scratch {
        /// An empty one of its own, which `test` describes.
        pub(crate) fn new(test: &str) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("storebox-helper-{}-{test}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _left = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        pub(crate) fn root(&self) -> Root {
            Root::below(&self.0)
        }

        /// Writes a file, with the folders above it.
        pub(crate) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
            let path = self.root().at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }

        pub(crate) fn link(&self, path: &str, to: &str) {
            let path = self.root().at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(to, path).unwrap();
        }

        pub(crate) fn read(&self, path: &str) -> String {
            fs::read_to_string(self.root().at(path)).unwrap()
        }

        pub(crate) fn has(&self, path: &str) -> bool {
            self.root().at(path).exists()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _removed = fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scratch::Scratch;
    use super::*;

    #[test]
    fn a_path_does_not_leave_the_root() {
        let root = Root::below(Path::new("/folder"));
        assert_eq!(root.at("/etc/../../passwd"), Path::new("/folder/etc/passwd"));
        assert_eq!(root.name_of(Path::new("/folder/etc")), Path::new("etc"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_removed_twice() {
        let scratch = Scratch::new("files");
        let file = scratch.root().at("/file");
        replace(&file, b"one", 0o600).unwrap();
        replace(&file, b"two", 0o600).unwrap();
        assert_eq!(names(scratch.path()), ["file"]);
        assert_eq!(line(&file).as_deref(), Some("two"));
        remove(&file).unwrap();
        remove(&file).unwrap();
        assert_eq!(line(&file), None);
    }

    #[test]
    fn a_folder_is_made_once() {
        let scratch = Scratch::new("folders");
        let folder = scratch.root().at("/a/b");
        make_folder(&folder, 0o700).unwrap();
        make_folder(&folder, 0o700).unwrap();
        scratch.write("/a/c", "");
        assert!(make_folder(&scratch.root().at("/a/c"), 0o700).is_err());
    }
}
