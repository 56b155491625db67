//! The image of the store box: what is on its disk (pure code, shared with the box), with the feature `gpt`, a
//! reader of partition tables, and, with the feature `host`, the command `image` that makes it.

#[cfg(feature = "gpt")]
pub mod gpt;
pub mod layout;

#[cfg(feature = "host")]
pub mod host;
