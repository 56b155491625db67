//! Text from the outside: bounded, printable, never empty.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Text of at most `MAX` characters without control characters other than line feed and tab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

/// A name, a reference or an identifier of somebody else's system: at most 128 characters, never empty.
pub type Name = Text<128>;
/// What a person typed for another person to read: at most 1 000 characters.
pub type Note = Text<1000>;

impl<const MAX: usize> Text<MAX> {
    /// Takes text that must say something.
    ///
    /// # Errors
    /// [`NotText`] says what is wrong with it.
    pub fn new(text: String) -> Result<Self, NotText> {
        if text.is_empty() {
            return Err(NotText::Empty);
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(NotText::Control);
        }
        // Characters are at least as few as bytes: counting is needed only for long text.
        if text.len() > MAX && text.chars().count() > MAX {
            return Err(NotText::TooLong { max: MAX });
        }
        Ok(Self(text))
    }

    /// Text of the box's own, without what does not fit.
    pub fn cut(text: &str) -> Self {
        let fits = text.chars().filter(|c| !c.is_control()).take(MAX).collect();
        Self(fits)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    /// From outside, the text is checked; what a record holds was checked when it came in, by the rules of its day.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let from_outside = deserializer.is_human_readable();
        let text = String::deserialize(deserializer)?;
        if from_outside { Self::new(text).map_err(D::Error::custom) } else { Ok(Self(text)) }
    }
}

/// Why text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotText {
    /// It must say something.
    Empty,
    /// It holds a control character.
    Control,
    /// It is too long.
    TooLong {
        /// How many characters there may be.
        max: usize,
    },
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::Control => f.write_str("must not hold control characters"),
            Self::TooLong { max } => write!(f, "must be at most {max} characters"),
        }
    }
}

impl core::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_in_characters_not_bytes() {
        assert!(Name::new("ü".repeat(128)).is_ok());
        assert_eq!(Name::new("ü".repeat(129)), Err(NotText::TooLong { max: 128 }));
    }

    #[test]
    fn control_characters_are_refused_but_notes_may_have_lines() {
        assert_eq!(Note::new("a\u{0}b".into()), Err(NotText::Control));
        assert!(Note::new("no onions\nplease".into()).is_ok());
        assert_eq!(Name::new(String::new()), Err(NotText::Empty));
    }
}
