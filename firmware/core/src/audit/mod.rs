//! The audit log: what somebody with special rights did, each entry bound to the one before it by its hash.
//!
//! ```text
//! hash(n) = SHA-256(n as 8 bytes, big-endian ‖ the stored bytes of entry n), and entry n+1 holds hash(n)
//! ```
//! The head, kept apart, holds the hash of the last entry: nothing can be changed, taken out or cut off the end without
//! the chain showing where. Whoever can rewrite the whole file can forge it all; then the cloud's copy tells.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, EmployeeId};
use crate::people::Role;
use crate::record::{Record, RecordError, decode, v1};
use crate::text::{Name, Text};
use crate::time::Hlc;

/// SHA-256.
pub type Hash = [u8; 32];

/// The hash that the first entry holds.
pub const BEGINNING: Hash = [0; 32];

/// One entry. Its number is the key it is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Hlc,
    /// At which terminal; none if the box did it by itself.
    pub device: Option<DeviceId>,
    /// Who was signed in.
    pub staff: Option<EmployeeId>,
    /// What they were trusted with; none for the box itself.
    pub role: Option<Role>,
    /// What was done, as in `order.refunded`.
    pub what: Text<64>,
    /// The id or name of what it was done to.
    pub about: Name,
    /// The hash of the entry before.
    pub previous: Hash,
}

impl Record for AuditEntry {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last entry; the first is 1.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// The head of a log without entries.
    pub const EMPTY: Self = Self { number: 0, hash: BEGINNING };
}

impl Record for Head {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Something to note that changes nothing else: a sign-in, a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was done, as in `staff.signed_in`.
    pub what: &'static str,
    /// To whom or what.
    pub about: Name,
    /// At which terminal, if the request does not say.
    pub device: Option<DeviceId>,
}

/// What is hashed of an entry.
pub fn hashed(number: u64, stored: &[u8]) -> Vec<u8> {
    [number.to_be_bytes().as_slice(), stored].concat()
}

/// Walks the chain, in as many pieces as the caller likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The last entry that was found in order.
    pub last: Head,
}

/// The chain does not hold here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first entry that is not what was written: it, or the end of the log after it, was changed or is missing.
    pub number: u64,
}

impl Walk {
    /// Begins with the first entry.
    pub const fn from_the_beginning() -> Self {
        Self { last: Head::EMPTY }
    }

    /// Takes the next entry as it lies on disk.
    ///
    /// # Errors
    /// [`Broken`] names the first entry that is not as it was written.
    pub fn step(&mut self, number: u64, stored: &[u8], sha256: impl Fn(&[u8]) -> Hash) -> Result<(), Broken> {
        let expected = self.last.number.saturating_add(1);
        if number != expected {
            return Err(Broken { number: expected });
        }
        let Ok(entry) = decode::<AuditEntry>(stored) else { return Err(Broken { number }) };
        if entry.previous != self.last.hash {
            // Which of the two was changed cannot be told: the earlier one is under suspicion.
            return Err(Broken { number: self.last.number.max(1) });
        }
        self.last = Head { number, hash: sha256(&hashed(number, stored)) };
        Ok(())
    }

    /// Compares the end with the head.
    ///
    /// # Errors
    /// [`Broken`] if entries were cut off, or the last one was changed.
    pub fn end(&self, head: Head) -> Result<(), Broken> {
        if self.last == head {
            return Ok(());
        }
        let cut_off = head.number > self.last.number;
        Err(Broken { number: if cut_off { self.last.number.saturating_add(1) } else { self.last.number.max(1) } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::encode;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    /// FNV-1a, four times over: core has no SHA-256, and the walk does not care.
    fn hash(bytes: &[u8]) -> Hash {
        let mut sum = [0; 32];
        for (salt, part) in (0u64..).zip(sum.chunks_mut(8)) {
            let seed = 0xcbf2_9ce4_8422_2325 ^ salt;
            let fnv = bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
            part.copy_from_slice(&fnv.to_be_bytes());
        }
        sum
    }

    fn chain(length: u64) -> (Vec<Vec<u8>>, Head) {
        let mut head = Head::EMPTY;
        let mut stored = Vec::new();
        for number in 1..=length {
            let entry = AuditEntry {
                at: Hlc { wall: Timestamp::from_millis(number), counter: 0 },
                device: None,
                staff: Some(EmployeeId::from_bytes([7; 16])),
                role: Some(Role::Manager),
                what: Text::cut("order.refunded"),
                about: Name::cut("A-0001"),
                previous: head.hash,
            };
            let bytes = encode(&entry).unwrap();
            head = Head { number, hash: hash(&hashed(number, &bytes)) };
            stored.push(bytes);
        }
        (stored, head)
    }

    fn verify(stored: &[(u64, Vec<u8>)], head: Head) -> Result<(), Broken> {
        let mut walk = Walk::from_the_beginning();
        stored.iter().try_for_each(|(number, bytes)| walk.step(*number, bytes, hash))?;
        walk.end(head)
    }

    fn numbered(stored: Vec<Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
        (1..).zip(stored).collect()
    }

    #[test]
    fn an_untouched_chain_holds() {
        for length in [0, 1, 2, 50] {
            let (stored, head) = chain(length);
            assert_eq!(verify(&numbered(stored), head), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(length in 1u64..20, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (mut stored, head) = chain(length);
            let row = at.index(stored.len());
            let byte = at.index(stored[row].len());
            stored[row][byte] ^= 1 << bit;
            let broken = verify(&numbered(stored), head).unwrap_err().number;
            // Its own previous-hash accuses the neighbour before it.
            prop_assert!((row as u64..=row as u64 + 1).contains(&broken) || broken == 1, "row {row}: {broken}");
        }

        #[test]
        fn any_row_taken_out_is_found(length in 1u64..20, at in any::<prop::sample::Index>()) {
            let (stored, head) = chain(length);
            let mut stored = numbered(stored);
            let (number, _) = stored.remove(at.index(stored.len()));
            prop_assert_eq!(verify(&stored, head), Err(Broken { number }));
        }
    }
}
