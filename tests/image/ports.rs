//! What the box answers to from outside, and how it is found (B9, B10).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use crate::full;
use crate::lan::{Lan, ROUTER, STRANGER, shown_addresses};
use crate::machine::{Hardware, Machine, PORT, START};
use crate::scan::{Protocol, answers, echoes};

/// Multicast DNS, which may answer (RFC 6762).
const MDNS: u16 = 5353;

/// Without a DHCP server, then with one, then (in full) after a restart. In between every port, or those up to
/// `STOREBOX_PORTS`, is asked from the store's network, and from beyond its router.
#[tokio::test]
async fn b9_b10_only_the_api_answers_and_only_the_stores_own_network() {
    let lan = Lan::new();
    let mut machine = Machine::new("ports", Hardware { lan: Some(&lan), ..Hardware::default() });
    machine.start().await;
    let own = wait_for_address(&mut machine, |address| address.is_link_local()).await;
    machine.turn_to(SocketAddr::from((own, PORT)));
    machine.wait_for_answer(START).await;

    lan.serve_addresses(machine.folder());
    // A box that is plugged in asks at once; else it would ask a minute later.
    machine.plug(false).await;
    machine.plug(true).await;
    let address = wait_for_address(&mut machine, |address| address.octets()[..3] == ROUTER.octets()[..3]).await;
    machine.turn_to(SocketAddr::from((address, PORT)));
    machine.wait_for_answer(START).await;
    eprintln!("without DHCP the box answers at {own}, with DHCP at {address}");

    let v4 = SocketAddr::from((address, PORT));
    let v6 = lan.link_local(PORT);
    let begun = Instant::now();
    let last = u16::try_from(storebox_tests::size("STOREBOX_PORTS", 1024)).expect("ports have 16 bits");
    let ports = || (1..=last).chain([MDNS]);
    let (tcp4, tcp6, udp4, udp6) = lan.inside_async(|| async {
        tokio::join!(
            answers(Protocol::Tcp, None, v4, ports()),
            answers(Protocol::Tcp, None, v6, ports()),
            answers(Protocol::Udp, None, v4, ports()),
            answers(Protocol::Udp, None, v6, ports()),
        )
    });
    let only_the_api = BTreeMap::from([(PORT, "open".to_owned())]);
    assert_eq!((&tcp4, &tcp6), (&only_the_api, &only_the_api), "over IPv4 and IPv6");
    let but_mdns = |found: BTreeMap<u16, String>| found.into_iter().filter(|(port, _)| *port != MDNS).count();
    assert_eq!((but_mdns(udp4), but_mdns(udp6)), (0, 0), "datagrams over IPv4 and IPv6");
    assert!(lan.inside(|| echoes(ROUTER, address)), "the box does not answer a ping of its network");

    let stranger = Some(IpAddr::V4(STRANGER));
    let strange = lan.inside_async(|| async {
        tokio::join!(answers(Protocol::Tcp, stranger, v4, ports()), answers(Protocol::Udp, stranger, v4, ports()))
    });
    assert_eq!(strange, (BTreeMap::new(), BTreeMap::new()), "beyond the router nobody is answered");
    assert!(!lan.inside(|| echoes(STRANGER, address)), "the box answers a ping from beyond the router");
    assert_eq!(lan.lost(), 0, "what did not reach the box proves nothing");
    eprintln!("asked them in {:.1} s", begun.elapsed().as_secs_f64());

    if full() {
        machine.reset().await;
        machine.wait_for_console("Ready.", START).await;
        machine.wait_for_answer(START).await;
        let again = wait_for_address(&mut machine, |_| true).await;
        assert_eq!(again, address, "a restart keeps the address");
    }
}

/// Waits until the screen shows an address of a kind.
async fn wait_for_address(machine: &mut Machine<'_>, wanted: impl Fn(&Ipv4Addr) -> bool) -> Ipv4Addr {
    let begun = Instant::now();
    loop {
        let shown = shown_addresses(&machine.console());
        let found = shown.into_iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(address).filter(&wanted),
            IpAddr::V6(_) => None,
        });
        if let Some(address) = found {
            return address;
        }
        assert!(begun.elapsed() < START, "the screen shows {:?}", shown_addresses(&machine.console()));
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
