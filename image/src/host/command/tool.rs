//! `image tool`

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use lexopt::{Arg, ValueExt};

use crate::host::command::{absolute, here, print};
use crate::host::failure::Failure;
use crate::host::packages::fetch::FetchOptions;
use crate::host::progress::Progress;
use crate::host::toolroot::ToolRoot;

/// What `image tool --help` prints.
pub const HELP: &str = "\
Usage: image tool [OPTION]... [--] PROGRAM [ARGUMENT]...

Runs a program of the tool root: QEMU, nft, systemd-analyze, mcopy … in the versions the lock names.
It sees /build, and nothing else of this machine but what is bound.

Options:
  --work FOLDER         the folder it sees as /build, where it starts; default the current one
  --bind FOLDER=INSIDE  shows another folder
  --network             lets it use this machine's network
  -h, --help            this text
";

/// Runs the command.
///
/// # Errors
/// If the program cannot be started; otherwise its exit code is the command's.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut work = PathBuf::from(".");
    let mut binds = Vec::new();
    let mut network = false;
    let program = loop {
        match arguments.next()? {
            None => return Err(Failure::usage("which program?")),
            Some(Arg::Short('h') | Arg::Long("help")) => return print(HELP),
            Some(Arg::Long("network")) => network = true,
            Some(Arg::Long("work")) => work = PathBuf::from(arguments.value()?),
            Some(Arg::Long("bind")) => {
                let value = arguments.value()?.string()?;
                let (host, inside) = value
                    .split_once('=')
                    .ok_or_else(|| Failure::usage(format!("--bind {value}: it is FOLDER=INSIDE")))?;
                binds.push((absolute(PathBuf::from(host))?, inside.to_owned()));
            }
            Some(Arg::Value(program)) => break program.string()?,
            Some(other) => return Err(Failure::from(other.unexpected())),
        }
    };
    let tools = ToolRoot::ready(&FetchOptions::new(here()?.folder())?, &mut Progress::stderr())?;
    let mut sandbox = tools.at(&absolute(work)?);
    for (host, inside) in binds {
        sandbox = sandbox.bind(&host, &inside);
    }
    if network {
        sandbox = sandbox.with_network();
    }
    let mut command = sandbox.command(&program)?;
    command.args(arguments.raw_args()?);
    let error = command.exec();
    Err(Failure::new(format!("cannot start {program}")).because(error))
}
