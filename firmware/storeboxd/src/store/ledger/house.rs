//! The house itself: devices, settings, connectivity, what was set aside.

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::command::{Outcome, Rejection};
use storebox_core::device::Device;
use storebox_core::event::{Event, EventData};
use storebox_core::id::OrderId;
use storebox_core::limits::{DEVICES as DEVICE_LIMIT, QUARANTINED_ROWS};
use storebox_core::record::{decode, encode};
use storebox_core::settings::{Connectivity, Settings};
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::tables::{META_CONNECTIVITY, META_SETTINGS, Quarantined};

impl Ledger<'_> {
    pub(super) fn pair_device(&mut self, device: &Device, at: Hlc) -> Decided {
        let known = self.devices.get(device.id.to_bytes())?.is_some();
        if !known && self.devices.len()? >= DEVICE_LIMIT as u64 {
            return Ok(Err(Rejection::TooMany { what: "paired devices", limit: DEVICE_LIMIT }));
        }
        self.devices.insert(device.id.to_bytes(), encode(device)?.as_slice())?;
        let data = EventData::DevicePaired { name: device.name.clone(), kind: device.kind };
        self.log(&Event { at, device: Some(device.id), data })?;
        let what = if known { "device.paired_again" } else { "device.paired" };
        self.audit_at(None, Some(device.id), what, device.name.as_str(), at)?;
        Ok(Ok(Outcome::Done))
    }

    pub(super) fn apply_settings(&mut self, settings: &Settings, at: Hlc) -> Decided {
        let stored = self.meta.get(META_SETTINGS)?.map(|bytes| decode::<Settings>(bytes.value())).transpose()?;
        if let Some(stored) = &stored {
            if stored.currency != settings.currency && !self.order_changes.is_empty()? {
                return Ok(Err(Rejection::CurrencyFixed { stored: stored.currency }));
            }
            if stored == settings {
                self.settings = settings.clone();
                return Ok(Ok(Outcome::Done));
            }
        }
        self.meta.insert(META_SETTINGS, encode(settings)?.as_slice())?;
        self.calendar = settings.calendar();
        self.settings = settings.clone();
        self.log(&Event { at, device: None, data: EventData::Settings(settings.clone()) })?;
        if stored.is_some() {
            self.audit(None, "settings.changed", settings.name.as_str(), at)?;
        }
        Ok(Ok(Outcome::Done))
    }

    pub(super) fn note_connectivity(&mut self, connectivity: Connectivity, at: Hlc) -> Decided {
        let stored = self.meta.get(META_CONNECTIVITY)?.and_then(|bytes| decode::<Connectivity>(bytes.value()).ok());
        if stored != Some(connectivity) {
            self.meta.insert(META_CONNECTIVITY, encode(&connectivity)?.as_slice())?;
            self.log(&Event { at, device: None, data: EventData::Connectivity(connectivity) })?;
        }
        Ok(Ok(Outcome::Done))
    }

    /// Takes an order that cannot be read out of the lists. Its bytes stay where they are, for whoever mends it.
    pub(super) fn set_aside(&mut self, id: OrderId, reason: &str, at: Hlc) -> Decided {
        if self.quarantine.get(id.to_bytes())?.is_none() && self.quarantine.len()? < QUARANTINED_ROWS {
            log::error!(order_id:% = id; "an order cannot be read and was set aside: {reason}");
            let row = Quarantined { at: at.wall, reason: reason.to_owned() };
            self.quarantine.insert(id.to_bytes(), encode(&row)?.as_slice())?;
            self.touch(at);
        }
        if self.open_orders.remove(id.to_bytes())?.is_some() {
            self.touch(at);
        }
        Ok(Ok(Outcome::Done))
    }
}
