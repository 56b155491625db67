//! What is on the disk, written once: the image is made from it, the initramfs finds its root by it, and the box
//! its data.
//!
//! The disk is a GPT (UEFI specification 2.10, chapter 5) with 512-byte sectors. Labels are the same on every
//! board; which partitions there are, and their order, depends on how the board's firmware starts.

/// Bytes of a sector. Firmware that boots from FAT expects this size.
pub const SECTOR: u64 = 512;
/// Bytes of a mebibyte; partitions start at multiples of it.
pub const MIB: u64 = 1024 * 1024;
/// First sector a partition may use. With a larger value Windows moves the partition array when it mounts the card,
/// and a Raspberry Pi's firmware no longer finds it.
pub const FIRST_USABLE_LBA: u64 = 34;

/// One of the two places a system lives in: one runs, the other takes the update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The slot a new image is written to.
    A,
    /// The other one, empty at first.
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// `a` or `b`, as labels and the kernel command line spell it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The slot of a letter.
    pub fn from_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.letter() == letter)
    }

    /// Label of the partition with the slot's root.
    pub const fn root_label(self) -> &'static str {
        match self {
            Self::A => "storebox-root-a",
            Self::B => "storebox-root-b",
        }
    }

    /// Label of the partition with the slot's kernel, on boards whose firmware reads one partition per slot.
    pub const fn boot_label(self) -> &'static str {
        match self {
            Self::A => "storebox-boot-a",
            Self::B => "storebox-boot-b",
        }
    }
}

/// Label of the partition with everything the box keeps. Made at the first boot; its GUID is the machine-id.
pub const DATA_LABEL: &str = "storebox-data";
/// Label of the partition, and volume label of its file system, that an installer's laptop mounts.
pub const SITE_LABEL: &str = "STOREBOX";
/// Label of the EFI system partition.
pub const ESP_LABEL: &str = "storebox-esp";
/// Label of the partition in which a Raspberry Pi's firmware reads which slot to start.
pub const SELECT_LABEL: &str = "storebox-select";

/// Partition types.
pub mod types {
    /// EFI system partition; also what a Pi's boot partitions say, so that no laptop mounts them.
    pub const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    /// Microsoft basic data: what any laptop mounts.
    pub const BASIC_DATA: &str = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
    /// Linux root, x86-64 (Discoverable Partitions Specification).
    pub const ROOT_X86_64: &str = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
    /// Linux root, 64-bit ARM (Discoverable Partitions Specification).
    pub const ROOT_ARM64: &str = "b921b045-1df0-41c3-af44-4c6f280d3fae";
    /// Linux variable data (Discoverable Partitions Specification).
    pub const VAR: &str = "4d21b016-b534-45c2-a9fb-5c16e091fd2d";
}

/// Kernel parameter that names the slot: `storebox.slot=a`.
pub const PARAMETER_SLOT: &str = "storebox.slot";
/// Kernel parameter with the root of trust of the slot's root: `storebox.verity=ROOTHASH:BLOCKS`, where `ROOTHASH` is
/// the SHA-256 root of the hash tree in hexadecimal, and `BLOCKS` the number of 4096-byte data blocks, right after which
/// the tree begins in the same partition.
pub const PARAMETER_VERITY: &str = "storebox.verity";
/// Bytes of a data and of a hash block of the verified root.
pub const VERITY_BLOCK: u64 = 4096;
/// Salt of the hash tree, hexadecimal. Fixed, so that the same root has the same hash; it needs no secrecy.
pub const VERITY_SALT: &str = "73746f7265626f7800000000000000000000000000000000000000000000726f";
