//! The commands of `provision`, and how one is chosen.

use lexopt::{Arg, Parser};

use crate::failure::Failure;
use crate::{claim, find, flash, imager, site, status, terminal};

/// A command.
pub struct Command {
    /// What is typed.
    pub name: &'static str,
    /// What it does, in a line.
    pub purpose: &'static str,
    /// What `--help` prints; empty for one that only has commands of its own.
    pub help: &'static str,
    /// Does it.
    pub run: fn(Parser) -> Result<(), Failure>,
}

/// All of them, in the order one meets them.
const COMMANDS: [Command; 6] = [
    Command { name: "site", purpose: "makes and checks the installer's file, storebox.toml", help: "", run: site::run },
    Command { name: "claim", purpose: "makes a claim at the cloud, and its file", help: claim::HELP, run: claim::run },
    Command { name: "flash", purpose: "writes an image to a card or disk", help: flash::HELP, run: flash::run },
    Command { name: "find", purpose: "finds the boxes on this network", help: find::HELP, run: find::run },
    Command {
        name: "status",
        purpose: "shows how a box is, or what it wrote on its card",
        help: status::HELP,
        run: status::run,
    },
    Command { name: "imager", purpose: "makes the list for Raspberry Pi Imager", help: imager::HELP, run: imager::run },
];

const ABOUT: &str = "What an installer does with a store box before it is switched on, and after.";

/// Reads the command line and does what it says.
///
/// # Errors
/// What went wrong, for the person at the terminal.
pub fn run(arguments: Parser) -> Result<(), Failure> {
    choose("provision", ABOUT, &COMMANDS, arguments)
}

/// Runs the command that comes next.
///
/// # Errors
/// If there is none, and those of the command.
pub fn choose(program: &str, about: &str, commands: &[Command], mut arguments: Parser) -> Result<(), Failure> {
    let overview = || overview(program, about, commands);
    let name = match arguments.next()? {
        None => return Err(Failure::usage(format!("no command given\n\n{}", overview()))),
        Some(Arg::Short('h') | Arg::Long("help")) => return terminal::print(&overview()),
        Some(Arg::Short('V') | Arg::Long("version")) if program == "provision" => {
            return terminal::print(concat!("provision ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Some(Arg::Value(name)) => name.to_string_lossy().into_owned(),
        Some(other) => return Err(Failure::from(other.unexpected())),
    };
    let command = commands.iter().find(|command| command.name == name);
    let command = command.ok_or_else(|| Failure::usage(format!("there is no command {name:?}\n\n{}", overview())))?;
    if command.help.is_empty() {
        return (command.run)(arguments);
    }
    let asks_for_help = arguments.try_raw_args().is_some_and(|rest| {
        rest.as_slice().iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h")
    });
    if asks_for_help {
        return terminal::print(command.help);
    }
    (command.run)(arguments).map_err(|failure| match failure.code() {
        crate::failure::USAGE => Failure::usage(format!("{failure:#}\n\n{}", command.help)),
        _ => failure,
    })
}

fn overview(program: &str, about: &str, commands: &[Command]) -> String {
    let mut text = format!("Usage: {program} COMMAND [OPTION]...\n\n{about}\n\nCommands:\n");
    for command in commands {
        text.push_str(&format!("  {:<8} {}\n", command.name, command.purpose));
    }
    text.push_str(&format!("\n`{program} COMMAND --help` says more.\n"));
    text
}
