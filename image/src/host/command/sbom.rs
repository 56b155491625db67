//! `image sbom`: writes the bill of materials of a board.

use std::path::PathBuf;

use lexopt::{Arg, ValueExt};

use crate::host::command::{board, here, print};
use crate::host::failure::Failure;
use crate::host::files;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::mirror::Given;
use crate::host::packages::obtain;
use crate::host::progress::Progress;
use crate::host::sbom::document;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: image sbom BOARD [OPTION]...

Writes the bill of materials of a board's image (x86, rpi4, rpi5) as CycloneDX 1.6: the locked packages and the crates
in its programs, with versions, hashes and licences. `image build` writes the same beside the image.

Options:
  --output FILE     where to, instead of standard output
  --relock          resolve packages anew if locked ones have gone
  --mirror URL, --security-mirror URL
                    where Debian's packages come from; see `image fetch --help`
  -h, --help        this text
";

/// Runs the command.
///
/// # Errors
/// When a package cannot be had or read.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut chosen = None;
    let (mut output, mut relock) = (None, false);
    let mut mirrors = Given::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if chosen.is_none() => chosen = Some(board(&name)?),
            Arg::Long("output") => output = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("relock") => relock = true,
            Arg::Long("mirror") => mirrors.debian = Some(arguments.value()?.string()?),
            Arg::Long("security-mirror") => mirrors.security = Some(arguments.value()?.string()?),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let board = chosen.ok_or_else(|| Failure::usage("which board?"))?;
    let source = here()?;
    let mut options = FetchOptions { mirrors, ..FetchOptions::new(source.folder())? };
    options.relock |= relock;
    let obtained = obtain(&board.package_set, &options, &mut Progress::stderr())?;
    let text = document(&board, &obtained, &source)?;
    match output {
        None => print(&text),
        Some(path) => files::write(&path, text),
    }
}
