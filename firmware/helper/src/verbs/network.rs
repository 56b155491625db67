//! How the box gets its address.
//!
//! The image's own configuration of networkd takes an address from the network. A static address is one more file,
//! which comes first in the alphabet and therefore wins (systemd.network(5)); it is kept on the data partition and
//! laid under `/run` at every start by `storebox-data`. Going back means taking both away.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::files::{self, KEPT, NETWORK_RUNTIME, Root};
use crate::limits::{NAME_SERVERS_MAX, VERB_TIME_MAX};
use crate::machine::{Machine, folder_with_mode};
use crate::program::Program;
use crate::protocol::{Answer, NetworkPlan, Refusal, Reply};
use crate::verbs::SYSTEMCTL;

/// The file's name in both places. Those of the image begin with a greater number.
pub const FILE: &str = "10-storebox-static.network";
/// Folder of the copy that outlasts a start.
pub const KEPT_FOLDER: &str = "network";

/// An address given by the owner, with what belongs to it. What does not fit together cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct StaticAddress {
    address: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    dns: List<IpAddr, NAME_SERVERS_MAX>,
}

#[derive(Deserialize)]
struct Unchecked {
    address: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    dns: List<IpAddr, NAME_SERVERS_MAX>,
}

impl TryFrom<Unchecked> for StaticAddress {
    type Error = NetworkFault;

    fn try_from(unchecked: Unchecked) -> Result<Self, NetworkFault> {
        let Unchecked { address, prefix, gateway, dns } = unchecked;
        Self::new(address, prefix, gateway, dns.as_slice().to_vec())
    }
}

impl StaticAddress {
    /// An address, the length of its network's prefix in bits, and where the rest of the world and names are found.
    ///
    /// # Errors
    /// [`NetworkFault`] says what does not fit.
    pub fn new(address: IpAddr, prefix: u8, gateway: Option<IpAddr>, dns: Vec<IpAddr>) -> Result<Self, NetworkFault> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        // The last two leave no room for the box and one other.
        if prefix == 0 || prefix > bits - 2 {
            return Err(NetworkFault::Prefix);
        }
        if !is_of_a_host(address) || (address.is_ipv4() && is_first_or_last(address, prefix)) {
            return Err(NetworkFault::Address);
        }
        if gateway.is_some_and(|gateway| !reaches(address, prefix, gateway)) {
            return Err(NetworkFault::Gateway);
        }
        if !dns.iter().copied().all(is_of_a_host) {
            return Err(NetworkFault::NameServer);
        }
        let dns = List::new(dns).map_err(|_| NetworkFault::NameServers)?;
        Ok(Self { address, prefix, gateway, dns })
    }

    /// The file for networkd.
    fn file(&self) -> String {
        let mut text = format!(
            "# Written by storebox-helper.\n\
             [Match]\nType=ether\nKind=!*\n\n\
             [Network]\nDHCP=no\nLinkLocalAddressing=yes\nIPv6AcceptRA=yes\nMulticastDNS=no\nLLMNR=no\n\
             Address={}/{}\n",
            self.address, self.prefix
        );
        if let Some(gateway) = self.gateway {
            text.push_str(&format!("Gateway={gateway}\n"));
        }
        for server in self.dns.as_slice() {
            text.push_str(&format!("DNS={server}\n"));
        }
        text
    }
}

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
            let text = address.file();
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

/// Whether a host can have this address in a store's network.
fn is_of_a_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_broadcast)
}

/// Whether an IPv4 address is that of its network or its broadcast.
fn is_first_or_last(address: IpAddr, prefix: u8) -> bool {
    let host = mask(address, prefix);
    let place = number(address) & host;
    place == 0 || place == host
}

/// Whether a gateway is another host of the same network. One with a link-local address is, in any IPv6 network.
fn reaches(address: IpAddr, prefix: u8, gateway: IpAddr) -> bool {
    let is_link_local = matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
    let is_same_network = number(address) & !mask(address, prefix) == number(gateway) & !mask(address, prefix);
    address.is_ipv4() == gateway.is_ipv4()
        && gateway != address
        && is_of_a_host(gateway)
        && (is_same_network || is_link_local)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Ones where an address tells the host, not the network.
fn mask(address: IpAddr, prefix: u8) -> u128 {
    1_u128.checked_shl(host_bits(address, prefix)).map_or(u128::MAX, |bit| bit - 1)
}

fn host_bits(address: IpAddr, prefix: u8) -> u32 {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    bits - u32::from(prefix).min(bits)
}

/// What does not fit in a static address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// The prefix is longer or shorter than a network of hosts can have.
    Prefix,
    /// No host can have the address.
    Address,
    /// The gateway is no other host of the same network.
    Gateway,
    /// No host can have the address of a name server.
    NameServer,
    /// There are more name servers than are ever asked.
    NameServers,
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str("the network mask leaves no room for the box and one other"),
            Self::Address => f.write_str("no host can have this address in its network"),
            Self::Gateway => f.write_str("the gateway is not in the same network"),
            Self::NameServer => f.write_str("no name server can have this address"),
            Self::NameServers => write!(f, "more than {NAME_SERVERS_MAX} name servers"),
        }
    }
}

impl std::error::Error for NetworkFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;

    fn address(text: &str, prefix: u8, gateway: &str) -> Result<StaticAddress, NetworkFault> {
        let gateway = (!gateway.is_empty()).then(|| gateway.parse().unwrap());
        StaticAddress::new(text.parse().unwrap(), prefix, gateway, vec!["9.9.9.9".parse().unwrap()])
    }

    /// Row B9.
    #[test]
    fn a_static_address_is_one_file_in_two_places_and_goes_without_trace() {
        let scratch = Scratch::new("network");
        let fake = Fake::new();
        let plan = NetworkPlan::Static(address("192.168.7.20", 24, "192.168.7.1").unwrap());
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

    #[test]
    fn what_fits_together_is_taken() {
        for (text, prefix, gateway) in [
            ("192.168.7.20", 24, ""),
            ("10.255.255.254", 8, "10.0.0.1"),
            ("192.0.2.1", 30, "192.0.2.2"),
            ("2001:db8::20", 64, "2001:db8::1"),
            ("2001:db8::20", 64, "fe80::1"),
            ("fd00::", 64, ""),
        ] {
            assert!(address(text, prefix, gateway).is_ok(), "{text}/{prefix} {gateway}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, prefix, gateway, fault) in [
            ("192.168.7.20", 0, "", NetworkFault::Prefix),
            ("192.168.7.20", 31, "", NetworkFault::Prefix),
            ("192.168.7.20", 255, "", NetworkFault::Prefix),
            ("2001:db8::1", 127, "", NetworkFault::Prefix),
            ("192.168.7.0", 24, "", NetworkFault::Address),
            ("192.168.7.255", 24, "", NetworkFault::Address),
            ("127.0.0.1", 8, "", NetworkFault::Address),
            ("224.0.0.251", 24, "", NetworkFault::Address),
            ("0.0.0.0", 24, "", NetworkFault::Address),
            ("::1", 64, "", NetworkFault::Address),
            ("192.168.7.20", 24, "192.168.8.1", NetworkFault::Gateway),
            ("192.168.7.20", 24, "192.168.7.20", NetworkFault::Gateway),
            ("192.168.7.20", 24, "fe80::1", NetworkFault::Gateway),
            ("2001:db8::20", 64, "2001:db8:0:1::1", NetworkFault::Gateway),
        ] {
            assert_eq!(address(text, prefix, gateway), Err(fault), "{text}/{prefix} {gateway}");
        }
        let servers = |count| vec!["9.9.9.9".parse().unwrap(); count];
        let with = |servers| StaticAddress::new("10.0.0.2".parse().unwrap(), 8, None, servers);
        assert_eq!(with(servers(4)), Err(NetworkFault::NameServers));
        assert_eq!(with(vec!["::".parse().unwrap()]), Err(NetworkFault::NameServer));
    }
}
