//! `storebox-cloud`: the reference cloud, as a program.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use storebox_cloud::api::{self, Cloud};
use storebox_cloud::authority::{self, Authority};
use storebox_cloud::database::Database;
use storebox_cloud::{server, tls};
use storebox_core::network::CloudUrl;

const HELP: &str = "\
storebox-cloud: the reference cloud of the store box

Usage: storebox-cloud [OPTION]...

  --data FOLDER     where it keeps everything (default: storebox-cloud)
  --listen ADDRESS  where it listens (default: 127.0.0.1:8444)
  --url URL         where boxes find it (default: https://localhost and the port)
  --help            show this
  --version         show the release

It prints where it listens, the pin for the installer's file, and how to make a
claim. What lets you make one is in FOLDER/admin-token.
";

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// It cannot start (EX_SOFTWARE).
const FAULT: u8 = 70;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let options = match Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}; try storebox-cloud --help");
            return ExitCode::from(USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = result {
        log::error!("{error}");
        return ExitCode::from(FAULT);
    }
    ExitCode::SUCCESS
}

struct Options {
    data: PathBuf,
    listen: SocketAddr,
    url: Option<CloudUrl>,
}

impl Options {
    /// The command line; none if all it wants was shown.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options =
            Self { data: PathBuf::from("storebox-cloud"), listen: SocketAddr::from(([127, 0, 0, 1], 8444)), url: None };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("data") => options.data = PathBuf::from(parser.value()?),
                Long("listen") => options.listen = parser.value()?.parse()?,
                Long("url") => options.url = Some(parser.value()?.parse_with(CloudUrl::new)?),
                Short('h') | Long("help") => {
                    show(HELP);
                    return Ok(None);
                }
                Short('V') | Long("version") => {
                    show(concat!("storebox-cloud ", env!("CARGO_PKG_VERSION"), "\n"));
                    return Ok(None);
                }
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let Options { data, listen, url } = options;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
    let authority = Authority::load_or_make(&data)?;
    let database = Database::open(&data.join("cloud.redb"))?;
    let admin_token = admin_token(&data.join("admin-token"))?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let url = match url {
        Some(url) => url,
        None => CloudUrl::new(&format!("https://localhost:{}", address.port()))?,
    };
    let names = [url.host().trim_matches(['[', ']']).to_owned(), "localhost".to_owned(), address.ip().to_string()];
    let tls = tls::config(&authority, &names)?;
    show(&greeting(&url, address, &authority, &data));
    let cloud = Cloud { database, authority, url, admin_token };
    server::serve(listener, tls, api::router(Arc::new(cloud))).await
}

/// The token that lets people in, made at the first start.
fn admin_token(file: &Path) -> Result<String, Box<dyn std::error::Error>> {
    match fs::read_to_string(file) {
        Ok(token) => Ok(token.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = api::random_token()?;
            authority::write(file, format!("{token}\n").as_bytes(), 0o600)?;
            Ok(token)
        }
        Err(error) => Err(error.into()),
    }
}

fn greeting(url: &CloudUrl, address: SocketAddr, authority: &Authority, data: &Path) -> String {
    let (pin, data) = (authority.pin(), data.display());
    format!(
        "\n\
         The cloud is open at  https://{address}/\n\
         Boxes find it at      {url}\n\
         Pin                   {pin}\n\
         \n\
         Make a claim and its site file:\n\
         \n\
         curl -sS --cacert '{data}/authority.pem' {url}/v1/claims \\\n\
         \x20 -H \"Authorization: Bearer $(cat '{data}/admin-token')\" --json '{{\"storeName\":\"Corner shop\"}}' \\\n\
         \x20 | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"site\"])' > storebox.toml\n\
         \n\
         Stop it with Ctrl-C.\n\n"
    )
}

fn show(text: &str) {
    // Nobody may be reading; boxes are served all the same.
    let _shown = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}
