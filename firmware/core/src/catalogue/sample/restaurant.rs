//! A restaurant: dishes by station, choices, a happy hour.

use super::{id_of, item};
use crate::catalogue::object::{Bundle, Category, Choice, ModifierGroup, Station, TaxClass};
use crate::catalogue::promotion::{Hours, Offer, Promotion, Weekday};
use crate::money::Money;
use crate::text::Name;

/// A page of the menu.
struct Page {
    category: &'static str,
    station: &'static str,
    tax: &'static str,
    groups: &'static [&'static str],
    /// Name, and price in minor units.
    dishes: &'static [(&'static str, i64)],
}

/// Name, and patience in seconds: orange, red.
const STATIONS: [(&str, u32, u32); 5] =
    [("Grill", 900, 1_200), ("Oven", 720, 1_080), ("Cold", 420, 720), ("Bar", 240, 480), ("Pastry", 480, 900)];

/// Name, least, most, choices with their prices.
type Group = (&'static str, u32, u32, &'static [(&'static str, i64)]);

const GROUPS: [Group; 7] = [
    ("Cooked", 1, 1, &[("Rare", 0), ("Medium rare", 0), ("Medium", 0), ("Well done", 0)]),
    (
        "Side",
        1,
        2,
        &[("Fries", 0), ("Baked potato", 0), ("Rice", 0), ("Green salad", 100), ("Grilled vegetables", 150)],
    ),
    ("Dressing", 0, 1, &[("Vinaigrette", 0), ("Caesar dressing", 0), ("Yoghurt dressing", 0)]),
    (
        "Topping",
        0,
        6,
        &[("Extra cheese", 150), ("Olives", 100), ("Chilli", 50), ("Ham", 200), ("Mushrooms", 120), ("No garlic", 0)],
    ),
    ("Pasta shape", 1, 1, &[("Spaghetti", 0), ("Penne", 0), ("Gluten free penne", 150)]),
    ("Milk", 0, 1, &[("Whole milk", 0), ("Oat milk", 60), ("Almond milk", 60), ("No milk", 0)]),
    ("Ice", 0, 2, &[("No ice", 0), ("Lemon", 0), ("Mint", 30)]),
];

#[rustfmt::skip]
const PAGES: [Page; 13] = [
    Page { category: "Starters", station: "Cold", tax: "Food", groups: &[], dishes: &[
        ("Bruschetta", 690), ("Beef carpaccio", 1_290), ("Smoked salmon", 1_190), ("Burrata", 1_090), ("Hummus", 750),
        ("Marinated olives", 490), ("Vitello tonnato", 1_250), ("Beetroot tartare", 890), ("Cheese board", 1_390),
    ] },
    Page { category: "Soups", station: "Oven", tax: "Food", groups: &[], dishes: &[
        ("Tomato soup", 690), ("Onion soup", 790), ("Fish soup", 1_090), ("Soup of the day", 650), ("Lentil soup", 690),
    ] },
    Page { category: "Salads", station: "Cold", tax: "Food", groups: &["Dressing"], dishes: &[
        ("Caesar salad", 1_090), ("Greek salad", 990), ("Salad Niçoise", 1_290), ("Side salad", 490), ("Goat cheese salad", 1_190),
        ("Lentil salad", 950), ("Chicken salad", 1_250),
    ] },
    Page { category: "Pizza", station: "Oven", tax: "Food", groups: &["Topping"], dishes: &[
        ("Margherita", 990), ("Marinara", 890), ("Funghi", 1_090), ("Prosciutto", 1_190), ("Quattro formaggi", 1_250),
        ("Diavola", 1_250), ("Capricciosa", 1_290), ("Tonno", 1_250), ("Vegetariana", 1_150), ("Calzone", 1_290),
        ("Bianca", 1_090), ("Truffle pizza", 1_690),
    ] },
    Page { category: "Pasta", station: "Oven", tax: "Food", groups: &["Pasta shape"], dishes: &[
        ("Pomodoro", 950), ("Bolognese", 1_190), ("Carbonara", 1_190), ("Arrabbiata", 990), ("Pesto", 1_090),
        ("Vongole", 1_590), ("Aglio e olio", 890), ("Cacio e pepe", 1_090), ("Lasagne al forno", 1_290),
    ] },
    Page { category: "Steaks", station: "Grill", tax: "Food", groups: &["Cooked", "Side"], dishes: &[
        ("Rib eye 300 g", 2_990), ("Fillet 200 g", 3_290), ("Sirloin 250 g", 2_590), ("T-bone 500 g", 4_290), ("Beef burger", 1_490),
        ("Cheeseburger", 1_590), ("Lamb chops", 2_490), ("Flank steak", 2_290),
    ] },
    Page { category: "From the grill", station: "Grill", tax: "Food", groups: &["Side"], dishes: &[
        ("Half chicken", 1_490), ("Spare ribs", 1_790), ("Salmon fillet", 2_190), ("Sea bass", 2_490), ("King prawns", 2_390),
        ("Pork belly", 1_690), ("Halloumi", 1_390), ("Veggie burger", 1_390), ("Duck breast", 2_290), ("Mixed grill", 2_690),
    ] },
    Page { category: "Sides", station: "Grill", tax: "Food", groups: &[], dishes: &[
        ("Portion of fries", 450), ("Sweet potato fries", 550), ("Portion of rice", 350), ("Corn on the cob", 450),
        ("Spinach", 450), ("Garlic bread", 390), ("Bread basket", 290),
    ] },
    Page { category: "Desserts", station: "Pastry", tax: "Food", groups: &[], dishes: &[
        ("Tiramisu", 690), ("Panna cotta", 590), ("Crème brûlée", 750), ("Chocolate fondant", 850), ("Cheesecake", 690),
        ("Apple tart", 650), ("Lemon sorbet", 490), ("Three scoops", 590), ("Affogato", 550), ("Fruit salad", 550),
    ] },
    Page { category: "Coffee and tea", station: "Bar", tax: "Drinks", groups: &["Milk"], dishes: &[
        ("Espresso", 250), ("Double espresso", 350), ("Americano", 320), ("Cappuccino", 390), ("Latte", 420),
        ("Flat white", 410), ("Hot chocolate", 420), ("Black tea", 320), ("Green tea", 320), ("Mint tea", 350),
    ] },
    Page { category: "Soft drinks", station: "Bar", tax: "Drinks", groups: &["Ice"], dishes: &[
        ("Still water 0.5 l", 350), ("Sparkling water 0.5 l", 350), ("Cola", 390), ("Lemonade", 390), ("Orange juice", 450),
        ("Apple juice", 390), ("Ginger ale", 390), ("Tonic water", 390), ("Iced tea", 410),
    ] },
    Page { category: "Beer and wine", station: "Bar", tax: "Alcohol", groups: &[], dishes: &[
        ("Lager 0.3 l", 420), ("Lager 0.5 l", 590), ("Pale ale", 550), ("Wheat beer", 590), ("Stout", 590),
        ("Alcohol free beer", 420), ("House white", 590), ("House red", 590), ("Rosé", 590), ("Chardonnay", 790),
        ("Pinot noir", 850), ("Prosecco", 690), ("Bottle of house white", 2_490), ("Bottle of house red", 2_490),
    ] },
    Page { category: "Cocktails", station: "Bar", tax: "Alcohol", groups: &["Ice"], dishes: &[
        ("Negroni", 1_090), ("Spritz", 890), ("Gin and tonic", 990), ("Mojito", 1_050), ("Margarita", 1_090),
        ("Old fashioned", 1_150), ("Whisky sour", 1_090), ("Espresso martini", 1_150), ("Daiquiri", 1_050), ("Virgin mojito", 790),
    ] },
];

/// Its catalogue.
pub(super) fn bundle() -> Bundle {
    let mut items = Vec::new();
    for page in &PAGES {
        items.extend(page.dishes.iter().map(|(name, price)| {
            let mut dish = item(name, id_of(page.category).as_str(), *price);
            dish.station = Some(id_of(page.station));
            dish.tax_class = Some(id_of(page.tax));
            dish.modifier_groups = page.groups.iter().map(|group| id_of(group)).collect();
            dish
        }));
    }
    Bundle {
        categories: categories(),
        items,
        modifier_groups: GROUPS.iter().map(group).collect(),
        promotions: promotions(),
        tax_rules: tax_rules(),
        stations: STATIONS.iter().map(station).collect(),
        deleted: Vec::new(),
    }
}

fn categories() -> Vec<Category> {
    let page = |(position, page): (u32, &Page)| Category {
        id: id_of(page.category),
        name: Name::cut(page.category),
        position,
        image_url: None,
        image_hash: None,
    };
    (1..).zip(&PAGES).map(page).collect()
}

fn group(&(name, min, max, choices): &Group) -> ModifierGroup {
    let choice = |(name, price): &(&str, i64)| Choice {
        id: id_of(name),
        name: Name::cut(name),
        price: Money::from_minor(*price),
    };
    ModifierGroup { id: id_of(name), name: Name::cut(name), min, max, modifiers: choices.iter().map(choice).collect() }
}

fn station(&(name, orange_after_s, red_after_s): &(&str, u32, u32)) -> Station {
    Station { id: id_of(name), name: Name::cut(name), orange_after_s, red_after_s }
}

fn tax_rules() -> Vec<TaxClass> {
    let class = |name: &str, rate_ppm| TaxClass { id: id_of(name), name: Name::cut(name), rate_ppm, included: false };
    vec![class("Food", 80_000), class("Drinks", 80_000), class("Alcohol", 100_000)]
}

fn promotions() -> Vec<Promotion> {
    let promotion = |name: &str, offer, categories: &[&str], days: &[Weekday], hours: &[Hours]| Promotion {
        id: id_of(name),
        name: Name::cut(name),
        offer,
        items: Vec::new(),
        categories: categories.iter().map(|category| id_of(category)).collect(),
        from: None,
        until: None,
        days: days.to_vec(),
        hours: hours.to_vec(),
        active: true,
    };
    use Weekday::{Fri, Mon, Thu, Tue, Wed};
    let early_evening = Hours { from_min: 17 * 60, until_min: 19 * 60 };
    vec![
        promotion(
            "Happy hour",
            Offer::PercentOff { ppm: 300_000 },
            &["Cocktails"],
            &[Mon, Tue, Wed, Thu, Fri],
            &[early_evening],
        ),
        promotion("Pizza Monday", Offer::AmountOff { amount: Money::from_minor(200) }, &["Pizza"], &[Mon], &[]),
    ]
}
