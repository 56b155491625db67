//! A PostgreSQL of the tests' own: thrown away afterwards, and nobody else's is touched.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use storebox_tests::Folder;

use crate::reference::run;

/// Names the folder of PostgreSQL's programs; `tests/run` sets it.
const PROGRAMS: &str = "STOREBOX_POSTGRES";
/// Its password, of which the way to the server makes some use.
const PASSWORD: &str = "it's a password";
/// The same in a URL.
const PASSWORD_IN_URL: &str = "it%27s%20a%20password";

/// One server with a folder of its own. It ends with the value.
pub struct Cluster {
    process: Mutex<Child>,
    folder: Folder,
    port: u16,
    databases: AtomicU32,
}

impl Cluster {
    /// The one that tests share while any of them needs it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// Makes one and starts it. It believes whoever comes through its socket, and wants a password over the network.
    pub fn start() -> Self {
        let folder = Folder::new("postgres");
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        give(&folder.path().join("data"));
        let mut initdb = program(&folder, "initdb");
        initdb.args(["-D", "data", "-U", "storebox", "--auth-local=trust", "--auth-host=scram-sha-256"]);
        run(initdb.args(["--pwfile=password", "--encoding=UTF8", "--locale=C", "--no-sync"]));
        certify(&folder);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { process: Mutex::new(launch(&folder, port)), folder, port, databases: AtomicU32::new(0) };
        cluster.wait();
        cluster
    }

    /// Makes an empty database and gives its URL over the network.
    pub fn database(&self) -> String {
        self.database_with_name().0
    }

    /// The same, with its name.
    pub fn database_with_name(&self) -> (String, String) {
        let name = format!("cloud_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        (format!("postgres://storebox:{PASSWORD_IN_URL}@localhost:{}/{name}", self.port), name)
    }

    /// Has psql say something to a database through the socket, and gives its answer.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = self.client("psql");
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]);
        String::from_utf8(run(&mut psql).stdout).unwrap().trim().to_owned()
    }

    /// The authority of its certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    /// Stops it, as somebody does who installs a new release.
    pub fn stop(&self) {
        let mut process = self.process.lock().unwrap();
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        // PostgreSQL's "fast shutdown": connections are cut, nothing is lost.
        kill(pid, Signal::SIGINT).unwrap();
        process.wait().unwrap();
    }

    /// Starts it again.
    pub fn resume(&self) {
        *self.process.lock().unwrap() = launch(&self.folder, self.port);
        self.wait();
    }

    fn wait(&self) {
        let begun = Instant::now();
        while !self.client("pg_isready").args(["-q", "-d", "postgres"]).status().unwrap().success() {
            let ended = self.process.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(30), "PostgreSQL did not start: {}", {
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            });
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self, name: &str) -> Command {
        let mut command = program(&self.folder, name);
        command.arg("-h").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string(), "-U", "storebox"]);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if matches!(process.try_wait(), Ok(None)) {
            let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
            let _stopped = kill(pid, Signal::SIGQUIT);
            let _ended = process.wait();
        }
    }
}

/// A certificate for its name, which is its own authority.
fn certify(folder: &Folder) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    fs::write(folder.path().join("server.crt"), &pem).unwrap();
    for (name, text) in [("server.crt", pem), ("server.key", key.serialize_pem())] {
        let file = folder.path().join("data").join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        give(&file);
    }
}

/// Gives a file or folder to whoever runs the server.
fn give(path: &Path) {
    if let Some(user) = user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

fn launch(folder: &Folder, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut postgres = program(folder, "postgres");
    postgres.args(["-D", "data", "-p", &port.to_string(), "-c", "listen_addresses=localhost", "-c", "ssl=on"]);
    postgres.arg("-c").arg(format!("unix_socket_directories={}", folder.path().join("data").display()));
    // No test pulls a plug on it, and some want many connections.
    postgres.args(["-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"]);
    let log_too = log.try_clone().unwrap();
    postgres.stdin(Stdio::null()).stdout(log).stderr(log_too).spawn().unwrap()
}

/// One of its programs, run as a user it puts up with: it refuses root.
fn program(folder: &Folder, name: &str) -> Command {
    let programs = std::env::var_os(PROGRAMS)
        .unwrap_or_else(|| panic!("{PROGRAMS} must name PostgreSQL's folder; tests/run sets it"));
    let mut command = Command::new(PathBuf::from(programs).join(name));
    command.current_dir(folder.path());
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// Who runs it; none if that is whoever runs the tests.
fn user() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let found = User::from_name("postgres").unwrap();
    Some(found.expect("there is no user postgres; PostgreSQL's package makes it"))
}
