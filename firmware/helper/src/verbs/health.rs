//! What the machine says of itself. Nothing here fails: what cannot be read is left out.

use crate::bounded::{List, Text};
use crate::files::{self, Root};
use crate::machine::Machine;
use crate::protocol::{Health, Worn, Zone};

/// Reads all there is.
pub fn read(root: &Root, machine: &impl Machine) -> Health {
    let space = machine.space(&root.at("/var")).ok();
    Health {
        uptime_s: uptime_s(root),
        memory_total_kib: memory_kib(root, "MemTotal:"),
        memory_available_kib: memory_kib(root, "MemAvailable:"),
        data_total_bytes: space.map(|(total, _)| total),
        data_free_bytes: space.map(|(_, available)| available),
        zones: List::first(zones(root)),
        worn: List::first(worn(root)),
        crash_records: crash_records(root),
        under_voltage: under_voltage(root),
        throttled_flags: throttled_flags(root),
    }
}

/// proc_uptime(5).
fn uptime_s(root: &Root) -> Option<u64> {
    let line = files::line(&root.at("/proc/uptime"))?;
    line.split(['.', ' ']).next()?.parse().ok()
}

/// proc_meminfo(5), which counts in KiB and writes kB.
fn memory_kib(root: &Root, name: &str) -> Option<u64> {
    let text = files::line(&root.at("/proc/meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The kernel's Documentation/ABI/testing/sysfs-class-thermal.
fn zones(root: &Root) -> impl Iterator<Item = Zone> {
    let folder = root.at("/sys/class/thermal");
    let zones = files::names(&folder).into_iter().filter(|name| name.starts_with("thermal_zone"));
    zones.filter_map(move |zone| {
        let temperature_millicelsius = files::number(&folder.join(&zone).join("temp"))?;
        let name = files::line(&folder.join(&zone).join("type")).unwrap_or(zone);
        Some(Zone { name: Text::cut(&name), temperature_millicelsius })
    })
}

/// The kernel's Documentation/ABI/testing/sysfs-bus-mmc: both ranges of `life_time`, the worse of which counts.
fn worn(root: &Root) -> impl Iterator<Item = Worn> {
    let folder = root.at("/sys/block");
    files::names(&folder).into_iter().filter_map(move |device| {
        let card = folder.join(&device).join("device");
        let ranges = files::line(&card.join("life_time"))?;
        let worst = ranges.split_whitespace().filter_map(hexadecimal).max().filter(|range| (1..=11).contains(range))?;
        let reserve_state = files::line(&card.join("pre_eol_info")).and_then(|state| hexadecimal(&state));
        Some(Worn {
            device: Text::cut(&device),
            used_percent_max: worst * 10,
            reserve_state: reserve_state.filter(|state| *state != 0),
        })
    })
}

fn hexadecimal(text: &str) -> Option<u8> {
    u8::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Files that pstore shows, each a record of an earlier crash; also those that systemd-pstore moved away.
fn crash_records(root: &Root) -> Option<u32> {
    let shown = root.at("/sys/fs/pstore");
    let kept = root.at("/var/lib/systemd/pstore");
    (shown.exists() || kept.exists())
        .then(|| u32::try_from(files::names(&shown).len() + files::names(&kept).len()).unwrap_or(u32::MAX))
}

/// The kernel's driver raspberrypi-hwmon.
fn under_voltage(root: &Root) -> Option<bool> {
    let folder = root.at("/sys/class/hwmon");
    let is_pi = |sensor: &String| files::line(&folder.join(sensor).join("name")).as_deref() == Some("rpi_volt");
    let sensor = files::names(&folder).into_iter().find(is_pi)?;
    Some(files::number::<u8>(&folder.join(sensor).join("in0_lcrit_alarm"))? != 0)
}

/// Only Raspberry Pi's own kernel has this file; it writes the number in hexadecimal.
fn throttled_flags(root: &Root) -> Option<u32> {
    let line = files::line(&root.at("/sys/devices/platform/soc/soc:firmware/get_throttled"))?;
    u32::from_str_radix(line.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;

    /// Row B13.
    #[test]
    fn everything_the_machine_says_is_told() {
        let scratch = Scratch::new("health");
        scratch.write("/proc/uptime", "3725.31 7000.00\n");
        scratch.write("/proc/meminfo", "MemTotal:     1015428 kB\nMemFree: 1 kB\nMemAvailable:    803220 kB\n");
        scratch.write("/sys/class/thermal/thermal_zone0/temp", "48312\n");
        scratch.write("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
        scratch.write("/sys/class/thermal/cooling_device0/type", "fan\n");
        scratch.write("/sys/block/mmcblk0/device/life_time", "0x01 0x03\n");
        scratch.write("/sys/block/mmcblk0/device/pre_eol_info", "0x01\n");
        scratch.write("/sys/fs/pstore/dmesg-efi-1", "");
        scratch.write("/sys/class/hwmon/hwmon0/name", "nvme\n");
        scratch.write("/sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        scratch.write("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        scratch.write("/sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
        let expected = Health {
            uptime_s: Some(3725),
            memory_total_kib: Some(1_015_428),
            memory_available_kib: Some(803_220),
            data_total_bytes: Some(1000),
            data_free_bytes: Some(400),
            zones: List::new(vec![Zone { name: Text::new("cpu-thermal").unwrap(), temperature_millicelsius: 48_312 }])
                .unwrap(),
            worn: List::new(vec![Worn {
                device: Text::new("mmcblk0").unwrap(),
                used_percent_max: 30,
                reserve_state: Some(1),
            }])
            .unwrap(),
            crash_records: Some(1),
            under_voltage: Some(true),
            throttled_flags: Some(0x50005),
        };
        assert_eq!(read(&scratch.root(), &Fake::new()), expected);
    }

    #[test]
    fn what_the_machine_does_not_say_is_left_out() {
        let scratch = Scratch::new("health-none");
        scratch.write("/sys/block/mmcblk0/device/life_time", "0x00 0x00\n");
        scratch.write("/sys/class/thermal/thermal_zone0/temp", "hot\n");
        let health = read(&scratch.root(), &Fake::new());
        let none = Health { data_total_bytes: Some(1000), data_free_bytes: Some(400), ..Health::default() };
        assert_eq!(health, none);
    }
}
