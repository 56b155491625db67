//! The mark of a factory reset: left by the helper, carried out by `storebox-data` at the next start.

use std::io;

use crate::files::{self, KEPT, Root};
use crate::machine::folder_with_mode;
use crate::protocol::FACTORY_RESET_SENTENCE;

/// Its file, in [`KEPT`].
const FILE: &str = "factory-reset";

/// Leaves it, so that it is there after any power cut.
///
/// # Errors
/// As writing has them.
pub fn leave(root: &Root) -> io::Result<()> {
    folder_with_mode(&root.at(KEPT), 0o700)?;
    files::replace(&root.at(KEPT).join(FILE), FACTORY_RESET_SENTENCE.as_bytes(), 0o600)
}

/// Whether it is left. A file of that name that does not hold the sentence erases nothing.
pub fn is_left(root: &Root) -> bool {
    files::line(&root.at(KEPT).join(FILE)).as_deref() == Some(FACTORY_RESET_SENTENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn only_the_sentence_counts() {
        let scratch = Scratch::new("marker");
        assert!(!is_left(&scratch.root()));
        scratch.write("/var/lib/storebox-system/factory-reset", "");
        assert!(!is_left(&scratch.root()));
        leave(&scratch.root()).unwrap();
        assert!(is_left(&scratch.root()));
    }
}
