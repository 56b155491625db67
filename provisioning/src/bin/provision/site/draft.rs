//! What somebody says a file shall say, before it is known to be right.

use lexopt::{Parser, ValueExt};
use storebox_provisioning::site::Site;

use crate::failure::Failure;

/// The words as they were given. They are read by the rules of the file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Where the cloud is.
    pub cloud: Option<String>,
    /// The keys it may have.
    pub pins: Vec<String>,
    /// The claim's token.
    pub token: Option<String>,
    /// What the box is to become.
    pub intent: Option<String>,
    /// What the store is called.
    pub name: Option<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// The box's address, with the length of its network's prefix.
    pub address: Option<String>,
    /// Where the rest of the world is found.
    pub gateway: Option<String>,
    /// Where names are found.
    pub dns: Vec<String>,
    /// The proxy on the way to the cloud.
    pub proxy: Option<String>,
    /// Where the time is asked for.
    pub time_servers: Vec<String>,
}

impl Draft {
    /// Takes an option about the store and its network; false if it is another's.
    ///
    /// # Errors
    /// If its value is missing.
    pub fn take_store(&mut self, arguments: &mut Parser, option: &str) -> Result<bool, Failure> {
        let place = match option {
            "timezone" => &mut self.timezone,
            "address" => &mut self.address,
            "gateway" => &mut self.gateway,
            "proxy" => &mut self.proxy,
            "dns" => {
                self.dns.push(arguments.value()?.string()?);
                return Ok(true);
            }
            "time-server" => {
                self.time_servers.push(arguments.value()?.string()?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *place = Some(arguments.value()?.string()?);
        Ok(true)
    }

    /// The site, if everything is right.
    ///
    /// # Errors
    /// Everything that is wrong, in words.
    pub fn site(&self) -> Result<Site, Vec<String>> {
        if self.cloud.is_none() && !self.pins.is_empty() {
            return Err(vec!["pin: it belongs to a cloud: say where that is, too".to_owned()]);
        }
        if self.token.is_none() && self.intent.is_some() {
            return Err(vec!["intent: it belongs to a claim: give its token, too".to_owned()]);
        }
        let text = self.text();
        Site::read(text.as_bytes()).map_err(|faults| faults.into_iter().map(|fault| fault.what).collect())
    }

    /// The file it would be, right or wrong.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut pair = |key: &str, values: &[String]| {
            let values: Vec<String> =
                values.iter().map(|value| toml::Value::from(value.as_str()).to_string()).collect();
            match values.as_slice() {
                [] => {}
                [one] => text.push_str(&format!("{key} = {one}\n")),
                more => text.push_str(&format!("{key} = [{}]\n", more.join(", "))),
            }
        };
        pair("cloud.url", self.cloud.as_slice());
        pair("cloud.pin", &self.pins);
        pair("claim.token", self.token.as_slice());
        pair("claim.intent", self.intent.as_slice());
        pair("store.name", self.name.as_slice());
        pair("store.timezone", self.timezone.as_slice());
        pair("network.address", self.address.as_slice());
        pair("network.gateway", self.gateway.as_slice());
        pair("network.dns", &self.dns);
        pair("network.proxy", self.proxy.as_slice());
        pair("time.servers", &self.time_servers);
        text
    }
}

/// What is wrong with options, as a failure of the command line.
pub fn wrong(faults: &[String]) -> Failure {
    Failure::usage(faults.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_b9_options_are_read_by_the_rules_of_the_file() {
        let some = |text: &str| Some(text.to_owned());
        let draft = Draft {
            cloud: some("https://cloud.example/"),
            pins: vec!["d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=".to_owned()],
            token: some("7Q2M-XK4D"),
            name: some("Anna's \"shop\""),
            address: some("192.168.7.20/24"),
            dns: vec!["192.168.7.1".to_owned(), "9.9.9.9".to_owned()],
            ..Draft::default()
        };
        let site = draft.site().unwrap();
        assert_eq!(site.name.as_ref().unwrap().as_str(), "Anna's \"shop\"");
        assert_eq!(Site::read(site.write().as_bytes()), Ok(site));

        let wrong = Draft { timezone: some("here"), proxy: some("x"), ..draft.clone() }.site().unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("timezone: ") && wrong[1].starts_with("proxy: "), "{wrong:?}");
        let alone = Draft { pins: draft.pins.clone(), ..Draft::default() }.site().unwrap_err();
        assert!(alone[0].contains("belongs to a cloud"), "{alone:?}");
        assert!(Draft { intent: some("new"), ..Draft::default() }.site().is_err());
        assert_eq!(Draft::default().site(), Ok(Site::default()));
    }
}
