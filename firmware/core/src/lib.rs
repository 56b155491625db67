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
//! | [`day`] | business days of the store's own time zone |
//! | [`catalogue`], [`kitchen`], [`payment`], [`stock`], [`shift`], [`people`], [`report`] | the rest of the shop |
//! | [`entry`] | how records of the rest of the shop are kept |
//! | [`audit`], [`retention`] | what was done with special rights; what may go |
//! | [`command`] | what a terminal can ask for and what it can be told |
//! | [`event`], [`outbox`], [`conflict`], [`idempotency`] | what is written beside every change |
//! | [`record`] | the frozen bytes on disk |
//! | [`network`] | addresses: in the store's network, and the cloud's |
//! | [`status`] | what the daemon tells the screen |
//! | [`throttle`] | who has to wait, and for how long |

pub mod audit;
pub mod catalogue;
pub mod command;
pub mod conflict;
pub mod day;
pub mod device;
pub mod entry;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod kitchen;
pub mod limits;
pub mod money;
pub mod network;
pub mod order;
pub mod outbox;
pub mod payment;
pub mod people;
pub mod quantity;
pub mod record;
pub mod report;
pub mod retention;
pub mod settings;
pub mod shift;
pub mod status;
pub mod stock;
pub mod text;
pub mod throttle;
pub mod time;
