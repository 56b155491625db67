//! An installer's file on the card, and a cloud in the store's network (B8, B9).

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storebox_image::layout::SITE_LABEL;

use crate::full;
use crate::lan::{Lan, ROUTER};
use crate::machine::{Hardware, Machine, START};
use crate::tools::{Network, output, tool};

/// Names the reference cloud's program; `tests/run image` sets it.
const PROGRAM: &str = "STOREBOX_CLOUD";
const PORT: u16 = 8444;
/// How long a wrong address may last.
const HEALS: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A reference cloud beside the store's router. It ends with the value.
pub struct Cloud<'l> {
    lan: &'l Lan,
    process: Child,
    data: PathBuf,
}

impl<'l> Cloud<'l> {
    /// Starts one that keeps everything in `work`.
    pub fn start(lan: &'l Lan, work: &Path) -> Self {
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| panic!("{PROGRAM} must name the reference cloud"));
        let data = work.join("cloud");
        let (listen, url) = (format!("{ROUTER}:{PORT}"), format!("https://{ROUTER}:{PORT}"));
        let mut command = inside(lan, &program);
        command.arg("--data").arg(&data).args(["--listen", &listen, "--url", &url]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        let mut said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let listens = said.any(|line| line.is_ok_and(|line| line.contains("Boxes find it at")));
        assert!(listens, "the cloud does not start");
        Self { lan, process, data }
    }

    /// The installer's file of a new claim.
    pub fn site(&self, wish: &Value) -> String {
        self.ask("/v1/claims", Some(wish))["site"].as_str().expect("a claim comes with its file").to_owned()
    }

    /// Every box it knows.
    pub fn boxes(&self) -> Vec<Value> {
        self.ask("/v1/devices", None).as_array().expect("a list").clone()
    }

    fn ask(&self, path: &str, body: Option<&Value>) -> Value {
        let token = std::fs::read_to_string(self.data.join("admin-token")).expect("the token is there");
        let mut curl = inside(self.lan, "curl");
        curl.args(["-sS", "--fail-with-body", "--cacert"]).arg(self.data.join("authority.pem"));
        curl.args(["-H", &format!("Authorization: Bearer {}", token.trim())]);
        if let Some(body) = body {
            curl.args(["--json", &body.to_string()]);
        }
        curl.arg(format!("https://{ROUTER}:{PORT}{path}"));
        serde_json::from_str(&output(curl)).expect("it answers JSON")
    }
}

impl Drop for Cloud<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        self.process.wait().expect("the process can be waited for");
    }
}

fn inside(lan: &Lan, program: &str) -> Command {
    let mut words = lan.way_in();
    let mut command = Command::new(words.next().expect("there is a first word"));
    command.args(words).arg(program);
    command
}

/// The partition that any laptop shows of a machine that is off.
pub struct Card<'m, 'a>(pub &'m Machine<'a>);

impl Card<'_, '_> {
    /// Puts a file there.
    pub fn write(&self, name: &str, text: &str) {
        let work = self.0.folder();
        std::fs::write(work.join(name), text).expect("a file can be written");
        let partition = self.0.copy_partition(SITE_LABEL, "card.img");
        self.mtool("mcopy", &["-o", "-i", "/build/card.img", &format!("/build/{name}"), &format!("::{name}")]);
        self.0.write_partition(&partition, "card.img");
    }

    /// What a file there says.
    pub fn read(&self, name: &str) -> String {
        self.0.copy_partition(SITE_LABEL, "card.img");
        self.mtool("mtype", &["-i", "/build/card.img", &format!("::{name}")])
    }

    fn mtool(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = tool(Network::None, "x86", self.0.folder(), name);
        command.args(arguments);
        output(command)
    }
}

/// An address of another network: whoever looks for the box finds it all the same before three minutes are over, and it
/// says what was wrong.
#[tokio::test]
async fn b9_a_static_address_that_reaches_nobody_heals_within_three_minutes() {
    if !full() {
        return;
    }
    let lan = Lan::new();
    let mut machine = Machine::new("address", Hardware { lan: Some(&lan), ..Hardware::default() });
    lan.serve_addresses(machine.folder());
    let cloud = Cloud::start(&lan, machine.folder());
    let wrong = "[network]\naddress = \"10.55.0.20/24\"\ngateway = \"10.55.0.1\"\n";
    Card(&machine).write("storebox.toml", &format!("{}{wrong}", cloud.site(&wish())));
    machine.start().await;
    machine.wait_for_console("https://10.55.0.20", START).await;
    let taken = Instant::now();
    while cloud.boxes().iter().all(|one| one["epoch"] != 1) {
        assert!(taken.elapsed() < HEALS, "nobody finds the box after {HEALS:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    eprintln!("healed after {:.0} s", taken.elapsed().as_secs_f64());
    machine.cut_power();
    let status = Card(&machine).read("STATUS.TXT");
    assert!(status.contains("REACHED NOBODY") && status.contains("[ok] The box is registered"), "{status}");
}

/// What a claim for the store of these tests wishes.
pub fn wish() -> Value {
    json!({ "storeName": "Corner shop", "register": "B", "configuration": { "store.timezone": "\"Asia/Jakarta\"" } })
}
