//! People who buy here.
//!
//! Every field carries the reading of the clock at which it was last written, so that what two sides changed can be
//! merged field by field: the last writer wins (U6).

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::command::Rejection;
use crate::entry::{Entity, Entry, Versioned};
use crate::id::CustomerId;
use crate::limits::{CUSTOMER_WORD_CHARS, CUSTOMER_WORDS};
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Note};
use crate::time::{Hlc, Timestamp};

/// Somebody who buys here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Names them.
    pub id: CustomerId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
    /// What people call them.
    pub name: Written<Name>,
    /// Where they are called.
    pub phone: Written<Option<Phone>>,
    /// Where they are written to.
    pub email: Written<Option<Email>>,
    /// What whoever serves them should know.
    pub notes: Written<Option<Note>>,
    /// Number of their loyalty account.
    pub loyalty: Written<Option<Name>>,
    /// When they were here last.
    pub last_seen_at: Timestamp,
    /// When they were entered.
    pub created_at: Timestamp,
    /// When anything about them last changed.
    pub updated_at: Timestamp,
}

/// A field and when it was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written<T> {
    /// What it holds.
    pub value: T,
    /// Since when.
    pub at: Hlc,
}

impl<T: PartialEq> Written<T> {
    /// Writes a value; the time stays if it is the one that is there.
    fn write(&mut self, value: Option<T>, at: Hlc) {
        if let Some(value) = value
            && self.value != value
        {
            *self = Self { value, at };
        }
    }
}

/// A telephone number as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Phone(String);

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

/// The text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAddress(&'static str);

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for NotAnAddress {}

impl Phone {
    /// Takes `+`, digits, spaces, brackets, full stops, strokes and hyphens: 3 to 31 characters after the `+`.
    ///
    /// # Errors
    /// [`NotAnAddress`].
    pub fn new(text: String) -> Result<Self, NotAnAddress> {
        let number = text.strip_prefix('+').unwrap_or(&text);
        let begins = number.starts_with(|c: char| c.is_ascii_digit() || c == '(');
        let fits = (3..=31).contains(&number.len());
        let known = number.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c));
        if begins && fits && known { Ok(Self(text)) } else { Err(NotAnAddress("must be a number like +1 555 0100")) }
    }

    /// It as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// Takes what has one `@` between visible ASCII characters and the name of a host. Whether anybody reads it only a
    /// mail can tell.
    ///
    /// # Errors
    /// [`NotAnAddress`].
    pub fn new(text: String) -> Result<Self, NotAnAddress> {
        let refused = NotAnAddress("must be an address like anna@example.org");
        let (local, host) = text.split_once('@').ok_or(refused)?;
        let local_fits = (1..=64).contains(&local.len()) && local.bytes().all(|byte| byte.is_ascii_graphic());
        let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let host_fits = (1..=189).contains(&host.len()) && host.bytes().all(of_host);
        if local_fits && host_fits { Ok(Self(text)) } else { Err(refused) }
    }

    /// It as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! checked_from_outside {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            /// From outside it is checked; what a record holds was checked by the rules of its day.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let from_outside = deserializer.is_human_readable();
                let text = String::deserialize(deserializer)?;
                if from_outside { Self::new(text).map_err(D::Error::custom) } else { Ok(Self(text)) }
            }
        }
    )*};
}

checked_from_outside!(Phone, Email);

impl Record for Customer {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Customer {
    const ENTITY: Entity = Entity::Customer;

    fn into_entry(self) -> Entry {
        Entry::Customer(self)
    }
}

/// Somebody new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomer {
    /// The id they get.
    pub id: CustomerId,
    /// What people call them.
    pub name: Name,
    /// Where they are called.
    pub phone: Option<Phone>,
    /// Where they are written to.
    pub email: Option<Email>,
    /// What whoever serves them should know.
    pub notes: Option<Note>,
    /// Number of their loyalty account.
    pub loyalty: Option<Name>,
}

/// What is to change about somebody; an inner `None` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerPatch {
    /// What people call them.
    pub name: Option<Name>,
    /// Where they are called.
    pub phone: Option<Option<Phone>>,
    /// Where they are written to.
    pub email: Option<Option<Email>>,
    /// What whoever serves them should know.
    pub notes: Option<Option<Note>>,
    /// Number of their loyalty account.
    pub loyalty: Option<Option<Name>>,
}

impl NewCustomer {
    /// Them, from now on.
    pub fn entered(self, at: Hlc) -> Customer {
        let Self { id, name, phone, email, notes, loyalty } = self;
        Customer {
            id,
            version: 1,
            name: Written { value: name, at },
            phone: Written { value: phone, at },
            email: Written { value: email, at },
            notes: Written { value: notes, at },
            loyalty: Written { value: loyalty, at },
            last_seen_at: at.wall,
            created_at: at.wall,
            updated_at: at.wall,
        }
    }
}

impl Customer {
    /// Them after a change; nothing if it changes nothing.
    ///
    /// # Errors
    /// [`Rejection::EntryState`] on a version that does not hold.
    pub fn changed(&self, patch: &CustomerPatch, expected: Option<u32>, at: Hlc) -> Result<Option<Self>, Rejection> {
        if expected.is_some_and(|expected| expected != self.version) {
            let version = self.version;
            let message = format!("the customer has changed since: it is at version {version}; decide again");
            return Err(Rejection::EntryState { message, current: Box::new(Entry::Customer(self.clone())) });
        }
        let CustomerPatch { name, phone, email, notes, loyalty } = patch.clone();
        let mut after = self.clone();
        after.name.write(name, at);
        after.phone.write(phone, at);
        after.email.write(email, at);
        after.notes.write(notes, at);
        after.loyalty.write(loyalty, at);
        if after == *self {
            return Ok(None);
        }
        after.version = self.version.saturating_add(1);
        after.updated_at = at.wall;
        after.last_seen_at = at.wall;
        Ok(Some(after))
    }

    /// What they are found by, by its beginning: the words of their name, their number, addresses and account.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.name.value.as_str().split_whitespace().map(search_word).collect();
        words.extend(self.loyalty.value.as_ref().map(|loyalty| search_word(loyalty.as_str())));
        words.extend(self.email.value.as_ref().map(|email| search_word(email.as_str())));
        words.extend(self.phone.value.as_ref().map(|phone| search_word(phone.as_str())));
        words.retain(|word| !word.is_empty());
        words.sort_unstable();
        words.dedup();
        words.truncate(CUSTOMER_WORDS);
        words
    }

    /// Whether every word of a search begins one of theirs.
    pub fn is_meant_by(&self, search: &[String]) -> bool {
        let words = self.words();
        search.iter().all(|wanted| words.iter().any(|word| word.starts_with(wanted.as_str())))
    }
}

/// What a search for customers looks for.
pub fn search_words(text: &str) -> Vec<String> {
    // A number is one word however it is grouped.
    if text.chars().any(|c| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || " +()./-".contains(c)) {
        return vec![search_word(text)];
    }
    text.split_whitespace().map(search_word).filter(|word| !word.is_empty()).collect()
}

/// A word in small letters; of a number its digits.
fn search_word(text: &str) -> String {
    let is_number = text.chars().all(|c| c.is_ascii_digit() || " +()./-".contains(c));
    let word: String =
        if is_number { text.chars().filter(char::is_ascii_digit).collect() } else { text.to_lowercase() };
    word.chars().take(CUSTOMER_WORD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Hlc {
        Hlc { wall: Timestamp::from_millis(millis), counter: 0 }
    }

    fn name(text: &str) -> Name {
        Name::new(text.to_owned()).unwrap()
    }

    fn anna() -> Customer {
        NewCustomer {
            id: CustomerId::from_bytes([1; 16]),
            name: name("Anna von Example"),
            phone: Some(Phone::new("+1 (555) 01-00".to_owned()).unwrap()),
            email: Some(Email::new("Anna@example.org".to_owned()).unwrap()),
            notes: None,
            loyalty: Some(name("L-17")),
        }
        .entered(at(1))
    }

    #[test]
    fn l10_each_field_keeps_the_time_it_was_written() {
        let patch = CustomerPatch { phone: Some(None), name: Some(name("Anna von Example")), ..Default::default() };
        let after = anna().changed(&patch, Some(1), at(5)).unwrap().unwrap();
        assert_eq!((after.version, &after.phone), (2, &Written { value: None, at: at(5) }));
        assert_eq!(after.name, anna().name, "what is written again as it was is as old as it was");
        assert_eq!(after.changed(&patch, None, at(6)), Ok(None));
        assert!(matches!(after.changed(&patch, Some(1), at(6)), Err(Rejection::EntryState { .. })));
    }

    #[test]
    fn l10_customers_are_found_by_the_beginning_of_what_is_known() {
        for found in ["anna", "EXAM", "von an", "+1 555", "15550", "l-17", "anna@ex"] {
            assert!(anna().is_meant_by(&search_words(found)), "{found}");
        }
        for other in ["bert", "anna bert", "5550", "example.org"] {
            assert!(!anna().is_meant_by(&search_words(other)), "{other}");
        }
    }

    #[test]
    fn l10_addresses_are_checked_lightly() {
        for good in ["555", "+49 (0)30/123-45.6", "(555) 0100"] {
            assert!(Phone::new(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "+", "55", "call me", "-555", "5".repeat(32).as_str(), "555\n1"] {
            assert!(Phone::new(bad.to_owned()).is_err(), "{bad}");
        }
        for good in ["a@b", "anna.o'neil+shop@mail.example.org"] {
            assert!(Email::new(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c"] {
            assert!(Email::new(bad.to_owned()).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Every word that is kept finds its customer.
        #[test]
        fn l10_who_is_entered_is_found(text in "[a-zA-Z0-9 +()./äÖß-]{1,40}") {
            if let Ok(name) = Name::new(text.clone()) {
                let customer = NewCustomer { name, ..NewCustomer {
                    id: CustomerId::from_bytes([1; 16]), name: self::name("x"),
                    phone: None, email: None, notes: None, loyalty: None,
                } }.entered(at(1));
                for word in text.split_whitespace() {
                    prop_assert!(customer.is_meant_by(&search_words(word)), "{word}");
                }
            }
        }
    }
}
