//! The source packages an image was made from: what the licences of its programs ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::config::Config;
use crate::host::packages::fetch::{FetchOptions, Item, Store, mirrors, write_sums};
use crate::host::packages::index::{self, SourcePackage};
use crate::host::packages::lock::Lock;
use crate::host::packages::mirror::{Kind, Mirrors};
use crate::host::packages::release::Archives;
use crate::host::progress::Progress;

/// A source package that was found.
pub struct Found {
    /// Name and version, with a blank between.
    pub name: String,
    /// Its files.
    pub package: SourcePackage,
    kind: Kind,
}

/// Finds the exact source packages of a lock, and of the C library that is part of our static program, in the archives' indexes, and in those of the snapshot archive when one
/// is configured and the archives have moved on.
///
/// # Errors
/// When an index cannot be had, or a source package is in none; the message names all of these.
pub fn find(
    lock: &Lock,
    tools: &Lock,
    config: &Config,
    options: &FetchOptions,
    progress: &mut Progress,
) -> Result<Vec<Found>, Failure> {
    let mut missing = wanted(lock);
    missing.insert(libc_linked(tools, &config.set(&lock.set)?.architecture)?);
    let mut found = Vec::new();
    let mirrors = mirrors(options)?;
    look(&mirrors, config, options, &mut missing, &mut found, progress)?;
    let dates: BTreeSet<_> = lock.releases.iter().filter_map(|release| index::unix_s(&release.date).ok()).collect();
    // The archives were not made at the same time: the newest has what all had when the lock was made, or nearly.
    if let (false, Some(date)) = (missing.is_empty(), dates.last())
        && let Some(then) = mirrors.snapshot_of(*date)?
    {
        progress.note(&format!("{} source packages have gone; looking in the snapshot archive", missing.len()));
        look(&then, config, options, &mut missing, &mut found, progress)?;
    }
    if !missing.is_empty() {
        let list: Vec<_> = missing.iter().map(|name| format!("  {name}")).collect();
        return Err(Failure::new(format!(
            "of {}, {} source packages are in no index any more; configure a snapshot archive, or lock anew:\n{}",
            lock.set,
            missing.len(),
            list.join("\n")
        )));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Fetches source packages into a folder, one folder each, with a list of hashes.
///
/// # Errors
/// When a file cannot be had.
pub fn collect(
    found: &[Found],
    lock: &Lock,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mirrors = mirrors(options)?;
    let store = Store::sources(&options.cache);
    let date = lock.releases.iter().filter_map(|release| index::unix_s(&release.date).ok()).max();
    // Two source packages may share a file, as a signed kernel's do.
    let mut items = BTreeMap::new();
    for source in found {
        for (name, listed) in &source.package.files {
            let path = format!("{}/{name}", source.package.folder);
            let urls = mirrors.urls(source.kind, &path, date)?;
            let (size, sha256) = (listed.size, listed.sha256.clone());
            items.insert(listed.sha256.clone(), Item { name: format!("{}: {name}", source.name), urls, size, sha256 });
        }
    }
    let items: Vec<_> = items.into_values().collect();
    let gone = store.fetch(&format!("sources of {}", lock.set), &items, progress)?;
    if !gone.is_empty() {
        let list: Vec<_> = gone.iter().map(|item| format!("  {}", item.name)).collect();
        return Err(Failure::new(format!(
            "no mirror has {} files of source packages; name one that carries source packages, or configure a snapshot \
             archive:\n{}",
            gone.len(),
            list.join("\n")
        )));
    }
    files::make_folder(folder)?;
    for source in found {
        let place = folder.join(source.name.replace(' ', "_"));
        files::make_folder(&place)?;
        for (name, listed) in &source.package.files {
            let (from, to) = (store.path(&listed.sha256), place.join(name));
            files::remove(&to)?;
            // The same bytes under two names, where the disk allows it: a kernel's source is large.
            if fs::hard_link(&from, &to).is_err() {
                files::copy(&from, &to)?;
            }
        }
    }
    write_sums(folder).or_fail(|| format!("cannot list {}", folder.display()))
}

/// Name and version of the source of the C library the tools link into a static program of that architecture.
///
/// # Errors
/// When the tools have none.
pub fn libc_linked(tools: &Lock, architecture: &str) -> Result<String, Failure> {
    let is_native = tools.package("libc6-dev").is_some_and(|package| package.architecture == architecture);
    let name = if is_native { "libc6-dev".to_owned() } else { format!("libc6-dev-{architecture}-cross") };
    let package = tools.package(&name);
    let sources = package.into_iter().flat_map(|package| package.built_using.iter().chain([&package.source]));
    let mut libcs = sources.filter(|source| source.starts_with("glibc "));
    libcs
        .next()
        .cloned()
        .ok_or_else(|| Failure::new(format!("the tools have no C library for {architecture} ({name})")))
}

/// Name and version of every source package the lock's packages were made from.
fn wanted(lock: &Lock) -> BTreeSet<String> {
    let packages = lock.packages().iter();
    packages.flat_map(|package| package.built_using.iter().chain([&package.source]).cloned()).collect()
}

/// Moves what the indexes have from `missing` to `found`.
fn look(
    mirrors: &Mirrors,
    config: &Config,
    options: &FetchOptions,
    missing: &mut BTreeSet<String>,
    found: &mut Vec<Found>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let archives = Archives::look(config, mirrors.clone(), options, progress)?;
    archives.read("source/Sources", progress, |_, archive, text| {
        for stanza in index::stanzas(text) {
            // Most stanzas are of other packages; only what is wanted is read in full.
            let (Some(name), Some(version)) = (stanza.get("Package"), stanza.get("Version")) else { continue };
            if missing.remove(&format!("{name} {version}")) {
                let (name, package) = SourcePackage::parse(&stanza)?;
                found.push(Found { name, package, kind: archive.mirror });
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::host::packages::lock::Package;
    use crate::host::packages::mirror::Given;

    fn package(name: &str, architecture: &str, source: &str, built_using: &[&str]) -> Package {
        Package {
            name: name.into(),
            version: "1".into(),
            architecture: architecture.into(),
            source: source.into(),
            built_using: built_using.iter().map(|name| (*name).to_owned()).collect(),
            archive: "debian".into(),
            path: "pool/a.deb".into(),
            size: 1,
            sha256: "0".repeat(64),
        }
    }

    #[test]
    fn what_a_package_was_built_from_is_wanted_too() {
        let packages = vec![
            package("linux-binary", "arm64", "linux-signed 7.3+1", &["linux 7.3-1"]),
            package("linux-modules", "arm64", "linux 7.3-1", &[]),
            package("linux-image", "arm64", "linux-signed 7.3+1", &[]),
        ];
        let found = wanted(&Lock::new("arm64", Vec::new(), packages));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["linux 7.3-1", "linux-signed 7.3+1"]);
    }

    #[test]
    fn the_c_library_of_a_static_program_is_that_of_the_tools() {
        let packages = vec![
            package("libc6-dev", "amd64", "glibc 2.41-12", &[]),
            package("libc6-dev-arm64-cross", "all", "cross-base 77", &["gcc-14 14.2", "glibc 2.41-11"]),
        ];
        let tools = Lock::new("tools", Vec::new(), packages);
        assert_eq!(libc_linked(&tools, "amd64").unwrap(), "glibc 2.41-12");
        assert_eq!(libc_linked(&tools, "arm64").unwrap(), "glibc 2.41-11");
        assert!(libc_linked(&tools, "riscv64").is_err());
    }

    #[test]
    fn sources_are_laid_out_by_package() {
        let folder = std::env::temp_dir().join(format!("storebox-sources-{}", std::process::id()));
        files::make_empty(&folder).unwrap();
        let options = FetchOptions {
            base: folder.join("base"),
            cache: folder.join("cache"),
            mirrors: Given { debian: Some("http://127.0.0.1:9".into()), security: None },
            from: None,
            relock: false,
        };
        let store = Store::sources(&options.cache);
        let source = |name: &str, file: &str, content: &str| {
            let sha256 = format!("{:x}", Sha256::digest(content));
            files::write(&store.path(&sha256), content).unwrap();
            let listed = index::Listed { size: u64::try_from(content.len()).unwrap(), sha256 };
            let package = SourcePackage { folder: "pool/a".into(), files: [(file.to_owned(), listed)].into() };
            Found { name: name.into(), package, kind: Kind::Debian }
        };
        let found = [source("a 1:2-3", "a_2.dsc", "one"), source("b 1", "b_1.dsc", "two")];
        let lock = Lock::new("x", Vec::new(), Vec::new());
        let to = folder.join("out");
        collect(&found, &lock, &to, &options, &mut Progress::hidden()).unwrap();
        assert_eq!(files::read_text(&to.join("a_1:2-3/a_2.dsc")).unwrap(), "one");
        let sums = files::read_text(&to.join("SHA256SUMS")).unwrap();
        let names: Vec<_> = sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name).collect();
        assert_eq!(names, ["a_1:2-3/a_2.dsc", "b_1/b_1.dsc"]);
        files::remove(&folder).unwrap();
    }
}
