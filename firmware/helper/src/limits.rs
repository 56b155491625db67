//! Every bound, with its reason.

use std::time::Duration;

/// Bytes of one frame's body. The largest answer is a site file of [`SITE_FILE_BYTES_MAX`] with its envelope.
pub const FRAME_BYTES_MAX: usize = 68 * 1024;

/// Bytes of the site file that are read. A good one has a few hundred; a stick may hold anything under its name.
pub const SITE_FILE_BYTES_MAX: usize = storebox_core::limits::SITE_FILE_BYTES;

/// Bytes of `STATUS.TXT`: what a person reads in one go, many times over.
pub const STATUS_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a sentence typed by a person.
pub const SENTENCE_BYTES_MAX: usize = 128;

/// Bytes of a file's name: what ext4 allows.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Bytes of an explanation in an answer; enough for a message with two paths in it.
pub const REASON_BYTES_MAX: usize = 512;

/// Thermal zones told of: a small computer has fewer than ten.
pub const ZONES_MAX: usize = 16;

/// Disks whose wear is told.
pub const WORN_MAX: usize = 4;

/// Bytes of a name that the kernel gave a device or a thermal zone.
pub const KERNEL_NAME_BYTES_MAX: usize = 64;

/// Connections served at once. One daemon asks, one thing at a time; the rest waits in the listening socket.
pub const CONNECTIONS_MAX: usize = 4;

/// How long a request may take to arrive, and an answer to be taken: both ends are on this machine.
pub const TRANSFER_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a verb may take; `MountUsb` on a slow stick with a large FAT is the slowest.
pub const VERB_TIME_MAX: Duration = Duration::from_secs(20);

/// How long the client waits for an answer: all verbs of the other connections may be ahead of its own.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(100);

/// Without a request for this long the helper leaves; its socket starts it again.
pub const IDLE_TIME: Duration = Duration::from_secs(30);

/// What is kept of what a program says when it fails: its last words name the cause.
pub const PROGRAM_OUTPUT_BYTES_MAX: usize = 4 * 1024;

/// How long making or growing the data partition may take. A cheap card erases some ten megabytes a second.
pub const REPART_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// How long checking the data partition may take. Repairing a large worn disk is slow, and stopping it midway harms.
pub const CHECK_TIME_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// How long unlocking may take: a TPM answers within seconds, a locked one after its back-off.
pub const UNLOCK_TIME_MAX: Duration = Duration::from_secs(90);

/// How long a TPM may take to say what it is. The kernel itself waits up to two minutes for some commands.
pub const TPM_TIME_MAX: Duration = Duration::from_secs(20);

/// How long growing the file system may take.
pub const GROW_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// How long a partition made just now may take to appear.
pub const APPEAR_TIME_MAX: Duration = Duration::from_secs(10);

/// Room behind the data partition from which on it is grown. Less is alignment and the table's own copy.
pub const GROW_FROM_BYTES: u64 = 16 * 1024 * 1024;

/// What is read of a partition to see whether it is blank: past both headers of LUKS2 and the first superblock.
pub const BLANK_BYTES: usize = 16 * 1024 * 1024;

/// Partitions of a disk that are looked at: the number of entries of an ordinary GPT.
pub const PARTITIONS_MAX: u32 = 128;

/// The latest the clock may be set to, in milliseconds: 2100-01-01. Later is a mistake, and beyond 2106
/// some file systems and protocols wrap.
pub const CLOCK_MAX_MS: u64 = 4_102_444_800_000;

/// Bytes of a small file of the kernel or of ours that are read.
pub const SMALL_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Subnets the firewall knows: each interface has a few.
pub const SUBNETS_MAX: usize = 64;

const _: () = assert!(SITE_FILE_BYTES_MAX + 1024 <= FRAME_BYTES_MAX, "a site file fits an answer");
const _: () = assert!(STATUS_BYTES_MAX + 1024 <= FRAME_BYTES_MAX, "a status fits a request");
