//! The command line.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use storebox_cloud::fleet::HEARTBEAT_S;
use storebox_core::network::CloudUrl;

/// What it shows of itself.
pub(crate) const HELP: &str = "\
storebox-cloud: the reference cloud of the store box

Usage: storebox-cloud [OPTION]...

  --data FOLDER        where its keys are, and its database unless --database
                       says otherwise (default: storebox-cloud)
  --database URL       PostgreSQL, which many instances may share:
                       postgres://USER:PASSWORD@HOST/DATABASE
                       (or in the environment: DATABASE_URL)
  --database-ca FILE   encrypt the connection to it, and believe the
                       authorities in this file
  --listen ADDRESS     where it listens (default: 127.0.0.1:8444)
  --url URL            where boxes find it (default: https://localhost and the
                       port)
  --heartbeat SECONDS  how often a box shows that it is alive, 1 to 3600; after
                       three it cannot be reached (default: 60)
  --smtp URL           the server that takes mail: smtps://USER:PASSWORD@HOST:PORT,
                       or smtp://… with ?tls=required for STARTTLS
                       (or in the environment: SMTP_URL)
  --mail-from ADDRESS  whom mail comes from
  --help               show this
  --version            show the release

It prints where it listens, the pin for the installer's file, and how to make a
claim. What lets you make one is in FOLDER/admin-token.
";

/// The version, as it is shown.
pub(crate) const VERSION: &str = concat!("storebox-cloud ", env!("CARGO_PKG_VERSION"), "\n");

/// What is wanted of the program.
pub(crate) struct Options {
    /// Where its keys are.
    pub(crate) data: PathBuf,
    /// Where PostgreSQL is; none for the embedded database.
    pub(crate) database: Option<String>,
    /// The authorities of PostgreSQL's certificate.
    pub(crate) database_ca: Option<PathBuf>,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Where boxes find it.
    pub(crate) url: Option<CloudUrl>,
    /// How often a box shows that it is alive, in seconds.
    pub(crate) heartbeat_s: u32,
    /// The server that takes mail.
    pub(crate) smtp: Option<String>,
    /// Whom mail comes from.
    pub(crate) mail_from: Option<String>,
}

impl Options {
    /// Reads the command line; gives the text to be shown if that is all that is wanted.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse() -> Result<Result<Self, &'static str>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Self {
            data: PathBuf::from("storebox-cloud"),
            database: of_environment("DATABASE_URL"),
            database_ca: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8444)),
            url: None,
            heartbeat_s: HEARTBEAT_S,
            smtp: of_environment("SMTP_URL"),
            mail_from: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("data") => options.data = PathBuf::from(parser.value()?),
                Long("database") => options.database = Some(parser.value()?.string()?),
                Long("database-ca") => options.database_ca = Some(PathBuf::from(parser.value()?)),
                Long("listen") => options.listen = parser.value()?.parse()?,
                Long("url") => options.url = Some(parser.value()?.parse_with(CloudUrl::new)?),
                Long("heartbeat") => options.heartbeat_s = parser.value()?.parse_with(heartbeat)?,
                Long("smtp") => options.smtp = Some(parser.value()?.string()?),
                Long("mail-from") => options.mail_from = Some(parser.value()?.string()?),
                Short('h') | Long("help") => return Ok(Err(HELP)),
                Short('V') | Long("version") => return Ok(Err(VERSION)),
                Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
            }
        }
        Ok(Ok(options))
    }
}

fn heartbeat(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(seconds @ 1..=3_600) => Ok(seconds),
        _ => Err("not a number of seconds from 1 to 3600"),
    }
}

/// What the environment says. A password is seen by less people there than among a machine's processes.
fn of_environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
