//! Which kernel modules a list of drivers needs, and in which order they load. Pure: it works on the tables that
//! depmod(8) writes (modules.dep(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// How many names an error offers instead of one that is not there.
const SIMILAR: usize = 5;

/// The modules of a kernel that some drivers need.
pub struct Closure;

impl Closure {
    /// Files of the `wanted` modules and of everything they need, each once, in an order in which they load: what a
    /// module depends on, or asks to have loaded before, comes first. Paths are those of `modules.dep`. Drivers that
    /// are part of the kernel need no file. `-` and `_` in names are the same, as for modprobe(8).
    ///
    /// The tables are the contents of `modules.dep`, `modules.builtin`, `modules.softdep` and `modules.alias`. Of the
    /// last only names are of use, not the patterns of devices: a module may wish for an algorithm (`crypto-crc32c`),
    /// and then gets every implementation, as from modprobe.
    ///
    /// # Errors
    /// If the kernel knows some names neither as a module nor as a part of itself.
    pub fn compute(
        modules_dep: &str,
        modules_builtin: &str,
        modules_softdep: &str,
        modules_alias: &str,
        wanted: &[&str],
    ) -> Result<Vec<PathBuf>, Unknown> {
        let tables = Tables::read(modules_dep, modules_builtin, modules_softdep, modules_alias);
        let unknown: BTreeMap<String, Vec<String>> = wanted
            .iter()
            .map(|name| normalised(name))
            .filter(|name| !tables.modules.contains_key(name) && !tables.builtin.contains(name))
            .map(|name| (name.clone(), tables.similar(&name)))
            .collect();
        if !unknown.is_empty() {
            return Err(Unknown { names: unknown });
        }
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for name in wanted {
            tables.visit(&normalised(name), &mut seen, &mut order);
        }
        Ok(order)
    }
}

/// Drivers the kernel does not have, each with names it has that look like it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    names: BTreeMap<String, Vec<String>>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, similar)) in self.names.iter().enumerate() {
            out.write_str(if number == 0 { "the kernel has no module " } else { ", no " })?;
            write!(out, "{name}")?;
            if !similar.is_empty() {
                write!(out, " (but {})", similar.join(", "))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unknown {}

/// What depmod wrote, by module name.
struct Tables<'text> {
    modules: BTreeMap<String, Module<'text>>,
    builtin: BTreeSet<String>,
    softdeps: BTreeMap<String, Softdeps>,
    aliases: BTreeMap<String, Vec<String>>,
}

struct Module<'text> {
    path: &'text str,
    needs: Vec<String>,
}

#[derive(Default)]
struct Softdeps {
    before: Vec<String>,
    after: Vec<String>,
}

impl<'text> Tables<'text> {
    fn read(modules_dep: &'text str, modules_builtin: &str, modules_softdep: &str, modules_alias: &str) -> Self {
        let modules = modules_dep
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| {
                // depmod writes what loads first last.
                let needs = needs.split_ascii_whitespace().rev().map(name_of).collect();
                (name_of(path), Module { path, needs })
            })
            .collect();
        let builtin = modules_builtin.lines().filter(|line| !line.is_empty()).map(name_of).collect();
        let mut softdeps: BTreeMap<String, Softdeps> = BTreeMap::new();
        for line in modules_softdep.lines() {
            let Some(rest) = line.strip_prefix("softdep ") else { continue };
            let mut words = rest.split_ascii_whitespace();
            let Some(module) = words.next() else { continue };
            let entry = softdeps.entry(normalised(module)).or_default();
            let mut list = None;
            for word in words {
                match (word, &mut list) {
                    ("pre:", list) => *list = Some(false),
                    ("post:", list) => *list = Some(true),
                    (name, Some(false)) => entry.before.push(normalised(name)),
                    (name, Some(true)) => entry.after.push(normalised(name)),
                    (_, None) => {}
                }
            }
        }
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in modules_alias.lines() {
            let mut words = line.split_ascii_whitespace();
            if let (Some("alias"), Some(alias), Some(module)) = (words.next(), words.next(), words.next()) {
                aliases.entry(normalised(alias)).or_default().push(normalised(module));
            }
        }
        Self { modules, builtin, softdeps, aliases }
    }

    /// Adds a module after what it needs. A part of the kernel, and what the kernel does not have, adds nothing.
    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<PathBuf>) {
        let Some(module) = self.modules.get(name) else { return };
        if !seen.insert(name.to_owned()) {
            return;
        }
        let softdeps = self.softdeps.get(name);
        for wish in softdeps.iter().flat_map(|softdeps| &softdeps.before) {
            self.fulfil(wish, seen, order);
        }
        for needed in &module.needs {
            self.visit(needed, seen, order);
        }
        order.push(PathBuf::from(module.path));
        for wish in softdeps.iter().flat_map(|softdeps| &softdeps.after) {
            self.fulfil(wish, seen, order);
        }
    }

    /// A wish names a module, or what several modules can do.
    fn fulfil(&self, wish: &str, seen: &mut BTreeSet<String>, order: &mut Vec<PathBuf>) {
        self.visit(wish, seen, order);
        for module in self.aliases.get(wish).into_iter().flatten() {
            self.visit(module, seen, order);
        }
    }

    fn similar(&self, name: &str) -> Vec<String> {
        let mut ranked: Vec<(usize, &String)> = self
            .modules
            .keys()
            .chain(&self.builtin)
            .filter_map(|known| {
                let near = distance(name, known);
                let within = known.len() > 3 && name.contains(known.as_str()) || name.len() > 2 && known.contains(name);
                (near <= 2 || within).then_some((near, known))
            })
            .collect();
        ranked.sort();
        ranked.dedup();
        ranked.into_iter().take(SIMILAR).map(|(_, known)| known.clone()).collect()
    }
}

/// `kernel/net/key/af-key.ko.xz` is `af_key`.
fn name_of(path: &str) -> String {
    let file = path.trim().rsplit('/').next().unwrap_or_default();
    normalised(file.split(".ko").next().unwrap_or_default())
}

fn normalised(name: &str) -> String {
    name.trim().replace('-', "_")
}

/// How many letters must be changed, added or dropped to make one name of the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (number, letter) in left.bytes().enumerate() {
        let mut above_left = number;
        let mut last = number + 1;
        let mut next = vec![last];
        for (above, other) in row.iter().skip(1).zip(right.bytes()) {
            last = (above_left + usize::from(letter != other)).min(above + 1).min(last + 1);
            next.push(last);
            above_left = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const DEP: &str = "kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz\n\
                       kernel/fs/jbd2/jbd2.ko.xz:\n\
                       kernel/fs/mbcache.ko.xz:\n\
                       kernel/lib/crc16.ko.xz:\n\
                       kernel/drivers/net/r8169.ko.zst: kernel/drivers/net/phy/mdio_devres.ko kernel/drivers/net/phy/libphy.ko\n\
                       kernel/drivers/net/phy/mdio_devres.ko: kernel/drivers/net/phy/libphy.ko\n\
                       kernel/drivers/net/phy/realtek.ko: kernel/drivers/net/phy/libphy.ko\n\
                       kernel/drivers/net/phy/libphy.ko:\n\
                       kernel/drivers/usb/storage/usb-storage.ko.xz:\n\
                       kernel/drivers/usb/storage/uas.ko.xz: kernel/drivers/usb/storage/usb-storage.ko.xz\n\
                       kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz\n\
                       kernel/lib/libcrc32c.ko.xz:\n\
                       kernel/crypto/crc32c_generic.ko.xz:\n";
    const BUILTIN: &str = "kernel/drivers/virtio/virtio_pci.ko\nkernel/crypto/sha256_generic.ko\n";
    const SOFTDEP: &str = "# written by depmod\nsoftdep r8169 pre: realtek\nsoftdep ext4 pre: crypto-crc32c\n\
                           softdep usb_storage post: uas\nsoftdep libcrc32c pre: crc32c\n";
    const ALIAS: &str =
        "alias of:N*T*Cvendor,partC* r8169\nalias crc32c crc32c_generic\nalias crypto-crc32c crc32c-generic\n";

    fn names(wanted: &[&str]) -> Vec<String> {
        let paths = Closure::compute(DEP, BUILTIN, SOFTDEP, ALIAS, wanted).unwrap();
        paths.iter().map(|path| name_of(&path.to_string_lossy())).collect()
    }

    #[test]
    fn what_a_module_needs_loads_before_it() {
        assert_eq!(names(&["ext4"]), ["crc32c_generic", "jbd2", "mbcache", "crc16", "ext4"]);
        assert_eq!(names(&["uas"]), ["usb_storage", "uas"]);
    }

    #[test]
    fn wishes_count_too() {
        assert_eq!(names(&["r8169"]), ["libphy", "realtek", "mdio_devres", "r8169"]);
        assert_eq!(names(&["usb-storage"]), ["usb_storage", "uas"]);
    }

    /// `libcrc32c` looks for an implementation when it loads, and the first root has no modprobe to fetch one.
    #[test]
    fn a_wish_for_an_algorithm_brings_its_implementations() {
        assert_eq!(names(&["erofs"]), ["crc32c_generic", "libcrc32c", "erofs"]);
    }

    #[test]
    fn each_file_comes_once_and_with_its_path() {
        let twice = Closure::compute(DEP, BUILTIN, "", "", &["uas", "usb_storage", "crc16", "uas"]).unwrap();
        assert_eq!(
            twice,
            ["drivers/usb/storage/usb-storage", "drivers/usb/storage/uas", "lib/crc16"]
                .map(|path| PathBuf::from(format!("kernel/{path}.ko.xz")))
        );
    }

    #[test]
    fn a_part_of_the_kernel_needs_no_file() {
        assert!(names(&["virtio-pci", "sha256_generic"]).is_empty());
    }

    #[test]
    fn every_unknown_name_is_told_with_what_it_may_mean() {
        let unknown = Closure::compute(DEP, BUILTIN, SOFTDEP, ALIAS, &["usb_storag", "ext4", "frobnicator", "sha256"]);
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "the kernel has no module frobnicator, no sha256 (but sha256_generic), no usb_storag (but usb_storage)"
        );
    }

    #[test]
    fn a_circle_ends() {
        let circle = "a.ko: b.ko\nb.ko: a.ko\n";
        assert_eq!(Closure::compute(circle, "", "", "", &["a"]).unwrap(), ["b.ko", "a.ko"].map(PathBuf::from));
    }

    #[test]
    fn distances() {
        for (left, right, expected) in [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3)] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
