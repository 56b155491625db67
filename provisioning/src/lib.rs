//! From a flashed card to a registered box.
//!
//! Nothing in here does input or output: bytes and answers come in as values, what is to be done goes out as values.
//!
//! | module | what it holds |
//! |---|---|
//! | [`site`] | the installer's file |
//! | [`status`] | what the installer reads in return |
//! | [`address`] | whether the box keeps the address its installer gave it |
//! | [`identity`] | who a box is |
//! | [`pin`] | which key the cloud has |
//! | [`enrolment`] | what a box does until it is registered, and from then on |
//! | [`est`] | the bodies of enrolment |
//! | [`registration`] | what it says to the cloud, and what it is told |

pub mod address;
pub mod enrolment;
pub mod est;
pub mod identity;
pub mod pin;
pub mod registration;
pub mod site;
pub mod status;
