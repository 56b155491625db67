//! Gives the machine the address its installer wants, and takes it back if it reaches nobody (B9).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use storebox_core::network::StaticAddress;
use storebox_helper::client::Client;
use storebox_helper::protocol::{NetworkPlan, Request};
use storebox_provisioning::address::{Kept, Plan, Trial};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use crate::files;

/// What is kept, in the folder of the uplink.
const FILE: &str = "address.json";
/// Name servers are asked for by this port; whoever is there answers, if only that it is closed.
const DNS: u16 = 53;
/// The kernel gives up finding a neighbour after three seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);

/// The machine's network, which only the helper changes.
pub struct Network {
    file: PathBuf,
    trial: Trial,
    looked_at: Option<Duration>,
    said: String,
}

impl Network {
    /// Goes on from what is kept in a folder.
    pub fn load(folder: &Path) -> Self {
        let file = folder.join(FILE);
        let kept = files::read(&file).ok().flatten().and_then(|text| serde_json::from_str(&text).ok());
        Self { file, trial: Trial::new(kept.unwrap_or_default()), looked_at: None, said: String::new() }
    }

    /// Whether the installer's address was given up.
    pub fn has_failed(&self) -> bool {
        self.trial.has_failed()
    }

    /// Looks whether the wish of the installer is of use, and does what follows. `has_address` says whether the network gave
    /// the box one.
    pub async fn look(&mut self, now: Duration, wish: Option<&StaticAddress>, has_address: bool) {
        if self.looked_at.is_some_and(|looked_at| now < looked_at + LOOK) {
            return;
        }
        self.looked_at = Some(now);
        self.trial.wish(wish.cloned());
        let reaches = match wish {
            Some(_) if self.trial.has_failed() => has_address,
            Some(wish) if self.trial.kept().proven.as_ref() != Some(wish) => reaches(wish).await,
            Some(_) | None => true,
        };
        let before = self.trial.kept().clone();
        let plan = self.trial.next(now, reaches);
        if *self.trial.kept() != before {
            self.keep();
        }
        if let Some(plan) = plan {
            self.apply(plan).await;
        }
    }

    fn keep(&mut self) {
        let kept: &Kept = self.trial.kept();
        let text = serde_json::to_string(kept).map_err(std::io::Error::other);
        if let Err(error) = text.and_then(|text| files::write(&self.file, text.as_bytes(), files::PRIVATE)) {
            self.say(format!("what is known of the address cannot be kept: {error}"));
        }
    }

    async fn apply(&mut self, plan: Plan) {
        let plan = match plan {
            Plan::Given => {
                log::warn!("the static address is not used: the box takes what the network gives");
                NetworkPlan::Dhcp
            }
            Plan::Static(address) => {
                log::info!("the box takes the address {}/{}", address.address(), address.prefix());
                NetworkPlan::Static(address)
            }
        };
        match spawn_blocking(move || Client::default().ask(&Request::ApplyNetwork(plan))).await {
            Ok(Ok(_)) => self.said.clear(),
            Ok(Err(error)) => self.say(format!("the network cannot be configured: {error}")),
            Err(panicked) => self.say(format!("the network cannot be configured: {panicked}")),
        }
    }

    /// Says the same thing once.
    fn say(&mut self, what: String) {
        if what != self.said {
            log::warn!("{what}");
            self.said = what;
        }
    }
}

/// Whether somebody is there who belongs to this address: its gateway, or a name server. With neither nobody can be asked,
/// so the installer is believed.
async fn reaches(address: &StaticAddress) -> bool {
    let gateway = address.gateway().map(|gateway| (gateway, true));
    let others: Vec<_> = gateway.into_iter().chain(address.dns().iter().map(|server| (*server, false))).collect();
    if others.is_empty() {
        return true;
    }
    for (other, is_neighbour) in others {
        if is_there(SocketAddr::new(other, DNS), is_neighbour).await {
            return true;
        }
    }
    false
}

/// Whether a machine is there: one that takes the connection or refuses it. A neighbour may also say nothing, for of one
/// that is not there the kernel says so within three seconds; of others silence says nothing.
async fn is_there(address: SocketAddr, is_neighbour: bool) -> bool {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Err(_silent) => is_neighbour,
    }
}
