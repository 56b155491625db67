//! Versions of Debian packages and how they are ordered (Debian policy 4.7, section 5.6.12).

use std::cmp::Ordering;

/// Orders two versions, `epoch:upstream-revision`, as dpkg does. A missing epoch or revision counts as 0.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = epoch(left);
    let (right_epoch, right) = epoch(right);
    let ((left, left_revision), (right, right_revision)) = (revision(left), revision(right));
    compare_number(left_epoch, right_epoch)
        .then_with(|| compare_part(left, right))
        .then_with(|| compare_part(left_revision, right_revision))
}

fn epoch(version: &str) -> (&str, &str) {
    version.split_once(':').unwrap_or(("0", version))
}

fn revision(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, "0"))
}

/// Compares alternately what is no digit and the numbers between.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split(left, |c| !c.is_ascii_digit());
        let (right_text, right_rest) = split(right, |c| !c.is_ascii_digit());
        let (left_number, left_rest) = split(left_rest, |c| c.is_ascii_digit());
        let (right_number, right_rest) = split(right_rest, |c| c.is_ascii_digit());
        let order = compare_text(left_text, right_text).then_with(|| compare_number(left_number, right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split(text: &str, is_inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_inside(c)).unwrap_or(text.len()))
}

/// A tilde sorts before everything, even the end; then the end, letters, and the rest.
fn compare_text(left: &str, right: &str) -> Ordering {
    let weights = |text: &str| -> Vec<u32> {
        let weight = |c: char| match c {
            '~' => 0,
            c if c.is_ascii_alphabetic() => u32::from(c),
            c => u32::from(c) + 256,
        };
        // The end weighs more than a tilde and less than any letter.
        text.chars().map(weight).chain([1]).collect()
    };
    weights(left).cmp(&weights(right))
}

/// Compares decimal numbers of any length.
fn compare_number(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_policy_says() {
        // Each line from the lowest to the highest; the first is the policy's own example.
        let lines: [&[&str]; 8] = [
            &["~~", "~~a", "~", "", "a"],
            &["1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-1", "1.0-1.1", "1.0-2", "1.0-10"],
            &["9.0", "10.0", "1:1.0", "1:1.0a", "1:1.0+b1", "2:0"],
            &["257.9-1~deb13u1", "257.13-1~deb13u1", "257.13-1", "258~rc1-1", "258-1"],
            &["2.41-12", "2.41-12+deb13u1", "2.41-13"],
            &["7.3.4-1~bpo13+1", "7.3.4-1", "7.3.4+1~bpo13+1"],
            &["1.2-rc-1", "1.2-rc-2"],
            &["0.0a", "0.0+", "0.0.1"],
        ];
        for line in lines {
            for (i, low) in line.iter().enumerate() {
                assert_eq!(compare(low, low), Ordering::Equal, "{low}");
                for high in &line[i + 1..] {
                    assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
                    assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_out_counts_as_nought() {
        for (left, right) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.0", "1.00"), ("01", "1"), ("1.", "1.0")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
