//! Reading payments that wait for the cloud, and accounts.

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::entry::Versioned;
use storebox_core::id::CardPaymentId;
use storebox_core::limits::ROWS_PER_ANSWER;
use storebox_core::money::Money;
use storebox_core::payment::{Account, AccountKey, CardPayment, Forced};
use storebox_core::record::decode;

use super::error::StoreError;
use super::tables::{ACCOUNTS, ENTRIES, META, META_FORCED, META_QUEUED, OPEN_PAYMENTS};
use super::view::View;

impl View {
    /// Card payments that somebody still has something to do about, oldest first, as far as they are `wanted`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn open_payments(
        &self,
        limit: usize,
        wanted: impl Fn(&CardPayment) -> bool,
    ) -> Result<Vec<CardPayment>, StoreError> {
        let mut payments = Vec::new();
        for row in self.transaction.open_table(OPEN_PAYMENTS)?.iter()?.take(ROWS_PER_ANSWER) {
            let id = CardPaymentId::from_bytes(row?.0.value());
            payments.extend(self.latest_entry::<CardPayment>(id.to_bytes())?.filter(&wanted));
            if payments.len() >= limit {
                break;
            }
        }
        Ok(payments)
    }

    /// The card payments there were, newest first, as far as they are `wanted`; no more of them are looked at than an
    /// answer may cost.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn payments(
        &self,
        limit: usize,
        wanted: impl Fn(&CardPayment) -> bool,
    ) -> Result<Vec<CardPayment>, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let entity = CardPayment::ENTITY as u8;
        let (mut payments, mut last) = (Vec::new(), None);
        for row in table.range((entity, [0; 16], 0)..=(entity, [0xff; 16], u32::MAX))?.rev().take(ROWS_PER_ANSWER) {
            let (key, bytes) = row?;
            let (_, id, _) = key.value();
            // The first version met of each is its newest.
            if last.replace(id) == Some(id) {
                continue;
            }
            match decode::<CardPayment>(bytes.value()) {
                Ok(payment) if wanted(&payment) => payments.push(payment),
                Ok(_) => {}
                Err(error) => log::error!("a card payment cannot be read: {error}"),
            }
            if payments.len() >= limit {
                break;
            }
        }
        Ok(payments)
    }

    /// What waits for the cloud, in all.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn queued_total(&self) -> Result<Money, StoreError> {
        let table = self.transaction.open_table(META)?;
        let bytes = table.get(META_QUEUED)?.and_then(|bytes| bytes.value().try_into().ok());
        Ok(Money::from_minor(bytes.map_or(0, i64::from_le_bytes)))
    }

    /// How many card payments somebody still has something to do about.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn open_payment_count(&self) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(OPEN_PAYMENTS)?.len()?)
    }

    /// Whether the box is kept from the cloud by hand, and until when; it may be over.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn forced_offline(&self) -> Result<Option<Forced>, StoreError> {
        let table = self.transaction.open_table(META)?;
        let bytes = table.get(META_FORCED)?;
        Ok(bytes.and_then(|bytes| decode(bytes.value()).ok()))
    }

    /// An account, if the box knows it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn account(&self, key: &AccountKey) -> Result<Option<Account>, StoreError> {
        let table = self.transaction.open_table(ACCOUNTS)?;
        let bytes = table.get((key.kind as u8, key.number.as_str()))?;
        Ok(bytes.map(|bytes| decode(bytes.value())).transpose()?)
    }
}
