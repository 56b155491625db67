//! `storebox-data`: brings the data partition into use, once, early in the boot.

use std::io::{self, Write};
use std::process::ExitCode;

use storebox_helper::data;
use storebox_helper::files::Root;
use storebox_helper::logging;
use storebox_helper::machine::Here;

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// The data partition is not in use (EX_SOFTWARE of sysexits.h).
const FAULT: u8 = 70;

const HELP: &str = "\
storebox-data: brings the partition that keeps everything into use

Usage: storebox-data

Run once, as root, early in the boot. Makes the partition at the first start,
lets it grow, unlocks, checks and mounts it on /var, and sets the host name.
What became of it is written to /run/storebox/data.json.

  --help         show this
  --version      show the release

Exit: 0 when /var is in use, 64 for a wrong command line, 70 when it is not;
then what is kept is untouched, and the next start tries again.
";

fn main() -> ExitCode {
    match parse() {
        Ok(None) => {}
        Ok(Some(text)) => {
            // Nobody may be reading.
            let _shown = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _shown = writeln!(io::stderr(), "storebox-data: {error}\nTry storebox-data --help.");
            return ExitCode::from(USAGE);
        }
    }
    // Not to the journal, which the screen does not show: this is said to whoever stands before the box.
    logging::start_on_stderr();
    match data::bring_up(&Root::default(), &Here) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            if let data::DataError::Locked(cause) | data::DataError::Damaged(cause) = error {
                log::error!("{cause}");
            }
            ExitCode::from(FAULT)
        }
    }
}

/// What to show, if that is all that is asked.
fn parse() -> Result<Option<&'static str>, lexopt::Error> {
    use lexopt::prelude::*;
    match lexopt::Parser::from_env().next()? {
        None => Ok(None),
        Some(Short('h') | Long("help")) => Ok(Some(HELP)),
        Some(Short('V') | Long("version")) => Ok(Some(concat!("storebox-data ", env!("CARGO_PKG_VERSION"), "\n"))),
        Some(argument) => Err(argument.unexpected()),
    }
}
