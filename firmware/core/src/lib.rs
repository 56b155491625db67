//! Domain and policy of the store box.
//!
//! This crate performs no input or output: it reads no clock, opens no file or socket and draws no random
//! number. Time, identifiers and stored state come in as values; decisions go out as values. Whatever is
//! written here can therefore be replayed, simulated and tested without a machine.
//!
//! | module | what it holds |
//! |---|---|
//! | [`id`], [`money`], [`quantity`], [`time`], [`text`] | the quantities everything else is made of |
//! | [`limits`] | every bound of the product, with its reason |
//! | [`order`] | the order: its life, its rules, its arithmetic |
//! | [`device`], [`settings`] | terminals and the store's own settings |
//! | [`command`] | what a terminal can ask for and what it can be told |
//! | [`event`], [`outbox`], [`conflict`], [`idempotency`] | what is written beside every change |
//! | [`record`] | the frozen bytes on disk |
//! | [`status`] | what the daemon tells the screen |
//! | [`throttle`] | who has to wait, and for how long |

pub mod command;
pub mod conflict;
pub mod device;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod limits;
pub mod money;
pub mod order;
pub mod outbox;
pub mod quantity;
pub mod record;
pub mod settings;
pub mod status;
pub mod text;
pub mod throttle;
pub mod time;
