//! Where packages come from. The tree names no host: a mirror is given, configured, or found in what this machine's
//! own package manager uses.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::host::failure::{Failure, OrFail};
use crate::host::packages::index::Stanza;

/// Which of Debian's archives a mirror carries.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Releases, updates and backports.
    Debian,
    /// Security updates.
    Security,
}

/// The mirrors to try, in order, as URLs without a slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    debian: Vec<String>,
    security: Vec<String>,
    snapshot: Option<String>,
}

/// What the command line says about mirrors.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--mirror`
    pub debian: Option<String>,
    /// `--security-mirror`
    pub security: Option<String>,
}

/// `~/.config/storebox/image.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configured {
    mirror: Option<String>,
    security_mirror: Option<String>,
    /// With `{archive}` (`debian` or `debian-security`) and `{timestamp}` (`20260912T075541Z`) in it.
    snapshot: Option<String>,
}

impl Mirrors {
    /// The mirrors of the command line, else of `STOREBOX_MIRROR` and `STOREBOX_SECURITY_MIRROR`, else of the
    /// configuration file, else of apt.
    ///
    /// # Errors
    /// When the configuration file is there and not understood.
    pub fn find(given: &Given) -> Result<Self, Failure> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let path = configuration_path();
        let configured = match path.as_deref().map(|path| (path, fs::read_to_string(path))) {
            Some((path, Ok(text))) => {
                toml::from_str(&text).or_fail(|| format!("{} is not understood", path.display()))?
            }
            Some((_, Err(_))) | None => Configured::default(),
        };
        let environment = Given { debian: variable("STOREBOX_MIRROR"), security: variable("STOREBOX_SECURITY_MIRROR") };
        Ok(Self::choose(given, &environment, configured, &apt_sources(Path::new("/etc/apt"))))
    }

    fn choose(given: &Given, environment: &Given, configured: Configured, apt: &[AptSource]) -> Self {
        let first = |kind: Kind, choices: [&Option<String>; 3]| -> Vec<String> {
            let chosen = choices.into_iter().flatten().next().map(|url| vec![url.trim_end_matches('/').to_owned()]);
            chosen.unwrap_or_else(|| {
                let mut urls: Vec<String> = Vec::new();
                for (found, url) in apt.iter().filter_map(AptSource::archive) {
                    if found == kind && !urls.contains(&url) {
                        urls.push(url);
                    }
                }
                urls
            })
        };
        let debian = first(Kind::Debian, [&given.debian, &environment.debian, &configured.mirror]);
        let security = first(Kind::Security, [&given.security, &environment.security, &configured.security_mirror]);
        Self { debian, security, snapshot: configured.snapshot }
    }

    /// The mirrors of one kind, at least one.
    ///
    /// # Errors
    /// When none is known; says how to name one.
    pub fn of(&self, kind: Kind) -> Result<&[String], Failure> {
        let (urls, option, variable, key) = match kind {
            Kind::Debian => (&self.debian, "--mirror", "STOREBOX_MIRROR", "mirror"),
            Kind::Security => (&self.security, "--security-mirror", "STOREBOX_SECURITY_MIRROR", "security_mirror"),
        };
        if urls.is_empty() {
            return Err(Failure::new(format!(
                "no mirror of the {} archive is known, and this machine's own package sources name none: give {option} \
                 URL, set {variable}, or write `{key} = \"URL\"` into {}",
                archive_name(kind),
                configuration_path().unwrap_or_default().display(),
            )));
        }
        Ok(urls)
    }

    /// The URLs of a file, the snapshot archive's last. `date_unix_s` is when the file was known to be there.
    ///
    /// # Errors
    /// When no mirror is known.
    pub fn urls(&self, kind: Kind, path: &str, date_unix_s: Option<i64>) -> Result<Vec<String>, Failure> {
        let mut urls: Vec<_> = self.of(kind)?.iter().map(|mirror| format!("{mirror}/{path}")).collect();
        if let (Some(template), Some(date)) = (&self.snapshot, date_unix_s) {
            let base = template.replace("{archive}", archive_name(kind)).replace("{timestamp}", &timestamp(date)?);
            urls.push(format!("{}/{path}", base.trim_end_matches('/')));
        }
        Ok(urls)
    }

    /// Only the snapshot archive, as it was soon after a time; `None` when none is configured.
    ///
    /// # Errors
    /// When there is no such time.
    pub fn snapshot_of(&self, date_unix_s: i64) -> Result<Option<Self>, Failure> {
        let nothing = Self { debian: vec![String::new()], security: vec![String::new()], ..self.clone() };
        let last = |kind: Kind| -> Result<Vec<String>, Failure> {
            let urls = nothing.urls(kind, "", Some(date_unix_s))?;
            Ok(urls.into_iter().skip(1).map(|url| url.trim_end_matches('/').to_owned()).collect())
        };
        let (debian, security) = (last(Kind::Debian)?, last(Kind::Security)?);
        Ok(self.snapshot.is_some().then_some(Self { debian, security, snapshot: None }))
    }
}

fn archive_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Debian => "debian",
        Kind::Security => "debian-security",
    }
}

/// Seconds after an archive was made until the snapshot archive has it for sure (it looks four times a day), and in
/// which the archive itself still keeps what it replaced.
const SNAPSHOT_DELAY_S: i64 = 12 * 3600;

fn timestamp(date_unix_s: i64) -> Result<String, Failure> {
    let at = jiff::Timestamp::from_second(date_unix_s.saturating_add(SNAPSHOT_DELAY_S)).map_err(|e| e.to_string());
    Ok(at.or_fail(|| "the lock's date is out of range".into())?.strftime("%Y%m%dT%H%M%SZ").to_string())
}

fn configuration_path() -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".config")))?;
    Some(folder.join("storebox/image.toml"))
}

/// One place apt takes packages from (`man 5 sources.list`).
#[derive(Clone, Debug, PartialEq, Eq)]
struct AptSource {
    url: String,
    suites: Vec<String>,
    components: Vec<String>,
    signed_by: String,
}

impl AptSource {
    /// The archive and the URL when it is one of Debian's.
    fn archive(&self) -> Option<(Kind, String)> {
        let url = self.url.trim_end_matches('/');
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        let last = url.rsplit('/').next()?;
        let is_debian = matches!(last, "debian" | "debian-security") || self.signed_by.contains("debian-archive");
        if !is_http || !is_debian || !self.components.iter().any(|component| component == "main") {
            return None;
        }
        let is_security = last == "debian-security" || self.suites.iter().all(|suite| suite.ends_with("-security"));
        Some((if is_security { Kind::Security } else { Kind::Debian }, url.to_owned()))
    }
}

/// What apt's folder names. What cannot be read is passed over: then there is one source less.
fn apt_sources(folder: &Path) -> Vec<AptSource> {
    let listing = fs::read_dir(folder.join("sources.list.d")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = listing.map(|entry| entry.path()).collect();
    paths.sort();
    paths.insert(0, folder.join("sources.list"));
    let mut sources = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(one_line)),
            Some("sources") => sources.extend(stanzas(&text)),
            _ => {}
        }
    }
    sources
}

/// `deb [option=value …] URL SUITE COMPONENT…`
fn one_line(line: &str) -> Option<AptSource> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb ")?.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options.split_ascii_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_ascii_whitespace().map(str::to_owned);
    let (url, suite) = (words.next()?, words.next()?);
    let signed_by = signed_by.unwrap_or_default().to_owned();
    Some(AptSource { url, suites: vec![suite], components: words.collect(), signed_by })
}

/// The stanzas of a `.sources` file.
fn stanzas(text: &str) -> Vec<AptSource> {
    // A comment may stand between the fields, and must not look like one.
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(str::trim_end).collect();
    let text = lines.join("\n");
    let mut sources = Vec::new();
    for stanza in text.split("\n\n").map(Stanza::parse) {
        let words = |field: &str| -> Vec<String> {
            stanza.get(field).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
        };
        let is_off = stanza.get("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"));
        if is_off || !words("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        sources.extend(words("URIs").into_iter().map(|url| AptSource {
            url,
            suites: words("Suites"),
            components: words("Components"),
            signed_by: words("Signed-By").join(" "),
        }));
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_LINE: &str = "\
# deb http://old.example.org/debian bookworm main
deb http://mirror.example.org/debian/ trixie main contrib # local
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://mirror.example.org/d trixie main
deb-src http://mirror.example.org/debian trixie main
deb http://security.example.org/debian-security trixie-security main
deb [signed-by=/usr/share/keyrings/tool.gpg] https://tool.example.com/apt stable main
deb cdrom:[Debian]/ trixie main
deb http://mirror.example.org/debian trixie contrib
";
    const DEB822: &str = "\
Types: deb deb-src
# URIs: http://old.example.org/debian
URIs: http://a.example.org/debian
 http://b.example.org/debian/
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://a.example.org/sec/
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main
";

    fn given(debian: Option<&str>, security: Option<&str>) -> Given {
        Given { debian: debian.map(str::to_owned), security: security.map(str::to_owned) }
    }

    #[test]
    fn debian_mirrors_are_found_in_apts_lines() {
        let apt: Vec<_> = ONE_LINE.lines().filter_map(one_line).collect();
        let found = Mirrors::choose(&given(None, None), &given(None, None), Configured::default(), &apt);
        assert_eq!(found.debian, ["http://mirror.example.org/debian", "https://mirror.example.org/d"]);
        assert_eq!(found.security, ["http://security.example.org/debian-security"]);
    }

    #[test]
    fn debian_mirrors_are_found_in_apts_stanzas() {
        let found = Mirrors::choose(&given(None, None), &given(None, None), Configured::default(), &stanzas(DEB822));
        assert_eq!(found.debian, ["http://a.example.org/debian", "http://b.example.org/debian"]);
        assert_eq!(found.security, ["http://a.example.org/sec"]);
    }

    #[test]
    fn what_is_said_comes_before_what_is_found() {
        let configured = || Configured { mirror: Some("http://c/".into()), ..Configured::default() };
        let debian = |line: &Given, environment: &Given| {
            Mirrors::choose(line, environment, configured(), &stanzas(DEB822)).debian
        };
        let none = given(None, None);
        assert_eq!(debian(&given(Some("http://l"), None), &given(Some("http://e"), None)), ["http://l"]);
        assert_eq!(debian(&none, &given(Some("http://e"), None)), ["http://e"]);
        assert_eq!(debian(&none, &none), ["http://c"]);
    }

    #[test]
    fn without_a_mirror_it_says_how_to_name_one() {
        let error = Mirrors::default().of(Kind::Security).unwrap_err().to_string();
        assert!(error.contains("--security-mirror") && error.contains("STOREBOX_SECURITY_MIRROR"), "{error}");
    }

    #[test]
    fn the_snapshot_archive_comes_last_and_shows_the_locks_day() {
        let snapshot = Some("http://s.example.org/{archive}/{timestamp}/".to_owned());
        let mirrors = Mirrors { debian: vec!["http://a".into()], snapshot, security: Vec::new() };
        let urls = mirrors.urls(Kind::Debian, "pool/a.deb", Some(1_795_140_670)).unwrap();
        assert_eq!(urls, ["http://a/pool/a.deb", "http://s.example.org/debian/20261120T141110Z/pool/a.deb"]);
        let then = mirrors.snapshot_of(1_795_140_670).unwrap().unwrap();
        assert_eq!(then.of(Kind::Debian).unwrap(), ["http://s.example.org/debian/20261120T141110Z"]);
        assert_eq!(then.of(Kind::Security).unwrap(), ["http://s.example.org/debian-security/20261120T141110Z"]);
        assert_eq!(Mirrors::default().snapshot_of(0).unwrap(), None);
    }
}
