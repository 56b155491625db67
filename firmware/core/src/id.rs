//! Identifiers: UUID version 7 (RFC 9562), valid across stores and sorted by the time they were made.
//!
//! 16 bytes in records, hyphenated text in JSON.

use core::fmt;
use core::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// Random bytes that make one identifier unique; the caller draws them.
pub type Randomness = [u8; 10];

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an identifier of version 7 from the time and random bytes given.
            pub fn new(at: Timestamp, randomness: Randomness) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &randomness).into_uuid())
            }

            /// Takes 16 bytes as they were stored.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes to store.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.to_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self::from_bytes)
                }
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Reads the hyphenated form only; other spellings of a UUID are a terminal's own words.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                match text.len() {
                    36 => Uuid::try_parse(text).map(Self).map_err(|_| NotAnId),
                    _ => Err(NotAnId),
                }
            }
        }
    };
}

identifier!(
    /// An order.
    OrderId
);
identifier!(
    /// One line of an order.
    LineId
);
identifier!(
    /// A payment applied to an order.
    TenderId
);
identifier!(
    /// A paired terminal.
    DeviceId
);
identifier!(
    /// The store this box belongs to.
    StoreId
);
identifier!(
    /// A recorded conflict.
    ConflictId
);
identifier!(
    /// What a station of the kitchen has to make of one order.
    TicketId
);
identifier!(
    /// A card payment that waits for the cloud.
    CardPaymentId
);
identifier!(
    /// A change of stock.
    MovementId
);
identifier!(
    /// Somebody's time at work.
    ShiftId
);
identifier!(
    /// Somebody who works here.
    EmployeeId
);
identifier!(
    /// Somebody who buys here.
    CustomerId
);
identifier!(
    /// The end of a business day.
    DayCloseId
);
identifier!(
    /// Cash put into the drawer or taken out.
    DrawerMovementId
);

/// The text is not a hyphenated UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID like 0199c0de-0000-7000-8000-000000000000")
    }
}

impl core::error::Error for NotAnId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_version_7_and_sort_by_time() {
        let earlier = OrderId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let later = OrderId::new(Timestamp::from_millis(1_001), [0x00; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.to_string().as_bytes()[14], b'7');
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        assert_eq!("0199c0de000070008000000000000000".parse::<OrderId>(), Err(NotAnId));
        assert_eq!("order-7".parse::<OrderId>(), Err(NotAnId));
    }
}
