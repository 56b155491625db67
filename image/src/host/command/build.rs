//! `image build`

use std::path::PathBuf;

use lexopt::{Arg, ValueExt};

use crate::host::build::{self, Options};
use crate::host::command::{absolute, board, default_output, default_target, here, print};
use crate::host::failure::Failure;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::mirror::Given;
use crate::host::progress::Progress;
use crate::host::verity::Compression;

/// What `image build --help` prints.
pub const HELP: &str = "\
Usage: image build BOARD [OPTION]...

Makes the disk image of a board (x86, rpi4, rpi5) from the locked packages and this source.
The image, its download (zstd), manifest.json and bill of materials land in target/image/BOARD.

Options:
  --quick           compress little and compile without optimisation: for tests, not for shops
  --output FOLDER   another place for the image
  --target FOLDER   another place for compiled programs
  --relock          resolve packages anew if locked ones have gone; the image is marked RELOCKED
  --mirror URL, --security-mirror URL
                    where Debian's packages come from; see `image fetch --help`
  -h, --help        this text

Write it to a card or disk (everything on it is lost):
  zstd -dc target/image/BOARD/storebox-BOARD.img.zst | sudo dd of=/dev/DISK bs=4M conv=fsync
";

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut chosen = None;
    let (mut quick, mut output, mut target) = (false, None, None);
    let mut relock = false;
    let mut mirrors = Given::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if chosen.is_none() => chosen = Some(board(&name)?),
            Arg::Long("quick") => quick = true,
            Arg::Long("output") => output = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("target") => target = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("relock") => relock = true,
            Arg::Long("security-mirror") => mirrors.security = Some(arguments.value()?.string()?),
            Arg::Long("mirror") => mirrors.debian = Some(arguments.value()?.string()?),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let board = chosen.ok_or_else(|| Failure::usage("which board?"))?;
    let source = here()?;
    let mut fetch = FetchOptions { mirrors, ..FetchOptions::new(source.folder())? };
    fetch.relock |= relock;
    let options = Options {
        output: absolute(output.unwrap_or_else(|| default_output(&source, &board.name)))?,
        target: absolute(target.unwrap_or_else(|| default_target(&source)))?,
        compression: if quick { Compression::Quick } else { Compression::Release },
        profile: if quick { "quick" } else { "release" }.to_owned(),
        fetch,
    };
    let mut progress = Progress::stderr();
    let manifest = build::build(&board, &source, &options, &mut progress)?;
    drop(progress);
    let image = build::image_file(&options.output, &board);
    print(&format!("{}\n", image.display()))?;
    if manifest.relocked {
        eprintln!("RELOCKED: this image is not made of the locked packages and proves nothing about them.");
    }
    Ok(())
}
