//! The disks of this computer, and which of them may be written to.
//!
//! Everything comes from sysfs and `/proc`, whose folders are parameters, so that tests can make computers up.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of a sector in sysfs, whatever the disk's own are.
const SECTOR: u64 = 512;
/// Devices on devices on devices: more than anybody stacks.
const STACK_MAX: usize = 8;
/// Where a mount makes a disk the one this computer runs from.
const SYSTEM_MOUNTS: [&str; 7] = ["/", "/boot", "/boot/efi", "/boot/firmware", "/home", "/usr", "/var"];

/// Where a computer tells about its disks.
#[derive(Clone, Debug)]
pub struct Computer {
    sys: PathBuf,
    proc: PathBuf,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// As in `/dev`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Maker and model, as it says itself; may be empty.
    pub model: String,
    /// Its serial number, as it says itself; may be empty.
    pub serial: String,
    /// How it is connected.
    pub kind: Kind,
    /// Why it must not be written to; the first is the weightiest.
    pub objections: Vec<Objection>,
}

/// How a disk is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By USB.
    Usb,
    /// A card in a slot.
    Card,
    /// Another one that says it comes out.
    Removable,
    /// One inside this computer.
    Fixed,
    /// A file behind a loop device.
    Loop,
    /// No disk to put into a box: memory, a part or a sum of disks, an optical drive.
    NoDisk,
}

/// Why a disk is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// This computer runs from it.
    System(String),
    /// A file system on it is mounted there.
    Mounted(String),
    /// It holds memory that was swapped out.
    Swap,
    /// It is a part of something else.
    Held(String),
    /// It is not for boxes.
    NoDisk,
    /// There is no card in the reader.
    NoMedium,
    /// It cannot be written.
    ReadOnly,
    /// It is inside this computer, or a file.
    Fixed,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(place) => write!(f, "this computer runs from it ({place})"),
            Self::Mounted(place) => write!(f, "it is mounted at {place}: unmount it first"),
            Self::Swap => f.write_str("this computer swaps to it"),
            Self::Held(by) => write!(f, "it is a part of {by}"),
            Self::NoDisk => f.write_str("it is no disk for a box"),
            Self::NoMedium => f.write_str("there is no card in it"),
            Self::ReadOnly => f.write_str("it is read-only: move the card's lock to the other side"),
            Self::Fixed => f.write_str("it does not come out of this computer; --fixed allows it"),
        }
    }
}

impl Disk {
    /// The first reason not to write to it; with `allows_fixed`, being built in is none.
    pub fn objection(&self, allows_fixed: bool) -> Option<&Objection> {
        self.objections.iter().find(|objection| !(allows_fixed && **objection == Objection::Fixed))
    }
}

impl Computer {
    /// This one.
    pub fn here() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into() }
    }

    /// Its disks, by name.
    pub fn disks(&self) -> Vec<Disk> {
        let uses = self.uses();
        let mut names = names(&self.sys.join("block"));
        names.sort();
        let disks = names.into_iter().map(|name| self.disk(name, &uses));
        // A loop device without a file is not there for anybody.
        disks.filter(|disk| disk.kind != Kind::Loop || disk.bytes > 0).collect()
    }

    /// The disk of this name.
    pub fn find(&self, name: &str) -> Option<Disk> {
        self.disks().into_iter().find(|disk| disk.name == name)
    }

    /// The disk that a partition of this name is on.
    pub fn disk_of_partition(&self, name: &str) -> Option<String> {
        let folders = names(&self.sys.join("block"));
        folders.into_iter().find(|disk| self.sys.join("block").join(disk).join(name).join("partition").exists())
    }

    /// The name of the device with a number, as it stands in sysfs.
    pub fn device(&self, major: u64, minor: u64) -> Option<String> {
        let link = fs::read_link(self.sys.join(format!("dev/block/{major}:{minor}"))).ok()?;
        Some(link.file_name()?.to_string_lossy().into_owned())
    }

    fn disk(&self, name: String, uses: &[Use]) -> Disk {
        let folder = self.sys.join("block").join(&name);
        let kind = self.kind(&name);
        let bytes = text(&folder.join("size")).parse::<u64>().unwrap_or_default().saturating_mul(SECTOR);
        let (parts, holders) = self.parts_and_holders(&folder);
        let mut objections: Vec<Objection> =
            uses.iter().filter(|used| parts.contains(&used.device)).map(|used| used.objection.clone()).collect();
        objections.extend(holders.into_iter().map(Objection::Held));
        objections.sort_by_key(Objection::weight);
        let rest = [
            (kind == Kind::NoDisk, Objection::NoDisk),
            (bytes == 0, Objection::NoMedium),
            (text(&folder.join("ro")) == "1", Objection::ReadOnly),
            (matches!(kind, Kind::Fixed | Kind::Loop), Objection::Fixed),
        ];
        objections.extend(rest.into_iter().filter_map(|(applies, objection)| applies.then_some(objection)));
        let device = folder.join("device");
        let named = [text(&device.join("vendor")), text(&device.join("model")), text(&device.join("name"))];
        let model = named.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        Disk { name, bytes, model, serial: serial(&folder), kind, objections }
    }

    fn kind(&self, name: &str) -> Kind {
        let folder = self.sys.join("block").join(name);
        let place = fs::canonicalize(&folder).unwrap_or_default().to_string_lossy().into_owned();
        let is_of = |kinds: &[&str]| {
            kinds.iter().any(|kind| {
                name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
            })
        };
        if is_of(&["ram", "zram", "dm", "md", "sr", "fd", "bcache", "mtdblock"])
            || name.contains("boot")
            || name.contains("rpmb")
        {
            Kind::NoDisk
        } else if is_of(&["loop"]) {
            Kind::Loop
        } else if place.contains("/usb") {
            Kind::Usb
        } else if name.starts_with("mmcblk") {
            // What is soldered in says MMC.
            if text(&folder.join("device/type")) == "SD" { Kind::Card } else { Kind::Fixed }
        } else if text(&folder.join("removable")) == "1" {
            Kind::Removable
        } else {
            Kind::Fixed
        }
    }

    /// The numbers of a disk and everything on it, and the names of what it is a part of.
    fn parts_and_holders(&self, folder: &Path) -> (BTreeSet<String>, Vec<String>) {
        let (mut numbers, mut held_by) = (BTreeSet::new(), BTreeSet::new());
        let mut wave = vec![folder.to_owned()];
        for depth in 0..STACK_MAX {
            let mut next = Vec::new();
            for device in wave {
                numbers.insert(text(&device.join("dev")));
                next.extend(
                    names(&device)
                        .into_iter()
                        .map(|name| device.join(name))
                        .filter(|part| part.join("partition").exists()),
                );
                for holder in names(&device.join("holders")) {
                    next.push(self.sys.join("block").join(&holder));
                    held_by.insert(holder);
                }
            }
            if next.is_empty() || depth + 1 == STACK_MAX {
                break;
            }
            wave = next;
        }
        numbers.remove("");
        (numbers, held_by.into_iter().map(|holder| self.in_words(&holder)).collect())
    }

    /// `dm-0 (vg-root)`, where it has a name.
    fn in_words(&self, holder: &str) -> String {
        let own = text(&self.sys.join("block").join(holder).join("dm/name"));
        if own.is_empty() { holder.to_owned() } else { format!("{holder} ({own})") }
    }

    /// Every device in use, as the system tells.
    fn uses(&self) -> Vec<Use> {
        let mounts = text(&self.proc.join("self/mountinfo"));
        let mut uses: Vec<Use> = mounts.lines().filter_map(|line| self.mount(line)).collect();
        let swaps = text(&self.proc.join("swaps"));
        let swaps = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        uses.extend(swaps.filter_map(|path| Some(Use { device: self.number(path)?, objection: Objection::Swap })));
        uses
    }

    /// A line of mountinfo (proc_pid_mountinfo(5)).
    fn mount(&self, line: &str) -> Option<Use> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let (number, place) = (front.next()?, unescaped(front.nth(1)?));
        // A file system over several disks has a number of its own; its source names one of them.
        let of_source = || self.number(&unescaped(back.split(' ').nth(1)?));
        let device = if number.starts_with("0:") { of_source()? } else { number.to_owned() };
        let is_system = SYSTEM_MOUNTS.contains(&place.as_str());
        Some(Use { device, objection: if is_system { Objection::System(place) } else { Objection::Mounted(place) } })
    }

    /// The number of the device at a path of `/dev`.
    fn number(&self, path: &str) -> Option<String> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let number = text(&self.sys.join("class/block").join(path.file_name()?).join("dev"));
        (!number.is_empty()).then_some(number)
    }
}

impl Objection {
    /// The least comes first.
    fn weight(&self) -> u8 {
        match self {
            Self::System(_) => 0,
            Self::Mounted(_) => 1,
            Self::Swap => 2,
            Self::Held(_) => 3,
            Self::NoDisk | Self::NoMedium | Self::ReadOnly | Self::Fixed => 4,
        }
    }
}

/// A device in use, by its number.
struct Use {
    device: String,
    objection: Objection,
}

/// The serial number of a disk, or of what it sits in.
fn serial(folder: &Path) -> String {
    let own = ["device/serial", "serial"].map(|file| text(&folder.join(file))).into_iter().find(|own| !own.is_empty());
    let place = fs::canonicalize(folder.join("device")).unwrap_or_default();
    // Not further up than its adapter: a hub has a number, too.
    let above = place.ancestors().take(6).map(|folder| text(&folder.join("serial"))).find(|serial| !serial.is_empty());
    own.or(above).unwrap_or_default()
}

/// Names of what is in a folder; none if it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// What a file says, without blanks around it; empty if it cannot be read.
fn text(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).trim().to_owned()
}

/// Undoes the octal escapes of mountinfo.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..3).filter(|_| *first == b'\\').and_then(|digits| core::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = others.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
