//! Which packages a set needs: what it names, and what that needs.
//!
//! Recommended and essential packages are not added: no maintainer script runs on what is unpacked, so what only
//! scripts want is left out too (`without`). Nothing here looks at `Conflicts`; a set is small enough to be tried.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::config::Set;
use crate::host::packages::index::{self, Candidate};
use crate::host::packages::lock::Package;
use crate::host::packages::relation::{self, Alternative};
use crate::host::packages::version;

/// Everything the archives offer.
#[derive(Default)]
pub struct Universe {
    candidates: Vec<Candidate>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_provided: BTreeMap<String, Vec<usize>>,
    defaults: BTreeSet<String>,
}

impl Universe {
    /// Adds the packages of a `Packages` file. From an archive that is not default they come only when asked for.
    ///
    /// # Errors
    /// When a stanza is not understood.
    pub fn add(&mut self, archive: &str, is_default: bool, packages: &str) -> Result<(), Failure> {
        if is_default {
            self.defaults.insert(archive.to_owned());
        }
        for stanza in index::stanzas(packages) {
            let candidate = Candidate::parse(&stanza, archive)?;
            let number = self.candidates.len();
            self.by_name.entry(candidate.package.name.clone()).or_default().push(number);
            for provided in &candidate.provides {
                self.by_provided.entry(provided.name.clone()).or_default().push(number);
            }
            self.candidates.push(candidate);
        }
        Ok(())
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Candidate> {
        self.by_name.get(name).into_iter().flatten().filter_map(|number| self.candidates.get(*number))
    }

    fn providing(&self, name: &str) -> impl Iterator<Item = &Candidate> {
        self.by_provided.get(name).into_iter().flatten().filter_map(|number| self.candidates.get(*number))
    }
}

/// The packages of a set.
///
/// # Errors
/// When something is not to be had, or something to be left out is not needed anyway.
pub fn resolve(set: &Set, universe: &Universe) -> Result<Vec<Package>, Failure> {
    let without: BTreeMap<_, _> = set.without.iter().map(|without| (without.name.as_str(), false)).collect();
    let mut resolution = Resolution { set, universe, without, chosen: BTreeMap::new(), queue: VecDeque::new() };
    for wanted in &set.packages {
        resolution.choose_wanted(wanted)?;
    }
    while let Some(candidate) = resolution.queue.pop_front() {
        resolution.follow(candidate)?;
    }
    let idle: Vec<_> = resolution.without.iter().filter(|(_, was_met)| !**was_met).map(|(name, _)| *name).collect();
    if !idle.is_empty() {
        return Err(Failure::new(format!("nothing needs what is to be left out: {}", idle.join(", "))));
    }
    Ok(resolution.chosen.into_values().map(|candidate| candidate.package.clone()).collect())
}

struct Resolution<'a> {
    set: &'a Set,
    universe: &'a Universe,
    /// By name: whether something needed it.
    without: BTreeMap<&'a str, bool>,
    /// By name and architecture.
    chosen: BTreeMap<(&'a str, &'a str), &'a Candidate>,
    queue: VecDeque<&'a Candidate>,
}

/// Who needs something: decides which architectures and archives will do.
#[derive(Clone, Copy)]
struct Needer<'a> {
    architecture: &'a str,
    archive: Option<&'a str>,
}

impl<'a> Resolution<'a> {
    fn choose_wanted(&mut self, wanted: &'a str) -> Result<(), Failure> {
        let (name, architecture) = wanted.split_once(':').unwrap_or((wanted, &self.set.architecture));
        if self.without.contains_key(name) {
            return Err(Failure::new(format!("{name} is both wanted and to be left out")));
        }
        let exactly =
            Alternative { name: name.to_owned(), architecture: Some(architecture.to_owned()), versions: None };
        let found = self.best(&exactly, Needer { architecture, archive: None });
        self.choose(found.ok_or_else(|| {
            Failure::new(format!("the archives have no package {name} of architecture {architecture}"))
        })?);
        Ok(())
    }

    fn choose(&mut self, candidate: &'a Candidate) {
        let key = (candidate.package.name.as_str(), candidate.package.architecture.as_str());
        if self.chosen.insert(key, candidate).is_none() {
            self.queue.push_back(candidate);
        }
    }

    /// Chooses what a package needs.
    fn follow(&mut self, candidate: &'a Candidate) -> Result<(), Failure> {
        let package = &candidate.package;
        let needs = relation::parse(&candidate.depends)
            .ok_or_else(|| Failure::new(format!("package {}: its dependencies are not understood", package.name)))?;
        let architecture = match package.architecture.as_str() {
            "all" => &self.set.architecture,
            own => own,
        };
        let needer = Needer { architecture, archive: Some(&package.archive) };
        for alternatives in needs {
            self.satisfy(&alternatives, needer).or_fail(|| {
                let shown: Vec<_> = alternatives.iter().map(Alternative::to_string).collect();
                format!("{} needs {}", package.name, shown.join(" | "))
            })?;
        }
        Ok(())
    }

    fn satisfy(&mut self, alternatives: &[Alternative], needer: Needer<'a>) -> Result<(), Failure> {
        if alternatives.iter().any(|alternative| self.is_satisfied(alternative, needer)) {
            return Ok(());
        }
        for alternative in alternatives {
            if let Some(was_met) = self.without.get_mut(alternative.name.as_str()) {
                *was_met = true;
                return Ok(());
            }
            let found = self.best(alternative, needer).or_else(|| self.provider(alternative, needer));
            if let Some(found) = found {
                self.choose(found);
                return Ok(());
            }
        }
        Err(Failure::new("the archives have nothing that satisfies it"))
    }

    fn is_satisfied(&self, wanted: &Alternative, needer: Needer<'_>) -> bool {
        let serves = |found: &Candidate| self.serves(found, wanted, needer);
        let by_name = self.chosen.range((wanted.name.as_str(), "")..);
        let mut by_name = by_name.take_while(|((name, _), _)| *name == wanted.name).map(|(_, found)| *found);
        by_name.any(|found| serves(found) && wanted.admits(&found.package.version))
            || self.chosen.values().any(|found| serves(found) && provides(found, wanted))
    }

    /// The highest version that will do: from the archive the set names for it, else from the default ones, else
    /// from where the needer itself comes from.
    fn best(&self, wanted: &Alternative, needer: Needer<'_>) -> Option<&'a Candidate> {
        let is_taken = |found: &Candidate| {
            let key = (found.package.name.as_str(), found.package.architecture.as_str());
            self.chosen.get(&key).is_some_and(|chosen| chosen.package.version != found.package.version)
        };
        let fits = |found: &Candidate| {
            self.serves(found, wanted, needer) && wanted.admits(&found.package.version) && !is_taken(found)
        };
        let highest = |is_from: &dyn Fn(&str) -> bool| {
            let named = self.universe.named(&wanted.name);
            let mut fitting: Vec<_> = named.filter(|found| is_from(&found.package.archive) && fits(found)).collect();
            // Our own architecture before another one; of equal versions the archive that was named first.
            fitting.reverse();
            fitting.into_iter().max_by(|a, b| {
                let (a_is_ours, b_is_ours) = (!self.is_strange(a), !self.is_strange(b));
                let versions = || version::compare(&a.package.version, &b.package.version);
                a_is_ours.cmp(&b_is_ours).then_with(versions)
            })
        };
        if let Some(named) = self.set.from.get(&wanted.name) {
            return highest(&|archive| archive == named);
        }
        let default = highest(&|archive| self.universe.defaults.contains(archive));
        default.or_else(|| highest(&|archive| needer.archive == Some(archive)))
    }

    /// The first package by name that provides what is wanted.
    fn provider(&mut self, wanted: &Alternative, needer: Needer<'a>) -> Option<&'a Candidate> {
        let names: BTreeSet<_> =
            self.universe.providing(&wanted.name).map(|provider| provider.package.name.as_str()).collect();
        for name in names {
            let named = Alternative { name: name.to_owned(), architecture: None, versions: None };
            if self.without.contains_key(name) {
                continue;
            }
            if let Some(found) = self.best(&named, needer).filter(|found| provides(found, wanted)) {
                return Some(found);
            }
        }
        None
    }

    /// Whether a package is of use to the needer, by its architecture.
    fn serves(&self, found: &Candidate, wanted: &Alternative, needer: Needer<'_>) -> bool {
        let own = found.package.architecture.as_str();
        own == "all"
            || match wanted.architecture.as_deref() {
                None => found.is_foreign || own == needer.architecture,
                Some("any") => own == self.set.architecture,
                Some(named) => own == named,
            }
    }

    fn is_strange(&self, candidate: &Candidate) -> bool {
        !["all", &self.set.architecture].contains(&candidate.package.architecture.as_str())
    }
}

fn provides(found: &Candidate, wanted: &Alternative) -> bool {
    let mut provided = found.provides.iter().filter(|provided| provided.name == wanted.name);
    provided.any(|provided| wanted.admits_provided(provided.versions.as_ref().map(|(_, version)| version.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::packages::config::Without;

    /// Packages written shortly: `name version architecture; field: value; …`.
    fn universe(archives: &[(&str, bool, &[&str])]) -> Universe {
        let mut universe = Universe::default();
        for (archive, is_default, packages) in archives {
            let mut text = String::new();
            for package in *packages {
                let mut parts = package.split("; ");
                let words: Vec<_> = parts.next().unwrap().split(' ').collect();
                let (name, version, architecture) = (words[0], words[1], words[2]);
                text += &format!("Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n");
                text += &format!("Filename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {}\n", "a".repeat(64));
                parts.for_each(|field| text += &format!("{field}\n"));
                text.push('\n');
            }
            universe.add(archive, *is_default, &text).unwrap();
        }
        universe
    }

    fn set(packages: &[&str], from: &[(&str, &str)], without: &[&str]) -> Set {
        let own = |text: &&str| (*text).to_owned();
        Set {
            architecture: "amd64".into(),
            packages: packages.iter().map(own).collect(),
            from: from.iter().map(|(name, archive)| (own(name), own(archive))).collect(),
            without: without.iter().map(|name| Without { name: own(name), reason: "a test".into() }).collect(),
        }
    }

    fn names(set: &Set, universe: &Universe) -> String {
        match resolve(set, universe) {
            Ok(packages) => {
                let shown = packages.iter().map(|p| format!("{}_{}_{}", p.name, p.version, p.architecture));
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(failure) => format!("{failure:#}"),
        }
    }

    #[test]
    fn what_is_needed_comes_too() {
        let all = universe(&[
            ("debian", true, &["a 1 amd64; Depends: b (>= 2), c", "b 1 amd64", "b 2 amd64; Pre-Depends: d", "c 1 all"]),
            ("security", true, &["b 2.1 amd64; Depends: d", "c 1 all; Depends: other", "d 1 amd64", "e 1 amd64"]),
        ]);
        assert_eq!(names(&set(&["a"], &[], &[]), &all), "a_1_amd64 b_2.1_amd64 c_1_all d_1_amd64");
        assert_eq!(names(&set(&["x"], &[], &[]), &all), "the archives have no package x of architecture amd64");
    }

    #[test]
    fn the_first_alternative_that_can_be_had_is_taken_unless_one_is_there() {
        let packages =
            ["a 1 amd64; Depends: none | b | c", "b 1 amd64", "c 1 amd64", "v 1 amd64; Depends: b (>= 2) | c"];
        let all = universe(&[("debian", true, &packages)]);
        assert_eq!(names(&set(&["a"], &[], &[]), &all), "a_1_amd64 b_1_amd64");
        assert_eq!(names(&set(&["a", "c"], &[], &[]), &all), "a_1_amd64 c_1_amd64");
        assert_eq!(names(&set(&["v"], &[], &[]), &all), "c_1_amd64 v_1_amd64");
    }

    #[test]
    fn a_virtual_package_is_provided_by_another() {
        let packages = [
            "a 1 amd64; Depends: mail",
            "w 1 amd64; Depends: mail (>= 3)",
            "y 1 amd64; Provides: mail",
            "z 1 amd64; Provides: mail (= 3)",
            "n 1 amd64; Depends: mail (>= 4)",
        ];
        let all = universe(&[("debian", true, &packages)]);
        assert_eq!(names(&set(&["a"], &[], &[]), &all), "a_1_amd64 y_1_amd64");
        assert_eq!(names(&set(&["a"], &[], &["y"]), &all), "nothing needs what is to be left out: y");
        assert_eq!(names(&set(&["a"], &[], &["mail"]), &all), "a_1_amd64");
        assert_eq!(names(&set(&["a", "w"], &[], &[]), &all), "a_1_amd64 w_1_amd64 y_1_amd64 z_1_amd64");
        assert_eq!(names(&set(&["w", "a"], &[], &[]), &all), "a_1_amd64 w_1_amd64 z_1_amd64");
        let failure = "n needs mail (>= 4): the archives have nothing that satisfies it";
        assert_eq!(names(&set(&["n"], &[], &[]), &all), failure);
    }

    #[test]
    fn what_is_left_out_takes_along_what_only_it_needs() {
        let packages = [
            "a 1 amd64; Depends: cut (>= 1) | other, kept",
            "cut 1 amd64; Depends: perl",
            "perl 1 amd64",
            "kept 1 amd64; Depends: lib",
            "lib 1 amd64",
            "other 1 amd64",
        ];
        let all = universe(&[("debian", true, &packages)]);
        assert_eq!(names(&set(&["a"], &[], &["cut"]), &all), "a_1_amd64 kept_1_amd64 lib_1_amd64");
        // There already: then nothing has to be cut.
        assert_eq!(names(&set(&["a", "other"], &[], &["cut"]), &all), "nothing needs what is to be left out: cut");
        assert_eq!(names(&set(&["a"], &[], &["cut", "perl"]), &all), "nothing needs what is to be left out: perl");
        assert_eq!(names(&set(&["a"], &[], &["a"]), &all), "a is both wanted and to be left out");
    }

    #[test]
    fn another_archive_is_used_where_it_is_asked_for() {
        let all = universe(&[
            (
                "backports",
                false,
                &[
                    "kernel 7 amd64; Depends: modules (= 7), extra, lib",
                    "modules 7 amd64",
                    "extra 7 amd64",
                    "lib 7 amd64",
                ],
            ),
            ("debian", true, &["kernel 6 amd64; Depends: modules (= 6)", "modules 6 amd64", "lib 6 amd64"]),
        ]);
        assert_eq!(names(&set(&["kernel"], &[], &[]), &all), "kernel_6_amd64 modules_6_amd64");
        let expected = "extra_7_amd64 kernel_7_amd64 lib_6_amd64 modules_7_amd64";
        assert_eq!(names(&set(&["kernel"], &[("kernel", "backports")], &[]), &all), expected);
    }

    #[test]
    fn a_package_of_another_architecture_uses_what_serves_it() {
        let all = universe(&[(
            "debian",
            true,
            &[
                "headers 1 arm64; Depends: common, kbuild, lib, gcc-for-host",
                "common 1 all; Depends: tool",
                "kbuild 1 amd64; Multi-Arch: foreign",
                "kbuild 2 arm64; Multi-Arch: foreign",
                "lib 1 amd64; Multi-Arch: same",
                "lib 1 arm64; Multi-Arch: same",
                "tool 1 amd64",
                "tool 1 arm64",
                "gcc-for-host 1 arm64; Depends: lib",
            ],
        )]);
        let expected = "common_1_all headers_1_arm64 kbuild_1_amd64 lib_1_arm64 tool_1_amd64";
        assert_eq!(names(&set(&["headers:arm64"], &[], &["gcc-for-host"]), &all), expected);
        assert_eq!(names(&set(&["kbuild:arm64"], &[], &[]), &all), "kbuild_2_arm64");
    }
}
