//! Keeping the certificate in step with the time and with the names and addresses of the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::identity::{LanIdentity, LeafNames};
use super::tls::ServerTls;
use crate::clock::Clock;

/// How often the certificate is compared with the machine. An address often comes after the start (DHCP), and a
/// terminal that verifies the box cannot connect to it before the certificate names it. A look costs two short
/// conversations with the kernel, far less than a handshake; being told of changes instead would take a socket and a
/// parser of its own, and would still not say when a certificate is due.
const LOOK: Duration = Duration::from_secs(3);

/// Issues the certificate anew when it is due or the machine's names changed, without a restart, until `stopping`
/// becomes true. `names` are those the identity was loaded with.
pub async fn run(
    mut identity: LanIdentity,
    mut names: LeafNames,
    tls: Arc<ServerTls>,
    clock: Arc<dyn Clock>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(LOOK);
    let mut said = None;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            changed = stopping.changed() => match changed {
                Ok(()) if !*stopping.borrow() => continue,
                Ok(()) | Err(_) => return,
            },
        }
        let now_s = seconds(clock.as_ref());
        // A new certificate is written and synced, which may take a while on a small card.
        let looked = spawn_blocking(move || {
            let looked = look_once(&mut identity, &mut names, now_s);
            (identity, names, looked)
        });
        let looked_at;
        (identity, names, looked_at) = match looked.await {
            Ok(looked) => looked,
            Err(panicked) => {
                log::error!("the LAN certificate is no longer renewed: {panicked}");
                return;
            }
        };
        let mut trouble = looked_at.trouble;
        if looked_at.is_new {
            match tls.replace(&identity) {
                Ok(()) => log::info!("the LAN certificate was renewed"),
                Err(error) => trouble = Some(format!("the renewed LAN certificate cannot be used: {error}")),
            }
        }
        // The same trouble at every look would bury everything else in the log.
        if trouble != said {
            if let Some(trouble) = &trouble {
                log::warn!("{trouble}");
            }
            said = trouble;
        }
    }
}

/// The names of this machine; if they cannot be listed, those every box has.
pub fn machine_names() -> LeafNames {
    LeafNames::of_this_machine().unwrap_or_else(|error| {
        log::warn!("{}", unlisted(&error));
        LeafNames::fixed()
    })
}

/// Says that a certificate is used but not on disk, if that is so.
pub fn unsaved(identity: &LanIdentity) -> Option<String> {
    identity.unsaved().map(|error| format!("the LAN certificate is used but could not be kept: {error}"))
}

/// Wall time in seconds since 1970.
pub fn seconds(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.wall().as_millis() / 1_000).unwrap_or(i64::MAX)
}

struct Looked {
    is_new: bool,
    trouble: Option<String>,
}

fn look_once(identity: &mut LanIdentity, names: &mut LeafNames, now_s: i64) -> Looked {
    let mut trouble = None;
    match LeafNames::of_this_machine() {
        Ok(found) => *names = found,
        // The last names are nearer to the truth than none.
        Err(error) => trouble = Some(unlisted(&error)),
    }
    match identity.renew_if_due(now_s, names) {
        Ok(is_new) => Looked { is_new, trouble: unsaved(identity).or(trouble) },
        Err(error) => {
            Looked { is_new: false, trouble: Some(format!("the LAN certificate cannot be renewed: {error}")) }
        }
    }
}

fn unlisted(error: &std::io::Error) -> String {
    format!("cannot list this machine's addresses, the certificate may not name them: {error}")
}
