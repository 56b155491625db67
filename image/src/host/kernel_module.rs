//! The kernel module that passes the request for a trial boot on to a Raspberry Pi's firmware.
//!
//! It is built in the tool root from `image/kernel/tryboot`, against the locked headers of the very kernel it is for.
//! Its folders have the same names in every build, and it holds neither a time nor a key, so it is always the same.

use std::path::Path;

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};

/// The module, and the folder of its source below `image/kernel`.
const NAME: &str = "tryboot";
/// Where Debian's packages put headers, in the tool root.
const HEADERS: &str = "usr/src";

/// Builds the module for the kernel of a release and puts it into `work/root`, where it is loaded at every start. What
/// depmod(8) writes has to be made after it.
///
/// # Errors
/// If the tools were locked with headers of another kernel, or the module does not compile.
pub fn install(work: &Path, tools: &ToolRoot, source: &Source, release: &str) -> Result<(), Failure> {
    let headers = headers(&tools.path().join(HEADERS), release)?;
    files::make_empty(&work.join(NAME))?;
    let sandbox = tools.at(work).bind(&source.folder().join("image/kernel").join(NAME), "/module");
    let mut make = sandbox.command("make")?;
    make.args(["-C", "/module", &format!("KDIR=/{HEADERS}/{headers}"), &format!("MO=/build/{NAME}")]);
    run(make, "make")?;

    let root = work.join("root/usr/lib");
    // depmod.d(5): what is in this folder wins over a module of the kernel's own of that name.
    let module = root.join("modules").join(release).join("updates").join(format!("{NAME}.ko"));
    files::copy(&work.join(NAME).join(format!("{NAME}.ko")), &module)?;
    files::write(&root.join("modules-load.d").join(format!("{NAME}.conf")), format!("{NAME}\n"))
}

/// The folder of the headers of a release.
fn headers(folder: &Path, release: &str) -> Result<String, Failure> {
    let wanted = format!("linux-headers-{release}");
    let entries = std::fs::read_dir(folder).or_fail(|| format!("the tool root has no {}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    if names.contains(&wanted) {
        return Ok(wanted);
    }
    names.sort();
    Err(Failure::new(format!(
        "the kernel is {release}, but the tools have other headers ({}): lock the sets arm64 and tools together",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module for another kernel would not be loaded, and nobody would notice before the first update.
    #[test]
    fn headers_are_those_of_the_kernel() {
        let folder = std::env::temp_dir().join(format!("storebox-headers-{}", std::process::id()));
        files::make_folder(&folder.join("linux-headers-7.3.4-arm64")).unwrap();
        assert_eq!(headers(&folder, "7.3.4-arm64").unwrap(), "linux-headers-7.3.4-arm64");
        let error = headers(&folder, "7.3.5-arm64").unwrap_err().to_string();
        files::remove(&folder).unwrap();
        assert!(error.contains("7.3.5-arm64") && error.contains("linux-headers-7.3.4-arm64"), "{error}");
    }
}
