//! The id of this box, machine-id(5): the GUID of its data partition, so that it stays as long as the data does.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use storebox_image::layout::DATA_LABEL;

use crate::failure::Failure;
use crate::gpt::{self, GptError};
use crate::partitions::{self, Partition};

/// 128 bits, in the order of their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineId([u8; 16]);

impl fmt::Display for MachineId {
    /// As `/etc/machine-id` has it: 32 lower-case hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The id of the box on the disk of `root`: the GUID of its data partition, or, when it has none yet, a new one, with
/// which the data partition will be made.
///
/// # Errors
/// When the disk does not tell the GUID; a new id in its place would give the box another name and another address.
/// When there are no random numbers.
pub fn id(root: &Partition) -> Result<MachineId, Failure> {
    let failed = |source| Failure::DataGuid { disk: root.disk.clone(), source };
    // The kernel adds a disk's partitions one by one, and the data partition is the last. Opening the disk waits for the
    // lock under which it does (`bdev_open` in `block/bdev.c`).
    let disk = File::open(&root.disk).map_err(GptError::Read).map_err(failed)?;
    match partitions::data_beside(root, &partitions::list(Path::new("/sys"))) {
        Some(data) => gpt::guid(&disk, data.number, DATA_LABEL).map(MachineId).map_err(failed),
        None => random(Path::new("/dev/random")),
    }
}

/// A random UUID, version 4 (RFC 9562, section 5.4). `/dev/random` waits until its numbers are good.
fn random(source: &Path) -> Result<MachineId, Failure> {
    let mut bytes = [0; 16];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Failure::Random)?;
    Ok(version_4(bytes))
}

fn version_4(mut bytes: [u8; 16]) -> MachineId {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    MachineId(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_machine_id_files_are() {
        let mut bytes = [0; 16];
        bytes[0] = 0x4d;
        bytes[15] = 0x0a;
        assert_eq!(MachineId(bytes).to_string(), "4d00000000000000000000000000000a");
    }

    #[test]
    fn a_new_id_is_a_random_uuid() {
        let ones = version_4([0xff; 16]).to_string();
        assert_eq!(ones, "ffffffffffff4fffbfffffffffffffff");
        let id = || random(Path::new("/dev/urandom")).unwrap();
        assert_ne!(id(), id());
    }
}
