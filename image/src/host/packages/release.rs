//! What the archives offer now: signed `InRelease` files, and the indexes they vouch for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::clock;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::config::{Archive, Config};
use crate::host::packages::deb;
use crate::host::packages::download::Client;
use crate::host::packages::fetch::{FetchOptions, Item, Store};
use crate::host::packages::index::Release;
use crate::host::packages::lock::{Lock, ReleaseUsed};
use crate::host::packages::mirror::Mirrors;
use crate::host::progress::Progress;

/// Bytes of an `InRelease` file; that of a big suite has 150 kB.
const RELEASE_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of an index once unpacked; the biggest has 60 MB.
const INDEX_MAX: u64 = 512 * 1024 * 1024;
/// Where Debian's keys are on a host that has the package `debian-archive-keyring`.
const KEYRINGS: [&str; 2] =
    ["usr/share/keyrings/debian-archive-keyring.gpg", "usr/share/keyrings/debian-archive-keyring.pgp"];

/// A suite whose signature has been checked.
pub struct Suite<'a> {
    archive: &'a Archive,
    release: Release,
    /// What a lock made from it says about it.
    pub used: ReleaseUsed,
}

/// The archives as they are now.
pub struct Archives<'a> {
    suites: Vec<Suite<'a>>,
    mirrors: Mirrors,
    cache: PathBuf,
}

impl<'a> Archives<'a> {
    /// Fetches and checks the `InRelease` files of all suites of the mirrors.
    ///
    /// # Errors
    /// When one cannot be had, or its signature is not Debian's.
    pub fn look(
        config: &'a Config,
        mirrors: Mirrors,
        options: &FetchOptions,
        progress: &mut Progress,
    ) -> Result<Self, Failure> {
        let client = Client::new();
        let verifier = Verifier::find(options)?;
        let mut suites = Vec::new();
        for (name, archive) in &config.archive {
            for suite in &archive.suites {
                let urls = mirrors.urls(archive.mirror, &format!("dists/{suite}/InRelease"), None)?;
                let signed = client.get(&urls, RELEASE_MAX)?;
                let signed =
                    signed.ok_or_else(|| Failure::new(format!("no mirror has the suite {suite}: {urls:?}")))?;
                let (text, sha256) = verifier.open(&signed, options).or_fail(|| format!("suite {suite}"))?;
                let release = Release::parse(&text, suite).or_fail(|| format!("suite {suite}"))?;
                if release.valid_until_unix_s.is_some_and(|until| until < clock::unix_s()) {
                    progress.note(&format!("WARNING: the mirror's {suite} is out of date (made {})", release.date));
                }
                let (archive_name, suite) = (name.clone(), suite.clone());
                let used = ReleaseUsed { archive: archive_name, suite, date: release.date.clone(), sha256 };
                suites.push(Suite { archive, release, used });
            }
        }
        Ok(Self { suites, mirrors, cache: options.cache.clone() })
    }

    /// What a lock made now says about what it was made from.
    pub fn used(&self) -> Vec<ReleaseUsed> {
        self.suites.iter().map(|suite| suite.used.clone()).collect()
    }

    /// Gives every index of a kind to `take`: `binary-amd64/Packages` or `source/Sources`, with the archive's name and
    /// description.
    ///
    /// # Errors
    /// When one cannot be had, or `take` fails.
    pub fn read(
        &self,
        kind: &str,
        progress: &mut Progress,
        mut take: impl FnMut(&str, &Archive, &str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let store = Store::indexes(&self.cache);
        let mut items = Vec::new();
        let mut origins = Vec::new();
        for suite in &self.suites {
            for component in &suite.archive.components {
                let name = format!("{component}/{kind}.xz");
                let listed = suite.release.file(&name).or_fail(|| format!("suite {}", suite.used.suite))?;
                let folder = format!("dists/{}", suite.used.suite);
                let plain = format!("{folder}/{name}");
                let mut urls = self.mirrors.urls(suite.archive.mirror, &plain, None)?;
                if let Some((index, _)) = name.rsplit_once('/').filter(|_| suite.release.has_by_hash) {
                    let path = format!("{folder}/{index}/by-hash/SHA256/{}", listed.sha256);
                    urls.splice(0..0, self.mirrors.urls(suite.archive.mirror, &path, None)?);
                }
                items.push(Item { name: plain, urls, size: listed.size, sha256: listed.sha256.clone() });
                origins.push(suite);
            }
        }
        let gone = store.fetch("indexes", &items, progress)?;
        if let Some(gone) = gone.first() {
            let message = "is being replaced on the mirror, or the mirror is broken: try again in some minutes";
            return Err(Failure::new(format!("{} {message}", gone.name)));
        }
        for (item, suite) in items.iter().zip(origins) {
            let text = deb::unpack_text(&store.path(&item.sha256), INDEX_MAX).or_fail(|| item.name.clone())?;
            take(&suite.used.archive, suite.archive, &text).or_fail(|| item.name.clone())?;
        }
        Ok(())
    }
}

/// A program that checks signatures, and Debian's keys.
struct Verifier {
    program: PathBuf,
    keyring: PathBuf,
    /// For a program of the locked tools: the dynamic loader and its libraries, in the same folder.
    root: Option<PathBuf>,
}

impl Verifier {
    /// `gpgv` or `sqv` and the keyring of the host, else those of the locked tools when they have been fetched.
    fn find(options: &FetchOptions) -> Result<Self, Failure> {
        let keyring = KEYRINGS.iter().map(|name| Path::new("/").join(name)).find(|path| path.is_file());
        let folders: Vec<_> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let programs = ["gpgv", "sqv"].iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        if let (Some(keyring), Some(program)) = (keyring, programs.into_iter().find(|path| path.is_file())) {
            return Ok(Self { program, keyring, root: None });
        }
        Self::of_tools(options)?.ok_or_else(|| {
            Failure::new(
                "the archive's signature cannot be checked: install the packages gpgv (or sqv) and \
                 debian-archive-keyring, or run `image fetch --set tools` first",
            )
        })
    }

    /// The verifier of the set `tools`, unpacked from the cache.
    fn of_tools(options: &FetchOptions) -> Result<Option<Self>, Failure> {
        const NEEDED: [&str; 7] =
            ["sqv", "debian-archive-keyring", "libc6", "libgcc-s1", "libgmp10", "libhogweed6t64", "libnettle8t64"];
        let Ok(lock) = Lock::read(&options.base.join("tools.lock")) else { return Ok(None) };
        let store = Store::packages(&options.cache);
        let root = options.cache.join("verifier").join(lock.digest());
        if !root.is_dir() {
            let unfinished = root.with_extension(format!("unfinished-{}", std::process::id()));
            files::make_empty(&unfinished)?;
            for name in NEEDED {
                let Some(package) = lock.package(name) else { return Ok(None) };
                let file = store.path(&package.sha256);
                if !file.is_file() || files::sha256(&file)? != package.sha256 {
                    return Ok(None);
                }
                deb::unpack(&file, &unfinished, |path| !path.starts_with("usr/share/doc"))?;
            }
            if fs::rename(&unfinished, &root).is_err() {
                // Another run was faster.
                files::remove(&unfinished)?;
            }
        }
        let keyring = KEYRINGS.iter().map(|name| root.join(name)).find(|path| path.is_file());
        let program = root.join("usr/bin/sqv");
        Ok(keyring.map(|keyring| Self { program, keyring, root: Some(root) }))
    }

    /// The text a signature covers, and the SHA-256 of the signed file.
    fn open(&self, signed: &[u8], options: &FetchOptions) -> Result<(String, String), Failure> {
        let folder = options.cache.join("verify");
        let file = folder.join(format!("{}.signed", std::process::id()));
        let text = file.with_extension("text");
        files::write(&file, signed)?;
        files::remove(&text)?;
        let mut command = match &self.root {
            None => Command::new(&self.program),
            Some(root) => {
                let mut command = Command::new(root.join("usr/lib64/ld-linux-x86-64.so.2"));
                command.arg("--library-path").arg(root.join("usr/lib/x86_64-linux-gnu")).arg(&self.program);
                command
            }
        };
        let is_gpgv = self.program.ends_with("gpgv");
        if is_gpgv {
            command.args(["--status-fd", "1"]);
        }
        command.arg("--keyring").arg(&self.keyring).arg("--output").arg(&text);
        if !is_gpgv {
            command.arg("--cleartext");
        }
        let ran = command.arg(&file).stdin(Stdio::null()).output();
        let ran = ran.or_fail(|| format!("cannot start {}", self.program.display()))?;
        let status = String::from_utf8_lossy(&ran.stdout);
        // gpgv also fails when one of several signatures is by a key it does not know.
        let is_good = if is_gpgv { gpgv_is_content(&status) } else { ran.status.success() };
        let opened = fs::read_to_string(&text);
        let sha256 = files::sha256(&file)?;
        files::remove(&file)?;
        files::remove(&text)?;
        if !is_good {
            let said = String::from_utf8_lossy(&ran.stderr);
            return Err(Failure::new(format!("the signature is not by a key of Debian's archive: {}", said.trim())));
        }
        Ok((opened.or_fail(|| format!("cannot read {}", text.display()))?, sha256))
    }
}

/// Whether at least one signature is good and none is bad (GnuPG, `doc/DETAILS`).
fn gpgv_is_content(status: &str) -> bool {
    let words = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split(' ').next());
    let words: Vec<_> = words.collect();
    let good = words.contains(&"GOODSIG") && words.contains(&"VALIDSIG");
    good && !words.iter().any(|word| ["BADSIG", "REVKEYSIG", "EXPKEYSIG", "EXPSIG"].contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_signature_is_enough_and_one_bad_is_too_much() {
        let good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 6ED0 Debian\n[GNUPG:] VALIDSIG 4CB5 2026-09-12\n";
        let unknown = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 762F 22 8 01 1 9 4158\n[GNUPG:] NO_PUBKEY 762F\n";
        assert!(gpgv_is_content(good));
        assert!(gpgv_is_content(&format!("{good}{unknown}")));
        assert!(!gpgv_is_content(unknown));
        assert!(!gpgv_is_content(&format!("{good}[GNUPG:] BADSIG 78DB Debian\n")));
        assert!(!gpgv_is_content("GOODSIG VALIDSIG"));
    }
}
