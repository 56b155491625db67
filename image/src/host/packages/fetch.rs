//! Fetching many files into the cache, where each is named by its SHA-256.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use crate::host::cache;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::download::{Client, Expected, Outcome};
use crate::host::packages::mirror::{Given, Mirrors};
use crate::host::progress::{Progress, Unit};

/// Downloads at once: enough to fill a line, few enough for a mirror.
const AT_ONCE: usize = 4;
/// Messages from the downloads that may wait.
const MESSAGES_MAX: usize = 64;
/// In an export: the list of its files.
pub const SUMS: &str = "SHA256SUMS";

/// Where the tree is, where packages are kept, and where they come from.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The tree's folder `image/base`.
    pub base: PathBuf,
    /// The cache.
    pub cache: PathBuf,
    /// Mirrors of the command line.
    pub mirrors: Given,
    /// A folder made by an export, to read from instead of a mirror.
    pub from: Option<PathBuf>,
    /// Whether a set is resolved anew when files of its lock have gone.
    pub relock: bool,
}

impl FetchOptions {
    /// Options for a tree, with what the environment says: `STOREBOX_IMAGE_CACHE`, and `STOREBOX_RELOCK=1`.
    ///
    /// # Errors
    /// If the environment names no home.
    pub fn new(tree: &Path) -> Result<Self, Failure> {
        let relock = std::env::var("STOREBOX_RELOCK").is_ok_and(|value| value == "1");
        let base = tree.join("image/base");
        Ok(Self { base, cache: cache::folder()?, mirrors: Given::default(), from: None, relock })
    }
}

/// A file to fetch.
#[derive(Clone, Debug)]
pub struct Item {
    /// What a reader knows it by.
    pub name: String,
    /// Where to look, in order.
    pub urls: Vec<String>,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// A folder of files named by their SHA-256.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    extension: &'static str,
}

impl Store {
    /// Downloaded packages.
    pub fn packages(cache: &Path) -> Self {
        Self { folder: cache.join("packages"), extension: ".deb" }
    }

    /// Downloaded files of source packages.
    pub fn sources(cache: &Path) -> Self {
        Self { folder: cache.join("sources"), extension: "" }
    }

    /// Downloaded indexes of archives.
    pub fn indexes(cache: &Path) -> Self {
        Self { folder: cache.join("indexes"), extension: "" }
    }

    /// Where a file is or will be.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}{}", self.extension))
    }

    /// Gets what is not there yet and gives the files that are gone from everywhere. Every file that is there
    /// afterwards has been read and is the one expected.
    ///
    /// # Errors
    /// When a download fails. What was fetched stays.
    pub fn fetch(&self, label: &str, items: &[Item], progress: &mut Progress) -> Result<Vec<Item>, Failure> {
        files::make_folder(&self.folder)?;
        // Two downloads to one place would spoil each other.
        let guard_path = self.folder.join("lock");
        let guard = File::create(&guard_path).or_fail(|| format!("cannot make {}", guard_path.display()))?;
        if guard.try_lock().is_err() {
            progress.note("another command is fetching; waiting for it");
            guard.lock().or_fail(|| format!("cannot lock {}", guard_path.display()))?;
        }
        let missing: Vec<_> = items.iter().filter(|item| !self.path(&item.sha256).is_file()).collect();
        if !missing.is_empty() {
            let bytes = missing.iter().map(|item| item.size).sum();
            progress.begin(format!("fetching {label}"), Unit::Bytes, Some(bytes));
        }
        let client = Client::new();
        let gone = self.work(items, &client, progress);
        progress.end();
        gone
    }

    /// Spreads the items over the workers and shows what they report.
    fn work(&self, items: &[Item], client: &Client, progress: &mut Progress) -> Result<Vec<Item>, Failure> {
        let next = AtomicUsize::new(0);
        let is_over = AtomicBool::new(false);
        let (sender, receiver) = mpsc::sync_channel(MESSAGES_MAX);
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                let (sender, next, is_over) = (sender.clone(), &next, &is_over);
                scope.spawn(move || {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let result = self.ensure(item, client, &sender);
                        let is_error = result.is_err();
                        // The receiver outlives the workers.
                        let _ = sender.send(Message::Ended(item, result));
                        if is_error || is_over.load(Ordering::Relaxed) {
                            is_over.store(true, Ordering::Relaxed);
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut gone = Vec::new();
            let mut failure = None;
            for message in receiver {
                match message {
                    Message::Arrived(bytes) => progress.add(bytes),
                    Message::Ended(_, Ok(Outcome::Done)) => {}
                    Message::Ended(item, Ok(Outcome::Gone)) => gone.push(item.clone()),
                    Message::Ended(_, Err(error)) => failure = failure.or(Some(error)),
                }
            }
            gone.sort_by(|a, b| a.name.cmp(&b.name));
            failure.map_or(Ok(gone), Err)
        })
    }

    fn ensure(&self, item: &Item, client: &Client, sender: &SyncSender<Message<'_>>) -> Result<Outcome, Failure> {
        let path = self.path(&item.sha256);
        if path.is_file() {
            if files::sha256(&path)? == item.sha256 {
                return Ok(Outcome::Done);
            }
            // A disk that lies, or somebody's hand: fetch it again.
            files::remove(&path)?;
        }
        let mut reported = 0;
        let mut report = |have: u64| {
            if let Some(more) = have.checked_sub(reported).filter(|more| *more > 0) {
                reported = have;
                let _ = sender.send(Message::Arrived(more));
            }
        };
        let expected = Expected { size: item.size, sha256: &item.sha256 };
        client.download(&item.urls, &path, expected, &mut report).or_fail(|| item.name.clone())
    }

    /// Takes from an export what is not there yet, and gives what the export does not have either.
    ///
    /// # Errors
    /// When a file of the export is not what its list says.
    pub fn take(&self, export: &Path, items: &[Item]) -> Result<Vec<Item>, Failure> {
        files::make_folder(&self.folder)?;
        let listed = sums(&files::read_text(&export.join(SUMS))?);
        let mut gone = Vec::new();
        for item in items {
            let path = self.path(&item.sha256);
            if path.is_file() && files::sha256(&path)? == item.sha256 {
                continue;
            }
            let Some(name) = listed.get(&item.sha256) else {
                gone.push(item.clone());
                continue;
            };
            let found = export.join(name);
            if files::sha256(&found)? != item.sha256 {
                return Err(Failure::new(format!("{} is not what {SUMS} says", found.display())));
            }
            let new = path.with_extension("taken");
            files::copy(&found, &new)?;
            fs::rename(&new, &path).or_fail(|| format!("cannot write {}", path.display()))?;
        }
        Ok(gone)
    }
}

enum Message<'a> {
    Arrived(u64),
    Ended(&'a Item, Result<Outcome, Failure>),
}

/// The mirrors for these options.
///
/// # Errors
/// When the user's configuration is not understood.
pub fn mirrors(options: &FetchOptions) -> Result<Mirrors, Failure> {
    Mirrors::find(&options.mirrors)
}

/// The file names of a list as `sha256sum` writes it, by hash.
fn sums(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(hash, name)| (hash.to_owned(), name.to_owned())).collect()
}

/// Writes the list `sha256sum --check` reads, of every file in a folder.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_sums(folder: &Path) -> Result<(), Failure> {
    files::remove(&folder.join(SUMS))?;
    let mut text = String::new();
    for name in files::walk(folder)? {
        let path = folder.join(&name);
        if path.is_file() {
            text += &format!("{}  {}\n", files::sha256(&path)?, name.display());
        }
    }
    files::write(&folder.join(SUMS), text)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn item(content: &str, urls: Vec<String>) -> Item {
        let size = u64::try_from(content.len()).unwrap();
        Item { name: content.into(), urls, size, sha256: format!("{:x}", Sha256::digest(content)) }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("storebox-fetch-{name}-{}", std::process::id()));
        files::make_empty(&folder).unwrap();
        folder
    }

    #[test]
    fn an_export_is_read_back_and_checked() {
        let place = folder("export");
        let export = place.join("export");
        files::write(&export.join("packages/a.deb"), "aaa").unwrap();
        files::write(&export.join("packages/b.deb"), "bbb").unwrap();
        write_sums(&export).unwrap();
        let store = Store::packages(&place);
        let (a, b, c) = (item("aaa", Vec::new()), item("bbb", Vec::new()), item("ccc", Vec::new()));
        let gone = store.take(&export, &[a.clone(), c]).unwrap();
        assert_eq!(gone.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["ccc"]);
        assert_eq!(files::read_text(&store.path(&a.sha256)).unwrap(), "aaa");
        files::write(&export.join("packages/b.deb"), "bad").unwrap();
        assert!(store.take(&export, &[b]).unwrap_err().to_string().contains("not what SHA256SUMS says"));
        files::remove(&place).unwrap();
    }

    #[test]
    fn what_is_in_the_cache_is_read_before_it_is_trusted() {
        let place = folder("cache");
        let store = Store::packages(&place);
        let (good, bad) = (item("good", Vec::new()), item("bad", Vec::new()));
        files::write(&store.path(&good.sha256), "good").unwrap();
        files::write(&store.path(&bad.sha256), "BAD").unwrap();
        let gone = store.fetch("test", &[good, bad.clone()], &mut Progress::hidden()).unwrap();
        assert_eq!(gone.len(), 1, "without a place to look, what is spoilt is gone");
        assert!(!store.path(&bad.sha256).exists());
        files::remove(&place).unwrap();
    }
}
