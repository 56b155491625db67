//! People: who works here and what they may do, who buys here (L10, L13).
//!
//! | file | what it holds |
//! |---|---|
//! | `role.rs` | who may do what |
//! | `employee.rs` | who works here |
//! | `pin.rs`, `lock_out.rs` | what they sign in with, and how often they may try |
//! | `customer.rs` | who buys here |

mod customer;
mod employee;
mod lock_out;
mod pin;
mod role;

pub use customer::{Customer, CustomerPatch, Email, NewCustomer, NotAnAddress, Phone, Written, search_words};
pub use employee::{Employee, EmployeePatch, NewEmployee, login_key, may_create};
pub use lock_out::LockOut;
pub use pin::{NotAPin, Pin, PinHash};
pub use role::{Permission, Role, Staff};

use crate::id::{CustomerId, EmployeeId};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Enter the first owner, if nobody works here yet. Only the box itself asks.
    MakeOwner(NewEmployee),
    /// Enter somebody who works here.
    CreateEmployee(NewEmployee),
    /// Change somebody who works here.
    ChangeEmployee {
        /// Whom.
        id: EmployeeId,
        /// The version the terminal saw.
        expected: Option<u32>,
        /// What.
        patch: EmployeePatch,
    },
    /// Keep the PIN that somebody who is signed in chose for themselves.
    ChangeOwnPin {
        /// Who.
        employee: EmployeeId,
        /// The hash of the new PIN.
        hash: PinHash,
    },
    /// Enter somebody who buys here.
    CreateCustomer(NewCustomer),
    /// Change somebody who buys here.
    ChangeCustomer {
        /// Whom.
        id: CustomerId,
        /// The version the terminal saw.
        expected: Option<u32>,
        /// What.
        patch: CustomerPatch,
    },
}
