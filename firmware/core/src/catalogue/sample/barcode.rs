//! EAN-13 (GS1 General Specifications, section 7.9).

/// The check digit of the twelve digits before it, or `None` if these are no digits.
pub fn check_digit(digits: &str) -> Option<u32> {
    let sum = digits.chars().rev().enumerate().try_fold(0, |sum, (place, digit)| {
        let weight = if place % 2 == 0 { 3 } else { 1 };
        Some(sum + weight * digit.to_digit(10)?)
    })?;
    Some((10 - sum % 10) % 10)
}

/// Whether a text is a barcode of thirteen digits whose check digit is right.
pub fn is_ean_13(text: &str) -> bool {
    let Some((digits, last)) = text.len().checked_sub(1).and_then(|end| text.split_at_checked(end)) else {
        return false;
    };
    text.len() == 13 && check_digit(digits).is_some_and(|digit| last.parse() == Ok(digit))
}

/// A barcode of the range that is left to shops themselves (200 to 299).
pub(super) fn in_store(number: usize) -> String {
    let digits = format!("200{number:09}");
    let check = check_digit(&digits).unwrap_or(0);
    format!("{digits}{check}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_gs1() {
        // The example of the GS1 specifications.
        assert_eq!(check_digit("629104150021"), Some(3));
        assert!(is_ean_13("6291041500213"));
        assert!(!is_ean_13("6291041500214"));
        assert!(!is_ean_13("62910415002"));
        assert!(!is_ean_13(""));
        assert!(is_ean_13(&in_store(1_234)));
    }
}
