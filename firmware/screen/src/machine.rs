//! What the machine and the other programs on it say.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use serde::de::DeserializeOwned;
use storebox_image::layout::{PARAMETER_SLOT, Slot};

use crate::facts::Network;

/// The files are a few hundred bytes; anything larger is not from this box.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The machine's name without its domain; empty if it has none.
pub fn host_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    host.split('.').next().unwrap_or_default().to_owned()
}

/// How the machine is connected, asked of the kernel (getifaddrs(3)).
///
/// # Errors
/// What the system said; a confined process needs AF_NETLINK for this.
pub fn network() -> io::Result<Network> {
    let mut has_link = false;
    let mut addresses = Vec::new();
    for interface in getifaddrs()? {
        let is_connected = interface.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        if !is_connected || interface.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        has_link = true;
        let Some(address) = interface.address else { continue };
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        addresses.extend(v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip()))));
    }
    Ok(if has_link { of_addresses(addresses) } else { Network::NoLink })
}

/// The addresses a person can type, the most useful first.
fn of_addresses(mut addresses: Vec<IpAddr>) -> Network {
    addresses.retain(|address| rank(address).is_some());
    addresses.sort_by_key(|address| (rank(address), *address));
    addresses.dedup();
    if addresses.is_empty() { Network::NoAddress } else { Network::Addresses(addresses) }
}

/// IPv4 from a router or the owner, then what the box gave itself (RFC 3927), then IPv6 of the site (RFC 4193). Others of
/// IPv6 need a zone no browser takes, or are outside what the box's certificate can name.
fn rank(address: &IpAddr) -> Option<u8> {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() || *v4 == Ipv4Addr::UNSPECIFIED => None,
        IpAddr::V4(v4) if v4.is_link_local() => Some(1),
        IpAddr::V4(_) => Some(0),
        IpAddr::V6(v6) => Ipv6Addr::is_unique_local(v6).then_some(2),
    }
}

/// Which system runs, from the kernel's command line; none if it does not say.
pub fn slot() -> Option<&'static str> {
    slot_of(&read(Path::new("/proc/cmdline")).ok()?)
}

fn slot_of(command_line: &str) -> Option<&'static str> {
    let mut parameters = command_line.split_ascii_whitespace().filter_map(|parameter| parameter.split_once('='));
    let letter = parameters.rfind(|(name, _)| *name == PARAMETER_SLOT)?.1;
    Slot::from_letter(letter).map(Slot::letter)
}

/// What a file of JSON says; none if there is no such file.
///
/// # Errors
/// What the system said, or that the file is no such JSON.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match read(path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_a_person_can_use_come_in_order() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let all = ["fd00::5", "fe80::1", "169.254.1.2", "2001:db8::1", "192.168.1.20", "10.0.0.4", "192.168.1.20"];
        let wanted = parse(&["10.0.0.4", "192.168.1.20", "169.254.1.2", "fd00::5"]);
        assert_eq!(of_addresses(parse(&all)), Network::Addresses(wanted));
        assert_eq!(of_addresses(parse(&["fe80::1", "127.0.0.1"])), Network::NoAddress);
    }

    #[test]
    fn the_slot_is_on_the_command_line() {
        assert_eq!(slot_of("quiet storebox.slot=b storebox.verity=00:1\n"), Some("b"));
        for none in ["", "storebox.slot", "storebox.slot=c", "xstorebox.slot=a"] {
            assert_eq!(slot_of(none), None, "{none}");
        }
    }
}
