//! A PC that starts the x86 image: UEFI, a virtio disk and network, a hardware watchdog, all emulated.
//!
//! Its disk is a layer over the image and lasts as long as the value; its power comes and goes. Tests change nothing
//! in the image: units of their own come by the firmware's tables (systemd-debug-generator(8), systemd.system-credentials(7)).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use storebox_image::layout::SECTOR;
use storebox_tests::{Door, Folder, Link, Pairing, Terminal, Trust};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::disk::{self, Partition, TABLE_SECTORS};
use crate::lan::Lan;
use crate::qmp::Qmp;
use crate::tools::{Network, image, output, tool};

/// How long a start may take until terminals are answered: what a store may wait after a power cut (B3).
pub const START: Duration = Duration::from_secs(120);
/// How long the emulator itself may take to be there.
pub const EMULATOR: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// One question to the box.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lines of the console that a failure shows.
const TAIL: usize = 50;
/// The image's own size and some room for data.
const DISK_MIB: u64 = 1536;
/// The tool root's firmware.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Where terminals are answered.
pub const PORT: u16 = 443;
/// Characters of a pairing secret.
const SECRET_LENGTH: usize = 26;

/// As many machines as a small computer runs at once.
pub static SOCKETS: Semaphore = Semaphore::const_new(2);

/// What a machine has besides what every machine has.
#[derive(Default)]
pub struct Hardware<'a> {
    /// Credentials for its init, by name.
    pub credentials: Vec<(String, String)>,
    /// Additions to the kernel's command line.
    pub parameters: Vec<String>,
    /// What its clock shows when it is switched on, instead of the time.
    pub clock: Option<&'static str>,
    /// The network its port is plugged into. By default a port of the loopback interface leads to its port 443.
    pub lan: Option<&'a Lan>,
    /// The folder, below the machine's, of its TPM's state.
    pub tpm: Option<&'static str>,
    /// Whether a debugger can get at its processor.
    pub debugger: bool,
}

impl Hardware<'_> {
    /// Adds a unit that starts with the others.
    pub fn unit(mut self, name: &str, content: &str) -> Self {
        self.credentials.push((format!("systemd.extra-unit.{name}"), content.to_owned()));
        self.parameters.push(format!("systemd.wants={name}"));
        self
    }

    /// Adds a unit that something else starts.
    pub fn passive_unit(mut self, name: &str, content: &str) -> Self {
        self.credentials.push((format!("systemd.extra-unit.{name}"), content.to_owned()));
        self
    }
}

/// A machine, switched off at first. Its power goes with the value.
pub struct Machine<'a> {
    /// What it has; changes take effect when it is switched on.
    pub hardware: Hardware<'a>,
    door: Door,
    /// What its screen showed before the first terminal was paired.
    secret: Option<String>,
    running: Option<Running>,
    /// Where in the console's log the last start begins.
    started_at: usize,
    // Goes after the processes.
    folder: Folder,
}

struct Running {
    emulator: Child,
    tpm: Option<Child>,
    qmp: Qmp,
    switched_on: Instant,
    _socket: SemaphorePermit<'static>,
}

impl<'a> Machine<'a> {
    /// A machine with a new disk; `label` names its folder.
    pub fn new(label: &str, hardware: Hardware<'a>) -> Self {
        let folder = Folder::new(label);
        let work = folder.path();
        let mut create = tool(Network::None, "x86", work, "qemu-img");
        let image = image("x86");
        create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
        create.arg(format!("/image/{}", image.file_name().unwrap().to_str().unwrap()));
        create.args(["/build/disk.qcow2", &format!("{DISK_MIB}M")]);
        output(create);
        let mut copy = tool(Network::None, "x86", work, "cp");
        copy.args([VARIABLES, "/build/variables.fd"]);
        output(copy);
        let door = hardware.lan.map_or_else(|| Door::at(0), |lan| Door::to(lan.link_local(PORT)));
        Self { hardware, door, secret: None, running: None, started_at: 0, folder }
    }

    /// Switches it on and waits until the box answers.
    pub async fn start(&mut self) -> Duration {
        self.switch_on().await;
        self.wait_for_answer(START).await
    }

    /// Switches it on and waits for nothing.
    pub async fn switch_on(&mut self) {
        self.cut_power();
        let socket = SOCKETS.acquire().await.expect("nobody closes it");
        self.started_at = self.whole_console().len();
        let tpm = self.hardware.tpm.map(|state| self.start_tpm(state));
        if self.hardware.lan.is_none() {
            self.door.move_to(free_port());
        }
        let _left_by_the_last_start = std::fs::remove_file(self.path("qmp.sock"));
        let switched_on = Instant::now();
        let mut command = self.describe();
        let errors = std::fs::File::create(self.path("emulator.log")).expect("a log can be made");
        command.stdout(Stdio::null()).stderr(errors);
        let emulator = command.spawn().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        let qmp = match Qmp::connect(&self.path("qmp.sock"), EMULATOR).await {
            Ok(qmp) => qmp,
            Err(err) => panic!("{err}; {}", std::fs::read_to_string(self.path("emulator.log")).unwrap_or_default()),
        };
        self.running = Some(Running { emulator, tpm, qmp, switched_on, _socket: socket });
    }

    /// Takes its power away, whatever it is doing.
    pub fn cut_power(&mut self) {
        if let Some(running) = self.running.take() {
            for mut process in [Some(running.emulator), running.tpm].into_iter().flatten() {
                // It may have ended by itself.
                let _ = process.kill();
                process.wait().expect("the process can be waited for");
            }
        }
    }

    /// Presses the reset button; what the console shows counts from now.
    pub async fn reset(&mut self) {
        self.started_at = self.whole_console().len();
        self.tell("system_reset", json!({})).await;
    }

    /// Pulls the network cable or plugs it in.
    pub async fn plug(&mut self, is_in: bool) {
        self.tell("set_link", json!({ "name": "lan", "up": is_in })).await;
    }

    /// Tells the emulator something.
    pub async fn tell(&mut self, command: &str, arguments: Value) {
        let told = self.running.as_mut().expect("the machine is on").qmp.ask(command, arguments).await;
        if let Err(err) = told {
            panic!("{err}");
        }
    }

    /// Waits for an event of the emulator (`RESET`, `WATCHDOG`), and says how long after `since` it came.
    pub async fn event(&mut self, name: &str, since: Instant, limit: Duration) -> Duration {
        loop {
            let qmp = &self.running.as_ref().expect("the machine is on").qmp;
            if let Some(at) = qmp.event(name, since) {
                return at.duration_since(since);
            }
            let waited = since.elapsed();
            assert!(waited < limit, "no {name} within {limit:?}, but {:?}", qmp.events());
            self.must_run();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether an event came since then.
    pub fn saw(&self, name: &str, since: Instant) -> bool {
        self.running.as_ref().is_some_and(|running| running.qmp.event(name, since).is_some())
    }

    /// Waits until the box answers, and says how long after the power came that was.
    pub async fn wait_for_answer(&mut self, limit: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            if self.answers().await {
                return self.running.as_ref().expect("the machine is on").switched_on.elapsed();
            }
            assert!(begun.elapsed() < limit, "the box does not answer within {limit:?}");
            self.must_run();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether the box answers just now.
    pub async fn answers(&self) -> bool {
        match self.hardware.lan {
            Some(lan) => lan.inside_async(|| answers(&self.door)),
            None => answers(&self.door).await,
        }
    }

    /// From now on asks the box at another address of its network.
    pub fn turn_to(&mut self, address: SocketAddr) {
        self.door = Door::to(address);
    }

    /// Waits until the console shows a text since the last start, and says how long after the power came that was.
    pub async fn wait_for_console(&mut self, text: &str, limit: Duration) -> Duration {
        let begun = Instant::now();
        while !self.console().contains(text) {
            assert!(begun.elapsed() < limit, "the console does not show {text:?} within {limit:?}");
            self.must_run();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.running.as_ref().expect("the machine is on").switched_on.elapsed()
    }

    /// What the console showed since the last start.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.whole_console()[self.started_at..]).into_owned()
    }

    /// Pairs a terminal with the secret that the screen of a new box shows.
    pub async fn pair(&mut self, name: &str) -> Terminal {
        let secret = match &self.secret {
            Some(secret) => secret.clone(),
            None => self.read_secret().await,
        };
        let mut newcomer = Terminal::newcomer(&self.door);
        match newcomer.pair_as(Pairing { name, kind: "pos", secret: &secret }).await {
            Ok(terminal) => terminal,
            Err(refusal) => panic!("pairing was refused: {refusal}"),
        }
    }

    async fn read_secret(&mut self) -> String {
        self.wait_for_console("Pair the first terminal", START).await;
        let is_secret = |word: &&str| {
            word.len() == SECRET_LENGTH && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        };
        let begun = Instant::now();
        loop {
            if let Some(secret) = self.console().split_whitespace().find(is_secret) {
                return self.secret.insert(secret.to_owned()).clone();
            }
            assert!(begun.elapsed() < PATIENCE, "the screen shows no secret");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Where the box answers.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The debugger's port of a machine that has one.
    pub fn debugger(&self) -> PathBuf {
        self.path("debugger.sock")
    }

    /// The partitions on the disk of a machine that is off, by label.
    pub fn partitions(&self) -> std::collections::BTreeMap<String, Partition> {
        disk::partitions(&self.read_disk(0, TABLE_SECTORS))
    }

    /// The first sectors of a partition on the disk of a machine that is off.
    pub fn beginning(&self, partition: &Partition, sectors: u64) -> Vec<u8> {
        self.read_disk(partition.start / SECTOR, sectors)
    }

    /// Turns over every bit of one byte of its disk.
    pub fn flip(&self, at: u64) {
        let old = disk::read(&image("x86"), at, 1)[0];
        let mut write = tool(Network::None, "x86", self.folder.path(), "qemu-io");
        write.args(["-f", "qcow2", "-c", &format!("write -P {} {at} 1", !old), "/build/disk.qcow2"]);
        output(write);
    }

    /// Copies a partition of a machine that is off into a file of its folder.
    pub fn copy_partition(&self, label: &str, file: &str) -> Partition {
        let partition = self.partitions().remove(label).unwrap_or_else(|| panic!("there is no {label}"));
        let bytes = self.read_disk(partition.start / SECTOR, partition.size / SECTOR);
        std::fs::write(self.path(file), bytes).expect("the copy can be written");
        partition
    }

    /// Writes a file of its folder onto a partition of a machine that is off.
    pub fn write_partition(&self, partition: &Partition, file: &str) {
        assert!(self.running.is_none(), "the disk of a machine that is on is in use");
        let mut write = tool(Network::None, "x86", self.folder.path(), "qemu-io");
        let Partition { start, size, .. } = partition;
        write.args(["-f", "qcow2", "-c", &format!("write -s /build/{file} {start} {size}"), "/build/disk.qcow2"]);
        output(write);
    }

    fn read_disk(&self, sector: u64, sectors: u64) -> Vec<u8> {
        assert!(self.running.is_none(), "the disk of a machine that is on is in use");
        let mut copy = tool(Network::None, "x86", self.folder.path(), "qemu-img");
        copy.args(["dd", "-f", "qcow2", "-O", "raw", &format!("bs={SECTOR}"), &format!("skip={sector}")]);
        copy.args([&format!("count={}", sector + sectors), "if=/build/disk.qcow2", "of=/build/part.img"]);
        output(copy);
        let bytes = std::fs::read(self.path("part.img")).expect("the copy is there");
        bytes[..usize::try_from(sectors * SECTOR).unwrap()].to_vec()
    }

    fn describe(&self) -> Command {
        let network = self.hardware.lan.map_or(Network::Host, Network::Lan);
        let mut qemu = tool(network, "x86", self.folder.path(), "qemu-system-x86_64");
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-cpu", "max"]);
        // The same on every host, whatever it may virtualise.
        qemu.args(["-accel", "tcg,thread=multi", "-m", "1024", "-smp", "1"]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}")]);
        qemu.args(["-drive", "if=pflash,format=raw,unit=1,file=/build/variables.fd"]);
        qemu.args(["-drive", "if=none,id=disk,format=qcow2,file=/build/disk.qcow2"]);
        qemu.args(["-device", "virtio-blk-pci,drive=disk,bootindex=0", "-device", "virtio-rng-pci"]);
        qemu.args(["-device", "i6300esb", "-action", "watchdog=reset"]);
        let cable = match self.hardware.lan {
            Some(lan) => format!("tap,id=lan,ifname={},script=no,downscript=no", lan.interface()),
            None => {
                let port = self.door.address().port();
                format!("user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{PORT}")
            }
        };
        qemu.args([
            "-netdev",
            &cable,
            "-device",
            &format!("virtio-net-pci,netdev=lan,mac={},romfile=", crate::lan::MAC),
        ]);
        qemu.args(["-chardev", "file,id=console,path=/build/console.log,append=on", "-serial", "chardev:console"]);
        qemu.args(["-qmp", "unix:/build/qmp.sock,server=on,wait=off"]);
        if let Some(clock) = self.hardware.clock {
            qemu.args(["-rtc", &format!("base={clock}")]);
        }
        if self.hardware.tpm.is_some() {
            qemu.args(["-chardev", "socket,id=tpm,path=/build/tpm.sock", "-tpmdev", "emulator,id=tpm,chardev=tpm"]);
            qemu.args(["-device", "tpm-crb,tpmdev=tpm"]);
        }
        if self.hardware.debugger {
            qemu.args(["-gdb", "unix:/build/debugger.sock,server=on,wait=off"]);
        }
        let strings =
            self.hardware.credentials.iter().map(|(name, content)| {
                format!("io.systemd.credential.binary:{name}={}", BASE64_STANDARD.encode(content))
            });
        let parameters = self.hardware.parameters.join(" ");
        let parameters = (!parameters.is_empty()).then(|| format!("io.systemd.stub.kernel-cmdline-extra={parameters}"));
        for string in strings.chain(parameters) {
            qemu.args(["-smbios", &format!("type=11,value={}", string.replace(',', ",,"))]);
        }
        qemu
    }

    fn start_tpm(&self, state: &str) -> Child {
        std::fs::create_dir_all(self.path(state)).expect("a folder can be made");
        let _left_by_the_last_start = std::fs::remove_file(self.path("tpm.sock"));
        let mut command = tool(Network::None, "x86", self.folder.path(), "swtpm");
        command.args(["socket", "--tpm2", "--ctrl", "type=unixio,path=/build/tpm.sock"]);
        command.args(["--tpmstate", &format!("dir=/build/{state}")]);
        let log = std::fs::File::create(self.path("tpm.log")).expect("a log can be made");
        command.stdout(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        let begun = Instant::now();
        while !self.path("tpm.sock").exists() {
            assert!(begun.elapsed() < EMULATOR, "the TPM's emulator does not listen");
            std::thread::yield_now();
        }
        process
    }

    fn must_run(&mut self) {
        let running = self.running.as_mut().expect("the machine is on");
        if let Some(status) = running.emulator.try_wait().expect("the process can be asked") {
            panic!("the emulator ended: {status}");
        }
    }

    fn whole_console(&self) -> Vec<u8> {
        std::fs::read(self.path("console.log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = self.console();
            let lines: Vec<_> = console.lines().collect();
            eprintln!("the end of the console:\n{}", lines[lines.len().saturating_sub(TAIL)..].join("\n"));
            eprintln!("the emulator: {}", std::fs::read_to_string(self.path("emulator.log")).unwrap_or_default());
        }
        self.cut_power();
    }
}

/// Whether a box answers at a door just now.
pub async fn answers(door: &Door) -> bool {
    let mut link = Link::new(door, &Trust::Anyone);
    tokio::time::timeout(PATIENCE, link.connect()).await.is_ok_and(|connected| connected.is_ok())
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().unwrap().port()
}
