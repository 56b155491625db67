//! Kernel modules, in the order the image's maker wrote down: `/modules/NAME` lists one module file of `/modules` per
//! line, dependencies first, uncompressed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use crate::limits;

/// The directory of the lists and the modules.
pub const DIRECTORY: &str = "/modules";
/// The list of watchdog drivers: loaded first, so that whatever hangs later is ended.
pub const WATCHDOG: &str = "watchdog";
/// The list of drivers of disks, and of what reads the root.
pub const ROOT: &str = "root";

/// Loads a list and answers what could not be loaded, each with its reason. A driver for hardware that is not there,
/// or that is loaded already, is as it should be. None of the others ends the start: the disk may be found without it.
pub fn load(list: &str, mut after_each: impl FnMut()) -> Vec<String> {
    let directory = Path::new(DIRECTORY);
    let text = match fs::read_to_string(directory.join(list)) {
        Ok(text) => text,
        Err(error) => return vec![format!("the list {list} ({error})")],
    };
    let mut unloaded = Vec::new();
    for line in names(&text) {
        match line {
            Ok(name) => unloaded.extend(load_one(&directory.join(name)).err().map(|why| format!("{name} ({why})"))),
            Err(name) => unloaded.push(format!("{name} (not a module file)")),
        }
        after_each();
    }
    unloaded
}

fn load_one(path: &PathBuf) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    match finit_module(&file, c"", ModuleInitFlags::empty()) {
        Ok(()) | Err(Errno::ENODEV | Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.desc().to_owned()),
    }
}

/// The module files of a list; `Err` with a line that is none.
fn names(list: &str) -> impl Iterator<Item = Result<&str, &str>> {
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(limits::MODULES)
        .map(|line| if line.ends_with(".ko") && !line.contains('/') { Ok(line) } else { Err(line) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_keep_the_order_of_the_list() {
        let list = "dm-mod.ko\n\ndm-bufio.ko\n  dm-verity.ko \n";
        assert_eq!(names(list).collect::<Vec<_>>(), [Ok("dm-mod.ko"), Ok("dm-bufio.ko"), Ok("dm-verity.ko")]);
    }

    #[test]
    fn a_list_names_files_of_its_own_directory_only() {
        assert_eq!(names("../x.ko\nsd_mod\n").collect::<Vec<_>>(), [Err("../x.ko"), Err("sd_mod")]);
    }

    #[test]
    fn an_endless_list_ends() {
        assert_eq!(names(&"a.ko\n".repeat(100_000)).count(), limits::MODULES);
    }

    #[test]
    fn a_missing_list_is_told() {
        let told = load("no-such-list", || {});
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("no-such-list"), "{told:?}");
    }
}
