//! What the configuration file says, and over it what was said since: by the installer, an admin, the cloud.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::options::{CHOICES, Choice};
use super::{Config, ConfigError};
use crate::files;

/// Who says what an option is. Who comes later in this list has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The configuration file.
    File,
    /// The installer's file.
    Installer,
    /// An admin, on the box.
    Admin,
    /// The cloud the box is registered with.
    Cloud,
    /// The store itself: what it has written down can no longer be otherwise.
    Store,
}

impl Source {
    /// Those whose words are kept in files of the state folder.
    const KEPT: [Self; 3] = [Self::Installer, Self::Admin, Self::Cloud];

    /// Where its words are kept in the state folder, in those of the configuration file, and what stands above them.
    const fn file(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Installer => Some((
                "installer.toml",
                "# What the installer's file says. It comes before the configuration file.\n\n",
            )),
            Self::Admin => Some((
                "changes.toml",
                "# What an admin changed on this box. It comes before the configuration file.\n\n",
            )),
            Self::Cloud => Some(("cloud.toml", "# What the cloud says. It comes before everything else.\n\n")),
            Self::File | Self::Store => None,
        }
    }
}

/// The configuration: what each source says of it.
#[derive(Clone, Debug)]
pub struct Layers(BTreeMap<Source, Table>);

impl Layers {
    /// Reads the configuration file, and what was said since from its state folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and, for its contents, line and key. Nothing was written. What was said since and is
    /// not understood, as after going back to an older release, is only logged and left out: nobody may have to visit the
    /// store because of it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let wrong = |error| ConfigError::Wrong { path: path.to_owned(), error: Box::new(error) };
        // Read as text for the sake of the line in the message.
        toml::from_str::<Config>(&text).map_err(wrong)?;
        Ok(Self::of_file(text.parse().map_err(wrong)?))
    }

    /// What a run without a file uses: everything in `state_dir`, reachable from this machine only.
    pub fn desk(state_dir: impl Into<PathBuf>) -> Self {
        let folder = state_dir.into().to_string_lossy().into_owned();
        let store = Table::from_iter([("state_dir".to_owned(), Value::String(folder))]);
        Self::of_file(Table::from_iter([("store".to_owned(), Value::Table(store))]))
    }

    fn of_file(file: Table) -> Self {
        let this = Self(BTreeMap::from([(Source::File, file)]));
        let folder = this.said_by(Source::File, "store.state_dir").and_then(Value::as_str).map(PathBuf::from);
        let Some(folder) = folder else { return this };
        Source::KEPT.into_iter().fold(this, |layers, source| layers.with_kept(source, &folder))
    }

    /// The configuration that follows.
    ///
    /// # Errors
    /// What is wrong. It never is: every layer was looked at when it was read or changed.
    pub fn config(&self) -> Result<Config, Box<toml::de::Error>> {
        let mut all = Table::new();
        for table in self.0.values() {
            table.iter().for_each(|(section, said)| merge(&mut all, section, said));
        }
        all.try_into().map_err(Box::new)
    }

    /// The same with one option as this source says.
    ///
    /// # Errors
    /// [`WrongOption`] if there is no such option, or it may not be that.
    pub fn with(&self, source: Source, key: &str, value: Value) -> Result<Self, WrongOption> {
        let choice = option(key)?;
        // Looked at alone, too: what is hidden by a later source must not be wrong when that one falls silent.
        let mut alone = self.clone();
        alone.0.retain(|other, _| *other <= source);
        set(alone.0.entry(source).or_default(), key, value.clone());
        let mut changed = self.clone();
        set(changed.0.entry(source).or_default(), key, value);
        match alone.config().and_then(|_| changed.config()) {
            Ok(_) => Ok(changed),
            Err(error) => {
                let why = format!("{} (it may be: {})", error.message(), choice.range);
                Err(WrongOption { key: key.to_owned(), why })
            }
        }
    }

    /// The same with this source saying nothing of an option.
    ///
    /// # Errors
    /// [`WrongOption`] if there is no such option.
    pub fn without(&self, source: Source, key: &str) -> Result<Self, WrongOption> {
        option(key)?;
        let mut changed = self.clone();
        if let Some(table) = changed.0.get_mut(&source) {
            take(table, key);
        }
        Ok(changed)
    }

    /// The same with all of what a source says replaced. What is not understood is logged and left out.
    #[must_use]
    pub fn saying<'v>(&self, source: Source, said: impl IntoIterator<Item = (&'v str, Value)>) -> Self {
        let mut silent = self.clone();
        silent.0.remove(&source);
        said.into_iter().fold(silent, |layers, (key, value)| match layers.with(source, key, value) {
            Ok(changed) => changed,
            Err(error) => {
                log::error!("what was said by {source:?} is left out: {error}");
                layers
            }
        })
    }

    /// Whoever has the last word on an option, and what it is.
    pub fn said(&self, key: &str) -> Option<(Source, &Value)> {
        self.0.iter().rev().find_map(|(source, table)| Some((*source, get(table, key)?)))
    }

    /// What a source says of an option.
    pub fn said_by(&self, source: Source, key: &str) -> Option<&Value> {
        get(self.0.get(&source)?, key)
    }

    /// Keeps in the state folder what a source says.
    ///
    /// # Errors
    /// What the system said; what was kept before is untouched then.
    pub fn keep(&self, source: Source, state_dir: &Path) -> std::io::Result<()> {
        let Some((file, header)) = source.file() else { return Ok(()) };
        let text = self.0.get(&source).map(toml::to_string).transpose().map_err(std::io::Error::other)?;
        let text = format!("{header}{}", text.unwrap_or_default());
        files::write(&state_dir.join(file), text.as_bytes(), files::PRIVATE)
    }

    fn with_kept(self, source: Source, folder: &Path) -> Self {
        let Some((file, _)) = source.file() else { return self };
        let path = folder.join(file);
        let left_out = |what: &dyn fmt::Display| log::error!("{} is left out: {what}", path.display());
        let kept = match files::read(&path) {
            Ok(Some(text)) => text.parse::<Table>(),
            Ok(None) => return self,
            Err(error) => {
                left_out(&error);
                return self;
            }
        };
        match kept {
            Ok(kept) => self.saying(
                source,
                CHOICES.iter().filter_map(|choice| Some((choice.key, get(&kept, choice.key)?.clone()))),
            ),
            Err(error) => {
                left_out(&error);
                self
            }
        }
    }
}

/// An option may not be what was asked.
#[derive(Debug)]
pub struct WrongOption {
    /// Which.
    pub key: String,
    /// Why not.
    pub why: String,
}

impl fmt::Display for WrongOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.why)
    }
}

impl std::error::Error for WrongOption {}

fn option(key: &str) -> Result<&'static Choice, WrongOption> {
    let none = || WrongOption { key: key.to_owned(), why: "is no option that can be changed here".to_owned() };
    Choice::find(key).ok_or_else(none)
}

/// Lays a value over what is in a table: tables meet key by key, anything else is replaced.
fn merge(into: &mut Table, key: &str, value: &Value) {
    match (into.get_mut(key), value) {
        (Some(Value::Table(below)), Value::Table(above)) => {
            above.iter().for_each(|(key, value)| merge(below, key, value));
        }
        _ => drop(into.insert(key.to_owned(), value.clone())),
    }
}

fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((section, rest)) => get(table.get(section)?.as_table()?, rest),
        None => table.get(key),
    }
}

fn set(table: &mut Table, key: &str, value: Value) {
    let Some((section, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let below = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(below) = below {
        set(below, rest, value);
    }
}

fn take(table: &mut Table, key: &str) {
    match key.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(below)) = table.get_mut(section) {
                take(below, rest);
            }
        }
        None => drop(table.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Scratch;

    fn percent(config: &Layers) -> u32 {
        config.config().unwrap().settings().tax_rule.rate_ppm
    }

    #[test]
    fn b16_a_change_comes_before_the_file_and_can_be_taken_back() {
        let folder = Scratch::new();
        let file = folder.0.join("storebox.toml");
        let state = folder.0.display();
        fs::write(&file, format!("[store]\nstate_dir = '{state}'\ntax = {{ percent = 8, included = true }}\n"))
            .unwrap();
        let layers = Layers::read(&file).unwrap();
        let changed = layers.with(Source::Admin, "store.tax.percent", Value::Float(10.5)).unwrap();
        assert_eq!((percent(&layers), percent(&changed)), (80_000, 105_000));
        assert!(changed.config().unwrap().settings().tax_rule.included, "what is beside it stays");
        changed.keep(Source::Admin, &folder.0).unwrap();
        let again = Layers::read(&file).unwrap();
        assert_eq!(percent(&again), 105_000);
        assert_eq!(percent(&again.without(Source::Admin, "store.tax.percent").unwrap()), 80_000);
    }

    #[test]
    fn b16_what_may_not_be_is_refused_in_words() {
        let desk = Layers::desk("/s");
        let error = desk.with(Source::Admin, "retention.orders_days", Value::Integer(6)).unwrap_err().to_string();
        assert!(error.contains("7 to 36500"), "{error}");
        for key in ["store.state_dir", "lan.listen", "store", "store.tax", "", "."] {
            assert!(desk.with(Source::Admin, key, Value::Boolean(true)).is_err(), "{key}");
            assert!(desk.without(Source::Admin, key).is_err(), "{key}");
        }
    }

    /// Power is lost, releases go back: what is kept may be anything.
    #[test]
    fn b16_changes_that_are_not_understood_never_stop_the_box() {
        let folder = Scratch::new();
        for kept in ["half of [", "\u{0}", "[store]\nname = 5\n", "store = 5\n", "[offline]\nno_such = 1\n"] {
            fs::write(folder.0.join("changes.toml"), kept).unwrap();
            assert_eq!(Layers::desk(&folder.0).config().unwrap().settings().name.as_str(), "Store box", "{kept}");
        }
        fs::write(folder.0.join("changes.toml"), "[store]\nname = \"Corner\"\ncurrency = \"dollars\"\n").unwrap();
        assert_eq!(Layers::desk(&folder.0).config().unwrap().settings().name.as_str(), "Corner");
    }

    #[test]
    fn b8_b16_the_cloud_has_the_last_word_and_what_it_hides_comes_back_when_it_falls_silent() {
        let folder = Scratch::new();
        let name = |layers: &Layers| layers.config().unwrap().settings().name.as_str().to_owned();
        let text = |text: &str| Value::String(text.to_owned());
        let layers = Layers::desk(&folder.0)
            .saying(Source::Cloud, [("store.name", text("Of the cloud")), ("store.no_such", text("?"))])
            .with(Source::Installer, "store.name", text("Of the installer"))
            .and_then(|layers| layers.with(Source::Admin, "store.name", text("Of an admin")))
            .unwrap();
        assert_eq!((name(&layers).as_str(), layers.said("store.name").unwrap().0), ("Of the cloud", Source::Cloud));
        assert!(layers.with(Source::Admin, "store.timezone", text("nowhere")).is_err());
        for source in Source::KEPT {
            layers.keep(source, &folder.0).unwrap();
        }
        let again = Layers::desk(&folder.0);
        assert_eq!(name(&again), "Of the cloud");
        let silent = again.saying(Source::Cloud, []);
        assert_eq!(name(&silent), "Of an admin");
        assert_eq!(name(&silent.without(Source::Admin, "store.name").unwrap()), "Of the installer");
    }

    /// What is hidden may be wrong only because nobody looked.
    #[test]
    fn b16_what_a_later_source_hides_is_looked_at_all_the_same() {
        let layers = Layers::desk("/s").saying(Source::Cloud, [("store.name", Value::String("Corner".to_owned()))]);
        assert!(layers.with(Source::Admin, "store.name", Value::Integer(5)).is_err());
    }
}
