//! Where what is fetched and unpacked is kept between runs.

use std::path::PathBuf;

use crate::host::failure::Failure;

/// The folder, which may not exist yet: `STOREBOX_IMAGE_CACHE`, else `storebox-image` in the user's cache.
///
/// # Errors
/// If the environment names no home.
pub fn folder() -> Result<PathBuf, Failure> {
    let of = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("STOREBOX_IMAGE_CACHE")
        .or_else(|| of("XDG_CACHE_HOME").map(|cache| cache.join("storebox-image")))
        .or_else(|| of("HOME").map(|home| home.join(".cache/storebox-image")))
        .ok_or_else(|| Failure::new("no folder to keep packages in: set STOREBOX_IMAGE_CACHE"))
}
