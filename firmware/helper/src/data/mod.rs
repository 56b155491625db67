//! The partition that keeps everything: made at the first start, brought into use at every start.

pub mod marker;
pub mod plan;
pub mod repart;
pub mod tpm;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use storebox_image::layout::DATA_LABEL;

use self::plan::{Choice, Found, Known, Step};
use crate::clock::{Deadline, pause};
use crate::content;
use crate::disk::{self, Disk, DiskError};
use crate::files::{self, KEPT, Root};
use crate::limits::{APPEAR_TIME_MAX, CHECK_TIME_MAX, GROW_TIME_MAX, UNLOCK_TIME_MAX};
use crate::machine::{Machine, Mount, folder_with_mode};
use crate::program::{Program, ProgramError};
use crate::verbs::network;

/// Where everything is kept.
const VAR: &str = "/var";
/// What became of it, for the daemon and the screen.
pub const REPORT: &str = "/run/storebox/data.json";
/// Folders that services expect (file-hierarchy(7)), and who may write there.
const FOLDERS: [(&str, u32); 6] = [
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
    (KEPT, 0o700),
];
const CRYPTSETUP: &str = "/usr/bin/systemd-cryptsetup";
const E2FSCK: &str = "/usr/sbin/e2fsck";
const GROWFS: &str = "/usr/lib/systemd/systemd-growfs";

/// Brings the data partition into use, and tells in [`REPORT`] how.
///
/// # Errors
/// [`DataError`]; what was kept is untouched, and the next start tries again.
pub fn bring_up(root: &Root, machine: &impl Machine) -> Result<(), DataError> {
    if files::is_mount_point(root, VAR) {
        log::info!("the data partition is in use already");
        return Ok(());
    }
    let mut data = Data { root, machine, disk: Disk::booted(root)?, opened: None };
    let known = data.look()?;
    let mut choice = plan::choice(&known, false);
    let result = data.carry_out(&plan::steps(&known)).and_then(|()| {
        if marker::is_left(root) {
            log::warn!("everything is erased now, as was asked");
            choice = plan::choice(&known, true);
            data.carry_out(&plan::reset(&known.tpm))?;
        }
        Ok(())
    });
    report(root, &choice, result.as_ref().err())?;
    result?;
    log::info!("data partition: {}", choice.reason);
    for (folder, mode) in FOLDERS {
        folder_with_mode(&root.at(folder), mode)?;
    }
    // The rest is worth trying, and the box sells without.
    data.grow_file_system();
    if let Err(error) = name_host(root, machine) {
        log::error!("the host name was not set: {error}");
    }
    if let Err(error) = network::restore(root) {
        log::error!("the static address was not restored: {error}");
    }
    Ok(())
}

struct Data<'a, M> {
    root: &'a Root,
    machine: &'a M,
    disk: Disk,
    /// The device of the unlocked partition.
    opened: Option<PathBuf>,
}

impl<M: Machine> Data<'_, M> {
    fn look(&self) -> Result<Known, DataError> {
        let partition = match self.disk.labelled(DATA_LABEL) {
            Some(partition) => {
                let content = content::read(&self.root.at("/dev").join(&partition.device))?;
                log::info!(device:% = partition.device, content:? = content; "data partition found");
                Some(Found { content, behind_bytes: self.disk.behind_bytes(partition) })
            }
            None => None,
        };
        Ok(Known { partition, tpm: self.machine.tpm() })
    }

    fn carry_out(&mut self, steps: &[Step]) -> Result<(), DataError> {
        steps.iter().try_for_each(|step| match step {
            Step::TakeDown => self.take_down(),
            Step::Make { encrypted, replace } => self.make(*encrypted, *replace),
            Step::Grow { encrypted } => self.grow(*encrypted),
            Step::Unlock => self.unlock(),
            Step::Check => self.check(),
            Step::Mount => self.mount(),
        })
    }

    fn make(&mut self, encrypted: bool, replace: bool) -> Result<(), DataError> {
        log::info!(disk:% = self.disk.name, encrypted; "making the data partition");
        let machine_id = files::line(&self.root.at("/etc/machine-id")).unwrap_or_default();
        let guid = repart::guid(&machine_id).ok_or(DataError::MachineId)?;
        repart::run(self.root, self.machine, &self.disk.name, &repart::Definition { guid, encrypted, replace })?;
        self.wait_for_partition()
    }

    /// A disk that cannot be grown into is no reason not to sell.
    fn grow(&mut self, encrypted: bool) -> Result<(), DataError> {
        log::info!(disk:% = self.disk.name; "growing the data partition");
        let machine_id = files::line(&self.root.at("/etc/machine-id")).unwrap_or_default();
        let guid = repart::guid(&machine_id).ok_or(DataError::MachineId)?;
        let definition = repart::Definition { guid, encrypted, replace: false };
        if let Err(error) = repart::run(self.root, self.machine, &self.disk.name, &definition) {
            log::error!("the data partition was not grown: {error}");
        }
        self.wait_for_partition()
    }

    /// Until the kernel and the table agree that it is there.
    fn wait_for_partition(&mut self) -> Result<(), DataError> {
        let deadline = Deadline::after(APPEAR_TIME_MAX);
        loop {
            self.disk = Disk::read(self.root, &self.disk.name)?;
            let device = self.disk.labelled(DATA_LABEL).map(|partition| &partition.device);
            if device.is_some_and(|device| self.root.at("/dev").join(device).exists()) {
                return Ok(());
            }
            if deadline.left().is_none() {
                return Err(DataError::NotThere);
            }
            pause(Duration::from_millis(50));
        }
    }

    fn unlock(&mut self) -> Result<(), DataError> {
        let device = self.partition()?;
        // A start that was cut short after this step and before the next leaves it unlocked.
        if disk::mapped(self.root, DATA_LABEL).is_none() {
            let program = Program::new(CRYPTSETUP, UNLOCK_TIME_MAX)
                .args(["attach", DATA_LABEL])
                .arg(device)
                .args(["-", "tpm2-device=auto,headless=1"]);
            let ended = self.machine.run(&program).and_then(|ended| ended.well());
            ended.map_err(DataError::Locked)?;
        }
        let mapped = disk::mapped(self.root, DATA_LABEL).ok_or(DataError::NotThere)?;
        self.opened = Some(self.root.at("/dev").join(mapped));
        Ok(())
    }

    fn check(&mut self) -> Result<(), DataError> {
        let device = self.device()?;
        // e2fsck(8): 1 repaired, 2 repaired and wants a restart, which only a mounted file system needs, 4 and 8 not
        // repaired; `-p` does what is safe without asking.
        let check = |how| self.machine.run(&Program::new(E2FSCK, CHECK_TIME_MAX).arg(how).arg(&device));
        let ended = check("-p")?;
        match ended.code {
            0 => return Ok(()),
            1..=3 => {
                log::warn!("the file system was repaired: {}", ended.output);
                return Ok(());
            }
            _ => log::error!("the file system is damaged and is repaired as far as possible: {}", ended.output),
        }
        let ended = check("-y")?;
        if (0..=3).contains(&ended.code) {
            log::warn!("the file system was repaired: {}", ended.output);
            return Ok(());
        }
        Err(DataError::Damaged(ended.failure()))
    }

    fn mount(&mut self) -> Result<(), DataError> {
        let device = self.device()?;
        let what = Mount { device, kind: "ext4", options: "", read_only: false };
        self.machine.mount(&what, &self.root.at(VAR)).map_err(DataError::NotMounted)
    }

    fn take_down(&mut self) -> Result<(), DataError> {
        self.machine.unmount(&self.root.at(VAR)).map_err(DataError::NotMounted)?;
        if self.opened.take().is_some() {
            let program = Program::new(CRYPTSETUP, UNLOCK_TIME_MAX).args(["detach", DATA_LABEL]);
            self.machine.run(&program)?.well()?;
        }
        Ok(())
    }

    /// After a growth that a power cut interrupted too, so at every start; it costs nothing when there is nothing to
    /// do.
    fn grow_file_system(&self) {
        let program = Program::new(GROWFS, GROW_TIME_MAX).arg(self.root.at(VAR));
        if let Err(error) = self.machine.run(&program).and_then(|ended| ended.well()) {
            log::error!("the file system was not grown: {error}");
        }
    }

    /// Where the file system is.
    fn device(&self) -> Result<PathBuf, DataError> {
        self.opened.clone().map_or_else(|| self.partition(), Ok)
    }

    fn partition(&self) -> Result<PathBuf, DataError> {
        let partition = self.disk.labelled(DATA_LABEL).ok_or(DataError::NotThere)?;
        Ok(self.root.at("/dev").join(&partition.device))
    }
}

#[derive(Serialize)]
struct Report<'a> {
    encrypted: bool,
    reason: &'a str,
    /// Why the partition is not in use.
    fault: Option<String>,
}

fn report(root: &Root, choice: &Choice, fault: Option<&DataError>) -> Result<(), DataError> {
    let fault = fault.map(ToString::to_string);
    let report = Report { encrypted: choice.encrypted, reason: &choice.reason, fault };
    let text = serde_json::to_vec(&report).map_err(io::Error::other)?;
    let path = root.at(REPORT);
    files::make_folder(&root.at("/run/storebox"), 0o755)?;
    Ok(files::replace(&path, &text, 0o644)?)
}

/// The name is made once, from the machine-id, and stays when that changes.
fn name_host(root: &Root, machine: &impl Machine) -> io::Result<()> {
    let path = root.at(KEPT).join("hostname");
    let name = match files::line(&path).filter(|name| is_host_name(name)) {
        Some(name) => name,
        None => {
            let id = files::line(&root.at("/etc/machine-id")).unwrap_or_default();
            let name = format!("storebox-{}", id.get(..6).unwrap_or("000000"));
            files::replace(&path, format!("{name}\n").as_bytes(), 0o644)?;
            name
        }
    };
    machine.set_host_name(&name)
}

/// One label of RFC 1123, section 2.1.
fn is_host_name(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(is_inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// The data partition is not in use.
#[derive(Debug)]
pub enum DataError {
    /// The disk is not known.
    Disk(DiskError),
    /// The running system has no machine-id to name the partition by.
    MachineId,
    /// A program failed.
    Program(ProgramError),
    /// The TPM did not give the key. What is kept is untouched.
    Locked(ProgramError),
    /// The file system cannot be repaired. What is left of it is untouched.
    Damaged(ProgramError),
    /// The partition that was made did not appear.
    NotThere,
    /// Mounting or unmounting failed.
    NotMounted(io::Error),
    /// A file could not be read or written.
    File(io::Error),
}

impl From<DiskError> for DataError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<ProgramError> for DataError {
    fn from(error: ProgramError) -> Self {
        Self::Program(error)
    }
}

impl From<io::Error> for DataError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::MachineId => f.write_str("this system has no machine-id"),
            Self::Program(error) => error.fmt(f),
            // The person before the screen is told what it means; what the program said is the source.
            Self::Locked(_) => {
                f.write_str("the data is locked and this machine's TPM does not unlock it; nothing was changed")
            }
            Self::Damaged(_) => f.write_str("the data's file system is damaged beyond repair; it is left as it is"),
            Self::NotThere => f.write_str("the data partition did not appear"),
            Self::NotMounted(error) => write!(f, "the data partition cannot be mounted: {error}"),
            Self::File(error) => write!(f, "a file of the data partition's setup failed: {error}"),
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Program(error) | Self::Locked(error) | Self::Damaged(error) => Some(error),
            Self::NotMounted(error) | Self::File(error) => Some(error),
            Self::MachineId | Self::NotThere => None,
        }
    }
}

#[cfg(test)]
mod tests;
