//! The image of the store box: what is on its disk (pure code, shared with the box), and, with the feature `host`,
//! the command `image` that makes it.

pub mod layout;

#[cfg(feature = "host")]
pub mod host;
