//! `image fetch`: downloads what the locks name.

use std::io::{self, Write};
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::config::Config;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::mirror::Given;
use crate::host::packages::{config, export, obtain};
use crate::host::progress::{Progress, megabytes};
use crate::host::source::Source;

/// What `--help` prints.
pub const HELP: &str = "\
Downloads the locked packages into the cache and checks every one of them.

Usage: image fetch [OPTIONS]

Options:
      --set SET              Only this set; may be given more than once
      --export DIR           Copy locks and packages into a folder: the archive of a release
      --from DIR             Read from such a folder instead of a mirror
      --relock               When locked packages have gone from every mirror, resolve the set anew into a copy of
                             its lock and say so (also STOREBOX_RELOCK=1). Proves nothing about the tree's lock
      --mirror URL           Where the Debian archive is (else: STOREBOX_MIRROR, the configuration file
                             ~/.config/storebox/image.toml, this machine's package sources)
      --security-mirror URL  The same for security updates (STOREBOX_SECURITY_MIRROR)
  -h, --help                 Print this

The cache is the folder STOREBOX_IMAGE_CACHE, else storebox-image in the user's cache.
";

/// Runs the command.
///
/// # Errors
/// When a package cannot be had.
pub fn run(mut args: lexopt::Parser) -> Result<(), Failure> {
    let mut common = Common::default();
    let (mut to, mut from, mut relock) = (None, None, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("set") => common.sets.push(args.value()?.string()?),
            Long("mirror") => common.mirrors.debian = Some(args.value()?.string()?),
            Long("security-mirror") => common.mirrors.security = Some(args.value()?.string()?),
            Long("export") => to = Some(PathBuf::from(args.value()?)),
            Long("from") => from = Some(PathBuf::from(args.value()?)),
            Long("relock") => relock = true,
            Short('h') | Long("help") => return say(HELP.trim_end()),
            Short(_) | Long(_) | Value(_) => return Err(arg.unexpected().into()),
        }
    }
    let mut progress = Progress::stderr();
    let mut options = common.options()?;
    options.from = from;
    options.relock |= relock;
    let config = config(&options)?;
    let mut all = Vec::new();
    for set in common.sets(&config) {
        let obtained = obtain(&set, &options, &mut progress)?;
        let mark = if obtained.relocked { " (RELOCKED)" } else { "" };
        let size = megabytes(obtained.lock.size());
        say(&format!("{set}: {} packages, {size}{mark}", obtained.files.len()))?;
        all.push(obtained);
    }
    match to {
        None => Ok(()),
        Some(folder) => export(&all, &folder),
    }
}

/// What the commands about packages have in common.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) mirrors: Given,
    pub(crate) sets: Vec<String>,
}

impl Common {
    /// Options for the tree around the current folder.
    pub(crate) fn options(&self) -> Result<FetchOptions, Failure> {
        let here = std::env::current_dir().or_fail(|| "this folder cannot be found".into())?;
        let source = Source::around(&here)?;
        Ok(FetchOptions { mirrors: self.mirrors.clone(), ..FetchOptions::new(source.folder())? })
    }

    /// The sets that were named, else all.
    pub(crate) fn sets(&self, config: &Config) -> Vec<String> {
        if self.sets.is_empty() { config.set.keys().cloned().collect() } else { self.sets.clone() }
    }
}

/// Prints what was asked for.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").or_fail(|| "cannot write to standard output".into())
}
