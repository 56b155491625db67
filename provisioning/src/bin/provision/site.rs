//! `provision site`: the installer's file.

pub mod check;
pub mod draft;
pub mod make;

use crate::command::{Command, choose};
use crate::failure::Failure;

const COMMANDS: [Command; 2] = [
    Command { name: "make", purpose: "writes one, and a picture of it", help: make::HELP, run: make::run },
    Command {
        name: "check",
        purpose: "says what is wrong in one, or what a box does by it",
        help: check::HELP,
        run: check::run,
    },
];

const ABOUT: &str = "The installer's file: what a box reads from its card or a USB stick when it starts.";

/// Runs the command that comes next.
///
/// # Errors
/// Those of the command.
pub fn run(arguments: lexopt::Parser) -> Result<(), Failure> {
    choose("provision site", ABOUT, &COMMANDS, arguments)
}
