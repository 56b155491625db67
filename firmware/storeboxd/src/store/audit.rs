//! Reading the audit log.

use ring::digest;
use storebox_core::audit::{AuditEntry, Broken, Hash, Head, Walk, hashed};
use storebox_core::record::decode;

use super::error::StoreError;
use super::tables::{AUDIT, META_AUDIT};
use super::view::View;

/// SHA-256, for the chain.
pub(super) fn sha256(bytes: &[u8]) -> Hash {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

/// An entry of the audit log that was read.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Its number.
    pub number: u64,
    /// Its own hash.
    pub hash: Hash,
    /// What it says; none if its bytes cannot be read any more.
    pub entry: Option<AuditEntry>,
}

/// How far the chain was walked.
#[derive(Clone, Copy, Debug)]
pub enum Walked {
    /// To its end, and it holds.
    ToTheEnd(Walk),
    /// So far, and it holds.
    SoFar(Walk),
    /// It does not hold.
    Broken(Broken),
}

impl View {
    /// Entries of the audit log after `since`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn audit(&self, since: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let table = self.transaction.open_table(AUDIT)?;
        let rows = table.range(since.saturating_add(1)..)?.take(limit);
        rows.map(|row| {
            let (number, stored) = row?;
            let (number, stored) = (number.value(), stored.value());
            Ok(AuditRow { number, hash: sha256(&hashed(number, stored)), entry: decode(stored).ok() })
        })
        .collect()
    }

    /// Walks on along the chain, over at most `limit` entries.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn walk_audit(&self, mut walk: Walk, limit: usize) -> Result<Walked, StoreError> {
        let table = self.transaction.open_table(AUDIT)?;
        let mut rows = table.range(walk.last.number.saturating_add(1)..)?;
        for _ in 0..limit {
            let Some(row) = rows.next() else {
                let head = self.audit_head()?;
                return Ok(walk.end(head).map_or_else(Walked::Broken, |()| Walked::ToTheEnd(walk)));
            };
            let (number, stored) = row?;
            if let Err(broken) = walk.step(number.value(), stored.value(), sha256) {
                return Ok(Walked::Broken(broken));
            }
        }
        Ok(Walked::SoFar(walk))
    }

    /// The end of the chain; the beginning if it cannot be read, which no chain with entries matches.
    fn audit_head(&self) -> Result<Head, StoreError> {
        let meta = self.transaction.open_table(super::tables::META)?;
        let stored = meta.get(META_AUDIT)?;
        Ok(stored.and_then(|bytes| decode(bytes.value()).ok()).unwrap_or(Head::EMPTY))
    }
}
