//! `provision site make`

use std::path::PathBuf;

use lexopt::{Arg, ValueExt};
use storebox_provisioning::site::{FILE, Site};

use super::check;
use super::draft::{self, Draft};
use crate::failure::Failure;
use crate::output::{self, Output, Readers};
use crate::qr::Picture;
use crate::terminal;

/// What `provision site make --help` prints.
pub const HELP: &str = "\
Usage: provision site make [OPTION]...

Writes an installer's file. On a terminal, without options about the site, it asks for what to write.

Options:
  --cloud URL         where the cloud is: https:// and its name
  --pin PIN           the key it has, as the cloud shows it; more than once for more
  --token TOKEN       the claim's token, as the cloud shows it
  --intent INTENT     new (default), replace, reset
  --name NAME         what the store is called
  --timezone ZONE     its time zone, like Asia/Jakarta
  --address A/24      a fixed address with the length of its network's prefix; without it DHCP
  --gateway A, --dns A, --proxy HOST:PORT, --time-server HOST
                      what belongs to it; --dns and --time-server more than once for more
  -o, --output FILE   where it is written; default storebox.toml, - for standard output
  --qr FILE           also as a picture: FILE.svg, FILE.png, or - for the terminal
  --force             replace files that are there
  -h, --help          this text

The file holds the claim's token: whoever has it can put a box of his own in the store's place until
it was used. The same is true of the picture.
";

/// Runs the command.
///
/// # Errors
/// If something given is wrong, or a file is there already; then nothing was written.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut draft = Draft::default();
    let mut delivery = Delivery::default();
    while let Some(argument) = arguments.next()? {
        let option = match argument {
            Arg::Long(name) => name.to_owned(),
            Arg::Short('o') => "output".to_owned(),
            other => return Err(Failure::from(other.unexpected())),
        };
        if delivery.take(&mut arguments, &option)? || draft.take_store(&mut arguments, &option)? {
            continue;
        }
        match option.as_str() {
            "cloud" => draft.cloud = Some(arguments.value()?.string()?),
            "pin" => draft.pins.push(arguments.value()?.string()?),
            "token" => draft.token = Some(arguments.value()?.string()?),
            "intent" => draft.intent = Some(arguments.value()?.string()?),
            "name" => draft.name = Some(arguments.value()?.string()?),
            other => return Err(Failure::from(Arg::Long(other).unexpected())),
        }
    }
    delivery.must_be_possible()?;
    if draft == Draft::default() {
        if !terminal::has_somebody() {
            return Err(Failure::usage("what shall the file say? Nobody can be asked here, so give options"));
        }
        draft = ask()?;
    }
    let site = draft.site().map_err(|faults| draft::wrong(&faults))?;
    delivery.give(&site)
}

/// Where a site file goes.
#[derive(Debug)]
pub struct Delivery {
    output: Output,
    picture: Option<Picture>,
    may_replace: bool,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { output: Output::File(PathBuf::from(FILE)), picture: None, may_replace: false }
    }
}

impl Delivery {
    /// Takes an option; false if it is another's.
    ///
    /// # Errors
    /// If its value is missing or wrong.
    pub fn take(&mut self, arguments: &mut lexopt::Parser, option: &str) -> Result<bool, Failure> {
        match option {
            "output" => self.output = Output::from(arguments.value()?),
            "qr" => self.picture = Some(Picture::of(arguments.value()?)?),
            "force" => self.may_replace = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Refuses before anybody was asked for anything.
    ///
    /// # Errors
    /// If a file is there already.
    pub fn must_be_possible(&self) -> Result<(), Failure> {
        let file = match &self.output {
            Output::Standard => None,
            Output::File(path) => Some(path.as_path()),
        };
        let picture = self.picture.as_ref().and_then(Picture::path);
        [file, picture].into_iter().flatten().try_for_each(|path| output::must_be_free(path, self.may_replace))
    }

    /// Writes the file and its picture, and says what is in it.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn give(&self, site: &Site) -> Result<(), Failure> {
        let text = site.write();
        if Site::read(text.as_bytes()).as_ref() != Ok(site) {
            return Err(Failure::new("the file would not say what was asked for: report this with your options"));
        }
        output::give(&self.output, &text, Readers::Owner, self.may_replace)?;
        if let Some(picture) = &self.picture {
            picture.draw(&text, self.may_replace)?;
        }
        terminal::say(check::words(site).trim_end());
        for path in [self.file(), self.picture.as_ref().and_then(Picture::path)].into_iter().flatten() {
            terminal::say(&format!("Written: {}", path.display()));
        }
        Ok(())
    }

    fn file(&self) -> Option<&std::path::Path> {
        match &self.output {
            Output::Standard => None,
            Output::File(path) => Some(path),
        }
    }
}

/// Asks for everything, each until it is right.
fn ask() -> Result<Draft, Failure> {
    terminal::say("An empty answer leaves it out.\n");
    let mut draft = Draft::default();
    question(&mut draft, "The cloud's address (https://…): ", |draft, answer| draft.cloud = one(answer))?;
    if draft.cloud.is_some() {
        question(&mut draft, "Its pin (sha256/…): ", |draft, answer| draft.pins = many(answer))?;
    }
    question(&mut draft, "The claim's token: ", |draft, answer| draft.token = one(answer))?;
    if draft.token.is_some() {
        question(&mut draft, "Intent (new, replace, reset) [new]: ", |draft, answer| draft.intent = one(answer))?;
    }
    question(&mut draft, "What the store is called: ", |draft, answer| draft.name = one(answer))?;
    question(&mut draft, "Its time zone (like Asia/Jakarta): ", |draft, answer| draft.timezone = one(answer))?;
    question(&mut draft, "A fixed address (like 192.168.7.20/24) [DHCP]: ", |draft, answer| {
        draft.address = one(answer)
    })?;
    if draft.address.is_some() {
        question(&mut draft, "Its gateway: ", |draft, answer| draft.gateway = one(answer))?;
        question(&mut draft, "Its name servers: ", |draft, answer| draft.dns = many(answer))?;
    }
    question(&mut draft, "A proxy (host:port): ", |draft, answer| draft.proxy = one(answer))?;
    question(&mut draft, "Time servers: ", |draft, answer| draft.time_servers = many(answer))?;
    Ok(draft)
}

fn question(draft: &mut Draft, question: &str, put: impl Fn(&mut Draft, &str)) -> Result<(), Failure> {
    loop {
        let mut with = draft.clone();
        put(&mut with, &terminal::ask(question)?);
        match with.site() {
            Ok(_) => {
                *draft = with;
                return Ok(());
            }
            Err(faults) => terminal::say(&format!("  {}", faults.join("\n  "))),
        }
    }
}

fn one(answer: &str) -> Option<String> {
    (!answer.is_empty()).then(|| answer.to_owned())
}

fn many(answer: &str) -> Vec<String> {
    answer.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
