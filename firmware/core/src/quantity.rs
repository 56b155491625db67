//! How much of an item: pieces, or weight to three decimals.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::QUANTITY_MAX_THOUSANDTHS;

/// A quantity in thousandths of the item's unit: 2 pieces are 2 000, 0.45 kg is 450.
///
/// A decimal number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// A quantity of `thousandths`.
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// So many pieces, or `None` if it is beyond [`QUANTITY_MAX_THOUSANDTHS`].
    pub fn pieces(pieces: u64) -> Option<Self> {
        let thousandths = i64::try_from(pieces).ok()?.checked_mul(1_000)?;
        (thousandths <= QUANTITY_MAX_THOUSANDTHS).then_some(Self(thousandths))
    }

    /// How many whole pieces it holds; none below zero.
    pub fn whole(self) -> u64 {
        u64::try_from(self.0 / 1_000).unwrap_or(0)
    }

    /// The quantity in thousandths.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// Reads a decimal number with at most three decimals.
    ///
    /// # Errors
    /// [`NotAQuantity`] if the number is not finite, has more decimals, or is further from zero than
    /// [`QUANTITY_MAX_THOUSANDTHS`].
    pub fn from_number(number: f64) -> Result<Self, NotAQuantity> {
        let thousandths = number * 1_000.0;
        let rounded = thousandths.round();
        let limit = QUANTITY_MAX_THOUSANDTHS as f64;
        // A binary double cannot hold most decimals; what three decimals leave as an error is far below this.
        let precise = (thousandths - rounded).abs() < 1e-3;
        if !number.is_finite() || !precise || rounded.abs() > limit {
            return Err(NotAQuantity);
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the limit checked above")]
        Ok(Self(rounded as i64))
    }

    /// The quantity as a decimal number.
    pub fn to_number(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// Whether the quantity is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The same the other way round.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The sum, or `None` if it is beyond [`QUANTITY_MAX_THOUSANDTHS`] either way.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        (sum.abs() <= QUANTITY_MAX_THOUSANDTHS).then_some(Self(sum))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            thousandths if !serializer.is_human_readable() => thousandths.serialize(serializer),
            whole if whole % 1_000 == 0 => (whole / 1_000).serialize(serializer),
            _ => self.to_number().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            f64::deserialize(deserializer).and_then(|number| Self::from_number(number).map_err(D::Error::custom))
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_number())
    }
}

/// The number is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAQuantity;

impl fmt::Display for NotAQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a quantity has at most three decimals and is at most {}", QUANTITY_MAX_THOUSANDTHS / 1_000)
    }
}

impl core::error::Error for NotAQuantity {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn more_than_three_decimals_are_refused() {
        assert_eq!(Quantity::from_number(0.45), Ok(Quantity(450)));
        assert_eq!(Quantity::from_number(0.4501), Err(NotAQuantity));
        assert_eq!(Quantity::from_number(f64::NAN), Err(NotAQuantity));
        assert_eq!(Quantity::from_number(1e300), Err(NotAQuantity));
    }

    proptest! {
        #[test]
        fn numbers_survive_the_round_trip(thousandths in -QUANTITY_MAX_THOUSANDTHS..=QUANTITY_MAX_THOUSANDTHS) {
            let quantity = Quantity::from_thousandths(thousandths);
            prop_assert_eq!(Quantity::from_number(quantity.to_number()), Ok(quantity));
        }
    }
}
