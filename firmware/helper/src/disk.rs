//! The disk the box runs from, its partitions, and USB disks, as sysfs tells of them.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use storebox_image::layout::SECTOR;

use crate::files::{self, Root};
use crate::gpt;

/// What the verified root is called by the device mapper; the initramfs sets it up under this name.
pub const ROOT_DEVICE: &str = "storebox-root";

/// A disk with its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// As the kernel calls it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// In the order of the table.
    pub partitions: Vec<Partition>,
}

/// A partition the kernel knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As the kernel calls it.
    pub device: String,
    /// Its label in the table.
    pub label: String,
    /// Where it ends.
    pub end_bytes: u64,
}

impl Disk {
    /// The disk that holds the verified root this system runs from.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn booted(root: &Root) -> Result<Self, DiskError> {
        let verity = mapped(root, ROOT_DEVICE).ok_or(DiskError::NoRoot)?;
        let slaves = files::names(&root.at("/sys/block").join(&verity).join("slaves"));
        let partition = slaves.first().ok_or(DiskError::NoRoot)?;
        // /sys/class/block/vda3 leads to …/block/vda/vda3.
        let place = fs::canonicalize(root.at("/sys/class/block").join(partition)).map_err(DiskError::Unreadable)?;
        let disk = place.parent().and_then(|disk| disk.file_name()).ok_or(DiskError::NoRoot)?;
        Self::read(root, &disk.to_string_lossy())
    }

    /// The disk of this name.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn read(root: &Root, name: &str) -> Result<Self, DiskError> {
        let sysfs = root.at("/sys/block").join(name);
        let entries = gpt::read(&root.at("/dev").join(name)).map_err(DiskError::Unreadable)?;
        let partitions = files::names(&sysfs).into_iter().filter_map(|device| {
            let folder = sysfs.join(&device);
            let number: u32 = files::number(&folder.join("partition"))?;
            let sectors = |file| files::number::<u64>(&folder.join(file));
            let end_bytes = sectors("start")?.checked_add(sectors("size")?)?.checked_mul(SECTOR)?;
            let label = entries.iter().find(|entry| entry.number == number)?.name.clone();
            Some((number, Partition { device, label, end_bytes }))
        });
        let mut partitions: Vec<_> = partitions.collect();
        partitions.sort_by_key(|(number, _)| *number);
        let sectors: u64 = files::number(&sysfs.join("size")).ok_or(DiskError::NoRoot)?;
        Ok(Self {
            name: name.to_owned(),
            bytes: sectors.saturating_mul(SECTOR),
            partitions: partitions.into_iter().map(|(_, partition)| partition).collect(),
        })
    }

    /// The partition with this label.
    pub fn labelled(&self, label: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.label == label)
    }

    /// Room between a partition's end and the disk's.
    pub fn behind_bytes(&self, partition: &Partition) -> u64 {
        self.bytes.saturating_sub(partition.end_bytes)
    }
}

/// What the device mapper calls `name`, as the kernel calls it: `dm-1`.
pub fn mapped(root: &Root, name: &str) -> Option<String> {
    let blocks = root.at("/sys/block");
    files::names(&blocks).into_iter().find(|device| {
        device.starts_with("dm-") && files::line(&blocks.join(device).join("dm/name")).as_deref() == Some(name)
    })
}

/// Partitions of USB disks, and USB disks without any, in the kernel's order. The disk that the box runs from is none
/// of them, even if it is a USB disk.
pub fn on_usb(root: &Root) -> Vec<PathBuf> {
    let booted = Disk::booted(root).map(|disk| disk.name).ok();
    let blocks = root.at("/sys/block");
    let mut found = Vec::new();
    for disk in files::names(&blocks) {
        let Ok(place) = fs::canonicalize(blocks.join(&disk)) else {
            continue;
        };
        // …/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/…/block/sda
        let is_usb = root.name_of(&place).iter().any(|part| {
            part.to_str().and_then(|part| part.strip_prefix("usb")).is_some_and(|bus| bus.parse::<u16>().is_ok())
        });
        if !is_usb || booted.as_deref() == Some(&disk) {
            continue;
        }
        let partitions = files::names(&place).into_iter().filter(|name| place.join(name).join("partition").exists());
        let before = found.len();
        found.extend(partitions.map(|name| PathBuf::from("/dev").join(name)));
        if found.len() == before {
            found.push(PathBuf::from("/dev").join(disk));
        }
    }
    found
}

/// It is not known which disk the box runs from, or what is on it.
#[derive(Debug)]
pub enum DiskError {
    /// The system does not run from a verified root.
    NoRoot,
    /// The disk's table or the kernel's files about it cannot be read.
    Unreadable(io::Error),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoot => write!(f, "no disk is known under the device {ROOT_DEVICE}"),
            Self::Unreadable(error) => write!(f, "the disk this system runs from cannot be read: {error}"),
        }
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::NoRoot => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::files::scratch::Scratch;
    use crate::gpt::tests::disk_with;

    const DISK: &str = "/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda";
    const STICK: &str = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0/block/sda";

    /// A machine that runs from partition 2 of `vda`, a disk of 1 GiB with 64 MiB per partition.
    pub(crate) fn machine(scratch: &Scratch, labels: &[&str]) {
        scratch.write("/dev/vda", disk_with(labels));
        scratch.write(&format!("{DISK}/size"), "2097152\n");
        scratch.link("/sys/block/vda", &below(DISK));
        for number in 1..=labels.len() {
            partition(scratch, number);
        }
        scratch.write("/sys/devices/virtual/block/dm-0/dm/name", "storebox-root\n");
        scratch.write("/sys/devices/virtual/block/dm-0/slaves/vda2", "");
        scratch.link("/sys/block/dm-0", "../devices/virtual/block/dm-0");
    }

    /// A partition of `vda` shows up.
    pub(crate) fn partition(scratch: &Scratch, number: usize) {
        scratch.write(&format!("{DISK}/vda{number}/partition"), format!("{number}\n"));
        scratch.write(&format!("{DISK}/vda{number}/start"), format!("{}\n", number * 131_072));
        scratch.write(&format!("{DISK}/vda{number}/size"), "131072\n");
        scratch.link(&format!("/sys/class/block/vda{number}"), &format!("../{}/vda{number}", below(DISK)));
    }

    /// A stick is plugged in, with as many partitions.
    pub(crate) fn stick(scratch: &Scratch, partitions: usize) {
        scratch.write(&format!("{STICK}/size"), "1000\n");
        scratch.link("/sys/block/sda", &below(STICK));
        for number in 1..=partitions {
            scratch.write(&format!("{STICK}/sda{number}/partition"), format!("{number}\n"));
        }
    }

    /// From `/sys/block` to a device's folder.
    fn below(folder: &str) -> String {
        folder.replace("/sys/", "../")
    }

    #[test]
    fn the_disk_of_the_running_root_is_found() {
        let scratch = Scratch::new("disk");
        machine(&scratch, &["STOREBOX", "storebox-root-a", "storebox-data"]);
        let disk = Disk::booted(&scratch.root()).unwrap();
        assert_eq!((disk.name.as_str(), disk.bytes), ("vda", 1 << 30));
        let data = disk.labelled("storebox-data").unwrap();
        assert_eq!((data.device.as_str(), disk.behind_bytes(data)), ("vda3", (1 << 30) - (256 << 20)));
        assert_eq!(disk.labelled("other"), None);
    }

    #[test]
    fn without_a_verified_root_there_is_no_disk() {
        let scratch = Scratch::new("no-disk");
        assert!(matches!(Disk::booted(&scratch.root()), Err(DiskError::NoRoot)));
    }

    #[test]
    fn usb_disks_are_those_on_the_usb() {
        let scratch = Scratch::new("usb-disks");
        machine(&scratch, &["STOREBOX", "storebox-root-a"]);
        assert_eq!(on_usb(&scratch.root()), Vec::<PathBuf>::new());
        stick(&scratch, 0);
        assert_eq!(on_usb(&scratch.root()), [PathBuf::from("/dev/sda")]);
        stick_again(&scratch);
        assert_eq!(on_usb(&scratch.root()), [PathBuf::from("/dev/sda1"), PathBuf::from("/dev/sda2")]);
    }

    fn stick_again(scratch: &Scratch) {
        fs::remove_file(scratch.root().at("/sys/block/sda")).unwrap();
        stick(scratch, 2);
    }

    #[test]
    fn the_disk_the_box_runs_from_is_no_usb_disk_to_mount() {
        let scratch = Scratch::new("usb-root");
        stick(&scratch, 2);
        scratch.link("/sys/class/block/sda2", &format!("../{}/sda2", below(STICK)));
        scratch.write("/dev/sda", disk_with(&["STOREBOX", "storebox-root-a"]));
        scratch.write("/sys/devices/virtual/block/dm-0/dm/name", "storebox-root\n");
        scratch.write("/sys/devices/virtual/block/dm-0/slaves/sda2", "");
        scratch.link("/sys/block/dm-0", "../devices/virtual/block/dm-0");
        assert_eq!(on_usb(&scratch.root()), Vec::<PathBuf>::new());
    }
}
