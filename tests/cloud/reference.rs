//! A reference cloud of a test's own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use storebox_tests::Folder;

use crate::cluster::Cluster;

/// Names the cloud's program; `tests/run` sets it.
const PROGRAM: &str = "STOREBOX_CLOUD";

/// Where a cloud keeps what it knows.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// In its own folder.
    Embedded,
    /// In PostgreSQL.
    Postgres,
}

impl Kind {
    fn cluster(self) -> Option<Arc<Cluster>> {
        match self {
            Self::Embedded => None,
            Self::Postgres => Some(Cluster::shared()),
        }
    }
}

/// Makes a test of each function, once for each database.
macro_rules! on_each_database {
    ($($name:ident)+) => {
        mod embedded {
            $(#[test] fn $name() { super::$name(crate::reference::Kind::Embedded); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(crate::reference::Kind::Postgres); })+
        }
    };
}
pub(crate) use on_each_database;

/// The program, and the folder of the test. It ends with the value.
pub struct Reference {
    process: Child,
    url: String,
    folder: Arc<Folder>,
    /// What its command line says besides.
    arguments: Vec<OsString>,
    /// Where its keys are, in the test's folder.
    data: String,
    /// The server that it needs.
    cluster: Option<Arc<Cluster>>,
    /// Its environment, besides.
    environment: Vec<(&'static str, String)>,
}

impl Reference {
    /// Starts a cloud that knows nobody.
    pub fn start_on(kind: Kind) -> Self {
        Self::start_in(kind.cluster(), &[], &[])
    }

    /// The same on its own folder, with environment variables of the process.
    pub fn start_with(environment: &[(&'static str, String)]) -> Self {
        Self::start_in(None, &[], environment)
    }

    /// The same, with more on its command line, and with the authorities in a file for those it talks to.
    pub fn start_believing(kind: Kind, arguments: &[&str], authorities: &str) -> Self {
        Self::start_in(kind.cluster(), arguments, &[("SSL_CERT_FILE", authorities.to_owned())])
    }

    /// The same, with its state in this server.
    pub fn start_in(cluster: Option<Arc<Cluster>>, arguments: &[&str], environment: &[(&'static str, String)]) -> Self {
        let folder = Arc::new(Folder::new("cloud"));
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        if let Some(cluster) = &cluster {
            all.extend(["--database".into(), cluster.database().into()]);
        }
        let environment = environment.to_vec();
        let (process, url) = launch(command(&folder, "cloud", &all, &environment));
        Self { process, url, folder, arguments: all, data: "cloud".to_owned(), cluster, environment }
    }

    /// Starts another instance on the same database, in the same folder, with a copy of the keys.
    pub fn beside(&self, data: &str) -> Self {
        self.beside_with(data, self.arguments.clone())
    }

    /// The same on another database.
    pub fn beside_on(&self, data: &str, database: &str) -> Self {
        self.beside_with(data, vec!["--database".into(), database.into()])
    }

    fn beside_with(&self, data: &str, arguments: Vec<OsString>) -> Self {
        std::fs::create_dir(self.path(data)).unwrap();
        for file in ["authority.key", "authority.pem", "server.key", "admin-token"] {
            std::fs::copy(self.path(&self.data).join(file), self.path(data).join(file)).unwrap();
        }
        let folder = Arc::clone(&self.folder);
        let environment = self.environment.clone();
        let (process, url) = launch(command(&folder, data, &arguments, &environment));
        Self { process, url, folder, arguments, data: data.to_owned(), cluster: self.cluster.clone(), environment }
    }

    /// Kills it and starts it again: what it knows is in its database.
    pub fn restart(&mut self) {
        self.stop();
        (self.process, self.url) = launch(self.command(&self.data));
    }

    /// The command that starts one like it, with its keys elsewhere.
    pub fn command(&self, data: &str) -> Command {
        command(&self.folder, data, &self.arguments, &self.environment)
    }

    /// The name of its database in PostgreSQL.
    pub fn database(&self) -> &str {
        let url = self.arguments.iter().find_map(|one| one.to_str().filter(|one| one.starts_with("postgres:")));
        url.expect("it is in PostgreSQL").rsplit('/').next().unwrap()
    }

    fn stop(&mut self) {
        // It may have ended by itself, which the next request shows.
        let _ended = self.process.kill();
        self.process.wait().expect("the process can be waited for");
    }

    /// A file of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Asks with curl; gives status and body.
    pub fn curl(&self, path: &str, arguments: &[&str]) -> (u16, String) {
        let mut curl = Command::new("curl");
        curl.current_dir(self.folder.path()).args(["-sS", "--cacert", "cloud/authority.pem", "-w", "\n%{http_code}"]);
        let output = run(curl.args(arguments).arg(format!("{}{path}", self.url)));
        let text = String::from_utf8(output.stdout).expect("answers are text");
        let (body, status) = text.rsplit_once('\n').expect("the status comes last");
        (status.parse().expect("a status is a number"), body.to_owned())
    }

    /// Asks as the cloud's admin, with JSON.
    pub fn admin(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        self.admin_with(path, body, &[])
    }

    /// Changes something as the cloud's admin.
    pub fn change(&self, path: &str, body: Value) -> (u16, Value) {
        self.admin_with(path, Some(body), &["-X", "PATCH"])
    }

    fn admin_with(&self, path: &str, body: Option<Value>, more: &[&str]) -> (u16, Value) {
        let token = std::fs::read_to_string(self.path("cloud/admin-token")).expect("the token is there");
        let authorization = format!("Authorization: Bearer {}", token.trim());
        let body = body.map(|body| body.to_string());
        let mut arguments = vec!["-H", &authorization];
        if let Some(body) = &body {
            arguments.extend(["--json", body]);
        }
        arguments.extend(more);
        let (status, text) = self.curl(path, &arguments);
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Runs OpenSSL in the test's folder and gives what it printed.
    pub fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        run(Command::new("openssl").current_dir(self.folder.path()).args(arguments)).stdout
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(mut command: Command) -> (Child, String) {
    let mut process = command.stdout(Stdio::piped()).spawn().expect("the cloud starts");
    let said = BufReader::new(process.stdout.take().expect("it is piped"));
    let url = said.lines().find_map(|line| Some(line.ok()?.strip_prefix("Boxes find it at")?.trim().to_owned()));
    (process, url.expect("it says where it is"))
}

fn command(folder: &Folder, data: &str, arguments: &[OsString], environment: &[(&'static str, String)]) -> Command {
    let program =
        std::env::var_os(PROGRAM).unwrap_or_else(|| panic!("{PROGRAM} must name the cloud; tests/run sets it"));
    let mut command = Command::new(program);
    command.arg("--data").arg(folder.path().join(data)).args(["--listen", "127.0.0.1:0"]).args(arguments);
    command.env_remove("DATABASE_URL").env_remove("SMTP_URL");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|err| panic!("cannot run {command:?}: {err}; tests/run installs it"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
