//! The protocol's bytes. The daemon and the helper are of one image, but a frame of either must never mean something
//! else to the other: every version ever released is kept here as bytes.
//!
//! `STOREBOX_REWRITE=1 cargo test -p storebox-helper --test frozen` writes the files of today's version anew. Until
//! the first release a format may change in place, in a commit whose message begins `format:`; after it, a change
//! is a new version with a new file, and the old file stays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fmt::Debug;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use storebox_helper::bounded::{List, Text};
use storebox_helper::protocol::{
    Answer, Health, Mark, NetworkPlan, Refusal, Reply, Request, SlotName, StaticAddress, VERSION, Worn, Zone, decode,
    encode,
};

#[test]
fn requests_are_read_for_ever() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let v4 = StaticAddress::new(
        address("192.168.7.20"),
        24,
        Some(address("192.168.7.1")),
        vec![address("9.9.9.9"), address("149.112.112.112")],
    );
    let v6 = StaticAddress::new(address("2001:db8::20"), 64, None, Vec::new());
    for (file, request) in [
        ("request_reboot", Request::Reboot),
        ("request_power_off", Request::PowerOff),
        ("request_set_time", Request::SetTime { unix_ms: 1_700_000_000_123 }),
        ("request_network_dhcp", Request::ApplyNetwork(NetworkPlan::Dhcp)),
        ("request_network_v4", Request::ApplyNetwork(NetworkPlan::Static(v4.unwrap()))),
        ("request_network_v6", Request::ApplyNetwork(NetworkPlan::Static(v6.unwrap()))),
        ("request_install_bundle", Request::InstallBundle { file: text("storebox-2.raucb") }),
        ("request_mark_slot", Request::MarkSlot { slot: SlotName::B, mark: Mark::Active }),
        ("request_read_site_file", Request::ReadSiteFile),
        ("request_write_site_status", Request::WriteSiteStatus { text: text("All is well.\n") }),
        ("request_mount_usb", Request::MountUsb),
        ("request_unmount_usb", Request::UnmountUsb),
        ("request_factory_reset", Request::FactoryReset { sentence: text("erase everything on this box") }),
        ("request_read_health", Request::ReadHealth),
        ("request_write_site_file", Request::WriteSiteFile { contents: List::new(b"[claim]\n".to_vec()).unwrap() }),
    ] {
        check(file, &request);
    }
}

#[test]
fn answers_are_read_for_ever() {
    let health = Health {
        uptime_s: Some(3_725),
        memory_total_kib: Some(1_015_428),
        memory_available_kib: Some(803_220),
        data_total_bytes: Some(31_000_000_000),
        data_free_bytes: Some(30_000_000_000),
        zones: List::new(vec![Zone { name: text("cpu-thermal"), temperature_millicelsius: -5_000 }]).unwrap(),
        worn: List::new(vec![Worn { device: text("mmcblk0"), used_percent_max: 30, reserve_state: Some(1) }]).unwrap(),
        crash_records: Some(2),
        under_voltage: Some(true),
        throttled_flags: Some(0x50005),
    };
    let refused = |refusal| Answer::Err(refusal);
    for (file, answer) in [
        ("answer_done", Ok(Reply::Done)),
        ("answer_no_site_file", Ok(Reply::SiteFile(None))),
        ("answer_site_file", Ok(Reply::SiteFile(Some(List::new(b"[claim]\n".to_vec()).unwrap())))),
        ("answer_mounted", Ok(Reply::Mounted { device: text("sda1") })),
        ("answer_health", Ok(Reply::Health(health))),
        ("answer_health_nothing", Ok(Reply::Health(Health::default()))),
        ("refused_malformed", refused(Refusal::Malformed)),
        ("refused_version", refused(Refusal::Version { understood: 1 })),
        ("refused_too_long", refused(Refusal::TooLong)),
        ("refused_stranger", refused(Refusal::Stranger)),
        (
            "refused_time",
            refused(Refusal::TimeOutOfRange { earliest_unix_ms: 1_700_000_000_000, latest_unix_ms: 4_102_444_800_000 }),
        ),
        ("refused_sentence", refused(Refusal::WrongSentence)),
        ("refused_release", refused(Refusal::NotInThisRelease)),
        ("refused_no_site_partition", refused(Refusal::NoSitePartition)),
        ("refused_site_file_too_long", refused(Refusal::SiteFileTooLong)),
        ("refused_no_usb_disk", refused(Refusal::NoUsbDisk)),
        ("refused_failed", refused(Refusal::Failed { reason: text("it broke") })),
    ] {
        check(file, &answer);
    }
}

/// Compares a message with its file, both ways.
fn check<M: Serialize + DeserializeOwned + PartialEq + Debug>(file: &str, message: &M) {
    let name = format!("{file}.v{VERSION}.hex");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frozen").join(&name);
    let bytes = encode(message).unwrap();
    if std::env::var_os("STOREBOX_REWRITE").is_some() {
        fs::write(&path, lines_of(&bytes)).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; see the head of this file"));
    assert_eq!(lines_of(&bytes), kept, "{name}: today's bytes differ from the kept ones; see the head of this file");
    assert_eq!(decode::<M>(&from_hex(&kept)).as_ref(), Ok(message), "{name}: the kept bytes are read differently");
}

fn lines_of(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n").collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}
