//! The rules as text for nft(8). Pure: from what is known, one text.

use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The LAN API. It comes from the socket unit, so it does not depend on the configuration.
const API_PORT: u16 = 443;
/// Port of a URL that names none.
const HTTPS_PORT: u16 = 443;
/// An IPv4 subnet larger than this is a mistake of whoever hands out addresses, and would let in half the world.
const SHORTEST_V4: u8 = 8;
/// The same for IPv6; a site gets /48 at most, and a provider /32.
const SHORTEST_V6: u8 = 32;

/// A network the box is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    network: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// The network of this address. Nothing, if it is no network of hosts beside the box: a single address, a
    /// multicast or loopback one, or a range too large to be a LAN.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let is_lan = match address {
            IpAddr::V4(_) => (SHORTEST_V4..32).contains(&prefix),
            // Link-local addresses are let in everywhere.
            IpAddr::V6(address) => (SHORTEST_V6..128).contains(&prefix) && !address.is_unicast_link_local(),
        };
        let is_host = !(address.is_unspecified() || address.is_loopback() || address.is_multicast());
        if !is_lan || !is_host {
            return None;
        }
        let network = match address {
            IpAddr::V4(address) => {
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - u32::from(prefix)))))
            }
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - u32::from(prefix)))))
            }
        };
        Some(Self { network, prefix })
    }
}

impl Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Everything the rules depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The networks the box is in.
    pub lan: Vec<Subnet>,
    /// Where the cloud listens; nothing without a cloud.
    pub cloud_port: Option<u16>,
}

/// The port of `[cloud] url` in the daemon's configuration, read leniently: what the daemon will refuse to start with
/// is none.
pub fn cloud_port(config: &str) -> Option<u16> {
    let config: toml::Table = config.parse().ok()?;
    let url = config.get("cloud")?.get("url")?.as_str()?;
    // RFC 3986, section 3.2: user information, host, which may have colons in brackets, and port.
    let authority = url.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let port = match host_and_port.rsplit_once(']') {
        Some((_, after)) => after.strip_prefix(':'),
        None => host_and_port.split_once(':').map(|(_, port)| port),
    };
    match port {
        None | Some("") => (!host_and_port.is_empty()).then_some(HTTPS_PORT),
        Some(port) => port.parse().ok().filter(|port| *port != 0),
    }
}

impl Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (v4, v6): (Vec<_>, Vec<_>) = self.lan.iter().partition(|subnet| subnet.network.is_ipv4());
        // Whatever a subnet is, whoever shares the cable has a link-local address (RFC 4291, section 2.5.6).
        let v6 = ["fe80::/10".to_owned()].into_iter().chain(v6.into_iter().map(Subnet::to_string));
        f.write_str("flush ruleset\ntable inet storebox {\n")?;
        set(f, "lan4", "ipv4_addr", v4.into_iter().map(Subnet::to_string))?;
        set(f, "lan6", "ipv6_addr", v6)?;
        for counter in ["dropped_in", "dropped_out", "dropped_through"] {
            writeln!(f, "\tcounter {counter} {{\n\t}}")?;
        }
        chain(f, "input", "dropped_in", INPUT)?;
        chain(f, "forward", "dropped_through", "")?;
        let cloud = self.cloud_port.map(|port| format!("tcp dport {port} accept")).unwrap_or_default();
        chain(f, "output", "dropped_out", &format!("{OUTPUT}{cloud}\n"))?;
        f.write_str("}\n")
    }
}

/// What the box answers to. Neighbour discovery comes with the hop limit of the same link (RFC 4861, section 7.1.1);
/// what it needs of ICMPv6 is RFC 4890, section 4.4. Groups are queried from the LAN, or from 0.0.0.0 (RFC 4541,
/// section 2.1.1), or the switches between would cut the box off from mDNS.
///
/// Protocols are numbers (1 ICMP, 2 IGMP, 6 TCP, 58 ICMPv6): their names are in a file that the image has not.
const INPUT: &str = "\
iif lo accept
ct state established,related accept
icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report } ip6 saddr fe80::/10 accept
icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
ip protocol 2 ip saddr 0.0.0.0 accept
ip protocol 2 ip saddr @lan4 accept
icmp type echo-request ip saddr @lan4 limit rate 10/second burst 20 packets accept
icmpv6 type echo-request ip6 saddr @lan6 limit rate 10/second burst 20 packets accept
udp sport 67 udp dport 68 accept
udp sport 547 udp dport 546 ip6 saddr fe80::/10 accept
ip saddr @lan4 tcp dport API_PORT accept
ip6 saddr @lan6 tcp dport API_PORT accept
ip saddr @lan4 udp dport 5353 accept
ip6 saddr @lan6 udp dport 5353 accept
";

/// What the box asks for. Printers, a NUT server and other boxes are on the LAN; the box's own answers to mDNS go to
/// whoever asked there, from a port that says what they are.
const OUTPUT: &str = "\
oif lo accept
ct state established,related accept
meta l4proto { 1, 2, 58 } accept
udp sport 68 udp dport 67 accept
udp sport 546 udp dport 547 accept
udp dport { 53, 123 } accept
tcp dport 53 accept
udp dport 5353 ip daddr 224.0.0.251 accept
udp dport 5353 ip6 daddr ff02::fb accept
udp sport 5353 ip daddr @lan4 accept
udp sport 5353 ip6 daddr @lan6 accept
ip daddr @lan4 meta l4proto 6 accept
ip6 daddr @lan6 meta l4proto 6 accept
";

fn set(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, elements: impl Iterator<Item = String>) -> fmt::Result {
    let elements: Vec<String> = elements.collect();
    writeln!(f, "\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\tauto-merge")?;
    // A set without elements is written without the word.
    if !elements.is_empty() {
        writeln!(f, "\t\telements = {{ {} }}", elements.join(", "))?;
    }
    f.write_str("\t}\n")
}

/// A chain that drops, and counts, what no rule of it lets through.
fn chain(f: &mut fmt::Formatter<'_>, hook: &str, counter: &str, rules: &str) -> fmt::Result {
    writeln!(f, "\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter; policy drop;")?;
    for rule in rules.lines().filter(|rule| !rule.is_empty()) {
        f.write_str("\t\t")?;
        f.write_str(&rule.replace("API_PORT", &API_PORT.to_string()))?;
        f.write_char('\n')?;
    }
    writeln!(f, "\t\tcounter name {counter}\n\t}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str, prefix: u8) -> Option<String> {
        Subnet::new(text.parse().unwrap(), prefix).map(|subnet| subnet.to_string())
    }

    #[test]
    fn a_subnet_is_the_network_of_an_address() {
        assert_eq!(subnet("192.168.7.20", 24).as_deref(), Some("192.168.7.0/24"));
        assert_eq!(subnet("169.254.9.9", 16).as_deref(), Some("169.254.0.0/16"));
        assert_eq!(subnet("2001:db8::1:2:3:4", 64).as_deref(), Some("2001:db8::/64"));
        assert_eq!(subnet("fd00::1", 48).as_deref(), Some("fd00::/48"));
    }

    #[test]
    fn what_is_no_lan_is_no_subnet() {
        for (text, prefix) in [
            ("10.0.0.1", 32),
            ("10.0.0.1", 7),
            ("10.0.0.1", 0),
            ("10.0.0.1", 200),
            ("127.0.0.1", 8),
            ("0.0.0.0", 24),
            ("224.0.0.1", 24),
            ("fe80::1", 64),
            ("2001:db8::1", 128),
            ("2001:db8::1", 16),
            ("::1", 128),
            ("ff02::1", 64),
        ] {
            assert_eq!(subnet(text, prefix), None, "{text}/{prefix}");
        }
    }

    #[test]
    fn the_cloud_s_port_is_read_leniently() {
        for (url, port) in [
            ("https://cloud.example", Some(443)),
            ("https://cloud.example:8443/path?q=:1", Some(8443)),
            ("https://user:word@cloud.example/", Some(443)),
            ("https://[2001:db8::1]", Some(443)),
            ("https://[2001:db8::1]:444/", Some(444)),
            ("https://cloud.example:", Some(443)),
            ("https://cloud.example:0", None),
            ("https://cloud.example:65536", None),
            ("https://", None),
            ("http://cloud.example", None),
        ] {
            let config = format!("unknown = 1\n[cloud]\nurl = '{url}'\nmore = [1]\n[other]\n");
            assert_eq!(cloud_port(&config), port, "{url}");
        }
        for none in ["", "[cloud]\n", "[cloud]\nurl = 1\n", "cloud = 'https://a'\n", "not toml"] {
            assert_eq!(cloud_port(none), None, "{none}");
        }
    }

    /// Row B10: in from the LAN's own subnets only, out to what is named.
    #[test]
    fn the_rules_follow_what_is_known() {
        let lan = [("192.168.7.20", 24), ("fd00::20", 64)]
            .map(|(address, prefix)| Subnet::new(address.parse().unwrap(), prefix).unwrap());
        let rules = Ruleset { lan: lan.to_vec(), cloud_port: Some(8443) }.to_string();
        for line in [
            "elements = { 192.168.7.0/24 }",
            "elements = { fe80::/10, fd00::/64 }",
            "type filter hook input priority filter; policy drop;",
            "type filter hook forward priority filter; policy drop;",
            "type filter hook output priority filter; policy drop;",
            "ip saddr @lan4 tcp dport 443 accept",
            "ip6 saddr @lan6 tcp dport 443 accept",
            "tcp dport 8443 accept",
        ] {
            assert!(rules.lines().any(|found| found.trim() == line), "{line} is not in\n{rules}");
        }
        assert!(rules.starts_with("flush ruleset\n"), "old and new rules change places in one transaction");
    }

    /// Row B10: before there is an address, and without a cloud.
    #[test]
    fn without_addresses_nobody_but_the_link_is_let_in() {
        let rules = Ruleset::default().to_string();
        assert_eq!(rules.matches("elements").count(), 1, "{rules}");
        assert!(rules.contains("elements = { fe80::/10 }"));
        let output = rules.split("chain output").nth(1).unwrap();
        let is_tcp = |line: &&str| line.contains("tcp") || line.contains("l4proto 6");
        let opened: Vec<_> = output.lines().filter(is_tcp).map(str::trim).collect();
        let expected =
            ["tcp dport 53 accept", "ip daddr @lan4 meta l4proto 6 accept", "ip6 daddr @lan6 meta l4proto 6 accept"];
        assert_eq!(opened, expected);
    }
}
