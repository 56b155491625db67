//! Who is signed in. Sessions live in memory only: after a restart of the box people sign in again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use storebox_core::id::{DeviceId, EmployeeId};
use storebox_core::limits::{SESSION_IDLE_S, SESSION_S, SESSIONS};
use storebox_core::people::{Role, Staff};

use crate::lan::auth::Token;
use crate::lan::body::sha256;

/// The longest a session lives, and how long it may be idle.
const LIFE: Duration = Duration::from_secs(SESSION_S);
const IDLE: Duration = Duration::from_secs(SESSION_IDLE_S);

/// SHA-256 of a session's token.
pub type SessionKey = [u8; 32];

/// Everybody who is signed in.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<SessionKey, Open>>,
}

/// A session, as a request finds it.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Names it.
    pub key: SessionKey,
    /// Who is signed in, and what they are trusted with right now.
    pub staff: Staff,
}

#[derive(Clone, Copy)]
struct Open {
    device: DeviceId,
    staff: Staff,
    began: Duration,
    used: Duration,
}

impl Open {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.began) >= LIFE || now.saturating_sub(self.used) >= IDLE
    }
}

impl Sessions {
    /// Signs somebody in to a terminal. `now` is monotonic time.
    pub fn begin(&self, device: DeviceId, staff: Staff, now: Duration) -> Token {
        let token = Token::make();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= SESSIONS {
            open.retain(|_, session| !session.is_over(now));
            if open.len() >= SESSIONS
                && let Some(idlest) = open.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
            {
                open.remove(&idlest);
            }
        }
        open.insert(token.hash(), Open { device, staff, began: now, used: now });
        token
    }

    /// The session of this token, if it is this terminal's and has not ended. It counts as used.
    pub fn find(&self, token: &str, device: DeviceId, now: Duration) -> Option<Session> {
        let key = sha256(token.as_bytes());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&key)?.is_over(now) {
            open.remove(&key);
            return None;
        }
        let session = open.get_mut(&key).filter(|session| session.device == device)?;
        session.used = now;
        Some(Session { key, staff: session.staff })
    }

    /// Signs out.
    pub fn end(&self, key: &SessionKey) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Signs somebody out everywhere, except in the session named: that one goes on with this role.
    pub fn end_others(&self, employee: EmployeeId, kept: Option<(SessionKey, Role)>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|key, session| {
            session.staff.employee != employee || kept.is_some_and(|(kept_key, _)| kept_key == *key)
        });
        if let Some((key, role)) = kept
            && let Some(session) = open.get_mut(&key)
        {
            session.staff.role = role;
        }
    }

    /// Signs everybody out of a terminal.
    pub fn end_of_device(&self, device: DeviceId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, session| session.device != device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILL: DeviceId = DeviceId::from_bytes([1; 16]);
    const ANNA: EmployeeId = EmployeeId::from_bytes([2; 16]);

    fn staff(role: Role) -> Staff {
        Staff { employee: ANNA, role }
    }

    #[test]
    fn l10_a_session_is_bound_to_its_terminal_and_ends() {
        let sessions = Sessions::default();
        let start = Duration::from_secs(1_000);
        let token = sessions.begin(TILL, staff(Role::Manager), start);
        assert_eq!(sessions.find(token.as_str(), TILL, start).unwrap().staff, staff(Role::Manager));
        assert!(sessions.find(token.as_str(), DeviceId::from_bytes([9; 16]), start).is_none());
        assert!(sessions.find("another", TILL, start).is_none());
        assert!(sessions.find(token.as_str(), TILL, start + IDLE).is_none(), "left alone for too long");
        assert!(sessions.find(token.as_str(), TILL, start).is_none(), "what ended stays ended");

        let token = sessions.begin(TILL, staff(Role::Manager), start);
        let mut now = start;
        while now < start + LIFE {
            assert!(sessions.find(token.as_str(), TILL, now).is_some(), "{now:?}");
            now += IDLE / 2;
        }
        assert!(sessions.find(token.as_str(), TILL, now).is_none(), "nobody works that long");
    }

    #[test]
    fn l10_a_new_pin_ends_all_other_sessions() {
        let sessions = Sessions::default();
        let now = Duration::from_secs(1);
        let kept = sessions.begin(TILL, staff(Role::Staff), now);
        let other = sessions.begin(TILL, staff(Role::Staff), now);
        sessions.end_others(ANNA, Some((kept.hash(), Role::Admin)));
        assert_eq!(sessions.find(kept.as_str(), TILL, now).unwrap().staff.role, Role::Admin);
        assert!(sessions.find(other.as_str(), TILL, now).is_none());
        sessions.end_of_device(TILL);
        assert!(sessions.find(kept.as_str(), TILL, now).is_none());
    }

    #[test]
    fn sessions_are_bounded() {
        let sessions = Sessions::default();
        let first = sessions.begin(TILL, staff(Role::Staff), Duration::from_secs(1));
        for _ in 0..SESSIONS {
            sessions.begin(TILL, staff(Role::Staff), Duration::from_secs(2));
        }
        assert_eq!(sessions.open.lock().unwrap().len(), SESSIONS);
        assert!(sessions.find(first.as_str(), TILL, Duration::from_secs(3)).is_none(), "the idlest went");
    }
}
