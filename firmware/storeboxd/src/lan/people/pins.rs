//! PINs: hashing and checking them, slowly and one at a time, and who has to wait after wrong ones (L10).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{self, Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use storebox_core::id::DeviceId;
use storebox_core::limits::{
    DEVICES, LOCK_OUTS, PIN_HASH_LANES, PIN_HASH_MEMORY_KIB, PIN_HASH_PASSES, PIN_HASHES_AT_ONCE, PIN_TURN_S,
    WRONG_PIN_EVERY_S, WRONG_PINS_OF_DEVICE,
};
use storebox_core::people::{LockOut, Pin, PinHash};
use storebox_core::throttle::{Rate, Throttle, Wait};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::entropy;
use crate::lan::problem::Problem;

/// Wrong PINs a terminal may send, whoever they are for.
const RATE_OF_DEVICE: Rate = Rate::new(Duration::from_secs(WRONG_PIN_EVERY_S), WRONG_PINS_OF_DEVICE);

/// glibc's allocator may keep freed blocks up to this size for later, in every thread that used one; longer ones it
/// always gives back to the system at once (`DEFAULT_MMAP_THRESHOLD_MAX`, mallopt(3)).
const KEPT_BY_THE_ALLOCATOR_BYTES: usize = 32 * 1024 * 1024;

/// Hashes PINs, and counts wrong ones. The counts live in memory: a restart forgives them.
pub struct Pins {
    turns: Semaphore,
    people: Mutex<HashMap<String, LockOut>>,
    devices: Mutex<HashMap<DeviceId, Throttle>>,
}

/// The right to look at one PIN. While it is held nobody else's PIN is looked at, so that wrong ones are counted
/// before the next is tried.
pub struct Turn<'p>(#[expect(dead_code, reason = "it is held, not used")] SemaphorePermit<'p>);

impl Default for Pins {
    fn default() -> Self {
        Self { turns: Semaphore::new(PIN_HASHES_AT_ONCE), people: Mutex::default(), devices: Mutex::default() }
    }
}

impl Pins {
    /// Waits until a PIN may be looked at.
    ///
    /// # Errors
    /// 503 if too many people sign in at once.
    pub async fn turn(&self) -> Result<Turn<'_>, Problem> {
        let busy = || Problem::unavailable("too many people sign in at once; try again");
        let turn = tokio::time::timeout(Duration::from_secs(PIN_TURN_S), self.turns.acquire()).await;
        turn.map_err(|_elapsed| busy())?.map(Turn).map_err(|_closed| busy())
    }

    /// Whether a PIN may be tried for somebody at a terminal. `now` is monotonic time.
    ///
    /// # Errors
    /// [`Wait`] says how long to wait.
    pub fn may_try(&self, login: &str, device: DeviceId, now: Duration) -> Result<(), Wait> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.get(login).map_or(Ok(()), |lock_out| lock_out.may_try(now))?;
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let mut throttle = devices.get(&device).copied().unwrap_or_default();
        throttle.admit(now, RATE_OF_DEVICE)
    }

    /// Counts a wrong PIN. Gives the wait that follows for that person, if one does.
    pub fn wrong(&self, login: &str, device: DeviceId, now: Duration) -> Option<Wait> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if devices.len() >= DEVICES {
            devices.retain(|_, throttle| !throttle.is_idle(now));
        }
        let _counted = devices.entry(device).or_default().admit(now, RATE_OF_DEVICE);
        drop(devices);
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= LOCK_OUTS
            && !people.contains_key(login)
            && let Some(least) =
                people.iter().min_by_key(|(_, lock_out)| lock_out.until()).map(|(name, _)| name.clone())
        {
            people.remove(&least);
        }
        people.entry(login.to_owned()).or_default().wrong(now)
    }

    /// Forgives somebody who knew their PIN after all.
    pub fn right(&self, login: &str) {
        self.people.lock().unwrap_or_else(PoisonError::into_inner).remove(login);
    }
}

/// What is kept of a PIN. It takes a while, on a thread of its own.
///
/// # Errors
/// 503 if there is no memory for it.
pub async fn hash(pin: Pin) -> Result<PinHash, Problem> {
    blocking(move || hash_now(&pin)).await?.ok_or_else(no_memory)
}

/// Whether a PIN is the one that was kept. Without one it takes as long, and the answer is no.
///
/// # Errors
/// 503 if there is no memory for it.
pub async fn is_right(pin: Pin, kept: Option<PinHash>) -> Result<bool, Problem> {
    let verdict = blocking(move || match kept {
        Some(kept) => verify_now(&pin, &kept),
        None => hash_now(&pin).map(|_| false),
    });
    verdict.await?.ok_or_else(no_memory)
}

/// As [`hash`], on this thread.
pub fn hash_now(pin: &Pin) -> Option<PinHash> {
    let salt = SaltString::encode_b64(&entropy::random::<16>()).ok()?;
    let params = Params::new(PIN_HASH_MEMORY_KIB, PIN_HASH_PASSES, PIN_HASH_LANES, None).ok()?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).ok()?,
        salt: Some(salt.as_salt()),
        hash: Some(digest(pin, salt.as_salt(), &params, memory(&params)?).ok()?),
    };
    Some(PinHash::new(hash.to_string()))
}

/// `None` if there is no memory for it.
fn verify_now(pin: &Pin, kept: &PinHash) -> Option<bool> {
    let unusable = |error: password_hash::Error| {
        log::error!("the hash of a PIN cannot be used, the PIN has to be set anew: {error}");
        Some(false)
    };
    let parts = || {
        let kept = PasswordHash::new(kept.as_str())?;
        let (salt, hash) = kept.salt.zip(kept.hash).ok_or(password_hash::Error::PhcStringField)?;
        // The parameters are those of the hash, so that older ones still hold.
        Ok((Params::try_from(&kept)?, salt, hash))
    };
    let (params, salt, hash) = match parts() {
        Ok(parts) => parts,
        Err(error) => return unusable(error),
    };
    match digest(pin, salt, &params, memory(&params)?) {
        Ok(digest) => Some(digest == hash),
        Err(error) => unusable(error),
    }
}

/// Argon2id.
fn digest(pin: &Pin, salt: Salt<'_>, params: &Params, memory: Vec<Block>) -> Result<Output, password_hash::Error> {
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    Output::init_with(params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN), |output| {
        Ok(argon2.hash_password_into_with_memory(pin.as_str().as_bytes(), salt, output, memory)?)
    })
}

/// What a hash is made in, which goes back to the system at once: more is asked for than the allocator would keep, of
/// which only what the hash fills is ever touched.
fn memory(params: &Params) -> Option<Vec<Block>> {
    let filled = params.block_count();
    let mut memory = Vec::new();
    memory.try_reserve_exact(filled.max(KEPT_BY_THE_ALLOCATOR_BYTES / Block::SIZE + 1)).ok()?;
    memory.resize(filled, Block::new());
    Some(memory)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|panicked| {
        log::error!("hashing a PIN failed: {panicked}");
        no_memory()
    })
}

fn no_memory() -> Problem {
    Problem::unavailable("the box cannot check PINs right now; try again")
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier as _;

    use super::*;

    fn pin(digits: &str) -> Pin {
        Pin::new(digits.to_owned()).unwrap()
    }

    #[test]
    fn l10_a_pin_is_kept_as_a_slow_hash_with_its_own_salt() {
        let (one, other) = (hash_now(&pin("927463")).unwrap(), hash_now(&pin("927463")).unwrap());
        assert!(one.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.as_str());
        assert_ne!(one, other);
        let standard = Argon2::default().verify_password(b"927463", &PasswordHash::new(one.as_str()).unwrap());
        assert_eq!(standard, Ok(()), "any other program that knows Argon2 can check it");
        assert_eq!(verify_now(&pin("927463"), &one), Some(true));
        assert_eq!(verify_now(&pin("927464"), &one), Some(false));
        assert_eq!(verify_now(&pin("927463"), &PinHash::new("nonsense".to_owned())), Some(false));
    }

    #[test]
    fn l10_wrong_pins_are_counted_by_person_and_by_terminal() {
        let pins = Pins::default();
        let now = Duration::from_secs(10);
        let device = DeviceId::from_bytes([1; 16]);
        for _ in 0..5 {
            assert_eq!(pins.may_try("anna", device, now), Ok(()));
            pins.wrong("anna", device, now);
        }
        assert!(pins.may_try("anna", device, now).is_err());
        assert_eq!(pins.may_try("bert", device, now), Ok(()));
        pins.right("anna");
        assert_eq!(pins.may_try("anna", device, now), Ok(()));
        for number in 0..15 {
            pins.wrong(&format!("guess {number}"), device, now);
        }
        assert!(pins.may_try("bert", device, now).is_err(), "the terminal has to wait");
        assert_eq!(pins.may_try("bert", DeviceId::from_bytes([2; 16]), now), Ok(()));
    }
}
