use super::*;
use crate::catalogue::{Choice, Offer};
use crate::money::Money;

fn name(text: &str) -> Name {
    Name::cut(text)
}

pub(in crate::catalogue) fn item(id: &str, price: i64) -> Item {
    Item {
        id: name(id),
        name: name(id),
        category: None,
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

fn items(items: Vec<Item>) -> Box<Bundle> {
    Box::new(Bundle { items, ..Bundle::default() })
}

fn after(catalogue: &Catalogue, command: &Command) -> Revised {
    let at = Timestamp::from_millis(1_000 + catalogue.revision());
    catalogue.change(command, at).unwrap()
}

fn with(count: i64) -> Catalogue {
    let many = (0..count).map(|number| item(&format!("i{number}"), number)).collect();
    after(&Catalogue::default(), &Command::Replace(items(many))).catalogue
}

/// Somebody who has everything up to a number.
fn known(known: u64) -> Since {
    Since::Revision { known, deletions: known }
}

fn refused(catalogue: &Catalogue, command: &Command) -> String {
    match catalogue.change(command, Timestamp::EPOCH) {
        Err(Rejection::Invalid { field, message }) => format!("{field}: {message}"),
        other => panic!("not refused as invalid: {other:?}"),
    }
}

/// L4: what did not change keeps its number, so that nobody fetches it again.
#[test]
fn l4_only_what_changed_gets_a_new_number() {
    let catalogue = with(3);
    assert_eq!(catalogue.revision(), 3);
    let again: Vec<Item> = catalogue.items().cloned().collect();
    let same = after(&catalogue, &Command::Replace(items(again)));
    assert!(same.changed.is_empty());
    assert_eq!((same.loaded.revision, same.loaded.unchanged), (3, 3));

    let changed = after(&catalogue, &Command::Merge(items(vec![item("i1", 99), item("new", 1)])));
    assert_eq!(changed.loaded, Loaded { revision: 5, created: 1, updated: 1, deleted: 0, unchanged: 0 });
    let news = changed.catalogue.changed_since(known(3)).unwrap();
    let ids: Vec<&str> = news.iter().map(|kept| kept.object.id().as_str()).collect();
    assert_eq!(ids, ["i1", "new"]);
}

/// L4: a replaced catalogue holds nothing of the former one, and a delta says so.
#[test]
fn l4_what_is_not_in_a_new_catalogue_is_deleted() {
    let replaced = after(&with(2), &Command::Replace(items(vec![item("i0", 0)])));
    assert_eq!((replaced.loaded.deleted, replaced.loaded.unchanged), (1, 1));
    let catalogue = replaced.catalogue;
    assert!(catalogue.item(&name("i1")).is_none());
    let news = catalogue.changed_since(known(2)).unwrap();
    assert!(matches!(news.as_slice(), [kept] if kept.object.is_deleted()));
    // Who has nothing has nothing to delete.
    assert_eq!(catalogue.changed_since(Since::Nothing).unwrap().len(), 1);
    assert_eq!(catalogue.changed_since(known(4)), None, "a number this catalogue never had");
}

/// L4: the catalogue as it is read from disk is the one that was written.
#[test]
fn l4_what_is_written_is_the_catalogue() {
    let mut disk = BTreeMap::new();
    let mut catalogue = Catalogue::default();
    let deletion = Bundle { deleted: vec![ObjectRef { kind: Kind::Item, id: name("a") }], ..Bundle::default() };
    let back = Bundle { items: vec![item("a", 3)], ..deletion.clone() };
    for command in [
        Command::Merge(items(vec![item("a", 1), item("b", 2)])),
        Command::Merge(Box::new(deletion)),
        Command::Merge(Box::new(back)),
        Command::Replace(items(vec![item("c", 3), item("a", 3)])),
    ] {
        let revised = after(&catalogue, &command);
        for kept in &revised.changed {
            disk.insert((kept.object.kind(), kept.object.id().clone()), kept.as_ref().clone());
        }
        catalogue = revised.catalogue;
        let read = Catalogue::new(catalogue.marks(), disk.values().cloned());
        assert_eq!(read.marks, catalogue.marks);
        assert_eq!(read.objects, catalogue.objects);
    }
}

/// L4: deletions beyond the limit are forgotten, and whoever would have needed them has to fetch everything.
#[test]
fn l4_old_deletions_are_forgotten() {
    let many = i64::try_from(CATALOGUE_TOMBSTONES).unwrap();
    let emptied = after(&with(many), &Command::Replace(items(Vec::new())));
    assert!(emptied.forgotten.is_empty());
    let one = after(&emptied.catalogue, &Command::Merge(items(vec![item("last", 1)])));
    let gone = after(&one.catalogue, &Command::Replace(items(Vec::new())));
    assert_eq!(gone.forgotten.len(), 1);
    let first_deletion = u64::try_from(many).unwrap() + 1;
    assert_eq!(gone.catalogue.marks().forgotten, first_deletion);
    assert_eq!(gone.catalogue.changed_since(known(1)), None);
    assert!(gone.catalogue.changed_since(known(first_deletion)).is_some());
    // In the middle of fetching everything, only what is deleted meanwhile has to be known.
    let revision = gone.catalogue.revision();
    let paging = gone.catalogue.changed_since(Since::Revision { known: 1, deletions: revision }).unwrap();
    assert!(paging.is_empty());
}

#[test]
fn l4_a_catalogue_that_leads_nowhere_is_refused() {
    let lost = Item { tax_class: Some(name("food")), ..item("a", 1) };
    assert!(refused(&Catalogue::default(), &Command::Merge(items(vec![lost]))).contains("food"));
    let coded = |id| Item { barcodes: vec![Barcode::cut("4711")], ..item(id, 1) };
    let twice = refused(&Catalogue::default(), &Command::Merge(items(vec![coded("a"), coded("b")])));
    assert!(twice.contains("4711"), "{twice}");
    let same = refused(&Catalogue::default(), &Command::Replace(items(vec![item("a", 1), item("a", 2)])));
    assert!(same.starts_with("items[1].id"), "{same}");
    let negative = refused(&Catalogue::default(), &Command::Merge(items(vec![item("a", -1)])));
    assert!(negative.starts_with("items[0].price"), "{negative}");
}

#[test]
fn l4_groups_and_promotions_have_to_make_sense() {
    let merge = |bundle| Command::Merge(Box::new(bundle));
    let choice = Choice { id: name("rare"), name: name("Rare"), price: Money::ZERO };
    let group = ModifierGroup { id: name("g"), name: name("G"), min: 2, max: 1, modifiers: vec![choice] };
    let group = Bundle { modifier_groups: vec![group], ..Bundle::default() };
    assert!(refused(&Catalogue::default(), &merge(group)).starts_with("modifierGroups[0].min"));
    let promotion = Promotion {
        id: name("p"),
        name: name("P"),
        offer: Offer::FreePieces { free: 4, of: 3 },
        items: Vec::new(),
        categories: Vec::new(),
        from: None,
        until: None,
        days: Vec::new(),
        hours: Vec::new(),
        active: true,
    };
    let promotion = Bundle { promotions: vec![promotion], ..Bundle::default() };
    assert!(refused(&Catalogue::default(), &merge(promotion)).starts_with("promotions[0].offer"));
}

#[test]
fn l4_an_item_is_found_by_its_barcode_until_the_barcode_goes() {
    let coded = Item { barcodes: vec![Barcode::cut("4711")], ..item("a", 1) };
    let catalogue = after(&Catalogue::default(), &Command::Merge(items(vec![coded]))).catalogue;
    assert_eq!(catalogue.item(&name("4711")).map(|item| item.id.as_str()), Some("a"));
    let bare = after(&catalogue, &Command::Merge(items(vec![item("a", 1)]))).catalogue;
    assert!(bare.item(&name("4711")).is_none());
}
