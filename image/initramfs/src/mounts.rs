//! The mounts the start needs.

use nix::mount::{MsFlags, mount};

use crate::failure::Failure;

/// Where the root is prepared.
pub const ROOT: &str = "/root";

/// The kernel's own file systems; systemd finds them mounted and keeps them.
///
/// # Errors
/// When the kernel refuses one.
pub fn kernel_file_systems() -> Result<(), Failure> {
    let plain = MsFlags::MS_NOSUID;
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    for (path, kind, flags, options) in [
        ("/dev", "devtmpfs", plain, Some("mode=0755")),
        ("/proc", "proc", strict, None),
        ("/sys", "sysfs", strict, None),
    ] {
        mount(Some(kind), path, Some(kind), flags, options).map_err(|source| Failure::Mount { path, source })?;
    }
    Ok(())
}

/// The verified root, read-only.
///
/// # Errors
/// When it is no erofs this kernel can read.
pub fn root(device: &str) -> Result<(), Failure> {
    mount(Some(device), ROOT, Some("erofs"), MsFlags::MS_RDONLY, None::<&str>)
        .map_err(|source| Failure::Root { device: device.to_owned(), source })
}
