//! `provision site check`

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lexopt::Arg;
use storebox_core::limits::SITE_FILE_BYTES;
use storebox_provisioning::site::{FILE, Intent, Site};

use crate::failure::{Failure, OrFail};
use crate::terminal;

/// What `provision site check --help` prints.
pub const HELP: &str = "\
Usage: provision site check FILE

Says everything that is wrong in an installer's file, each with its line, or else in plain words what a
box does by it. - reads standard input. Nothing is sent anywhere.

Exit: 0 if a box takes the file, 65 if it does not.
";

/// Runs the command.
///
/// # Errors
/// If a box would not take the file.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut file = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if file.is_none() => file = Some(PathBuf::from(name)),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let file = file.ok_or_else(|| Failure::usage("which file?"))?;
    let (site, _) = read(&file)?;
    terminal::print(&words(&site))?;
    if file != Path::new("-") && file.file_name().is_none_or(|name| name != FILE) {
        terminal::say(&format!("Beware: a box takes it under the name {FILE} only."));
    }
    Ok(())
}

/// Reads an installer's file: what it says, and its bytes.
///
/// # Errors
/// If it cannot be read, or a box would not take it; the message has every fault with its line.
pub fn read(file: &Path) -> Result<(Site, Vec<u8>), Failure> {
    let bytes = bytes(file)?;
    let site = Site::read(&bytes).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        Failure::data(format!("a box does not take {}:{}", file.display(), lines.concat()))
    })?;
    Ok((site, bytes))
}

/// The bytes of a file, or a few more than one may have.
fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = || format!("cannot read {}", file.display());
    let most = u64::try_from(SITE_FILE_BYTES).or_fail(failed)? + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes).or_fail(failed)?;
    } else {
        fs::File::open(file).or_fail(failed)?.take(most).read_to_end(&mut bytes).or_fail(failed)?;
    }
    Ok(bytes)
}

/// What a box does by a file, a line for each.
pub fn words(site: &Site) -> String {
    let mut lines = Vec::new();
    match &site.cloud {
        Some(cloud) => {
            let who = match cloud.pins.len() {
                0 => "vouched for by any public certificate authority".to_owned(),
                1 => "known by its pin".to_owned(),
                many => format!("known by any of {many} pins"),
            };
            lines.push(format!("It goes to the cloud {}, {who}.", cloud.url));
        }
        None => lines.push("It goes to no cloud it has not been told of before.".to_owned()),
    }
    match site.claim.as_ref().map(|claim| claim.intent) {
        Some(Intent::New) => lines.push("It claims its place as a new box of a store.".to_owned()),
        Some(Intent::Replace) => {
            lines.push("It takes the place of the store's box before it, which no longer counts then.".to_owned());
        }
        Some(Intent::Reset) => lines.push("It starts anew, WITHOUT ANYTHING IT HELD.".to_owned()),
        None => lines.push("It claims nothing.".to_owned()),
    }
    if let Some(name) = &site.name {
        lines.push(format!("Its store is called {name}."));
    }
    if let Some(zone) = &site.timezone {
        lines.push(format!("Its store's days are those of {zone}."));
    }
    match &site.address {
        Some(address) => {
            let gateway = address.gateway().map_or("none".to_owned(), |gateway| gateway.to_string());
            let dns: Vec<String> = address.dns().iter().map(ToString::to_string).collect();
            let dns = if dns.is_empty() { "none".to_owned() } else { dns.join(", ") };
            let (ip, prefix) = (address.address(), address.prefix());
            lines.push(format!("Its address is {ip}/{prefix}, gateway {gateway}, name servers {dns}."));
        }
        None => lines.push("It takes the address the network gives it (DHCP).".to_owned()),
    }
    if let Some(proxy) = &site.proxy {
        lines.push(format!("It reaches the cloud by way of the proxy {proxy}."));
    }
    if !site.time_servers.is_empty() {
        let servers: Vec<&str> = site.time_servers.iter().map(|server| server.as_str()).collect();
        lines.push(format!("It asks {} for the time.", servers.join(", ")));
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("A box with this file:\n{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_b9_a_file_is_told_in_words_without_its_secret() {
        let text = b"[cloud]\nurl = 'https://cloud.example'\n[claim]\ntoken = '7Q2M-XK4D'\nintent = 'replace'\n\
            [store]\nname = 'Corner shop'\n[network]\naddress = '10.0.0.2/8'\ngateway = '10.0.0.1'\n";
        let words = words(&Site::read(text).unwrap());
        for part in [
            "https://cloud.example",
            "public certificate",
            "takes the place",
            "Corner shop",
            "10.0.0.2/8, gateway 10.0.0.1, name servers none",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(!words.contains("7Q2M"), "{words}");
        let nothing = super::words(&Site::default());
        assert!(nothing.contains("no cloud") && nothing.contains("DHCP"), "{nothing}");
    }
}
