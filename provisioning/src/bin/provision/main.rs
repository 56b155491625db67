//! `provision`: what an installer does before a box is switched on and after. `provision --help` says how.

mod card;
mod clock;
mod command;
mod failure;
mod flash;
mod interrupt;
mod output;
mod progress;
mod qr;
mod site;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("provision: {failure:#}");
            ExitCode::from(failure.code())
        }
    }
}
