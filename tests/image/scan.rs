//! Looking for ports that answer, from inside a network namespace. Any answer counts: an open port, a refusal, an
//! error message of ICMP.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, recv, sendto, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an answer may take. Linux asks a second time after one second.
const SILENCE: Duration = Duration::from_secs(4);
/// Ports asked at once, then a pause: the emulated machine takes in some ten thousand packets a second.
const AT_ONCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(5);
/// Ports waited for by all scans together; each holds a descriptor.
const WAITING: usize = 16_384;
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(descriptors())));

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    /// For a connection.
    Tcp,
    /// With a datagram of one byte.
    Udp,
}

/// What ports of a host answer, of those asked.
pub async fn answers(
    protocol: Protocol,
    from: Option<IpAddr>,
    host: SocketAddr,
    ports: impl Iterator<Item = u16>,
) -> BTreeMap<u16, String> {
    let mut asked = JoinSet::new();
    for (number, port) in ports.enumerate() {
        let mut to = host;
        to.set_port(port);
        let place = PLACES.clone().acquire_owned().await.expect("nobody closes it");
        asked.spawn(async move {
            let answer = match protocol {
                Protocol::Tcp => connect(from, to).await,
                Protocol::Udp => send(from, to).await,
            };
            drop(place);
            answer.map(|answer| (port, answer))
        });
        if number % AT_ONCE == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// Whether a host answers an echo request (RFC 792).
pub fn echoes(from: Ipv4Addr, to: Ipv4Addr) -> bool {
    let mut request = [8, 0, 0, 0, 0x73, 0x62, 0, 1];
    let sum = request.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("a small sum");
    request[2..4].copy_from_slice(&sum.to_be_bytes());

    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp).expect("root may");
    let address = |ip: Ipv4Addr| SockaddrIn::from(SocketAddrV4::new(ip, 0));
    bind(socket.as_raw_fd(), &address(from)).expect("the address is this host's");
    setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(1)).expect("sockets can be told to give up");
    sendto(socket.as_raw_fd(), &request, &address(to), MsgFlags::empty()).expect("a packet can be sent");
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        let mut packet = [0; 128];
        let length = recv(socket.as_raw_fd(), &mut packet, MsgFlags::empty()).unwrap_or(0);
        // Type 0 and the request's identifier, behind an IP header without options.
        if length >= 28 && packet[20] == 0 && packet[24..26] == request[4..6] {
            return true;
        }
    }
    false
}

async fn connect(from: Option<IpAddr>, to: SocketAddr) -> Option<String> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.expect("a socket can be made");
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0)).expect("the address is this host's");
    }
    match timeout(SILENCE, socket.connect(to)).await {
        Ok(Ok(_)) => Some("open".to_owned()),
        Ok(Err(err)) if err.kind() == ErrorKind::TimedOut => None,
        Ok(Err(err)) => Some(err.to_string()),
        Err(_) => None,
    }
}

async fn send(from: Option<IpAddr>, to: SocketAddr) -> Option<String> {
    let any: IpAddr = if to.is_ipv4() { "0.0.0.0" } else { "::" }.parse().expect("an address");
    let socket = UdpSocket::bind(SocketAddr::new(from.unwrap_or(any), 0)).await.expect("a socket can be made");
    socket.connect(to).await.expect("a datagram socket connects at once");
    socket.send(b"?").await.expect("a datagram can be sent");
    let mut answer = [0; 16];
    match timeout(SILENCE, socket.recv(&mut answer)).await {
        Ok(Ok(_)) => Some("answers".to_owned()),
        Ok(Err(err)) => Some(err.to_string()),
        Err(_) => None,
    }
}

/// As many as this process may open, up to [`WAITING`].
fn descriptors() -> usize {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a process may have what it is entitled to");
    // Something is left for everything else.
    WAITING.min(usize::try_from(most / 2).unwrap_or(WAITING))
}
