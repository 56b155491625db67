//! What has to be done about the data partition, from what is known about it.
//!
//! A power cut may come between any two steps, and within one; at the next start the same is decided again from what
//! is there then. So every step either changes nothing until it is complete, or is repeated.
//!
//! - *Make*: systemd-repart makes the file system in the free room first and writes the partition table last
//!   (repart.d(5); seen with 257). After a cut there is no partition, or a whole one. Where it replaces a partition,
//!   it takes the old one out of the table before that, so that after a cut there is none, and it is made.
//! - *Grow*: the table only. A file system that has not grown with it is grown after mounting, at every start.
//! - *Check*: e2fsck replays the journal and may be repeated.

use crate::content::Content;
use crate::data::tpm::Tpm;
use crate::limits::GROW_FROM_BYTES;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take away what is mounted, and lock it.
    TakeDown,
    /// Make the partition and its file system.
    Make {
        /// With a key that the TPM keeps.
        encrypted: bool,
        /// In the place of the one that is there.
        replace: bool,
    },
    /// Let the partition have the room behind it.
    Grow {
        /// What it is now.
        encrypted: bool,
    },
    /// Unlock it with the TPM's key.
    Unlock,
    /// Check the file system, and repair it.
    Check,
    /// Mount it.
    Mount,
}

/// What is known about the data partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The partition; nothing at the first start.
    pub partition: Option<Found>,
    /// The machine's TPM.
    pub tpm: Tpm,
}

/// The data partition as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it holds.
    pub content: Content,
    /// Room between its end and the disk's.
    pub behind_bytes: u64,
}

/// What becomes of the data partition, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it keeps is encrypted.
    pub encrypted: bool,
    /// Why, in words.
    pub reason: String,
}

/// What to do at a start.
pub fn steps(known: &Known) -> Vec<Step> {
    let encrypted = is_encrypted(known);
    let mut steps = Vec::new();
    match known.partition {
        None => steps.push(Step::Make { encrypted, replace: false }),
        // Nothing can have been kept there.
        Some(Found { content: Content::Blank, .. }) => steps.push(Step::Make { encrypted, replace: true }),
        // What is not understood is left to e2fsck, which finds a file system by the copies of its superblock, or
        // fails; it is never made anew without being asked.
        Some(Found {
            content: Content::Luks | Content::Ext | Content::Fat | Content::Exfat | Content::Unknown,
            behind_bytes,
        }) => {
            if behind_bytes >= GROW_FROM_BYTES {
                steps.push(Step::Grow { encrypted });
            }
        }
    }
    steps.extend(open(encrypted));
    steps
}

/// What to do when the mounted partition holds the mark of a factory reset.
pub fn reset(tpm: &Tpm) -> Vec<Step> {
    let encrypted = *tpm == Tpm::Usable;
    let mut steps = vec![Step::TakeDown, Step::Make { encrypted, replace: true }];
    steps.extend(open(encrypted));
    steps
}

/// Whether what is kept is, or will be, encrypted, and why.
pub fn choice(known: &Known, is_reset: bool) -> Choice {
    let is_made = is_reset || matches!(known.partition, None | Some(Found { content: Content::Blank, .. }));
    let encrypted = if is_reset { known.tpm == Tpm::Usable } else { is_encrypted(known) };
    let reason = match (&known.tpm, encrypted) {
        (_, true) => "encrypted with a key that a TPM keeps".to_owned(),
        (Tpm::None, false) => "not encrypted: this machine has no TPM".to_owned(),
        (Tpm::Unusable(reason), false) => format!("not encrypted: {reason}"),
        (Tpm::Usable, false) if is_made => "not encrypted".to_owned(),
        (Tpm::Usable, false) => "not encrypted: made when no TPM could be used; a factory reset encrypts it".to_owned(),
    };
    Choice { encrypted, reason }
}

fn is_encrypted(known: &Known) -> bool {
    match known.partition {
        None | Some(Found { content: Content::Blank, .. }) => known.tpm == Tpm::Usable,
        Some(Found { content, .. }) => content == Content::Luks,
    }
}

fn open(encrypted: bool) -> Vec<Step> {
    let unlock = encrypted.then_some(Step::Unlock);
    unlock.into_iter().chain([Step::Check, Step::Mount]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(content: Option<Content>, behind_bytes: u64, tpm: Tpm) -> Known {
        Known { partition: content.map(|content| Found { content, behind_bytes }), tpm }
    }

    /// Row B12: encrypted wherever the machine can keep a key.
    #[test]
    fn the_first_start_makes_it_encrypted_where_it_can() {
        let first = known(None, 0, Tpm::Usable);
        let make = |encrypted| Step::Make { encrypted, replace: false };
        assert_eq!(steps(&first), [make(true), Step::Unlock, Step::Check, Step::Mount]);
        assert!(choice(&first, false).encrypted);
        for tpm in [Tpm::None, Tpm::Unusable("the TPM is switched off".to_owned())] {
            let first = known(None, 0, tpm);
            assert_eq!(steps(&first), [make(false), Step::Check, Step::Mount]);
            let choice = choice(&first, false);
            assert!(!choice.encrypted && choice.reason.contains("TPM"), "{}", choice.reason);
        }
    }

    #[test]
    fn later_starts_take_it_as_it_is() {
        for tpm in [Tpm::None, Tpm::Usable, Tpm::Unusable(String::new())] {
            let plain = known(Some(Content::Ext), 0, tpm.clone());
            assert_eq!(steps(&plain), [Step::Check, Step::Mount]);
            assert!(!choice(&plain, false).encrypted);
            let locked = known(Some(Content::Luks), 0, tpm);
            assert_eq!(steps(&locked), [Step::Unlock, Step::Check, Step::Mount]);
            assert!(choice(&locked, false).encrypted);
        }
    }

    #[test]
    fn a_larger_disk_is_used() {
        let grown = known(Some(Content::Ext), GROW_FROM_BYTES, Tpm::None);
        assert_eq!(steps(&grown), [Step::Grow { encrypted: false }, Step::Check, Step::Mount]);
        let exact = known(Some(Content::Ext), GROW_FROM_BYTES - 1, Tpm::None);
        assert_eq!(steps(&exact), [Step::Check, Step::Mount]);
    }

    #[test]
    fn a_blank_partition_is_made_and_nothing_else_ever_is() {
        let blank = known(Some(Content::Blank), 0, Tpm::None);
        assert_eq!(steps(&blank), [Step::Make { encrypted: false, replace: true }, Step::Check, Step::Mount]);
        for content in [Content::Luks, Content::Ext, Content::Fat, Content::Exfat, Content::Unknown] {
            for tpm in [Tpm::None, Tpm::Usable] {
                let steps = steps(&known(Some(content), u64::MAX, tpm));
                assert!(!steps.iter().any(|step| matches!(step, Step::Make { .. })), "{content:?}: {steps:?}");
            }
        }
    }

    /// Row B14.
    #[test]
    fn a_reset_makes_it_as_a_first_start_would() {
        let make = |encrypted| Step::Make { encrypted, replace: true };
        assert_eq!(reset(&Tpm::None), [Step::TakeDown, make(false), Step::Check, Step::Mount]);
        assert_eq!(reset(&Tpm::Usable), [Step::TakeDown, make(true), Step::Unlock, Step::Check, Step::Mount]);
        let plain = known(Some(Content::Ext), 0, Tpm::Usable);
        assert!(choice(&plain, true).encrypted);
    }
}
