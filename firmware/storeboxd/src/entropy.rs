//! Random bytes, from the kernel's generator.

use ring::rand::{SecureRandom, SystemRandom};
use storebox_core::id::Randomness;

/// Fills an array with random bytes.
///
/// # Panics
/// If the kernel has no random numbers to give. Linux blocks until it has (getrandom(2)), and without them no
/// token, key or identifier is safe to make.
#[expect(clippy::expect_used, reason = "see above: there is nothing sensible to do instead")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives random numbers");
    bytes
}

/// The random part of an identifier.
pub fn for_id() -> Randomness {
    random()
}
