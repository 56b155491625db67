//! What the kernel command line says about the root.

use std::fmt;
use std::fs;
use std::path::Path;

use storebox_image::layout::{PARAMETER_SLOT, PARAMETER_VERITY, Slot, VERITY_BLOCK};

use crate::failure::Failure;

/// Which root to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The slot it lives in.
    pub slot: Slot,
    /// What it must be.
    pub verity: Verity,
}

/// What dm-verity needs to know of a root; the rest is fixed in `storebox_image::layout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verity {
    /// SHA-256 root of the hash tree.
    pub root_hash: [u8; 32],
    /// Data blocks of [`VERITY_BLOCK`] bytes: at least 2, and few enough that every size in bytes fits 63 bits. The hash
    /// tree begins right after them.
    pub blocks: u64,
}

/// Why a command line does not say which root to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CmdlineError {
    /// A parameter is not there.
    Missing(&'static str),
    /// A parameter is there more than once, so that nobody knows which is meant.
    Repeated(&'static str),
    /// The slot is neither `a` nor `b`.
    Slot(String),
    /// The root of trust is not `ROOTHASH:BLOCKS`.
    Verity(String),
}

impl fmt::Display for CmdlineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(out, "{name}= is missing"),
            Self::Repeated(name) => write!(out, "{name}= is there more than once"),
            Self::Slot(value) => write!(out, "{PARAMETER_SLOT}={value} is neither a nor b"),
            Self::Verity(value) => {
                write!(out, "{PARAMETER_VERITY}={value} is not a SHA-256 and a number of blocks with a colon between")
            }
        }
    }
}

impl std::error::Error for CmdlineError {}

/// Reads the running kernel's command line.
///
/// # Errors
/// When it is not readable or does not name a root.
pub fn read(path: &Path) -> Result<Parameters, Failure> {
    let bytes = fs::read(path).map_err(Failure::CmdlineUnreadable)?;
    parse(&String::from_utf8_lossy(&bytes)).map_err(Failure::Cmdline)
}

fn parse(cmdline: &str) -> Result<Parameters, CmdlineError> {
    let slot = value(cmdline, PARAMETER_SLOT)?;
    let verity = value(cmdline, PARAMETER_VERITY)?;
    Ok(Parameters {
        slot: Slot::from_letter(slot).ok_or_else(|| CmdlineError::Slot(slot.to_owned()))?,
        verity: parse_verity(verity).ok_or_else(|| CmdlineError::Verity(verity.to_owned()))?,
    })
}

fn value<'a>(cmdline: &'a str, name: &'static str) -> Result<&'a str, CmdlineError> {
    let mut values = cmdline
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(key, value)| (key == name).then_some(value));
    match (values.next(), values.next()) {
        (None, _) => Err(CmdlineError::Missing(name)),
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(CmdlineError::Repeated(name)),
    }
}

fn parse_verity(value: &str) -> Option<Verity> {
    let (hash, blocks) = value.split_once(':')?;
    let root_hash = hex(hash)?.try_into().ok()?;
    if !blocks.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let blocks: u64 = blocks.parse().ok()?;
    // One block has no tree: its own hash would be the root hash.
    (blocks >= 2 && blocks < i64::MAX.unsigned_abs() / VERITY_BLOCK).then_some(Verity { root_hash, blocks })
}

/// The bytes of lower- or upper-case hexadecimal digits.
pub fn hex(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Vec<u32> = digits.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = nibbles.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn verity(value: &str) -> Result<Parameters, CmdlineError> {
        parse(&format!("quiet {PARAMETER_SLOT}=a {PARAMETER_VERITY}={value}\n"))
    }

    #[test]
    fn the_root_of_the_slot_is_read() {
        let found = parse(&format!("panic=10 storebox.slot=b quiet storebox.verity={HASH}:12345\n")).unwrap();
        assert_eq!(found.slot, Slot::B);
        assert_eq!(found.verity.blocks, 12345);
        assert_eq!(found.verity.root_hash[..3], [0x00, 0x11, 0x22]);
        assert_eq!(found.verity.root_hash[31], 0xff);
    }

    #[test]
    fn a_parameter_must_be_there_exactly_once() {
        assert_eq!(parse("quiet"), Err(CmdlineError::Missing(PARAMETER_SLOT)));
        assert_eq!(parse("storebox.slot=a xstorebox.verity=1"), Err(CmdlineError::Missing(PARAMETER_VERITY)));
        assert_eq!(parse("storebox.slot=a storebox.slot=b"), Err(CmdlineError::Repeated(PARAMETER_SLOT)));
    }

    #[test]
    fn slots_other_than_a_and_b_are_refused() {
        for slot in ["", "A", "c", "ab"] {
            let line = format!("storebox.slot={slot} storebox.verity={HASH}:8");
            assert_eq!(parse(&line), Err(CmdlineError::Slot(slot.to_owned())));
        }
    }

    #[test]
    fn hashes_of_another_length_or_alphabet_are_refused() {
        let other = HASH.replace('0', "g");
        for hash in ["", &HASH[1..], &HASH[2..], &format!("{HASH}00"), &other, "é"] {
            assert!(matches!(verity(&format!("{hash}:8")), Err(CmdlineError::Verity(_))), "{hash}");
        }
    }

    #[test]
    fn block_numbers_that_no_disk_has_are_refused() {
        for blocks in
            ["", "0", "1", "-8", "+8", "8x", "2251799813685248", "18446744073709551615", "99999999999999999999"]
        {
            assert!(matches!(verity(&format!("{HASH}:{blocks}")), Err(CmdlineError::Verity(_))), "{blocks}");
        }
        assert_eq!(verity(&format!("{HASH}:2")).unwrap().verity.blocks, 2);
    }
}
