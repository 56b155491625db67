//! What a catalogue is made of, on the wire and on disk.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::promotion::Promotion;
use crate::money::{Money, TaxRule};
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Text};
use crate::time::Timestamp;

/// What a scanner reads off a thing.
pub type Barcode = Text<64>;
/// Where an image is, or what it hashes to.
pub type ImageText = Text<512>;

/// Something that is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// Names it.
    pub id: Name,
    /// Its name as printed.
    pub name: Name,
    /// The category it is shown and counted under.
    #[serde(default)]
    pub category: Option<Name>,
    /// What scanners read off it.
    #[serde(default)]
    pub barcodes: Vec<Barcode>,
    /// The price of one, when none of `prices` holds.
    pub price: Money,
    /// Prices that hold for a while; of several that hold, the last one counts.
    #[serde(default)]
    pub prices: Vec<TimedPrice>,
    /// How it is taxed; the store's own tax if it is not said.
    #[serde(default)]
    pub tax_class: Option<Name>,
    /// The station that makes it; none if nobody has to.
    #[serde(default)]
    pub station: Option<Name>,
    /// Its stock is counted.
    #[serde(default)]
    pub stocked: bool,
    /// What a guest can choose with it.
    #[serde(default)]
    pub modifier_groups: Vec<Name>,
    /// It can be sold.
    #[serde(default = "yes")]
    pub active: bool,
    /// Where its image is.
    #[serde(default)]
    pub image_url: Option<ImageText>,
    /// What its image hashes to, so that terminals notice another one.
    #[serde(default)]
    pub image_hash: Option<ImageText>,
}

/// A price that holds for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimedPrice {
    /// The price of one.
    pub price: Money,
    /// From this moment on; always, if it is not said.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Until just before this moment; for ever, if it is not said.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Items that belong together on a screen and in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Category {
    /// Names it.
    pub id: Name,
    /// Its name as shown.
    pub name: Name,
    /// Where it stands among the others, smallest first.
    #[serde(default)]
    pub position: u32,
    /// Where its image is.
    #[serde(default)]
    pub image_url: Option<ImageText>,
    /// What its image hashes to.
    #[serde(default)]
    pub image_hash: Option<ImageText>,
}

/// Modifiers a guest chooses from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModifierGroup {
    /// Names it.
    pub id: Name,
    /// What people call it: "Cooked how?".
    pub name: Name,
    /// How many have to be chosen.
    #[serde(default)]
    pub min: u32,
    /// How many may be chosen.
    pub max: u32,
    /// What there is to choose.
    pub modifiers: Vec<Choice>,
}

/// A modifier of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// Names it.
    pub id: Name,
    /// Its name as printed.
    pub name: Name,
    /// What it adds to the price of one; an omission may lower it.
    #[serde(default)]
    pub price: Money,
}

/// How a class of items is taxed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaxClass {
    /// Names the class: `food`.
    pub id: Name,
    /// What people call it.
    pub name: Name,
    /// Parts per million: 8.875 % is 88 750.
    pub rate_ppm: u32,
    /// `true`: prices contain the tax; `false`: it is added.
    #[serde(default)]
    pub included: bool,
}

/// Where something is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Station {
    /// Names it: `grill`.
    pub id: Name,
    /// What people call it.
    pub name: Name,
    /// After so long a ticket is late: orange.
    pub orange_after_s: u32,
    /// After so long it is much too late: red.
    pub red_after_s: u32,
}

/// What kind of thing an object of the catalogue is. The number is part of its key on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A category.
    Category = 1,
    /// An item.
    Item = 2,
    /// A group of modifiers.
    ModifierGroup = 3,
    /// A promotion.
    Promotion = 4,
    /// A tax rule.
    TaxRule = 5,
    /// A station.
    Station = 6,
}

/// Names an object of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRef {
    /// What kind of thing.
    pub kind: Kind,
    /// Which.
    pub id: Name,
}

/// An object of the catalogue, or where one was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// There was one.
    Deleted(ObjectRef),
    /// A category.
    Category(Category),
    /// An item.
    Item(Item),
    /// A group of modifiers.
    ModifierGroup(ModifierGroup),
    /// A promotion.
    Promotion(Promotion),
    /// A tax rule.
    TaxRule(TaxClass),
    /// A station.
    Station(Station),
}

/// An object as it is kept: with the number of the change that made it what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Counts the changes of the catalogue's objects.
    pub revision: u64,
    /// When it changed.
    pub at: Timestamp,
    /// What it is.
    pub object: Object,
}

impl Record for Kept {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Objects on their way into the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Categories.
    pub categories: Vec<Category>,
    /// Items.
    pub items: Vec<Item>,
    /// Groups of modifiers.
    pub modifier_groups: Vec<ModifierGroup>,
    /// Promotions.
    pub promotions: Vec<Promotion>,
    /// Tax rules.
    pub tax_rules: Vec<TaxClass>,
    /// Stations.
    pub stations: Vec<Station>,
    /// What goes.
    pub deleted: Vec<ObjectRef>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Category, Self::Item, Self::ModifierGroup, Self::Promotion, Self::TaxRule, Self::Station];

    /// The member of a bundle that holds such objects.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Category => "categories",
            Self::Item => "items",
            Self::ModifierGroup => "modifierGroups",
            Self::Promotion => "promotions",
            Self::TaxRule => "taxRules",
            Self::Station => "stations",
        }
    }
}

impl Object {
    /// What kind of thing it is, or was.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Deleted(object) => object.kind,
            Self::Category(_) => Kind::Category,
            Self::Item(_) => Kind::Item,
            Self::ModifierGroup(_) => Kind::ModifierGroup,
            Self::Promotion(_) => Kind::Promotion,
            Self::TaxRule(_) => Kind::TaxRule,
            Self::Station(_) => Kind::Station,
        }
    }

    /// What names it among its kind.
    pub const fn id(&self) -> &Name {
        match self {
            Self::Deleted(object) => &object.id,
            Self::Category(category) => &category.id,
            Self::Item(item) => &item.id,
            Self::ModifierGroup(group) => &group.id,
            Self::Promotion(promotion) => &promotion.id,
            Self::TaxRule(class) => &class.id,
            Self::Station(station) => &station.id,
        }
    }

    /// Whether it is gone.
    pub const fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted(_))
    }
}

impl Item {
    /// The price of one at a moment.
    pub fn price_at(&self, at: Timestamp) -> Money {
        let holds = |price: &&TimedPrice| within(price.from, price.until, at);
        self.prices.iter().rev().find(holds).map_or(self.price, |timed| timed.price)
    }
}

impl TaxClass {
    /// The rule it stands for.
    pub const fn rule(&self) -> TaxRule {
        TaxRule { rate_ppm: self.rate_ppm, included: self.included }
    }
}

impl Bundle {
    /// Every object in it, with the place it stands at for messages.
    pub fn into_objects(self) -> impl Iterator<Item = (String, Object)> {
        fn placed<T>(kind: Kind, objects: Vec<T>, make: fn(T) -> Object) -> impl Iterator<Item = (String, Object)> {
            let place = move |(index, object)| (format!("{}[{index}]", kind.member()), make(object));
            objects.into_iter().enumerate().map(place)
        }
        placed(Kind::Category, self.categories, Object::Category)
            .chain(placed(Kind::Item, self.items, Object::Item))
            .chain(placed(Kind::ModifierGroup, self.modifier_groups, Object::ModifierGroup))
            .chain(placed(Kind::Promotion, self.promotions, Object::Promotion))
            .chain(placed(Kind::TaxRule, self.tax_rules, Object::TaxRule))
            .chain(placed(Kind::Station, self.stations, Object::Station))
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        let goods = self.categories.len() + self.items.len() + self.modifier_groups.len();
        goods + self.promotions.len() + self.tax_rules.len() + self.stations.len()
    }

    /// Whether it holds no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a moment lies in `[from, until)`.
pub(super) fn within(from: Option<Timestamp>, until: Option<Timestamp>, at: Timestamp) -> bool {
    from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
}

fn yes() -> bool {
    true
}

/// An object that many hold.
pub(super) type Shared = Arc<Kept>;
