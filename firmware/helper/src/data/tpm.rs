//! Whether this machine has a TPM that can keep a key: asked of the TPM itself, because a device node alone says
//! little. Most trouble with a TPM is one that firmware has switched off or that belongs to somebody else.
//!
//! TPM 2.0 Library Specification, part 2 (structures) and part 3 (`TPM2_GetCapability`, section 30.2).

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::{Deadline, pause};
use crate::limits::TPM_TIME_MAX;

/// The TPM, shared by the kernel's resource manager.
pub const DEVICE: &str = "/dev/tpmrm0";

/// The table in which firmware names a TPM (TCG ACPI Specification, section 7.3).
pub const NAMED: &str = "/sys/firmware/acpi/tables/TPM2";

/// What a machine's TPM is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpm {
    /// There is none.
    None,
    /// It can keep the key.
    Usable,
    /// It cannot, in words.
    Unusable(String),
}

/// TPM2_GetCapability(TPM_CAP_TPM_PROPERTIES, TPM_PT_PERMANENT, 2).
const QUESTION: [u8; 22] = [
    0x80, 0x01, // TPM_ST_NO_SESSIONS
    0, 0, 0, 22, // the command's size
    0, 0, 0x01, 0x7a, // TPM_CC_GetCapability
    0, 0, 0, 6, // TPM_CAP_TPM_PROPERTIES
    0, 0, 0x02, 0x00, // TPM_PT_PERMANENT, which TPM_PT_STARTUP_CLEAR follows
    0, 0, 0, 2,
];
const TPM_PT_PERMANENT: u32 = 0x200;
const TPM_PT_STARTUP_CLEAR: u32 = 0x201;
/// Of TPM_PT_PERMANENT: somebody has set a password for the storage hierarchy, and only they can put a key there.
const OWNER_AUTH_SET: u32 = 1;
/// Of TPM_PT_STARTUP_CLEAR: the storage hierarchy is switched on.
const SH_ENABLE: u32 = 1 << 1;

/// Asks the TPM, after waiting up to `patience` for one that the firmware names and the kernel has not found yet: a
/// box that is encrypted or not depending on which driver was quicker would be a bad surprise.
pub fn ask_patiently(device: &Path, named: &Path, patience: Duration) -> Tpm {
    let deadline = Deadline::after(patience);
    loop {
        let tpm = ask(device);
        if tpm != Tpm::None || !named.exists() {
            return tpm;
        }
        if deadline.left().is_none() {
            return Tpm::Unusable("the firmware names a TPM that does not show up".to_owned());
        }
        pause(Duration::from_millis(100));
    }
}

/// Asks the TPM.
fn ask(device: &Path) -> Tpm {
    match exchange(device) {
        Ok(answer) => judge(&answer),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Tpm::None,
        Err(error) => Tpm::Unusable(format!("the TPM does not answer: {error}")),
    }
}

fn exchange(device: &Path) -> io::Result<Vec<u8>> {
    let mut tpm = OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(device)?;
    tpm.write_all(&QUESTION)?;
    let timeout = PollTimeout::try_from(TPM_TIME_MAX).unwrap_or(PollTimeout::MAX);
    if poll(&mut [PollFd::new(tpm.as_fd(), PollFlags::POLLIN)], timeout)? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut answer = vec![0; 4096];
    let length = tpm.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn judge(answer: &[u8]) -> Tpm {
    let Some(properties) = properties(answer) else {
        return Tpm::Unusable("the TPM's answer is not understood".to_owned());
    };
    let flag = |property, flag| properties.iter().any(|(found, value)| *found == property && value & flag != 0);
    if !flag(TPM_PT_STARTUP_CLEAR, SH_ENABLE) {
        return Tpm::Unusable("the TPM is switched off in the firmware's settings".to_owned());
    }
    if flag(TPM_PT_PERMANENT, OWNER_AUTH_SET) {
        return Tpm::Unusable("the TPM belongs to an earlier system; clear it in the firmware's settings".to_owned());
    }
    Tpm::Usable
}

/// The properties in an answer: tag, size, result; whether there are more; the capability, their number, and pairs.
fn properties(answer: &[u8]) -> Option<Vec<(u32, u32)>> {
    let word = |offset: usize| Some(u32::from_be_bytes(answer.get(offset..offset + 4)?.try_into().ok()?));
    let (result, capability) = (word(6)?, word(11)?);
    if !answer.starts_with(&[0x80, 0x01]) || result != 0 || capability != 6 {
        return None;
    }
    let pairs = answer.get(19..)?.chunks_exact(8);
    pairs
        .map(|pair| {
            let (property, value) = pair.split_at_checked(4)?;
            Some((u32::from_be_bytes(property.try_into().ok()?), u32::from_be_bytes(value.try_into().ok()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(result: u32, permanent: u32, startup_clear: u32) -> Vec<u8> {
        let mut answer = vec![0x80, 0x01];
        for word in [35, result] {
            answer.extend(u32::to_be_bytes(word));
        }
        answer.push(0);
        for word in [6, 2, TPM_PT_PERMANENT, permanent, TPM_PT_STARTUP_CLEAR, startup_clear] {
            answer.extend(u32::to_be_bytes(word));
        }
        answer
    }

    #[test]
    fn a_tpm_that_is_on_and_nobodys_can_keep_the_key() {
        assert_eq!(judge(&answer(0, 0x0000_0400, 0x8000_000f)), Tpm::Usable);
    }

    #[test]
    fn a_tpm_that_cannot_keep_it_says_why() {
        for (answer, reason) in [
            (answer(0, 0, 0x8000_0001), "switched off"),
            (answer(0, 1, 0x8000_000f), "belongs to"),
            (answer(0x100, 0, 2), "not understood"),
            (answer(0, 0, 2)[..9].to_vec(), "not understood"),
            (Vec::new(), "not understood"),
        ] {
            let Tpm::Unusable(found) = judge(&answer) else { panic!("usable") };
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn a_machine_without_one_has_none() {
        assert_eq!(ask(Path::new("/dev/no-such-tpm")), Tpm::None);
        assert!(matches!(ask(Path::new("/dev/null")), Tpm::Unusable(_)));
    }

    #[test]
    fn one_that_the_firmware_names_is_waited_for() {
        let (device, named) = (Path::new("/dev/no-such-tpm"), Path::new("/dev/null"));
        let patience = Duration::from_millis(150);
        let Tpm::Unusable(reason) = ask_patiently(device, named, patience) else { panic!("it is not there") };
        assert!(reason.contains("does not show up"), "{reason}");
        assert_eq!(ask_patiently(device, device, Duration::from_secs(3600)), Tpm::None);
    }
}
