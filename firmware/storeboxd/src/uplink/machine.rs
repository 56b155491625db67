//! What a box says of the machine it is.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::stat::{major, minor};
use storebox_core::text::Name;
use storebox_provisioning::enrolment::Stage;

/// Which hardware: `rpi4`, `rpi5` or `x86`; of another, what its processor is called.
pub fn board() -> &'static str {
    match device_tree("model") {
        Some(model) if model.starts_with("Raspberry Pi 4") => "rpi4",
        Some(model) if model.starts_with("Raspberry Pi 5") => "rpi5",
        Some(_) | None if cfg!(target_arch = "x86_64") => "x86",
        Some(_) | None => std::env::consts::ARCH,
    }
}

/// The maker's serial number, if the hardware says one to everybody.
pub fn serial() -> Option<Name> {
    device_tree("serial-number").map(|serial| Name::cut(&serial))
}

fn device_tree(property: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/sys/firmware/devicetree/base").join(property)).ok()?;
    Some(text.trim_end_matches('\0').to_owned())
}

/// Its name in the store's network.
pub fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "storebox".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Its addresses there: neither loopback nor such as every interface gives itself.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let found = interfaces.filter(|interface| !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    let addresses = found.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.filter(|address| !is_given_by_itself(*address)).collect()
}

fn is_given_by_itself(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// How far the box's own network goes: a cable, an address. What cannot be told is believed to be there.
pub fn network() -> Option<Stage> {
    let interfaces: Vec<_> = getifaddrs().into_iter().flatten().collect();
    let up = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let has_link = interfaces
        .iter()
        .any(|interface| interface.flags.contains(up) && !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    match has_link {
        false if !interfaces.is_empty() => None,
        _ if addresses().is_empty() => Some(Stage::Link),
        _ => Some(Stage::Address),
    }
}

/// Whether a folder is on an encrypted disk (dm-crypt), which the kernel says of every device.
pub fn is_encrypted(folder: &Path) -> bool {
    let Ok(device) = fs::metadata(folder).map(|metadata| metadata.dev()) else { return false };
    let uuid = format!("/sys/dev/block/{}:{}/dm/uuid", major(device), minor(device));
    fs::read_to_string(uuid).is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
}
