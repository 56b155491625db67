//! `storebox-helper`: carries out what the daemon asks of root, started by its socket.

use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use nix::unistd::{Uid, User};
use storebox_helper::files::Root;
use storebox_helper::firewall;
use storebox_helper::limits::IDLE_TIME;
use storebox_helper::logging;
use storebox_helper::machine::{Here, set_wall_clock};
use storebox_helper::server;
use storebox_helper::verbs::{Verbs, health};

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// A fault that a new process may get over (EX_SOFTWARE of sysexits.h).
const FAULT: u8 = 70;

const HELP: &str = "\
storebox-helper: what of the store box needs root

Usage: storebox-helper [--user USER]
       storebox-helper firewall [--config FILE] [--print]
       storebox-helper clock MILLISECONDS
       storebox-helper health

Without a command it answers at the socket that the service manager hands
over, and leaves when nobody has asked for 30 seconds.

  --user USER    whose requests are carried out, beside root's (storebox)
  firewall       load the packet filter for the addresses of this moment
  clock          set the clock to so many milliseconds since 1970
  health         say how the machine is, as JSON
  --config FILE  the daemon's configuration (/etc/storebox/storebox.toml)
  --print        show the packet filter instead of loading it
  --help         show this
  --version      show the release

Exit: 0 when done, 64 for a wrong command line, 70 after a fault.
";

fn main() -> ExitCode {
    let task = match Task::parse() {
        Ok(task) => task,
        Err(error) => {
            let _shown = writeln!(io::stderr(), "storebox-helper: {error}\nTry storebox-helper --help.");
            return ExitCode::from(USAGE);
        }
    };
    let result = match task {
        Task::Help => show(HELP),
        Task::Version => show(concat!("storebox-helper ", env!("CARGO_PKG_VERSION"), "\n")),
        Task::Serve { user } => {
            logging::start();
            serve(&user)
        }
        Task::Clock { unix_ms } => {
            logging::start();
            set_wall_clock(unix_ms)
        }
        Task::Health => tell_health(),
        Task::Firewall { config, is_shown } => {
            logging::start();
            filter(&config, is_shown)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(FAULT)
        }
    }
}

enum Task {
    Help,
    Version,
    Serve { user: String },
    Firewall { config: PathBuf, is_shown: bool },
    Clock { unix_ms: u64 },
    Health,
}

impl Task {
    fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut user, mut config) = ("storebox".to_owned(), PathBuf::from("/etc/storebox/storebox.toml"));
        let (mut is_firewall, mut is_shown) = (false, false);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(command) if command == "firewall" && !is_firewall => is_firewall = true,
                Value(command) if command == "clock" => {
                    return Ok(Self::Clock { unix_ms: parser.value()?.parse()? });
                }
                Value(command) if command == "health" => return Ok(Self::Health),
                Long("user") if !is_firewall => user = parser.value()?.string()?,
                Long("config") if is_firewall => config = PathBuf::from(parser.value()?),
                Long("print") if is_firewall => is_shown = true,
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        Ok(if is_firewall { Self::Firewall { config, is_shown } } else { Self::Serve { user } })
    }
}

fn serve(user: &str) -> io::Result<()> {
    let daemon = user_id(user)?;
    let verbs = Arc::new(Verbs::new(Root::default(), Here));
    server::serve(&socket()?, &verbs, daemon, IDLE_TIME)
}

fn user_id(name: &str) -> io::Result<Uid> {
    let user = User::from_name(name);
    let user = user.map_err(|error| io::Error::other(format!("the user {name} cannot be looked up: {error}")))?;
    user.map(|user| user.uid).ok_or_else(|| io::Error::other(format!("there is no user {name}")))
}

/// The one socket of the socket unit (sd_listen_fds(3)).
fn socket() -> io::Result<UnixListener> {
    let listener = listenfd::ListenFd::from_env().take_unix_listener(0)?;
    listener.ok_or_else(|| io::Error::other("the service manager handed over no socket: start storebox-helper.socket"))
}

fn filter(config: &std::path::Path, is_shown: bool) -> io::Result<()> {
    let rules = firewall::ruleset(config)?;
    if is_shown {
        return show(&rules.to_string());
    }
    firewall::apply(&Here, &rules).map_err(io::Error::other)?;
    log::info!(subnets = rules.lan.len(); "the packet filter was loaded");
    Ok(())
}

fn tell_health() -> io::Result<()> {
    let health = health::read(&Root::default(), &Here);
    show(&(serde_json::to_string(&health).map_err(io::Error::other)? + "\n"))
}

fn show(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
