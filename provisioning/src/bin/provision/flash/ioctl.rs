//! What a disk is asked that has no safe function.

#![allow(unsafe_code, reason = "an ioctl may take a pointer; each call below says why it may be made")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

mod raw {
    nix::ioctl_write_ptr_bad!(zero_out, nix::request_code_none!(0x12, 127), [u64; 2]);
    nix::ioctl_none_bad!(flush, nix::request_code_none!(0x12, 97));
    nix::ioctl_none_bad!(read_table, nix::request_code_none!(0x12, 95));
}

/// Makes a range of a disk zeros, quickly where the disk can (`BLKZEROOUT`).
///
/// # Errors
/// If it is no disk, or cannot be written.
pub fn zero_out(disk: &File, range: &Range<u64>) -> io::Result<()> {
    let (start, length) = (range.start, range.end.saturating_sub(range.start));
    // SAFETY: the kernel reads two 64-bit numbers (`include/uapi/linux/fs.h`), which live through the call.
    unsafe { raw::zero_out(disk.as_raw_fd(), &[start, length]) }?;
    Ok(())
}

/// Makes the kernel forget what it knows of a disk's content (`BLKFLSBUF`).
///
/// # Errors
/// If it is no disk.
pub fn flush(disk: &File) -> io::Result<()> {
    // SAFETY: it takes no argument.
    unsafe { raw::flush(disk.as_raw_fd()) }?;
    Ok(())
}

/// Makes the kernel read a disk's partition table again (`BLKRRPART`).
///
/// # Errors
/// If it is no disk that can have partitions, or one of them is in use.
pub fn read_table(disk: &File) -> io::Result<()> {
    // SAFETY: it takes no argument.
    unsafe { raw::read_table(disk.as_raw_fd()) }?;
    Ok(())
}
