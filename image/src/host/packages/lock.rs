//! Lock files: which packages a set consists of, down to the byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::index::is_sha256;
use crate::host::progress::megabytes;

/// The shape of the file; a new shape has a new number.
const FORMAT: u32 = 1;

/// A locked set.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// The name of the set.
    pub set: String,
    /// The SHA-256 of the lock this one stands in for, when it was resolved because that one's files had gone.
    pub relocked_from: Option<String>,
    /// What it was resolved from.
    pub releases: Vec<ReleaseUsed>,
    packages: Vec<Package>,
}

/// The `InRelease` file of a suite, at the time of resolving.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ReleaseUsed {
    /// The archive's name in `packages.toml`.
    pub archive: String,
    /// The suite's name.
    pub suite: String,
    /// Its date, as it says.
    pub date: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// One package of a lock.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The name.
    pub name: String,
    /// The version with epoch.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// Name and version of the source package, with a blank between.
    pub source: String,
    /// Further source packages that parts of it were made from and whose licences ask for their source.
    #[serde(default)]
    pub built_using: Vec<String>,
    /// The archive's name in `packages.toml`.
    pub archive: String,
    /// Where it lies below the mirror.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl Package {
    /// Whether every field is what it should be, so that no path leads astray.
    ///
    /// # Errors
    /// Names the field that is not.
    pub fn check(&self) -> Result<(), Failure> {
        let is_plain = |text: &str| {
            let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"+-._~:".contains(&b);
            !text.is_empty() && text.bytes().all(is_allowed)
        };
        let path_is_safe = self.path.split('/').all(|part| part != ".." && is_plain(part));
        let bad = [
            ("name", !is_plain(&self.name)),
            ("version", !is_plain(&self.version)),
            ("architecture", !is_plain(&self.architecture)),
            ("path", !path_is_safe),
            ("sha256", !is_sha256(&self.sha256)),
        ];
        match bad.into_iter().find(|(_, is_bad)| *is_bad) {
            None => Ok(()),
            Some((field, _)) => Err(Failure::new(format!("package {:?}: the {field} is not understood", self.name))),
        }
    }

    /// The name of its file in the archive.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn key(&self) -> (&str, &str) {
        (&self.name, &self.architecture)
    }
}

impl Lock {
    /// A lock of these packages, in any order.
    pub fn new(set: &str, releases: Vec<ReleaseUsed>, mut packages: Vec<Package>) -> Self {
        packages.sort_by(|a, b| a.key().cmp(&b.key()));
        Self { format: FORMAT, set: set.to_owned(), relocked_from: None, releases, packages }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// When it cannot be read or is not understood.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).or_fail(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).or_fail(|| format!("{} is not understood", path.display()))
    }

    /// Parses the text of a lock file.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let lock: Self = toml::from_str(text).or_fail(|| "not TOML of the expected shape".into())?;
        if lock.format != FORMAT {
            return Err(Failure::new(format!("its format is {}, this command reads {FORMAT}", lock.format)));
        }
        lock.packages.iter().try_for_each(Package::check)?;
        if let Some([first, _]) = lock.packages.array_windows().find(|[a, b]| a.key() >= b.key()) {
            return Err(Failure::new(format!("the packages are not in order after {}", first.name)));
        }
        Ok(lock)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; what was there before stays.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let new = path.with_extension("lock.new");
        fs::write(&new, self.text())
            .and_then(|()| fs::rename(&new, path))
            .or_fail(|| format!("{} cannot be written", path.display()))
    }

    /// The text of the file: one package on a line, so that a difference shows what moved.
    pub fn text(&self) -> String {
        let mut out = String::from("# Written by `cargo image lock` from packages.toml.\n");
        // Writing to a string cannot fail.
        let _ = write!(out, "format = {}\nset = \"{}\"\n", self.format, self.set);
        if let Some(from) = &self.relocked_from {
            let _ = writeln!(out, "relocked_from = \"{from}\"");
        }
        out.push_str("releases = [\n");
        for ReleaseUsed { archive, suite, date, sha256 } in &self.releases {
            let _ = writeln!(
                out,
                "  {{ archive = \"{archive}\", suite = \"{suite}\", date = \"{date}\", sha256 = \"{sha256}\" }},"
            );
        }
        out.push_str("]\npackages = [\n");
        for package in &self.packages {
            let Package { name, version, architecture, source, built_using, archive, path, size, sha256 } = package;
            let _ = write!(
                out,
                "  {{ name = \"{name}\", version = \"{version}\", architecture = \"{architecture}\", \
                 source = \"{source}\", "
            );
            if !built_using.is_empty() {
                let _ = write!(out, "built_using = {built_using:?}, ");
            }
            let _ =
                writeln!(out, "archive = \"{archive}\", path = \"{path}\", size = {size}, sha256 = \"{sha256}\" }},");
        }
        out.push_str("]\n");
        out
    }

    /// The SHA-256 of its text, in hexadecimal: equal locks have equal ones.
    pub fn digest(&self) -> String {
        format!("{:x}", Sha256::digest(self.text()))
    }

    /// The packages by name, then architecture.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The package of that name and any architecture.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Bytes of all packages.
    pub fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// What is different from an older lock, a line each, and a line with the sums. Empty when nothing moved.
    pub fn moved_since(&self, old: &Self) -> Vec<String> {
        let by_key = |lock: &Self| -> BTreeMap<(String, String), Package> {
            let own = |package: &Package| (package.name.clone(), package.architecture.clone());
            lock.packages.iter().map(|package| (own(package), package.clone())).collect()
        };
        let (before, after) = (by_key(old), by_key(self));
        let mut lines = Vec::new();
        for (key, package) in &after {
            match before.get(key) {
                None => lines.push(format!("+ {} {}", package.name, package.version)),
                Some(was) if was.version != package.version => {
                    lines.push(format!("  {} {} -> {}", package.name, was.version, package.version));
                }
                Some(was) if was.sha256 != package.sha256 => {
                    lines.push(format!("  {} {}: other content", package.name, package.version));
                }
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
        lines.extend(gone.map(|(_, package)| format!("- {} {}", package.name, package.version)));
        if !lines.is_empty() {
            lines.push(format!(
                "{}: {} packages, {} (before: {}, {})",
                self.set,
                self.packages.len(),
                megabytes(self.size()),
                old.packages.len(),
                megabytes(old.size())
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, size: u64) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            architecture: "amd64".into(),
            source: format!("{name} {version}"),
            built_using: Vec::new(),
            archive: "debian".into(),
            path: format!("pool/main/{name}_{version}_amd64.deb"),
            size,
            sha256: "0123456789abcdef".repeat(4),
        }
    }

    fn lock(packages: Vec<Package>) -> Lock {
        let release = ReleaseUsed {
            archive: "debian".into(),
            suite: "trixie".into(),
            date: "Sat, 12 Sep 2026 07:55:41 UTC".into(),
            sha256: "ab".repeat(32),
        };
        Lock::new("amd64", vec![release], packages)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut lock = lock(vec![package("zlib1g", "1:1.3", 5), package("libc6", "2.41-12", 7)]);
        lock.packages[0].built_using = vec!["linux 7.3-1".into(), "gcc-14 14.2-1".into()];
        lock.relocked_from = Some("cd".repeat(32));
        let text = lock.text();
        assert_eq!(Lock::parse(&text).unwrap(), lock);
        assert_eq!(lock.packages()[0].name, "libc6", "sorted");
        assert_eq!(text.lines().filter(|line| line.contains("name = ")).count(), 2, "one line each");
    }

    #[test]
    fn a_lock_that_leads_astray_is_refused() {
        let good = lock(vec![package("a", "1", 1), package("b", "1", 1)]).text();
        for (from, to) in [
            ("pool/main/a_1", "pool/../../a_1"),
            ("pool/main/a_1", "/pool/main/a_1"),
            ("name = \"a\"", "name = \"c\""),
            ("name = \"b\"", "name = \"../b\""),
            ("89abcdef\" },\n  { name = \"b\"", "89ABCDEF\" },\n  { name = \"b\""),
            ("format = 1", "format = 2"),
            ("size = 1", "size = -1"),
            ("format = 1", "format = 1\nother = 1"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            assert!(Lock::parse(&bad).is_err(), "{to}");
        }
    }

    #[test]
    fn what_moved_is_told() {
        let old = lock(vec![package("a", "1", 1_000_000), package("b", "1", 1), package("d", "1", 1)]);
        let new = lock(vec![package("a", "1.1", 2_000_000), package("b", "1", 1), package("c", "3", 1)]);
        let expected = ["  a 1 -> 1.1", "+ c 3", "- d 1", "amd64: 3 packages, 2.0 MB (before: 3, 1.0 MB)"];
        assert_eq!(new.moved_since(&old), expected);
        assert!(new.moved_since(&new).is_empty());
    }
}
