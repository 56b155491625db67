//! Who may do what: S0's table of permissions, and what a shop needs besides.

use serde::{Deserialize, Serialize};

use crate::id::EmployeeId;

/// What somebody is trusted with. The order of the variants is the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sells and serves. A terminal that nobody has signed in to is trusted with as much.
    Staff,
    /// Runs a shift.
    Manager,
    /// Owns the store.
    Admin,
}

/// Somebody who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Who.
    pub employee: EmployeeId,
    /// What they are trusted with.
    pub role: Role,
}

/// What not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See how the box is.
    ViewStatus,
    /// Have everything synced now.
    ForceSync,
    /// Decide a conflict.
    ResolveConflicts,
    /// Change the configuration.
    ConfigureSettings,
    /// Clear the cache.
    ClearCache,
    /// Restart the box's service.
    RestartServer,
    /// Take lines off that the kitchen does not know of, and void an order of such lines.
    VoidUnsent,
    /// The same when the kitchen knows.
    VoidSent,
    /// Give money back.
    Refund,
    /// Open the drawer without a sale.
    NoSale,
    /// Sell at another price than the catalogue's where policy forbids it.
    PriceOverride,
    /// Cut the box off from the cloud for a while.
    ForceOffline,
    /// See reports and close the day.
    Reports,
    /// Count and correct stock.
    CountStock,
    /// Mend clock events of others.
    MendShifts,
    /// Look after payments that were declined after the sale.
    SettlePayments,
    /// Rename and revoke devices.
    PairDevices,
    /// See and change who works here.
    ManagePeople,
    /// Load a catalogue by hand.
    LoadCatalogue,
    /// See the audit log.
    ViewAudit,
    /// Install an update.
    Update,
    /// Erase everything.
    FactoryReset,
}

impl Permission {
    /// The least role that has it.
    pub const fn least(self) -> Role {
        match self {
            Self::ViewStatus | Self::VoidUnsent => Role::Staff,
            Self::ForceSync
            | Self::ResolveConflicts
            | Self::VoidSent
            | Self::Refund
            | Self::NoSale
            | Self::PriceOverride
            | Self::ForceOffline
            | Self::Reports
            | Self::CountStock
            | Self::MendShifts
            | Self::SettlePayments => Role::Manager,
            Self::ConfigureSettings
            | Self::ClearCache
            | Self::RestartServer
            | Self::PairDevices
            | Self::ManagePeople
            | Self::LoadCatalogue
            | Self::ViewAudit
            | Self::Update
            | Self::FactoryReset => Role::Admin,
        }
    }

    /// What it allows, for messages: "a manager has to sign in to ...".
    pub const fn verb(self) -> &'static str {
        match self {
            Self::ViewStatus => "see how the box is",
            Self::ForceSync => "have everything synced",
            Self::ResolveConflicts => "decide a conflict",
            Self::ConfigureSettings => "change the configuration",
            Self::ClearCache => "clear the cache",
            Self::RestartServer => "restart the box",
            Self::VoidUnsent => "void what the kitchen does not know of",
            Self::VoidSent => "void what the kitchen knows of",
            Self::Refund => "give money back",
            Self::NoSale => "open the drawer without a sale",
            Self::PriceOverride => "sell at another price",
            Self::ForceOffline => "cut the box off from the cloud",
            Self::Reports => "see reports",
            Self::CountStock => "correct stock",
            Self::MendShifts => "mend clock events",
            Self::SettlePayments => "settle payments",
            Self::PairDevices => "look after devices",
            Self::ManagePeople => "look after employees",
            Self::LoadCatalogue => "load a catalogue",
            Self::ViewAudit => "see the audit log",
            Self::Update => "install an update",
            Self::FactoryReset => "erase the box",
        }
    }
}

impl Role {
    /// Whether it has a permission.
    pub fn may(self, permission: Permission) -> bool {
        self >= permission.least()
    }

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::*;

    /// S0's table of permissions, and below it what a shop needs besides: staff, manager, admin.
    const TABLE: [(Permission, [bool; 3]); 22] = [
        (ViewStatus, [true, true, true]),
        (ForceSync, [false, true, true]),
        (ResolveConflicts, [false, true, true]),
        (ConfigureSettings, [false, false, true]),
        (ClearCache, [false, false, true]),
        (RestartServer, [false, false, true]),
        (VoidUnsent, [true, true, true]),
        (VoidSent, [false, true, true]),
        (Refund, [false, true, true]),
        (NoSale, [false, true, true]),
        (PriceOverride, [false, true, true]),
        (ForceOffline, [false, true, true]),
        (Reports, [false, true, true]),
        (CountStock, [false, true, true]),
        (MendShifts, [false, true, true]),
        (SettlePayments, [false, true, true]),
        (PairDevices, [false, false, true]),
        (ManagePeople, [false, false, true]),
        (LoadCatalogue, [false, false, true]),
        (ViewAudit, [false, false, true]),
        (Update, [false, false, true]),
        (FactoryReset, [false, false, true]),
    ];

    #[test]
    fn l13_permissions_are_those_of_the_table_cell_by_cell() {
        for (permission, cells) in TABLE {
            for (role, allowed) in [Role::Staff, Role::Manager, Role::Admin].into_iter().zip(cells) {
                assert_eq!(role.may(permission), allowed, "{role:?} {permission:?}");
            }
        }
        let first = |permission| TABLE.iter().position(|(listed, _)| *listed == permission);
        assert!((0..).zip(TABLE).all(|(row, (permission, _))| first(permission) == Some(row)), "each permission once");
    }

    #[test]
    fn l13_whoever_is_trusted_more_may_more() {
        for (permission, _) in TABLE {
            assert!(!Role::Staff.may(permission) || Role::Manager.may(permission));
            assert!(!Role::Manager.may(permission) || Role::Admin.may(permission));
            assert!(Role::Admin.may(permission));
        }
    }
}
