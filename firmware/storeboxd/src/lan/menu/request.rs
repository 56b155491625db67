//! What loads a catalogue.

use serde::Deserialize;
use storebox_core::catalogue::{
    Bundle, Category, Command, Item, ModifierGroup, ObjectRef, Promotion, Station, TaxClass,
};
use utoipa::ToSchema;

use super::schema::{MenuCategory, MenuItem, MenuModifierGroup, MenuObject, MenuPromotion, MenuStation, MenuTaxRule};

/// A catalogue, or changes of one. At most 16 MiB.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LoadCatalogue {
    /// Whether it is all there is.
    mode: LoadMode,
    /// Categories.
    #[serde(default)]
    #[schema(value_type = Vec<MenuCategory>, max_items = 2_000)]
    categories: Vec<Category>,
    /// Items.
    #[serde(default)]
    #[schema(value_type = Vec<MenuItem>, max_items = 20_000)]
    items: Vec<Item>,
    /// Groups of modifiers.
    #[serde(default)]
    #[schema(value_type = Vec<MenuModifierGroup>, max_items = 2_000)]
    modifier_groups: Vec<ModifierGroup>,
    /// Promotions.
    #[serde(default)]
    #[schema(value_type = Vec<MenuPromotion>, max_items = 500)]
    promotions: Vec<Promotion>,
    /// Tax rules by class.
    #[serde(default)]
    #[schema(value_type = Vec<MenuTaxRule>, max_items = 100)]
    tax_rules: Vec<TaxClass>,
    /// Stations of the kitchen.
    #[serde(default)]
    #[schema(value_type = Vec<MenuStation>, max_items = 100)]
    stations: Vec<Station>,
    /// What goes, with `merge`.
    #[serde(default)]
    #[schema(value_type = Vec<MenuObject>, max_items = 20_000)]
    deleted: Vec<ObjectRef>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Whether a catalogue is all there is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LoadMode {
    /// It is: what is not in it goes.
    Replace,
    /// It is not: what is not in it stays.
    Merge,
}

impl LoadCatalogue {
    /// What it asks for.
    pub(super) fn into_command(self) -> Command {
        let bundle = Box::new(Bundle {
            categories: self.categories,
            items: self.items,
            modifier_groups: self.modifier_groups,
            promotions: self.promotions,
            tax_rules: self.tax_rules,
            stations: self.stations,
            deleted: self.deleted,
        });
        match self.mode {
            LoadMode::Replace => Command::Replace(bundle),
            LoadMode::Merge => Command::Merge(bundle),
        }
    }
}
