//! The partition an installer's laptop mounts: one file in, one file out. It is mounted for a moment only, where no
//! other process sees it: a FAT that is mounted all the time is damaged by a power cut.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use storebox_image::layout::SITE_LABEL;

use crate::bounded::List;
use crate::disk::Disk;
use crate::files::Root;
use crate::limits::SITE_FILE_BYTES_MAX;
use crate::machine::{Machine, Mount};
use crate::protocol::{Answer, Refusal, Reply};

/// What the installer puts there.
pub const SITE_FILE: &str = "storebox.toml";
/// What the box answers there.
pub const STATUS_FILE: &str = "STATUS.TXT";
/// The name of either while it is written; one that no later start mistakes for a whole file.
const NEW_FILE: &str = "STOREBOX.NEW";
/// The two tables of characters are named, because the kernel's default is a third one.
pub const FAT_OPTIONS: &str = "codepage=437,iocharset=iso8859-1,utf8,fmask=0177,dmask=0077";

/// Reads the installer's file.
///
/// # Errors
/// [`Refusal::NoSitePartition`], [`Refusal::SiteFileTooLong`], [`Refusal::Failed`].
pub fn read(root: &Root, machine: &impl Machine) -> Answer {
    match machine.visit(&partition(root, true)?, Visit::Read { bytes_max: SITE_FILE_BYTES_MAX })? {
        Seen::File(file) => Ok(Reply::SiteFile(Some(List::new(file).map_err(|_| Refusal::SiteFileTooLong)?))),
        Seen::Nothing => Ok(Reply::SiteFile(None)),
    }
}

/// Writes what the installer's laptop shows: [`STATUS_FILE`] or [`SITE_FILE`].
///
/// # Errors
/// [`Refusal::NoSitePartition`], [`Refusal::Failed`]; the old file is there still.
pub fn write(root: &Root, machine: &impl Machine, file: &'static str, contents: &[u8]) -> Answer {
    machine.visit(&partition(root, false)?, Visit::Write { file, contents: contents.to_owned() })?;
    Ok(Reply::Done)
}

fn partition(root: &Root, read_only: bool) -> Result<Mount, Refusal> {
    let disk = Disk::booted(root).map_err(Refusal::failed)?;
    let partition = disk.labelled(SITE_LABEL).ok_or(Refusal::NoSitePartition)?;
    let device = root.at("/dev").join(&partition.device);
    Ok(Mount { device, kind: "vfat", options: FAT_OPTIONS, read_only })
}

/// What is done on the site partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Read [`SITE_FILE`].
    Read {
        /// A longer one is refused.
        bytes_max: usize,
    },
    /// Replace a file.
    Write {
        /// Which.
        file: &'static str,
        /// By this.
        contents: Vec<u8>,
    },
}

/// What came of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The file read.
    File(Vec<u8>),
    /// There is no such file, or nothing was to be read.
    Nothing,
}

/// Carries out a visit where the partition is mounted.
///
/// # Errors
/// [`VisitError`].
pub fn visit(folder: &Path, visit: &Visit) -> Result<Seen, VisitError> {
    match visit {
        Visit::Read { bytes_max } => read_file(&folder.join(SITE_FILE), *bytes_max),
        Visit::Write { file, contents } => {
            let new = folder.join(NEW_FILE);
            let mut written = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
            written.write_all(contents)?;
            written.sync_all()?;
            fs::rename(&new, folder.join(file))?;
            File::open(folder)?.sync_all()?;
            Ok(Seen::Nothing)
        }
    }
}

fn read_file(path: &Path, bytes_max: usize) -> Result<Seen, VisitError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen::Nothing),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() <= bytes_max { Ok(Seen::File(bytes)) } else { Err(VisitError::TooLong) }
}

/// A visit that failed.
#[derive(Debug)]
pub enum VisitError {
    /// The file is longer than was allowed.
    TooLong,
    /// Mounting, reading or writing failed.
    Failed(io::Error),
}

impl From<io::Error> for VisitError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<VisitError> for Refusal {
    fn from(error: VisitError) -> Self {
        match error {
            VisitError::TooLong => Self::SiteFileTooLong,
            VisitError::Failed(_) => Self::failed(error),
        }
    }
}

impl fmt::Display for VisitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the site file is too long"),
            Self::Failed(error) => write!(f, "the site partition cannot be used: {error}"),
        }
    }
}

impl std::error::Error for VisitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::tests::machine;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;

    fn box_with_site(test: &str) -> (Scratch, Fake) {
        let scratch = Scratch::new(test);
        machine(&scratch, &["STOREBOX", "storebox-root-a"]);
        scratch.write("/site/other", "");
        let fake = Fake { site: Some(scratch.root().at("/site")), ..Fake::new() };
        (scratch, fake)
    }

    #[test]
    fn the_site_file_is_read_as_it_is() {
        let (scratch, fake) = box_with_site("site-read");
        assert_eq!(read(&scratch.root(), &fake), Ok(Reply::SiteFile(None)));
        scratch.write("/site/storebox.toml", b"\xff not text");
        let expected = List::new(b"\xff not text".to_vec()).unwrap();
        assert_eq!(read(&scratch.root(), &fake), Ok(Reply::SiteFile(Some(expected))));
        let device = scratch.root().at("/dev/vda1");
        assert_eq!(fake.done(), [format!("visit {} ro", device.display()), format!("visit {} ro", device.display())]);
    }

    #[test]
    fn a_site_file_has_a_bound() {
        let (scratch, fake) = box_with_site("site-long");
        scratch.write("/site/storebox.toml", vec![b'#'; SITE_FILE_BYTES_MAX]);
        assert!(matches!(read(&scratch.root(), &fake), Ok(Reply::SiteFile(Some(_)))));
        scratch.write("/site/storebox.toml", vec![b'#'; SITE_FILE_BYTES_MAX + 1]);
        assert_eq!(read(&scratch.root(), &fake), Err(Refusal::SiteFileTooLong));
    }

    #[test]
    fn either_file_is_replaced_whole() {
        let (scratch, fake) = box_with_site("site-status");
        for file in [STATUS_FILE, SITE_FILE] {
            for text in ["a long first text\n", "all is well\n"] {
                assert_eq!(write(&scratch.root(), &fake, file, text.as_bytes()), Ok(Reply::Done));
                assert_eq!(scratch.read(&format!("/site/{file}")), text);
            }
        }
        assert!(!scratch.has("/site/STOREBOX.NEW"));
        assert!(fake.done()[0].ends_with("vda1 rw"));
    }

    #[test]
    fn a_disk_without_the_partition_is_refused_plainly() {
        let scratch = Scratch::new("site-none");
        machine(&scratch, &["other", "storebox-root-a"]);
        assert_eq!(read(&scratch.root(), &Fake::new()), Err(Refusal::NoSitePartition));
    }
}
