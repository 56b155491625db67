//! A corner shop: two thousand things with barcodes, out of words.

use super::{barcode, id_of, item};
use crate::catalogue::object::{Barcode, Bundle, Category, TaxClass};
use crate::catalogue::promotion::{Offer, Promotion};
use crate::text::Name;

/// A shelf: its name, its tax, what is on it with the price of the smallest, and the sizes there are.
struct Shelf {
    name: &'static str,
    tax: &'static str,
    products: [(&'static str, i64); 10],
    sizes: [&'static str; 4],
}

const BRANDS: [&str; 5] = ["Alder", "Brightwater", "Corner", "Dunmore", "Eastfield"];

#[rustfmt::skip]
const SHELVES: [Shelf; 10] = [
    Shelf { name: "Dairy", tax: "Reduced", products: [("milk", 89), ("butter", 189), ("yoghurt", 59), ("cream", 99), ("quark", 79), ("cheddar", 249), ("mozzarella", 99), ("feta", 179), ("kefir", 109), ("buttermilk", 69)], sizes: ["200 g", "250 g", "500 g", "1 kg"] },
    Shelf { name: "Bakery", tax: "Reduced", products: [("white bread", 129), ("rye bread", 189), ("rolls", 99), ("croissants", 149), ("bagels", 179), ("muffins", 199), ("toast", 109), ("baguette", 119), ("crispbread", 139), ("rusks", 129)], sizes: ["small", "medium", "large", "family pack"] },
    Shelf { name: "Drinks", tax: "Standard", products: [("water", 39), ("cola", 99), ("lemonade", 89), ("orange juice", 149), ("apple juice", 129), ("iced tea", 109), ("tonic", 119), ("ginger ale", 119), ("energy drink", 139), ("squash", 159)], sizes: ["330 ml", "500 ml", "1 l", "1.5 l"] },
    Shelf { name: "Sweets", tax: "Standard", products: [("milk chocolate", 99), ("dark chocolate", 119), ("wine gums", 89), ("liquorice", 95), ("toffees", 129), ("mints", 69), ("biscuits", 109), ("wafers", 99), ("nougat", 139), ("lollipops", 79)], sizes: ["50 g", "100 g", "200 g", "400 g"] },
    Shelf { name: "Snacks", tax: "Standard", products: [("crisps", 119), ("peanuts", 149), ("pretzels", 99), ("popcorn", 109), ("crackers", 129), ("cashews", 249), ("tortilla chips", 139), ("rice cakes", 119), ("almonds", 259), ("trail mix", 199)], sizes: ["75 g", "150 g", "250 g", "500 g"] },
    Shelf { name: "Pantry", tax: "Reduced", products: [("flour", 59), ("sugar", 89), ("rice", 119), ("spaghetti", 79), ("oats", 89), ("lentils", 129), ("honey", 299), ("jam", 189), ("olive oil", 499), ("vinegar", 99)], sizes: ["250 g", "500 g", "1 kg", "2 kg"] },
    Shelf { name: "Tins", tax: "Reduced", products: [("tomatoes", 69), ("sweetcorn", 79), ("chickpeas", 75), ("kidney beans", 75), ("tuna", 149), ("sardines", 129), ("peaches", 139), ("pineapple", 149), ("tomato soup", 119), ("baked beans", 85)], sizes: ["150 g", "240 g", "400 g", "800 g"] },
    Shelf { name: "Household", tax: "Standard", products: [("washing powder", 399), ("washing-up liquid", 129), ("sponges", 99), ("bin bags", 149), ("kitchen roll", 199), ("foil", 179), ("candles", 149), ("matches", 49), ("bleach", 119), ("floor cleaner", 199)], sizes: ["single", "double", "value pack", "bulk pack"] },
    Shelf { name: "Care", tax: "Standard", products: [("shampoo", 249), ("soap", 89), ("toothpaste", 149), ("shower gel", 179), ("deodorant", 229), ("hand cream", 199), ("razor blades", 499), ("tissues", 99), ("cotton wool", 119), ("sun cream", 599)], sizes: ["travel size", "regular", "large", "twin pack"] },
    Shelf { name: "Frozen", tax: "Reduced", products: [("peas", 149), ("spinach", 159), ("fish fingers", 299), ("pizza", 349), ("ice cream", 399), ("chips", 199), ("berries", 299), ("prawns", 599), ("vegetable mix", 199), ("bread rolls", 179)], sizes: ["300 g", "450 g", "750 g", "1 kg"] },
];

/// Its catalogue.
pub(super) fn bundle() -> Bundle {
    let mut items = Vec::new();
    for shelf in &SHELVES {
        for (product, price) in shelf.products {
            for (brand, dearer) in BRANDS.iter().zip([0, 20, -10, 35, 10]) {
                for (size, times) in shelf.sizes.iter().zip([10, 18, 32, 58]) {
                    let mut thing = item(&format!("{brand} {product} {size}"), id_of(shelf.name).as_str(), 0);
                    thing.price = crate::money::Money::from_minor((price + dearer) * times / 10);
                    thing.barcodes = vec![Barcode::cut(&barcode::in_store(items.len() + 1))];
                    thing.tax_class = Some(id_of(shelf.tax));
                    thing.stocked = true;
                    items.push(thing);
                }
            }
        }
    }
    Bundle {
        categories: categories(),
        items,
        tax_rules: tax_rules(),
        promotions: vec![three_for_two()],
        ..Bundle::default()
    }
}

fn categories() -> Vec<Category> {
    let shelf = |(position, shelf): (u32, &Shelf)| Category {
        id: id_of(shelf.name),
        name: Name::cut(shelf.name),
        position,
        image_url: None,
        image_hash: None,
    };
    (1..).zip(&SHELVES).map(shelf).collect()
}

fn tax_rules() -> Vec<TaxClass> {
    let class = |name: &str, rate_ppm| TaxClass { id: id_of(name), name: Name::cut(name), rate_ppm, included: true };
    vec![class("Reduced", 70_000), class("Standard", 190_000)]
}

fn three_for_two() -> Promotion {
    Promotion {
        id: Name::cut("three-for-two"),
        name: Name::cut("Three for two"),
        offer: Offer::FreePieces { free: 1, of: 3 },
        items: Vec::new(),
        categories: vec![id_of("Sweets")],
        from: None,
        until: None,
        days: Vec::new(),
        hours: Vec::new(),
        active: true,
    }
}
