//! `/api/auth/…`, `/api/employees`, `/api/customers`: who works and buys here (L10, L13).
//!
//! | file | what it holds |
//! |---|---|
//! | `sign_in.rs`, `sessions.rs` | signing in and out, and who is signed in |
//! | `pins.rs` | hashing PINs, and who has to wait |
//! | `owner.rs` | the first owner's PIN |
//! | `employees.rs`, `customers.rs` | who works and who buys here |

mod customers;
mod employees;
mod owner;
mod pins;
mod sessions;
mod sign_in;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

pub use customers::CustomerBody;
pub use employees::{EmployeeBody, RoleWord};
pub use owner::{FirstOwner, OwnerError};
pub use pins::Pins;
pub use sessions::{Session, SessionKey, Sessions};

use super::Api;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    sign_in::routes().merge(employees::routes()).merge(customers::routes())
}
