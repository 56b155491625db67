//! PINs: what a person types to sign in, and what is kept of it.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{PIN_DIGITS_MAX, PIN_DIGITS_MIN};

/// A PIN as it was typed. It is never stored and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// Takes what was typed.
    ///
    /// # Errors
    /// [`NotAPin::Digits`].
    pub fn new(text: String) -> Result<Self, NotAPin> {
        let long_enough = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&text.len());
        if long_enough && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(NotAPin::Digits)
        }
    }

    /// Refuses what everybody tries first: one digit repeated, and digits in a row, up or down.
    ///
    /// # Errors
    /// [`NotAPin::Guessable`].
    pub fn must_be_good(&self) -> Result<(), NotAPin> {
        let by = |step: i16| {
            let digits = self.0.bytes().zip(self.0.bytes().skip(1));
            digits.into_iter().all(|(one, next)| i16::from(next) - i16::from(one) == step)
        };
        if by(0) || by(1) || by(-1) { Err(NotAPin::Guessable) } else { Ok(()) }
    }

    /// The digits, for the hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(hidden)")
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why something is no PIN, or none to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAPin {
    /// It is not made of so many digits.
    Digits,
    /// Everybody would try it.
    Guessable,
}

impl fmt::Display for NotAPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits => write!(f, "must be {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"),
            Self::Guessable => f.write_str("is too easy to guess: not one digit repeated, not digits in a row"),
        }
    }
}

impl core::error::Error for NotAPin {}

/// What is kept of a PIN: its slow hash with salt and parameters (Argon2id, PHC string format).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PinHash(String);

impl PinHash {
    /// Takes a PHC string.
    pub const fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PinHash {
    /// Shows nothing of it: a short PIN can be guessed from its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn l10_what_everybody_tries_first_is_no_pin_to_choose() {
        for easy in ["0000", "11111111", "1234", "456789", "4321", "98765432"] {
            let pin = Pin::new(easy.to_owned()).unwrap();
            assert_eq!(pin.must_be_good(), Err(NotAPin::Guessable), "{easy}");
        }
        for good in ["1235", "0001", "927463", "13579135"] {
            assert_eq!(Pin::new(good.to_owned()).unwrap().must_be_good(), Ok(()), "{good}");
        }
    }

    #[test]
    fn nothing_of_a_pin_is_shown() {
        let pin = Pin::new("927463".to_owned()).unwrap();
        assert_eq!(format!("{pin:?}"), "Pin(hidden)");
        assert_eq!(format!("{:?}", PinHash::new("$argon2id$x".to_owned())), "PinHash(hidden)");
    }

    proptest! {
        #[test]
        fn l10_a_pin_is_four_to_eight_digits(text in ".{0,12}") {
            let digits = text.chars().all(|c| c.is_ascii_digit()) && (4..=8).contains(&text.chars().count());
            prop_assert_eq!(Pin::new(text).is_ok(), digits);
        }
    }
}
