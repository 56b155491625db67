//! `provision status`

use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::{Arg, ValueExt};
use storebox_provisioning::status::FILE;

use crate::boxes::{self, Found, Health};
use crate::failure::Failure;
use crate::http::{self, Client, Trust};
use crate::{card, terminal};

/// What `provision status --help` prints.
pub const HELP: &str = "\
Usage: provision status ADDRESS[:PORT]
       provision status --card DISK|FILE

Shows what a box on this network says of itself, and the fingerprint of its key, which is also on its
screen; or what the box last wrote on its card, STATUS.TXT, without mounting the card.

Exit: 0 if the box sells, or the card has the file; 70 if not.
";

/// A box on the same network answers sooner.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of a status file: some screens full.
const STATUS_MAX: u64 = 64 * 1024;

/// Runs the command.
///
/// # Errors
/// If there is no box, it does not sell, or the card has no such file.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut address, mut card) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(word) if address.is_none() => address = Some(word.string()?),
            Arg::Long("card") => card = Some(PathBuf::from(arguments.value()?)),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    match (address, card) {
        (Some(address), None) => of_box(&address),
        (None, Some(card)) => of_card(&card),
        (None, None) => Err(Failure::usage("of which box, or which card?")),
        (Some(_), Some(_)) => Err(Failure::usage("of a box, or of a card? Both cannot be")),
    }
}

fn of_box(address: &str) -> Result<(), Failure> {
    let (host, port) = split(address)?;
    let client = Client::new(Trust::Anybody, CONNECT, ANSWER)?;
    let (found, health) = http::run(async {
        let found = Found::ask(&client, host, port).await?;
        Ok((found, boxes::health(&client, host, port).await?))
    })?;
    terminal::print(&text(&found, &health))?;
    match health.status.as_str() {
        "healthy" | "degraded" => Ok(()),
        other => Err(Failure::new(format!("the box does not sell: it is {other}"))),
    }
}

/// A host, and the port or that of HTTPS.
fn split(address: &str) -> Result<(&str, u16), Failure> {
    let bare = address.strip_prefix("https://").unwrap_or(address).trim_end_matches('/');
    let is_lone_ipv6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
    match bare.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && !is_lone_ipv6 => {
            let port = port.parse().map_err(|_| Failure::usage(format!("{port:?} is no port")))?;
            Ok((host, port))
        }
        _ => Ok((bare, 443)),
    }
}

fn text(found: &Found, health: &Health) -> String {
    let sync = health.last_sync.as_deref().unwrap_or("never");
    let rows = [
        ("Store", found.ping.name.clone()),
        ("Store id", found.ping.store_id.clone()),
        ("Name", found.host_name.clone()),
        ("Fingerprint", found.fingerprint.clone()),
        ("Release", found.ping.version.clone()),
        ("Mode", found.ping.mode.clone()),
        ("Health", health.status.clone()),
        ("Database", health.database.clone()),
        ("Disk free", health.disk_space.clone()),
        ("Running for", health.uptime.clone()),
        ("Last in step", sync.to_owned()),
        ("To be sent", health.pending_sync.to_string()),
    ];
    rows.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}

fn of_card(card: &Path) -> Result<(), Failure> {
    // A disk may be named as `provision flash` shows it.
    let is_name = card.components().count() == 1 && !card.exists();
    let path = if is_name { Path::new("/dev").join(card) } else { card.to_owned() };
    let (file, partition) = card::site_partition(&path)?;
    match card::get(&file, &partition, FILE, STATUS_MAX)? {
        Some(bytes) => terminal::print(&String::from_utf8_lossy(&bytes).replace("\r\n", "\n")),
        None => Err(Failure::new(format!(
            "there is no {FILE} on it yet: a box writes it some minutes after it was switched on with this card"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (text, host, port) in [
            ("192.168.7.20", "192.168.7.20", 443),
            ("https://storebox.local/", "storebox.local", 443),
            ("storebox.local:8443", "storebox.local", 8443),
            ("fe80::1", "fe80::1", 443),
            ("[fe80::1]:8443", "[fe80::1]", 8443),
        ] {
            assert_eq!(split(text).unwrap(), (host, port), "{text}");
        }
        assert!(split("box:x").is_err());
    }
}
