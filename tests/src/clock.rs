//! A wall clock that a test turns.

use std::fs;

use crate::config::BoxConfig;
use crate::folder::Folder;

/// The box's wall clock, turned by libfaketime; its monotonic clock runs on, as on a real machine.
#[derive(Debug)]
pub struct FakeClock {
    folder: Folder,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeClock {
    /// A clock that is right.
    pub fn new() -> Self {
        let clock = Self { folder: Folder::new("clock") };
        clock.set("+0");
        clock
    }

    /// Makes the box read this clock.
    #[must_use]
    pub fn drive(&self, config: BoxConfig) -> BoxConfig {
        self.environment().into_iter().fold(config, |config, (name, value)| config.env(name, &value))
    }

    /// What makes any process read this clock.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let file = self.folder.path().join("time");
        [
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap().to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Turns it to so far from the right time: `+2h`, `-30d`.
    pub fn set(&self, offset: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        // Renamed into place: the box never reads half of it.
        fs::rename(new, self.folder.path().join("time")).unwrap();
    }
}

/// `STOREBOX_FAKETIME_LIB`, else where Debian keeps it.
fn library() -> String {
    if let Ok(path) = std::env::var("STOREBOX_FAKETIME_LIB") {
        return path;
    }
    let architecture = std::env::consts::ARCH;
    let path = format!("/usr/lib/{architecture}-linux-gnu/faketime/libfaketime.so.1");
    assert!(fs::exists(&path).unwrap(), "install libfaketime, or name libfaketime.so.1 in STOREBOX_FAKETIME_LIB");
    path
}
