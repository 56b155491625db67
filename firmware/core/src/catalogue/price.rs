//! What a line costs.

use super::book::Catalogue;
use super::object::{Item, ModifierGroup};
use super::promotion::Moment;
use super::wish::{LineWish, ModifierWish};
use crate::command::Rejection;
use crate::day::Calendar;
use crate::money::{Money, TaxRule};
use crate::order::{Discount, Line, Modifier, Pricing};
use crate::people::Permission;
use crate::text::Name;
use crate::time::Timestamp;

/// A modifier of a line, and the group of the item it is from.
struct Chosen<'c> {
    modifier: Modifier,
    group: Option<&'c Name>,
}

impl Catalogue {
    /// A line as a terminal wants it, with the prices that hold at a moment.
    ///
    /// What the catalogue knows comes from it: name, tax, category, station. A unit price that differs is the terminal's
    /// word and marked so, and so is a modifier the item does not have. What it does not know is an open item.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] if the item is not sold, is unknown and has no price, or was not chosen as its groups of
    /// modifiers demand; [`Rejection::NotAllowed`] if another price is asked for by somebody who may not.
    pub fn price(
        &self,
        wish: &LineWish,
        at: Timestamp,
        calendar: &Calendar,
        default_tax: TaxRule,
    ) -> Result<Line, Rejection> {
        let Some(item) = self.item(&wish.item_id) else { return wish.open_item(default_tax) };
        if !item.active {
            let message = format!("{} is not sold at present", item.name);
            return Err(Rejection::invalid(wish.field.clone(), message));
        }
        let chosen = self.choose(item, wish)?;
        let listed = item.price_at(at);
        let unit_price = wish.unit_price.unwrap_or(listed);
        let is_own_word = |chosen: &Chosen<'_>| chosen.group.is_none() && chosen.modifier.price != Money::ZERO;
        let is_override = unit_price != listed || chosen.iter().any(is_own_word);
        if is_override && wish.listed_only {
            return Err(Rejection::NotAllowed(Permission::PriceOverride));
        }
        let mut line = Line {
            id: wish.id,
            item_id: item.id.clone(),
            name: item.name.clone(),
            quantity: wish.quantity,
            unit_price,
            modifiers: chosen.into_iter().map(|chosen| chosen.modifier).collect(),
            notes: wish.notes.clone(),
            pricing: if is_override { Pricing::Override { listed } } else { Pricing::Catalogue },
            tax: item.tax_class.as_ref().and_then(|id| self.tax_class(id)).map_or(default_tax, |class| class.rule()),
            discount: None,
            category: item.category.clone(),
            station: item.station.clone(),
            stocked: item.stocked,
        };
        let price = line.price().filter(|price| !price.is_negative()).ok_or_else(|| {
            let message = format!("the price of {} comes to less than nothing", item.name);
            Rejection::invalid(wish.field.clone(), message)
        })?;
        if !is_override {
            line.discount = self.best_promotion(item, price, at, calendar);
        }
        Ok(line)
    }

    /// The modifiers wished for, checked against the groups of the item.
    fn choose<'c>(&'c self, item: &'c Item, wish: &LineWish) -> Result<Vec<Chosen<'c>>, Rejection> {
        let groups: Vec<&ModifierGroup> = item.modifier_groups.iter().filter_map(|id| self.group(id)).collect();
        let mut chosen = Vec::with_capacity(wish.modifiers.len());
        for (index, wished) in wish.modifiers.iter().enumerate() {
            chosen.push(match listed(&groups, wished) {
                Some(listed) => listed,
                None => Chosen { modifier: wished.own_word(&wish.field, index)?, group: None },
            });
        }
        for group in groups {
            let count = chosen.iter().filter(|chosen| chosen.group == Some(&group.id)).count();
            let (min, max) = (group.min, group.max);
            if !(min as usize..=max as usize).contains(&count) {
                let many = if min == max { format!("{min}") } else { format!("{min} to {max}") };
                let message = format!("choose {many} of {} ({}); there are {count}", group.name, group.id);
                return Err(Rejection::invalid(format!("{}.modifiers", wish.field), message));
            }
        }
        Ok(chosen)
    }

    /// The promotion that takes most off one; of several that take the same, the one whose id comes first.
    fn best_promotion(&self, item: &Item, price: Money, at: Timestamp, calendar: &Calendar) -> Option<Discount> {
        let mut best: Option<(Money, Discount)> = None;
        // Looking at the clock costs more than everything else, so it is done once, and only if it matters.
        let mut moment = None;
        for promotion in self.promotions().filter(|promotion| promotion.is_about(item)) {
            let off = promotion.off_one(price);
            let is_better = off > best.as_ref().map_or(Money::ZERO, |(off, _)| *off);
            if is_better && promotion.holds(*moment.get_or_insert_with(|| Moment::new(at, calendar))) {
                best = Some((off, promotion.discount()));
            }
        }
        best.map(|(_, discount)| discount)
    }
}

/// A modifier of one of the groups, with the group's name and price for it.
fn listed<'c>(groups: &[&'c ModifierGroup], wished: &ModifierWish) -> Option<Chosen<'c>> {
    let id = wished.id.as_ref()?;
    groups.iter().find_map(|group| {
        let choice = group.modifiers.iter().find(|choice| choice.id == *id)?;
        let modifier = Modifier { id: Some(choice.id.clone()), name: choice.name.clone(), price: choice.price };
        Some(Chosen { modifier, group: Some(&group.id) })
    })
}

#[cfg(test)]
mod tests;
