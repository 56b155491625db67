//! Block devices as `/sys/class/block` shows them (`Documentation/ABI/stable/sysfs-block`).

use std::fs;
use std::path::Path;

use storebox_image::layout::DATA_LABEL;

use crate::limits;

/// A partition of a disk with a GPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Device node, such as `/dev/sda3`.
    pub node: String,
    /// `MAJOR:MINOR`.
    pub device: String,
    /// Name in the GPT; empty when there is none.
    pub label: String,
    /// Number in the GPT, from 1.
    pub number: u32,
    /// Node of the disk it is on.
    pub disk: String,
    /// Whether the disk's medium can be taken out: a USB stick. USB disks do not say so.
    pub removable: bool,
}

/// All partitions, built-in disks first, then by node: the same order at every start. What vanishes or cannot be read
/// meanwhile is left out.
pub fn list(sys: &Path) -> Vec<Partition> {
    let Ok(entries) = fs::read_dir(sys.join("class/block")) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(&entry.path())).collect();
    found.sort_by(|one, other| (one.removable, &one.node).cmp(&(other.removable, &other.node)));
    found
}

fn read(entry: &Path) -> Option<Partition> {
    // The entry is a link into the tree of devices, where a partition lies inside its disk.
    let directory = fs::canonicalize(entry).ok()?;
    let event = fs::read_to_string(directory.join("uevent")).ok()?;
    if value(&event, "DEVTYPE")? != "partition" {
        return None;
    }
    let parent = directory.parent()?;
    let parent_event = fs::read_to_string(parent.join("uevent")).ok()?;
    Some(Partition {
        node: format!("/dev/{}", value(&event, "DEVNAME")?),
        device: format!("{}:{}", value(&event, "MAJOR")?, value(&event, "MINOR")?),
        label: value(&event, "PARTNAME").unwrap_or_default().to_owned(),
        number: value(&event, "PARTN")?.parse().ok()?,
        disk: format!("/dev/{}", value(&parent_event, "DEVNAME")?),
        removable: fs::read_to_string(parent.join("removable")).is_ok_and(|text| text.trim() == "1"),
    })
}

fn value<'a>(event: &'a str, key: &str) -> Option<&'a str> {
    event.lines().filter_map(|line| line.split_once('=')).find_map(|(name, value)| (name == key).then_some(value))
}

/// The partitions in words, for a message.
pub fn in_words<'a>(partitions: impl IntoIterator<Item = &'a Partition>) -> String {
    let words: Vec<_> = partitions
        .into_iter()
        .take(limits::NAMED_IN_MESSAGE)
        .map(|one| if one.label.is_empty() { one.node.clone() } else { format!("{} ({})", one.node, one.label) })
        .collect();
    if words.is_empty() { "no partition at all".to_owned() } else { words.join(", ") }
}

/// The data partition on the disk of `root`: never that of another disk, however it is labelled.
pub fn data_beside<'a>(root: &Partition, partitions: &'a [Partition]) -> Option<&'a Partition> {
    partitions.iter().find(|one| one.disk == root.disk && one.label == DATA_LABEL)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A partition that nothing but a test has seen.
    pub fn partition(disk: &str, number: u32, label: &str, removable: bool) -> Partition {
        Partition {
            node: format!("/dev/{disk}{number}"),
            device: format!("8:{number}"),
            label: label.to_owned(),
            number,
            disk: format!("/dev/{disk}"),
            removable,
        }
    }

    /// A tree as the kernel shows it, taken away at the end.
    struct Sys(PathBuf);

    impl Sys {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("storebox-initramfs-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("class/block")).unwrap();
            Self(path)
        }

        fn add(&self, device: &str, event: &str, removable: Option<&str>) {
            let directory = self.0.join("devices").join(device);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("uevent"), event).unwrap();
            if let Some(removable) = removable {
                fs::write(directory.join("removable"), removable).unwrap();
            }
            let link = self.0.join("class/block").join(Path::new(device).file_name().unwrap());
            std::os::unix::fs::symlink(&directory, link).unwrap();
        }
    }

    impl Drop for Sys {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn partitions_are_read_with_their_disk_in_a_fixed_order() {
        let sys = Sys::new("order");
        sys.add("usb1/sda", "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\nDISKSEQ=1\n", Some("1\n"));
        sys.add(
            "usb1/sda/sda1",
            "MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\nDISKSEQ=1\nPARTN=1\nPARTNAME=storebox-root-a\n",
            None,
        );
        sys.add("pci0/sdb", "MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVTYPE=disk\n", Some("0\n"));
        sys.add("pci0/sdb/sdb3", "MAJOR=8\nMINOR=19\nDEVNAME=sdb3\nDEVTYPE=partition\nPARTN=3\nPARTNAME=a b=c\n", None);
        let found = list(&sys.0);
        assert_eq!(found.iter().map(|one| one.node.as_str()).collect::<Vec<_>>(), ["/dev/sdb3", "/dev/sda1"]);
        assert_eq!(
            found[0],
            Partition {
                node: "/dev/sdb3".into(),
                device: "8:19".into(),
                label: "a b=c".into(),
                number: 3,
                disk: "/dev/sdb".into(),
                removable: false
            }
        );
        assert_eq!((found[1].label.as_str(), found[1].removable), ("storebox-root-a", true));
    }

    #[test]
    fn a_machine_without_block_devices_has_no_partitions() {
        assert_eq!(list(Path::new("/nonexistent")), []);
        assert_eq!(in_words([]), "no partition at all");
    }

    #[test]
    fn only_the_data_beside_the_root_counts() {
        let root = partition("sda", 3, "storebox-root-a", false);
        let other = partition("sdb", 5, DATA_LABEL, false);
        assert_eq!(data_beside(&root, std::slice::from_ref(&other)), None);
        let own = partition("sda", 5, DATA_LABEL, false);
        assert_eq!(data_beside(&root, &[other, own.clone()]), Some(&own));
    }
}
