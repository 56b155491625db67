//! What the compiler and its lints cannot see about this tree, one rule to a test.
//!
//! The rules look at what git knows of, and at what it would add. Words a rule forbids are put together from
//! parts here, so that this test does not find itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a rule that cannot read the tree has failed, and says so by panicking"
)]

mod code;
mod crates;
mod text;
mod tree;

/// Fails with the rule's reason and every place that breaks it.
#[track_caller]
fn check(reason: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{reason}\n  {}\n", broken.join("\n  "));
}
