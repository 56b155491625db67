//! How the box gets its address.
//!
//! The image's own configuration of networkd takes an address from the network. A static address is one more file,
//! which comes first in the alphabet and therefore wins (systemd.network(5)); it is kept on the data partition and
//! laid under `/run` at every start by `storebox-data`. Going back means taking both away.

use std::fs;
use std::io;

use storebox_core::network::StaticAddress;

use crate::files::{self, KEPT, NETWORK_RUNTIME, Root};
use crate::limits::VERB_TIME_MAX;
use crate::machine::{Machine, folder_with_mode};
use crate::program::Program;
use crate::protocol::{Answer, NetworkPlan, Refusal, Reply};
use crate::verbs::SYSTEMCTL;

/// The file's name in both places. Those of the image begin with a greater number.
pub const FILE: &str = "10-storebox-static.network";
/// Folder of the copy that outlasts a start.
pub const KEPT_FOLDER: &str = "network";

/// Does as planned, now and at every start to come.
///
/// # Errors
/// [`Refusal::Failed`]. The plan may be kept for the next start already.
pub fn apply(root: &Root, machine: &impl Machine, plan: &NetworkPlan) -> Answer {
    write(root, plan).map_err(Refusal::failed)?;
    // What `networkctl reload` asks for over a message bus, which the image has not; the unit's type is notify-reload.
    let program = Program::new(SYSTEMCTL, VERB_TIME_MAX).args(["reload-or-restart", "systemd-networkd.service"]);
    machine.run(&program).and_then(|ended| ended.well()).map_err(Refusal::failed)?;
    log::info!(plan:? = plan; "the network was configured");
    Ok(Reply::Done)
}

fn write(root: &Root, plan: &NetworkPlan) -> io::Result<()> {
    let (kept, runtime) = (root.at(KEPT).join(KEPT_FOLDER), root.at(NETWORK_RUNTIME));
    match plan {
        NetworkPlan::Dhcp => {
            files::remove(&kept.join(FILE))?;
            files::remove(&runtime.join(FILE))
        }
        NetworkPlan::Static(address) => {
            let text = file(address);
            folder_with_mode(&root.at(KEPT), 0o700)?;
            files::make_folder(&kept, 0o700)?;
            files::replace(&kept.join(FILE), text.as_bytes(), 0o600)?;
            // networkd does not run as root.
            folder_with_mode(&runtime, 0o755)?;
            files::replace(&runtime.join(FILE), text.as_bytes(), 0o644)
        }
    }
}

/// Lays what was kept where networkd looks; for the time before networkd starts.
///
/// # Errors
/// As writing has them.
pub fn restore(root: &Root) -> io::Result<()> {
    let kept = root.at(KEPT).join(KEPT_FOLDER).join(FILE);
    match fs::read(&kept) {
        Ok(text) => {
            folder_with_mode(&root.at(NETWORK_RUNTIME), 0o755)?;
            files::replace(&root.at(NETWORK_RUNTIME).join(FILE), &text, 0o644)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The file for networkd.
fn file(address: &StaticAddress) -> String {
    let mut text = format!(
        "# Written by storebox-helper.\n\
         [Match]\nType=ether\nKind=!*\n\n\
         [Network]\nDHCP=no\nLinkLocalAddressing=yes\nIPv6AcceptRA=yes\nMulticastDNS=no\nLLMNR=no\n\
         Address={}/{}\n",
        address.address(),
        address.prefix()
    );
    if let Some(gateway) = address.gateway() {
        text.push_str(&format!("Gateway={gateway}\n"));
    }
    for server in address.dns() {
        text.push_str(&format!("DNS={server}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;

    fn address(text: &str, prefix: u8, gateway: &str) -> StaticAddress {
        let gateway = Some(gateway.parse().unwrap());
        StaticAddress::new(text.parse().unwrap(), prefix, gateway, vec!["9.9.9.9".parse().unwrap()]).unwrap()
    }

    /// Row B9.
    #[test]
    fn a_static_address_is_one_file_in_two_places_and_goes_without_trace() {
        let scratch = Scratch::new("network");
        let fake = Fake::new();
        let plan = NetworkPlan::Static(address("192.168.7.20", 24, "192.168.7.1"));
        assert_eq!(apply(&scratch.root(), &fake, &plan), Ok(Reply::Done));
        let kept = scratch.read("/var/lib/storebox-system/network/10-storebox-static.network");
        assert_eq!(kept, scratch.read("/run/systemd/network/10-storebox-static.network"));
        assert!(kept.ends_with("Address=192.168.7.20/24\nGateway=192.168.7.1\nDNS=9.9.9.9\n"), "{kept}");

        fs::remove_dir_all(scratch.root().at("/run")).unwrap();
        restore(&scratch.root()).unwrap();
        assert_eq!(kept, scratch.read("/run/systemd/network/10-storebox-static.network"));

        assert_eq!(apply(&scratch.root(), &fake, &NetworkPlan::Dhcp), Ok(Reply::Done));
        assert!(files::names(&scratch.root().at("/run/systemd/network")).is_empty());
        restore(&scratch.root()).unwrap();
        assert!(files::names(&scratch.root().at("/run/systemd/network")).is_empty());
        assert_eq!(fake.done(), ["systemctl reload-or-restart systemd-networkd.service"; 2]);
    }

    #[test]
    fn going_back_to_dhcp_works_where_nothing_was_ever_set() {
        let scratch = Scratch::new("network-empty");
        assert_eq!(apply(&scratch.root(), &Fake::new(), &NetworkPlan::Dhcp), Ok(Reply::Done));
    }
}
