//! What the OpenAPI document says of the catalogue's objects; they are read and written as `core` has them.
#![allow(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

/// Names an object of the catalogue among its kind.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
pub(super) struct MenuId(String);

/// What a scanner reads off a thing.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
pub(super) struct MenuBarcode(String);

/// Something that is sold.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct MenuItem {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// Its name as printed.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// The category it is shown and counted under.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    category: Option<String>,
    /// What scanners read off it. No two items share one.
    #[serde(default)]
    #[schema(max_items = 20)]
    barcodes: Vec<MenuBarcode>,
    /// The price of one in minor units, when none of `prices` holds.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price: i64,
    /// Prices that hold for a while; of several that hold, the last one counts.
    #[serde(default)]
    #[schema(max_items = 60)]
    prices: Vec<MenuPrice>,
    /// How it is taxed; the store's own tax if it is not said.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    tax_class: Option<String>,
    /// The station that makes it; none if nobody has to.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    station: Option<String>,
    /// Its stock is counted.
    #[serde(default)]
    stocked: bool,
    /// What a guest can choose with it.
    #[serde(default)]
    #[schema(max_items = 20)]
    modifier_groups: Vec<MenuId>,
    /// It can be sold; `true` if it is not said.
    #[serde(default)]
    active: bool,
    /// Where its image is.
    #[schema(min_length = 1, max_length = 512, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    image_url: Option<String>,
    /// What its image hashes to, so that terminals notice another one.
    #[schema(min_length = 1, max_length = 512, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    image_hash: Option<String>,
}

/// A price that holds for a while, `[from, until)`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuPrice {
    /// The price of one in minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price: i64,
    /// From this moment on; always, if it is not said.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Until just before this moment; for ever, if it is not said.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// Items that belong together.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuCategory {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// Its name as shown.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// Where it stands among the others, smallest first.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    position: u32,
    /// Where its image is.
    #[schema(min_length = 1, max_length = 512, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    image_url: Option<String>,
    /// What its image hashes to.
    #[schema(min_length = 1, max_length = 512, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    image_hash: Option<String>,
}

/// Modifiers a guest chooses from. A terminal names them by id in an order; how many have to be chosen is checked.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuModifierGroup {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// What people call it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// How many have to be chosen.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 50)]
    min: u32,
    /// How many may be chosen.
    #[schema(minimum = 1, maximum = 50)]
    max: u32,
    /// What there is to choose.
    #[schema(max_items = 200)]
    modifiers: Vec<MenuModifier>,
}

/// A modifier of a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuModifier {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// Its name as printed.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// What it adds to the price of one, in minor units; an omission may lower it.
    #[serde(default)]
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64)]
    price: i64,
}

/// Something is cheaper for a while. Of several that hold, the one that takes most off one piece counts.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuPromotion {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// Its name as printed.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// What is taken off.
    offer: MenuOffer,
    /// Of these items ...
    #[serde(default)]
    #[schema(max_items = 1_000)]
    items: Vec<MenuId>,
    /// ... and of those in these categories.
    #[serde(default)]
    #[schema(max_items = 1_000)]
    categories: Vec<MenuId>,
    /// From this moment on; always, if it is not said.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Until just before this moment; for ever, if it is not said.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// On these days of the store; every day, if there are none.
    #[serde(default)]
    #[schema(max_items = 7)]
    days: Vec<MenuWeekday>,
    /// In these hours of the store; all day, if there are none.
    #[serde(default)]
    #[schema(max_items = 10)]
    hours: Vec<MenuHours>,
    /// It holds at all; `true` if it is not said.
    #[serde(default)]
    active: bool,
}

/// What a promotion takes off.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) enum MenuOffer {
    /// Parts of the price.
    PercentOff {
        /// Parts per million: 25 % is 250 000.
        #[schema(minimum = 1, maximum = 1_000_000)]
        ppm: u32,
    },
    /// So much off the price of one.
    AmountOff {
        /// In minor units.
        #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
        amount: i64,
    },
    /// Of every `of` pieces of a line, `free` cost nothing.
    FreePieces {
        /// How many cost nothing.
        #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
        free: u32,
        /// Of how many.
        #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
        of: u32,
    },
}

/// A day of the week.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum MenuWeekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A window of the day, `[fromMin, untilMin)`. One that ends before it begins goes past midnight and belongs to the day
/// it began in.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuHours {
    /// Minutes since midnight: 17:30 is 1 050.
    #[schema(minimum = 0, maximum = 1_439)]
    from_min: u16,
    /// Minutes since midnight: the midnight after is 1 440.
    #[schema(minimum = 0, maximum = 1_440)]
    until_min: u16,
}

/// How a class of items is taxed.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuTaxRule {
    /// Names the class.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// What people call it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// Parts per million: 8.875 % is 88 750.
    #[schema(minimum = 0, maximum = 1_000_000)]
    rate_ppm: u32,
    /// Prices contain the tax; else it is added.
    #[serde(default)]
    included: bool,
}

/// Where something is made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuStation {
    /// Names it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
    /// What people call it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// After so many seconds a ticket is late.
    #[schema(minimum = 0, maximum = 86_400)]
    orange_after_s: u32,
    /// After so many seconds it is much too late; not before `orangeAfterS`.
    #[schema(minimum = 0, maximum = 86_400)]
    red_after_s: u32,
}

/// Names an object of the catalogue.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) struct MenuObject {
    /// What kind of thing.
    kind: MenuKind,
    /// Which.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    id: String,
}

/// What kind of thing an object of the catalogue is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) enum MenuKind {
    /// A category.
    Category,
    /// An item.
    Item,
    /// A group of modifiers.
    ModifierGroup,
    /// A promotion.
    Promotion,
    /// A tax rule.
    TaxRule,
    /// A station.
    Station,
}
