//! `storebox-screen`: what the box shows on its screen and serial console instead of a login prompt.
//!
//! It looks every second at what the daemon and the machine say, and draws. It keeps nothing, listens nowhere and
//! answers no key.

mod clock;
mod facts;
mod machine;
mod render;
mod tty;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::facts::{Facts, Network, Pulse};
use crate::tty::Tty;

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// How often it is looked whether something changed.
const TICK: Duration = Duration::from_secs(1);

const HELP: &str = "\
storebox-screen: shows on a screen how the store box is

Usage: storebox-screen --tty DEVICE [--tty DEVICE]... [--status FILE] [--slot-info]
       storebox-screen --once [--status FILE] [--slot-info]

  --tty DEVICE   draw there: in place on /dev/tty1 and its like, below what was
                 there on a serial console; one that cannot be opened is tried again
  --status FILE  what the daemon says (default /run/storebox/status.json)
  --data FILE    how the data is kept (default /run/storebox/data.json)
  --slot-info    show which of the two systems runs
  --once         print one screen and end
  --help         show this
  --version      show the release

Exit: 64 if the command line is wrong; without --once it does not end by itself.
";

fn main() -> ExitCode {
    match Arguments::parse() {
        Ok(Arguments::Help) => print(HELP),
        Ok(Arguments::Version) => print(concat!("storebox-screen ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Arguments::Once(sources)) => {
            let clock = Clock::start();
            let lines = render::render(&Watch::start(sources, &clock).look(&clock));
            print(&(lines.join("\n") + "\n"))
        }
        Ok(Arguments::Draw(sources, ttys)) => draw_for_ever(sources, ttys),
        Err(error) => {
            let _said = writeln!(io::stderr(), "storebox-screen: {error}\nTry storebox-screen --help.");
            ExitCode::from(USAGE)
        }
    }
}

fn draw_for_ever(sources: Sources, ttys: Vec<PathBuf>) -> ExitCode {
    let clock = Clock::start();
    let mut watch = Watch::start(sources, &clock);
    let mut ttys: Vec<_> = ttys.into_iter().map(Tty::new).collect();
    loop {
        let lines = render::render(&watch.look(&clock));
        let now = clock.now().monotonic;
        for tty in &mut ttys {
            tty.draw(&lines, now);
        }
        thread::park_timeout(TICK);
    }
}

fn print(text: &str) -> ExitCode {
    // Nobody may be reading.
    let _shown = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    ExitCode::SUCCESS
}

/// Where facts come from.
struct Sources {
    status: PathBuf,
    data: PathBuf,
    slot_info: bool,
}

enum Arguments {
    Help,
    Version,
    Once(Sources),
    Draw(Sources, Vec<PathBuf>),
}

impl Arguments {
    fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut sources = Sources {
            status: PathBuf::from("/run/storebox/status.json"),
            data: PathBuf::from("/run/storebox/data.json"),
            slot_info: false,
        };
        let mut ttys = Vec::new();
        let mut once = false;
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("status") => sources.status = PathBuf::from(parser.value()?),
                Long("data") => sources.data = PathBuf::from(parser.value()?),
                Long("tty") => ttys.push(PathBuf::from(parser.value()?)),
                Long("slot-info") => sources.slot_info = true,
                Long("once") => once = true,
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        match (once, ttys.is_empty()) {
            (true, true) => Ok(Self::Once(sources)),
            (false, false) => Ok(Self::Draw(sources, ttys)),
            (true, false) => Err("--once prints on standard output: leave out --tty".into()),
            (false, true) => Err("name at least one --tty to draw on, or --once".into()),
        }
    }
}

/// Looks at everything there is to show.
struct Watch {
    sources: Sources,
    pulse: Pulse,
    /// The last trouble that was said: the same one every second would fill the log.
    said: Option<String>,
}

impl Watch {
    fn start(sources: Sources, clock: &Clock) -> Self {
        Self { sources, pulse: Pulse::start(clock.now()), said: None }
    }

    fn look(&mut self, clock: &Clock) -> Facts {
        let mut trouble = None;
        let status = read(&self.sources.status, &mut trouble);
        let network = machine::network().unwrap_or_else(|error| {
            trouble.get_or_insert(format!("cannot list the addresses: {error}"));
            Network::NoAddress
        });
        let facts = Facts {
            host: machine::host_name(),
            network,
            service: self.pulse.hear(status, clock.now()),
            data: read(&self.sources.data, &mut trouble),
            slot: self.sources.slot_info.then(machine::slot).flatten(),
        };
        if let Some(text) = trouble.as_ref().filter(|_| trouble != self.said) {
            let _said = writeln!(io::stderr(), "{text}");
        }
        self.said = trouble;
        facts
    }
}

fn read<T: DeserializeOwned>(path: &std::path::Path, trouble: &mut Option<String>) -> Option<T> {
    machine::read_json(path).unwrap_or_else(|error| {
        trouble.get_or_insert(format!("cannot read {}: {error}", path.display()));
        None
    })
}
