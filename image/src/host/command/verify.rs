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
Usage: image verify BOARD... [OPTION]...

Builds the boards' images twice, in two folders, one after the other, each time from a copy of the
committed source and with nothing compiled before, and compares the disk images byte for byte.
Ends with 3 instead of 0 if they are identical but made of packages that were resolved anew (RELOCKED).

Options:
  --quick          as for `image build`
  --work FOLDER    where they are built, in first/BOARD and second/BOARD; default target/image/verify
  -h, --help       this text
";

/// Runs the command.
///
/// # Errors
/// If images differ; the message says where.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut boards = Vec::new();
    let (mut quick, mut work) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) => boards.push(board(&name)?),
            Arg::Long("quick") => quick = true,
            Arg::Long("work") => work = Some(PathBuf::from(arguments.value()?)),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    if boards.is_empty() {
        return Err(Failure::usage("which board?"));
    }
    let source = here()?;
    let work = absolute(work.unwrap_or_else(|| source.folder().join("target/image/verify")))?;
    let mut progress = Progress::stderr();
    let mut relocked = false;
    for side in SIDES {
        let folder = work.join(side);
        files::make_empty(&folder)?;
        let copy = clone(source.folder(), &folder.join("a copy of the source"))?;
        let target = folder.join("programs");
        for board in &boards {
            let options = Options {
                output: folder.join(&board.name),
                target: target.clone(),
                compression: if quick { Compression::Quick } else { Compression::Release },
                profile: if quick { "quick" } else { "release" }.to_owned(),
                fetch: FetchOptions::new(copy.folder())?,
            };
            progress.note(&format!("== {} ({side})", board.name));
            relocked |= recipe::build(board, &copy, &options, &mut progress)?.relocked;
            files::remove(&options.output.join("work"))?;
        }
        files::remove(&target)?;
    }
    drop(progress);
    for board in &boards {
        let [first, second] = SIDES.map(|side| recipe::image_file(&work.join(side).join(&board.name), board));
        if let Some(difference) = first_difference(&first, &second)? {
            return Err(Failure::new(format!(
                "{} and {} differ, first at byte {difference}",
                first.display(),
                second.display()
            )));
        }
        print(&format!("identical: {} {}\n", board.name, files::sha256(&second)?))?;
    }
    if relocked {
        return Err(Failure::relocked(
            "RELOCKED: the images are identical, but made of packages resolved anew: no proof about the locks",
        ));
    }
    Ok(())
}

/// Names of the two builds.
const SIDES: [&str; 2] = ["first", "second"];

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
        std::fs::File::open(path)
            .map(|file| BufReader::with_capacity(1 << 20, file))
            .or_fail(|| format!("cannot read {}", path.display()))
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
