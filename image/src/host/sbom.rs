//! Stub.
use storebox_hardware::boards::Board;
use crate::host::{failure::Failure, packages::Obtained, source::Source};
pub fn document(_: &Board, _: &Obtained, _: &Source) -> Result<String, Failure> { Ok("{}\n".to_owned()) }
