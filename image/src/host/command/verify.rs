//! `image verify`

use std::path::{Path, PathBuf};

use lexopt::Arg;

use crate::host::build::{self as recipe, Options};
use crate::host::command::{absolute, board, here, print};
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::fetch::FetchOptions;
use crate::host::progress::Progress;
use crate::host::source::Source;
use crate::host::toolroot::run as run_command;
use crate::host::verity::Compression;

/// What `image verify --help` prints.
pub const HELP: &str = "\
Usage: image verify BOARD [OPTION]...

Builds the image twice, in two folders, one after the other, each from its own copy of the committed
source and with nothing compiled before, and compares the disk images byte for byte.

Options:
  --quick          as for `image build`
  --work FOLDER    where both are built; default target/image/verify
  --against FILE   build once and compare with this image of the same commit
  -h, --help       this text
";

/// Runs the command.
///
/// # Errors
/// If the images differ; the message says where.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut chosen = None;
    let (mut quick, mut work, mut against) = (false, None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if chosen.is_none() => chosen = Some(board(&name)?),
            Arg::Long("quick") => quick = true,
            Arg::Long("work") => work = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("against") => against = Some(PathBuf::from(arguments.value()?)),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let board = chosen.ok_or_else(|| Failure::usage("which board?"))?;
    let source = here()?;
    let work = absolute(work.unwrap_or_else(|| source.folder().join("target/image/verify")))?;
    let mut progress = Progress::stderr();
    let mut relocked = false;
    let mut once = |name: &str| -> Result<PathBuf, Failure> {
        let folder = work.join(&board.name).join(name);
        files::make_empty(&folder)?;
        let copy = clone(source.folder(), &folder.join("a copy of the source"))?;
        let options = Options {
            output: folder.join("image"),
            target: folder.join("programs"),
            compression: if quick { Compression::Quick } else { Compression::Release },
            profile: if quick { "quick" } else { "release" }.to_owned(),
            fetch: FetchOptions::new(copy.folder())?,
        };
        let manifest = recipe::build(&board, &copy, &options, &mut progress)?;
        relocked |= manifest.relocked;
        files::remove(&options.target)?;
        Ok(recipe::image_file(&options.output, &board))
    };
    let first = match against {
        Some(image) => image,
        None => once("first")?,
    };
    let second = once("second")?;
    drop(progress);
    if let Some(difference) = first_difference(&first, &second)? {
        return Err(Failure::new(format!(
            "{} and {} differ, first at byte {difference}",
            first.display(),
            second.display()
        )));
    }
    if relocked {
        return Err(Failure::relocked(
            "the images are identical, but made of packages resolved anew (RELOCKED): no proof about the locks",
        ));
    }
    print(&format!("identical: {} {}\n", board.name, files::sha256(&second)?))
}

/// A copy of what is committed, nothing else.
fn clone(from: &Path, to: &Path) -> Result<Source, Failure> {
    let mut git = std::process::Command::new("git");
    git.args(["clone", "--quiet", "--no-hardlinks"]).arg(from).arg(to);
    run_command(git, "git clone")?;
    Source::around(to)
}

/// Where two files first differ.
fn first_difference(first: &Path, second: &Path) -> Result<Option<u64>, Failure> {
    use std::io::{BufRead, BufReader};
    let open = |path: &Path| {
        std::fs::File::open(path).map(|file| BufReader::with_capacity(1 << 20, file)).or_fail(|| format!("cannot read {}", path.display()))
    };
    let (mut one, mut other) = (open(first)?, open(second)?);
    let mut at = 0;
    loop {
        let failed = || "cannot read the images".to_owned();
        let (here, there) = (one.fill_buf().or_fail(failed)?, other.fill_buf().or_fail(failed)?);
        let length = here.len().min(there.len());
        if length == 0 {
            return Ok((here.len() != there.len()).then_some(at));
        }
        if let Some(offset) = here.iter().zip(there).position(|(here, there)| here != there) {
            return Ok(Some(at + u64::try_from(offset).unwrap_or(u64::MAX)));
        }
        one.consume(length);
        other.consume(length);
        at += u64::try_from(length).unwrap_or(u64::MAX);
    }
}
