//! The subcommands of `image`.

pub mod boot;
pub mod build;
pub mod fetch;
pub mod lock;
pub mod measure;
pub mod sbom;
pub mod sources;
pub mod tool;
pub mod verify;

use std::io::{self, Write};
use std::path::PathBuf;

use lexopt::Arg;
use storebox_hardware::boards::{Board, Error};

use crate::host::failure::{Failure, OrFail};
use crate::host::source::Source;

/// A subcommand.
struct Command {
    name: &'static str,
    purpose: &'static str,
    help: &'static str,
    run: fn(lexopt::Parser) -> Result<(), Failure>,
}

/// All of them, in the order one meets them.
const COMMANDS: [Command; 9] = [
    Command { name: "build", purpose: "makes a board's disk image", help: build::HELP, run: build::run },
    Command { name: "boot", purpose: "boots the x86 image in an emulator", help: boot::HELP, run: boot::run },
    Command { name: "verify", purpose: "builds twice and compares", help: verify::HELP, run: verify::run },
    Command { name: "measure", purpose: "measures sizes, memory and start-up", help: measure::HELP, run: measure::run },
    Command { name: "lock", purpose: "resolves the packages anew", help: lock::HELP, run: lock::run },
    Command { name: "fetch", purpose: "fetches the locked packages", help: fetch::HELP, run: fetch::run },
    Command { name: "sbom", purpose: "writes the bill of materials", help: sbom::HELP, run: sbom::run },
    Command { name: "sources", purpose: "collects the source packages", help: sources::HELP, run: sources::run },
    Command { name: "tool", purpose: "runs a program of the tool root", help: tool::HELP, run: tool::run },
];

/// Reads the command line and does what it says.
///
/// # Errors
/// What went wrong, for the person at the terminal.
pub fn run() -> Result<(), Failure> {
    let mut arguments = lexopt::Parser::from_env();
    let name = match arguments.next()? {
        None => return Err(Failure::usage(format!("no command given\n\n{}", overview()))),
        Some(Arg::Short('h') | Arg::Long("help")) => return print(&overview()),
        Some(Arg::Value(name)) => name.to_string_lossy().into_owned(),
        Some(other) => return Err(Failure::from(other.unexpected())),
    };
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or_else(|| Failure::usage(format!("there is no command {name:?}\n\n{}", overview())))?;
    let asks_for_help = arguments.try_raw_args().is_some_and(|rest| {
        rest.as_slice().iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h")
    });
    if asks_for_help && command.name != "tool" {
        return print(command.help);
    }
    (command.run)(arguments).map_err(|failure| match failure.code() {
        64 => Failure::usage(format!("{failure:#}\n\n{}", command.help)),
        _ => failure,
    })
}

fn overview() -> String {
    let mut text =
        String::from("Usage: image COMMAND [OPTION]...\n\nMakes the store box's disk images.\n\nCommands:\n");
    for command in &COMMANDS {
        text.push_str(&format!("  {:<8} {}\n", command.name, command.purpose));
    }
    text.push_str("\n`image COMMAND --help` says more.\n");
    text
}

/// Prints to standard output.
///
/// # Errors
/// If nobody reads it.
pub fn print(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).or_fail(|| "cannot print".to_owned())
}

/// The board of a name.
///
/// # Errors
/// If there is none; the message names all.
pub fn board(name: &std::ffi::OsStr) -> Result<Board, Failure> {
    let name = name.to_string_lossy();
    Board::load(&name).map_err(|error| match error {
        Error::NoSuchBoard { .. } => Failure::usage(error.to_string()),
        other => Failure::new("the facts about the boards cannot be used").because(other),
    })
}

/// The source around the current folder.
///
/// # Errors
/// If there is none.
pub fn here() -> Result<Source, Failure> {
    let here = std::env::current_dir().or_fail(|| "there is no current folder".to_owned())?;
    Source::around(&here)
}

/// Where a board's image lands unless told otherwise.
pub fn default_output(source: &Source, board: &str) -> PathBuf {
    source.folder().join("target/image").join(board)
}

/// Where the image's programs are compiled unless told otherwise.
pub fn default_target(source: &Source) -> PathBuf {
    source.folder().join("target/image/programs")
}

/// A path that does not depend on the current folder.
///
/// # Errors
/// If there is no current folder.
pub fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).or_fail(|| format!("cannot find {}", path.display()))
}
