//! The packet filter, generated from the configuration and the addresses the box has now.

pub mod lan;
pub mod rules;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use self::rules::Ruleset;
use crate::machine::Machine;
use crate::program::{Program, ProgramError};

/// The program that loads rules into the kernel (nft(8)).
const NFT: &str = "/usr/sbin/nft";
/// How long that may take: it is one transaction of a few dozen rules.
const NFT_TIME_MAX: Duration = Duration::from_secs(20);

/// The rules for now. A configuration that cannot be read lets nothing more out than one without a cloud.
///
/// # Errors
/// The kernel does not tell the addresses.
pub fn ruleset(config: &Path) -> io::Result<Ruleset> {
    let text = fs::read_to_string(config).unwrap_or_else(|error| {
        log::warn!(file:% = config.display(); "the configuration is not read, so no cloud is let through: {error}");
        String::new()
    });
    Ok(Ruleset { lan: lan::subnets()?, cloud_port: rules::cloud_port(&text) })
}

/// Loads the rules in place of all others, in one transaction.
///
/// # Errors
/// [`ProgramError`]; the rules that were there still hold.
pub fn apply(machine: &impl Machine, rules: &Ruleset) -> Result<(), ProgramError> {
    let mut program = Program::new(NFT, NFT_TIME_MAX).args(["-f", "-"]);
    program.input = rules.to_string();
    machine.run(&program)?.well()
}
