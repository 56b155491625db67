//! Tables as text (RFC 4180) that a spreadsheet shows and never runs.

use crate::money::{Currency, Money};

/// A table with its heading; every field is one of the caller's texts.
pub fn table<'a>(heading: impl IntoIterator<Item = &'a str>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    line(&mut text, heading.into_iter());
    for row in rows {
        line(&mut text, row.iter().map(String::as_str));
    }
    text
}

/// An amount in the currency's main unit, exactly: 1 234 cents are `12.34`.
pub fn amount(money: Money, currency: Currency) -> String {
    let digits = usize::from(currency.exponent);
    let minor = money.minor().unsigned_abs().to_string();
    let minor = format!("{minor:0>width$}", width = digits + 1);
    let (whole, part) = minor.split_at(minor.len().saturating_sub(digits));
    let sign = if money.is_negative() { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(text, field);
    }
    text.push_str("\r\n");
}

fn push(text: &mut String, field: &str) {
    // A spreadsheet takes what begins so for a formula, and a formula can call the world.
    let begins_badly = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if begins_badly && !is_number(field) { "'" } else { "" };
    if field.contains([',', '"', '\r', '\n']) {
        text.push('"');
        text.push_str(guard);
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(guard);
        text.push_str(field);
    }
}

fn is_number(field: &str) -> bool {
    let digits = field.strip_prefix('-').unwrap_or(field);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let text = table(["a", "b"], [vec!["1,5".to_owned(), "say \"hi\"".to_owned()]]);
        assert_eq!(text, "a,b\r\n\"1,5\",\"say \"\"hi\"\"\"\r\n");
    }

    #[test]
    fn l12_no_field_is_a_formula() {
        for (field, shown) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("-1-1", "'-1-1"),
            ("-12.50", "-12.50"),
            ("\tx", "'\tx"),
            ("=a,b", "\"'=a,b\""),
            ("Coffee", "Coffee"),
        ] {
            assert_eq!(table([field], []), format!("{shown}\r\n"), "{field:?}");
        }
    }

    #[test]
    fn amounts_are_exact_in_every_currency() {
        let shown = |code: &str, minor| amount(Money::from_minor(minor), Currency::from_code(code).unwrap());
        assert_eq!(shown("USD", 1_234), "12.34");
        assert_eq!(shown("USD", -5), "-0.05");
        assert_eq!(shown("JPY", 5), "5");
        assert_eq!(shown("KWD", 5), "0.005");
        assert_eq!(shown("USD", i64::MIN), "-92233720368547758.08");
    }
}
