//! The whole of a start, on a disk that is a folder.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::data::tpm::Tpm;
use crate::disk::tests::{machine as lay_out, partition};
use crate::files::scratch::Scratch;
use crate::gpt::tests::disk_with;
use crate::machine::fake::Fake;
use crate::protocol::FACTORY_RESET_SENTENCE;

const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A box of which partition 3, if any, has these first bytes.
struct Desk {
    scratch: Arc<Scratch>,
    fake: Fake,
}

impl Desk {
    fn new(test: &str, data: Option<&[u8]>) -> Self {
        let scratch = Arc::new(Scratch::new(test));
        lay_out(&scratch, &["STOREBOX", "storebox-root-a"]);
        scratch.write("/etc/machine-id", format!("{ID}\n"));
        scratch.write("/var/.keep", "");
        if let Some(head) = data {
            appear(&scratch, head);
        }
        let mut desk = Self { scratch, fake: Fake::new() };
        desk.act(|_, _| 0);
        desk
    }

    /// Programs end with what `code` says, after repart and systemd-cryptsetup did what they do.
    fn act(&mut self, code: impl Fn(&Program, &Scratch) -> i32 + Send + Sync + 'static) {
        let scratch = Arc::clone(&self.scratch);
        self.fake.act = Box::new(move |program| {
            let code = code(program, &scratch);
            let is_attach = program.arguments.first().is_some_and(|first| first == "attach");
            let mapped = scratch.root().at("/sys/block/dm-1");
            match program.file {
                "/usr/bin/systemd-repart" if code == 0 => appear(&scratch, &ext()),
                CRYPTSETUP if code == 0 && is_attach => {
                    scratch.write("/sys/devices/virtual/block/dm-1/dm/name", "storebox-data\n");
                    scratch.link("/sys/block/dm-1", "../devices/virtual/block/dm-1");
                }
                CRYPTSETUP if code == 0 => std::fs::remove_file(mapped).unwrap(),
                _ => {}
            }
            code
        });
    }

    fn start(&self) -> Result<(), DataError> {
        bring_up(&self.scratch.root(), &self.fake)
    }

    /// What was done, with the folder's own path left out.
    fn done(&self) -> Vec<String> {
        let folder = self.scratch.path().to_string_lossy().into_owned();
        self.fake.done().into_iter().map(|line| line.replace(&folder, "")).collect()
    }

    fn report(&self) -> String {
        self.scratch.read(REPORT)
    }
}

/// Partition 3 shows up, in the table and in the kernel.
fn appear(scratch: &Scratch, head: &[u8]) {
    scratch.write("/dev/vda", disk_with(&["STOREBOX", "storebox-root-a", "storebox-data"]));
    if !scratch.has("/dev/vda3") {
        partition(scratch, 3);
    }
    scratch.write("/dev/vda3", head);
}

fn ext() -> Vec<u8> {
    let mut head = vec![0; 4096];
    head[0x438..0x43a].copy_from_slice(&[0x53, 0xef]);
    head
}

fn repart(reset: &str) -> String {
    format!(
        "systemd-repart --dry-run=no --empty=refuse --no-pager --no-legend --pretty=no --tpm2-pcrs= \
         --factory-reset={reset} --definitions=/run/storebox-data/repart.d /dev/vda"
    )
}

#[test]
fn a_first_start_without_tpm_ends_with_a_plain_partition_in_use() {
    let desk = Desk::new("first", None);
    desk.start().unwrap();
    let made = repart("no");
    let expected = [
        made.as_str(),
        "e2fsck -p /dev/vda3",
        "mount ext4 /dev/vda3",
        "systemd-growfs /var",
        "host name storebox-a1b2c3",
    ];
    assert_eq!(desk.done(), expected);
    let definition = desk.scratch.read("/run/storebox-data/repart.d/50-data.conf");
    assert!(definition.contains("UUID=a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90\n"), "{definition}");
    let report = r#"{"encrypted":false,"reason":"not encrypted: this machine has no TPM","fault":null}"#;
    assert_eq!(desk.report(), report);
    for folder in ["/var/tmp", "/var/log", "/var/lib/storebox-system", "/var/cache", "/var/spool"] {
        assert!(desk.scratch.has(folder), "{folder}");
    }
}

/// Row B12.
#[test]
fn a_first_start_with_tpm_ends_with_an_encrypted_partition_in_use() {
    let mut desk = Desk::new("first-tpm", None);
    desk.fake.tpm = Tpm::Usable;
    desk.start().unwrap();
    let done = desk.done();
    let attach = "systemd-cryptsetup attach storebox-data /dev/vda3 - tpm2-device=auto,headless=1";
    assert_eq!(done[..4], [&repart("no"), attach, "e2fsck -p /dev/dm-1", "mount ext4 /dev/dm-1"]);
    assert!(desk.scratch.read("/run/storebox-data/repart.d/50-data.conf").contains("Encrypt=tpm2"));
    assert!(desk.report().starts_with(r#"{"encrypted":true,"#));
}

#[test]
fn a_later_start_changes_nothing_but_what_must_be() {
    let desk = Desk::new("later", Some(&ext()));
    // The disk is four partitions larger than what is used: it grows.
    desk.start().unwrap();
    assert_eq!(desk.done()[..2], [repart("no").as_str(), "e2fsck -p /dev/vda3"]);
    desk.scratch.write("/var/lib/storebox-system/hostname", "till-server\n");
    desk.scratch.write("/sys/block/vda/size", "524288\n");
    desk.fake.done.lock().unwrap().clear();
    desk.start().unwrap();
    let expected = ["e2fsck -p /dev/vda3", "mount ext4 /dev/vda3", "systemd-growfs /var", "host name till-server"];
    assert_eq!(desk.done(), expected);
}

#[test]
fn a_disk_that_does_not_grow_is_used_as_it_is() {
    let mut desk = Desk::new("grow-fails", Some(&ext()));
    desk.act(|program, _| i32::from(!program.file.ends_with("e2fsck")));
    desk.start().unwrap();
    assert!(desk.done().contains(&"mount ext4 /dev/vda3".to_owned()));
}

#[test]
fn a_failed_unlock_touches_nothing_and_says_so() {
    let mut desk = Desk::new("locked", Some(b"LUKS\xba\xbe"));
    desk.scratch.write("/sys/block/vda/size", "524288\n");
    desk.act(|_, _| 1);
    let error = desk.start().unwrap_err();
    assert!(matches!(error, DataError::Locked(_)), "{error}");
    assert_eq!(desk.done().len(), 1, "only the attempt: {:?}", desk.done());
    assert!(desk.report().contains("does not unlock it; nothing was changed"), "{}", desk.report());
}

/// Row B3.
#[test]
fn a_damaged_file_system_is_repaired_or_left_but_never_made_anew() {
    for (code_of_repair, is_usable) in [(1, true), (4, false), (8, false)] {
        let mut desk = Desk::new("damaged", Some(b"neither blank nor known"));
        desk.act(move |program, _| match program.arguments.first().and_then(|how| how.to_str()) {
            Some("-p") => 4,
            Some("-y") => code_of_repair,
            _ => 0,
        });
        desk.scratch.write("/sys/block/vda/size", "524288\n");
        assert_eq!(desk.start().is_ok(), is_usable, "{code_of_repair}");
        assert_eq!(desk.done()[..2], ["e2fsck -p /dev/vda3", "e2fsck -y /dev/vda3"]);
        assert!(!desk.done().join("").contains("repart"), "{:?}", desk.done());
        assert_eq!(desk.done().contains(&"mount ext4 /dev/vda3".to_owned()), is_usable);
    }
}

#[test]
fn a_blank_partition_is_replaced() {
    let desk = Desk::new("blank", Some(&[0; 8192]));
    desk.start().unwrap();
    assert_eq!(desk.done()[0], repart("yes"));
}

/// Row B14.
#[test]
fn a_reset_is_carried_out_once_before_anything_uses_the_partition() {
    let mut desk = Desk::new("reset-data", Some(&ext()));
    desk.scratch.write("/sys/block/vda/size", "524288\n");
    desk.scratch.write("/var/lib/storebox-system/factory-reset", FACTORY_RESET_SENTENCE);
    desk.act(|program, scratch| {
        if program.file.ends_with("repart") {
            std::fs::remove_dir_all(scratch.root().at("/var/lib")).unwrap();
        }
        0
    });
    desk.start().unwrap();
    let expected = ["e2fsck -p /dev/vda3", "mount ext4 /dev/vda3", "unmount", &repart("yes"), "e2fsck -p /dev/vda3"];
    assert_eq!(desk.done()[..5], expected);
    desk.fake.done.lock().unwrap().clear();
    desk.start().unwrap();
    assert!(!desk.done().join("").contains("repart"));
}

/// Row B14.
#[test]
fn a_reset_of_an_encrypted_partition_locks_it_first() {
    let mut desk = Desk::new("reset-tpm", Some(b"LUKS\xba\xbe"));
    desk.fake.tpm = Tpm::Usable;
    desk.scratch.write("/sys/block/vda/size", "524288\n");
    desk.scratch.write("/var/lib/storebox-system/factory-reset", FACTORY_RESET_SENTENCE);
    desk.start().unwrap();
    let programs: Vec<_> = desk.done().iter().map(|line| line.split(" -").next().unwrap().to_owned()).collect();
    let (attach, detach) =
        ("systemd-cryptsetup attach storebox-data /dev/vda3", "systemd-cryptsetup detach storebox-data");
    let (check, mount) = ("e2fsck", "mount ext4 /dev/dm-1");
    assert_eq!(programs[..8], [attach, check, mount, "unmount", detach, "systemd-repart", attach, check]);
}

#[test]
fn a_partition_in_use_is_left_alone() {
    let desk = Desk::new("in-use", Some(&ext()));
    desk.scratch.write("/proc/self/mountinfo", "36 35 8:3 / /var rw,nosuid shared:1 - ext4 /dev/vda3 rw\n");
    desk.start().unwrap();
    assert!(desk.done().is_empty());
}

/// Row B9.
#[test]
fn a_static_address_is_there_before_the_network_starts() {
    let desk = Desk::new("address", Some(&ext()));
    desk.scratch.write("/var/lib/storebox-system/network/10-storebox-static.network", "[Match]\n");
    desk.start().unwrap();
    assert_eq!(desk.scratch.read("/run/systemd/network/10-storebox-static.network"), "[Match]\n");
}

#[test]
fn a_host_name_that_is_none_is_made_anew() {
    let desk = Desk::new("host-name", Some(&ext()));
    for wrong in ["", "-a", "two words", "name.local", "A"] {
        desk.scratch.write("/var/lib/storebox-system/hostname", wrong);
        name_host(&desk.scratch.root(), &desk.fake).unwrap();
        assert_eq!(desk.scratch.read("/var/lib/storebox-system/hostname"), "storebox-a1b2c3\n", "{wrong}");
    }
}

#[test]
fn without_a_disk_nothing_is_tried() {
    let scratch = Scratch::new("no-root");
    let fake = Fake::new();
    assert!(matches!(bring_up(&scratch.root(), &fake), Err(DataError::Disk(_))));
    assert!(fake.done().is_empty() && !Path::new(REPORT).exists());
}
