//! Running a program of the tool root with the tool root as its `/`.
//!
//! The tool root is a folder of unpacked packages. A program in it sees its own libraries and nothing of the host but
//! the folders that were bound. Because those are bound at fixed places, no path of the host gets into what is built.
//! Namespaces do this without root privileges where the host allows users to make them (user_namespaces(7)).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{chdir, chroot, getgid, getuid};

use crate::host::failure::{Failure, OrFail};

/// First argument of this program when it is to enter a tool root instead of reading a command.
pub const ENTER: &str = "--enter-tool-root";

/// Whether the program may use the host's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None at all, not even a loopback device that is up.
    None,
    /// The host's.
    Host,
}

/// What a program is to run in.
#[derive(Clone, Debug)]
pub struct Sandbox {
    root: PathBuf,
    binds: Vec<(PathBuf, String)>,
    network: Network,
    folder: &'static str,
    ends_with_us: bool,
}

impl Sandbox {
    /// A sandbox in a tool root, without network.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), binds: Vec::new(), network: Network::None, folder: "/", ends_with_us: false }
    }

    /// Shows a folder of the host at a place inside.
    pub fn bind(mut self, host: &Path, inside: &str) -> Self {
        self.binds.push((host.to_owned(), inside.to_owned()));
        self
    }

    /// Lets the program use the host's network.
    pub fn with_network(mut self) -> Self {
        self.network = Network::Host;
        self
    }

    /// Ends the program when the thread that started it ends, however that happens (PR_SET_PDEATHSIG(2const)).
    pub fn ending_with_us(mut self) -> Self {
        self.ends_with_us = true;
        self
    }

    /// The folder the program starts in.
    pub fn in_folder(mut self, inside: &'static str) -> Self {
        self.folder = inside;
        self
    }

    /// A command that runs `program` of the tool root. Its environment is the same on every host.
    ///
    /// # Errors
    /// If a mount point cannot be made in the tool root, or this program cannot find itself.
    pub fn command(&self, program: &str) -> Result<Command, Failure> {
        for inside in self.binds.iter().map(|(_, inside)| inside.as_str()).chain(["/proc", "/dev", "/sys", "/tmp"]) {
            let point = self.root.join(inside.trim_start_matches('/'));
            fs::create_dir_all(&point).or_fail(|| format!("cannot make the mount point {}", point.display()))?;
        }
        let this = std::env::current_exe().or_fail(|| "cannot find this program's file".to_owned())?;
        let mut command = Command::new(this);
        command.arg(ENTER).arg(&self.root);
        command.arg(if self.network == Network::Host { "host" } else { "none" });
        command.arg(if self.ends_with_us { "ends-with-us" } else { "on-its-own" });
        command.arg(self.folder).arg(self.binds.len().to_string());
        for (host, inside) in &self.binds {
            command.arg(host).arg(inside);
        }
        command.arg(program);
        command.env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin").env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("HOME", "/tmp");
        Ok(command)
    }
}

/// Enters the tool root and becomes the program. Called before anything else, while there is one thread only.
///
/// # Errors
/// If the host does not let this user make namespaces, or the program cannot be run. Otherwise it does not return.
pub fn enter(arguments: impl Iterator<Item = OsString>) -> Failure {
    match try_enter(arguments) {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

enum Never {}

fn try_enter(mut arguments: impl Iterator<Item = OsString>) -> Result<Never, Failure> {
    let mut next = || arguments.next().ok_or_else(|| Failure::usage("an incomplete request to enter a tool root"));
    let root = PathBuf::from(next()?);
    let network = if next()? == "host" { Network::Host } else { Network::None };
    if next()? == "ends-with-us" {
        set_pdeathsig(Signal::SIGKILL).or_fail(|| "cannot tie the program to this one".to_owned())?;
    }
    let folder = next()?;
    let binds: usize = next()?.to_str().and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut bound = Vec::new();
    for _ in 0..binds {
        bound.push((PathBuf::from(next()?), next()?));
    }
    let program = next()?;

    take_namespaces(network)?;
    for device in ["/proc", "/dev", "/sys"] {
        bind(Path::new(device), &root, OsStr::new(device))?;
    }
    for (host, inside) in &bound {
        bind(host, &root, inside)?;
    }
    chroot(&root).or_fail(|| format!("cannot enter the tool root {}", root.display()))?;
    chdir(folder.as_os_str()).or_fail(|| format!("cannot enter {} in the tool root", folder.display()))?;
    let error = Command::new(&program).args(arguments).exec();
    Err(Failure::new(format!("cannot run {} of the tool root", program.display())).because(error))
}

fn take_namespaces(network: Network) -> Result<(), Failure> {
    let (uid, gid) = (getuid(), getgid());
    let mut wanted = CloneFlags::CLONE_NEWNS;
    if network == Network::None {
        wanted |= CloneFlags::CLONE_NEWNET;
    }
    if !uid.is_root() {
        wanted |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(wanted).or_fail(|| {
        "cannot make namespaces; run as root, or let users make them (sysctl kernel.unprivileged_userns_clone=1, or an \
         AppArmor profile with `userns`)"
            .to_owned()
    })?;
    if !uid.is_root() {
        for (file, content) in [
            ("/proc/self/setgroups", "deny".to_owned()),
            ("/proc/self/uid_map", format!("0 {uid} 1")),
            ("/proc/self/gid_map", format!("0 {gid} 1")),
        ] {
            fs::write(file, content).or_fail(|| format!("cannot write {file}"))?;
        }
    }
    let everything: Option<&str> = None;
    mount(everything, "/", everything, MsFlags::MS_REC | MsFlags::MS_PRIVATE, everything)
        .or_fail(|| "cannot keep mounts to this program".to_owned())
}

fn bind(host: &Path, root: &Path, inside: &OsStr) -> Result<(), Failure> {
    let point = root.join(Path::new(inside).strip_prefix("/").unwrap_or(Path::new(inside)));
    let none: Option<&str> = None;
    mount(Some(host), &point, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .or_fail(|| format!("cannot show {} in the tool root", host.display()))
}
