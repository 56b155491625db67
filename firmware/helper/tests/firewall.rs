//! Row B10, on the real packet filter: the rules are loaded into a network of two hosts, made of two network
//! namespaces and a cable between them, and it is tried who reaches whom.
//!
//! Needs root, `nft` (package nftables) and `ip` (package iproute2). Nothing outside the namespaces is touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use nix::unistd::{Uid, gettid};
use storebox_helper::firewall::lan;
use storebox_helper::firewall::rules::{Ruleset, Subnet};

/// Long enough for a packet on a virtual cable; what has not come by then was dropped.
const SILENCE: Duration = Duration::from_millis(700);
/// Long enough for neighbours that do not know each other yet: a first solicitation may be lost while the cable comes
/// up, and is repeated after a second (RFC 4861, section 10).
const PATIENCE: Duration = Duration::from_secs(10);

/// What the kernel makes of the rules, with everything in them and with nothing.
#[test]
fn the_kernel_understands_the_rules() {
    let host = Host::new();
    let subnets = ["192.168.7.20/24", "192.168.0.1/16", "fd00::1/64", "2001:db8::1/64"].map(subnet);
    for (lan, cloud_port) in [(Vec::new(), None), (subnets.to_vec(), Some(8443))] {
        let rules = Ruleset { lan, cloud_port };
        host.run(move || nft(&["-c"], &rules.to_string()));
    }
}

/// Rules are replaced as a whole, and wrong ones replace nothing.
#[test]
fn wrong_rules_leave_the_old_ones_in_place() {
    Host::new().run(|| {
        nft(&[], &Ruleset { lan: vec![subnet("10.1.0.1/16")], cloud_port: None }.to_string());
        nft(&[], &Ruleset { lan: vec![subnet("10.2.0.1/16")], cloud_port: None }.to_string());
        let listed = listed();
        assert!(listed.contains("10.2.0.0/16") && !listed.contains("10.1.0.0/16"), "{listed}");
        let wrong = Ruleset::default().to_string().replace("dport 53", "dport many");
        assert!(!try_nft(&[], &wrong).0);
        assert!(self::listed().contains("10.2.0.0/16"));
    });
}

#[test]
fn from_the_lan_the_box_answers_and_from_elsewhere_it_is_silent() {
    let shop = Shop::new(None);
    let open = [lan4(443), lan6(443), shop.link_local(443)];
    let closed = [lan4(22), lan4(8443), lan6(22), shop.link_local(22)];
    let listeners = [22, 443, 8443].map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    let held: Vec<TcpListener> = shop.boxed.run(move || listeners.map(|at| TcpListener::bind(at).unwrap()).into());
    for to in open {
        assert!(shop.till.run(move || is_open(to)), "{to} answers the LAN");
    }
    for to in closed {
        let error = shop.till.run(move || refusal(to).expect("no answer"));
        assert!(is_silence(&error), "{to} is silent, not {error}");
    }
    // The way back is open: it is not for want of a route that a stranger hears nothing.
    let stranger = "198.51.100.7:0".parse().unwrap();
    let error = shop.till.run(move || tcp_from(stranger, lan4(443)).unwrap_err());
    assert!(is_silence(&error), "a stranger hears {error}");
    shop.boxed.run(|| nft(&[], "flush ruleset"));
    assert!(shop.till.run(move || tcp_from(stranger, lan4(443)).is_ok()), "without rules the stranger is heard");
    drop(held);
}

#[test]
fn mdns_is_heard_from_the_lan_only() {
    let shop = Shop::new(None);
    let hear = |port: u16, from: &str| {
        let from: SocketAddr = from.parse().unwrap();
        let at = SocketAddr::from(([0, 0, 0, 0], port));
        let socket = shop.boxed.run(move || UdpSocket::bind(at).unwrap());
        shop.till.run(move || UdpSocket::bind(from).unwrap().send_to(b"who is there", lan4(port)).unwrap());
        heard(&socket)
    };
    assert!(hear(5353, "192.0.2.2:5353"));
    assert!(hear(5353, "192.0.2.2:40000"));
    assert!(!hear(5353, "198.51.100.7:5353"));
    assert!(!hear(5354, "192.0.2.2:5353"));
    assert!(!hear(68, "192.0.2.2:5353"), "what no DHCP server sends");
    assert!(hear(68, "192.0.2.2:67"));
}

#[test]
fn the_box_asks_only_for_what_is_named() {
    let shop = Shop::new(Some(8443));
    let ports = [80, 443, 8443, 9100];
    let held: Vec<TcpListener> =
        shop.till.run(move || ports.map(|port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap()).into());
    for to in ["192.0.2.2:9100", "[2001:db8:1::2]:80", "198.51.100.7:8443"] {
        let to: SocketAddr = to.parse().unwrap();
        assert!(shop.boxed.run(move || is_open(to)), "{to} is a printer, another box or the cloud");
    }
    for to in ["198.51.100.7:443", "198.51.100.7:80", "198.51.100.7:9100"] {
        let to: SocketAddr = to.parse().unwrap();
        assert!(shop.boxed.run(move || refusal(to).is_some()), "{to} is none of these");
    }
    let ask = |port: u16| {
        let server = shop.till.run(move || UdpSocket::bind(("198.51.100.7", port)).unwrap());
        let to = SocketAddr::from(([198, 51, 100, 7], port));
        // The sender is told of a packet that its own rules drop.
        shop.boxed.run(move || UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"?", to).map_or_else(drop_only, drop));
        heard(&server)
    };
    assert!(ask(53) && ask(123), "names and time");
    assert!(!ask(1900) && !ask(514), "nothing else");
    drop(held);
}

#[test]
fn the_subnets_are_those_of_the_interfaces() {
    let shop = Shop::new(None);
    let found = shop.boxed.run(|| lan::subnets().unwrap());
    assert_eq!(found, ["192.0.2.1/24", "2001:db8:1::1/64"].map(subnet));
    // An address of its own, as DHCPv6 gives it, with the route that the router's advertisement brings.
    let found = shop.boxed.run(|| {
        ip("addr add fd00::1/128 dev cable nodad");
        ip("route add fd00::/64 dev cable proto ra");
        lan::subnets().unwrap()
    });
    assert!(found.contains(&subnet("fd00::1/64")), "{found:?}");
}

/// A box with its rules loaded and a till beside it, through which everything else is reached.
struct Shop {
    boxed: Host,
    till: Host,
}

impl Shop {
    fn new(cloud_port: Option<u16>) -> Self {
        let (boxed, till) = (Host::new(), Host::new());
        let there = till.thread;
        boxed.run(move || {
            ip("link set lo up");
            ip(&format!("link add cable type veth peer name cable netns {there}"));
            for address in ["192.0.2.1/24", "2001:db8:1::1/64 nodad", "fe80::1/64 nodad"] {
                ip(&format!("addr add {address} dev cable"));
            }
            // Addresses of the kernel's own making take a moment, and are not needed.
            ip("link set cable addrgenmode none");
            ip("link set cable up");
        });
        till.run(|| {
            ip("link set lo up");
            for address in ["192.0.2.2/24", "198.51.100.7/32", "2001:db8:1::2/64 nodad", "fe80::2/64 nodad"] {
                ip(&format!("addr add {address} dev cable"));
            }
            ip("link set cable addrgenmode none");
            ip("link set cable up");
        });
        // A cable takes a moment to carry, and what is sent before is lost.
        let held = till.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 9)).unwrap());
        for to in ["192.0.2.2:9", "[2001:db8:1::2]:9"] {
            let to: SocketAddr = to.parse().unwrap();
            assert!(boxed.run(move || is_open(to)), "the cable carries");
        }
        drop(held);
        boxed.run(move || {
            ip("route add default via 192.0.2.2");
            let rules = Ruleset { lan: lan::subnets().unwrap(), cloud_port };
            nft(&[], &rules.to_string());
        });
        Self { boxed, till }
    }

    /// The box's link-local address, as the till knows it.
    fn link_local(&self, port: u16) -> SocketAddr {
        let scope = self.till.run(|| nix::net::if_::if_nametoindex("cable").unwrap());
        SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), port, 0, scope))
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace: a thread that lives in it and does there what it is given.
struct Host {
    jobs: SyncSender<Job>,
    thread: i32,
}

impl Host {
    fn new() -> Self {
        assert!(Uid::effective().is_root(), "this test makes network namespaces: run it as root");
        let (jobs, work) = sync_channel::<Job>(0);
        let (ready, is_ready) = sync_channel(0);
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            ready.send(gettid().as_raw()).unwrap();
            work.into_iter().for_each(|job| job());
        });
        Self { jobs, thread: is_ready.recv().expect("a thread in a network namespace") }
    }

    /// Does this on the host.
    fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (give, take) = sync_channel(1);
        self.jobs.send(Box::new(move || drop(give.send(work())))).expect("the host works");
        take.recv().expect("the work on the host succeeds")
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("install iproute2");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn nft(arguments: &[&str], rules: &str) {
    let (is_taken, said) = try_nft(arguments, rules);
    assert!(is_taken, "{said}\n{rules}");
}

fn try_nft(arguments: &[&str], rules: &str) -> (bool, String) {
    let nft = Command::new("/usr/sbin/nft")
        .args(arguments)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut nft = nft.expect("install nftables");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    let output = nft.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn listed() -> String {
    let output = Command::new("/usr/sbin/nft").args(["list", "ruleset"]).output().expect("install nftables");
    String::from_utf8(output.stdout).unwrap()
}

fn subnet(text: &str) -> Subnet {
    let (address, prefix) = text.split_once('/').unwrap();
    Subnet::new(address.parse().unwrap(), prefix.parse().unwrap()).unwrap()
}

fn lan4(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([192, 0, 2, 1]), port)
}

fn lan6(port: u16) -> SocketAddr {
    SocketAddr::new("2001:db8:1::1".parse().unwrap(), port)
}

/// Connects to who is expected to answer.
fn is_open(to: SocketAddr) -> bool {
    TcpStream::connect_timeout(&to, PATIENCE).is_ok()
}

/// What comes of connecting to who is expected not to.
fn refusal(to: SocketAddr) -> Option<io::Error> {
    TcpStream::connect_timeout(&to, SILENCE).err()
}

/// Connects from an address of one's choice.
fn tcp_from(from: SocketAddr, to: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::SendTimeout};
    use nix::sys::time::{TimeVal, TimeValLike};
    use std::os::fd::AsRawFd;
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { panic!("IPv4 only") };
    let stream = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // connect(2) keeps to the time limit of sending.
    setsockopt(&stream, SendTimeout, &TimeVal::milliseconds(i64::try_from(SILENCE.as_millis()).unwrap()))?;
    bind(stream.as_raw_fd(), &SockaddrIn::from(from))?;
    Ok(connect(stream.as_raw_fd(), &SockaddrIn::from(to))?)
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    // What connect(2) says when its time limit runs out.
    let is_in_progress = error.raw_os_error() == Some(nix::libc::EINPROGRESS);
    is_in_progress || matches!(error.kind(), TimedOut | WouldBlock)
}

fn heard(socket: &UdpSocket) -> bool {
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    socket.recv(&mut [0; 100]).is_ok()
}

/// A packet that was not let out.
fn drop_only(error: io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
}
