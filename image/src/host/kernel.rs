//! The kernel and the modules the board needs, uncompressed: the file system compresses them better, all together.

use std::io::Read;
use std::path::{Path, PathBuf};

use liblzma::read::XzDecoder;
use storebox_hardware::boards::{Board, Boot};

use crate::host::cpio::Archive;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::kernel_module;
use crate::host::modules::Closure;
use crate::host::progress::Progress;
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};

/// A kernel that was unpacked, and where its modules are.
pub struct Kernel {
    /// As `uname -r` says it.
    pub release: String,
    /// The kernel itself.
    pub image: PathBuf,
    /// `lib/modules/RELEASE` of its package.
    modules: PathBuf,
    closures: Closures,
}

struct Closures {
    watchdog: Vec<PathBuf>,
    storage: Vec<PathBuf>,
}

/// Puts the modules the board names, and what they need, into the root.
///
/// # Errors
/// If a package brought no kernel, or the kernel has no module of a name.
pub fn install(
    work: &Path,
    root: &Path,
    parts: &Path,
    board: &Board,
    tools: &ToolRoot,
    source: &Source,
    progress: &mut Progress,
) -> Result<Kernel, Failure> {
    let all = parts.join("usr/lib/modules");
    let release = only_name(&all)?;
    let modules = all.join(&release);
    files::link("usr/lib", &parts.join("lib"))?;
    let depmod = |root: &str| -> Result<(), Failure> {
        let mut command = tools.at(work).command("depmod")?;
        command.args(["--basedir", root, &release]);
        run(command, "depmod").map(|_| ())
    };
    depmod("/build/parts")?;
    let texts = ["modules.dep", "modules.builtin", "modules.softdep", "modules.alias"]
        .map(|name| files::read_text(&modules.join(name)));
    let [dep, builtin, softdep, alias] = texts;
    let (dep, builtin, softdep, alias) = (dep?, builtin?, softdep?, alias?);
    let closure = |wanted: &[String]| -> Result<Vec<PathBuf>, Failure> {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        Closure::compute(&dep, &builtin, &softdep, &alias, &wanted)
            .or_fail(|| format!("the drivers of {} do not fit the kernel", board.name))
    };
    let (watchdog, storage) = (board.watchdog_drivers(), board.initramfs_drivers());
    let closures = Closures { watchdog: closure(&watchdog)?, storage: closure(&storage)? };
    let everything = [watchdog, storage, board.root_drivers()].concat();
    let chosen = closure(&everything)?;
    progress.note(&format!("kernel {release}: {} modules", chosen.len()));

    let inside = root.join("usr/lib/modules").join(&release);
    for path in &chosen {
        let plain = path.with_extension("").with_extension("ko");
        files::write(&inside.join(plain), module(&modules.join(path))?)?;
    }
    for list in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        files::copy(&modules.join(list), &inside.join(list))?;
    }
    if board.boot == Boot::RaspberryPi {
        kernel_module::install(work, tools, source, &release)?;
    }
    depmod("/build/root")?;
    // depmod writes its tables for people, too.
    for text in ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin.modinfo"] {
        files::remove(&inside.join(text))?;
    }
    let image = files::walk(parts)?
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")))
        .ok_or_else(|| Failure::new("no package brought a kernel"))?;
    Ok(Kernel { release, image: parts.join(image), modules, closures })
}

impl Kernel {
    /// The first root: `init`, the drivers it loads, and the order to load them in.
    ///
    /// # Errors
    /// If a module cannot be read.
    pub fn initramfs(&self, init: &Path) -> Result<Vec<u8>, Failure> {
        let mut archive = Archive::default();
        for folder in ["dev", "proc", "sys", "root", "run", "modules"] {
            archive.folder(folder);
        }
        archive.program("init", &files::read(init)?);
        let mut added: Vec<&Path> = Vec::new();
        for (list, closure) in [("watchdog", &self.closures.watchdog), ("root", &self.closures.storage)] {
            let mut names = String::new();
            for path in closure {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let name = name.split('.').next().unwrap_or_default().to_owned() + ".ko";
                names.push_str(&name);
                names.push('\n');
                if !added.contains(&path.as_path()) {
                    archive.file(&format!("modules/{name}"), &module(&self.modules.join(path))?);
                    added.push(path);
                }
            }
            archive.file(&format!("modules/{list}"), names.as_bytes());
        }
        Ok(archive.finish())
    }
}

/// Reads a module, undoing its compression.
fn module(path: &Path) -> Result<Vec<u8>, Failure> {
    let packed = files::read(path)?;
    let mut plain = Vec::new();
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => XzDecoder::new(&packed[..]).read_to_end(&mut plain),
        Some("zst") => zstd::Decoder::new(&packed[..]).and_then(|mut decoder| decoder.read_to_end(&mut plain)),
        Some(_) | None => return Ok(packed),
    };
    read.or_fail(|| format!("cannot unpack {}", path.display()))?;
    Ok(plain)
}

/// The one name in a folder.
fn only_name(folder: &Path) -> Result<String, Failure> {
    let entries = std::fs::read_dir(folder).or_fail(|| format!("no package brought {}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned())).collect();
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (_, _) => Err(Failure::new(format!("{} should hold one kernel's modules", folder.display()))),
    }
}
