//! What the box answers to from outside, how it is found, and how it finds its cloud (B8, B9, B10).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use storebox_core::time::Timestamp;

use crate::full;
use crate::lan::{Lan, ROUTER, STRANGER, shown_addresses};
use crate::machine::{Hardware, Machine, PORT, START};
use crate::provisioning::{Card, Cloud, wish};
use crate::scan::{Protocol, answers, echoes};

/// Multicast DNS, which may answer (RFC 6762).
const MDNS: u16 = 5353;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const HOUR_MS: u64 = 3_600_000;

/// Without a DHCP server, then with one, then (in full) after a restart. In between every port, or those up to
/// `STOREBOX_PORTS`, is asked from the store's network, and from beyond its router. Meanwhile the box registers by the
/// file on its card, with a clock whose battery is empty and no time server (B11).
#[tokio::test]
async fn b8_b9_b10_a_box_in_its_network_registers_and_only_its_api_answers() {
    let lan = Lan::new();
    let hardware = Hardware { lan: Some(&lan), clock: Some("1980-01-01T00:00:00"), ..Hardware::default() };
    let mut machine = Machine::new("ports", hardware);
    let cloud = Cloud::start(&lan, machine.folder());
    Card(&machine).write("storebox.toml", &cloud.site(&wish()));
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

    assert_registered(&cloud, &machine).await;
    if full() {
        machine.reset().await;
        machine.wait_for_console("Ready.", START).await;
        machine.wait_for_answer(START).await;
        let again = wait_for_address(&mut machine, |_| true).await;
        assert_eq!(again, address, "a restart keeps the address");
    }
    machine.cut_power();
    assert_says_so(&Card(&machine));
}

/// Waits until the cloud knows the box as what it is.
async fn assert_registered(cloud: &Cloud<'_>, machine: &Machine<'_>) {
    let begun = Instant::now();
    let known = loop {
        match cloud.boxes().as_slice() {
            [one] if one["epoch"] == 1 && machine.console().contains("Registered for Corner shop.") => {
                break one.clone();
            }
            [..] => {}
        }
        assert!(begun.elapsed() < START, "the box does not register: {:?}", cloud.boxes());
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    assert_eq!((&known["said"]["board"], &known["said"]["encrypted"]), (&"x86".into(), &false.into()), "{known}");
}

/// The installer pulls the card out and reads it in a laptop.
fn assert_says_so(card: &Card<'_, '_>) {
    let status = card.read("STATUS.TXT");
    eprintln!("{status}");
    assert!(status.contains("Store      Corner shop") && status.contains("[ok] The box is registered"), "{status}");
    let written = status.lines().find_map(|line| line.trim().strip_prefix("Written")).expect("it says when");
    let written: Timestamp = written.trim().parse().expect("times are RFC 3339");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("this machine's clock is set").as_millis();
    let now = Timestamp::from_millis(u64::try_from(now).unwrap());
    assert!(now.millis_since(written) < HOUR_MS && written <= now, "the cloud set the clock: {written}, now {now}");
    let site = card.read("storebox.toml");
    assert!(site.contains("token = \"used\""), "a used token does not stay on the card: {site}");
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
