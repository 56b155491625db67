//! What the box does by itself so that it never fills up (U14).

use std::sync::Arc;
use std::time::Duration;

use storebox_core::command::Command;
use storebox_core::limits::CLEAN_UP_EVERY_S;
use storebox_core::retention::{self, Policy, may_give_space_back};
use tokio::sync::watch;

use crate::lan::Api;
use crate::store::Store;

/// Cleans up in bites, and gives space back at closing time, until the box stops.
pub async fn run(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
    let mut space = Space::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(CLEAN_UP_EVERY_S)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let policy = api.in_force().retention;
        if !policy.auto_cleanup {
            continue;
        }
        let policy = Policy { max_size_bytes: size_limit(&api.store, &policy), ..policy };
        let orders_before = policy.orders_from(api.store.now(), api.store.size().unwrap_or(0));
        api.store.note(Command::Retention(retention::Command::CleanUp { orders_before }));
        space.look(&api).await;
    }
}

/// What is known about the space that freed orders took.
#[derive(Default)]
struct Space {
    /// The last event there was, and since when there was no other.
    last_event: u64,
    quiet_since: Duration,
    /// How often space had been given back, and how many orders had been removed by then.
    given_back: u64,
    orders_then: Option<u64>,
}

impl Space {
    async fn look(&mut self, api: &Api) {
        let now = api.clock.monotonic();
        let last_event = *api.store.committed().borrow();
        if last_event != self.last_event {
            (self.last_event, self.quiet_since) = (last_event, now);
        }
        let Ok(progress) = api.store.read(|view| view.cleaned_up()).await else { return };
        let given_back = api.store.space_given_back();
        if given_back != self.given_back {
            (self.given_back, self.orders_then) = (given_back, None);
        }
        let removed = progress.orders.saturating_sub(*self.orders_then.get_or_insert(progress.orders));
        let settings = &api.in_force().settings;
        let hour = settings.calendar().hour(api.store.now());
        if may_give_space_back(removed, now.saturating_sub(self.quiet_since), hour, settings.day_starts_at_h) {
            api.store.give_space_back();
        }
    }
}

/// The size above which orders are kept for the least time only: half the disk at most.
pub fn size_limit(store: &Store, policy: &Policy) -> Option<u64> {
    let half = store.space().map(|(_, total)| total / 2);
    match (policy.max_size_bytes, half) {
        (Some(most), Some(half)) => Some(most.min(half)),
        (most, half) => most.or(half),
    }
}
