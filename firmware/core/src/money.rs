//! Money in minor units, and the tax arithmetic on it.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::PRICE_MAX_MINOR;
use crate::quantity::Quantity;

/// An amount in the store's currency, counted in its minor unit (cents for USD, whole yen for JPY).
///
/// Negative amounts exist (refunds, discounts). Every sum is checked: arithmetic that would overflow answers
/// `None`, and the caller refuses the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of `minor` units.
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum, or `None` if it cannot be represented.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if it cannot be represented.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The price of `quantity` at this price each, rounded half away from zero to the minor unit.
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        round_div(i128::from(self.0) * i128::from(quantity.thousandths()), 1_000)
    }

    /// So many parts per million of this amount, rounded half away from zero to the minor unit.
    pub fn share(self, ppm: u32) -> Option<Self> {
        round_div(i128::from(self.0) * i128::from(ppm), 1_000_000)
    }

    /// The `part` of a `whole` of this amount, rounded half away from zero; of nothing it is nothing.
    pub fn portion(self, part: i64, whole: i64) -> Option<Self> {
        if whole <= 0 { Some(Self::ZERO) } else { round_div(i128::from(self.0) * i128::from(part), i128::from(whole)) }
    }

    /// The multiple of `step` nearest to this amount; the larger of two that are equally near.
    pub fn nearest(self, step: Self) -> Option<Self> {
        if step.0 <= 1 {
            Some(self)
        } else {
            round_div(i128::from(self.0), i128::from(step.0))?.0.checked_mul(step.0).map(Self)
        }
    }

    /// Whether it can be counted out in pieces of `step`.
    pub const fn is_multiple_of(self, step: Self) -> bool {
        step.0 <= 1 || self.0 % step.0 == 0
    }

    /// The sum of many amounts, or `None` if it cannot be represented.
    pub fn sum(amounts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, |sum, amount| sum.checked_add(amount?))
    }
}

impl<'de> Deserialize<'de> for Money {
    /// From outside, only amounts within [`PRICE_MAX_MINOR`] either way are read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let from_outside = deserializer.is_human_readable();
        let minor = i64::deserialize(deserializer)?;
        if from_outside && !(-PRICE_MAX_MINOR..=PRICE_MAX_MINOR).contains(&minor) {
            return Err(D::Error::custom(format_args!("an amount is at most {PRICE_MAX_MINOR} minor units")));
        }
        Ok(Self(minor))
    }
}

/// A tax rate and whether prices already contain it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxRule {
    /// Parts per million: 8.875 % is 88 750.
    pub rate_ppm: u32,
    /// `true`: prices contain the tax (most of the world); `false`: it is added (United States).
    pub included: bool,
}

impl TaxRule {
    /// The tax on (or in) `amount`, rounded half away from zero once for the whole check.
    pub fn tax_on(self, amount: Money) -> Option<Money> {
        let rate = i128::from(self.rate_ppm);
        let whole = if self.included { 1_000_000 + rate } else { 1_000_000 };
        round_div(i128::from(amount.0) * rate, whole)
    }
}

/// ISO 4217 code and exponent of the store's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Currency {
    code: [u8; 3],
    /// How many decimals the minor unit has: 2 for USD, 0 for JPY, 3 for KWD.
    pub exponent: u8,
}

impl Currency {
    /// United States dollar: what a desk run counts in.
    pub const USD: Self = Self { code: *b"USD", exponent: 2 };

    /// Reads an ISO 4217 alphabetic code; the exponent is the standard's.
    pub fn from_code(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        // ISO 4217 list one: every currency not named here has two decimals.
        let exponent = match &code {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        };
        Some(Self { code, exponent })
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        // Three ASCII letters by construction; a damaged record may hold anything.
        core::str::from_utf8(&self.code).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// `numerator / denominator` rounded half away from zero; `denominator` is positive.
fn round_div(numerator: i128, denominator: i128) -> Option<Money> {
    let half = denominator / 2;
    let shifted = if numerator < 0 { numerator - half } else { numerator + half };
    i64::try_from(shifted / denominator).ok().map(Money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weighed_goods_round_half_away_from_zero() {
        let price = Money::from_minor(333);
        assert_eq!(price.times(Quantity::from_thousandths(1_500)), Some(Money::from_minor(500)));
        assert_eq!(Money::from_minor(-333).times(Quantity::from_thousandths(1_500)), Some(Money::from_minor(-500)));
    }

    #[test]
    fn tax_is_added_or_contained() {
        let added = TaxRule { rate_ppm: 88_750, included: false };
        assert_eq!(added.tax_on(Money::from_minor(1_000)), Some(Money::from_minor(89)));
        let contained = TaxRule { rate_ppm: 190_000, included: true };
        assert_eq!(contained.tax_on(Money::from_minor(1_190)), Some(Money::from_minor(190)));
    }

    #[test]
    fn overflow_is_none_never_a_wrong_sum() {
        let most = Money::from_minor(i64::MAX);
        assert_eq!(most.checked_add(Money::from_minor(1)), None);
        assert_eq!(most.times(Quantity::from_thousandths(2_000)), None);
    }

    #[test]
    fn currencies_know_their_exponent() {
        assert_eq!(Currency::from_code("JPY").map(|c| c.exponent), Some(0));
        assert_eq!(Currency::from_code("KWD").map(|c| c.exponent), Some(3));
        assert_eq!(Currency::from_code("IDR").map(|c| c.exponent), Some(2));
        assert_eq!(Currency::from_code("usd"), None);
        assert_eq!(Currency::from_code("DOLLAR"), None);
    }

    proptest! {
        #[test]
        fn contained_tax_never_exceeds_the_amount(amount in 0i64..1_000_000_000, rate_ppm in 0u32..1_000_000) {
            let tax = TaxRule { rate_ppm, included: true }.tax_on(Money::from_minor(amount)).unwrap();
            prop_assert!((0..=amount).contains(&tax.minor()));
        }

        #[test]
        fn whole_quantities_multiply_exactly(price in -1_000_000i64..1_000_000, count in 1i64..10_000) {
            let total = Money::from_minor(price).times(Quantity::from_thousandths(count * 1_000));
            prop_assert_eq!(total, Some(Money::from_minor(price * count)));
        }
    }
}
