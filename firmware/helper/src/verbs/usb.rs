//! A USB disk, made readable for the daemon.
//!
//! The helper's own view of the file systems is apart from everybody else's, so it has PID 1 mount the disk: what is
//! mounted there reaches every service.

use std::ffi::OsString;

use crate::bounded::Text;
use crate::content::{self, Content};
use crate::disk;
use crate::files::{self, Root};
use crate::limits::VERB_TIME_MAX;
use crate::machine::Machine;
use crate::program::Program;
use crate::protocol::{Answer, Refusal, Reply};

/// Where the disk's files are.
pub const FOLDER: &str = "/run/storebox/usb";
/// Mounts by a unit of its own (systemd-mount(1)).
const SYSTEMD_MOUNT: &str = "/usr/bin/systemd-mount";
/// Nothing on a stranger's disk is written, run, or believed to be a device.
const OPTIONS: &str = "ro,nosuid,nodev,noexec";
/// Readable for the daemon, which is not root. The tables of characters are those of the site partition.
const FAT_READABLE: &str = ",codepage=437,iocharset=iso8859-1,utf8,fmask=0133,dmask=0022";
/// The same for exFAT, whose names are always Unicode.
const EXFAT_READABLE: &str = ",fmask=0133,dmask=0022";

/// Mounts the first file system found on a USB disk. One that is mounted already stays.
///
/// # Errors
/// [`Refusal::NoUsbDisk`], [`Refusal::Failed`].
pub fn mount(root: &Root, machine: &impl Machine) -> Answer {
    for device in disk::on_usb(root) {
        // A disk that was pulled out just now cannot be read, and the next may be there.
        let Ok(content) = content::read(&root.at(&device)) else {
            continue;
        };
        let (kind, more) = match content {
            Content::Fat => ("vfat", FAT_READABLE),
            Content::Exfat => ("exfat", EXFAT_READABLE),
            // An unclean journal is not replayed: that would write.
            Content::Ext => ("ext4", ",noload"),
            Content::Luks | Content::Blank | Content::Unknown => continue,
        };
        let name = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let program = Program::new(SYSTEMD_MOUNT, VERB_TIME_MAX)
            .args(["--no-ask-password", "--no-pager", "--quiet", "--collect", "--fsck=no"])
            .arg(format!("--type={kind}"))
            .arg(format!("--options={OPTIONS}{more}"))
            .arg(OsString::from(&device))
            .arg(FOLDER);
        // A second mount over the first would hide it, and letting go would need to be asked for twice.
        unmount(root, machine)?;
        machine.run(&program).and_then(|ended| ended.well()).map_err(Refusal::failed)?;
        return Ok(Reply::Mounted { device: Text::cut(&name) });
    }
    Err(Refusal::NoUsbDisk)
}

/// Lets go of the disk, if one is mounted.
///
/// # Errors
/// [`Refusal::Failed`]: a file on it is open still.
pub fn unmount(root: &Root, machine: &impl Machine) -> Answer {
    if files::is_mount_point(root, FOLDER) {
        let program = Program::new(SYSTEMD_MOUNT, VERB_TIME_MAX).args(["--no-pager", "--quiet", "--umount", FOLDER]);
        machine.run(&program).and_then(|ended| ended.well()).map_err(Refusal::failed)?;
    }
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::tests::stick;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;

    fn fat() -> Vec<u8> {
        let mut head = vec![0; 4096];
        head[54..57].copy_from_slice(b"FAT");
        head[510..512].copy_from_slice(&[0x55, 0xaa]);
        head
    }

    #[test]
    fn the_first_partition_that_can_be_read_is_mounted_read_only() {
        let scratch = Scratch::new("usb");
        stick(&scratch, 2);
        scratch.write("/dev/sda1", vec![0; 4096]);
        scratch.write("/dev/sda2", fat());
        let fake = Fake::new();
        let expected = Ok(Reply::Mounted { device: Text::new("sda2").unwrap() });
        assert_eq!(mount(&scratch.root(), &fake), expected);
        let done = fake.done().join("\n");
        let options = "--type=vfat --options=ro,nosuid,nodev,noexec,codepage=437";
        assert!(done.starts_with("systemd-mount ") && done.contains(options), "{done}");
        assert!(done.ends_with(" /dev/sda2 /run/storebox/usb"), "{done}");
    }

    #[test]
    fn a_mounted_disk_is_let_go_once() {
        let scratch = Scratch::new("usb-let-go");
        let fake = Fake::new();
        assert_eq!(unmount(&scratch.root(), &fake), Ok(Reply::Done));
        assert!(fake.done().is_empty());
        scratch.write("/proc/self/mountinfo", "36 35 8:1 / /run/storebox/usb ro,nosuid shared:1 - vfat /dev/sda1 ro\n");
        assert_eq!(unmount(&scratch.root(), &fake), Ok(Reply::Done));
        assert_eq!(fake.done(), ["systemd-mount --no-pager --quiet --umount /run/storebox/usb"]);
    }

    #[test]
    fn without_a_readable_disk_it_is_refused_plainly() {
        let scratch = Scratch::new("usb-none");
        assert_eq!(mount(&scratch.root(), &Fake::new()), Err(Refusal::NoUsbDisk));
        stick(&scratch, 1);
        scratch.write("/dev/sda1", b"LUKS\xba\xbe");
        assert_eq!(mount(&scratch.root(), &Fake::new()), Err(Refusal::NoUsbDisk));
    }
}
