//! Debian packages: what the image and its tools are made from. A set is locked down to the byte, fetched from any
//! mirror, and unpacked without running anything of it.

pub mod config;
pub mod deb;
pub mod download;
pub mod fetch;
pub mod index;
pub mod lock;
pub mod mirror;
pub mod relation;
pub mod release;
pub mod resolve;
pub mod version;

use std::path::{Path, PathBuf};

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::config::Config;
use crate::host::packages::fetch::{FetchOptions, Item, Store, mirrors, write_sums};
use crate::host::packages::lock::{Lock, Package};
use crate::host::packages::release::Archives;
use crate::host::packages::resolve::{Universe, resolve};
use crate::host::progress::{Progress, megabytes};

/// A set whose files are all there.
pub struct Obtained {
    /// The lock they are of.
    pub lock: Lock,
    /// Every package and its file, in the lock's order.
    pub files: Vec<(Package, PathBuf)>,
    /// Whether the lock is not the tree's: what is made from it proves nothing about the tree.
    pub relocked: bool,
}

/// Where the tree keeps the lock of a set.
pub fn lock_path(base: &Path, set: &str) -> PathBuf {
    base.join(format!("{set}.lock"))
}

/// The sets `packages.toml` describes, and their archives.
///
/// # Errors
/// When the file cannot be read or is not understood.
pub fn config(options: &FetchOptions) -> Result<Config, Failure> {
    Config::read(&options.base.join("packages.toml"))
}

/// Makes sure that every file of a set is in the cache and is the locked one, fetching what is missing.
///
/// # Errors
/// When a file cannot be had. When it has gone from everywhere and `options.relock` allows it, the set is instead
/// resolved anew into a copy of the lock, loudly; the tree's lock stays as it is.
pub fn obtain(set: &str, options: &FetchOptions, progress: &mut Progress) -> Result<Obtained, Failure> {
    let config = config(options)?;
    config.set(set)?;
    let lock = Lock::read(&lock_path(&options.base, set))?;
    let copy_path = options.cache.join("relocked").join(format!("{set}.lock"));
    let gone = fetch_lock(&lock, &config, options, progress)?;
    if gone.is_empty() {
        return Ok(obtained(lock, options, false));
    }
    if !options.relock || options.from.is_some() {
        return Err(gone_failure(set, &gone, options));
    }
    // Resolved earlier, and still to be had?
    if let Ok(copy) = Lock::read(&copy_path)
        && copy.relocked_from.as_ref() == Some(&lock.digest())
        && fetch_lock(&copy, &config, options, progress)?.is_empty()
    {
        announce(&lock, &copy, progress);
        return Ok(obtained(copy, options, true));
    }
    let mut copy = resolve_now(set, &config, options, progress)?;
    copy.relocked_from = Some(lock.digest());
    let gone = fetch_lock(&copy, &config, options, progress)?;
    if !gone.is_empty() {
        return Err(gone_failure(set, &gone, options));
    }
    files::make_folder(&options.cache.join("relocked"))?;
    copy.write(&copy_path)?;
    announce(&lock, &copy, progress);
    Ok(obtained(copy, options, true))
}

/// Resolves a set with what the archives offer now. Writes nothing but indexes into the cache.
///
/// # Errors
/// When an archive cannot be had or the set cannot be resolved.
pub fn resolve_now(
    set: &str,
    config: &Config,
    options: &FetchOptions,
    progress: &mut Progress,
) -> Result<Lock, Failure> {
    let wanted = config.set(set)?;
    let archives = Archives::look(config, mirrors(options)?, options, progress)?;
    let mut architectures = vec![wanted.architecture.as_str()];
    architectures.extend(wanted.packages.iter().filter_map(|name| Some(name.split_once(':')?.1)));
    architectures.sort_unstable();
    architectures.dedup();
    let mut universe = Universe::default();
    for architecture in architectures {
        archives.read(&format!("binary-{architecture}/Packages"), progress, |archive, description, text| {
            universe.add(archive, description.is_default, text)
        })?;
    }
    let packages = resolve(wanted, &universe).or_fail(|| format!("set {set} cannot be resolved"))?;
    Ok(Lock::new(set, archives.used(), packages))
}

/// Copies the locks and packages of sets into a folder, with a list of hashes: the archive of a release.
///
/// # Errors
/// When a file cannot be copied, or two packages bear one name.
pub fn export(sets: &[Obtained], folder: &Path) -> Result<(), Failure> {
    files::make_folder(folder)?;
    for obtained in sets {
        obtained.lock.write(&lock_path(folder, &obtained.lock.set))?;
        for (package, file) in &obtained.files {
            let copy = folder.join("packages").join(package.file_name());
            if !copy.exists() {
                files::copy(file, &copy)?;
            } else if files::sha256(&copy)? != package.sha256 {
                return Err(Failure::new(format!("{} is there with other content", copy.display())));
            }
        }
    }
    write_sums(folder)
}

/// Fetches what a lock names, and gives what has gone.
fn fetch_lock(
    lock: &Lock,
    config: &Config,
    options: &FetchOptions,
    progress: &mut Progress,
) -> Result<Vec<Item>, Failure> {
    let store = Store::packages(&options.cache);
    let item = |package: &Package, urls: Vec<String>| Item {
        name: format!("{} {} {}", package.name, package.version, package.architecture),
        urls,
        size: package.size,
        sha256: package.sha256.clone(),
    };
    if let Some(export) = &options.from {
        let items: Vec<_> = lock.packages().iter().map(|package| item(package, Vec::new())).collect();
        return store.take(export, &items);
    }
    let mirrors = mirrors(options)?;
    let mut items = Vec::new();
    for package in lock.packages() {
        // A set that is in the cache needs no mirror.
        let urls = if store.path(&package.sha256).is_file() {
            mirror_urls(&mirrors, lock, config, package).unwrap_or_default()
        } else {
            mirror_urls(&mirrors, lock, config, package)?
        };
        items.push(item(package, urls));
    }
    store.fetch(&format!("packages of {}", lock.set), &items, progress)
}

fn mirror_urls(
    mirrors: &mirror::Mirrors,
    lock: &Lock,
    config: &Config,
    package: &Package,
) -> Result<Vec<String>, Failure> {
    let archive = config.archive.get(&package.archive).ok_or_else(|| {
        Failure::new(format!("the lock takes {} from {:?}, which is no archive", package.name, package.archive))
    })?;
    let dates = lock.releases.iter().filter(|release| release.archive == package.archive);
    let date = dates.filter_map(|release| index::unix_s(&release.date).ok()).max();
    mirrors.urls(archive.mirror, &package.path, date)
}

fn obtained(lock: Lock, options: &FetchOptions, relocked: bool) -> Obtained {
    let store = Store::packages(&options.cache);
    let files = lock.packages().iter().map(|package| (package.clone(), store.path(&package.sha256))).collect();
    Obtained { lock, files, relocked }
}

fn gone_failure(set: &str, gone: &[Item], options: &FetchOptions) -> Failure {
    let names: Vec<_> = gone.iter().map(|item| format!("  {} ({})", item.name, megabytes(item.size))).collect();
    let remedy = match &options.from {
        Some(export) => format!("are not in {}", export.display()),
        None if options.relock => "went while they were being fetched: try again".to_owned(),
        None => "have gone from every mirror. Configure a snapshot archive, fetch --from an export, lock anew, or let \
                 --relock (STOREBOX_RELOCK=1) resolve into a copy, which proves nothing about the tree's lock"
            .to_owned(),
    };
    Failure::new(format!("of set {set}, {} packages {remedy}:\n{}", gone.len(), names.join("\n")))
}

fn announce(lock: &Lock, copy: &Lock, progress: &mut Progress) {
    let moved = copy.moved_since(lock);
    let count = moved.len().saturating_sub(1);
    progress.note(&format!("RELOCKED: {}: {count} packages moved since the tree's lock:", lock.set));
    for line in &moved {
        progress.note(&format!("RELOCKED: {line}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::host::packages::mirror::Given;

    #[test]
    fn the_trees_locks_are_of_the_trees_sets() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("base");
        let config = Config::read(&base.join("packages.toml")).unwrap();
        assert!(config.set.len() >= 3);
        for (name, set) in &config.set {
            let lock = Lock::read(&lock_path(&base, name)).unwrap();
            assert_eq!((&lock.set, &lock.relocked_from), (name, &None));
            let locked = |wanted: &str| {
                let (wanted, architecture) = wanted.split_once(':').unwrap_or((wanted, &set.architecture));
                let serves = |found: &str| found == architecture || found == "all";
                lock.packages().iter().any(|found| found.name == wanted && serves(&found.architecture))
            };
            for wanted in &set.packages {
                assert!(locked(wanted), "{name}: {wanted} is wanted and not locked");
            }
            for without in &set.without {
                assert!(lock.package(&without.name).is_none(), "{name}: {} is left out and locked", without.name);
            }
            for package in lock.packages() {
                assert!(config.archive.contains_key(&package.archive), "{name}: {}", package.name);
            }
        }
    }

    /// A tree with a lock of one package, and a cache that has another version of it.
    struct Place {
        folder: PathBuf,
        options: FetchOptions,
    }

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("storebox-obtain-{name}-{}", std::process::id()));
            files::make_empty(&folder).unwrap();
            let base = folder.join("base");
            let config = "[archive.debian]\nmirror = \"debian\"\nis_default = true\nsuites = [\"s\"]\n\
                          components = [\"main\"]\n[set.x]\narchitecture = \"amd64\"\npackages = [\"a\"]\n";
            files::write(&base.join("packages.toml"), config).unwrap();
            let cache = folder.join("cache");
            let old = Self::lock("1");
            old.write(&lock_path(&base, "x")).unwrap();
            let mut new = Self::lock("2");
            new.relocked_from = Some(old.digest());
            files::make_folder(&cache.join("relocked")).unwrap();
            new.write(&cache.join("relocked/x.lock")).unwrap();
            files::write(&Store::packages(&cache).path(&new.packages()[0].sha256), "2").unwrap();
            let mirrors = Given { debian: Some(without_anything()), security: None };
            let options = FetchOptions { base, cache, mirrors, from: None, relock: false };
            Self { folder, options }
        }

        /// A lock of the package `a`, whose content is its version.
        fn lock(version: &str) -> Lock {
            let package = Package {
                name: "a".into(),
                version: version.into(),
                architecture: "amd64".into(),
                source: format!("a {version}"),
                built_using: Vec::new(),
                archive: "debian".into(),
                path: format!("pool/a_{version}.deb"),
                size: 1,
                sha256: format!("{:x}", Sha256::digest(version)),
            };
            Lock::new("x", Vec::new(), vec![package])
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = files::remove(&self.folder);
        }
    }

    /// A mirror that has nothing; it serves until the test's process ends.
    fn without_anything() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        url
    }

    #[test]
    fn what_has_gone_is_not_replaced_unless_asked() {
        let place = Place::new("gone");
        let failure = obtain("x", &place.options, &mut Progress::hidden()).err().unwrap().to_string();
        assert!(failure.contains("gone from every mirror") && failure.contains("a 1 amd64"), "{failure}");
    }

    #[test]
    fn a_copy_of_the_lock_stands_in_when_asked_and_says_so() {
        let mut place = Place::new("copy");
        place.options.relock = true;
        let obtained = obtain("x", &place.options, &mut Progress::hidden()).unwrap();
        assert!(obtained.relocked);
        assert_eq!(obtained.files[0].0.version, "2");
        assert_eq!(files::read_text(&obtained.files[0].1).unwrap(), "2");
        // The tree's lock has changed since, so the copy stands in for nothing.
        Place::lock("3").write(&lock_path(&place.options.base, "x")).unwrap();
        let failure = obtain("x", &place.options, &mut Progress::hidden()).err().unwrap().to_string();
        assert!(failure.contains("no mirror has the suite"), "it is resolved again: {failure}");
    }

    #[test]
    fn what_is_there_is_the_locks_own() {
        let place = Place::new("own");
        files::write(&Store::packages(&place.options.cache).path(&Place::lock("1").packages()[0].sha256), "1").unwrap();
        let options = FetchOptions { relock: true, ..place.options.clone() };
        let obtained = obtain("x", &options, &mut Progress::hidden()).unwrap();
        assert!(!obtained.relocked);
        let export_folder = place.folder.join("export");
        export(&[obtained], &export_folder).unwrap();
        let elsewhere = FetchOptions {
            cache: place.folder.join("other"),
            mirrors: Given::default(),
            from: Some(export_folder),
            ..place.options.clone()
        };
        assert_eq!(obtain("x", &elsewhere, &mut Progress::hidden()).unwrap().files[0].0.version, "1");
    }
}
