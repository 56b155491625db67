//! The subnets the box is in.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use crate::files;
use crate::firewall::rules::Subnet;
use crate::limits::SUBNETS_MAX;

/// Where the kernel shows the IPv6 routes of the network that this thread is in.
const ROUTES: &str = "/proc/thread-self/net/ipv6_route";
/// Bits of a route's flags that say it is up, and that it leads to a gateway (the kernel's route.h).
const RTF_UP: u32 = 1;
const RTF_GATEWAY: u32 = 2;

/// The subnets of every interface that is up, other than loopback and tunnels.
///
/// # Errors
/// As `getifaddrs(3)`.
pub fn subnets() -> io::Result<Vec<Subnet>> {
    let mut subnets: Vec<Subnet> = getifaddrs()?.filter_map(|interface| subnet(&interface)).collect();
    let routes = files::beginning(ROUTES.as_ref(), crate::limits::SMALL_FILE_BYTES_MAX).unwrap_or_default();
    subnets.extend(on_link(&String::from_utf8_lossy(&routes)));
    subnets.sort();
    subnets.dedup();
    subnets.truncate(SUBNETS_MAX);
    Ok(subnets)
}

fn subnet(interface: &InterfaceAddress) -> Option<Subnet> {
    let is_lan = interface.flags.contains(InterfaceFlags::IFF_UP)
        && !interface.flags.intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT);
    let address = ip(interface.address.as_ref()?)?;
    let mask = ip(interface.netmask.as_ref()?)?;
    let prefix = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    Subnet::new(address, u8::try_from(prefix).ok()?).filter(|_| is_lan)
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Prefixes that the kernel reaches without a gateway. An address that DHCPv6 gave stands alone; what else is on its
/// link only the route says, which came with the router's advertisement.
fn on_link(routes: &str) -> impl Iterator<Item = Subnet> {
    routes.lines().filter_map(|line| {
        // Destination, its prefix, source, its prefix, next hop, metric, two counters, flags, interface.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, prefix, _, _, next_hop, _, _, _, flags, interface] = fields.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let is_direct = flags & (RTF_UP | RTF_GATEWAY) == RTF_UP && next_hop.chars().all(|digit| digit == '0');
        let destination = Ipv6Addr::from_bits(u128::from_str_radix(destination, 16).ok()?);
        let prefix = u8::from_str_radix(prefix, 16).ok()?;
        Subnet::new(IpAddr::V6(destination), prefix).filter(|_| is_direct && *interface != "lo")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_reached_directly_is_on_the_link() {
        let zero = "0".repeat(32);
        let route = |destination: &str, prefix: &str, hop: &str, flags: &str, interface: &str| {
            format!("{destination} {prefix} {zero} 00 {hop} 00000100 00000001 00000000 {flags} {interface:>8}\n")
        };
        let lan = "20010db8000100000000000000000000";
        let router = "fe800000000000000000000000000001";
        let routes = [
            route(lan, "40", &zero, "00000001", "eth0"),
            route("20010db8000200000000000000000000", "40", router, "00000003", "eth0"),
            route(&zero, "00", router, "00450003", "eth0"),
            route("fd000000000000000000000000000001", "80", &zero, "80200001", "eth0"),
            route("fd000000000000000000000000000000", "40", &zero, "00000001", "lo"),
            route("ff000000000000000000000000000000", "08", &zero, "00000001", "eth0"),
            "too short\n".to_owned(),
        ];
        let found: Vec<String> = on_link(&routes.concat()).map(|subnet| subnet.to_string()).collect();
        assert_eq!(found, ["2001:db8:1::/64"]);
    }

    #[test]
    fn this_machine_tells_its_own() {
        let subnets = subnets().unwrap();
        assert!(subnets.iter().all(|subnet| !subnet.to_string().starts_with("127.")), "{subnets:?}");
    }
}
