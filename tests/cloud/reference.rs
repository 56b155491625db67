//! A reference cloud of a test's own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use storebox_tests::Folder;

/// Names the cloud's program; `tests/run` sets it.
const PROGRAM: &str = "STOREBOX_CLOUD";

/// The program, and the folder it keeps everything in. It ends with the value.
pub struct Reference {
    process: Child,
    url: String,
    environment: Vec<(&'static str, String)>,
    folder: Folder,
}

impl Reference {
    /// Starts a cloud that knows nobody.
    pub fn start(label: &str) -> Self {
        Self::start_with(label, &[])
    }

    /// The same with environment variables of the process.
    pub fn start_with(label: &str, environment: &[(&'static str, String)]) -> Self {
        let folder = Folder::new(label);
        let environment = environment.to_vec();
        let (process, url) = launch(&folder, &environment);
        Self { process, url, environment, folder }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        let (_, port) = self.url.rsplit_once(':').expect("its address has a port");
        port.parse().expect("a port is a number")
    }

    /// Kills it and starts it again: what it knows is on its disk.
    pub fn restart(&mut self) {
        self.stop();
        (self.process, self.url) = launch(&self.folder, &self.environment);
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
        let token = std::fs::read_to_string(self.path("cloud/admin-token")).expect("the token is there");
        let authorization = format!("Authorization: Bearer {}", token.trim());
        let body = body.map(|body| body.to_string());
        let mut arguments = vec!["-H", &authorization];
        if let Some(body) = &body {
            arguments.extend(["--json", body]);
        }
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

fn launch(folder: &Folder, environment: &[(&'static str, String)]) -> (Child, String) {
    let program =
        std::env::var_os(PROGRAM).unwrap_or_else(|| panic!("{PROGRAM} must name the cloud; tests/run sets it"));
    let mut command = Command::new(program);
    command.arg("--data").arg(folder.path().join("cloud")).args(["--listen", "127.0.0.1:0"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut process = command.stdout(Stdio::piped()).spawn().expect("the cloud starts");
    let said = BufReader::new(process.stdout.take().expect("it is piped"));
    let url = said.lines().find_map(|line| Some(line.ok()?.strip_prefix("Boxes find it at")?.trim().to_owned()));
    (process, url.expect("it says where it is"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|err| panic!("cannot run {command:?}: {err}; tests/run installs it"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Makes a claim; gives its token and its store.
pub fn claim(cloud: &Reference, wish: Value) -> (String, String) {
    let (status, claim) = cloud.admin("/v1/claims", Some(wish));
    assert_eq!(status, 201, "{claim}");
    (claim["token"].as_str().unwrap().to_owned(), claim["storeId"].as_str().unwrap().to_owned())
}
