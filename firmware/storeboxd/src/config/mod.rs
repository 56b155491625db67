//! The configuration: the file, and over it what was said since, read into types that cannot be wrong before anything is
//! bound or written.

mod layers;
pub mod options;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error as _};
use storebox_core::day::Calendar;
use storebox_core::limits::{
    CASH_ROUNDING_MAX_MINOR, CUSTOMERS_KEPT_DAYS, DAYS_KEPT_MOST, DEVICE_BURST, DEVICE_BURSTS, DEVICE_RATE_PER_S,
    DEVICE_RATES_PER_S, ORDERS_KEPT_DAYS, ORDERS_KEPT_DAYS_LEAST, PRICE_MAX_MINOR, STORE_MAX_GB,
};
use storebox_core::money::{Currency, Money, TaxRule};
use storebox_core::network::CloudUrl;
use storebox_core::payment::{CardPolicy, Limits, Policy};
use storebox_core::retention;
use storebox_core::settings::{Connectivity, Mode, Settings};
use storebox_core::text::Name;
use storebox_core::throttle::Rate;

pub use layers::{Layers, Source, WrongOption};

/// Everything the owner can say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[store]`
    pub store: StoreConfig,
    /// `[lan]`
    #[serde(default)]
    pub lan: LanConfig,
    /// `[cloud]`
    #[serde(default)]
    pub cloud: CloudConfig,
    /// `[offline]`
    #[serde(default)]
    pub offline: OfflineConfig,
    /// `[retention]`
    #[serde(default)]
    pub retention: RetentionConfig,
}

/// `[store]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Where everything the box keeps is kept.
    pub state_dir: PathBuf,
    /// What the store is called.
    #[serde(default = "default_name")]
    name: Name,
    /// ISO 4217 code.
    #[serde(default = "default_currency", deserialize_with = "currency")]
    currency: Currency,
    /// IANA time zone.
    #[serde(default = "default_timezone", deserialize_with = "timezone")]
    timezone: Name,
    /// Hours after midnight at which business days begin.
    #[serde(default, deserialize_with = "hour")]
    day_starts_at_h: u8,
    /// Prefix of the order numbers.
    #[serde(default = "default_register", deserialize_with = "register")]
    register: Name,
    /// Tax on everything sold.
    #[serde(default)]
    tax: TaxConfig,
    /// What is done about a price that differs from the catalogue's.
    #[serde(default)]
    pub price_override: PriceOverride,
    /// The smallest coin, in minor units.
    #[serde(default = "default_cash_rounding", deserialize_with = "coin")]
    cash_rounding: Money,
}

/// What is done when a terminal asks for another price than the catalogue's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceOverride {
    /// It is sold at that price, and marked for accounting.
    #[default]
    Mark,
    /// It is refused, unless a manager has signed in.
    Refuse,
}

/// `tax = { percent = 8.875, included = false }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaxConfig {
    #[serde(default, deserialize_with = "percent")]
    percent: u32,
    #[serde(default)]
    included: bool,
}

/// `[lan]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Where the pairing secret is kept; made when absent.
    pub shared_secret_file: Option<PathBuf>,
    /// The box's part among the boxes of the store.
    pub mode: Mode,
    /// Requests per second one terminal may keep up.
    #[serde(deserialize_with = "rate")]
    pub rate_per_device_s: u32,
    /// Requests it may send at once after a pause.
    #[serde(deserialize_with = "burst")]
    pub rate_burst: u32,
}

impl Default for LanConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            shared_secret_file: None,
            mode: Mode::default(),
            rate_per_device_s: DEVICE_RATE_PER_S,
            rate_burst: DEVICE_BURST,
        }
    }
}

/// `[cloud]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudConfig {
    /// Where the cloud is. Absent: the box is complete without one.
    pub url: Option<CloudUrl>,
}

/// `[offline]`: what is risked on cards while the cloud is away. Amounts are in major units, as people write them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfflineConfig {
    /// Cards that are new to the store.
    card_policy: CardPolicy,
    /// Cards the processor has a token for.
    token_policy: CardPolicy,
    /// One payment is at most this.
    payment_limit: Option<Major>,
    /// All payments of one card on one business day are together at most this.
    daily_card_limit: Option<Major>,
    /// Everything that waits is together at most this.
    total_queue_limit: Option<Major>,
    /// A payment above this takes a signature.
    require_signature: Option<Major>,
}

impl Default for OfflineConfig {
    fn default() -> Self {
        let Policy { new_cards, stored_cards, limits: _ } = Policy::standard(None);
        Self {
            card_policy: new_cards,
            token_policy: stored_cards,
            payment_limit: None,
            daily_card_limit: None,
            total_queue_limit: None,
            require_signature: None,
        }
    }
}

impl OfflineConfig {
    /// Limits hold only together: outside the United States all four have to be set, or nothing is queued.
    fn policy(&self, currency: Currency) -> Policy {
        let standard = (currency.code() == Currency::USD.code()).then_some(Limits::USD);
        let limit = |given: Option<Major>, standard: Option<Money>| given.map(|major| major.of(currency)).or(standard);
        let limits = || {
            Some(Limits {
                per_transaction: limit(self.payment_limit, standard.map(|limits| limits.per_transaction))?,
                per_card_per_day: limit(self.daily_card_limit, standard.map(|limits| limits.per_card_per_day))?,
                total_queued: limit(self.total_queue_limit, standard.map(|limits| limits.total_queued))?,
                signature_above: limit(self.require_signature, standard.map(|limits| limits.signature_above))?,
            })
        };
        Policy { new_cards: self.card_policy, stored_cards: self.token_policy, limits: limits() }
    }
}

/// An amount in major units with up to four decimals, held in ten-thousandths.
#[derive(Clone, Copy, Debug)]
struct Major(i64);

impl Major {
    /// In minor units; what the currency cannot say is cut off.
    fn of(self, currency: Currency) -> Money {
        let minor = i128::from(self.0) * 10_i128.pow(u32::from(currency.exponent)) / 10_000;
        Money::from_minor(i64::try_from(minor).unwrap_or(PRICE_MAX_MINOR))
    }
}

impl<'de> Deserialize<'de> for Major {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scaled = f64::deserialize(deserializer)? * 10_000.0;
        if !(0.0..=1e13).contains(&scaled) || (scaled - scaled.round()).abs() > 1e-3 {
            return Err(D::Error::custom(
                "an amount is between 0 and 1000000000 with up to four decimals, like 100.00",
            ));
        }
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1e13, checked above")]
        Ok(Self(scaled.round() as i64))
    }
}

/// `[retention]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Days that orders are kept after they ended.
    #[serde(deserialize_with = "orders_days")]
    orders_days: u32,
    /// Days that customers are kept who were not seen.
    #[serde(deserialize_with = "customers_days")]
    customers_days: u32,
    /// Size of the store above which orders are kept for the least time only; never more than half the disk.
    #[serde(deserialize_with = "gigabytes")]
    max_size_gb: u64,
    /// Whether the box cleans up by itself.
    auto_cleanup: bool,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            orders_days: ORDERS_KEPT_DAYS,
            customers_days: CUSTOMERS_KEPT_DAYS,
            max_size_gb: STORE_MAX_GB,
            auto_cleanup: true,
        }
    }
}

impl Config {
    /// How long things are kept.
    pub fn retention(&self) -> retention::Policy {
        retention::Policy {
            orders_days: self.retention.orders_days,
            customers_days: self.retention.customers_days,
            max_size_bytes: Some(self.retention.max_size_gb.saturating_mul(1_000_000_000)),
            auto_cleanup: self.retention.auto_cleanup,
        }
    }

    /// What the store's records depend on.
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.store.name.clone(),
            currency: self.store.currency,
            timezone: self.store.timezone.clone(),
            day_starts_at_h: self.store.day_starts_at_h,
            register: self.store.register.clone(),
            tax_rule: TaxRule { rate_ppm: self.store.tax.percent, included: self.store.tax.included },
            cash_rounding: self.store.cash_rounding,
            payments: self.offline.policy(self.store.currency),
        }
    }

    /// How the box stands with the cloud before it has tried to reach one.
    pub fn connectivity(&self) -> Connectivity {
        match &self.cloud.url {
            Some(_) => Connectivity::Offline,
            None => Connectivity::LocalOnly,
        }
    }

    /// The folder of everything about the LAN: keys, certificates, address.
    pub fn lan_dir(&self) -> PathBuf {
        self.store.state_dir.join("lan")
    }

    /// The folder of keys that must not lie in the database.
    pub fn secrets_dir(&self) -> PathBuf {
        self.store.state_dir.join("secrets")
    }

    /// The pairing secret's file.
    pub fn secret_file(&self) -> PathBuf {
        self.lan.shared_secret_file.clone().unwrap_or_else(|| self.lan_dir().join("secret"))
    }

    /// How often one device may ask.
    pub fn device_rate(&self) -> Rate {
        Rate::per_second(self.lan.rate_per_device_s, self.lan.rate_burst)
    }
}

/// The configuration cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its contents are wrong.
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "cannot read the configuration {}: {error}", path.display()),
            Self::Wrong { path, error } => write!(f, "the configuration {} is wrong:\n{error}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Wrong { error, .. } => Some(error),
        }
    }
}

fn default_name() -> Name {
    name("Store box")
}

fn default_timezone() -> Name {
    name("UTC")
}

fn default_register() -> Name {
    name("A")
}

fn default_cash_rounding() -> Money {
    Money::from_minor(1)
}

fn coin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    match i64::deserialize(deserializer)? {
        minor @ 1..=CASH_ROUNDING_MAX_MINOR => Ok(Money::from_minor(minor)),
        _ => Err(D::Error::custom(format!("the smallest coin is 1 to {CASH_ROUNDING_MAX_MINOR} minor units"))),
    }
}

fn default_currency() -> Currency {
    Currency::USD
}

#[expect(clippy::expect_used, reason = "called with the literals above only, and a test calls each")]
fn name(literal: &str) -> Name {
    Name::new(literal.to_owned()).expect("a literal that is a name")
}

fn currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    let code = String::deserialize(deserializer)?;
    Currency::from_code(&code)
        .ok_or_else(|| D::Error::custom("a currency is three capital letters (ISO 4217), like USD"))
}

fn timezone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let zone = Name::deserialize(deserializer)?;
    if Calendar::knows(zone.as_str()) {
        Ok(zone)
    } else {
        Err(D::Error::custom("a time zone is an IANA name, like Europe/Paris"))
    }
}

fn hour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        hour @ 0..24 => Ok(hour),
        _ => Err(D::Error::custom("an hour of the day is 0 to 23")),
    }
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        rate if DEVICE_RATES_PER_S.contains(&rate) => Ok(rate),
        _ => Err(D::Error::custom(format!("a terminal may send {} requests a second", words(&DEVICE_RATES_PER_S)))),
    }
}

fn burst<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        burst if DEVICE_BURSTS.contains(&burst) => Ok(burst),
        _ => Err(D::Error::custom(format!("a terminal may send {} requests at once", words(&DEVICE_BURSTS)))),
    }
}

fn words(range: &RangeInclusive<u32>) -> String {
    format!("{} to {}", range.start(), range.end())
}

fn orders_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        days @ ORDERS_KEPT_DAYS_LEAST..=DAYS_KEPT_MOST => Ok(days),
        _ => Err(D::Error::custom(format!("orders are kept {ORDERS_KEPT_DAYS_LEAST} to {DAYS_KEPT_MOST} days"))),
    }
}

fn customers_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        days @ 1..=DAYS_KEPT_MOST => Ok(days),
        _ => Err(D::Error::custom(format!("customers are kept 1 to {DAYS_KEPT_MOST} days"))),
    }
}

fn gigabytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        gigabytes @ 1..=1_000_000 => Ok(gigabytes),
        _ => Err(D::Error::custom("a store's size is 1 to 1000000 gigabytes")),
    }
}

fn register<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let prefix = Name::deserialize(deserializer)?;
    let short =
        prefix.as_str().len() <= 8 && prefix.as_str().chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if short {
        Ok(prefix)
    } else {
        Err(D::Error::custom("a register is up to eight capital letters and digits, like A or BAR2"))
    }
}

/// Percent with up to four decimals, as parts per million.
fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let percent = f64::deserialize(deserializer)?;
    let ppm = percent * 10_000.0;
    if !(0.0..=1_000_000.0).contains(&ppm) || (ppm - ppm.round()).abs() > 1e-6 {
        return Err(D::Error::custom("a tax is between 0 and 100 percent with up to four decimals"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a million, checked above"
    )]
    Ok(ppm.round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn a_full_file_is_read() {
        let config = parse(
            "[store]\nstate_dir = '/s'\ncurrency = 'JPY'\nregister = 'BAR2'\ntax = { percent = 8.875, included = true }\n\
             [lan]\nlisten = '0.0.0.0:443'\nmode = 'standalone'\n[cloud]\nurl = 'https://cloud.example'\n",
        )
        .unwrap();
        assert_eq!(config.settings().tax_rule, TaxRule { rate_ppm: 88_750, included: true });
        assert_eq!(config.settings().currency.exponent, 0);
        assert_eq!(config.lan.mode, Mode::Standalone);
        assert_eq!(config.connectivity(), Connectivity::Offline);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = parse("[store]\nstate_dir = '/s'\n[lan]\nlissten = '127.0.0.1:1'\n").unwrap_err();
        assert!(error.contains("line 4") && error.contains("lissten"), "{error}");
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        for (line, expected) in [
            ("currency = 'dollars'", "ISO 4217"),
            ("tax = { percent = 101 }", "between 0 and 100"),
            ("register = 'till one'", "capital letters"),
            ("timezone = 'local time'", "IANA"),
            ("cash_rounding = 0", "smallest coin"),
            ("price_override = 'allow'", "`mark` or `refuse`"),
            ("[lan]\nrate_per_device_s = 0", "1 to 1000000"),
            ("[lan]\nrate_burst = 2000000", "1 to 1000000"),
        ] {
            let error = parse(&format!("[store]\nstate_dir = '/s'\n{line}\n")).unwrap_err();
            assert!(error.contains(expected) && error.contains("line"), "{error}");
        }
    }

    #[test]
    fn u14_orders_are_kept_at_least_a_week() {
        let read = |line: &str| parse(&format!("[store]\nstate_dir = '/s'\n[retention]\n{line}\n"));
        assert_eq!(read("orders_days = 7").unwrap().retention().orders_days, 7);
        assert_eq!(read("").unwrap().retention().orders_days, 400);
        for wrong in ["orders_days = 6", "customers_days = 0", "max_size_gb = 0", "auto_cleanup = 'yes'"] {
            assert!(read(wrong).unwrap_err().contains("line 4"), "{wrong}");
        }
    }

    #[test]
    fn the_cloud_is_reached_over_tls_only() {
        let read = |url: &str| parse(&format!("[store]\nstate_dir = '/s'\n[cloud]\nurl = '{url}'\n"));
        assert!(read("https://cloud.example/").is_ok());
        for wrong in ["http://cloud.example", "https://", "cloud.example", "https://two words"] {
            assert!(read(wrong).unwrap_err().contains("https://"), "{wrong}");
        }
    }

    #[test]
    fn l6_limits_are_in_major_units_and_standard_for_us_dollars_only() {
        let read = |text: &str| parse(&format!("[store]\nstate_dir = '/s'\n{text}")).unwrap().settings().payments;
        assert_eq!(read(""), Policy::standard(Some(Limits::USD)));
        let some = read("[offline]\npayment_limit = 50\nrequire_signature = 0.5\n").limits.unwrap();
        assert_eq!((some.per_transaction.minor(), some.signature_above.minor()), (50_00, 50));
        assert_eq!(some.total_queued, Limits::USD.total_queued);
        let all = "[offline]\ncard_policy = 'queue'\npayment_limit = 10000\ndaily_card_limit = 20000\n\
                   total_queue_limit = 200000\n";
        assert_eq!(read(&format!("currency = 'JPY'\n{all}")).limits, None);
        let yen = read(&format!("currency = 'JPY'\n{all}require_signature = 2500\n"));
        assert_eq!((yen.new_cards, yen.limits.unwrap().per_transaction.minor()), (CardPolicy::Queue, 10_000));
        let error = parse("[store]\nstate_dir = '/s'\n[offline]\npayment_limit = -1\n").unwrap_err();
        assert!(error.contains("line 4") && error.contains("decimals"), "{error}");
    }

    #[test]
    fn a_desk_needs_no_file() {
        let config = Layers::desk("/s").config().unwrap();
        assert!(config.lan.listen.ip().is_loopback());
        assert_eq!(config.settings().currency, Currency::USD);
    }
}
