//! What can be asked of the helper, and what it answers.
//!
//! One request per connection to [`SOCKET`], a stream: a frame ([`crate::frame`]) of `[version][postcard]` of
//! [`Request`], answered by a frame of `[version][postcard]` of [`Answer`]. The bytes are frozen: examples are kept
//! in `tests/frozen`. Every field is bounded in its type, so what decodes can be used.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::limits::{
    FILE_NAME_BYTES_MAX, KERNEL_NAME_BYTES_MAX, REASON_BYTES_MAX, SENTENCE_BYTES_MAX, SITE_FILE_BYTES_MAX,
    STATUS_BYTES_MAX, WORN_MAX, ZONES_MAX,
};
pub use storebox_core::network::{NetworkFault, StaticAddress};

/// Where the helper listens.
pub const SOCKET: &str = "/run/storebox/helper.sock";

/// First byte of every body.
pub const VERSION: u8 = 1;

/// What a person types before everything is erased.
pub const FACTORY_RESET_SENTENCE: &str = "erase everything on this box";

/// Everything the helper does. It does nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Stops everything in order and starts the machine again. Answered before it happens.
    Reboot,
    /// Stops everything in order and cuts the power. Answered before it happens.
    PowerOff,
    /// Sets the wall clock.
    SetTime {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        unix_ms: u64,
    },
    /// How the box gets its address, now and after every start.
    ApplyNetwork(NetworkPlan),
    /// Installs an update into the slot that is not running.
    InstallBundle {
        /// Its file's name in the daemon's folder for updates.
        file: Text<FILE_NAME_BYTES_MAX>,
    },
    /// Says what a slot is good for.
    MarkSlot {
        /// Which one.
        slot: SlotName,
        /// What it is.
        mark: Mark,
    },
    /// Reads the installer's file; answered by [`Reply::SiteFile`].
    ReadSiteFile,
    /// Writes what the installer's laptop shows, `STATUS.TXT` beside the installer's file.
    WriteSiteStatus {
        /// The whole text.
        text: Text<STATUS_BYTES_MAX>,
    },
    /// Makes a USB disk's files readable at [`crate::verbs::usb::FOLDER`]; answered by [`Reply::Mounted`].
    MountUsb,
    /// Lets go of the USB disk, so that it can be pulled out.
    UnmountUsb,
    /// Erases everything the box keeps, at the next start, which follows at once.
    FactoryReset {
        /// [`FACTORY_RESET_SENTENCE`], typed by a person.
        sentence: Text<SENTENCE_BYTES_MAX>,
    },
    /// What the machine says of itself; answered by [`Reply::Health`].
    ReadHealth,
    /// Replaces the installer's file, to take a token out of it that was used.
    WriteSiteFile {
        /// The whole file.
        contents: List<u8, SITE_FILE_BYTES_MAX>,
    },
}

/// How the box gets its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkPlan {
    /// From the network, as the image does by itself.
    Dhcp,
    /// As its owner says.
    Static(StaticAddress),
}

/// One of the two places a system lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlotName {
    /// The first.
    A,
    /// The second.
    B,
}

/// What a slot is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// It works: start it from now on.
    Good,
    /// It does not work: never start it again.
    Bad,
    /// Try it at the next start.
    Active,
}

/// Every request is answered by one of these.
pub type Answer = Result<Reply, Refusal>;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done, or, for [`Request::Reboot`] and its like, under way.
    Done,
    /// The installer's file, byte for byte; nothing when there is none.
    SiteFile(Option<List<u8, SITE_FILE_BYTES_MAX>>),
    /// The USB disk's files can be read.
    Mounted {
        /// Which of its partitions, as the kernel calls it.
        device: Text<KERNEL_NAME_BYTES_MAX>,
    },
    /// What the machine says of itself.
    Health(Health),
}

/// What a machine says of itself. What it does not say is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Since the kernel started.
    pub uptime_s: Option<u64>,
    /// Memory the kernel manages.
    pub memory_total_kib: Option<u64>,
    /// Memory that programs can still get.
    pub memory_available_kib: Option<u64>,
    /// Size of the file system that keeps everything.
    pub data_total_bytes: Option<u64>,
    /// What of it is free for the daemon.
    pub data_free_bytes: Option<u64>,
    /// Every place whose temperature is measured.
    pub zones: List<Zone, ZONES_MAX>,
    /// Every flash memory that tells how worn it is.
    pub worn: List<Worn, WORN_MAX>,
    /// Records of earlier crashes that the firmware kept (pstore).
    pub crash_records: Option<u32>,
    /// Whether a Pi's supply is too weak now.
    pub under_voltage: Option<bool>,
    /// A Pi's flags as its firmware gives them: bit 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft
    /// temperature limit; the same plus 16: since the start.
    pub throttled_flags: Option<u32>,
}

/// A place whose temperature is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// As the kernel calls it.
    pub name: Text<KERNEL_NAME_BYTES_MAX>,
    /// Thousandths of a degree Celsius.
    pub temperature_millicelsius: i32,
}

/// How worn a flash memory is (JEDEC eMMC 5.0, `EXT_CSD` 267 to 269).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worn {
    /// As the kernel calls it.
    pub device: Text<KERNEL_NAME_BYTES_MAX>,
    /// Upper end of the range of life used, in tens of percent; 110 means beyond its life.
    pub used_percent_max: u8,
    /// How far the reserve is used up: 1 normal, 2 eighty percent, 3 ninety percent.
    pub reserve_state: Option<u8>,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The bytes are no request of this version.
    Malformed,
    /// The request is of another version.
    Version {
        /// The only one understood.
        understood: u8,
    },
    /// The request is too long.
    TooLong,
    /// The asking process is not the daemon's.
    Stranger,
    /// The clock is not set outside these bounds.
    TimeOutOfRange {
        /// When this image was built, in milliseconds since 1970.
        earliest_unix_ms: u64,
        /// In milliseconds since 1970.
        latest_unix_ms: u64,
    },
    /// The sentence is not [`FACTORY_RESET_SENTENCE`], letter for letter.
    WrongSentence,
    /// This release cannot do it yet.
    NotInThisRelease,
    /// The disk the box runs from has no partition for the installer.
    NoSitePartition,
    /// The installer's file is longer than a site file can be.
    SiteFileTooLong,
    /// There is no USB disk with a file system that can be read.
    NoUsbDisk,
    /// It was tried and failed. Something may have been done; asking again is safe.
    Failed {
        /// What, in words.
        reason: Text<REASON_BYTES_MAX>,
    },
}

impl Refusal {
    /// A verb that failed, in words.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed { reason: Text::cut(&reason.to_string()) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the request is not understood"),
            Self::Version { understood } => write!(f, "only requests of version {understood} are understood"),
            Self::TooLong => f.write_str("the request is too long"),
            Self::Stranger => f.write_str("only the daemon may ask"),
            Self::TimeOutOfRange { earliest_unix_ms, latest_unix_ms } => {
                write!(f, "the clock is set between {earliest_unix_ms} and {latest_unix_ms} ms since 1970 only")
            }
            Self::WrongSentence => write!(f, "type exactly: {FACTORY_RESET_SENTENCE}"),
            Self::NotInThisRelease => f.write_str("this release cannot do that yet"),
            Self::NoSitePartition => f.write_str("the disk has no partition for the site file"),
            Self::SiteFileTooLong => write!(f, "the site file is longer than {SITE_FILE_BYTES_MAX} bytes"),
            Self::NoUsbDisk => f.write_str("there is no USB disk that can be read"),
            Self::Failed { reason } => f.write_str(reason.as_str()),
        }
    }
}

impl std::error::Error for Refusal {}

/// The bytes of a request or an answer.
///
/// # Errors
/// [`Refusal::Malformed`] if the value cannot be represented, which no type here allows.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Refusal> {
    postcard::to_extend(message, vec![VERSION]).map_err(|_| Refusal::Malformed)
}

/// The request or answer in these bytes, read to the last one.
///
/// # Errors
/// [`Refusal::Version`] or [`Refusal::Malformed`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    match bytes.split_first() {
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(message),
            Ok((_, [..])) | Err(_) => Err(Refusal::Malformed),
        },
        Some(_) => Err(Refusal::Version { understood: VERSION }),
        None => Err(Refusal::Malformed),
    }
}
