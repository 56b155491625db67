//! The catalogue in memory: what every line is priced from, and how it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::object::{Barcode, Bundle, Item, Kept, Kind, ModifierGroup, Object, ObjectRef, Shared, Station, TaxClass};
use super::promotion::Promotion;
use super::{Command, Loaded, check};
use crate::command::Rejection;
use crate::limits::CATALOGUE_TOMBSTONES;
use crate::record::{Record, RecordError, v1};
use crate::text::Name;
use crate::time::Timestamp;

/// Everything that is sold, and what was deleted lately. A copy shares the objects.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    marks: Marks,
    objects: BTreeMap<Kind, BTreeMap<Name, Shared>>,
    barcodes: BTreeMap<Barcode, Name>,
}

/// Where a catalogue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Number of the last change of an object.
    pub revision: u64,
    /// Deletions up to this number are not known any more.
    pub forgotten: u64,
    /// When the last of them happened.
    pub forgotten_at: Timestamp,
}

impl Record for Marks {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// A catalogue after a change, and what has to be written.
#[derive(Clone, Debug)]
pub struct Revised {
    /// It, now.
    pub catalogue: Catalogue,
    /// Objects that changed, deletions among them.
    pub changed: Vec<Arc<Kept>>,
    /// Deletions that are too old to be kept.
    pub forgotten: Vec<ObjectRef>,
    /// What came of it.
    pub loaded: Loaded,
}

/// From where on somebody wants to know what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// They know nothing.
    Nothing,
    /// They know everything up to these numbers, of which 0 stands for nothing.
    Revision {
        /// Of the last object they have.
        known: u64,
        /// Of the last deletion they need not learn of: who fetches everything in pieces needs none that came before.
        deletions: u64,
    },
    /// They know what happened before this moment.
    Time(Timestamp),
}

impl Catalogue {
    /// The catalogue as it was kept.
    pub fn new(marks: Marks, objects: impl IntoIterator<Item = Kept>) -> Self {
        let mut catalogue = Self { marks, ..Self::default() };
        for kept in objects {
            catalogue.marks.revision = catalogue.marks.revision.max(kept.revision);
            catalogue.put(Arc::new(kept));
        }
        catalogue.index();
        catalogue
    }

    /// Number of the last change of an object; 0 if there never was one.
    pub const fn revision(&self) -> u64 {
        self.marks.revision
    }

    /// Where it stands.
    pub const fn marks(&self) -> Marks {
        self.marks
    }

    /// An item by its id, or else by a barcode.
    pub fn item(&self, named: &Name) -> Option<&Item> {
        self.by_id(named).or_else(|| {
            let barcode = Barcode::new(named.as_str().to_owned()).ok()?;
            self.by_id(self.barcodes.get(&barcode)?)
        })
    }

    /// A station.
    pub fn station(&self, id: &Name) -> Option<&Station> {
        match &self.object(Kind::Station, id)?.object {
            Object::Station(station) => Some(station),
            Object::Deleted(_)
            | Object::Category(_)
            | Object::Item(_)
            | Object::ModifierGroup(_)
            | Object::Promotion(_)
            | Object::TaxRule(_) => None,
        }
    }

    /// Every object of a kind, in the order of ids.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        let objects = self.objects.get(&kind).into_iter().flat_map(BTreeMap::values);
        objects.map(|kept| &kept.object).filter(|object| !object.is_deleted())
    }

    /// Every item, in the order of ids.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.all(Kind::Item).filter_map(|object| if let Object::Item(item) = object { Some(item) } else { None })
    }

    /// Objects that changed since, in the order they did; `None` if deletions are forgotten that whoever asks would have
    /// to learn of, or if the number is none of this catalogue. Who knows nothing learns of no deletions.
    pub fn changed_since(&self, since: Since) -> Option<Vec<Arc<Kept>>> {
        let is_lost = match since {
            Since::Nothing | Since::Revision { known: 0, .. } => false,
            Since::Revision { known, deletions } => {
                known.max(deletions) > self.marks.revision || deletions < self.marks.forgotten
            }
            Since::Time(time) => self.marks.forgotten > 0 && time <= self.marks.forgotten_at,
        };
        if is_lost {
            return None;
        }
        let is_news = |kept: &&Shared| match since {
            Since::Nothing | Since::Revision { known: 0, .. } => !kept.object.is_deleted(),
            Since::Revision { deletions, .. } if kept.object.is_deleted() => kept.revision > deletions,
            Since::Revision { known, .. } => kept.revision > known,
            Since::Time(time) => kept.at >= time,
        };
        let mut changed: Vec<Shared> = self.kept().filter(is_news).cloned().collect();
        changed.sort_unstable_by_key(|kept| kept.revision);
        Some(changed)
    }

    /// What becomes of it.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] or [`Rejection::TooMany`] if something given makes no sense; the catalogue stays as it is.
    pub fn change(&self, command: &Command, at: Timestamp) -> Result<Revised, Rejection> {
        let (bundle, is_replaced) = match command {
            Command::Replace(bundle) => (bundle, true),
            Command::Merge(bundle) => (bundle, false),
        };
        if is_replaced && !bundle.deleted.is_empty() {
            let rule = "what is not in the catalogue goes by itself: give no deletions, or merge".to_owned();
            return Err(Rejection::invalid("deleted".to_owned(), rule));
        }
        let mut given = BTreeSet::new();
        let objects: Vec<(String, Object)> = Bundle::clone(bundle).into_objects().collect();
        for (place, object) in &objects {
            check::object(place, object)?;
            if !given.insert((object.kind(), object.id().clone())) {
                let twice = format!("{} is given twice", object.id());
                return Err(Rejection::invalid(format!("{place}.id"), twice));
            }
        }
        let mut revising = Revising { catalogue: self.clone(), at, changed: Vec::new(), loaded: Loaded::default() };
        if is_replaced {
            let gone = self.kept().filter(|kept| !given.contains(&(kept.object.kind(), kept.object.id().clone())));
            gone.for_each(|kept| revising.delete(kept.object.kind(), kept.object.id()));
        }
        bundle.deleted.iter().for_each(|object| revising.delete(object.kind, &object.id));
        objects.into_iter().for_each(|(_, object)| revising.set(object));
        revising.finish()
    }

    pub(super) fn group(&self, id: &Name) -> Option<&ModifierGroup> {
        match &self.object(Kind::ModifierGroup, id)?.object {
            Object::ModifierGroup(group) => Some(group),
            Object::Deleted(_)
            | Object::Category(_)
            | Object::Item(_)
            | Object::Promotion(_)
            | Object::TaxRule(_)
            | Object::Station(_) => None,
        }
    }

    pub(super) fn tax_class(&self, id: &Name) -> Option<&TaxClass> {
        match &self.object(Kind::TaxRule, id)?.object {
            Object::TaxRule(class) => Some(class),
            Object::Deleted(_)
            | Object::Category(_)
            | Object::Item(_)
            | Object::ModifierGroup(_)
            | Object::Promotion(_)
            | Object::Station(_) => None,
        }
    }

    pub(super) fn promotions(&self) -> impl Iterator<Item = &Promotion> {
        self.all(Kind::Promotion).filter_map(|object| match object {
            Object::Promotion(promotion) => Some(promotion),
            Object::Deleted(_)
            | Object::Category(_)
            | Object::Item(_)
            | Object::ModifierGroup(_)
            | Object::TaxRule(_)
            | Object::Station(_) => None,
        })
    }

    /// Whether there is such an object.
    pub(super) fn has(&self, kind: Kind, id: &Name) -> bool {
        self.object(kind, id).is_some_and(|kept| !kept.object.is_deleted())
    }

    fn by_id(&self, id: &Name) -> Option<&Item> {
        match &self.object(Kind::Item, id)?.object {
            Object::Item(item) => Some(item),
            Object::Deleted(_)
            | Object::Category(_)
            | Object::ModifierGroup(_)
            | Object::Promotion(_)
            | Object::TaxRule(_)
            | Object::Station(_) => None,
        }
    }

    fn object(&self, kind: Kind, id: &Name) -> Option<&Shared> {
        self.objects.get(&kind)?.get(id)
    }

    fn kept(&self) -> impl Iterator<Item = &Shared> {
        self.objects.values().flat_map(BTreeMap::values)
    }

    fn put(&mut self, kept: Shared) {
        self.objects.entry(kept.object.kind()).or_default().insert(kept.object.id().clone(), kept);
    }

    fn index(&mut self) {
        let barcodes = self.items().flat_map(|item| item.barcodes.iter().map(|code| (code.clone(), item.id.clone())));
        self.barcodes = barcodes.collect();
    }

    /// Drops the oldest deletions beyond the limit.
    fn forget(&mut self) -> Vec<ObjectRef> {
        let mut deleted: Vec<(u64, Timestamp, ObjectRef)> = self
            .kept()
            .filter_map(|kept| match &kept.object {
                Object::Deleted(object) => Some((kept.revision, kept.at, object.clone())),
                Object::Category(_)
                | Object::Item(_)
                | Object::ModifierGroup(_)
                | Object::Promotion(_)
                | Object::TaxRule(_)
                | Object::Station(_) => None,
            })
            .collect();
        let beyond = deleted.len().saturating_sub(CATALOGUE_TOMBSTONES);
        if beyond == 0 {
            return Vec::new();
        }
        deleted.sort_unstable_by_key(|(revision, _, _)| *revision);
        deleted.truncate(beyond);
        for (revision, at, object) in &deleted {
            self.objects.get_mut(&object.kind).and_then(|objects| objects.remove(&object.id));
            self.marks.forgotten = self.marks.forgotten.max(*revision);
            self.marks.forgotten_at = self.marks.forgotten_at.max(*at);
        }
        deleted.into_iter().map(|(_, _, object)| object).collect()
    }
}

/// A catalogue on its way to what it will be.
struct Revising {
    catalogue: Catalogue,
    at: Timestamp,
    changed: Vec<Shared>,
    loaded: Loaded,
}

impl Revising {
    fn delete(&mut self, kind: Kind, id: &Name) {
        if self.catalogue.has(kind, id) {
            self.loaded.deleted += 1;
            self.change(Object::Deleted(ObjectRef { kind, id: id.clone() }));
        }
    }

    fn set(&mut self, object: Object) {
        match self.catalogue.object(object.kind(), object.id()) {
            Some(kept) if kept.object == object => self.loaded.unchanged += 1,
            Some(kept) if !kept.object.is_deleted() => {
                self.loaded.updated += 1;
                self.change(object);
            }
            Some(_) | None => {
                self.loaded.created += 1;
                self.change(object);
            }
        }
    }

    fn change(&mut self, object: Object) {
        self.catalogue.marks.revision += 1;
        let kept = Arc::new(Kept { revision: self.catalogue.marks.revision, at: self.at, object });
        self.catalogue.put(Arc::clone(&kept));
        self.changed.push(kept);
    }

    fn finish(mut self) -> Result<Revised, Rejection> {
        check::whole(&self.catalogue)?;
        self.catalogue.index();
        let forgotten = self.catalogue.forget();
        // What was deleted and put in again by one command is written once.
        self.changed.retain(|kept| {
            let now = self.catalogue.object(kept.object.kind(), kept.object.id());
            now.is_some_and(|now| now.revision == kept.revision)
        });
        self.loaded.revision = self.catalogue.marks.revision;
        Ok(Revised { catalogue: self.catalogue, changed: self.changed, forgotten, loaded: self.loaded })
    }
}

#[cfg(test)]
pub(super) mod tests;
