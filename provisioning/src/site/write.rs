//! Writing the installer's file, so that reading it gives the same site.

use core::fmt::Display;

use super::{Intent, Site};

impl Intent {
    /// As the file has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replace => "replace",
            Self::Reset => "reset",
        }
    }
}

impl Site {
    /// The file's text. [`Site::read`] takes it for this site again, unless a name has blanks at its ends, which nobody can
    /// see. It holds the claim's token, which is a secret.
    pub fn write(&self) -> String {
        let mut text = Text(String::new());
        if let Some(cloud) = &self.cloud {
            text.section("cloud");
            text.pair("url", &cloud.url);
            text.some("pin", &cloud.pins);
        }
        if let Some(claim) = &self.claim {
            text.section("claim");
            text.pair("token", claim.token());
            text.pair("intent", claim.intent.as_str());
        }
        if self.name.is_some() || self.timezone.is_some() {
            text.section("store");
            text.some("name", self.name.as_slice());
            text.some("timezone", self.timezone.as_slice());
        }
        if self.address.is_some() || self.proxy.is_some() {
            text.section("network");
            if let Some(address) = &self.address {
                text.pair("address", format_args!("{}/{}", address.address(), address.prefix()));
                text.some("gateway", address.gateway().as_slice());
                text.some("dns", address.dns());
            }
            text.some("proxy", self.proxy.as_slice());
        }
        if !self.time_servers.is_empty() {
            text.section("time");
            text.some("servers", &self.time_servers);
        }
        text.0
    }
}

/// The lines of the file.
struct Text(String);

impl Text {
    fn section(&mut self, name: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0 += &format!("{gap}[{name}]\n");
    }

    fn pair(&mut self, key: &str, value: impl Display) {
        self.0 += &format!("{key} = {}\n", quoted(value));
    }

    /// Nothing for no value, the text itself for one, a list for more.
    fn some(&mut self, key: &str, values: &[impl Display]) {
        match values {
            [] => {}
            [one] => self.pair(key, one),
            more => {
                let items: Vec<String> = more.iter().map(quoted).collect();
                self.0 += &format!("{key} = [{}]\n", items.join(", "));
            }
        }
    }
}

fn quoted(value: impl Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;
    use storebox_core::limits::{CLOUD_PINS, NAME_SERVERS, TIME_SERVERS};
    use storebox_core::network::{CloudUrl, StaticAddress};
    use storebox_core::text::Name;

    use super::super::{Claim, Cloud, Intent};
    use super::*;
    use crate::pin::Pin;

    fn name() -> impl Strategy<Value = Name> {
        "[^\\p{Cc}]{1,128}|[a-z\"'\\\\#\\[\\]=\t\n]{1,40}".prop_filter_map("nothing but blanks", |text| {
            let text = text.trim();
            Name::new(text.to_owned()).ok()
        })
    }

    fn cloud() -> impl Strategy<Value = Cloud> {
        let url =
            ("[a-z0-9.-]{1,40}", of(1_u16..), "(/[!-~]{1,20})?").prop_filter_map("no URL", |(host, port, path)| {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                CloudUrl::new(&format!("https://{host}{port}{path}")).ok()
            });
        (url, vec(any::<[u8; 32]>().prop_map(Pin::new), 0..=CLOUD_PINS)).prop_map(|(url, pins)| Cloud { url, pins })
    }

    fn claim() -> impl Strategy<Value = Claim> {
        let intent = prop_oneof![Just(Intent::New), Just(Intent::Replace), Just(Intent::Reset)];
        ("[!-~]{8,512}", intent).prop_map(|(token, intent)| Claim::new(&token, intent).unwrap())
    }

    fn ip() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        ]
    }

    fn address() -> impl Strategy<Value = StaticAddress> {
        let same_network = |address: IpAddr| match address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() ^ 1)),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() ^ 1)),
        };
        (ip(), 8_u8..=30, any::<bool>(), vec(ip(), 0..=NAME_SERVERS)).prop_filter_map(
            "no address of a host",
            move |(address, prefix, has_gateway, dns)| {
                StaticAddress::new(address, prefix, has_gateway.then(|| same_network(address)), dns).ok()
            },
        )
    }

    fn zone() -> impl Strategy<Value = Name> {
        prop::sample::select(vec!["Asia/Jakarta", "Europe/Berlin", "UTC"]).prop_map(Name::cut)
    }

    fn proxy() -> impl Strategy<Value = Name> {
        ("[a-z0-9][a-z0-9.-]{0,20}|\\[::1\\]", 1_u16..).prop_map(|(host, port)| Name::cut(&format!("{host}:{port}")))
    }

    prop_compose! {
        fn site()(
            cloud in of(cloud()), claim in of(claim()), name in of(name()), timezone in of(zone()),
            address in of(address()), proxy in of(proxy()), time_servers in vec(self::name(), 0..=TIME_SERVERS),
        ) -> Site {
            Site { cloud, claim, name, timezone, address, proxy, time_servers }
        }
    }

    proptest! {
        #[test]
        fn b8_b9_what_is_written_is_read_as_the_same_site(site in site()) {
            let text = site.write();
            prop_assert_eq!(Site::read(text.as_bytes()), Ok(site), "{}", text);
        }
    }

    #[test]
    fn b8_the_file_is_written_as_a_person_would() {
        let text = "[cloud]\nurl = \"https://cloud.example\"\n\
                    pin = \"sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=\"\n\n\
                    [claim]\ntoken = \"7Q2M-XK4D\"\nintent = \"new\"\n\n\
                    [store]\nname = \"Corner shop\"\ntimezone = \"Asia/Jakarta\"\n\n\
                    [network]\naddress = \"192.168.7.20/24\"\ngateway = \"192.168.7.1\"\n\
                    dns = [\"192.168.7.1\", \"9.9.9.9\"]\nproxy = \"192.168.7.5:3128\"\n\n\
                    [time]\nservers = \"192.168.7.1\"\n";
        assert_eq!(Site::read(text.as_bytes()).unwrap().write(), text);
        assert_eq!(Site::default().write(), "");
    }
}
