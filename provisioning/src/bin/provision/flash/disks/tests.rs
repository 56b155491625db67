use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A computer that is made up, in a folder.
struct MadeUp(PathBuf);

impl MadeUp {
    fn new() -> Self {
        let name = format!("provision-disks-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let made = Self(std::env::temp_dir().join(name));
        made.file("proc/swaps", "Filename Type Size Used Priority\n");
        made.file("proc/self/mountinfo", "");
        made
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk with some properties, in a folder of the system that says how it is connected.
    fn disk(&self, place: &str, name: &str, number: &str, properties: &[(&str, &str)]) {
        let folder = format!("sys/devices/{place}/{name}");
        self.file(&format!("{folder}/dev"), &format!("{number}\n"));
        self.file(&format!("{folder}/size"), "62333952\n");
        self.file(&format!("{folder}/ro"), "0\n");
        for (property, text) in properties {
            self.file(&format!("{folder}/{property}"), text);
        }
        for index in ["block", "class/block"] {
            fs::create_dir_all(self.0.join("sys").join(index)).unwrap();
            symlink(self.0.join(&folder), self.0.join("sys").join(index).join(name)).unwrap();
        }
    }

    fn partition(&self, place: &str, disk: &str, name: &str, number: &str) {
        let folder = format!("sys/devices/{place}/{disk}/{name}");
        self.file(&format!("{folder}/dev"), number);
        self.file(&format!("{folder}/partition"), "1");
        symlink(self.0.join(&folder), self.0.join("sys/class/block").join(name)).unwrap();
    }

    fn computer(&self) -> Computer {
        Computer { sys: self.0.join("sys"), proc: self.0.join("proc") }
    }

    fn objections(&self, name: &str) -> Vec<Objection> {
        self.computer().find(name).unwrap().objections
    }
}

impl Drop for MadeUp {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const USB: &str = "pci0000:00/usb1/1-2/host4/block";
const SATA: &str = "pci0000:00/ata1/host0/block";

#[test]
fn b8_flash_offers_what_comes_out_and_nothing_else() {
    let made = MadeUp::new();
    made.disk(USB, "sdb", "8:16", &[("removable", "0"), ("device/vendor", "Generic "), ("device/model", "Reader\n")]);
    made.file("sys/devices/pci0000:00/usb1/1-2/serial", "0815");
    made.disk(
        "mmc_host/mmc0",
        "mmcblk0",
        "179:0",
        &[("device/type", "SD"), ("device/name", "SC32G"), ("device/serial", "0x1")],
    );
    made.disk("mmc_host/mmc1", "mmcblk1", "179:8", &[("device/type", "MMC")]);
    made.disk("mmc_host/mmc1", "mmcblk1boot0", "179:16", &[("ro", "1")]);
    made.disk(SATA, "sda", "8:0", &[("removable", "0")]);
    made.disk(SATA, "sdc", "8:32", &[("removable", "1")]);
    made.disk("nvme", "nvme0n1", "259:0", &[]);
    made.disk("virtual", "zram0", "253:0", &[]);
    made.disk("virtual", "dm-0", "252:0", &[]);
    made.disk("virtual", "loop0", "7:0", &[]);
    made.disk(USB, "sr0", "11:0", &[("removable", "1")]);
    made.disk(USB, "sdd", "8:48", &[("size", "0")]);
    made.disk(USB, "sde", "8:64", &[("ro", "1")]);
    made.disk("virtual", "loop1", "7:1", &[("size", "0")]);
    let disks = made.computer().disks();
    assert!(disks.iter().all(|disk| disk.name != "loop1"));
    let offered = |fixed: bool| -> Vec<&str> {
        disks.iter().filter(|disk| disk.objection(fixed).is_none()).map(|disk| disk.name.as_str()).collect()
    };
    assert_eq!(offered(false), ["mmcblk0", "sdb", "sdc"]);
    assert_eq!(offered(true), ["loop0", "mmcblk0", "mmcblk1", "nvme0n1", "sda", "sdb", "sdc"]);
    assert_eq!(made.objections("sdd"), [Objection::NoMedium]);
    assert_eq!(made.objections("sde"), [Objection::ReadOnly]);
    let reader = made.computer().find("sdb").unwrap();
    assert_eq!((reader.model.as_str(), reader.serial.as_str(), reader.kind), ("Generic Reader", "0815", Kind::Usb));
    assert_eq!(reader.bytes, 31_914_983_424);
    let card = made.computer().find("mmcblk0").unwrap();
    assert_eq!((card.model.as_str(), card.serial.as_str(), card.kind), ("SC32G", "0x1", Kind::Card));
}

#[test]
fn b8_flash_refuses_what_is_in_use_however_deep() {
    let made = MadeUp::new();
    for (name, number) in [("sda", "8:0"), ("sdb", "8:16"), ("sdc", "8:32"), ("sdd", "8:48"), ("sde", "8:64")] {
        made.disk(USB, name, number, &[("removable", "1")]);
    }
    made.partition(USB, "sda", "sda1", "8:1");
    made.partition(USB, "sda", "sda2", "8:2");
    made.partition(USB, "sdb", "sdb1", "8:17");
    made.partition(USB, "sdd", "sdd1", "8:49");
    // The root is on LVM on encryption on a partition.
    made.file(&format!("sys/devices/{USB}/sda/sda2/holders/dm-0"), "");
    made.disk("virtual", "dm-0", "252:0", &[("holders/dm-1", ""), ("dm/name", "cryptroot")]);
    made.disk("virtual", "dm-1", "252:1", &[("dm/name", "vg-root")]);
    made.file(
        "proc/self/mountinfo",
        "21 1 252:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n\
         22 21 8:17 / /media/My\\040Card rw - vfat /dev/sdb1 rw\n\
         23 21 0:44 /sub /srv rw - btrfs /dev/sdc rw\n\
         24 21 0:5 / /proc rw - proc proc rw\nnonsense\n",
    );
    made.file("proc/swaps", "Filename Type Size Used Priority\n/dev/sdd1 partition 1 0 -2\n");
    let held = |name: &str| Objection::Held(name.to_owned());
    assert_eq!(
        made.objections("sda"),
        [Objection::System("/".to_owned()), held("dm-0 (cryptroot)"), held("dm-1 (vg-root)")]
    );
    assert_eq!(made.objections("sdb"), [Objection::Mounted("/media/My Card".to_owned())]);
    assert_eq!(made.objections("sdc"), [Objection::Mounted("/srv".to_owned())]);
    assert_eq!(made.objections("sdd"), [Objection::Swap]);
    assert_eq!(made.objections("sde"), []);
    let computer = made.computer();
    assert_eq!(computer.disk_of_partition("sdb1").as_deref(), Some("sdb"));
    assert_eq!(computer.disk_of_partition("sdb"), None);
}

#[test]
fn b8_the_disk_this_test_runs_from_is_never_offered() {
    for disk in Computer::here().disks() {
        let is_in_use = disk.objections.iter().any(|objection| {
            matches!(objection, Objection::System(_) | Objection::Mounted(_) | Objection::Swap | Objection::Held(_))
        });
        assert!(!is_in_use || disk.objection(true).is_some(), "{disk:?}");
    }
}
