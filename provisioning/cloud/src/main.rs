//! `storebox-cloud`: the reference cloud, as a program.

mod options;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use storebox_cloud::api::{self, Cloud};
use storebox_cloud::authority::{self, Authority, AuthorityError};
use storebox_cloud::database::{Database, Server};
use storebox_cloud::delivery::Delivery;
use storebox_cloud::fleet::{self, Rows, Terms};
use storebox_cloud::{server, tls, watch};
use storebox_core::network::CloudUrl;

use crate::options::Options;

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// It cannot start (EX_SOFTWARE).
const FAULT: u8 = 70;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let options = match Options::parse() {
        Ok(Ok(options)) => options,
        Ok(Err(text)) => {
            show(text);
            return ExitCode::SUCCESS;
        }
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

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let Options { data, database, database_ca, listen, url, heartbeat_s, smtp, mail_from } = options;
    let delivery = Delivery::new(smtp.as_deref(), mail_from.as_deref())?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
    let database = match database {
        Some(url) => {
            let server = Server::new(&url, database_ca.as_deref())?;
            if server.is_in_the_open() {
                log::warn!("the connection to the database is not encrypted; --database-ca encrypts it");
            }
            Database::postgres(server).await?
        }
        None => Database::embedded(&data.join("cloud.redb"))?,
    };
    // Keys are made once, by the first instance: those of another would make strangers of its boxes.
    let may_make = database.look(|rows| rows.authority()).await?.is_none();
    let authority = Authority::load(&data, may_make)?;
    let admin_token = admin_token(&data.join("admin-token"), may_make)?;
    if !database.transact(|rows| fleet::adopt(rows, authority.key())).await? {
        let keys = data.join("authority.key");
        return Err(AuthorityError::Stranger { file: keys }.into());
    }
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let url = match url {
        Some(url) => url,
        None => CloudUrl::new(&format!("https://localhost:{}", address.port()))?,
    };
    let names = [url.host().trim_matches(['[', ']']).to_owned(), "localhost".to_owned(), address.ip().to_string()];
    let tls = tls::config(&authority, &names)?;
    show(&greeting(&url, address, &authority, &data));
    let terms = Terms { sync_url: url, heartbeat_s };
    let cloud = Arc::new(Cloud { database, authority, terms, admin_token, delivery });
    tokio::spawn(watch::watch(Arc::clone(&cloud)));
    tokio::spawn(watch::deliver(Arc::clone(&cloud)));
    server::serve(listener, tls, api::router(cloud)).await
}

/// The token that lets people in, made at the first start.
fn admin_token(file: &Path, may_make: bool) -> Result<String, AuthorityError> {
    let make = || match api::random_token() {
        Ok(token) => Ok(format!("{token}\n")),
        Err(error) => Err(AuthorityError::File { file: file.to_owned(), error }),
    };
    let token = authority::load_or_make(file, 0o600, may_make, make)?;
    match token.trim() {
        // It would let everybody in.
        "" => Err(AuthorityError::File { file: file.to_owned(), error: io::Error::other("it is empty") }),
        token => Ok(token.to_owned()),
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
