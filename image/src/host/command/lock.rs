//! `image lock`: resolves package sets and writes their locks.

use lexopt::prelude::*;

use crate::host::command::fetch::Common;
use crate::host::command::print;
use crate::host::failure::Failure;
use crate::host::packages::lock::Lock;
use crate::host::packages::{config, lock_path, resolve_now};
use crate::host::progress::Progress;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: image lock [OPTION]...

Resolves the package sets of image/base/packages.toml with what the archives offer now, writes their lock files and
says what moved. The archives' signatures are checked.

Options:
  --set SET         only this set; may be given more than once
  --check           write nothing; end with 1 when a lock would change
  --mirror URL, --security-mirror URL
                    where Debian's packages come from; see `image fetch --help`
  -h, --help        this text
";

/// Runs the command.
///
/// # Errors
/// When a set cannot be resolved, or with `--check` would resolve to something else than its lock.
pub fn run(mut args: lexopt::Parser) -> Result<(), Failure> {
    let mut common = Common::default();
    let mut is_check = false;
    while let Some(arg) = args.next()? {
        match arg {
            Long("set") => common.sets.push(args.value()?.string()?),
            Long("mirror") => common.mirrors.debian = Some(args.value()?.string()?),
            Long("security-mirror") => common.mirrors.security = Some(args.value()?.string()?),
            Long("check") => is_check = true,
            Short(_) | Long(_) | Value(_) => return Err(arg.unexpected().into()),
        }
    }
    let mut progress = Progress::stderr();
    let options = common.options()?;
    let config = config(&options)?;
    let mut would_change = Vec::new();
    for set in common.sets(&config) {
        let path = lock_path(&options.base, &set);
        let new = resolve_now(&set, &config, &options, &mut progress)?;
        let old = if path.exists() { Lock::read(&path)? } else { Lock::new(&set, Vec::new(), Vec::new()) };
        let moved = new.moved_since(&old);
        print(&if moved.is_empty() { format!("{set}: nothing moved\n") } else { moved.join("\n") + "\n" })?;
        if moved.is_empty() {
            continue;
        }
        if is_check {
            would_change.push(set);
        } else {
            new.write(&path)?;
        }
    }
    if would_change.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("locks that would change: {}", would_change.join(", "))))
}
