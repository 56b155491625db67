use crate::host::failure::Failure;
/// S
pub const HELP: &str = "";
/// S
pub fn run(_: lexopt::Parser) -> Result<(), Failure> { Ok(()) }
