//! The files an archive describes itself with: `Release`, `Packages` and `Sources` (Debian repository format; the
//! stanzas are those of Debian policy 4.7, chapter 5).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::lock::Package;
use crate::host::packages::relation::{self, Alternative};

/// The fields of one stanza.
pub struct Stanza<'a> {
    text: &'a str,
    /// By name: where the value lies in the text.
    fields: Vec<(&'a str, Range<usize>)>,
}

impl<'a> Stanza<'a> {
    /// Parses one stanza. Lines that are no field are passed over.
    pub fn parse(text: &'a str) -> Self {
        let mut fields: Vec<(&str, Range<usize>)> = Vec::with_capacity(24);
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.end = end;
                }
            } else if let Some((name, _)) = line.split_once(':') {
                fields.push((name, start + name.len() + 1..end));
            }
            start = end;
        }
        Self { text, fields }
    }

    /// The value of a field, with its continuation lines.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        self.text.get(value.clone()).map(str::trim)
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = self.text;
        self.fields.iter().filter_map(move |(name, value)| Some((*name, text.get(value.clone())?.trim())))
    }

    /// The value of a field that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need(&self, name: &str) -> Result<&'a str, Failure> {
        self.get(name).ok_or_else(|| Failure::new(format!("the field {name} is missing")))
    }
}

/// The stanzas of a file.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").filter(|part| !part.trim().is_empty()).map(|part| Stanza::parse(part.trim_start_matches('\n')))
}

/// A package an archive offers.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What goes into the lock when it is chosen.
    pub package: Package,
    /// `Pre-Depends` and `Depends`, as they stand.
    pub depends: String,
    /// The names it provides, maybe at a version.
    pub provides: Vec<Alternative>,
    /// Whether packages of other architectures may use it (`Multi-Arch: foreign`).
    pub is_foreign: bool,
}

impl Candidate {
    /// Reads one stanza of a `Packages` file.
    ///
    /// # Errors
    /// When a field is missing or not understood.
    pub fn parse(stanza: &Stanza<'_>, archive: &str) -> Result<Self, Failure> {
        let name = stanza.need("Package")?;
        let bad = |field: &str| Failure::new(format!("package {name}: {field} is not understood"));
        let version = stanza.need("Version")?;
        let source = match stanza.get("Source") {
            None => format!("{name} {version}"),
            Some(source) => match source.split_once(" (") {
                None => format!("{source} {version}"),
                Some((source, rest)) => format!("{source} {}", rest.trim_end_matches(')')),
            },
        };
        let built_using = relation::parse(stanza.get("Built-Using").unwrap_or_default());
        let built_using = built_using.ok_or_else(|| bad("Built-Using"))?.into_iter().flatten();
        let built_using = built_using.filter_map(|other| Some(format!("{} {}", other.name, other.versions?.1)));
        let provides = relation::parse(stanza.get("Provides").unwrap_or_default()).ok_or_else(|| bad("Provides"))?;
        let depends = [stanza.get("Pre-Depends"), stanza.get("Depends")];
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: stanza.need("Architecture")?.to_owned(),
            source,
            built_using: built_using.collect(),
            archive: archive.to_owned(),
            path: stanza.need("Filename")?.to_owned(),
            size: stanza.need("Size")?.parse().map_err(|_| bad("Size"))?,
            sha256: stanza.need("SHA256")?.to_owned(),
        };
        package.check()?;
        Ok(Self {
            package,
            depends: depends.into_iter().flatten().collect::<Vec<_>>().join(", "),
            provides: provides.into_iter().flatten().collect(),
            is_foreign: stanza.get("Multi-Arch") == Some("foreign"),
        })
    }
}

/// A source package an archive offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePackage {
    /// Where its files lie below the mirror.
    pub folder: String,
    /// By name: the `.dsc` and what it names.
    pub files: BTreeMap<String, Listed>,
}

impl SourcePackage {
    /// Reads one stanza of a `Sources` file: name and version with a blank between, and the package.
    ///
    /// # Errors
    /// When a field is missing or not understood.
    pub fn parse(stanza: &Stanza<'_>) -> Result<(String, Self), Failure> {
        let key = format!("{} {}", stanza.need("Package")?, stanza.need("Version")?);
        let folder = stanza.need("Directory")?.to_owned();
        let files = listed(stanza.need("Checksums-Sha256")?).or_fail(|| format!("source package {key}"))?;
        let is_plain = |part: &str| !part.is_empty() && part != ".." && !part.contains(['\\', '\0']);
        if !folder.split('/').all(is_plain) || !files.keys().all(|name| is_plain(name) && !name.contains('/')) {
            return Err(Failure::new(format!("source package {key}: a path leads astray")));
        }
        Ok((key, Self { folder, files }))
    }
}

/// A file as an index lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// What a suite's `Release` file says.
#[derive(Clone, Debug)]
pub struct Release {
    /// When it was made, as it says.
    pub date: String,
    /// The same in seconds since 1970.
    pub date_unix_s: i64,
    /// Until when it may be believed to be the newest, in seconds since 1970.
    pub valid_until_unix_s: Option<i64>,
    /// Whether files can be fetched by their hash, so that an update in between does no harm.
    pub has_by_hash: bool,
    /// By path below the suite: its files.
    pub files: BTreeMap<String, Listed>,
}

impl Release {
    /// Reads the file, once its signature has been checked.
    ///
    /// # Errors
    /// When a field is missing or not understood, or it is the file of another suite than `suite`.
    pub fn parse(text: &str, suite: &str) -> Result<Self, Failure> {
        let stanza = Stanza::parse(text);
        let names = [stanza.get("Codename"), stanza.get("Suite")];
        if !names.contains(&Some(suite)) {
            return Err(Failure::new(format!("this is not suite {suite}: it calls itself {names:?}")));
        }
        let date = stanza.need("Date")?.to_owned();
        let date_unix_s = unix_s(&date)?;
        let valid_until_unix_s = stanza.get("Valid-Until").map(unix_s).transpose()?;
        let has_by_hash = stanza.get("Acquire-By-Hash") == Some("yes");
        Ok(Self { date, date_unix_s, valid_until_unix_s, has_by_hash, files: listed(stanza.need("SHA256")?)? })
    }

    /// A file it lists.
    ///
    /// # Errors
    /// When it does not.
    pub fn file(&self, path: &str) -> Result<&Listed, Failure> {
        self.files.get(path).ok_or_else(|| Failure::new(format!("the suite has no file {path}")))
    }
}

/// Reads lines of `SHA256 SIZE NAME`.
///
/// # Errors
/// When a line is something else.
pub fn listed(field: &str) -> Result<BTreeMap<String, Listed>, Failure> {
    let lines = field.lines().map(str::trim).filter(|line| !line.is_empty());
    let read = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (sha256, size, name) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        is_sha256(sha256).then(|| (name.to_owned(), Listed { size, sha256: sha256.to_owned() }))
    };
    lines.map(|line| read(line).ok_or_else(|| Failure::new(format!("not a file of a list: {line}")))).collect()
}

/// Whether this is how a SHA-256 is written here: 64 digits, lower case.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Seconds since 1970 of a date like `Sat, 12 Sep 2026 07:55:41 UTC`.
///
/// # Errors
/// When it is written otherwise.
pub fn unix_s(date: &str) -> Result<i64, Failure> {
    let parsed = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S UTC", date);
    let parsed = parsed.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC));
    let parsed = parsed.map_err(|error| error.to_string());
    Ok(parsed.or_fail(|| format!("{date:?} is not a date as archives write it"))?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ee81302a1d5b7434762b6e784a572854d4b6cf6235e33e2d104ad4e1cae71ab4";

    #[test]
    fn a_stanza_of_packages_becomes_a_candidate() {
        let text = format!(
            "Package: linux-image\nSource: linux-signed (7.3.4+1)\nVersion: 7.3.4-1\nArchitecture: arm64\n\
             Pre-Depends: libc6 (>= 2.38)\nDepends: a,\n b | c\nProvides: image (= 7), latest\n\
             Built-Using: linux (= 7.3.4-1), gcc-14 (= 14.2.0-19)\nMulti-Arch: foreign\n\
             Filename: pool/l/linux.deb\nSize: 123\nSHA256: {HASH}\n\nPackage: other\n"
        );
        let all: Vec<_> = stanzas(&text).collect();
        assert_eq!(all.len(), 2);
        let found = Candidate::parse(&all[0], "backports").unwrap();
        assert_eq!(found.package.source, "linux-signed 7.3.4+1");
        assert_eq!(found.package.built_using, ["linux 7.3.4-1", "gcc-14 14.2.0-19"]);
        assert_eq!(found.depends, "libc6 (>= 2.38), a,\n b | c");
        assert_eq!(found.provides.iter().map(Alternative::to_string).collect::<Vec<_>>(), ["image (= 7)", "latest"]);
        assert!(found.is_foreign);
        assert_eq!((found.package.size, found.package.archive.as_str()), (123, "backports"));
        let error = Candidate::parse(&all[1], "backports").unwrap_err();
        assert_eq!(error.to_string(), "the field Version is missing");
    }

    #[test]
    fn a_source_without_version_has_that_of_the_package() {
        let text = |source: &str| {
            format!(
                "Package: libc6\n{source}Version: 2.41-12\nArchitecture: a\nFilename: f/l.deb\nSize: 1\nSHA256: {HASH}\n"
            )
        };
        let source = |line: &str| Candidate::parse(&Stanza::parse(&text(line)), "a").unwrap().package.source;
        assert_eq!(source("Source: glibc\n"), "glibc 2.41-12");
        assert_eq!(source(""), "libc6 2.41-12");
    }

    #[test]
    fn a_release_is_that_of_the_suite_asked_for() {
        let text = format!(
            "Suite: stable-updates\nCodename: trixie-updates\nDate: Fri, 20 Nov 2026 02:11:10 UTC\n\
             Valid-Until: Fri, 27 Nov 2026 02:11:10 UTC\nAcquire-By-Hash: yes\nMD5Sum:\n 00 1 a\nSHA256:\n \
             {HASH}      693 main/binary-amd64/Packages.xz\n"
        );
        let release = Release::parse(&text, "trixie-updates").unwrap();
        assert_eq!(release.date_unix_s, 1_795_140_670);
        assert_eq!(release.valid_until_unix_s, Some(1_795_140_670 + 7 * 86_400));
        assert!(release.has_by_hash);
        assert_eq!(release.file("main/binary-amd64/Packages.xz").unwrap().size, 693);
        assert!(release.file("main/binary-arm64/Packages.xz").is_err());
        assert!(Release::parse(&text, "trixie").is_err());
    }

    #[test]
    fn a_stanza_of_sources_names_its_files() {
        let text = |name: &str| {
            format!(
                "Package: glibc\nVersion: 2.41-12\nDirectory: pool/main/g/glibc\nChecksums-Sha256:\n {HASH} 9 {name}\n"
            )
        };
        let (key, found) = SourcePackage::parse(&Stanza::parse(&text("glibc_2.41-12.dsc"))).unwrap();
        assert_eq!((key.as_str(), found.folder.as_str()), ("glibc 2.41-12", "pool/main/g/glibc"));
        assert_eq!(found.files["glibc_2.41-12.dsc"].size, 9);
        for name in ["../a", "a/b", ".."] {
            assert!(SourcePackage::parse(&Stanza::parse(&text(name))).is_err(), "{name}");
        }
    }

    #[test]
    fn a_list_holds_hash_size_and_name() {
        assert_eq!(listed(&format!("\n {HASH} 7 a.dsc\n")).unwrap()["a.dsc"].size, 7);
        for line in ["00 7 a", &format!("{HASH} x a"), &format!("{HASH} 7"), &format!("{} 7 a", HASH.to_uppercase())] {
            assert!(listed(line).is_err(), "{line}");
        }
    }
}
