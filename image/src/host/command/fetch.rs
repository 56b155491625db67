//! `image fetch`: downloads what the locks name.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::host::command::{here, print};
use crate::host::failure::Failure;
use crate::host::packages::config::Config;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::mirror::Given;
use crate::host::packages::{config, export, obtain};
use crate::host::progress::{Progress, megabytes};

/// What `--help` prints.
pub const HELP: &str = "\
Usage: image fetch [OPTION]...

Downloads the locked packages into the cache and checks every one of them. What is there already is only checked.

Options:
  --set SET         only this set; may be given more than once
  --export FOLDER   copy locks and packages into a folder: the archive of a release
  --from FOLDER     read from such a folder instead of a mirror
  --relock          when locked packages have gone from every mirror, resolve the set anew into a copy of its lock and
                    say so (also STOREBOX_RELOCK=1); proves nothing about the tree's lock
  --mirror URL, --security-mirror URL
                    where Debian's packages and its security updates come from
  -h, --help        this text

Without --mirror, mirrors are those of STOREBOX_MIRROR and STOREBOX_SECURITY_MIRROR, else of
~/.config/storebox/image.toml (mirror, security_mirror), else of this machine's own package sources. That file can also
name a snapshot archive, which is asked last:
  snapshot = \"https://HOST/archive/{archive}/{timestamp}\"
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
        print(&format!("{set}: {} packages, {size}{mark}\n", obtained.files.len()))?;
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
        Ok(FetchOptions { mirrors: self.mirrors.clone(), ..FetchOptions::new(here()?.folder())? })
    }

    /// The sets that were named, else all.
    pub(crate) fn sets(&self, config: &Config) -> Vec<String> {
        if self.sets.is_empty() { config.set.keys().cloned().collect() } else { self.sets.clone() }
    }
}
