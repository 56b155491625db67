use proptest::prelude::*;

use super::*;
use crate::catalogue::book::tests::item;
use crate::catalogue::{Barcode, Bundle, Choice, Command, Hours, Offer, Promotion, TaxClass, TimedPrice};
use crate::id::LineId;
use crate::order::Reduction;
use crate::quantity::Quantity;

const NOON: &str = "2026-01-30T12:00:00Z";
const STORE_TAX: TaxRule = TaxRule { rate_ppm: 100_000, included: false };

fn name(text: &str) -> Name {
    Name::cut(text)
}

fn wish(id: &str) -> LineWish {
    LineWish {
        id: LineId::from_bytes([1; 16]),
        field: "items[0]".to_owned(),
        item_id: name(id),
        name: None,
        quantity: Quantity::from_thousandths(2_000),
        unit_price: None,
        modifiers: Vec::new(),
        notes: None,
        listed_only: false,
    }
}

fn modified(id: &str, modifiers: &[&str]) -> LineWish {
    let wished = |id: &&str| ModifierWish { id: Some(name(id)), name: None, price: None };
    LineWish { modifiers: modifiers.iter().map(wished).collect(), ..wish(id) }
}

fn promotion(id: &str, offer: Offer) -> Promotion {
    Promotion {
        id: name(id),
        name: name(id),
        offer,
        items: vec![name("beer")],
        categories: Vec::new(),
        from: None,
        until: None,
        days: Vec::new(),
        hours: Vec::new(),
        active: true,
    }
}

fn catalogue(promotions: Vec<Promotion>) -> Catalogue {
    let doneness = ["rare", "done"].map(|id| Choice { id: name(id), name: name(id), price: Money::ZERO });
    let bundle = Bundle {
        items: vec![
            Item { barcodes: vec![Barcode::cut("4711")], tax_class: Some(name("drinks")), ..item("beer", 500) },
            Item { modifier_groups: vec![name("doneness"), name("extras")], ..item("steak", 2_000) },
            Item { active: false, ..item("gone", 100) },
        ],
        modifier_groups: vec![
            ModifierGroup {
                id: name("doneness"),
                name: name("Cooked how?"),
                min: 1,
                max: 1,
                modifiers: doneness.into(),
            },
            ModifierGroup {
                id: name("extras"),
                name: name("Extras"),
                min: 0,
                max: 2,
                modifiers: vec![Choice {
                    id: name("butter"),
                    name: name("Herb butter"),
                    price: Money::from_minor(150),
                }],
            },
        ],
        tax_rules: vec![TaxClass { id: name("drinks"), name: name("Drinks"), rate_ppm: 190_000, included: true }],
        promotions,
        ..Bundle::default()
    };
    Catalogue::default().change(&Command::Replace(Box::new(bundle)), Timestamp::EPOCH).unwrap().catalogue
}

fn price_at(catalogue: &Catalogue, wish: &LineWish, at: &str) -> Result<Line, Rejection> {
    catalogue.price(wish, at.parse().unwrap(), &Calendar::new(&name("UTC"), 0), STORE_TAX)
}

fn price(wish: &LineWish) -> Result<Line, Rejection> {
    price_at(&catalogue(Vec::new()), wish, NOON)
}

fn invalid(result: Result<Line, Rejection>) -> String {
    match result {
        Err(Rejection::Invalid { field, message }) => format!("{field}: {message}"),
        other => panic!("not refused as invalid: {other:?}"),
    }
}

#[test]
fn l4_a_line_has_what_the_catalogue_says() {
    for id in ["beer", "4711"] {
        let line = price(&LineWish { name: Some(name("My beer")), ..wish(id) }).unwrap();
        assert_eq!((line.item_id.as_str(), line.name.as_str()), ("beer", "beer"), "found by {id}");
        assert_eq!(line.unit_price, Money::from_minor(500));
        assert_eq!(line.pricing, Pricing::Catalogue);
        assert_eq!(line.tax, TaxRule { rate_ppm: 190_000, included: true });
    }
    let chosen = price(&modified("steak", &["rare", "butter"])).unwrap();
    assert_eq!(chosen.tax, STORE_TAX);
    assert_eq!(chosen.price(), Some(Money::from_minor(2_150)));
    assert_eq!(chosen.modifiers[1].name.as_str(), "Herb butter");
}

/// U7: a price that differs stands, marked with what the catalogue said.
#[test]
fn u7_another_price_is_an_override_unless_only_listed_prices_may_be_asked() {
    let other = LineWish { unit_price: Some(Money::from_minor(450)), ..wish("beer") };
    let line = price(&other).unwrap();
    assert_eq!(line.pricing, Pricing::Override { listed: Money::from_minor(500) });
    assert_eq!(line.unit_price, Money::from_minor(450));
    let not_allowed = Err(Rejection::NotAllowed(Permission::PriceOverride));
    assert_eq!(price(&LineWish { listed_only: true, ..other }), not_allowed);
    let same = LineWish { unit_price: Some(Money::from_minor(500)), listed_only: true, ..wish("beer") };
    assert_eq!(price(&same).unwrap().pricing, Pricing::Catalogue);

    // A modifier of the terminal's own is another price as well, unless it costs nothing.
    let own = |price| {
        let modifier = ModifierWish { id: None, name: Some(name("special")), price: Some(Money::from_minor(price)) };
        LineWish { modifiers: vec![modifier], listed_only: true, ..wish("beer") }
    };
    assert!(price(&own(0)).is_ok());
    assert_eq!(price(&own(-100)), not_allowed);
    assert_eq!(
        price(&LineWish { listed_only: false, ..own(-100) }).unwrap().pricing,
        Pricing::Override { listed: Money::from_minor(500) }
    );
}

#[test]
fn l4_groups_demand_what_they_demand() {
    for (modifiers, said) in [
        (&[][..], "choose 1 of Cooked how? (doneness); there are 0"),
        (&["rare", "done"][..], "choose 1 of Cooked how? (doneness); there are 2"),
        (&["rare", "butter", "butter", "butter"][..], "choose 0 to 2 of Extras (extras); there are 3"),
    ] {
        assert_eq!(invalid(price(&modified("steak", modifiers))), format!("items[0].modifiers: {said}"));
    }
    assert!(invalid(price(&modified("steak", &["rare", "foam"]))).starts_with("items[0].modifiers[1]"));
}

#[test]
fn l4_what_is_not_known_or_not_sold_is_told_apart() {
    assert!(invalid(price(&wish("gone"))).contains("not sold"));
    assert!(invalid(price(&wish("unicorn"))).contains("give its name and unitPrice"));
    let open = LineWish { name: Some(name("Unicorn")), unit_price: Some(Money::from_minor(1)), ..wish("unicorn") };
    assert_eq!(price(&open).unwrap().pricing, Pricing::OpenItem);
}

#[test]
fn l4_the_largest_reduction_wins_and_an_override_has_none() {
    let ten = promotion("ten", Offer::PercentOff { ppm: 100_000 });
    let amount = promotion("amount", Offer::AmountOff { amount: Money::from_minor(60) });
    let third = promotion("third", Offer::FreePieces { free: 1, of: 3 });
    let all = catalogue(vec![ten.clone(), amount.clone(), third]);
    let line = price_at(&all, &wish("beer"), NOON).unwrap();
    assert_eq!(line.discount.unwrap().reduction, Reduction::Free { free: 1, of: 3 });
    let two = catalogue(vec![ten, amount]);
    let line = price_at(&two, &wish("beer"), NOON).unwrap();
    assert_eq!(line.total(), Some(Money::from_minor(880)));
    let other = LineWish { unit_price: Some(Money::from_minor(900)), ..wish("beer") };
    assert_eq!(price_at(&two, &other, NOON).unwrap().discount, None);
}

/// Prices and promotions that do not hold now, or come to nothing, leave the price alone.
#[test]
fn l4_the_hours_of_a_promotion_are_the_stores_own() {
    let hours = vec![Hours { from_min: 12 * 60, until_min: 13 * 60 }];
    let lunch = catalogue(vec![Promotion { hours, ..promotion("lunch", Offer::PercentOff { ppm: 500_000 }) }]);
    let at: Timestamp = NOON.parse().unwrap();
    let discount = |zone: &str| {
        lunch.price(&wish("beer"), at, &Calendar::new(&name(zone), 0), STORE_TAX).unwrap().discount.is_some()
    };
    assert!(discount("UTC"));
    assert!(!discount("Asia/Tokyo"));
}

proptest! {
    /// L4: whatever is wished for, a line costs no less than nothing, a promotion takes off no more than there is, and the
    /// same wish at the same time costs the same.
    #[test]
    fn l4_a_line_is_never_below_nothing(
        listed in 0i64..100_000,
        unit_price in proptest::option::of(0i64..100_000),
        modifier in -100_000i64..100_000,
        thousandths in 1i64..50_000,
        ppm in 1u32..=1_000_000,
        off in 1i64..200_000,
        of in 1u32..10,
        free in 1u32..10,
    ) {
        let offers = [
            Offer::PercentOff { ppm },
            Offer::AmountOff { amount: Money::from_minor(off) },
            Offer::FreePieces { free: free.min(of), of },
        ];
        let extra = Choice { id: name("x"), name: name("X"), price: Money::from_minor(modifier) };
        let bundle = Bundle {
            items: vec![Item { modifier_groups: vec![name("g")], ..item("beer", listed) }],
            modifier_groups: vec![ModifierGroup { id: name("g"), name: name("G"), min: 0, max: 1, modifiers: vec![extra] }],
            promotions: offers.iter().zip(["a", "b", "c"]).map(|(offer, id)| promotion(id, *offer)).collect(),
            ..Bundle::default()
        };
        let all = Catalogue::default().change(&Command::Replace(Box::new(bundle)), Timestamp::EPOCH).unwrap().catalogue;
        let wish = LineWish {
            quantity: Quantity::from_thousandths(thousandths),
            unit_price: unit_price.map(Money::from_minor),
            ..modified("beer", &["x"])
        };
        let line = price_at(&all, &wish, NOON);
        prop_assert_eq!(&line, &price_at(&all, &wish, NOON));
        match line {
            Ok(line) => {
                let (gross, reduced) = (line.gross().unwrap(), line.reduced_by().unwrap());
                prop_assert!(!gross.is_negative() && !reduced.is_negative() && reduced <= gross);
                prop_assert!(!line.total().unwrap().is_negative());
                prop_assert!(line.discount.is_none() || line.pricing == Pricing::Catalogue);
            }
            Err(_) => prop_assert!(unit_price.unwrap_or(listed) + modifier < 0),
        }
    }

    /// L4: a price holds from its first moment to just before its last.
    #[test]
    fn l4_windows_are_half_open(from in 0u64..1_000, length in 1u64..1_000, at in 0u64..2_500) {
        let [begin, end, now] = [from, from + length, at].map(Timestamp::from_millis);
        let timed = TimedPrice { price: Money::from_minor(7), from: Some(begin), until: Some(end) };
        let offered = Item { prices: vec![timed], ..item("a", 9) };
        let expected = if (from..from + length).contains(&at) { 7 } else { 9 };
        prop_assert_eq!(offered.price_at(now), Money::from_minor(expected));
        let limited = Promotion { from: Some(begin), until: Some(end), ..promotion("p", Offer::PercentOff { ppm: 1 }) };
        let moment = Moment::new(now, &Calendar::new(&name("UTC"), 0));
        prop_assert_eq!(limited.holds(moment), expected == 7);
    }
}
