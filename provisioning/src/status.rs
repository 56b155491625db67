//! `STATUS.TXT`, which the box writes beside the installer's file: how far it has come, and what to do next.
//!
//! Whoever reads it has pulled the card out again and holds it in any computer. So it is plain ASCII with lines of Windows,
//! short enough for one screen, and says at most one thing to do.

use core::fmt::Write as _;

use storebox_core::time::Timestamp;

use crate::enrolment::{Enrolment, Stage, Trouble};
use crate::site::Fault;

/// The file's name.
pub const FILE: &str = "STATUS.TXT";

/// What is said of a static address that was given up.
pub const ADDRESS_FAILED: &str = "THE STATIC ADDRESS REACHED NOBODY, so the box takes what the network gives. \
    See whether address, mask and gateway under [network] in storebox.toml are those of this network.";

/// What the box knows when it writes the file.
#[derive(Debug)]
pub struct Report<'r> {
    /// The box's clock.
    pub time: Timestamp,
    /// What it runs.
    pub release: &'r str,
    /// Its name in the store's network.
    pub host_name: &'r str,
    /// Its addresses, as text.
    pub addresses: &'r [String],
    /// The proxy on the way to the cloud, if there is one.
    pub proxy: Option<&'r str>,
    /// What is wrong with the installer's file; nothing if it was taken.
    pub faults: &'r [Fault],
    /// The installer's static address reached nobody, so the box goes without.
    pub address_failed: bool,
    /// How far the way to the cloud goes, as far as the box's own network knows: up to [`Stage::Time`].
    pub reached: Option<Stage>,
    /// The rest of the way.
    pub enrolment: &'r Enrolment,
}

impl Stage {
    /// Every stage, in the order of the way.
    pub const ALL: [Self; 8] =
        [Self::Link, Self::Address, Self::Names, Self::Time, Self::Tls, Self::Claim, Self::Enrolled, Self::Registered];

    /// What has been reached then.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Link => "Network cable",
            Self::Address => "Address in the store's network",
            Self::Names => "The cloud's name is found",
            Self::Time => "The time is known",
            Self::Tls => "The cloud answers",
            Self::Claim => "The claim is accepted",
            Self::Enrolled => "The box has its certificate",
            Self::Registered => "The box is registered",
        }
    }

    /// What to do if it is not.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Link => "Plug one end of the network cable into the box and the other into the store's switch.",
            Self::Address => {
                "See whether the store's router is on and gives addresses (DHCP), or write a static address \
                 into storebox.toml: [network] address, mask, gateway, dns."
            }
            Self::Names => {
                "See whether the store's internet works, and whether the address under [cloud] in \
                 storebox.toml is spelt right."
            }
            Self::Time => "See whether the network lets NTP (123/udp) out, or name a time server under [time].",
            Self::Tls => {
                "The address under [cloud] answers with another key than the pin says, or not at all: copy both \
                 from the cloud again, and see whether a firewall is in the way (443/tcp)."
            }
            Self::Claim => "Write the claim's token into storebox.toml: [claim] token = \"...\".",
            Self::Enrolled | Self::Registered => "The box goes on by itself. Wait a few minutes.",
        }
    }
}

impl Enrolment {
    /// How far the box has come with the cloud.
    pub fn reached(&self) -> Option<Stage> {
        let kept = self.kept();
        if kept.registration.is_some() {
            Some(Stage::Registered)
        } else if kept.certificate.is_some() {
            Some(Stage::Enrolled)
        } else if kept.authorities.is_empty() {
            None
        } else {
            Some(Stage::Tls)
        }
    }
}

/// How the box stands with its cloud, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Every stage of the way, in order, and how it stands.
    pub steps: [(Stage, Mark); Stage::ALL.len()],
    /// What has happened, if it is more than the steps say; else empty.
    pub what: &'static str,
    /// What to do.
    pub to_do: &'static str,
}

/// How a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is reached.
    Reached,
    /// The way ends here.
    Broken,
    /// It is to come.
    ToCome,
}

impl Report<'_> {
    /// How the box stands with its cloud.
    pub fn standing(&self) -> Standing {
        let (what, to_do) = self.advice();
        Standing { steps: Stage::ALL.map(|stage| (stage, self.mark(stage))), what, to_do }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut page = Page(String::new());
        page.line("STORE BOX");
        page.line("");
        page.pair("Written", &self.time.to_string());
        page.pair("Release", self.release);
        page.pair("Name", self.host_name);
        let addresses = if self.addresses.is_empty() { "none yet".to_owned() } else { self.addresses.join("  ") };
        page.pair("Addresses", &addresses);
        let kept = self.enrolment.kept();
        if let Some(id) = kept.id {
            page.pair("Identity", &id.short());
        }
        if let Some(cloud) = &kept.cloud {
            page.pair("Cloud", cloud.url.as_str());
        }
        if let Some(proxy) = self.proxy {
            page.pair("Proxy", proxy);
        }
        if let Some(registration) = &kept.registration {
            page.pair("Store", registration.store_name.as_str());
            page.pair("Register", registration.register.as_str());
        }
        page.line("");
        self.faults(&mut page);
        if self.address_failed {
            page.paragraph("", ADDRESS_FAILED);
            page.line("");
        }
        let Standing { steps, what, to_do } = self.standing();
        for (stage, mark) in steps {
            let mark = match mark {
                Mark::Reached => "[ok]",
                Mark::Broken => "[!!]",
                Mark::ToCome => "[  ]",
            };
            page.line(&format!("  {mark} {}", stage.title()));
        }
        page.line("");
        if !what.is_empty() {
            page.paragraph("", what);
        }
        page.paragraph("", to_do);
        page.0
    }

    fn faults(&self, page: &mut Page) {
        if self.faults.is_empty() {
            return;
        }
        page.line("storebox.toml WAS NOT TAKEN. The box goes on with what it was told before.");
        for fault in self.faults {
            page.paragraph("  ", &fault.to_string());
        }
        page.line("");
    }

    fn mark(&self, stage: Stage) -> Mark {
        let reached = self.reached.max(self.enrolment.reached());
        match self.broken() {
            Some(broken) if stage == broken => Mark::Broken,
            Some(broken) if stage > broken && self.enrolment.reached() < Some(stage) => Mark::ToCome,
            _ if reached >= Some(stage) => Mark::Reached,
            _ => Mark::ToCome,
        }
    }

    /// Where the way ends that should go on.
    fn broken(&self) -> Option<Stage> {
        match self.enrolment.trouble() {
            Some(Trouble::Failed(stage)) => Some(stage),
            Some(Trouble::Proxy) => Some(Stage::Tls),
            Some(Trouble::Refused(_) | Trouble::Waiting) if self.enrolment.reached() < Some(Stage::Claim) => {
                Some(Stage::Claim)
            }
            Some(Trouble::Refused(_) | Trouble::Waiting) => Some(Stage::Registered),
            None => None,
        }
    }

    fn advice(&self) -> (&'static str, &'static str) {
        let is_claimed = self.enrolment.kept().claim.is_some() || self.enrolment.kept().used.is_some();
        match self.enrolment.trouble() {
            Some(Trouble::Refused(problem)) => (problem.title(), problem.advice()),
            Some(Trouble::Waiting) => ("Somebody has yet to let this box in.", "Approve it in the cloud."),
            Some(Trouble::Failed(stage)) => ("", stage.advice()),
            Some(Trouble::Proxy) => (
                "The proxy on the way to the cloud does not let the box through.",
                "See whether the proxy in storebox.toml, [network] proxy, is spelt right and is on, and whether it \
                 allows connections (CONNECT) to the address under [cloud].",
            ),
            None if !self.faults.is_empty() => ("", "Mend storebox.toml as said above, and start the box again."),
            None if self.enrolment.reached() == Some(Stage::Registered) => ("All is well.", "There is nothing to do."),
            None if !is_claimed => ("The box belongs to no store yet. It sells all the same.", Stage::Claim.advice()),
            None => ("", Stage::Registered.advice()),
        }
    }
}

/// Lines of a text for any editor.
struct Page(String);

/// Characters on a line: what every editor shows.
const WIDTH: usize = 76;

impl Page {
    fn line(&mut self, text: &str) {
        let ascii: String = text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect();
        let _never_fails = write!(self.0, "{}\r\n", ascii.trim_end());
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:<10} {value}"));
    }

    /// Text in lines that are not too long.
    fn paragraph(&mut self, indent: &str, text: &str) {
        let mut line = indent.to_owned();
        for word in text.split_whitespace() {
            if line.len() + word.len() >= WIDTH && line.len() > indent.len() {
                self.line(&line);
                line = indent.to_owned();
            }
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }
}

#[cfg(test)]
mod tests;
