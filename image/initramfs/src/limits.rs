//! Every bound of the start, and why it has that size.

use std::time::Duration;

/// What the hardware waits for a sign of life. A Raspberry Pi's timer cannot do more than 15.99 s.
pub const WATCHDOG_TIMEOUT_S: u32 = 15;
/// Pause between two signs of life: rare enough to cost nothing, often enough that several may be late.
pub const FEED_EVERY: Duration = Duration::from_secs(1);
/// How long a disk may take to appear. A USB disk behind a hub that wakes up takes up to 20 s.
pub const DISK_WAIT: Duration = Duration::from_secs(30);
/// After this time of waiting the console says what it is waiting for.
pub const DISK_ANNOUNCE: Duration = Duration::from_secs(3);
/// Once a disk was seen whose root is damaged or another version: how long a better one may still take.
pub const BETTER_DISK_WAIT: Duration = Duration::from_secs(5);
/// Once a removable disk matched: how long a built-in one, which goes first, may still take.
pub const BUILT_IN_DISK_WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks at the disks.
pub const POLL: Duration = Duration::from_millis(50);
/// How long the kernel may take to make a device node it has announced; it takes milliseconds.
pub const NODE_WAIT: Duration = Duration::from_secs(5);
/// Time to read a failure before the restart. Below the watchdog's 15 s, which would cut it short.
pub const READ_FAILURE: Duration = Duration::from_secs(10);
/// Partitions named in a message: what fits on a small console.
pub const NAMED_IN_MESSAGE: usize = 16;
/// Modules in one list. A full closure of a board's disks is about 60.
pub const MODULES: usize = 512;
