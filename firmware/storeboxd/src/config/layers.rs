//! What the file says, and over it what an admin changed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::options::{CHOICES, Choice};
use super::{Config, ConfigError};
use crate::files;

/// What an admin changed, in the state folder, in the same words as the configuration file.
const CHANGES: &str = "changes.toml";
const HEADER: &str = "# What an admin changed on this box. It comes before the configuration file.\n\n";

/// The configuration file, and what an admin changed.
#[derive(Clone, Debug)]
pub struct Layers {
    file: Table,
    changes: Table,
}

impl Layers {
    /// Reads the configuration file, and what an admin changed from its state folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and, for its contents, line and key. Nothing was written. A change that is not
    /// understood, as after going back to an older release, is only logged and left out: nobody may have to visit the
    /// store because of one.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let wrong = |error| ConfigError::Wrong { path: path.to_owned(), error: Box::new(error) };
        // Read as text for the sake of the line in the message.
        toml::from_str::<Config>(&text).map_err(wrong)?;
        let file: Table = text.parse().map_err(wrong)?;
        Ok(Self { file, changes: Table::new() }.with_kept_changes())
    }

    /// What a run without a file uses: everything in `state_dir`, reachable from this machine only.
    pub fn desk(state_dir: impl Into<PathBuf>) -> Self {
        let folder = state_dir.into().to_string_lossy().into_owned();
        let store = Table::from_iter([("state_dir".to_owned(), Value::String(folder))]);
        let file = Table::from_iter([("store".to_owned(), Value::Table(store))]);
        Self { file, changes: Table::new() }.with_kept_changes()
    }

    /// The configuration that follows.
    ///
    /// # Errors
    /// What is wrong. It never is: both layers were looked at when they were read or changed.
    pub fn config(&self) -> Result<Config, Box<toml::de::Error>> {
        let mut all = self.file.clone();
        for (section, changes) in &self.changes {
            merge(&mut all, section, changes);
        }
        all.try_into().map_err(Box::new)
    }

    /// The same with one option changed.
    ///
    /// # Errors
    /// [`WrongOption`] if there is no such option, or it may not be that.
    pub fn with(&self, key: &str, value: Value) -> Result<Self, WrongOption> {
        let choice = option(key)?;
        let mut changed = self.clone();
        set(&mut changed.changes, key, value);
        match changed.config() {
            Ok(_) => Ok(changed),
            Err(error) => {
                let why = format!("{} (it may be: {})", error.message(), choice.range);
                Err(WrongOption { key: key.to_owned(), why })
            }
        }
    }

    /// The same with an option as the file says, or as nobody said otherwise.
    ///
    /// # Errors
    /// [`WrongOption`] if there is no such option.
    pub fn without(&self, key: &str) -> Result<Self, WrongOption> {
        option(key)?;
        let mut changed = self.clone();
        take(&mut changed.changes, key);
        Ok(changed)
    }

    /// What the file says of an option.
    pub fn in_file(&self, key: &str) -> Option<&Value> {
        get(&self.file, key)
    }

    /// What an admin made of an option.
    pub fn changed(&self, key: &str) -> Option<&Value> {
        get(&self.changes, key)
    }

    /// Keeps what was changed in the state folder.
    ///
    /// # Errors
    /// What the system said; what was kept before is untouched then.
    pub fn keep(&self, state_dir: &Path) -> std::io::Result<()> {
        let text = toml::to_string(&self.changes).map_err(std::io::Error::other)?;
        files::write(&state_dir.join(CHANGES), format!("{HEADER}{text}").as_bytes(), files::PRIVATE)
    }

    fn with_kept_changes(self) -> Self {
        let Some(folder) = self.in_file("store.state_dir").and_then(Value::as_str) else { return self };
        let path = Path::new(folder).join(CHANGES);
        let kept = match files::read(&path) {
            Ok(Some(text)) => text,
            Ok(None) => return self,
            Err(error) => {
                log::error!("what an admin changed is left out: {} cannot be read: {error}", path.display());
                return self;
            }
        };
        let kept: Table = match kept.parse() {
            Ok(kept) => kept,
            Err(error) => {
                log::error!("what an admin changed is left out: {} is wrong: {error}", path.display());
                return self;
            }
        };
        let known = CHOICES.iter().filter_map(|choice| Some((choice.key, get(&kept, choice.key)?)));
        known.fold(self, |layers, (key, value)| match layers.with(key, value.clone()) {
            Ok(changed) => changed,
            Err(error) => {
                log::error!("what an admin changed is left out: {error}");
                layers
            }
        })
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
        let changed = layers.with("store.tax.percent", Value::Float(10.5)).unwrap();
        assert_eq!((percent(&layers), percent(&changed)), (80_000, 105_000));
        assert!(changed.config().unwrap().settings().tax_rule.included, "what is beside it stays");
        changed.keep(&folder.0).unwrap();
        let again = Layers::read(&file).unwrap();
        assert_eq!(percent(&again), 105_000);
        assert_eq!(percent(&again.without("store.tax.percent").unwrap()), 80_000);
    }

    #[test]
    fn b16_what_may_not_be_is_refused_in_words() {
        let desk = Layers::desk("/s");
        let error = desk.with("retention.orders_days", Value::Integer(6)).unwrap_err().to_string();
        assert!(error.contains("7 to 36500"), "{error}");
        for key in ["store.state_dir", "lan.listen", "store", "store.tax", "", "."] {
            assert!(desk.with(key, Value::Boolean(true)).is_err(), "{key}");
            assert!(desk.without(key).is_err(), "{key}");
        }
    }

    /// Power is lost, releases go back: what is kept may be anything.
    #[test]
    fn b16_changes_that_are_not_understood_never_stop_the_box() {
        let folder = Scratch::new();
        for kept in ["half of [", "\u{0}", "[store]\nname = 5\n", "store = 5\n", "[offline]\nno_such = 1\n"] {
            fs::write(folder.0.join(CHANGES), kept).unwrap();
            assert_eq!(Layers::desk(&folder.0).config().unwrap().settings().name.as_str(), "Store box", "{kept}");
        }
        fs::write(folder.0.join(CHANGES), "[store]\nname = \"Corner\"\ncurrency = \"dollars\"\n").unwrap();
        assert_eq!(Layers::desk(&folder.0).config().unwrap().settings().name.as_str(), "Corner");
    }
}
