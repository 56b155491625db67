//! From facts to lines of text. Nothing here looks at the machine.
//!
//! Eighty columns by twenty-five lines, so that it fits every console, and nothing that changes by itself (a clock, a
//! counter of every sale): a serial console shows each new screen below the last.

use std::net::IpAddr;

use storebox_core::settings::Connectivity;
use storebox_core::status::{BoxState, BoxStatus};

use crate::facts::{Facts, Network, Service};

/// Columns used of the eighty there are: writing into the last one makes some consoles wrap.
pub const COLUMNS: usize = 78;
/// Lines used at most of the twenty-five there are.
#[cfg(test)]
const LINES: usize = 24;
/// How the lines of the next step begin.
pub const NEXT_STEP: &str = "> ";

/// Before every line that is no next step.
const MARGIN: &str = "  ";
/// Where values begin, after the margin.
const LABEL_COLUMNS: usize = 13;
/// Characters of a value on one line.
const VALUE_COLUMNS: usize = COLUMNS - MARGIN.len() - LABEL_COLUMNS;
/// Lines of text that comes from outside; more would push the next step off the screen.
const VALUE_LINES: usize = 3;
/// Addresses shown. A terminal needs one; a box in two networks has two and their IPv6 twins.
const ADDRESSES: usize = 4;
/// The port a browser assumes.
const HTTPS: u16 = 443;

/// The screen, line by line: what box this is, how it is, and in the last lines what to do next.
pub fn render(facts: &Facts) -> Vec<String> {
    let last = facts.service.last();
    let mut lines = vec![String::new()];
    let name = last.map_or_else(|| "Store box".to_owned(), |status| plain(status.name.as_str()));
    lines.push(format!("{MARGIN}{}", cut(&name, COLUMNS - MARGIN.len())));
    lines.push(format!("{MARGIN}{}", cut(&version(facts, last), COLUMNS - MARGIN.len())));
    lines.push(String::new());
    push(&mut lines, "State", &state(&facts.service));
    if let Some(status) = last {
        push(&mut lines, "Cloud", &cloud(status));
    }
    if let Some(data) = &facts.data {
        push(&mut lines, "Data", &plain(&data.reason));
    }
    lines.push(String::new());
    push_all(&mut lines, "Addresses", addresses(facts));
    if let Some(fingerprint) = last.and_then(|status| status.fingerprint.as_deref()) {
        lines.push(String::new());
        push(&mut lines, "Fingerprint", &in_groups(fingerprint));
    }
    lines.push(String::new());
    let step = wrap(&next_step(facts), COLUMNS - NEXT_STEP.len());
    lines.extend(step.into_iter().map(|line| format!("{NEXT_STEP}{line}")));
    lines
}

fn version(facts: &Facts, last: Option<&BoxStatus>) -> String {
    let mut text = match last {
        Some(status) => format!("Store box {}", plain(&status.version)),
        None => "The service has not said a word yet".to_owned(),
    };
    if let Some(slot) = facts.slot {
        text.push_str(&format!(", system {}", slot.to_uppercase()));
    }
    text
}

fn state(service: &Service) -> String {
    let status = match service {
        Service::Unheard => return "Starting...".to_owned(),
        Service::Silent { since, .. } => return format!("The service does not answer since {}.", minutes(*since)),
        Service::Speaks(status) => status,
    };
    match (status.state, status.paired_devices) {
        (BoxState::Starting, _) => "Starting...".to_owned(),
        (BoxState::Selling, 0) => "Ready. No terminal is paired.".to_owned(),
        (BoxState::Selling, 1) => "Selling. 1 terminal is paired.".to_owned(),
        (BoxState::Selling, count) => format!("Selling. {count} terminals are paired."),
        (BoxState::ReadOnly, _) => {
            format!("Cannot write since {}: the disk is full. Everything sold is safe.", minutes(status.since))
        }
        (BoxState::Stopping, _) => "Stopping...".to_owned(),
    }
}

fn cloud(status: &BoxStatus) -> String {
    if let Some(sentence) = &status.registration {
        return sentence.clone();
    }
    match (status.connectivity, status.pending_uploads) {
        (Connectivity::LocalOnly, _) => "None is configured; none is needed.".to_owned(),
        (Connectivity::Offline, 0) => "Cannot be reached. Nothing waits for it.".to_owned(),
        // Whole powers of ten: every sale adds one, and every other number would be a new screen.
        (Connectivity::Offline, 1..10) => "Cannot be reached. A few changes wait for it.".to_owned(),
        (Connectivity::Offline, count) => {
            format!("Cannot be reached. More than {} changes wait for it.", 10_u64.pow(count.ilog10()))
        }
    }
}

fn addresses(facts: &Facts) -> Vec<String> {
    let found = match &facts.network {
        Network::NoLink => return vec!["No address yet: is the network cable in?".to_owned()],
        Network::NoAddress => return vec!["No address yet: the cable is in, the router gives none.".to_owned()],
        Network::Addresses(found) => found,
    };
    let suffix = suffix(facts);
    let mut shown: Vec<_> = found.iter().take(ADDRESSES).map(|address| url(address, &suffix)).collect();
    if found.len() > ADDRESSES {
        shown.push(format!("and {} more", found.len() - ADDRESSES));
    }
    let host = plain(&facts.host);
    if !matches!(host.as_str(), "" | "localhost") {
        shown.push(format!("https://{}.local{suffix}", host.to_lowercase()));
    }
    shown
}

fn next_step(facts: &Facts) -> String {
    let status = match &facts.service {
        Service::Silent { .. } => {
            return "The box starts its service again by itself. If this stays for ten minutes, take the power \
                    away for ten seconds, and call your support if that does not help."
                .to_owned();
        }
        Service::Unheard => None,
        Service::Speaks(status) => Some(status),
    };
    match status.map(|status| status.state) {
        Some(BoxState::Stopping) => return "Wait: the box finishes what is under way.".to_owned(),
        Some(BoxState::ReadOnly) => return "Call your support: the disk is full and must be looked at.".to_owned(),
        Some(BoxState::Starting | BoxState::Selling) | None => {}
    }
    let address = match &facts.network {
        Network::NoLink => {
            return "Plug one end of the network cable into the box and the other into the switch of the store."
                .to_owned();
        }
        Network::NoAddress => {
            return "Wait a minute; if no address appears, look whether the router is on and gives addresses (DHCP)."
                .to_owned();
        }
        Network::Addresses(addresses) => addresses.first().map(|address| url(address, &suffix(facts))),
    };
    match (status, address) {
        (Some(BoxStatus { state: BoxState::Selling, pairing_secret: Some(secret), .. }), Some(address)) => {
            format!("Pair the first terminal at {address} with the secret {}", plain(secret))
        }
        (Some(BoxStatus { state: BoxState::Selling, owner_pin: Some(pin), .. }), _) => {
            format!("Sign in at a terminal as \"owner\" with the PIN {}, and choose another one.", plain(pin))
        }
        (Some(BoxStatus { state: BoxState::Selling, .. }), _) => "All is well: there is nothing to do.".to_owned(),
        (_, _) => "Wait until the box has started.".to_owned(),
    }
}

fn url(address: &IpAddr, suffix: &str) -> String {
    match address {
        IpAddr::V4(v4) => format!("https://{v4}{suffix}"),
        IpAddr::V6(v6) => format!("https://[{v6}]{suffix}"),
    }
}

fn suffix(facts: &Facts) -> String {
    match facts.service.last().and_then(|status| status.port) {
        None | Some(HTTPS) => String::new(),
        Some(port) => format!(":{port}"),
    }
}

/// `2026-01-31 12:00 UTC`: nobody at a screen needs more.
fn minutes(moment: storebox_core::time::Timestamp) -> String {
    let text = moment.to_string();
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.chars().take(5).collect::<String>()),
        None => text,
    }
}

/// `0123 4567 …`, as people compare them.
fn in_groups(fingerprint: &str) -> String {
    let mut text = String::new();
    for (index, character) in plain(fingerprint).chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            // Eight groups on each line, so that the eye finds the same place on two screens.
            text.push(if index % 32 == 0 { '\n' } else { ' ' });
        }
        text.push(character);
    }
    text
}

/// A value beside its label, on as many lines as it takes within bounds.
fn push(lines: &mut Vec<String>, label: &str, value: &str) {
    let wrapped = value.lines().flat_map(|line| wrap(line, VALUE_COLUMNS)).take(VALUE_LINES).collect();
    push_all(lines, label, wrapped);
}

fn push_all(lines: &mut Vec<String>, label: &str, values: Vec<String>) {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines.extend(
        values
            .iter()
            .zip(labels)
            .map(|(value, label)| format!("{MARGIN}{label:LABEL_COLUMNS$}{}", cut(value, VALUE_COLUMNS))),
    );
}

/// Lines of at most `columns` characters, divided between words; a longer word gets a line of its own and is cut.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(cut(word, columns)),
        }
    }
    lines
}

fn cut(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}

/// Without control characters: what comes from a file must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
pub mod tests;
