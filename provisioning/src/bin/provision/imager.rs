//! `provision imager`

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lexopt::{Arg, ValueExt};
use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::clock;
use crate::failure::{Failure, OrFail};
use crate::flash::image::{CHUNK, Image, fill, hex, length};
use crate::output::{self, Output, Readers};
use crate::terminal;

/// What `provision imager --help` prints.
pub const HELP: &str = "\
Usage: provision imager --url BASE IMAGE... [OPTION]...

Writes the list that Raspberry Pi Imager offers images from, for images of Raspberry Pis (named
storebox-rpi4.img.zst and so on) that are to be downloaded from BASE/. Give the list to Imager as
its content repository: `rpi-imager --repo URL-OF-THE-LIST`.

Options:
  --icon URL          a picture, 40 dots square; default BASE/storebox.png
  --date YYYY-MM-DD   day of the release; default today
  -o, --output FILE   where the list is written; default os-list.json, - for standard output
  --force             replace a list that is there
  -h, --help          this text
";

/// Boards that Imager knows, as it tags them, and as people call them.
const BOARDS: [(&str, &str, &str); 2] =
    [("rpi4", "pi4-64bit", "Raspberry Pi 4"), ("rpi5", "pi5-64bit", "Raspberry Pi 5")];

/// The list (`doc/json-schema/os-list-schema.json` of Raspberry Pi Imager).
#[derive(Debug, Serialize)]
struct List {
    os_list: Vec<Entry>,
}

/// An image in it. Without `init_format` Imager offers no settings of its own, which the box would not read.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    description: String,
    icon: String,
    url: String,
    extract_size: u64,
    extract_sha256: String,
    image_download_size: u64,
    image_download_sha256: String,
    release_date: String,
    devices: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// If an image is none, or of no Raspberry Pi; or the list cannot be written.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut base, mut icon, mut date, mut images) = (None, None, None, Vec::new());
    let (mut goal, mut may_replace) = (Output::File("os-list.json".into()), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(image) => images.push(PathBuf::from(image)),
            Arg::Long("url") => base = Some(address(arguments.value()?)?),
            Arg::Long("icon") => icon = Some(address(arguments.value()?)?),
            Arg::Long("date") => date = Some(day(&arguments.value()?.string()?)?),
            Arg::Long("output") | Arg::Short('o') => goal = Output::from(arguments.value()?),
            Arg::Long("force") => may_replace = true,
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let base = base.ok_or_else(|| Failure::usage("where are the images downloaded from? --url says"))?;
    if images.is_empty() {
        return Err(Failure::usage("which images?"));
    }
    if let Output::File(path) = &goal {
        output::must_be_free(path, may_replace)?;
    }
    let list = Source {
        icon: icon.unwrap_or_else(|| format!("{base}/storebox.png")),
        date: date.map_or_else(today, Ok)?,
        base,
    };
    let os_list = images.iter().map(|image| list.entry(image)).collect::<Result<_, _>>()?;
    let text = serde_json::to_string_pretty(&List { os_list }).or_fail(|| "cannot write the list".to_owned())?;
    output::give(&goal, &format!("{text}\n"), Readers::All, may_replace)?;
    if let Output::File(path) = &goal {
        terminal::say(&format!("Written: {}", path.display()));
    }
    Ok(())
}

/// An address of the web, without a slash at its end.
fn address(word: OsString) -> Result<String, Failure> {
    let text = word.string()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && c != '"')) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(Failure::usage(format!("{text:?} is no address of the web, like https://downloads.example/storebox")))
    }
}

fn day(text: &str) -> Result<Date, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("--date takes a day, like 2026-11-22: {error}")))
}

fn today() -> Result<Date, Failure> {
    let now = Timestamp::from_second(clock::unix_s());
    let now = now.map_err(|error| Failure::new(format!("the clock is wrong, and --date says no day: {error}")))?;
    Ok(now.to_zoned(TimeZone::UTC).date())
}

/// What all entries share.
struct Source {
    base: String,
    icon: String,
    date: Date,
}

impl Source {
    fn entry(&self, path: &Path) -> Result<Entry, Failure> {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let board = file.strip_prefix("storebox-").and_then(|rest| rest.split('.').next()).unwrap_or_default();
        let known = BOARDS.iter().find(|(name, _, _)| *name == board);
        let (_, tag, people) = known.ok_or_else(|| {
            Failure::usage(format!(
                "{file} is not named after a Raspberry Pi, like storebox-rpi4.img.zst; `provision flash` writes others"
            ))
        })?;
        let image = Image::examine(path)?;
        let (image_download_size, image_download_sha256) = download(path)?;
        Ok(Entry {
            name: format!("Store box ({people})"),
            description: "Keeps a shop selling. Copy storebox.toml onto the partition STOREBOX afterwards.".to_owned(),
            icon: self.icon.clone(),
            url: format!("{}/{file}", self.base),
            extract_size: image.bytes,
            extract_sha256: image.sha256,
            image_download_size,
            image_download_sha256,
            release_date: self.date.to_string(),
            devices: vec![(*tag).to_owned()],
        })
    }
}

/// Bytes and SHA-256 of a file as it is.
fn download(path: &Path) -> Result<(u64, String), Failure> {
    let failed = || format!("cannot read {}", path.display());
    let mut file: Box<dyn Read> = Box::new(File::open(path).or_fail(failed)?);
    let (mut digest, mut bytes, mut chunk) = (Context::new(&SHA256), 0, vec![0; CHUNK]);
    loop {
        let read = fill(&mut *file, &mut chunk).or_fail(failed)?;
        let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { break };
        digest.update(piece);
        bytes += length(piece);
    }
    Ok((bytes, hex(digest.finish().as_ref())))
}
