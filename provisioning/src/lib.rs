//! From a flashed card to a registered box.
//!
//! Nothing in here does input or output: bytes and answers come in as values, what is to be done goes out as values.
//!
//! | module | what it holds |
//! |---|---|
//! | [`pin`] | which key the cloud has |
//! | [`site`] | the installer's file |

pub mod pin;
pub mod site;
