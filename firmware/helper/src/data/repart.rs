//! The partition as systemd-repart makes and grows it (systemd-repart(8), repart.d(5)).

use storebox_image::layout::DATA_LABEL;

use crate::data::DataError;
use crate::files::{self, Root};
use crate::limits::REPART_TIME_MAX;
use crate::machine::Machine;
use crate::program::Program;

const REPART: &str = "/usr/bin/systemd-repart";
/// Where the one definition is written: it holds the machine-id, which no image has.
const DEFINITIONS: &str = "/run/storebox-data/repart.d";

/// The partition that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its GUID.
    pub guid: String,
    /// With a key that the TPM keeps.
    pub encrypted: bool,
    /// In the place of the one that is there.
    pub replace: bool,
}

impl Definition {
    fn text(&self) -> String {
        let encrypt = if self.encrypted { "Encrypt=tpm2\n" } else { "" };
        format!(
            "[Partition]\nType=var\nLabel={DATA_LABEL}\nUUID={}\nFormat=ext4\n{encrypt}SizeMinBytes=256M\n\
             GrowFileSystem=yes\nFactoryReset=yes\n",
            self.guid
        )
    }
}

/// Has the partition made, or grown if it is there.
///
/// # Errors
/// [`DataError`]. If it was to be made and there was none, there is still none.
pub fn run(root: &Root, machine: &impl Machine, disk: &str, definition: &Definition) -> Result<(), DataError> {
    let folder = root.at(DEFINITIONS);
    files::make_folder(&folder, 0o755)?;
    files::replace(&folder.join("50-data.conf"), definition.text().as_bytes(), 0o644)?;
    // The key is bound to no state of the firmware: until the machine's Secure Boot keys are ours that state changes
    // with every firmware update, and would lock the owner out while keeping out nobody.
    let program = Program::new(REPART, REPART_TIME_MAX)
        .args(["--dry-run=no", "--empty=refuse", "--no-pager", "--no-legend", "--pretty=no", "--tpm2-pcrs="])
        .arg(format!("--factory-reset={}", if definition.replace { "yes" } else { "no" }))
        .arg(format!("--definitions={}", folder.display()))
        .arg(root.at("/dev").join(disk));
    Ok(machine.run(&program)?.well()?)
}

/// A machine-id (machine-id(5)) in the form of a GUID.
pub fn guid(machine_id: &str) -> Option<String> {
    let is_id = machine_id.len() == 32 && machine_id.chars().all(|c| c.is_ascii_hexdigit());
    let part = |range| machine_id.get(range).filter(|_| is_id);
    Some([part(0..8)?, part(8..12)?, part(12..16)?, part(16..20)?, part(20..32)?].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guid_is_the_machine_id() {
        let guid_of = |id: &str| guid(id);
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(guid_of(id).as_deref(), Some("01234567-89ab-cdef-0123-456789abcdef"));
        for wrong in ["", "uninitialized", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"] {
            assert_eq!(guid_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_an_encrypted_partition_says_so() {
        let text = |encrypted| Definition { guid: "G".to_owned(), encrypted, replace: false }.text();
        assert!(text(true).contains("\nEncrypt=tpm2\n") && !text(false).contains("Encrypt"));
        assert!(text(false).contains("\nUUID=G\n") && text(false).contains("\nLabel=storebox-data\n"));
    }
}
