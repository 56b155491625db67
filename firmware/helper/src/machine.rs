//! What is done to the machine, apart from files: a closed list, so that a test can stand in for all of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::statvfs;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use crate::data::tpm::{self, Tpm};
use crate::files;
use crate::limits::{TPM_TIME_MAX, VERB_TIME_MAX};
use crate::program::{Ended, Program, ProgramError};
use crate::verbs::SYSTEMCTL;
use crate::verbs::site::{self, Seen, Visit, VisitError};

/// Where the site partition is mounted while it is read or written. Nobody else sees it.
const SITE_FOLDER: &str = "/run/storebox-helper/site";

/// How a partition is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its device.
    pub device: PathBuf,
    /// Its file system.
    pub kind: &'static str,
    /// The file system's own options (mount(8)).
    pub options: &'static str,
    /// Nothing on it can be changed.
    pub read_only: bool,
}

/// The machine, or what a test has instead.
pub trait Machine: Send + Sync {
    /// Runs a program to its end.
    ///
    /// # Errors
    /// As [`Program::run`].
    fn run(&self, program: &Program) -> Result<Ended, ProgramError>;

    /// Sets the wall clock, by a unit that may do just that.
    ///
    /// # Errors
    /// If the unit fails.
    fn set_clock(&self, unix_ms: u64) -> io::Result<()>;

    /// Sets the name the kernel tells.
    ///
    /// # Errors
    /// As `sethostname(2)`.
    fn set_host_name(&self, name: &str) -> io::Result<()>;

    /// Total and available bytes of the file system at `path`.
    ///
    /// # Errors
    /// As `statvfs(2)`.
    fn space(&self, path: &Path) -> io::Result<(u64, u64)>;

    /// Mounts a file system at `folder` for every process, with nothing on it that could be run.
    ///
    /// # Errors
    /// As `mount(2)`.
    fn mount(&self, what: &Mount, folder: &Path) -> io::Result<()>;

    /// Takes away what is mounted at `folder`, written out and closed.
    ///
    /// # Errors
    /// As `umount(2)`; busy means that it is still mounted.
    fn unmount(&self, folder: &Path) -> io::Result<()>;

    /// Mounts the site partition where no other process sees it, carries out the visit, and lets go of it.
    ///
    /// # Errors
    /// [`VisitError`]; nothing stays mounted.
    fn visit(&self, what: &Mount, visit: Visit) -> Result<Seen, VisitError>;

    /// What the TPM says of itself.
    fn tpm(&self) -> Tpm;
}

/// The machine itself.
#[derive(Clone, Copy, Debug)]
pub struct Here;

impl Machine for Here {
    fn run(&self, program: &Program) -> Result<Ended, ProgramError> {
        program.run()
    }

    fn set_clock(&self, unix_ms: u64) -> io::Result<()> {
        let unit = format!("storebox-clock@{unix_ms}.service");
        let start = Program::new(SYSTEMCTL, VERB_TIME_MAX).arg("start").arg(unit);
        start.run().and_then(|ended| ended.well()).map(|_| ()).map_err(io::Error::other)
    }

    fn set_host_name(&self, name: &str) -> io::Result<()> {
        Ok(nix::unistd::sethostname(name)?)
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let space = statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.fragment_size());
        Ok((bytes(space.blocks()), bytes(space.blocks_available())))
    }

    fn mount(&self, what: &Mount, folder: &Path) -> io::Result<()> {
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
        flags.set(MsFlags::MS_RDONLY, what.read_only);
        Ok(mount(Some(&what.device), folder, Some(what.kind), flags, Some(what.options))?)
    }

    fn unmount(&self, folder: &Path) -> io::Result<()> {
        Ok(umount2(folder, MntFlags::UMOUNT_NOFOLLOW)?)
    }

    fn visit(&self, what: &Mount, visit: Visit) -> Result<Seen, VisitError> {
        // A mount namespace belongs to a thread; when the thread ends, whatever is left in it goes too.
        let what = what.clone();
        let thread = thread::Builder::new().name("site".to_owned()).spawn(move || {
            unshare(CloneFlags::CLONE_NEWNS).map_err(io::Error::from)?;
            let everything = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
            mount(None::<&str>, "/", None::<&str>, everything, None::<&str>).map_err(io::Error::from)?;
            let folder = Path::new(SITE_FOLDER);
            files::make_folder(folder, 0o700)?;
            Here.mount(&what, folder)?;
            let seen = site::visit(folder, &visit);
            Here.unmount(folder)?;
            seen
        });
        thread?.join().unwrap_or_else(|_| Err(VisitError::Failed(io::Error::other("the visit broke off"))))
    }

    fn tpm(&self) -> Tpm {
        tpm::ask_patiently(Path::new(tpm::DEVICE), Path::new(tpm::NAMED), TPM_TIME_MAX)
    }
}

/// Sets the wall clock of this machine, in a process that may do nothing else.
///
/// # Errors
/// As `clock_settime(2)`.
pub fn set_wall_clock(unix_ms: u64) -> io::Result<()> {
    let seconds = i64::try_from(unix_ms / 1000).map_err(io::Error::other)?;
    let nanoseconds = i64::try_from(unix_ms % 1000 * 1_000_000).map_err(io::Error::other)?;
    Ok(clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(seconds, nanoseconds))?)
}

/// Makes a folder that programs expect, with a mode that no mask changes.
///
/// # Errors
/// As making it has them.
pub fn folder_with_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    files::make_folder(path, mode)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
pub(crate) mod fake {
    //! A machine that only remembers.

    use std::sync::Mutex;

    use super::*;

    /// What a program does in a test.
    type Act = Box<dyn Fn(&Program) -> i32 + Send + Sync>;

    /// Everything asked of it, in words.
    pub(crate) struct Fake {
        pub(crate) done: Mutex<Vec<String>>,
        pub(crate) act: Act,
        /// The site partition's files.
        pub(crate) site: Option<PathBuf>,
        pub(crate) tpm: Tpm,
    }

    impl Fake {
        pub(crate) fn new() -> Self {
            Self { done: Mutex::default(), act: Box::new(|_| 0), site: None, tpm: Tpm::None }
        }

        pub(crate) fn done(&self) -> Vec<String> {
            self.done.lock().unwrap().clone()
        }

        fn remember(&self, what: String) {
            self.done.lock().unwrap().push(what);
        }
    }

    impl Machine for Fake {
        fn run(&self, program: &Program) -> Result<Ended, ProgramError> {
            let arguments: Vec<_> = program.arguments.iter().map(|one| one.to_string_lossy()).collect();
            let name = program.file.rsplit('/').next().unwrap();
            self.remember(format!("{name} {}", arguments.join(" ")));
            Ok(Ended { file: program.file, code: (self.act)(program), output: "said so".to_owned() })
        }

        fn set_clock(&self, unix_ms: u64) -> io::Result<()> {
            self.remember(format!("clock {unix_ms}"));
            Ok(())
        }

        fn set_host_name(&self, name: &str) -> io::Result<()> {
            self.remember(format!("host name {name}"));
            Ok(())
        }

        fn space(&self, _: &Path) -> io::Result<(u64, u64)> {
            Ok((1000, 400))
        }

        fn mount(&self, what: &Mount, _: &Path) -> io::Result<()> {
            self.remember(format!("mount {} {}", what.kind, what.device.display()));
            Ok(())
        }

        fn unmount(&self, _: &Path) -> io::Result<()> {
            self.remember("unmount".to_owned());
            Ok(())
        }

        fn visit(&self, what: &Mount, visit: Visit) -> Result<Seen, VisitError> {
            let way = if what.read_only { "ro" } else { "rw" };
            self.remember(format!("visit {} {way}", what.device.display()));
            site::visit(self.site.as_deref().expect("a site partition"), &visit)
        }

        fn tpm(&self) -> Tpm {
            self.tpm.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_told_in_bytes() {
        let (total, available) = Here.space(Path::new("/")).unwrap();
        assert!(total > 1 << 20 && available <= total, "{total} {available}");
    }
}
