//! The licences of Debian packages, from the copyright files they bring (machine-readable debian/copyright 1.0).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::host::failure::Failure;
use crate::host::packages::deb;
use crate::host::packages::index;
use crate::host::packages::lock::Package;

/// The copyright file of each source package.
#[derive(Default)]
pub(super) struct Licences {
    by_source: BTreeMap<String, Copyright>,
}

/// What is known of a package's licences.
pub(super) struct Found {
    /// As CycloneDX lists them: all of them apply, each to a part.
    pub(super) licences: Vec<Value>,
    /// The file that says so.
    pub(super) evidence: String,
}

#[derive(Clone)]
struct Copyright {
    path: String,
    names: BTreeSet<String>,
}

impl Licences {
    /// Reads the packages. All packages of one source have its copyright file, or a link to it; the smallest package
    /// that has the file is read, as a kernel takes seconds to unpack.
    ///
    /// # Errors
    /// When a package cannot be read.
    pub(super) fn read(files: &[(Package, PathBuf)]) -> Result<Self, Failure> {
        let mut files: Vec<_> = files.iter().collect();
        files.sort_by(|(a, _), (b, _)| a.size.cmp(&b.size).then_with(|| a.name.cmp(&b.name)));
        let mut by_source = BTreeMap::new();
        for (package, file) in files {
            if by_source.contains_key(&package.source) {
                continue;
            }
            let path = format!("usr/share/doc/{}/copyright", package.name);
            if let Some((path, text)) = deb::texts(file, |found| found == path)?.into_iter().next() {
                by_source.insert(package.source.clone(), Copyright { path, names: names(&text) });
            }
        }
        Ok(Self { by_source })
    }

    /// The licences of a package.
    pub(super) fn of(&self, package: &Package) -> Found {
        let own = || format!("usr/share/doc/{}/copyright", package.name);
        let found = self.by_source.get(&package.source);
        let names = found.map(|found| &found.names).filter(|names| !names.is_empty());
        let licences = match names {
            // Not machine-readable: whoever needs to know reads the file, which is in the image.
            None => vec![json!({ "license": { "name": "NOASSERTION" } })],
            Some(names) => {
                let mut listed: Vec<_> =
                    names.iter().map(|name| (spdx(name).is_none(), spdx(name).unwrap_or(name))).collect();
                listed.sort_unstable();
                listed.dedup();
                let shown = |(is_name, text): (bool, &str)| match is_name {
                    true => json!({ "license": { "name": text } }),
                    false => json!({ "license": { "id": text } }),
                };
                listed.into_iter().map(shown).collect()
            }
        };
        Found { licences, evidence: found.map_or_else(own, |found| found.path.clone()) }
    }
}

/// The short names of licences in a machine-readable copyright file; none when it is not one.
fn names(text: &str) -> BTreeSet<String> {
    // Paragraphs may be separated by lines that hold only blanks.
    let lines: Vec<_> = text.lines().map(|line| if line.trim().is_empty() { "" } else { line }).collect();
    let text = lines.join("\n");
    let mut paragraphs = index::stanzas(&text);
    if paragraphs.next().is_none_or(|header| header.get("Format").is_none()) {
        return BTreeSet::new();
    }
    let covering = paragraphs.filter(|paragraph| paragraph.get("Files").is_some());
    let names = covering.filter_map(|paragraph| paragraph.get("License")?.lines().next().map(str::trim));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The SPDX identifier of a licence's name as Debian writes it, when they surely mean the same.
fn spdx(name: &str) -> Option<&'static str> {
    Some(match name {
        "0BSD" => "0BSD",
        "Apache-2" | "Apache-2.0" => "Apache-2.0",
        "BSD-2-clause" | "BSD-2-Clause" => "BSD-2-Clause",
        "BSD-3-clause" | "BSD-3-Clause" => "BSD-3-Clause",
        "BSL-1.0" => "BSL-1.0",
        "CC-BY-SA-4.0" => "CC-BY-SA-4.0",
        "CC0" | "CC0-1.0" => "CC0-1.0",
        "Expat" | "MIT" => "MIT",
        "FSFAP" => "FSFAP",
        "GPL-1+" => "GPL-1.0-or-later",
        "GPL-2" | "GPL-2.0" => "GPL-2.0-only",
        "GPL-2+" | "GPL-2.0+" => "GPL-2.0-or-later",
        "GPL-3" => "GPL-3.0-only",
        "GPL-3+" => "GPL-3.0-or-later",
        "ISC" => "ISC",
        "LGPL-2" => "LGPL-2.0-only",
        "LGPL-2+" => "LGPL-2.0-or-later",
        "LGPL-2.1" => "LGPL-2.1-only",
        "LGPL-2.1+" => "LGPL-2.1-or-later",
        "LGPL-3" => "LGPL-3.0-only",
        "LGPL-3+" => "LGPL-3.0-or-later",
        "MPL-2.0" => "MPL-2.0",
        "Unicode-DFS-2016" => "Unicode-DFS-2016",
        "X11" => "X11",
        "Zlib" | "zlib" => "Zlib",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE_READABLE: &str = "\
Format: https://example.org/copyright-format/1.0/
License: of-the-whole

Files: *
Copyright: somebody
License: GPL-2+
 text
 .
 Files: none
\x20\x20
Files: lib/*
License: Expat

Files: other/*
License: custom thing

License: GPL-3
 Only the text of a licence.
";

    fn package(source: &str) -> Package {
        Package {
            name: "a".into(),
            version: "1".into(),
            architecture: "amd64".into(),
            source: source.into(),
            built_using: Vec::new(),
            archive: "debian".into(),
            path: "pool/a.deb".into(),
            size: 1,
            sha256: "0".repeat(64),
        }
    }

    #[test]
    fn licences_are_those_of_files() {
        let found = names(MACHINE_READABLE);
        assert_eq!(found.iter().collect::<Vec<_>>(), ["Expat", "GPL-2+", "custom thing"]);
        assert!(names("This package is free.\n\nLicense: GPL-2\nFiles: *\n").is_empty());
    }

    #[test]
    fn a_known_licence_has_its_identifier_and_another_its_name() {
        let copyright = Copyright { path: "usr/share/doc/b/copyright".into(), names: names(MACHINE_READABLE) };
        let licences = Licences { by_source: [("s 1".to_owned(), copyright)].into() };
        let found = licences.of(&package("s 1"));
        let expected = [
            json!({ "license": { "id": "GPL-2.0-or-later" } }),
            json!({ "license": { "id": "MIT" } }),
            json!({ "license": { "name": "custom thing" } }),
        ];
        assert_eq!(found.licences, expected);
        assert_eq!(found.evidence, "usr/share/doc/b/copyright");
        let unknown = licences.of(&package("t 1"));
        assert_eq!(unknown.licences, [json!({ "license": { "name": "NOASSERTION" } })]);
        assert_eq!(unknown.evidence, "usr/share/doc/a/copyright");
    }
}
