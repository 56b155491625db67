//! The first owner: made at the first start, with a PIN that is random, shown once and has to be changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use storebox_core::command::{Command, Request};
use storebox_core::id::EmployeeId;
use storebox_core::people::{self, Employee, NewEmployee, Pin, Role};
use storebox_core::text::Name;

use super::pins;
use crate::entropy;
use crate::files;
use crate::store::{ReadError, Store, SubmitError};

/// What the first owner signs in with.
const LOGIN: &str = "owner";
/// Where the PIN is kept until it is changed, in the folder of the LAN's secrets.
const FILE: &str = "owner-pin";
const PIN_DIGITS: usize = 6;

/// The first owner's PIN, until it is changed.
pub struct FirstOwner {
    file: PathBuf,
    waiting: Mutex<Option<Waiting>>,
}

struct Waiting {
    owner: EmployeeId,
    pin: String,
}

impl FirstOwner {
    /// Makes the owner if nobody works here yet; else finds out whether the PIN was changed.
    ///
    /// # Errors
    /// [`OwnerError`]; the next start tries again.
    pub async fn make_or_find(store: &Store, lan_dir: &Path) -> Result<Self, OwnerError> {
        let file = lan_dir.join(FILE);
        let (anybody, owner) = store
            .read(|view| Ok((!view.latest_entries::<Employee>(None, 1)?.is_empty(), view.employee_by_login(LOGIN)?)))
            .await?;
        let waiting = match owner {
            Some(owner) if owner.must_change_pin => files::read(&file)
                .map_err(OwnerError::File)?
                .map(|pin| Waiting { owner: owner.id, pin: pin.trim().to_owned() }),
            Some(_) => None,
            None if anybody => None,
            None => make(store, &file).await?,
        };
        let this = Self { file, waiting: Mutex::new(waiting) };
        if this.pin().is_none() {
            this.remove_file();
        }
        Ok(this)
    }

    /// The PIN, for whoever stands before the box.
    pub fn pin(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_ref().map(|waiting| waiting.pin.clone())
    }

    /// Somebody's PIN was changed: if it was the owner's, it is not shown any more.
    pub fn changed(&self, employee: EmployeeId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.take_if(|waiting| waiting.owner == employee).is_some() {
            self.remove_file();
        }
    }

    fn remove_file(&self) {
        match fs::remove_file(&self.file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The PIN in it opens nothing any more.
            Err(error) => log::warn!("cannot remove {}: {error}", self.file.display()),
        }
    }
}

/// The file comes first: if power goes in between, the next start makes another PIN and another file.
async fn make(store: &Store, file: &Path) -> Result<Option<Waiting>, OwnerError> {
    let digits = random_digits();
    let pin = Pin::new(digits.clone()).map_err(|_| OwnerError::Hash)?;
    files::write(file, format!("{digits}\n").as_bytes(), files::PRIVATE).map_err(OwnerError::File)?;
    let hashed = tokio::task::spawn_blocking(move || pins::hash_now(&pin)).await;
    let pin_hash = hashed.ok().flatten().ok_or(OwnerError::Hash)?;
    let owner = EmployeeId::new(store.now(), entropy::for_id());
    let login = Name::cut(LOGIN);
    let new = NewEmployee {
        id: owner,
        name: Name::cut("Owner"),
        login,
        role: Role::Admin,
        pin_hash: Some(pin_hash),
        must_change_pin: true,
    };
    let command = Command::People(people::Command::MakeOwner(new));
    match store.submit(Request { actor: None, key: None, received: None, command }).await {
        Ok(answer) if answer.result.is_ok() => Ok(Some(Waiting { owner, pin: digits })),
        Ok(_) | Err(SubmitError::Full) => {
            log::warn!("the first owner cannot be made yet; the next start tries again");
            Ok(None)
        }
        Err(error) => Err(OwnerError::Submit(error)),
    }
}

/// Six digits, each equally likely, that nobody would try first.
fn random_digits() -> String {
    loop {
        let digits: String = (0..PIN_DIGITS).map(|_| random_digit()).collect();
        if Pin::new(digits.clone()).is_ok_and(|pin| pin.must_be_good().is_ok()) {
            return digits;
        }
    }
}

fn random_digit() -> char {
    loop {
        let [byte] = entropy::random::<1>();
        // 250 is the largest multiple of ten that fits: every digit is equally likely.
        if byte < 250 {
            return char::from(b'0' + byte % 10);
        }
    }
}

/// Why the first owner cannot be made.
#[derive(Debug)]
pub enum OwnerError {
    /// The file of the PIN cannot be used.
    File(io::Error),
    /// There was no memory to hash the PIN.
    Hash,
    /// The store gave no answer.
    Submit(SubmitError),
    /// The store cannot be read.
    Read(ReadError),
}

impl From<ReadError> for OwnerError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl std::fmt::Display for OwnerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(error) => write!(f, "the file {FILE}: {error}"),
            Self::Hash => f.write_str("there is no memory to hash the PIN"),
            Self::Submit(error) => write!(f, "the store gives no answer: {error:?}"),
            Self::Read(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OwnerError {}
