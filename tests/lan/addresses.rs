//! Addresses that come and go while the box runs (B9).

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::unistd::{Pid, geteuid};
use storebox_tests::{BoxConfig, Folder, RunningBox};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// Runs `ip` in the network of a process.
fn ip(process: Pid, arguments: &[&str]) {
    let mut command = Command::new("nsenter");
    command.args(["-t", &process.to_string(), "-n"]);
    if !geteuid().is_root() {
        command.args(["-U", "--preserve-credentials"]);
    }
    let output = command.arg("ip").args(arguments).output().expect("nsenter runs");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether the certificate the box keeps names an address.
fn is_named(running: &RunningBox, address: IpAddr) -> bool {
    let bytes = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let pem = std::fs::read(running.state("lan/lan.pem")).unwrap();
    let (_, pem) = parse_x509_pem(&pem).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    names.value.general_names.iter().any(|name| matches!(name, GeneralName::IPAddress(found) if *found == bytes))
}

async fn within_seconds(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(8), "{what}: not within eight seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An address that DHCP brings after the start is in the certificate before a person has typed it.
#[tokio::test]
async fn b9_the_certificate_follows_the_addresses_of_the_machine() {
    let folder = Folder::new("addresses");
    let running = RunningBox::start(BoxConfig::new(folder.path()).own_network()).await;
    let first = IpAddr::from(Ipv4Addr::new(192, 168, 77, 5));
    let second = IpAddr::from(Ipv4Addr::new(10, 20, 30, 40));
    assert!(is_named(&running, Ipv4Addr::LOCALHOST.into()));
    assert!(!is_named(&running, first));

    ip(running.pid(), &["address", "add", "192.168.77.5/24", "dev", "lo"]);
    within_seconds("a new address", || is_named(&running, first)).await;
    ip(running.pid(), &["address", "del", "192.168.77.5/24", "dev", "lo"]);
    ip(running.pid(), &["address", "add", "10.20.30.40/8", "dev", "lo"]);
    within_seconds("another address", || is_named(&running, second) && !is_named(&running, first)).await;
    assert!(running.log().contains("the LAN certificate was renewed"), "{}", running.log());
}
