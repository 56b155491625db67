//! The installer's file, `storebox.toml` on the box's own FAT partition or any USB stick.
//!
//! It is written by a person in any editor, at a counter, in a hurry. So everything that is wrong in it is said at once,
//! each with its line and in words, and the file is understood however the editor stored it.

mod write;

use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

use serde::{Deserialize, Serialize};
use storebox_core::day::Calendar;
use storebox_core::limits::{CLAIM_TOKEN_CHARS, CLOUD_PINS, SITE_FILE_BYTES, TIME_SERVERS};
use storebox_core::network::{CloudUrl, NetworkFault, StaticAddress};
use storebox_core::text::Name;
use toml::Spanned;

use crate::pin::Pin;

/// The file's name.
pub const FILE: &str = "storebox.toml";

/// What an installer says about a site. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Where the cloud is, and which keys it may have before its certificate authority is known.
    pub cloud: Option<Cloud>,
    /// What lets this box enrol.
    pub claim: Option<Claim>,
    /// What the store is called.
    pub name: Option<Name>,
    /// IANA time zone of the store.
    pub timezone: Option<Name>,
    /// How the box gets its address: none for what the network gives it.
    pub address: Option<StaticAddress>,
    /// An HTTP proxy on the way to the cloud, as host and port.
    pub proxy: Option<Name>,
    /// Where to ask for the time, instead of the usual places.
    pub time_servers: Vec<Name>,
}

/// A cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    /// Where it is.
    pub url: CloudUrl,
    /// The keys it may have; none if any public certificate authority may vouch for it.
    pub pins: Vec<Pin>,
}

/// What lets a box enrol, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    token: String,
    /// What the box is to become.
    pub intent: Intent,
}

/// What a box is to become by its claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// The first box of a store.
    #[default]
    New,
    /// The box of a store that has had another, which may no longer speak for it then.
    Replace,
    /// This box again, with nothing of what it held.
    Reset,
}

impl Claim {
    /// A claim with this token, in visible ASCII, for it is the password of HTTP Basic (RFC 7617).
    ///
    /// # Errors
    /// [`NotAToken`].
    pub fn new(token: &str, intent: Intent) -> Result<Self, NotAToken> {
        if CLAIM_TOKEN_CHARS.contains(&token.len()) && token.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self { token: token.to_owned(), intent })
        } else {
            Err(NotAToken)
        }
    }

    /// The token. It is a secret.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// User and password as HTTP Basic has them (RFC 7617). A cloud of ours goes by the token alone; an EST server of
    /// another make knows its clients by name as well, which then stands in the token, before a colon.
    pub fn user_and_password(&self) -> String {
        if self.token.contains(':') { self.token.clone() } else { format!("{USER}:{}", self.token) }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("intent", &self.intent).finish_non_exhaustive()
    }
}

/// Who asks with a token that names nobody.
const USER: &str = "storebox";

/// Text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAToken;

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (CLAIM_TOKEN_CHARS.start(), CLAIM_TOKEN_CHARS.end());
        write!(f, "a claim's token has {least} to {most} characters without spaces: copy it as the cloud shows it")
    }
}

impl core::error::Error for NotAToken {}

impl Site {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines; at least one.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        let text = text(bytes).map_err(|fault| vec![fault])?;
        let file: File = toml::from_str(&text).map_err(|error| vec![syntax(&text, &error)])?;
        let mut check = Check { text: &text, faults: Vec::new() };
        let site = check.file(file);
        if check.faults.is_empty() {
            return Ok(site);
        }
        check.faults.sort_by_key(|fault| fault.line);
        Err(check.faults)
    }
}

/// The installer's file without the token of its claim, for a box that has used it: whoever finds the card then gets
/// nothing by it. All else stays as it was written. None if there is no token in it, or it is not understood.
pub fn without_token(bytes: &[u8]) -> Option<String> {
    let mut text = text(bytes).ok()?;
    let File { claim, .. } = toml::from_str(&text).ok()?;
    let token = claim.filter(ClaimSection::is_unused)?.token.span();
    text.replace_range(token, &format!("\"{USED}\""));
    Some(text)
}

/// What stands in the place of a token that was used. It is shorter than any token.
const USED: &str = "used";

/// Something that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// On which line, from 1; none if it is the file as a whole.
    pub line: Option<usize>,
    /// What it is and what to do.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl core::error::Error for Fault {}

/// The file as it is written. What needs words of ours when it is wrong is text here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cloud: Option<CloudSection>,
    claim: Option<ClaimSection>,
    #[serde(default)]
    store: StoreSection,
    #[serde(default)]
    network: NetworkSection,
    #[serde(default)]
    time: TimeSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudSection {
    url: Spanned<String>,
    #[serde(default)]
    pin: OneOrMore,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimSection {
    token: Spanned<String>,
    #[serde(default)]
    intent: Intent,
}

impl ClaimSection {
    /// The box has not put [`USED`] in the token's place yet.
    fn is_unused(&self) -> bool {
        self.token.get_ref().trim() != USED
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreSection {
    name: Option<Spanned<String>>,
    timezone: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkSection {
    address: Option<Spanned<String>>,
    mask: Option<Spanned<String>>,
    gateway: Option<Spanned<String>>,
    #[serde(default)]
    dns: OneOrMore,
    proxy: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeSection {
    #[serde(default)]
    servers: OneOrMore,
}

/// One text, or a list of them, which is in the place where the list begins.
#[derive(Default, Deserialize)]
#[serde(from = "Spanned<Texts>")]
struct OneOrMore(Vec<Spanned<String>>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "this is a text in quotes, or a list of texts in brackets")]
enum Texts {
    One(String),
    More(Vec<String>),
}

impl From<Spanned<Texts>> for OneOrMore {
    fn from(written: Spanned<Texts>) -> Self {
        let span = written.span();
        let texts = match written.into_inner() {
            Texts::One(text) => vec![text],
            Texts::More(texts) => texts,
        };
        Self(texts.into_iter().map(|text| Spanned::new(span.clone(), text)).collect())
    }
}

/// Looks at everything and notes what is wrong.
struct Check<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn file(&mut self, file: File) -> Site {
        let File { cloud, claim, store, network, time } = file;
        let cloud = cloud.and_then(|section| self.cloud(section));
        let claim = claim.filter(ClaimSection::is_unused).and_then(|ClaimSection { token, intent }| {
            self.value("token", &token, |text| Claim::new(text, intent).map_err(|wrong| wrong.to_string()))
        });
        let name = store.name.and_then(|name| self.value("name", &name, name_of));
        let timezone = store.timezone.and_then(|zone| self.value("timezone", &zone, zone_of));
        let proxy = network.proxy.as_ref().and_then(|proxy| self.value("proxy", proxy, proxy_of));
        let address = self.address(&network.address, &network.mask, &network.gateway, network.dns.0);
        let time_servers = self.list("servers", time.servers.0, TIME_SERVERS, name_of);
        Site { cloud, claim, name, timezone, address, proxy, time_servers }
    }

    fn cloud(&mut self, CloudSection { url, pin }: CloudSection) -> Option<Cloud> {
        let url = self.value("url", &url, |text| CloudUrl::new(text).map_err(|wrong| wrong.to_string()));
        let pins = self.list("pin", pin.0, CLOUD_PINS, |text| text.parse::<Pin>().map_err(|wrong| wrong.to_string()));
        Some(Cloud { url: url?, pins })
    }

    fn address(
        &mut self,
        address: &Option<Spanned<String>>,
        mask: &Option<Spanned<String>>,
        gateway: &Option<Spanned<String>>,
        dns: Vec<Spanned<String>>,
    ) -> Option<StaticAddress> {
        let first_server = dns.first().map(Spanned::span);
        let servers = self.list("dns", dns, usize::MAX, ip);
        let Some(written) = address else {
            for (key, other) in [
                ("mask", mask.as_ref().map(Spanned::span)),
                ("gateway", gateway.as_ref().map(Spanned::span)),
                ("dns", first_server),
            ] {
                if let Some(span) = other {
                    self.fault(span, format!("{key} belongs to an address: add address = \"…\", or leave it out for what the network gives"));
                }
            }
            return None;
        };
        let (host, length) = written
            .get_ref()
            .split_once('/')
            .map_or((written.get_ref().as_str(), None), |(host, length)| (host, Some(length)));
        let ip_of_host = self.value_of("address", written, host, ip)?;
        let prefix = match (length, mask) {
            (Some(length), None) => self.value_of("address", written, length, |text| {
                text.parse::<u8>().map_err(|_| {
                    "the number after the slash is the length of the network's prefix, like /24".to_owned()
                })
            })?,
            (None, Some(mask)) => self.value("mask", mask, prefix_of)?,
            (Some(_), Some(mask)) => {
                self.fault(mask.span(), "mask: the address says it already, after the slash".to_owned());
                return None;
            }
            (None, None) => {
                self.fault(
                    written.span(),
                    "address needs its network: add mask = \"255.255.255.0\", or /24 to the address".to_owned(),
                );
                return None;
            }
        };
        let gateway_ip = match gateway {
            Some(gateway) => Some(self.value("gateway", gateway, ip)?),
            None => None,
        };
        match StaticAddress::new(ip_of_host, prefix, gateway_ip, servers) {
            Ok(address) => Some(address),
            Err(fault) => {
                let span = match fault {
                    NetworkFault::Prefix => mask.as_ref().unwrap_or(written).span(),
                    NetworkFault::Address => written.span(),
                    NetworkFault::Gateway => gateway.as_ref().unwrap_or(written).span(),
                    NetworkFault::NameServer | NetworkFault::NameServers => first_server.unwrap_or(written.span()),
                };
                self.fault(span, fault.to_string());
                None
            }
        }
    }

    fn list<T>(
        &mut self,
        key: &str,
        texts: Vec<Spanned<String>>,
        most: usize,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        if let Some(beyond) = texts.get(most) {
            self.fault(beyond.span(), format!("{key}: there may be at most {most}"));
        }
        texts.iter().take(most).filter_map(|text| self.value(key, text, &read)).collect()
    }

    fn value<T>(&mut self, key: &str, text: &Spanned<String>, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.value_of(key, text, text.get_ref(), read)
    }

    /// Reads what is written, or a part of it.
    fn value_of<T>(
        &mut self,
        key: &str,
        written: &Spanned<String>,
        part: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(part.trim()) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(written.span(), format!("{key}: {why}"));
                None
            }
        }
    }

    fn fault(&mut self, span: Range<usize>, what: String) {
        self.faults.push(Fault { line: Some(line(self.text, span.start)), what });
    }
}

fn name_of(text: &str) -> Result<Name, String> {
    Name::new(text.to_owned()).map_err(|wrong| wrong.to_string())
}

fn zone_of(text: &str) -> Result<Name, String> {
    match name_of(text) {
        Ok(zone) if Calendar::knows(zone.as_str()) => Ok(zone),
        _ => Err("a time zone is an IANA name, like Asia/Jakarta".to_owned()),
    }
}

fn proxy_of(text: &str) -> Result<Name, String> {
    let wrong = || "a proxy is a host and a port, like 192.168.1.5:3128".to_owned();
    let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let (host, port) = bare.rsplit_once(':').ok_or_else(wrong)?;
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c));
    if is_host && port.parse::<u16>().is_ok_and(|port| port > 0) { name_of(bare) } else { Err(wrong()) }
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no address, like 192.168.1.10"))
}

/// The length of the prefix a mask leaves: `255.255.255.0` or `24`.
fn prefix_of(text: &str) -> Result<u8, String> {
    if let Ok(length) = text.parse::<u8>() {
        return Ok(length);
    }
    let wrong = || "a mask is like 255.255.255.0: ones, then zeros".to_owned();
    let IpAddr::V4(mask) = text.parse::<IpAddr>().map_err(|_| wrong())? else { return Err(wrong()) };
    let ones = mask.to_bits().leading_ones();
    if mask.to_bits().checked_shl(ones).unwrap_or_default() == 0 {
        u8::try_from(ones).map_err(|_| wrong())
    } else {
        Err(wrong())
    }
}

/// The file as text: editors store it in UTF-8 or UTF-16, with or without a mark of that.
fn text(bytes: &[u8]) -> Result<String, Fault> {
    let whole = |what: &str| Fault { line: None, what: what.to_owned() };
    if bytes.len() > SITE_FILE_BYTES {
        return Err(whole("this is no site file: it is far too long"));
    }
    let from_16 = |read: fn([u8; 2]) -> u16, rest: &[u8]| {
        let units: Vec<u16> = rest.as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).map_err(|_| whole("this is no text: save it as plain text (UTF-8)"))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => from_16(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => from_16(u16::from_be_bytes, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => match core::str::from_utf8(rest) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let good = rest.get(..error.valid_up_to()).unwrap_or_default();
                let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
                let what = "a character here is not UTF-8: save the file as plain text (UTF-8)".to_owned();
                Err(Fault { line: Some(line), what })
            }
        },
    }
}

/// What is wrong with the file as TOML.
fn syntax(text: &str, error: &toml::de::Error) -> Fault {
    let line = error.span().map(|span| line(text, span.start));
    let on_it = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
    let what = if on_it.contains(['“', '”', '„', '‘', '’', '«', '»']) {
        "the quotes are printer's quotes: write plain ones, \"like this\"".to_owned()
    } else {
        error.message().to_owned()
    };
    Fault { line, what }
}

/// The line, from 1, of a place in the text.
fn line(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
