//! `storeboxd`: log → version → configuration → store → listener → ready → serve → drain.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use storebox_core::catalogue::sample::SampleShop;
use storeboxd::config::{Config, ConfigError, Layers};
use storeboxd::daemon::{Daemon, DaemonError, Greeting};
use storeboxd::{inherited, logging};

/// A clean drain.
const DONE: u8 = 0;
/// The command line or the configuration is wrong; nothing was bound or written (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// A fault that a new process may get over (EX_SOFTWARE of sysexits.h).
const FAULT: u8 = 70;

/// Blocking reads at once: they are short, and each thread costs memory.
const BLOCKING_THREADS: usize = 8;
/// Threads that serve the network: more only compete with the writer.
const WORKER_THREADS: usize = 4;

const HELP: &str = "\
storeboxd: the daemon of the store box

Usage: storeboxd [--config FILE] [--site FILE] [--sample-shop restaurant|retail]

  --config FILE  read the configuration from FILE (TOML); without it the box
                 runs for this machine only: https://127.0.0.1:8443, state
                 under the build's target folder or ./storebox-state
  --site FILE    take the installer's file from FILE (storebox.toml), and write
                 STATUS.TXT beside it; without it an image takes the one on its
                 own partition STOREBOX
  --sample-shop SHOP
                 give a store that has no catalogue one to try: a restaurant of
                 some 120 dishes and drinks, or a retail shop of 2,000 barcodes
  --help         show this
  --version      show the release

Environment:
  STOREBOX_LOG       error, warn, info (default), debug or trace
  LISTEN_FDS         a listener handed over by the service manager; the box then
                     serves on it instead of on [lan] listen
  RUNTIME_DIRECTORY  folder in which status.json tells the screen how the box is

Exit: 0 after a clean stop, 64 if the configuration or the listener handed over
is wrong (nothing was written), 70 after a fault: start it again.
";

fn main() -> ExitCode {
    let arguments = match Arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _shown = writeln!(io::stderr(), "storeboxd: {error}\nTry storeboxd --help.");
            return ExitCode::from(USAGE);
        }
    };
    match arguments {
        Arguments::Help => show(HELP),
        Arguments::Version => show(concat!("storeboxd ", env!("CARGO_PKG_VERSION"), "\n")),
        Arguments::Run(options) => serve(options),
    }
}

enum Arguments {
    Help,
    Version,
    Run(Options),
}

/// What a box is started with.
#[derive(Default)]
struct Options {
    config: Option<PathBuf>,
    site: Option<PathBuf>,
    sample_shop: Option<SampleShop>,
}

impl Arguments {
    fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("config") => options.config = Some(PathBuf::from(parser.value()?)),
                Long("site") => options.site = Some(PathBuf::from(parser.value()?)),
                Long("sample-shop") => options.sample_shop = Some(parser.value()?.parse()?),
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        Ok(Self::Run(options))
    }
}

fn serve(options: Options) -> ExitCode {
    let inherited = inherited::take();
    logging::start();
    log::info!("storeboxd {}", env!("CARGO_PKG_VERSION"));
    let is_desk = options.config.is_none();
    let (layers, config) = match configuration(options.config) {
        Ok(configuration) => configuration,
        Err(error) => {
            log::error!("{error}");
            return ExitCode::from(USAGE);
        }
    };
    let inherited = match inherited {
        Ok(inherited) => inherited,
        Err(error) => {
            log::error!("{error}");
            return ExitCode::from(USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKER_THREADS)))
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            runtime.block_on(start_and_run(layers, config, inherited, options.site, options.sample_shop, is_desk))
        }
        Err(error) => Err(DaemonError::Signals(error)),
    };
    match result {
        Ok(()) => {
            log::info!("stopped");
            ExitCode::from(DONE)
        }
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(FAULT)
        }
    }
}

fn configuration(file: Option<PathBuf>) -> Result<(Layers, Config), ConfigError> {
    let (path, layers) = match file {
        Some(path) => (path.clone(), Layers::read(&path)?),
        None => (PathBuf::from("of a run without a file"), Layers::desk(desk_folder())),
    };
    let config = layers.config().map_err(|error| ConfigError::Wrong { path, error })?;
    Ok((layers, config))
}

async fn start_and_run(
    layers: Layers,
    config: Config,
    inherited: Option<TcpListener>,
    site: Option<PathBuf>,
    sample_shop: Option<SampleShop>,
    is_desk: bool,
) -> Result<(), DaemonError> {
    let daemon = Daemon::start(layers, config, inherited, site).await?;
    if let Some(shop) = sample_shop {
        daemon.seed(shop).await?;
    }
    if is_desk {
        show(&greet(&daemon.greeting()?));
    }
    daemon.run().await
}

/// Under `cargo run`, beside the build; else in the working folder.
fn desk_folder() -> PathBuf {
    let beside_the_build = || {
        std::env::var_os("CARGO_MANIFEST_DIR")?;
        let program = std::env::current_exe().ok()?;
        Some(program.parent()?.parent()?.join("storebox-state"))
    };
    beside_the_build().unwrap_or_else(|| PathBuf::from("storebox-state"))
}

fn greet(greeting: &Greeting) -> String {
    let Greeting { address, secret, owner_pin, fingerprint, ca_file } = greeting;
    let ca = ca_file.display();
    let owner = owner_pin.as_ref().map_or_else(String::new, |pin| {
        format!("Owner's PIN         {pin} (sign in as \"owner\"; it has to be changed then)\n")
    });
    format!(
        "\n\
         The box is open at  https://{address}/\n\
         Pairing secret      {secret}\n\
         {owner}Fingerprint         {fingerprint}\n\
         Certificate         {ca}\n\
         \n\
         Pair a till and place an order:\n\
         \n\
         TOKEN=$(curl -sS --cacert '{ca}' https://{address}/api/local/pair --json '{{\"name\":\"desk\",\"kind\":\"pos\",\"secret\":\"{secret}\"}}' \
         | sed -n 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/p') && \
         curl -sS --cacert '{ca}' https://{address}/pos/orders -H \"Authorization: Bearer $TOKEN\" \
         --json '{{\"items\":[{{\"itemId\":\"coffee\",\"name\":\"Coffee\",\"quantity\":2,\"unitPrice\":350}}]}}'\n\
         \n\
         Stop it with Ctrl-C.\n\n"
    )
}

fn show(text: &str) -> ExitCode {
    // Nobody may be reading; the box serves all the same.
    let _shown = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    ExitCode::from(DONE)
}
