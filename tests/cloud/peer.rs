//! A server of another make, with certificates that OpenSSL made.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use storebox_tests::Folder;
use tokio::net::TcpStream;

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A folder with an authority (`ca.pem`, `ca.key`) and a server it vouches for (`server.pem`, `server.key`).
pub struct Authority {
    folder: Folder,
}

impl Authority {
    /// Makes them.
    pub fn new(label: &str) -> Self {
        let made = Self { folder: Folder::new(label) };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
        let ca =
            ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Another authority"];
        made.openssl(&[&ca[..], &curve, &usage].concat());
        let server = ["req", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"];
        made.openssl(&[&server[..], &curve].concat());
        fs::write(made.path("server.ext"), "subjectAltName = DNS:localhost\nextendedKeyUsage = serverAuth\n").unwrap();
        let signed = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2"];
        made.openssl(&[&signed[..], &["-days", "30", "-extfile", "server.ext", "-out", "server.pem"]].concat());
        made
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs OpenSSL there and gives what it printed.
    pub fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("openssl");
        let output = command.current_dir(self.folder.path()).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run openssl: {error}; tests/run installs it"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// An installer's file for the server on this port.
    pub fn site(&self, port: u16, token: &str) -> String {
        self.openssl(&["pkey", "-in", "server.key", "-pubout", "-outform", "DER", "-out", "server.spki"]);
        let pin = BASE64_STANDARD.encode(digest(&SHA256, &fs::read(self.path("server.spki")).unwrap()));
        format!("[cloud]\nurl = \"https://localhost:{port}\"\npin = \"sha256/{pin}\"\n\n[claim]\ntoken = \"{token}\"\n")
    }
}

/// A program that listens; it ends with the value.
pub struct Peer {
    process: Child,
    log: PathBuf,
    port: u16,
}

impl Peer {
    /// Starts a program in a folder, with what is said and written to standard output and standard error in `peer.log`,
    /// and waits until it listens on this port.
    pub async fn start(folder: &Path, port: u16, command: &mut Command) -> Self {
        let log = folder.join("peer.log");
        let file = File::create(&log).unwrap();
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let process = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let mut peer = Self { process, log, port };
        let mut waited = Duration::ZERO;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = peer.process.try_wait().unwrap();
            assert!(ended.is_none() && waited < PATIENCE, "{command:?} does not listen: {}", peer.log());
            tokio::time::sleep(LOOK_AGAIN).await;
            waited += LOOK_AGAIN;
        }
        peer
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended: io::Result<()> = self.process.kill();
        self.process.wait().expect("the process can be waited for");
    }
}

/// A port that nobody listens on, for programs that cannot choose one themselves.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
