//! The box's own programs, built in the tool root.
//!
//! Compiler, linker and libraries are fixed by the lock and the pinned toolchain, and every path is the same inside the
//! sandbox, so the same source gives the same bytes in any folder of any machine. Crates are vendored first, by the
//! host's cargo and its network settings; the build itself has no network.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use storebox_hardware::boards::Architecture;

use crate::host::cache;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::progress::Progress;
use crate::host::source::Source;
use crate::host::toolroot::ToolRoot;

/// What runs on the box, and where it is put.
pub const PROGRAMS: [(&str, &str); 4] = [
    ("storeboxd", "usr/bin/storeboxd"),
    ("storebox-helper", "usr/lib/storebox/storebox-helper"),
    ("storebox-data", "usr/lib/storebox/storebox-data"),
    ("storebox-screen", "usr/lib/storebox/storebox-screen"),
];
/// The packages of [`PROGRAMS`].
const PACKAGES: [&str; 3] = ["storeboxd", "storebox-helper", "storebox-screen"];
/// The first program, which runs before there are libraries.
const INITRAMFS: &str = "storebox-initramfs";
/// Names the folder of a Rust toolchain, where the one rustup brings is not to be used.
const SYSROOT_VARIABLE: &str = "STOREBOX_RUST_SYSROOT";

/// Built programs.
pub struct Programs {
    folder: PathBuf,
    static_folder: PathBuf,
}

impl Programs {
    /// Builds them with a Cargo profile; `target` keeps what later builds can use again.
    ///
    /// # Errors
    /// If a crate cannot be had or does not compile; the compiler's words are on standard error.
    pub fn build(
        tools: &ToolRoot,
        source: &Source,
        architecture: Architecture,
        profile: &str,
        target: &Path,
        progress: &mut Progress,
    ) -> Result<Self, Failure> {
        let sysroot = sysroot(source, architecture)?;
        let vendored = vendor(source, progress)?;
        files::make_folder(target)?;
        let triple = triple(architecture);
        progress.note(&format!("compiling the programs for {triple}, profile {profile}"));
        let cargo = |folder: &str, packages: &[&str], static_libraries: bool| -> Result<(), Failure> {
            let sandbox = tools
                .at(target)
                .bind(source.folder(), "/source")
                .bind(&sysroot, "/rust")
                .bind(&vendored, "/vendor")
                .in_folder("/source");
            let mut command = sandbox.command("/rust/bin/cargo")?;
            command.args(["build", "--frozen", "--profile", profile, "--target", triple, "--target-dir", folder]);
            command.args(["--config", "source.crates-io.replace-with='vendored'"]);
            command.args(["--config", "source.vendored.directory='/vendor'"]);
            for package in packages {
                command.args(["--package", package]);
            }
            command.env("PATH", "/rust/bin:/usr/sbin:/usr/bin").env("CARGO_HOME", "/tmp/cargo-home");
            command.env("CARGO_TERM_COLOR", "never").env("SOURCE_DATE_EPOCH", source.epoch_s().to_string());
            let name = triple.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{name}_LINKER"), linker(architecture));
            if static_libraries {
                command.env(format!("CARGO_TARGET_{name}_RUSTFLAGS"), "-Ctarget-feature=+crt-static");
            }
            let status = command.stdin(Stdio::null()).status().or_fail(|| "cannot start cargo".to_owned())?;
            if !status.success() {
                return Err(Failure::new(format!("the programs do not compile ({status})")));
            }
            Ok(())
        };
        cargo("/build/shared", &PACKAGES, false)?;
        cargo("/build/static", &[INITRAMFS], true)?;
        let built = Path::new(triple).join(if profile == "dev" { "debug" } else { profile });
        Ok(Self { folder: target.join("shared").join(&built), static_folder: target.join("static").join(&built) })
    }

    /// Whether an earlier build left them in `target`.
    pub fn are_compiled(target: &Path, architecture: Architecture, profile: &str) -> bool {
        target.join("shared").join(triple(architecture)).join(profile).join("storeboxd").exists()
    }

    /// Copies the programs into a root.
    ///
    /// # Errors
    /// If a copy fails.
    pub fn install(&self, root: &Path) -> Result<(), Failure> {
        for (name, place) in PROGRAMS {
            let place = root.join(place);
            files::copy(&self.folder.join(name), &place)?;
            files::set_mode(&place, 0o755)?;
        }
        Ok(())
    }

    /// The initramfs's only program.
    pub fn init(&self) -> PathBuf {
        self.static_folder.join(INITRAMFS)
    }
}

/// The Rust target of an architecture.
pub fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Aarch64 => "aarch64-unknown-linux-gnu",
    }
}

fn linker(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-linux-gnu-gcc",
        Architecture::Aarch64 => "aarch64-linux-gnu-gcc",
    }
}

/// The pinned toolchain with the standard library of the target.
fn sysroot(source: &Source, architecture: Architecture) -> Result<PathBuf, Failure> {
    let target = triple(architecture);
    let sysroot = match std::env::var_os(SYSROOT_VARIABLE) {
        Some(chosen) => PathBuf::from(chosen),
        None => PathBuf::from(host(source, "rustc", &["--print", "sysroot"])?.trim()),
    };
    let library = sysroot.join("lib/rustlib").join(target).join("lib");
    if !library.is_dir() {
        host(source, "rustup", &["target", "add", target]).map_err(|failure| {
            Failure::new(format!(
                "Rust's standard library for {target} is missing, and rustup could not add it. Unpack Debian's rustc, \
                 cargo and libstd-rust-dev (amd64 and arm64, all of one version) into a folder and name its usr in \
                 {SYSROOT_VARIABLE}"
            ))
            .because(failure)
        })?;
    }
    Ok(sysroot)
}

/// Every crate of the lock file, unpacked; made once per lock file.
fn vendor(source: &Source, progress: &mut Progress) -> Result<PathBuf, Failure> {
    let digest = files::sha256(&source.folder().join("Cargo.lock"))?;
    let folder = cache::folder()?.join("crates");
    let vendored = folder.join(digest);
    if !vendored.is_dir() {
        progress.note("fetching the crates of Cargo.lock");
        let unfinished = folder.join(format!("unfinished-{}", std::process::id()));
        files::make_empty(&unfinished)?;
        let path = unfinished.to_string_lossy().into_owned();
        host(source, "cargo", &["vendor", "--locked", "--versioned-dirs", &path])?;
        if std::fs::rename(&unfinished, &vendored).is_err() {
            // Another run was faster.
            files::remove(&unfinished)?;
        }
    }
    Ok(vendored)
}

/// Runs a program of the host in the source folder and gives what it printed.
fn host(source: &Source, program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(source.folder());
    // Set by the cargo that runs this program, for this program's own build.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR"] {
        command.env_remove(variable);
    }
    crate::host::toolroot::run(command, &format!("{program} {}", arguments.join(" ")))
}
