//! The house itself: devices, settings, connectivity, what was set aside.

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::device::{Device, Presence};
use storebox_core::event::{Event, EventData};
use storebox_core::id::{DeviceId, OrderId};
use storebox_core::limits::{DEVICES as DEVICE_LIMIT, QUARANTINED_ROWS};
use storebox_core::people::Permission;
use storebox_core::record::{decode, encode};
use storebox_core::settings::{Connectivity, Settings};
use storebox_core::text::Name;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;
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

    pub(super) fn rename_device(&mut self, id: DeviceId, name: &Name, actor: Option<&Actor>, at: Hlc) -> Decided {
        let device = match self.device_for(id, actor)? {
            Ok(device) => device,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if device.name == *name {
            return Ok(Ok(Outcome::Done));
        }
        let device = Device { name: name.clone(), ..device };
        self.devices.insert(id.to_bytes(), encode(&device)?.as_slice())?;
        let data = EventData::DeviceRenamed { id, name: device.name };
        self.log(&Event { at, device: actor.map(|actor| actor.device), data })?;
        self.audit(actor, "device.renamed", &id.to_string(), at)?;
        Ok(Ok(Outcome::Done))
    }

    pub(super) fn revoke_device(&mut self, id: DeviceId, actor: Option<&Actor>, at: Hlc) -> Decided {
        let device = match self.device_for(id, actor)? {
            Ok(device) => device,
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.devices.remove(id.to_bytes())?;
        let data = EventData::DeviceRevoked { id, name: device.name };
        self.log(&Event { at, device: actor.map(|actor| actor.device), data })?;
        self.audit(actor, "device.revoked", &id.to_string(), at)?;
        Ok(Ok(Outcome::Done))
    }

    /// Tells the log which terminals fell silent or are back.
    pub(super) fn note_presence(&mut self, noted: &[(DeviceId, Presence)], at: Hlc) -> Decided {
        for (id, presence) in noted {
            // It may have been revoked meanwhile.
            if self.devices.get(id.to_bytes())?.is_none() {
                continue;
            }
            let at = self.counters.clock.tick(at.wall);
            let data = EventData::DevicePresence { id: *id, presence: *presence };
            self.log(&Event { at, device: Some(*id), data })?;
        }
        Ok(Ok(Outcome::Done))
    }

    /// A device, for somebody who may change it.
    fn device_for(&self, id: DeviceId, actor: Option<&Actor>) -> Result<Result<Device, Rejection>, StoreError> {
        if let Some(Err(rejection)) = actor.map(|actor| actor.must(Permission::PairDevices)) {
            return Ok(Err(rejection));
        }
        let device = self.devices.get(id.to_bytes())?.and_then(|bytes| decode(bytes.value()).ok());
        Ok(device.ok_or(Rejection::Unknown { what: "device" }))
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
