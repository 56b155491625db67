//! `image/base/packages.toml`: the archives and what is taken from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::mirror::Kind;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By name: what can be taken from where.
    pub archive: BTreeMap<String, Archive>,
    /// By name: what is taken.
    pub set: BTreeMap<String, Set>,
}

/// Suites that are one source of packages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Where their mirrors are to be found.
    pub mirror: Kind,
    /// Whether packages come from here without being asked for by name.
    #[serde(default)]
    pub is_default: bool,
    /// As the mirror's folder `dists` spells them.
    pub suites: Vec<String>,
    /// Of each suite.
    pub components: Vec<String>,
}

/// Packages that are locked and unpacked together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The Debian architecture of its programs.
    pub architecture: String,
    /// What is wanted: `name`, or `name:architecture` for another architecture. What these need comes by itself.
    pub packages: Vec<String>,
    /// Names that come from another archive than the default ones.
    #[serde(default)]
    pub from: BTreeMap<String, String>,
    /// What is left out, with whatever only it needs.
    #[serde(default)]
    pub without: Vec<Without>,
}

/// A package, real or virtual, that is needed by another one but not by us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Without {
    /// Its name.
    pub name: String,
    /// Why it can be left out.
    pub reason: String,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, is not understood or names an archive it does not have.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).or_fail(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).or_fail(|| format!("{} is not understood", path.display()))
    }

    /// Parses the text of the file.
    ///
    /// # Errors
    /// When it is not understood or names an archive it does not have.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self = toml::from_str(text).or_fail(|| "not TOML of the expected shape".into())?;
        for (name, set) in &config.set {
            if let Some(archive) = set.from.values().find(|archive| !config.archive.contains_key(*archive)) {
                return Err(Failure::new(format!("set {name}: there is no archive {archive:?}")));
            }
            if let Some(without) = set.without.iter().find(|without| without.reason.trim().is_empty()) {
                return Err(Failure::new(format!("set {name}: without {:?} lacks a reason", without.name)));
            }
            let mut names = BTreeSet::new();
            let all = set.packages.iter().chain(set.without.iter().map(|without| &without.name));
            if let Some(twice) = all.into_iter().find(|name| !names.insert(*name)) {
                return Err(Failure::new(format!("set {name}: {twice:?} is named twice")));
            }
        }
        Ok(config)
    }

    /// The set of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn set(&self, name: &str) -> Result<&Set, Failure> {
        self.set.get(name).ok_or_else(|| {
            let names: Vec<_> = self.set.keys().map(String::as_str).collect();
            Failure::usage(format!("there is no package set {name:?}; there are {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHIVE: &str = "[archive.a]\nmirror = \"debian\"\nsuites = [\"s\"]\ncomponents = [\"main\"]\n[set.x]\n\
                           architecture = \"amd64\"\n";

    #[test]
    fn a_package_is_left_out_for_a_reason() {
        let error = |rest: &str| format!("{:#}", Config::parse(&format!("{ARCHIVE}{rest}")).unwrap_err());
        let found = error("packages = []\nwithout = [{ name = \"b\", reason = \" \" }]\n");
        assert_eq!(found, "set x: without \"b\" lacks a reason");
        assert_eq!(error("packages = [\"b\", \"b\"]\n"), "set x: \"b\" is named twice");
        let found = error("packages = [\"b\"]\nfrom = { \"b\" = \"elsewhere\" }\n");
        assert_eq!(found, "set x: there is no archive \"elsewhere\"");
        assert!(error("packages = []\nwihtout = []\n").contains("unknown field"));
    }
}
