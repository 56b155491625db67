//! The source an image is made from: which commit, and the time everything in the image bears.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::failure::Failure;
use crate::host::files;
use crate::host::toolroot::run;

/// A tree of the project.
#[derive(Clone)]
pub struct Source {
    folder: PathBuf,
    epoch_s: u64,
    version: String,
}

impl Source {
    /// The tree at or above a folder.
    ///
    /// # Errors
    /// If it is not within a tree of the project, or nothing says when it was made.
    pub fn around(folder: &Path) -> Result<Self, Failure> {
        let found = folder.ancestors().find(|folder| folder.join("image/base/packages.toml").is_file());
        let folder = found.ok_or_else(|| {
            Failure::new(format!("{} is not within the project's source; run it from there", folder.display()))
        })?;
        let commit = git(folder, &["log", "-1", "--format=%ct %h"]);
        let (epoch_s, commit) = match (std::env::var("SOURCE_DATE_EPOCH"), &commit) {
            (Ok(epoch), found) => {
                (epoch, found.as_ref().ok().and_then(|line| line.split(' ').nth(1).map(str::to_owned)))
            }
            (Err(_), Ok(line)) => {
                let (epoch, commit) = line.split_once(' ').unwrap_or((line, ""));
                (epoch.to_owned(), Some(commit.to_owned()))
            }
            (Err(_), Err(_)) => {
                return Err(Failure::new(
                    "this source has no commit to take its time from: set SOURCE_DATE_EPOCH to its release's seconds since 1970",
                ));
            }
        };
        let epoch_s = epoch_s
            .parse()
            .map_err(|error| Failure::new(format!("{epoch_s:?} is no number of seconds since 1970")).because(error))?;
        let changed =
            git(folder, &["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|list| !list.is_empty());
        let number = package_version(&files::read_text(&folder.join("Cargo.toml"))?)?;
        let version = match commit {
            Some(commit) if changed => format!("{number}+{commit}.changed"),
            Some(commit) => format!("{number}+{commit}"),
            None => number,
        };
        Ok(Self { folder: folder.to_owned(), epoch_s, version })
    }

    /// The top folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Seconds since 1970 of everything in the image, and the time the box's clock never goes below.
    pub fn epoch_s(&self) -> u64 {
        self.epoch_s
    }

    /// Version, commit, and whether the tree differs from it (Semantic Versioning 2.0, build metadata).
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn package_version(manifest: &str) -> Result<String, Failure> {
    let manifest: toml::Table =
        manifest.parse().map_err(|error| Failure::new("Cargo.toml cannot be read").because(Box::new(error)))?;
    let version = ["workspace", "package", "version"]
        .iter()
        .try_fold(toml::Value::Table(manifest), |value, key| value.get(key).cloned());
    let version = version.as_ref().and_then(toml::Value::as_str);
    version.map(str::to_owned).ok_or_else(|| Failure::new("Cargo.toml names no version"))
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    run(command, "git").map(|said| said.trim().to_owned())
}
