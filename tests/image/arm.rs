//! Emulated 64-bit ARM machines. They start what a Raspberry Pi's firmware would: kernel, first root, command line and
//! device tree of slot A, taken out of the image's own boot partition.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use storebox_image::host::gpt::Gpt;
use storebox_image::host::raspberry_pi::COMMAND_LINE;
use storebox_image::layout::{MIB, Slot};
use storebox_tests::Folder;
use tokio::sync::SemaphorePermit;

use crate::machine::{EMULATOR, SOCKETS};
use crate::qmp::Qmp;
use crate::tools::{Network, image, output, tool};

/// How long a start may take: what a store may wait after a power cut (B3), and as much again for making the data
/// partition on an emulated card.
pub const START: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often it is spoken to, see [`keep_awake`].
const WAKE: Duration = Duration::from_secs(1);
/// Lines of the console that a failure shows.
const TAIL: usize = 60;

/// Where both machines have their serial console, and the screen's program told to use it: an emulated machine has
/// neither a display nor the serial port of the real one.
pub const CONSOLE: &str = "console=ttyAMA0";
const SCREEN: &str = "[Service]\nExecStart=\nExecStart=/usr/lib/storebox/storebox-screen \
                      --status /run/storebox/daemon/status.json --tty /dev/ttyAMA0\n";

/// What the build says of an image.
pub fn manifest(board: &str) -> Value {
    let path = image(board).with_file_name("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{} is not understood: {err}", path.display()))
}

/// The image's partition table.
pub fn table(board: &str) -> Gpt {
    let mut disk = File::open(image(board)).expect("the image can be opened");
    Gpt::read(&mut disk).unwrap_or_else(|err| panic!("{board}: {err}"))
}

/// The files of a FAT partition of the image, by name.
pub fn fat_files(board: &str, label: &str, work: &Path) -> BTreeMap<String, Vec<u8>> {
    let start = table(board).find(label).unwrap_or_else(|| panic!("there is no {label}")).start;
    let folder = work.join(label);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let mut copy = tool(Network::None, board, work, "mcopy");
    copy.args(["-s", "-n", "-Q", "-i", &format!("/image/storebox-{board}.img@@{start}")]);
    copy.args(["::/*", &format!("/build/{label}")]);
    output(copy);
    let entries = std::fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let content = std::fs::read(entry.path()).unwrap_or_else(|err| panic!("{}: {err}", entry.path().display()));
            (entry.file_name().into_string().unwrap(), content)
        })
        .collect()
}

/// A machine to be described and switched on.
pub struct Plan {
    folder: Folder,
    disk_mib: u64,
    arguments: Vec<String>,
    parameters: Vec<String>,
}

impl Plan {
    /// Takes the files out of the Raspberry Pi 4's image; `label` names the machine's folder. Its disk is a copy of the
    /// image of `disk_mib`, named `/build/disk.img`.
    pub fn new(label: &str, disk_mib: u64) -> Self {
        let folder = Folder::new(label);
        let files = fat_files("rpi4", Slot::A.boot_label(), folder.path());
        let line = String::from_utf8(files[COMMAND_LINE].clone()).expect("a command line is text");
        let mut copy = tool(Network::None, "rpi4", folder.path(), "cp");
        copy.args(["--sparse=always", "/image/storebox-rpi4.img", "/build/disk.img"]);
        output(copy);
        let disk = File::options().write(true).open(folder.path().join("disk.img")).expect("the copy is there");
        disk.set_len(disk_mib * MIB).expect("a disk can be larger than its image");
        let screen = BASE64_STANDARD.encode(SCREEN);
        let dropin = format!("systemd.set_credential_binary=systemd.unit-dropin.storebox-screen.service:{screen}");
        let parameters = vec![line.trim_end().to_owned(), CONSOLE.to_owned(), dropin];
        Self { folder, disk_mib, arguments: Vec::new(), parameters }
    }

    /// Where a file of the boot partition is for the tools.
    pub fn boot_file(name: &str) -> String {
        format!("/build/{}/{name}", Slot::A.boot_label())
    }

    /// Adds arguments of the emulator.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds to the kernel's command line.
    pub fn parameter(mut self, parameter: &str) -> Self {
        self.parameters.push(parameter.to_owned());
        self
    }

    /// Its folder, `/build` for the tools.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Switches it on.
    pub async fn switch_on(self, network: Network<'_>) -> ArmMachine {
        let socket = SOCKETS.acquire().await.expect("nobody closes it");
        let mut qemu = tool(network, "rpi4", self.folder.path(), "qemu-system-aarch64");
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg,thread=multi"]);
        qemu.args(["-kernel", &Self::boot_file("kernel8.img"), "-initrd", &Self::boot_file("initramfs.img")]);
        qemu.args(["-append", &self.parameters.join(" ")]);
        qemu.args(["-chardev", "file,id=console,path=/build/console.log", "-serial", "chardev:console"]);
        qemu.args(["-qmp", "unix:/build/qmp.sock,server=on,wait=off"]);
        qemu.args(&self.arguments);
        let errors = File::create(self.folder.path().join("emulator.log")).expect("a log can be made");
        let emulator = qemu.stdout(Stdio::null()).stderr(errors).spawn();
        let emulator = emulator.unwrap_or_else(|err| panic!("cannot start {qemu:?}: {err}"));
        let machine = ArmMachine {
            folder: self.folder,
            disk_mib: self.disk_mib,
            emulator,
            started: Instant::now(),
            _socket: socket,
        };
        match Qmp::connect(&machine.path("qmp.sock"), EMULATOR).await {
            Ok(qmp) => tokio::spawn(keep_awake(qmp)),
            Err(err) => panic!("{err}"),
        };
        machine
    }
}

/// With several processors QEMU's main loop sometimes misses that one of them set a timer, and sleeps until something
/// else happens, with every processor waiting for that timer: the machine stands still for minutes, or for ever. Every
/// word to the emulator wakes it. Ends with the emulator.
async fn keep_awake(mut qmp: Qmp) {
    while qmp.ask("query-status", json!({})).await.is_ok() {
        tokio::time::sleep(WAKE).await;
    }
}

/// A machine that is on. Its power goes with the value.
pub struct ArmMachine {
    folder: Folder,
    disk_mib: u64,
    emulator: Child,
    started: Instant,
    _socket: SemaphorePermit<'static>,
}

impl ArmMachine {
    /// Waits until the console shows a text, and says how long after the power came that was.
    pub async fn wait_for_console(&mut self, text: &str) -> Duration {
        self.wait_until(&format!("the console to show {text:?}"), |console| console.contains(text).then_some(())).await;
        self.started.elapsed()
    }

    /// Waits until the console gives what is looked for.
    pub async fn wait_until<T>(&mut self, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(&self.console()) {
                return found;
            }
            assert!(self.started.elapsed() < START, "waited {START:?} for {what}");
            if let Some(status) = self.emulator.try_wait().expect("the process can be asked") {
                panic!("the emulator ended ({status}), waiting for {what}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What the console showed.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path("console.log")).unwrap_or_default()).into_owned()
    }

    /// Takes its power away, and gives its disk for reading.
    pub fn cut_power(&mut self) -> File {
        self.stop();
        let disk = File::open(self.path("disk.img")).expect("the disk is there");
        assert_eq!(disk.metadata().unwrap().len(), self.disk_mib * MIB);
        disk
    }

    fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for ArmMachine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = self.console();
            let lines: Vec<_> = console.lines().collect();
            eprintln!("the end of the console:\n{}", lines[lines.len().saturating_sub(TAIL)..].join("\n"));
            eprintln!("the emulator: {}", std::fs::read_to_string(self.path("emulator.log")).unwrap_or_default());
        }
        self.stop();
    }
}
