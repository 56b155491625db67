//! Addresses: the box's in the store's network, and the cloud's.

use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::limits::{NAME_SERVERS, URL_CHARS};

/// Where the cloud is: `https://`, a name or address, perhaps a port and a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CloudUrl(String);

impl CloudUrl {
    /// Takes an address as people write it, with or without a slash at its end.
    ///
    /// # Errors
    /// [`NotAUrl`].
    pub fn new(text: &str) -> Result<Self, NotAUrl> {
        let text = text.trim_end_matches('/');
        let rest = text.strip_prefix("https://").ok_or(NotAUrl)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let is_printable = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '?' | '#' | '@');
        let url = Self(text.to_owned());
        let has_host = !url.host().is_empty() && (authority.len() == url.host().len() || url.port() != 0);
        if has_host && text.len() <= URL_CHARS && rest.chars().all(is_printable) { Ok(url) } else { Err(NotAUrl) }
    }

    /// The whole, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.host_and_port().0
    }

    /// The port: 443 if it says none, 0 if what it says is none.
    pub fn port(&self) -> u16 {
        self.host_and_port().1.map_or(443, |port| port.parse().unwrap_or_default())
    }

    /// Host and port, as they are written.
    pub fn authority(&self) -> &str {
        self.0.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default()
    }

    /// What comes after them: nothing, or a path that begins with a slash.
    pub fn path(&self) -> &str {
        let rest = self.0.strip_prefix("https://").unwrap_or_default();
        rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default()
    }

    fn host_and_port(&self) -> (&str, Option<&str>) {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            // A colon within brackets belongs to an IPv6 address.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        }
    }
}

impl TryFrom<String> for CloudUrl {
    type Error = NotAUrl;

    fn try_from(text: String) -> Result<Self, NotAUrl> {
        Self::new(&text)
    }
}

impl fmt::Display for CloudUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text is no address of a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAUrl;

impl fmt::Display for NotAUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cloud's address begins with https:// and a name")
    }
}

impl core::error::Error for NotAUrl {}

/// An address given by the owner, with what belongs to it. What does not fit together cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct StaticAddress {
    address: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    dns: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct Unchecked {
    address: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
    dns: Vec<IpAddr>,
}

impl TryFrom<Unchecked> for StaticAddress {
    type Error = NetworkFault;

    fn try_from(unchecked: Unchecked) -> Result<Self, NetworkFault> {
        let Unchecked { address, prefix, gateway, dns } = unchecked;
        Self::new(address, prefix, gateway, dns)
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
        if dns.len() > NAME_SERVERS {
            return Err(NetworkFault::NameServers);
        }
        if !dns.iter().copied().all(is_of_a_host) {
            return Err(NetworkFault::NameServer);
        }
        Ok(Self { address, prefix, gateway, dns })
    }

    /// The address itself.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of its network's prefix in bits.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Where the rest of the world is found.
    pub const fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// Where names are found.
    pub fn dns(&self) -> &[IpAddr] {
        &self.dns
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
            Self::NameServers => write!(f, "more than {NAME_SERVERS} name servers"),
        }
    }
}

impl core::error::Error for NetworkFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_the_clouds_address_is_taken_as_people_write_it() {
        for (text, host, port) in [
            ("https://cloud.example", "cloud.example", 443),
            ("https://cloud.example/", "cloud.example", 443),
            ("https://cloud.example:8444/stores/", "cloud.example", 8444),
            ("https://192.0.2.7:1", "192.0.2.7", 1),
            ("https://[2001:db8::7]", "[2001:db8::7]", 443),
            ("https://[2001:db8::7]:8443/x", "[2001:db8::7]", 8443),
        ] {
            let url = CloudUrl::new(text).unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.as_str(), text.trim_end_matches('/'));
        }
        for text in [
            "",
            "cloud.example",
            "http://cloud.example",
            "https://",
            "https:///path",
            "https://two words",
            "https://a:b",
            "https://a:",
            "https://a:70000",
            "https://a:0",
            "https://:443",
            "https://me:secret@a",
            "https://a?q",
            "https://a#f",
            "https://a\n",
            "https://\u{fc}ber.example",
        ] {
            assert_eq!(CloudUrl::new(text), Err(NotAUrl), "{text}");
        }
    }

    fn address(text: &str, prefix: u8, gateway: &str) -> Result<StaticAddress, NetworkFault> {
        let gateway = (!gateway.is_empty()).then(|| gateway.parse().unwrap());
        StaticAddress::new(text.parse().unwrap(), prefix, gateway, vec!["9.9.9.9".parse().unwrap()])
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
