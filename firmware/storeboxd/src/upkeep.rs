//! What the box does by itself so that it never fills up (U14).

use std::sync::Arc;
use std::time::Duration;

use storebox_core::command::Command;
use storebox_core::limits::CLEAN_UP_EVERY_S;
use storebox_core::retention::{self, Policy};
use tokio::sync::watch;

use crate::lan::Api;
use crate::store::Store;

/// Cleans up in bites, until the box stops.
pub async fn run(api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
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
