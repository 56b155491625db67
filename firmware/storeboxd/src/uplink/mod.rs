//! The box and its cloud: from the installer's file to a registered box, and what keeps it one.
//!
//! What is to be done next is decided by [`storebox_provisioning::enrolment`]; here it is done. Nothing of it holds up a
//! sale: terminals are served before the first look at the installer's file, and whatever fails is tried again.

mod client;
mod driver;
mod machine;
mod network;
mod site;
mod steps;
mod trust;

use std::sync::{Arc, PoisonError, RwLock};

use storebox_core::network::CloudUrl;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::site::Fault;
use storebox_provisioning::status::{Mark, Standing};

pub use driver::Driver;
pub use site::Place;

/// How the box stands with its cloud, for whoever asks.
#[derive(Clone, Debug)]
pub struct View {
    /// Where the cloud is; none for a box that belongs to no store.
    pub cloud: Option<CloudUrl>,
    /// The box's name to the cloud, once it has a key.
    pub id: Option<BoxId>,
    /// What the store is called in the cloud, once the box is registered.
    pub store: Option<Name>,
    /// How far it has come.
    pub standing: Standing,
    /// What is wrong with the installer's file.
    pub faults: Vec<Fault>,
    /// When the cloud last answered, by the box's clock.
    pub answered_at: Option<Timestamp>,
}

impl View {
    /// How far the box has come, in a sentence; none if it belongs to no store.
    pub fn sentence(&self) -> Option<String> {
        self.cloud.as_ref()?;
        let broken = self.standing.steps.iter().find(|(_, mark)| *mark == Mark::Broken);
        Some(match (broken, &self.store) {
            (Some(_), _) if !self.standing.what.is_empty() => self.standing.what.to_owned(),
            (Some((stage, _)), _) => format!("Not yet: {}.", stage.title()),
            (None, Some(store)) => format!("Registered for {}.", store.as_str()),
            (None, None) => "The box registers.".to_owned(),
        })
    }
}

/// What the driver tells everybody else.
#[derive(Debug, Default)]
pub struct Uplink(RwLock<Option<Arc<View>>>);

impl Uplink {
    /// How the box stands with its cloud; none before the first look.
    pub fn view(&self) -> Option<Arc<View>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, view: View) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
    }
}
