//! A store's network: a cable between the machine and a network namespace that only this process knows.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::geteuid;
use serde_json::Value;

use crate::tools::{Network, output, tool};

/// Hardware address of every machine's port.
pub const MAC: &str = "52:54:00:73:62:01";
/// The address that the box makes of it (RFC 4291, appendix A).
pub const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0x00ff, 0xfe73, 0x6201);
/// The store's router.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// Somebody beyond the router.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);
/// The router's end of the cable.
const CABLE: &str = "cable";
/// Packets that may wait for the machine: as many as a scan sends at once, so that none is lost.
const QUEUE: &str = "100000";

/// The network. It goes with the value.
pub struct Lan {
    namespace: File,
    dhcp: Mutex<Option<Child>>,
}

impl Lan {
    /// A network with a router that routes and gives no addresses.
    pub fn new() -> Self {
        assert!(geteuid().is_root(), "making a network namespace with a machine in it needs root");
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network namespace");
            File::open("/proc/thread-self/ns/net").expect("the namespace can be held")
        });
        let lan = Self { namespace: made.join().expect("the thread made it"), dhcp: Mutex::new(None) };
        lan.ip(&["link", "set", "lo", "up"]);
        lan.ip(&["tuntap", "add", CABLE, "mode", "tap"]);
        lan.ip(&["link", "set", CABLE, "txqueuelen", QUEUE]);
        lan.ip(&["address", "add", &format!("{ROUTER}/24"), "dev", CABLE]);
        // For talking to a box that gave itself an address (RFC 3927).
        lan.ip(&["address", "add", "169.254.77.1/16", "dev", CABLE]);
        lan.ip(&["address", "add", &format!("{STRANGER}/32"), "dev", "lo"]);
        lan.ip(&["link", "set", CABLE, "up"]);
        lan
    }

    /// Lets the router give addresses. Its files are in `work`.
    pub fn serve_addresses(&self, work: &Path) {
        let mut command = tool(Network::Lan(self), "x86", work, "dnsmasq");
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0", "--bind-interfaces"]);
        command.arg(format!("--interface={CABLE}"));
        command.args(["--dhcp-authoritative", "--dhcp-range=192.168.77.100,192.168.77.150,1h", "--no-ping"]);
        command.args(["--dhcp-leasefile=/build/leases", "--pid-file=", "--log-facility=/build/dnsmasq.log"]);
        command.stdout(Stdio::null());
        let router = command.spawn().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        *self.dhcp.lock().unwrap() = Some(router);
    }

    /// Runs something on a thread that is in this network.
    pub fn inside<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            setns(&self.namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a network namespace");
            what()
        };
        std::thread::scope(|scope| match scope.spawn(enter).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Runs something asynchronous on a thread that is in this network.
    pub fn inside_async<T: Send, F: Future<Output = T>>(&self, what: impl FnOnce() -> F + Send) -> T {
        self.inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(what())
        })
    }

    /// The words before a command that is to run in this network.
    pub fn way_in(&self) -> impl Iterator<Item = String> {
        let namespace = format!("--net=/proc/{}/fd/{}", std::process::id(), self.namespace.as_raw_fd());
        ["nsenter".to_owned(), namespace, "--".to_owned()].into_iter()
    }

    /// The end of the cable that the machine is plugged into.
    pub const fn interface(&self) -> &'static str {
        CABLE
    }

    /// A port of the box by the address that needs no router.
    pub fn link_local(&self, port: u16) -> SocketAddr {
        let index = self.link()["ifindex"].as_u64().and_then(|index| u32::try_from(index).ok());
        SocketAddrV6::new(LINK_LOCAL, port, 0, index.expect("the cable has a number")).into()
    }

    /// Packets for the box that were lost on the way to it.
    pub fn lost(&self) -> u64 {
        self.link()["stats64"]["tx"]["dropped"].as_u64().expect("the cable counts")
    }

    fn link(&self) -> Value {
        let text = self.ip(&["-json", "-statistics", "link", "show", CABLE]);
        serde_json::from_str::<Value>(&text).expect("ip writes JSON")[0].clone()
    }

    fn ip(&self, arguments: &[&str]) -> String {
        let mut words = self.way_in();
        let mut command = Command::new(words.next().expect("there is a first word"));
        command.args(words).arg("ip").args(arguments);
        output(command)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if let Some(mut process) = self.dhcp.get_mut().unwrap().take() {
            // It may have ended by itself.
            let _ = process.kill();
            process.wait().expect("the process can be waited for");
        }
    }
}

/// The box's addresses as its screen last showed them.
pub fn shown_addresses(console: &str) -> Vec<IpAddr> {
    let last = console.rfind("  Addresses  ").map_or("", |at| &console[at..]);
    // What to do next may name an address again.
    let last = last.split("\n> ").next().unwrap_or(last);
    let words = last.split_whitespace().filter_map(|word| word.strip_prefix("https://"));
    words.filter_map(|word| word.trim_matches(['[', ']']).parse().ok()).collect()
}
