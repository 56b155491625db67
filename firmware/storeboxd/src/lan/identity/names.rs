//! The names and addresses the box answers to, held to what its CA may vouch for.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;

/// DNS subtrees the CA may vouch for: multicast DNS (RFC 6762) and the machine itself.
pub(super) const DNS_PERMITTED: [&str; 2] = ["local", "localhost"];

/// IPv4 ranges the CA may vouch for, as address and prefix length: private (RFC 1918), link-local (RFC 3927),
/// loopback.
pub(super) const V4_PERMITTED: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
];

/// IPv6 ranges the CA may vouch for: unique local (RFC 4193), link-local (RFC 4291), loopback.
pub(super) const V6_PERMITTED: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::LOCALHOST, 128),
];

/// Names of one certificate. A machine with containers has dozens of addresses that no terminal uses; a
/// handshake of more than a few kilobytes would be slow on every radio.
const NAMES_MAX: usize = 48;
/// Longest DNS name (RFC 1035).
const DNS_CHARS_MAX: usize = 253;

/// DNS names and addresses for the leaf. Always holds `localhost`, `storebox.local` and the loopback
/// addresses; never one the CA may not vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafNames {
    pub(super) dns: BTreeSet<String>,
    pub(super) addresses: BTreeSet<IpAddr>,
}

impl LeafNames {
    /// What every box answers to, whatever its network.
    pub fn fixed() -> Self {
        Self::new([], [])
    }

    /// The fixed names and those of `dns` and `addresses` the CA may vouch for; others are left out, and so
    /// are those beyond the first 48.
    pub fn new(dns: impl IntoIterator<Item = String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut names = Self {
            dns: BTreeSet::from(["localhost".to_owned(), "storebox.local".to_owned()]),
            addresses: BTreeSet::from([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        };
        // Sorted first, so that the same set gives the same choice in whatever order it comes.
        let dns: BTreeSet<_> = dns.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        for name in dns.into_iter().filter(|name| is_permitted_dns(name)) {
            if names.len() < NAMES_MAX {
                names.dns.insert(name);
            }
        }
        let addresses: BTreeSet<_> = addresses.into_iter().filter(is_permitted_address).collect();
        for address in addresses {
            if names.len() < NAMES_MAX {
                names.addresses.insert(address);
            }
        }
        names
    }

    /// The fixed names, `HOSTNAME.local`, and every private or link-local address of this machine's interfaces.
    ///
    /// # Errors
    /// What the system said when asked for its interfaces; [`LeafNames::fixed`] is left to serve with.
    pub fn of_this_machine() -> io::Result<Self> {
        let host = nix::unistd::gethostname()?.to_string_lossy().into_owned();
        // A host name may come with a domain that means nothing on this LAN.
        let host = host.split('.').next().map(|label| format!("{label}.local"));
        let addresses = getifaddrs()?.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        });
        Ok(Self::new(host, addresses))
    }

    fn len(&self) -> usize {
        self.dns.len() + self.addresses.len()
    }
}

/// Whether the CA may vouch for a lower-case DNS name, and the name can stand in a certificate at all.
fn is_permitted_dns(name: &str) -> bool {
    let in_subtree = DNS_PERMITTED
        .iter()
        .any(|subtree| name.strip_suffix(subtree).is_some_and(|front| front.is_empty() || front.ends_with('.')));
    in_subtree && name.len() <= DNS_CHARS_MAX && name.split('.').all(is_label)
}

/// Letters, digits and inner hyphens (RFC 1123 section 2.1).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_permitted_address(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => V4_PERMITTED.iter().any(|(network, prefix)| {
            let shift = 32 - u32::from(*prefix);
            v4.to_bits() >> shift == network.to_bits() >> shift
        }),
        IpAddr::V6(v6) => V6_PERMITTED.iter().any(|(network, prefix)| {
            let shift = 128 - u32::from(*prefix);
            v6.to_bits() >> shift == network.to_bits() >> shift
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns_of(names: &[&str]) -> Vec<String> {
        let names = LeafNames::new(names.iter().map(|&name| name.to_owned()), []);
        names.dns.into_iter().filter(|name| name != "localhost" && name != "storebox.local").collect()
    }

    #[test]
    fn only_names_of_the_lan_are_taken() {
        assert_eq!(dns_of(&["Kitchen-2.local", "a.b.local"]), ["a.b.local", "kitchen-2.local"]);
        for refused in ["example.com", "notlocal", "x.notlocal", ".local", "-a.local", "a_b.local", "ü.local", ""] {
            assert_eq!(dns_of(&[refused]), [""; 0], "{refused}");
        }
        assert_eq!(dns_of(&[&format!("{}.local", "a".repeat(64))]), [""; 0]);
    }

    #[test]
    fn only_addresses_of_the_lan_are_taken() {
        let taken = |text: &str| is_permitted_address(&text.parse().unwrap());
        for inside in ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.9.9", "127.0.0.53"] {
            assert!(taken(inside), "{inside}");
        }
        for inside in ["fc00::1", "fdff::1", "fe80::1", "febf::1", "::1"] {
            assert!(taken(inside), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "172.15.255.255", "192.169.0.1", "11.0.0.1", "0.0.0.0"] {
            assert!(!taken(outside), "{outside}");
        }
        for outside in ["2001:db8::1", "fec0::1", "::2", "::", "::ffff:10.0.0.1"] {
            assert!(!taken(outside), "{outside}");
        }
    }

    #[test]
    fn a_machine_full_of_addresses_still_gets_a_small_certificate() {
        let many = (0..1_000).map(|n| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + n)));
        let names = LeafNames::new([], many.clone());
        assert_eq!(names.len(), NAMES_MAX);
        assert!(names.addresses.contains(&IpAddr::from(Ipv4Addr::LOCALHOST)));
        assert_eq!(names, LeafNames::new([], many.rev()), "order must not matter");
    }

    #[test]
    fn this_machine_has_the_fixed_names() {
        let here = LeafNames::of_this_machine().unwrap();
        assert!(LeafNames::fixed().dns.is_subset(&here.dns));
        assert!(LeafNames::fixed().addresses.is_subset(&here.addresses));
    }
}
