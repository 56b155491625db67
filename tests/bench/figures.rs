//! Many numbers made into few.

use std::fmt;

/// A sample's quantile by the nearest-rank method: the smallest value that at least `share` of all do not exceed.
pub(crate) fn quantile(sorted: &[u32], share: f64) -> f64 {
    assert!(!sorted.is_empty(), "there is nothing to take a quantile of");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank between 0 and the length")]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    f64::from(sorted[rank.clamp(1, sorted.len()) - 1])
}

/// One figure over all repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) least: f64,
    /// The largest.
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            panic!("there was no repeat");
        };
        let upper = values.len() / 2;
        let lower = (values.len() - 1) / 2;
        Self { median: f64::midpoint(values[lower], values[upper]), least, most }
    }
}

/// `median (least–most)`, with as many decimals as the format asks for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(0);
        let Self { median, least, most } = self;
        write!(f, "{median:.decimals$} ({least:.decimals$}–{most:.decimals$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sample: Vec<u32> = (1..=1000).collect();
        assert_eq!(quantile(&sample, 0.5), 500.0);
        assert_eq!(quantile(&sample, 0.99), 990.0);
        assert_eq!(quantile(&sample, 0.999), 999.0);
        assert_eq!(quantile(&[7], 0.999), 7.0);
    }

    #[test]
    fn a_spread_shows_middle_and_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(format!("{spread:.1}"), "2.0 (1.0–3.0)");
        assert_eq!(Spread::of([1.0, 2.0]).median, 1.5);
    }
}
