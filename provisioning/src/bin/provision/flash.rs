//! `provision flash`

mod disks;
pub mod image;
mod ioctl;
mod target;
mod write;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use lexopt::Arg;
use storebox_provisioning::site;

use self::disks::{Computer, Disk, Kind};
use self::image::Image;
use self::target::Target;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::{megabytes, size};
use crate::site::check;
use crate::{card, terminal};

/// What `provision flash --help` prints.
pub const HELP: &str = "\
Usage: provision flash IMAGE [DISK] [OPTION]...
       provision flash IMAGE --file FILE [OPTION]...
       provision flash --list

Writes an image (.img or .img.zst) to a card or disk, reads all of it back, and puts the installer's
file on it. EVERYTHING THAT WAS ON THE DISK IS LOST. Without DISK it shows which there are and asks.

Options:
  --site FILE   the installer's file for this box, see `provision site make`
  --yes         do not ask: for scripts, which name the disk
  --fixed       also take a disk that does not come out of this computer; never the one it runs from
  --file FILE   write into a file instead: a copy of the image, with the installer's file in it
  --force       replace FILE
  --list        show every disk, and why those that are not offered are not
  -h, --help    this text

Interrupted or failed on the way, it leaves a disk from which no box starts, and says so.
";

/// A card larger than this may be somebody's backup disk.
const LARGE: u64 = 300_000_000_000;

/// Runs the command.
///
/// # Errors
/// If nothing may be written, or not everything was.
pub fn run(arguments: lexopt::Parser) -> Result<(), Failure> {
    let wish = Wish::parse(arguments)?;
    if wish.is_list {
        return list(&Computer::here());
    }
    let image_path = wish.image.as_deref().ok_or_else(|| Failure::usage("which image?"))?;
    let site = wish.site.as_deref().map(check::read).transpose()?;
    let goal = Goal::of(&wish)?;
    let image = Image::examine(image_path)?;
    terminal::say(&format!("{}: {}, SHA-256 {}", image_path.display(), megabytes(image.bytes), image.sha256));
    let (target, room) = goal.open(&image, &wish)?;
    let interrupt = Interrupt::hold()?;
    write::write(&image, &target, room, &interrupt).map_err(|failure| {
        target.discard();
        let name = &target.name;
        let left = if target.is_disk() {
            format!("{name} IS NOT BOOTABLE NOW: no box starts from it until an image was written to it whole")
        } else {
            format!("{name} was removed")
        };
        Failure::new(format!("{failure:#}\n{left}"))
    })?;
    if let Some((site, bytes)) = &site {
        complete(&image, &target, bytes).map_err(|failure| {
            let hint = format!("the image is on {} whole, the installer's file is not: copy it yourself", target.name);
            Failure::new(hint).because(failure)
        })?;
        terminal::say(&format!("{} is on it:", site::FILE));
        terminal::say(check::words(site).trim_end());
    }
    if target.read_table().is_err() {
        // Nothing depends on it: the box reads the table by itself.
        terminal::say("This computer shows its partitions when it was taken out and put in again.");
    }
    terminal::say(&match (target.is_disk(), &site) {
        (true, Some(_)) => format!("Done. Take {} out, put it into the box, and switch on.", target.name),
        (true, None) => format!("Done. {} has no {} yet: copy one on it, or use --site.", target.name, site::FILE),
        (false, _) => format!("Done: {}", target.name),
    });
    Ok(())
}

/// What was asked for.
#[derive(Default)]
struct Wish {
    image: Option<PathBuf>,
    disk: Option<OsString>,
    file: Option<PathBuf>,
    site: Option<PathBuf>,
    is_sure: bool,
    allows_fixed: bool,
    may_replace: bool,
    is_list: bool,
}

impl Wish {
    fn parse(mut arguments: lexopt::Parser) -> Result<Self, Failure> {
        let mut wish = Self::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Value(word) if wish.image.is_none() => wish.image = Some(word.into()),
                Arg::Value(word) if wish.disk.is_none() => wish.disk = Some(word),
                Arg::Long("site") => wish.site = Some(arguments.value()?.into()),
                Arg::Long("file") => wish.file = Some(arguments.value()?.into()),
                Arg::Long("yes") => wish.is_sure = true,
                Arg::Long("fixed") => wish.allows_fixed = true,
                Arg::Long("force") => wish.may_replace = true,
                Arg::Long("list") => wish.is_list = true,
                other => return Err(Failure::from(other.unexpected())),
            }
        }
        if wish.disk.is_some() && wish.file.is_some() {
            return Err(Failure::usage("a disk, or a file? Both cannot be"));
        }
        Ok(wish)
    }
}

/// Where it goes, checked as far as that is possible without writing.
enum Goal {
    Disk(Disk),
    File(PathBuf),
}

impl Goal {
    fn of(wish: &Wish) -> Result<Self, Failure> {
        if let Some(file) = &wish.file {
            crate::output::must_be_free(file, wish.may_replace)?;
            return Ok(Self::File(file.clone()));
        }
        let computer = Computer::here();
        let name = match &wish.disk {
            Some(word) => disk_name(&computer, word)?,
            None if wish.is_sure => return Err(Failure::usage("which disk? With --yes it must be named")),
            None if !terminal::has_somebody() => {
                return Err(Failure::usage(
                    "which disk? Nobody can be asked here; `provision flash --list` shows them",
                ));
            }
            None => choose(&computer, wish.allows_fixed)?,
        };
        let disk = computer.find(&name).ok_or_else(|| Failure::usage(format!("there is no disk {name}")))?;
        match disk.objection(wish.allows_fixed) {
            Some(objection) => Err(Failure::new(format!("{name} is not written to: {objection}"))),
            None => Ok(Self::Disk(disk)),
        }
    }

    /// Asks whoever is there, and opens it.
    fn open(&self, image: &Image, wish: &Wish) -> Result<(Target, u64), Failure> {
        match self {
            Self::File(path) => Ok((Target::file(path, wish.may_replace)?, image.bytes)),
            Self::Disk(disk) => {
                let name = &disk.name;
                if disk.bytes < image.bytes {
                    let (has, needs) = (megabytes(disk.bytes), megabytes(image.bytes));
                    return Err(Failure::new(format!("{name} is too small: it has {has}, the image needs {needs}")));
                }
                if !wish.is_sure {
                    confirm(disk)?;
                }
                let target = Target::disk(&Path::new("/dev").join(name), name)?;
                // It may have been put to use while somebody was asked.
                match Computer::here().find(name) {
                    Some(now) if now == *disk => Ok((target, disk.bytes)),
                    Some(_) | None => Err(Failure::new(format!("{name} is another disk now than a moment ago"))),
                }
            }
        }
    }
}

/// The name of the disk that somebody names by name, path or link.
fn disk_name(computer: &Computer, word: &OsString) -> Result<String, Failure> {
    let shown = word.to_string_lossy();
    let path = if shown.contains('/') { PathBuf::from(word) } else { Path::new("/dev").join(word) };
    let found =
        fs::metadata(&path).map_err(|error| Failure::new(format!("there is no disk {shown}")).because(error))?;
    if found.is_file() {
        return Err(Failure::usage(format!("{shown} is a file: --file {shown} makes a copy of the image in it")));
    }
    if !found.file_type().is_block_device() {
        return Err(Failure::usage(format!("{shown} is no disk")));
    }
    let (major, minor) = (nix::sys::stat::major(found.rdev()), nix::sys::stat::minor(found.rdev()));
    let name = computer.device(major, minor);
    let name = name.ok_or_else(|| Failure::new(format!("the system knows no disk {shown}")))?;
    match computer.disk_of_partition(&name) {
        Some(disk) => {
            Err(Failure::new(format!("{name} is a partition of {disk}: an image takes the whole disk, {disk}")))
        }
        None => Ok(name),
    }
}

/// Shows the disks there are and asks for one.
fn choose(computer: &Computer, allows_fixed: bool) -> Result<String, Failure> {
    let disks = computer.disks();
    let offered: Vec<&Disk> = disks.iter().filter(|disk| disk.objection(allows_fixed).is_none()).collect();
    if offered.is_empty() {
        let why = "there is no card or disk to write to: put one in; `provision flash --list` shows what there is";
        return Err(Failure::new(why));
    }
    for disk in offered {
        terminal::say(&row(disk));
    }
    terminal::ask("Which one (its name, like sdb)? ")
}

/// Has somebody type the disk's name.
fn confirm(disk: &Disk) -> Result<(), Failure> {
    if !terminal::has_somebody() {
        return Err(Failure::usage("nobody can be asked here whether this disk may be erased; --yes says so"));
    }
    terminal::say(&format!("\n{}", row(disk)));
    if disk.bytes > LARGE {
        terminal::say("This is large for a card. Is it somebody's backup disk?");
    }
    let answer = terminal::ask(&format!("Everything on it will be lost. Type its name ({}) to go on: ", disk.name))?;
    if answer == disk.name { Ok(()) } else { Err(Failure::new("that is not its name; nothing was written")) }
}

fn row(disk: &Disk) -> String {
    let kind = match disk.kind {
        Kind::Usb => "USB",
        Kind::Card => "card",
        Kind::Removable => "removable",
        Kind::Fixed => "built in",
        Kind::Loop => "file",
        Kind::NoDisk => "-",
    };
    let (model, serial) = (word(&disk.model), word(&disk.serial));
    format!("  {:<10} {:>10}  {kind:<9}  {model:<26} {serial}", disk.name, size(disk.bytes)).trim_end().to_owned()
}

fn word(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn list(computer: &Computer) -> Result<(), Failure> {
    let disks = computer.disks();
    let (free, refused): (Vec<&Disk>, Vec<&Disk>) = disks.iter().partition(|disk| disk.objection(false).is_none());
    let mut text = String::from("Offered:\n");
    if free.is_empty() {
        text.push_str("  none: put a card or a USB disk in\n");
    }
    for disk in free {
        text.push_str(&format!("{}\n", row(disk)));
    }
    text.push_str("\nNot offered:\n");
    for disk in refused {
        let why = disk.objection(false).map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("{}\n             {why}\n", row(disk)));
    }
    terminal::print(&text)
}

/// Puts the installer's file on it, and sees whether it is there.
fn complete(image: &Image, target: &Target, bytes: &[u8]) -> Result<(), Failure> {
    card::put(target.as_file(), &image.site, site::FILE, bytes)?;
    // What the card gives back counts, not what the system remembers.
    drop(target.reader(image.bytes)?);
    let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    if card::get(target.as_file(), &image.site, site::FILE, most)?.as_deref() == Some(bytes) {
        return Ok(());
    }
    Err(Failure::new(format!("it gives back another {} than was written", site::FILE)))
}
