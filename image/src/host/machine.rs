//! An emulated PC that boots an image: UEFI, a virtio disk and network, a hardware watchdog.
//!
//! The disk is a copy-on-write layer over the image, so that the image stays as it was built.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::host::clock;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::toolroot::{ToolRoot, run};

/// How long one question to the box may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked while it starts.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Firmware of the tool root, and the copy of its variables.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "usr/share/OVMF/OVMF_VARS_4M.fd";

/// What the machine has.
pub struct Hardware {
    /// Where its disk and firmware variables are kept between starts.
    pub folder: PathBuf,
    /// The image below its disk.
    pub image: PathBuf,
    /// Bytes of the disk: the data partition grows into what the image leaves.
    pub disk_mib: u64,
    /// Its memory.
    pub memory_mib: u32,
    /// Its processors.
    pub processors: u32,
    /// Where the box's port 443 appears on this machine's loopback.
    pub port: u16,
    /// Added to the kernel's command line, by the firmware's tables (systemd-stub(7)).
    pub kernel_parameters: Option<String>,
    /// Units it gets besides its own, by the firmware's tables (systemd-debug-generator(8)).
    pub units: Vec<Unit>,
}

/// A unit of systemd.
pub struct Unit {
    /// Its full name.
    pub name: &'static str,
    /// Its file's content.
    pub content: &'static str,
}

/// A machine that runs. Dropping it cuts its power.
pub struct Machine {
    process: Child,
    port: u16,
    started: std::time::Instant,
}

impl Hardware {
    /// Makes disk and firmware variables unless they are there from an earlier start.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn prepare(&self, tools: &ToolRoot) -> Result<(), Failure> {
        files::make_folder(&self.folder)?;
        if !self.folder.join("disk.qcow2").exists() {
            let mut create = tools.at(&self.folder).bind(image_folder(&self.image), "/image").command("qemu-img")?;
            create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
            create.arg(format!("/image/{}", self.image.file_name().unwrap_or_default().to_string_lossy()));
            create.args(["/build/disk.qcow2", &format!("{}M", self.disk_mib)]);
            run(create, "qemu-img")?;
        }
        let variables = self.folder.join("variables.fd");
        if !variables.exists() {
            files::copy(&tools.path().join(VARIABLES), &variables)?;
        }
        Ok(())
    }

    /// Switches it on. Its serial console is this program's standard output.
    ///
    /// # Errors
    /// If the emulator cannot be started.
    pub fn start(&self, tools: &ToolRoot, console: Stdio) -> Result<Machine, Failure> {
        let sandbox = tools.at(&self.folder).bind(image_folder(&self.image), "/image").with_network().ending_with_us();
        let mut qemu = sandbox.command("qemu-system-x86_64")?;
        self.describe(&mut qemu);
        let process = qemu.stdin(Stdio::null()).stdout(console).spawn().or_fail(|| "cannot start QEMU".to_owned())?;
        Ok(Machine { process, port: self.port, started: clock::monotonic() })
    }

    fn describe(&self, qemu: &mut Command) {
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-cpu", "max"]);
        // Emulation everywhere: what is measured does not depend on what the machine may virtualise.
        qemu.args(["-accel", "tcg,thread=multi"]);
        qemu.args(["-m", &self.memory_mib.to_string(), "-smp", &self.processors.to_string()]);
        qemu.args(["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}")]);
        qemu.args(["-drive", "if=pflash,format=raw,unit=1,file=/build/variables.fd"]);
        qemu.args(["-drive", "if=none,id=disk,format=qcow2,file=/build/disk.qcow2"]);
        qemu.args(["-device", "virtio-blk-pci,drive=disk,bootindex=0"]);
        let port = self.port;
        qemu.args(["-netdev", &format!("user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:443")]);
        qemu.args(["-device", "virtio-net-pci,netdev=lan,romfile="]);
        qemu.args(["-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset"]);
        qemu.args(["-serial", "stdio"]);
        if let Some(parameters) = &self.kernel_parameters {
            qemu.args(["-smbios", &format!("type=11,value=io.systemd.stub.kernel-cmdline-extra={parameters}")]);
        }
        for Unit { name, content } in &self.units {
            let content = BASE64_STANDARD.encode(content);
            let credential = format!("io.systemd.credential.binary:systemd.extra-unit.{name}={content}");
            qemu.args(["-smbios", &format!("type=11,value={credential}")]);
        }
    }
}

impl Machine {
    /// Waits until the box answers HTTPS, and says how long that took since the start.
    ///
    /// # Errors
    /// If the machine ended, or nothing answers within `limit`.
    pub fn wait_for_answer(&mut self, limit: Duration) -> Result<Duration, Failure> {
        // The box's certificate is its own; who wants to trust it pairs with it.
        let tls = TlsConfig::builder().disable_verification(true).build();
        let agent: Agent = Agent::config_builder().tls_config(tls).timeout_global(Some(PATIENCE)).build().into();
        let question = format!("https://127.0.0.1:{}/api/local/ping", self.port);
        loop {
            if let Some(status) = self.process.try_wait().or_fail(|| "cannot watch QEMU".to_owned())? {
                return Err(Failure::new(format!("the machine ended ({status}) before the box answered")));
            }
            let waited = clock::monotonic().duration_since(self.started);
            if agent.get(&question).call().is_ok() {
                return Ok(waited);
            }
            if waited > limit {
                return Err(Failure::new(format!("the box did not answer within {} s", limit.as_secs())));
            }
            clock::pause(ASK_EVERY);
        }
    }

    /// Waits until the machine ends by itself.
    ///
    /// # Errors
    /// If it ended in a fault.
    pub fn wait(mut self) -> Result<(), Failure> {
        let status = self.process.wait().or_fail(|| "cannot wait for QEMU".to_owned())?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("the machine ended: {status}"))) }
    }

    /// The emulator's process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // By pid, and only while the process is still ours to wait for.
        if let (Ok(None), Ok(id)) = (self.process.try_wait(), i32::try_from(self.process.id())) {
            let _already_gone = kill(Pid::from_raw(id), Signal::SIGKILL);
            let _waited = self.process.wait();
        }
    }
}

fn image_folder(image: &Path) -> &Path {
    image.parent().unwrap_or(Path::new("."))
}
