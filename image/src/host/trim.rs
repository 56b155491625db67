//! `image/base/root.toml`: what of the packages gets into the root.

use std::collections::BTreeMap;
use std::path::Path;

use glob::{MatchOptions, Pattern};
use serde::Deserialize;

use crate::host::failure::{Failure, OrFail};
use crate::host::files;

/// `*` stops at a `/`, and a leading dot is nothing special.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The rules.
pub struct Trim {
    apart: Vec<Pattern>,
    drop: Vec<Pattern>,
    keep: Vec<(String, Vec<Pattern>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    apart: Vec<String>,
    drop: Vec<String>,
    keep: BTreeMap<String, Vec<String>>,
}

impl Trim {
    /// Reads the rules.
    ///
    /// # Errors
    /// If the file cannot be read, or a pattern is none.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&files::read_text(path)?).or_fail(|| format!("{} cannot be used", path.display()))
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let rules: Rules = toml::from_str(text).or_fail(|| "no rules for a root".to_owned())?;
        let keep = rules.keep.into_iter().map(|(folder, names)| Ok((folder, patterns(&names)?)));
        Ok(Self {
            apart: patterns(&rules.apart)?,
            drop: patterns(&rules.drop)?,
            keep: keep.collect::<Result<_, Failure>>()?,
        })
    }

    /// Whether a package is unpacked apart from the root.
    pub fn is_apart(&self, package: &str) -> bool {
        self.apart.iter().any(|pattern| pattern.matches(package))
    }

    /// Whether a file belongs into the root. The path is relative to the root.
    pub fn wants(&self, path: &str) -> bool {
        if self.drop.iter().any(|pattern| pattern.matches_with(path, OPTIONS)) {
            return false;
        }
        // The folder nearest to the file decides.
        let mut ruling = self.keep.iter().filter_map(|(folder, names)| {
            let inside = path.strip_prefix(folder.as_str())?.strip_prefix('/')?;
            // A folder's rule is about its own files, unless it says `folder/file`.
            let rules = !inside.contains('/') || names.iter().any(|name| name.as_str().contains('/'));
            rules.then_some((inside, names))
        });
        match ruling.next_back() {
            Some((inside, names)) => names.iter().any(|pattern| pattern.matches_with(inside, OPTIONS)),
            None => true,
        }
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, Failure> {
    texts.iter().map(|text| Pattern::new(text).or_fail(|| format!("{text:?} is no pattern"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_decides() {
        let trim = Trim::parse(
            r#"
            apart = ["linux-image-*"]
            drop = ["usr/share/man/**", "usr/share/doc/*/[!c]*"]
            [keep]
            "usr/bin" = ["mount"]
            "usr/lib/systemd" = ["systemd"]
            "usr/lib/systemd/system" = ["basic.target", "*.wants/*"]
            "#,
        )
        .unwrap();
        assert!(trim.is_apart("linux-image-6.12-amd64") && !trim.is_apart("linux-libc-dev"));
        for wanted in [
            "usr/bin/mount",
            "usr/lib/systemd/systemd",
            "usr/lib/systemd/system/basic.target",
            "usr/lib/systemd/system/sysinit.target.wants/tmp.mount",
            "usr/lib/systemd/other/file",
            "usr/share/doc/a/copyright",
            "etc/mke2fs.conf",
        ] {
            assert!(trim.wants(wanted), "{wanted}");
        }
        for unwanted in [
            "usr/bin/sh",
            "usr/lib/systemd/systemd-logind",
            "usr/lib/systemd/system/getty.target",
            "usr/share/man/man1/a.1",
            "usr/share/doc/a/NEWS",
        ] {
            assert!(!trim.wants(unwanted), "{unwanted}");
        }
    }
}
