//! From here into the verified root.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::fs;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot, execv};

use crate::failure::Failure;
use crate::machine::MachineId;
use crate::modules;
use crate::mounts::ROOT;

const SYSTEMD: &CStr = c"/usr/lib/systemd/systemd";

/// Makes the verified root the root of everything and becomes systemd. systemd reads the rest of the kernel command line
/// by itself.
///
/// # Errors
/// Whatever keeps it from that; the mounts may have moved by then.
pub fn run_systemd(machine_id: &MachineId) -> Result<Infallible, Failure> {
    // The archive's files stay in memory for ever unless removed. What cannot be removed costs memory only.
    let _ = fs::remove_dir_all(modules::DIRECTORY);
    let _ = fs::remove_file("/init");

    enter_root().map_err(|(step, source)| Failure::Switch { step, source })?;
    let option = CString::new(format!("--machine-id={machine_id}")).map_err(|_| Failure::Init(Errno::EINVAL))?;
    execv(SYSTEMD, &[SYSTEMD, &option]).map_err(Failure::Init)
}

/// pivot_root(2) cannot leave the kernel's first root; moving over it is the documented way
/// (`Documentation/filesystems/ramfs-rootfs-initramfs.rst`).
fn enter_root() -> Result<(), (&'static str, Errno)> {
    let nothing = None::<&str>;
    for from in ["/dev", "/proc", "/sys"] {
        mount(Some(from), format!("{ROOT}{from}").as_str(), nothing, MsFlags::MS_MOVE, nothing)
            .map_err(|source| (from, source))?;
    }
    chdir(ROOT).map_err(|source| ("chdir", source))?;
    mount(Some("."), "/", nothing, MsFlags::MS_MOVE, nothing).map_err(|source| ("move", source))?;
    chroot(".").map_err(|source| ("chroot", source))?;
    chdir("/").map_err(|source| ("chdir", source))
}
