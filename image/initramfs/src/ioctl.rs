//! The two kernel interfaces that have no safe function: device-mapper and the watchdog.

#![allow(unsafe_code, reason = "an ioctl takes a pointer; each call below says why its pointer is right")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

/// Bytes of `struct dm_ioctl` (`include/uapi/linux/dm-ioctl.h`).
pub const DM_HEADER: usize = 312;
/// Where `struct dm_ioctl` holds its `data_size`.
const DM_DATA_SIZE: std::ops::Range<usize> = 12..16;

/// A command of device-mapper (`include/uapi/linux/dm-ioctl.h`).
#[derive(Clone, Copy, Debug)]
pub enum DmCommand {
    /// `DM_DEV_CREATE`: a device without a table.
    Create,
    /// `DM_TABLE_LOAD`: a table for it.
    LoadTable,
    /// `DM_DEV_SUSPEND`, which without the suspend flag makes the loaded table the one in use.
    Resume,
}

impl DmCommand {
    const fn request(self) -> libc::c_ulong {
        let number = match self {
            Self::Create => 3,
            Self::Resume => 6,
            Self::LoadTable => 9,
        };
        nix::request_code_readwrite!(0xfd, number, DM_HEADER)
    }
}

/// Gives a message to device-mapper, which answers in the same bytes.
///
/// # Errors
/// When the kernel refuses it, or when the message does not begin with a header that says its own length.
pub fn device_mapper(control: &File, command: DmCommand, message: &mut [u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    if message.len() < DM_HEADER || message.get(DM_DATA_SIZE) != Some(&length.to_ne_bytes()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: `message` lives through the call and is not looked at meanwhile; the kernel reads and writes no more than
    // the `data_size` in its header, checked above to be the length of the slice, and copies without alignment.
    let answer = unsafe { libc::ioctl(control.as_raw_fd(), command.request(), message.as_mut_ptr()) };
    nix::errno::Errno::result(answer).map(drop).map_err(io::Error::from)
}

/// Sets the watchdog's timeout and answers the one it took, both in seconds (`WDIOC_SETTIMEOUT`).
///
/// # Errors
/// When the driver cannot be set.
pub fn set_watchdog_timeout(watchdog: &File, seconds: i32) -> io::Result<i32> {
    let mut taken: libc::c_int = seconds;
    let request = nix::request_code_readwrite!(b'W', 6, size_of::<libc::c_int>());
    // SAFETY: the kernel reads and writes one `int` (`include/uapi/linux/watchdog.h`), which `taken` is and which lives
    // through the call.
    let answer = unsafe { libc::ioctl(watchdog.as_raw_fd(), request, &raw mut taken) };
    nix::errno::Errno::result(answer).map(|_| taken).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_the_ones_of_the_kernel_headers() {
        assert_eq!(DmCommand::Create.request(), 0xc138_fd03);
        assert_eq!(DmCommand::Resume.request(), 0xc138_fd06);
        assert_eq!(DmCommand::LoadTable.request(), 0xc138_fd09);
    }

    #[test]
    fn a_message_that_lies_about_its_length_never_reaches_the_kernel() {
        let null = File::open("/dev/null").unwrap();
        let mut message = vec![0; DM_HEADER];
        message[DM_DATA_SIZE].copy_from_slice(&4096_u32.to_ne_bytes());
        let refused = device_mapper(&null, DmCommand::Create, &mut message).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
