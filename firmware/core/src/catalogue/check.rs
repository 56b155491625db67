//! What a catalogue has to keep to.

use std::collections::BTreeMap;

use super::book::Catalogue;
use super::object::{Item, Kind, ModifierGroup, Object, Station};
use super::promotion::{DAY_MIN, Hours, Offer, Promotion};
use crate::command::Rejection;
use crate::limits::{
    BARCODES_PER_ITEM, CATALOGUE_CATEGORIES, CATALOGUE_ITEMS, CATALOGUE_MODIFIER_GROUPS, CATALOGUE_PROMOTIONS,
    CATALOGUE_STATIONS, CATALOGUE_TAX_RULES, HOURS_PER_PROMOTION, MODIFIER_GROUPS_PER_ITEM, MODIFIERS_PER_GROUP,
    MODIFIERS_PER_LINE, PRICES_PER_ITEM, STATION_PATIENCE_S, TARGETS_PER_PROMOTION,
};
use crate::money::Money;
use crate::text::Name;
use crate::time::Timestamp;

const PPM: u32 = 1_000_000;

type Checked = Result<(), Rejection>;

/// Checks an object by itself; `place` is where it stands, like `items[3]`.
pub(super) fn object(place: &str, object: &Object) -> Checked {
    match object {
        Object::Deleted(_) | Object::Category(_) => Ok(()),
        Object::Item(item) => check_item(place, item),
        Object::ModifierGroup(group) => check_group(place, group),
        Object::Promotion(promotion) => check_promotion(place, promotion),
        Object::TaxRule(class) => {
            rule(class.rate_ppm <= PPM, place, "ratePpm", || format!("is at most {PPM}, which is 100 %"))
        }
        Object::Station(station) => check_station(place, station),
    }
}

/// Checks a catalogue as a whole: that it is not too large, and that what is named in it is there.
pub(super) fn whole(catalogue: &Catalogue) -> Checked {
    for (kind, limit) in [
        (Kind::Category, CATALOGUE_CATEGORIES),
        (Kind::Item, CATALOGUE_ITEMS),
        (Kind::ModifierGroup, CATALOGUE_MODIFIER_GROUPS),
        (Kind::Promotion, CATALOGUE_PROMOTIONS),
        (Kind::TaxRule, CATALOGUE_TAX_RULES),
        (Kind::Station, CATALOGUE_STATIONS),
    ] {
        if catalogue.all(kind).count() > limit {
            return Err(Rejection::TooMany { what: kind.member(), limit });
        }
    }
    let mut barcodes = BTreeMap::new();
    for item in catalogue.items() {
        for (kind, named) in references(item) {
            rule(catalogue.has(kind, named), Kind::Item.member(), "", || {
                format!("item {} names {named}, which is not among the {}", item.id, kind.member())
            })?;
        }
        for barcode in &item.barcodes {
            let other = barcodes.insert(barcode, &item.id);
            rule(other.is_none_or(|other| *other == item.id), Kind::Item.member(), "", || {
                format!("the barcode {barcode} is on item {} and on another one", item.id)
            })?;
        }
    }
    Ok(())
}

fn references(item: &Item) -> impl Iterator<Item = (Kind, &Name)> {
    let category = item.category.iter().map(|id| (Kind::Category, id));
    let tax = item.tax_class.iter().map(|id| (Kind::TaxRule, id));
    let station = item.station.iter().map(|id| (Kind::Station, id));
    let groups = item.modifier_groups.iter().map(|id| (Kind::ModifierGroup, id));
    category.chain(tax).chain(station).chain(groups)
}

fn check_item(place: &str, item: &Item) -> Checked {
    let price = || "must not be below zero".to_owned();
    rule(!item.price.is_negative(), place, "price", price)?;
    at_most(place, "barcodes", item.barcodes.len(), BARCODES_PER_ITEM)?;
    at_most(place, "prices", item.prices.len(), PRICES_PER_ITEM)?;
    at_most(place, "modifierGroups", item.modifier_groups.len(), MODIFIER_GROUPS_PER_ITEM)?;
    for (index, timed) in item.prices.iter().enumerate() {
        let place = format!("{place}.prices[{index}]");
        rule(!timed.price.is_negative(), &place, "price", price)?;
        check_window(&place, timed.from, timed.until)?;
    }
    Ok(())
}

fn check_group(place: &str, group: &ModifierGroup) -> Checked {
    at_most(place, "modifiers", group.modifiers.len(), MODIFIERS_PER_GROUP)?;
    let most = u32::try_from(MODIFIERS_PER_LINE).unwrap_or(u32::MAX);
    rule((1..=most).contains(&group.max), place, "max", || format!("must be between 1 and {most}"))?;
    rule(group.min <= group.max, place, "min", || "must not be more than max".to_owned())?;
    let mut ids: Vec<&Name> = group.modifiers.iter().map(|choice| &choice.id).collect();
    ids.sort_unstable();
    let is_unique = ids.windows(2).all(|pair| !matches!(pair, [one, other] if one == other));
    rule(is_unique, place, "modifiers", || "must not name a modifier twice".to_owned())?;
    rule(group.min == 0 || !ids.is_empty(), place, "modifiers", || "must hold what has to be chosen".to_owned())
}

fn check_promotion(place: &str, promotion: &Promotion) -> Checked {
    at_most(place, "items", promotion.items.len(), TARGETS_PER_PROMOTION)?;
    at_most(place, "categories", promotion.categories.len(), TARGETS_PER_PROMOTION)?;
    at_most(place, "days", promotion.days.len(), 7)?;
    at_most(place, "hours", promotion.hours.len(), HOURS_PER_PROMOTION)?;
    check_window(place, promotion.from, promotion.until)?;
    for (index, Hours { from_min, until_min }) in promotion.hours.iter().enumerate() {
        let place = format!("{place}.hours[{index}]");
        rule(*from_min < DAY_MIN, &place, "fromMin", || format!("must be below {DAY_MIN}, which is midnight"))?;
        rule(*until_min <= DAY_MIN, &place, "untilMin", || format!("must be at most {DAY_MIN}, which is midnight"))?;
        rule(from_min != until_min, &place, "untilMin", || "must differ from fromMin".to_owned())?;
    }
    let (fits, needed) = match promotion.offer {
        Offer::PercentOff { ppm } => ((1..=PPM).contains(&ppm), "ppm must be between 1 and 1000000, which is 100 %"),
        Offer::AmountOff { amount } => (amount > Money::ZERO, "amount must be more than nothing"),
        Offer::FreePieces { free, of } => (free > 0 && free <= of, "free must be between 1 and of"),
    };
    rule(fits, place, "offer", || needed.to_owned())
}

fn check_station(place: &str, station: &Station) -> Checked {
    let most = STATION_PATIENCE_S;
    let is_in_order = station.orange_after_s <= station.red_after_s && station.red_after_s <= most;
    rule(is_in_order, place, "redAfterS", || format!("must be between orangeAfterS and {most}"))
}

fn check_window(place: &str, from: Option<Timestamp>, until: Option<Timestamp>) -> Checked {
    let is_open = from.zip(until).is_none_or(|(from, until)| from < until);
    rule(is_open, place, "until", || "must be later than from".to_owned())
}

fn at_most(place: &str, member: &str, count: usize, limit: usize) -> Checked {
    rule(count <= limit, place, member, || format!("at most {limit}"))
}

fn rule(holds: bool, place: &str, member: &str, message: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    let field = if member.is_empty() { place.to_owned() } else { format!("{place}.{member}") };
    Err(Rejection::invalid(field, message()))
}
