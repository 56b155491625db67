//! The tool root: every host tool a build uses, unpacked from locked packages, so that the host's own versions do not
//! matter. Made once per lock and shared by all builds of a user.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::cache;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::deb;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::obtain;
use crate::host::progress::{Progress, Unit};
use crate::host::sandbox::Sandbox;

/// The package set of the tool root.
pub const SET: &str = "tools";

/// Counts changes to what is made of the packages, so that a tool root of an older build is not taken for this one's.
const FORMAT: u32 = 3;

/// A tool root that is ready.
pub struct ToolRoot {
    path: PathBuf,
    /// Whether its packages were resolved anew instead of taken from the lock.
    pub relocked: bool,
}

impl ToolRoot {
    /// Makes the tool root, unless an earlier run made it from the same packages.
    ///
    /// # Errors
    /// If a package cannot be had or unpacked. An unfinished tool root is never used.
    pub fn ready(options: &FetchOptions, progress: &mut Progress) -> Result<Self, Failure> {
        let obtained = obtain(SET, options, progress)?;
        let folder = cache::folder()?.join("tool-roots");
        let path = folder.join(format!("{}-{FORMAT}", obtained.lock.digest()));
        if path.is_dir() {
            return Ok(Self { path, relocked: obtained.relocked });
        }
        files::make_folder(&folder)?;
        let lock_file = folder.join("lock");
        let lock = File::create(&lock_file).or_fail(|| format!("cannot make {}", lock_file.display()))?;
        lock.lock().or_fail(|| format!("cannot lock {}", lock_file.display()))?;
        if !path.is_dir() {
            let unfinished = path.with_extension("unfinished");
            files::make_empty(&unfinished)?;
            progress.begin("unpacking tools", Unit::Items, u64::try_from(obtained.files.len()).ok());
            for (_, file) in &obtained.files {
                deb::unpack(file, &unfinished, |path| !is_documentation(path))?;
                progress.add(1);
            }
            progress.end();
            complete(&unfinished)?;
            std::fs::rename(&unfinished, &path).or_fail(|| format!("cannot name the tool root {}", path.display()))?;
        }
        Ok(Self { path, relocked: obtained.relocked })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A sandbox in it, without network, with one folder of the host shown at `/build`.
    pub fn at(&self, work: &Path) -> Sandbox {
        Sandbox::new(&self.path).bind(work, "/build").in_folder("/build")
    }
}

/// Runs a command to its end and gives what it printed.
///
/// # Errors
/// If it cannot be started or fails; the message has what it said.
pub fn run(mut command: Command, what: &str) -> Result<String, Failure> {
    let done = command.stdin(Stdio::null()).output().or_fail(|| format!("cannot start {what}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&done.stderr);
    Err(Failure::new(format!("{what} failed ({}):\n{said}{complaint}", done.status)))
}

fn is_documentation(path: &str) -> bool {
    ["usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/"]
        .iter()
        .any(|folder| path.trim_start_matches("./").starts_with(folder))
}

/// What maintainer scripts would have done.
fn complete(root: &Path) -> Result<(), Failure> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        files::make_folder(&root.join("usr").join(name))?;
        files::link(&format!("usr/{name}"), &root.join(name))?;
    }
    for name in ["proc", "sys", "dev", "tmp", "run", "build", "var/tmp"] {
        files::make_folder(&root.join(name))?;
    }
    files::link("bash", &root.join("usr/bin/sh"))?;
    files::link("gcc", &root.join("usr/bin/cc"))?;
    files::link("gawk", &root.join("usr/bin/awk"))?;
    files::write(&root.join("etc/passwd"), "root:x:0:0:root:/tmp:/usr/bin/bash\n")?;
    files::write(&root.join("etc/group"), "root:x:0:\n")
}
