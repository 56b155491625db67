//! One file of facts, as it is written.

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::{Architecture, Board, Boot, Eeprom, Error, Partitions, RootDevice};

/// A file: every fact may be missing, as another file may have it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) inherits: Option<Spanned<String>>,
    #[serde(skip)]
    pub(super) inherits_line: usize,
    name: Option<String>,
    description: Option<String>,
    architecture: Option<Fact<Architecture>>,
    package_set: Option<Fact<String>>,
    boot: Option<Fact<Boot>>,
    watchdog_limit_ms: Option<Fact<u32>>,
    eeprom_minimum: Option<Fact<String>>,
    eeprom_advised: Option<Fact<String>>,
    firmware_not_before: Option<Fact<String>>,
    #[serde(default)]
    size_mib: SizeFacts,
    #[serde(default)]
    kernel_parameters: Vec<Names<String>>,
    #[serde(default)]
    screen_terminals: Vec<Names<String>>,
    #[serde(default)]
    root_devices: Vec<Names<RootDevice>>,
    #[serde(default)]
    device_trees: Vec<Names<String>>,
    #[serde(default)]
    firmware: Vec<Names<String>>,
    #[serde(default)]
    boot_files: Vec<Names<String>>,
    #[serde(default)]
    firmware_settings: Vec<Names<String>>,
    #[serde(default)]
    microcode: Vec<Names<String>>,
    #[serde(default)]
    watchdog_drivers: Vec<Names<String>>,
    #[serde(default)]
    initramfs_drivers: Vec<Names<String>>,
    #[serde(default)]
    root_drivers: Vec<Names<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeFacts {
    select: Option<Fact<u64>>,
    boot: Option<Fact<u64>>,
    site: Option<Fact<u64>>,
    root: Option<Fact<u64>>,
}

/// A single fact.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact<T> {
    value: T,
    #[serde(rename = "reason")]
    _reason: Reason,
}

/// Members of a list that are there for the same reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names<T> {
    #[serde(deserialize_with = "some", bound(deserialize = "T: Deserialize<'de>"))]
    names: Vec<T>,
    #[serde(rename = "reason")]
    _reason: Reason,
}

/// Why a fact is as it is. Only people read it; that it is there is what counts.
struct Reason;

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() { Err(de::Error::custom("a reason is empty")) } else { Ok(Self) }
    }
}

fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let names = Vec::deserialize(deserializer)?;
    if names.is_empty() { Err(de::Error::custom("nothing is named")) } else { Ok(names) }
}

impl File {
    pub(super) fn parse(file: &'static str, text: &str) -> Result<Self, Error> {
        let mut parsed: Self = toml::from_str(text).map_err(|error| Error::Syntax {
            file,
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            what: error.message().to_owned(),
        })?;
        parsed.inherits_line = parsed.inherits.as_ref().map_or(0, |name| line_of(text, name.span().start));
        Ok(parsed)
    }

    /// This file on top of the one it inherits.
    pub(super) fn over(self, base: Self, file: &'static str) -> Result<Self, Error> {
        let add = |key: &'static str, mut all: Vec<Names<String>>, own: Vec<Names<String>>| {
            all.extend(own);
            let mut seen: Vec<&str> = Vec::new();
            for name in all.iter().flat_map(|names| &names.names) {
                if seen.contains(&name.as_str()) {
                    return Err(Error::Twice { file, key, name: name.clone() });
                }
                seen.push(name);
            }
            Ok(all)
        };
        let mut root_devices = base.root_devices;
        root_devices.extend(self.root_devices);
        Ok(Self {
            inherits: None,
            inherits_line: 0,
            name: self.name,
            description: self.description,
            architecture: self.architecture.or(base.architecture),
            package_set: self.package_set.or(base.package_set),
            boot: self.boot.or(base.boot),
            watchdog_limit_ms: self.watchdog_limit_ms.or(base.watchdog_limit_ms),
            eeprom_minimum: self.eeprom_minimum.or(base.eeprom_minimum),
            eeprom_advised: self.eeprom_advised.or(base.eeprom_advised),
            firmware_not_before: self.firmware_not_before.or(base.firmware_not_before),
            size_mib: SizeFacts {
                select: self.size_mib.select.or(base.size_mib.select),
                boot: self.size_mib.boot.or(base.size_mib.boot),
                site: self.size_mib.site.or(base.size_mib.site),
                root: self.size_mib.root.or(base.size_mib.root),
            },
            kernel_parameters: add("kernel-parameters", base.kernel_parameters, self.kernel_parameters)?,
            screen_terminals: add("screen-terminals", base.screen_terminals, self.screen_terminals)?,
            root_devices,
            device_trees: add("device-trees", base.device_trees, self.device_trees)?,
            firmware: add("firmware", base.firmware, self.firmware)?,
            boot_files: add("boot-files", base.boot_files, self.boot_files)?,
            firmware_settings: add("firmware-settings", base.firmware_settings, self.firmware_settings)?,
            microcode: add("microcode", base.microcode, self.microcode)?,
            watchdog_drivers: add("watchdog-drivers", base.watchdog_drivers, self.watchdog_drivers)?,
            initramfs_drivers: add("initramfs-drivers", base.initramfs_drivers, self.initramfs_drivers)?,
            root_drivers: add("root-drivers", base.root_drivers, self.root_drivers)?,
        })
    }

    pub(super) fn finish(self, file: &'static str) -> Result<Board, Error> {
        let missing = |key| Error::Missing { file, key };
        let eeprom = match (self.eeprom_minimum, self.eeprom_advised) {
            (Some(minimum), Some(advised)) => Some(Eeprom { minimum: minimum.value, advised: advised.value }),
            (None, None) => None,
            (Some(_), None) => return Err(missing("eeprom-advised")),
            (None, Some(_)) => return Err(missing("eeprom-minimum")),
        };
        Ok(Board {
            name: self.name.ok_or_else(|| missing("name"))?,
            description: self.description.ok_or_else(|| missing("description"))?,
            architecture: self.architecture.ok_or_else(|| missing("architecture"))?.value,
            package_set: self.package_set.ok_or_else(|| missing("package-set"))?.value,
            boot: self.boot.ok_or_else(|| missing("boot"))?.value,
            partitions: Partitions {
                select_mib: self.size_mib.select.ok_or_else(|| missing("size-mib.select"))?.value,
                boot_mib: self.size_mib.boot.ok_or_else(|| missing("size-mib.boot"))?.value,
                site_mib: self.size_mib.site.ok_or_else(|| missing("size-mib.site"))?.value,
                root_mib: self.size_mib.root.ok_or_else(|| missing("size-mib.root"))?.value,
            },
            command_line: flat(self.kernel_parameters).join(" "),
            screen_terminals: flat(self.screen_terminals),
            watchdog_limit_ms: self.watchdog_limit_ms.ok_or_else(|| missing("watchdog-limit-ms"))?.value,
            device_trees: flat(self.device_trees),
            firmware: flat(self.firmware),
            boot_files: flat(self.boot_files),
            firmware_settings: flat(self.firmware_settings),
            microcode: flat(self.microcode),
            eeprom,
            firmware_not_before: self.firmware_not_before.map(|day| day.value),
            root_devices: flat(self.root_devices),
            watchdog_drivers: flat(self.watchdog_drivers),
            initramfs_drivers: flat(self.initramfs_drivers),
            root_drivers: flat(self.root_drivers),
        })
    }
}

fn flat<T>(lists: Vec<Names<T>>) -> Vec<T> {
    lists.into_iter().flat_map(|names| names.names).collect()
}

/// The line of a byte, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
