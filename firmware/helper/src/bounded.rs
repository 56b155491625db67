//! Text and lists that cannot be longer than they say, whoever made them.

use serde::{Deserialize, Serialize};

/// Text of up to `MAX` bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, unless it is too long.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        if text.len() <= MAX { Ok(Self(text)) } else { Err(TooLong) }
    }

    /// As much of the beginning as fits.
    pub fn cut(text: &str) -> Self {
        let end = (0..=text.len().min(MAX)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        Self(text.get(..end).unwrap_or_default().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TooLong;

    fn try_from(text: String) -> Result<Self, TooLong> {
        Self::new(text)
    }
}

/// Up to `MAX` values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// The values, unless there are too many.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn new(values: Vec<T>) -> Result<Self, TooLong> {
        if values.len() <= MAX { Ok(Self(values)) } else { Err(TooLong) }
    }

    /// The first `MAX` of these.
    pub fn first(values: impl Iterator<Item = T>) -> Self {
        Self(values.take(MAX).collect())
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for List<T, MAX> {
    type Error = TooLong;

    fn try_from(values: Vec<T>) -> Result<Self, TooLong> {
        Self::new(values)
    }
}

/// There is more than the bound allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("longer than allowed")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_however_the_value_came() {
        assert_eq!(Text::<3>::new("abcd"), Err(TooLong));
        assert_eq!(Text::<3>::cut("aäöü").as_str(), "aä");
        assert_eq!(List::<u8, 2>::new(vec![1, 2, 3]), Err(TooLong));
        let long = postcard::to_extend(&"abcd", Vec::new()).unwrap();
        assert!(postcard::from_bytes::<Text<3>>(&long).is_err());
        assert!(postcard::from_bytes::<List<u8, 3>>(&long).is_err());
        assert_eq!(postcard::from_bytes::<Text<4>>(&long).unwrap().as_str(), "abcd");
    }
}
