//! `provision find`

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use lexopt::{Arg, ValueExt};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::boxes::Found;
use crate::failure::{Failure, OrFail};
use crate::http::{self, Client, Trust};
use crate::progress::{Progress, Unit};
use crate::terminal;

/// What `provision find --help` prints.
pub const HELP: &str = "\
Usage: provision find [OPTION]...

Asks every address of this computer's own networks (IPv4) whether it is a store box, and shows those
that are: address, name, fingerprint of the key as the box's screen shows it, release, store. Of a
network with more than 1022 addresses it asks the 1022 around this computer's own.

Options:
  --port N        also ask this port; more than once for more. 443 is always asked
  --timeout S     wait so long for an address to answer; default 2 seconds
  -h, --help      this text

Boxes do not announce themselves by multicast DNS yet, so nothing else is listened for.
";

/// The largest network that is asked whole.
const PREFIX_MIN: u8 = 22;
/// Networks of a computer that are asked: one with containers has dozens.
const NETWORKS_MAX: usize = 16;
/// Connections at once: more than a cheap switch's or router's table minds.
const AT_ONCE: usize = 128;
/// What a box may need to answer when it was reached.
const ANSWER: Duration = Duration::from_secs(10);

/// Runs the command.
///
/// # Errors
/// If this computer has no network.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut ports, mut timeout) = (vec![443], Duration::from_secs(2));
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("port") => ports.push(arguments.value()?.parse()?),
            Arg::Long("timeout") => timeout = seconds(&arguments.value()?.string()?)?,
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    ports.sort_unstable();
    ports.dedup();
    let networks = networks()?;
    if networks.is_empty() {
        return Err(Failure::new("this computer has no network: connect it to the one the box is in"));
    }
    for network in &networks {
        terminal::say(&format!("Network {network}"));
    }
    let hosts: Vec<Ipv4Addr> = networks.iter().flat_map(Network::hosts).collect();
    let client = Client::new(Trust::Anybody, timeout, ANSWER)?;
    let found = http::run(scan(client, hosts, ports))?;
    if found.is_empty() {
        return Err(Failure::new(
            "no box answers: see whether it is on and its cable is in, and whether its screen shows an address of a \
             network this computer is in",
        ));
    }
    terminal::print(&table(&found))
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.05..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| Failure::usage("--timeout takes seconds, from 0.05 to 60"))
}

/// A network of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    own: Ipv4Addr,
    prefix: u8,
}

impl Network {
    fn new(own: Ipv4Addr, mask: Ipv4Addr) -> Self {
        let prefix = u8::try_from(mask.to_bits().leading_ones()).unwrap_or(32);
        Self { own, prefix: prefix.max(PREFIX_MIN) }
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// Every address a host can have in it.
    fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, last) = (self.own.to_bits() & self.mask(), self.own.to_bits() | !self.mask());
        // Two that are alone have no address for the network itself.
        let edge = u32::from(self.prefix < 31);
        (first.saturating_add(edge)..=last.saturating_sub(edge)).map(Ipv4Addr::from_bits)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.own.to_bits() & self.mask()), self.prefix)
    }
}

/// The networks of this computer, each once.
fn networks() -> Result<Vec<Network>, Failure> {
    let mut networks: Vec<Network> = Vec::new();
    for interface in getifaddrs().or_fail(|| "cannot see this computer's networks".to_owned())? {
        let flags = interface.flags;
        let is_network = flags.contains(InterfaceFlags::IFF_UP) && !flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let ip = |address: Option<nix::sys::socket::SockaddrStorage>| Some(address?.as_sockaddr_in()?.ip());
        let (Some(own), Some(mask), true) = (ip(interface.address), ip(interface.netmask), is_network) else {
            continue;
        };
        let network = Network::new(own, mask);
        if !networks.iter().any(|other| other.to_string() == network.to_string()) && networks.len() < NETWORKS_MAX {
            networks.push(network);
        }
    }
    Ok(networks)
}

type Place = (Ipv4Addr, u16);
type Boxes = BTreeMap<Place, Found>;

/// Asks all of them; who does not answer as a box does not count.
async fn scan(client: Client, hosts: Vec<Ipv4Addr>, ports: Vec<u16>) -> Result<Boxes, Failure> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    let mut found = Boxes::new();
    let places: Vec<_> = hosts.iter().flat_map(|host| ports.iter().map(move |port| (*host, *port))).collect();
    let mut progress = Progress::of("Asking", Unit::Items("addresses and ports"), u64::try_from(places.len()).ok());
    let mut note = |answer: Result<(Place, Result<Found, Failure>), JoinError>| {
        progress.add(1);
        if let Ok((place, Ok(answer))) = answer {
            found.insert(place, answer);
        }
    };
    for (host, port) in places {
        let permit = Arc::clone(&room).acquire_owned().await.or_fail(|| "cannot ask".to_owned())?;
        let client = client.clone();
        asked.spawn(async move {
            let answer = Found::ask(&client, &host.to_string(), port).await;
            drop(permit);
            ((host, port), answer)
        });
        while let Some(answer) = asked.try_join_next() {
            note(answer);
        }
    }
    while let Some(answer) = asked.join_next().await {
        note(answer);
    }
    drop(progress);
    Ok(found)
}

fn table(boxes: &Boxes) -> String {
    let head = ["ADDRESS", "NAME", "RELEASE", "STORE", "FINGERPRINT"].map(str::to_owned);
    let rows = boxes.iter().map(|((host, port), found)| {
        let address = if *port == 443 { host.to_string() } else { format!("{host}:{port}") };
        let Found { ping, host_name, fingerprint } = found.clone();
        [address, host_name, ping.version, ping.name, fingerprint]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_no_network_is_asked_beyond_a_bound() {
        let network = |own: &str, mask: &str| Network::new(own.parse().unwrap(), mask.parse().unwrap());
        let small = network("192.168.7.20", "255.255.255.0");
        assert_eq!(small.to_string(), "192.168.7.0/24");
        let hosts: Vec<Ipv4Addr> = small.hosts().collect();
        assert_eq!(
            (hosts.len(), hosts[0].to_string(), hosts[253].to_string()),
            (254, "192.168.7.1".into(), "192.168.7.254".into())
        );
        let large = network("10.1.2.3", "255.0.0.0");
        assert_eq!((large.to_string().as_str(), large.hosts().count()), ("10.1.0.0/22", 1022));
        assert_eq!(network("10.0.0.1", "255.255.255.254").hosts().count(), 2);
        assert_eq!(network("10.0.0.1", "255.255.255.255").hosts().count(), 1);
        assert_eq!(network("255.255.255.255", "255.255.252.0").hosts().count(), 1022);
    }
}
