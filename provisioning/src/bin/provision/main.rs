//! `provision`: what an installer does before a box is switched on and after. `provision --help` says how.

mod boxes;
mod card;
mod claim;
mod clock;
mod command;
mod failure;
mod fat;
mod find;
mod flash;
mod http;
mod imager;
mod interrupt;
mod output;
mod progress;
mod qr;
mod site;
mod status;
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
