//! Recognises what must never be kept: card numbers, the data of a card's stripe, and card verification codes (B12).
//!
//! Whatever a terminal sends as free text or about a payment goes through here before anything else sees it.
//! Identifiers that have a type of their own do not: one in ten valid barcodes passes the checksum.

use core::fmt;

/// Fewest digits of a card number that are looked for. Thirteen would catch every tenth European barcode.
const DIGITS_MIN: usize = 14;
/// Most digits of a card number (ISO/IEC 7812).
const DIGITS_MAX: usize = 19;
/// Most spaces and dashes between two groups of digits: `4111 - 1111`.
const GAP_MAX: usize = 3;

/// Leading digits of an issuer's numbers, as inclusive ranges over the first six.
const ISSUERS: [(u32, u32); 24] = [
    (400_000, 499_999), // Visa
    (510_000, 559_999), // Mastercard
    (222_100, 272_099), // Mastercard, since 2017
    (340_000, 349_999), // American Express
    (370_000, 379_999), // American Express
    (601_100, 601_199), // Discover
    (622_126, 622_925), // Discover with UnionPay
    (644_000, 659_999), // Discover
    (300_000, 305_999), // Diners Club
    (309_500, 309_599), // Diners Club
    (360_000, 369_999), // Diners Club
    (380_000, 399_999), // Diners Club
    (352_800, 358_999), // JCB
    (620_000, 629_999), // UnionPay
    (810_000, 817_199), // UnionPay
    (501_800, 501_899), // Maestro
    (502_000, 502_099), // Maestro
    (503_800, 503_899), // Maestro
    (561_200, 561_299), // Maestro
    (589_300, 589_399), // Maestro
    (630_400, 630_499), // Maestro
    (639_000, 639_099), // Maestro
    (675_900, 675_999), // Maestro
    (676_100, 676_399), // Maestro
];

/// Members that hold a card number or its code by their very name, in small letters without separators.
const FORBIDDEN_MEMBERS: [&str; 14] = [
    "pan",
    "cardnumber",
    "ccnumber",
    "creditcardnumber",
    "cvv",
    "cvv2",
    "cvc",
    "cvc2",
    "csc",
    "securitycode",
    "track",
    "track1",
    "track2",
    "magstripe",
];

/// What was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardData {
    /// A card's number.
    Number,
    /// What a card's stripe holds.
    Track,
    /// A card verification code.
    Code,
}

impl fmt::Display for CardData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "must not hold a card number: give the processor's token, and at most the last four digits",
            Self::Track => "must not hold the data of a card's stripe: give what the reader encrypted, or a token",
            Self::Code => "must not hold a card verification code: nobody may keep it",
        })
    }
}

/// What a text holds that must never be kept.
pub fn find(text: &str) -> Option<CardData> {
    // Everything that is looked for has digits; most texts have none.
    if !text.chars().any(|c| digit(c).is_some()) {
        return None;
    }
    if has_track(text) {
        Some(CardData::Track)
    } else if !is_uuid(text) && has_number(text) {
        Some(CardData::Number)
    } else if has_code(text) {
        Some(CardData::Code)
    } else {
        None
    }
}

/// What the name of a member says that it holds.
pub fn find_in_name(member: &str) -> Option<CardData> {
    let bare: String = member.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if FORBIDDEN_MEMBERS.contains(&bare.as_str()) {
        let code = bare.starts_with('c') && !bare.contains("number") || bare == "securitycode";
        return Some(if code { CardData::Code } else { CardData::Number });
    }
    find(member)
}

/// Digits with spaces or dashes between them, cut where those are: a number counts if it begins and ends at a
/// cut. So `4111 1111 1111 1111 12/27` is found, and a longer number that merely contains one is not.
fn has_number(text: &str) -> bool {
    let mut groups: Vec<String> = Vec::new();
    let mut gap = 0;
    for c in text.chars().chain(['.']) {
        match digit(c) {
            Some(digit) => {
                match groups.last_mut() {
                    Some(group) if gap == 0 => group.push(digit),
                    _ => groups.push(digit.to_string()),
                }
                gap = 0;
            }
            None if is_separator(c) && gap < GAP_MAX && !groups.is_empty() => gap += 1,
            None => {
                if number_in(&groups) {
                    return true;
                }
                groups.clear();
                gap = 0;
            }
        }
    }
    false
}

fn number_in(groups: &[String]) -> bool {
    (0..groups.len()).any(|start| {
        let mut number = String::new();
        for group in groups.iter().skip(start) {
            number.push_str(group);
            if number.len() > DIGITS_MAX {
                return false;
            }
            if number.len() >= DIGITS_MIN && is_issued(&number) && passes_luhn(&number) {
                return true;
            }
        }
        false
    })
}

/// A decimal digit of any script a keyboard may produce, as ASCII.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        // Full-width forms, as Japanese input methods give them.
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c).checked_sub(0xff10)?, 10),
        _ => None,
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{a0}' | '\t' | '\n' | '\u{2010}'..='\u{2014}')
}

fn is_issued(number: &str) -> bool {
    // Indonesian telephone numbers begin like UnionPay's cards, which have at least sixteen digits.
    if number.starts_with("62") && number.len() < 16 {
        return false;
    }
    let first: Option<u32> = number.get(..6).and_then(|first| first.parse().ok());
    first.is_some_and(|first| ISSUERS.iter().any(|(from, to)| (*from..=*to).contains(&first)))
}

/// ISO/IEC 7812-1, annex B.
fn passes_luhn(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO/IEC 7813: track one is `%B` number `^` …, track two `;` number `=` ….
fn has_track(text: &str) -> bool {
    let starts = |tail: &str, end: char| {
        let digits: usize = tail.chars().take_while(|c| c.is_ascii_digit() || *c == ' ').count();
        digits >= 12 && tail.get(digits..).is_some_and(|tail| tail.starts_with(end))
    };
    text.match_indices(['%', ';']).any(|(place, mark)| {
        let tail = text.get(place + 1..).unwrap_or_default();
        match mark {
            "%" => tail.strip_prefix(['B', 'b']).is_some_and(|tail| starts(tail, '^')),
            _ => starts(tail, '='),
        }
    })
}

/// `CVV 123`, `cvc: 1234` and the like.
fn has_code(text: &str) -> bool {
    let small = text.to_ascii_lowercase();
    ["cvv", "cvc", "security code"].iter().any(|word| {
        small.match_indices(word).any(|(place, _)| {
            let tail = small.get(place + word.len()..).unwrap_or_default();
            // CVV2 and CVC2 are the same thing.
            let tail = match tail.strip_prefix('2') {
                Some(rest) if !rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
                _ => tail,
            };
            let tail = tail.trim_start_matches([' ', ':', '=', '#', '-', '.', '\t', '\n', '"']);
            (3..=4).contains(&tail.chars().take_while(char::is_ascii_digit).count())
        })
    })
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn b12_numbers_of_every_issuer_are_recognised() {
        for number in [
            "4111111111111111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "36227206271667",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
            "6304000000000000",
        ] {
            assert_eq!(find(number), Some(CardData::Number), "{number}");
            assert_eq!(find(&format!("paid with {number}.")), Some(CardData::Number), "{number}");
        }
    }

    #[test]
    fn b12_however_it_is_written() {
        for text in [
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "card 4111 1111 1111 1111 12/27",
            "table 7 4111111111111111",
            "visa4111111111111111x",
            "４１１１１１１１１１１１１１１１",
            "4111\n1111\n1111\n1111",
        ] {
            assert_eq!(find(text), Some(CardData::Number), "{text}");
        }
        assert_eq!(find("%B4111111111111111^DOE/JANE^2712101?"), Some(CardData::Track));
        assert_eq!(find(";4111111111111112=27121010000000000?"), Some(CardData::Track));
        for text in ["CVV 123", "cvc: 1234", "cvv2=999", "Security code 123"] {
            assert_eq!(find(text), Some(CardData::Code), "{text}");
        }
    }

    #[test]
    fn b12_what_only_looks_like_one_passes() {
        for text in [
            "4111111111111112",
            "no onions, table 12",
            "4006381333931",
            "9111111111111111",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "+49 30 1234567",
            "+62 812 3456 78903",
            "2026-01-31T12:00:00Z",
            "cvv missing",
            "4111",
            "",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn b12_members_are_refused_by_their_name() {
        assert_eq!(find_in_name("cardNumber"), Some(CardData::Number));
        assert_eq!(find_in_name("CVV"), Some(CardData::Code));
        assert_eq!(find_in_name("security_code"), Some(CardData::Code));
        for harmless in ["cardLastFour", "encryptedBlob", "notes", "number", "company"] {
            assert_eq!(find_in_name(harmless), None, "{harmless}");
        }
    }

    proptest! {
        /// B12: no number of a known issuer gets through, however it is grouped.
        #[test]
        fn b12_every_number_is_found(seed in "4[0-9]{12,17}", gap in 1usize..8, separator in "[ -]?") {
            let valid = (0..10).map(|last| format!("{seed}{last}")).find(|number| passes_luhn(number)).unwrap();
            let digits: Vec<char> = valid.chars().collect();
            let text: Vec<String> = digits.chunks(gap).map(|chunk| chunk.iter().collect()).collect();
            prop_assert_eq!(find(&format!("note: {} end", text.join(&separator))), Some(CardData::Number));
        }

        #[test]
        fn b12_no_text_is_too_strange(text in ".*") {
            find(&text);
        }
    }
}
