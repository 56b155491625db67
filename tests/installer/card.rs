//! Cards and images for tests: files, and loop devices over them.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::run;

/// Bytes of a mebibyte.
pub const MIB: usize = 1 << 20;
/// Where the partition STOREBOX begins in the image.
pub const SITE_START: usize = 5 * MIB;
/// How large it is: a FAT32 needs 65525 clusters.
pub const SITE_MIB: usize = 40;

/// Makes a small image as `cargo image` does: the same table, the same file system, a root that cannot be compressed, and
/// an empty one. Gives its bytes.
pub fn make_image(path: &Path) -> Vec<u8> {
    let file = File::create(path).unwrap();
    file.set_len(u64::try_from(74 * MIB).unwrap()).unwrap();
    drop(file);
    let part = |start: usize, mib: usize, name: &str| {
        let (start, size) = (start * MIB / 512, mib * MIB / 512);
        format!("start={start}, size={size}, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7, name=\"{name}\"\n")
    };
    let script = format!(
        "label: gpt\nfirst-lba: 34\n{}{}{}{}",
        part(1, 4, "storebox-select"),
        part(5, SITE_MIB, "STOREBOX"),
        part(45, 12, "storebox-root-a"),
        part(57, 16, "storebox-root-b"),
    );
    let list = path.with_extension("sfdisk");
    fs::write(&list, script).unwrap();
    let shell = format!("sfdisk --quiet --no-reread --no-tell-kernel '{}' < '{}'", path.display(), list.display());
    run("sh", &["-c".as_ref(), shell.as_ref()]);
    let kib = (SITE_MIB * 1024).to_string();
    let offset = (SITE_START / 512).to_string();
    let words = ["--invariant", "-F", "32", "-s", "1", "-n", "STOREBOX", "--offset", &offset];
    let mut words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    words.extend([path.as_os_str(), kib.as_ref()]);
    run("mkfs.vfat", &words);
    let mut noise = vec![0; 12 * MIB - 512];
    File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(u64::try_from(45 * MIB).unwrap())).unwrap();
    file.write_all(&noise).unwrap();
    fs::read(path).unwrap()
}

/// A loop device; it goes with the value.
pub struct Loop {
    device: PathBuf,
}

impl Loop {
    /// A disk over a file of a test's own.
    pub fn over(file: &Path, options: &[&str]) -> Self {
        assert!(file.starts_with(std::env::temp_dir()), "{} is not a test's own", file.display());
        // Another may take the device that was free between looking and taking.
        for _ in 0..20 {
            let output = Command::new("/usr/sbin/losetup").args(options).args(["--find", "--show"]).arg(file).output();
            let output = output.expect("losetup is there");
            if output.status.success() {
                let device = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
                assert!(device.starts_with("/dev") && device.to_string_lossy().starts_with("/dev/loop"));
                return Self { device };
            }
        }
        panic!("losetup finds no free device for {}", file.display());
    }

    /// A new, empty disk of some mebibytes full of a byte, and the file behind it.
    pub fn filled(folder: &Path, mib: usize, byte: u8) -> (Self, PathBuf) {
        let file = folder.join("card");
        fs::write(&file, vec![byte; mib * MIB]).unwrap();
        (Self::over(&file, &[]), file)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.device
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.device.file_name().unwrap().to_string_lossy().into_owned()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let status = Command::new("/usr/sbin/losetup").arg("--detach").arg(&self.device).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot take {} away", self.device.display());
    }
}

/// Something mounted; it goes with the value.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts by mount(8).
    pub fn new(place: &Path, arguments: &[&str]) -> Self {
        fs::create_dir_all(place).unwrap();
        let mut words: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        words.push(place.as_os_str());
        run("mount", &words);
        Self(place.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot unmount {}", self.0.display());
    }
}
