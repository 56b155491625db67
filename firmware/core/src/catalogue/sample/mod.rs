//! Sample shops, so that a box can be tried before there is a cloud. Made by code, the same every time.

mod barcode;
mod restaurant;
mod retail;

use core::fmt;
use core::str::FromStr;

use super::object::{Bundle, Item};
use crate::money::Money;
use crate::text::Name;

pub use barcode::{check_digit, is_ean_13};

/// A shop that never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleShop {
    /// About 120 dishes and drinks, five stations, a happy hour.
    Restaurant,
    /// About 2 000 things with barcodes.
    Retail,
}

impl SampleShop {
    /// Its catalogue.
    pub fn bundle(self) -> Bundle {
        match self {
            Self::Restaurant => restaurant::bundle(),
            Self::Retail => retail::bundle(),
        }
    }
}

/// There is no such sample shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASampleShop;

impl fmt::Display for NotASampleShop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample shop is restaurant or retail")
    }
}

impl core::error::Error for NotASampleShop {}

impl FromStr for SampleShop {
    type Err = NotASampleShop;

    fn from_str(text: &str) -> Result<Self, NotASampleShop> {
        match text {
            "restaurant" => Ok(Self::Restaurant),
            "retail" => Ok(Self::Retail),
            _ => Err(NotASampleShop),
        }
    }
}

/// A name as an id that needs no escaping in a path: lower case, no accents, hyphens for everything else.
fn id_of(name: &str) -> Name {
    let letters = name.chars().map(|c| match c {
        'ç' => 'c',
        'è' | 'é' => 'e',
        'û' => 'u',
        _ if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => ' ',
    });
    let words: String = letters.collect();
    Name::cut(&words.split_whitespace().collect::<Vec<_>>().join("-"))
}

/// An item that has nothing but a name, a category and a price.
fn item(name: &str, category: &str, price: i64) -> Item {
    Item {
        id: id_of(name),
        name: Name::cut(name),
        category: Some(Name::cut(category)),
        barcodes: Vec::new(),
        price: Money::from_minor(price),
        prices: Vec::new(),
        tax_class: None,
        station: None,
        stocked: false,
        modifier_groups: Vec::new(),
        active: true,
        image_url: None,
        image_hash: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::{Catalogue, Command};
    use crate::time::Timestamp;

    /// A catalogue that was taken has unique ids and barcodes, and nothing in it leads nowhere.
    fn taken(shop: SampleShop) -> Catalogue {
        let at = Timestamp::from_millis(1_000);
        Catalogue::default().change(&Command::Replace(Box::new(shop.bundle())), at).unwrap().catalogue
    }

    /// L4: the restaurant has what a restaurant has.
    #[test]
    fn l4_the_sample_restaurant_is_a_whole_catalogue() {
        let bundle = SampleShop::Restaurant.bundle();
        assert!((110..=130).contains(&bundle.items.len()), "{}", bundle.items.len());
        assert_eq!(bundle.stations.len(), 5);
        assert!(bundle.modifier_groups.iter().any(|group| group.min > 0));
        assert!(bundle.promotions.iter().any(|promotion| !promotion.hours.is_empty()));
        assert_eq!(taken(SampleShop::Restaurant).items().count(), bundle.items.len());
    }

    /// L4: the retail shop's barcodes are what scanners take.
    #[test]
    fn l4_the_sample_retail_shop_has_valid_barcodes() {
        let catalogue = taken(SampleShop::Retail);
        let codes: BTreeSet<String> =
            catalogue.items().flat_map(|item| &item.barcodes).map(|code| code.as_str().to_owned()).collect();
        assert!((1_900..=2_100).contains(&codes.len()), "{}", codes.len());
        assert!(codes.iter().all(|code| is_ean_13(code)));
        assert!(catalogue.items().all(|item| item.stocked && !item.barcodes.is_empty()));
    }

    #[test]
    fn l4_a_sample_is_the_same_every_time() {
        assert_eq!(SampleShop::Retail.bundle(), SampleShop::Retail.bundle());
        assert_eq!("retail".parse(), Ok(SampleShop::Retail));
        assert_eq!("zoo".parse::<SampleShop>(), Err(NotASampleShop));
    }
}
