//! `image sources`: collects the source packages of an image.

use std::path::PathBuf;

use lexopt::{Arg, ValueExt};

use crate::host::command::{board, here, print};
use crate::host::failure::Failure;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::lock::Lock;
use crate::host::packages::mirror::Given;
use crate::host::packages::{config, lock_path, obtain};
use crate::host::progress::{Progress, megabytes};
use crate::host::sources::{collect, find};
use crate::host::toolroot;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: image sources BOARD --output FOLDER [OPTION]...
       image sources BOARD --list [OPTION]...

Collects the exact source packages of what is locked for a board (x86, rpi4, rpi5): what has to be at hand for whoever
takes up the written offer in the image. They land in FOLDER/NAME_VERSION, with a list SHA256SUMS.

Options:
  --output FOLDER   where to
  --list            only say which they are and how large
  --relock          those of the packages that stand in for locked ones that have gone
  --mirror URL, --security-mirror URL
                    where Debian's packages come from; see `image fetch --help`
  -h, --help        this text
";

/// Runs the command.
///
/// # Errors
/// When a source package cannot be had any more.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut chosen = None;
    let (mut output, mut is_list, mut relock) = (None, false, false);
    let mut mirrors = Given::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if chosen.is_none() => chosen = Some(board(&name)?),
            Arg::Long("output") => output = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("list") => is_list = true,
            Arg::Long("relock") => relock = true,
            Arg::Long("mirror") => mirrors.debian = Some(arguments.value()?.string()?),
            Arg::Long("security-mirror") => mirrors.security = Some(arguments.value()?.string()?),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let board = chosen.ok_or_else(|| Failure::usage("which board?"))?;
    if !is_list && output.is_none() {
        return Err(Failure::usage("where to? Say --output FOLDER, or --list"));
    }
    let mut options = FetchOptions { mirrors, ..FetchOptions::new(here()?.folder())? };
    options.relock |= relock;
    let mut progress = Progress::stderr();
    let config = config(&options)?;
    let lock = if options.relock {
        obtain(&board.package_set, &options, &mut progress)?.lock
    } else {
        Lock::read(&lock_path(&options.base, &board.package_set))?
    };
    let tools = Lock::read(&lock_path(&options.base, toolroot::SET))?;
    let found = find(&lock, &tools, &config, &options, &mut progress)?;
    let mut sum = 0;
    let mut text = String::new();
    for source in &found {
        let size = source.package.files.values().map(|file| file.size).sum();
        sum += size;
        text += &format!("{} ({})\n", source.name, megabytes(size));
    }
    text += &format!("{} source packages, {}\n", found.len(), megabytes(sum));
    if let Some(folder) = output.filter(|_| !is_list) {
        collect(&found, &lock, &folder, &options, &mut progress)?;
    }
    print(&text)
}
