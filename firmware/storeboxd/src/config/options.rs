//! The options an admin may change while the box runs (B16).
//!
//! Where the box keeps things and where it listens can be said in the file only: a wrong word about those would take the
//! box away from everybody who could mend it.

/// An option.
#[derive(Debug)]
pub struct Choice {
    /// Its section and key in the file, joined by dots.
    pub key: &'static str,
    /// What holds if nobody says otherwise, in TOML; `None` if it is absent then.
    pub default: Option<&'static str>,
    /// What it may be.
    pub range: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// When a change holds.
    pub holds: Holds,
}

/// When a change holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// From the next request on.
    AtOnce,
    /// From the next start of the box on.
    AfterRestart,
}

impl Choice {
    const fn new(key: &'static str, default: &'static str, range: &'static str, meaning: &'static str) -> Self {
        Self { key, default: Some(default), range, meaning, holds: Holds::AtOnce }
    }

    const fn absent(key: &'static str, range: &'static str, meaning: &'static str) -> Self {
        Self { key, default: None, range, meaning, holds: Holds::AtOnce }
    }

    const fn after_restart(self) -> Self {
        Self { holds: Holds::AfterRestart, ..self }
    }

    /// The option with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        CHOICES.iter().find(|choice| choice.key == key)
    }
}

const AMOUNT: &str = "0 to 1000000000 in major units, up to four decimals";
const CARDS: &str = "`deny`, `queue`, or `terminal` (a card terminal of its own, whose slip is recorded)";

/// Every option an admin may change.
pub const CHOICES: [Choice; 23] = [
    Choice::new("store.name", "\"Store box\"", "up to 128 characters", "what the store is called"),
    Choice::new("store.currency", "\"USD\"", "ISO 4217 code", "what it counts in; fixed once there are orders"),
    Choice::new("store.timezone", "\"UTC\"", "IANA name", "the zone the store's days begin and end in"),
    Choice::new(
        "store.day_starts_at_h",
        "0",
        "0 to 23",
        "hours after midnight at which business days begin; a bar's night ends at 5 or 6",
    ),
    Choice::new(
        "store.register",
        "\"A\"",
        "1 to 8 capitals and digits",
        "prefix of the printed order numbers (`A-0042`)",
    ),
    Choice::new("store.tax.percent", "0", "0 to 100, up to four decimals", "tax on everything sold"),
    Choice::new("store.tax.included", "false", "`true`, `false`", "whether prices contain the tax"),
    Choice::new(
        "store.price_override",
        "\"mark\"",
        "`mark`, `refuse`",
        "another price than the catalogue's is sold and marked, or only by a manager",
    ),
    Choice::new(
        "store.cash_rounding",
        "1",
        "1 to 10000 minor units",
        "the smallest coin; 5 where cash goes in five-cent pieces",
    ),
    Choice::new("lan.mode", "\"server\"", "`server`, `standalone`", "a standalone box pairs no terminals"),
    Choice::new("lan.rate_per_device_s", "50", "1 to 1000000", "requests per second one terminal may keep up"),
    Choice::new(
        "lan.rate_burst",
        "200",
        "1 to 1000000; a till replays up to 100 at once",
        "requests it may send at once after a pause",
    ),
    Choice::absent("cloud.url", "`https://` and a name", "where the cloud is; absent: the box is complete without one")
        .after_restart(),
    Choice::new("offline.card_policy", "\"deny\"", CARDS, "cards that are new to the store while the cloud is away"),
    Choice::new(
        "offline.token_policy",
        "\"queue\"",
        CARDS,
        "cards the processor has a token for, while the cloud is away",
    ),
    Choice::new(
        "offline.payment_limit",
        "100.00",
        AMOUNT,
        "most one queued card payment may be; this limit and the next three have defaults for USD only: in another \
         currency nothing is queued until all four are set",
    ),
    Choice::new("offline.daily_card_limit", "200.00", AMOUNT, "most one card may be charged on one business day"),
    Choice::new("offline.total_queue_limit", "2000.00", AMOUNT, "most that may wait for the cloud in all"),
    Choice::new("offline.require_signature", "25.00", AMOUNT, "a queued card payment above this takes a signature"),
    Choice::new(
        "retention.orders_days",
        "400",
        "7 to 36500",
        "days that orders are kept after they ended; never removed before the cloud has them",
    ),
    Choice::new("retention.customers_days", "30", "1 to 36500", "days that customers are kept who were not seen"),
    Choice::new(
        "retention.max_size_gb",
        "50",
        "1 to 1000000",
        "size of the store above which orders are kept 7 days only; half the disk counts if that is less",
    ),
    Choice::new("retention.auto_cleanup", "true", "`true`, `false`", "whether the box removes by itself what is old"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Source};

    fn with(key: &str, value: &str) -> Config {
        let desk = Layers::desk("/s");
        let value: toml::Table = format!("value = {value}").parse().unwrap();
        desk.with(Source::Admin, key, value["value"].clone()).unwrap().config().unwrap()
    }

    fn in_force(config: &Config) -> String {
        let Config { store, lan, cloud, offline: _, retention } = config;
        format!("{store:?} {lan:?} {cloud:?} {retention:?} {:?}", config.settings().payments)
    }

    #[test]
    fn b16_every_default_is_what_holds_without_the_option() {
        let desk = in_force(&Layers::desk("/s").config().unwrap());
        for choice in &CHOICES {
            if let Some(default) = choice.default {
                assert_eq!(in_force(&with(choice.key, default)), desk, "{}", choice.key);
            }
        }
    }

    /// The parser names the keys it knows; each is in the table, or can be said in the file only.
    #[test]
    fn b16_every_key_of_the_file_is_an_option_or_where_the_box_is() {
        const IN_THE_FILE_ONLY: [&str; 3] = ["store.state_dir", "lan.listen", "lan.shared_secret_file"];
        let mut keys: Vec<String> = Vec::new();
        for section in ["store", "store.tax", "lan", "cloud", "offline", "retention"] {
            let text = format!("store.state_dir = '/s'\n{section}.no_such_key = 1\n");
            let said = toml::from_str::<Config>(&text).unwrap_err().to_string();
            let known = said.split("expected").nth(1).unwrap_or_else(|| panic!("{section}: {said}"));
            keys.extend(known.split('`').skip(1).step_by(2).map(|key| format!("{section}.{key}")));
        }
        assert!(keys.len() > CHOICES.len(), "{keys:?}");
        for key in keys.iter().filter(|key| *key != "store.tax") {
            let is_known = Choice::find(key).is_some() || IN_THE_FILE_ONLY.contains(&key.as_str());
            assert!(is_known, "{key} is in no table");
        }
        assert!(IN_THE_FILE_ONLY.iter().all(|key| keys.iter().any(|known| known == key)));
    }

    /// The README shows the table; it is written there by a run with `STOREBOX_REWRITE=1`.
    #[test]
    fn b16_the_readme_shows_every_option() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let rows = CHOICES.iter().map(|choice| {
            let Choice { key, default, range, meaning, holds } = choice;
            let (section, name) = key.split_once('.').unwrap();
            let default = default.map(|default| format!("`{default}`")).unwrap_or_default();
            let later = if *holds == Holds::AfterRestart { " (from the next start on)" } else { "" };
            format!("| `[{section}] {name}` | {default} | {range} | {meaning}{later} |\n")
        });
        let table: String = rows.collect();
        if std::env::var_os("STOREBOX_REWRITE").is_some() {
            let (before, rest) = readme.split_once("|---|---|---|---|\n").unwrap();
            let (_, after) = rest.split_once("\n\n").unwrap();
            std::fs::write(path, format!("{before}|---|---|---|---|\n{table}\n{after}")).unwrap();
        } else {
            assert!(readme.contains(&table), "the README's table should be:\n{table}");
        }
    }
}
