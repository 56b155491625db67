//! Where the installer's file is, and `STATUS.TXT` beside it.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use storebox_core::limits::SITE_FILE_BYTES;
use storebox_helper::bounded::{List, Text};
use storebox_helper::client::{AskError, Client};
use storebox_helper::protocol::{Refusal, Reply, Request, SOCKET};
use storebox_provisioning::status;

use crate::files;

/// Where the installer's file is. Every function here blocks.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of this machine.
    File(PathBuf),
    /// A partition of the box's own disk, which only the helper mounts.
    Card(Client),
}

impl Place {
    /// The file that was named, else the box's own partition if this is an image.
    pub fn find(file: Option<PathBuf>) -> Option<Self> {
        match file {
            Some(file) => Some(Self::File(file)),
            None => Path::new(SOCKET).exists().then(|| Self::Card(Client::default())),
        }
    }

    /// Whether somebody may change the file while the box runs.
    pub const fn may_change(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The file's bytes; none if there is no file.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn read(&self) -> Result<Option<Vec<u8>>, PlaceError> {
        match self {
            Self::File(file) => {
                let file = match fs::File::open(file) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
                let mut bytes = Vec::new();
                // One byte more, so that a file that is too long is seen to be.
                file.take(SITE_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Self::Card(helper) => match helper.ask(&Request::ReadSiteFile)? {
                Reply::SiteFile(bytes) => Ok(bytes.map(|bytes| bytes.as_slice().to_vec())),
                Reply::Done | Reply::Mounted { .. } | Reply::Health(_) => Err(PlaceError::Other),
            },
        }
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// [`PlaceError`]; the old one is there still.
    pub fn replace(&self, text: &str) -> Result<(), PlaceError> {
        match self {
            Self::File(file) => Ok(files::write(file, text.as_bytes(), files::PRIVATE)?),
            Self::Card(helper) => {
                let contents = List::new(text.as_bytes().to_vec()).map_err(|_| PlaceError::Other)?;
                helper.ask(&Request::WriteSiteFile { contents })?;
                Ok(())
            }
        }
    }

    /// Says beside the file how the box is.
    ///
    /// # Errors
    /// [`PlaceError`]; the old text is there still.
    pub fn write_status(&self, text: &str) -> Result<(), PlaceError> {
        match self {
            Self::File(file) => Ok(files::write(&file.with_file_name(status::FILE), text.as_bytes(), files::PUBLIC)?),
            Self::Card(helper) => {
                helper.ask(&Request::WriteSiteStatus { text: Text::cut(text) })?;
                Ok(())
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Card(_) => f.write_str("storebox.toml on the partition STOREBOX"),
        }
    }
}

/// The file cannot be read or written.
#[derive(Debug)]
pub enum PlaceError {
    /// The system says why.
    Io(io::Error),
    /// The helper says why.
    Helper(AskError),
    /// The helper answers something else, or the text is too long for it.
    Other,
}

impl PlaceError {
    /// The disk has no partition for an installer: it is no fault.
    pub const fn is_no_place(&self) -> bool {
        matches!(self, Self::Helper(AskError::Refused(Refusal::NoSitePartition)))
    }
}

impl From<io::Error> for PlaceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<AskError> for PlaceError {
    fn from(error: AskError) -> Self {
        Self::Helper(error)
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Helper(error) => error.fmt(f),
            Self::Other => f.write_str("the helper's answer is not understood"),
        }
    }
}

impl std::error::Error for PlaceError {}
