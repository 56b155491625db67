//! The root of the box: packages, our programs and the overlay, put together without running anything of theirs.
//!
//! What maintainer scripts would do is done here, offline and the same way every time.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use storebox_hardware::boards::Board;

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::kernel::{self, Kernel};
use crate::host::packages::{Obtained, deb};
use crate::host::progress::{Progress, Unit};
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};
use crate::host::trim::Trim;

/// Folders that must be there because something is mounted on them or links lead into them.
const FOLDERS: [&str; 9] = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"];
/// Folders of the root's own `/var`: what starts before the data partition is open looks for them.
const VAR: [&str; 5] = ["cache", "lib", "log", "spool", "tmp"];
/// Links every program may rely on.
const LINKS: [(&str, &str); 12] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/sbin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("usr/sbin/init", "../lib/systemd/systemd"),
    ("usr/sbin/reboot", "../bin/systemctl"),
    ("usr/sbin/poweroff", "../bin/systemctl"),
    ("etc/os-release", "../usr/lib/os-release"),
    ("etc/resolv.conf", "../run/systemd/resolve/resolv.conf"),
    ("etc/mtab", "../proc/self/mounts"),
    ("etc/localtime", "../usr/share/zoneinfo/Etc/UTC"),
    ("usr/lib/systemd/system/default.target", "multi-user.target"),
];

/// A root that is ready to be packed, and what was taken from packages beside it.
pub struct Root {
    /// The root.
    pub folder: PathBuf,
    /// Packages that were unpacked apart.
    pub parts: PathBuf,
    /// The kernel among them.
    pub kernel: Kernel,
}

/// Makes the root of a board in `work/root`.
///
/// # Errors
/// If a package lacks what the board needs, or what results would not run or not be safe.
pub fn compose(
    work: &Path,
    board: &Board,
    obtained: &Obtained,
    tools: &ToolRoot,
    source: &Source,
    install_programs: impl FnOnce(&Path) -> Result<(), Failure>,
    progress: &mut Progress,
) -> Result<Root, Failure> {
    let (root, parts) = (work.join("root"), work.join("parts"));
    files::make_empty(&root)?;
    files::make_empty(&parts)?;
    let trim = Trim::read(&source.folder().join("image/base/root.toml"))?;

    progress.begin("unpacking packages", Unit::Items, u64::try_from(obtained.files.len()).ok());
    for (package, file) in &obtained.files {
        if trim.is_apart(&package.name) {
            deb::unpack(file, &parts, |path| !path.contains("usr/share/doc"))?;
        } else {
            deb::unpack(file, &root, |path| wants(&trim, board, path.trim_start_matches("./").trim_end_matches('/')))?;
        }
        progress.add(1);
    }
    progress.end();

    for folder in FOLDERS {
        files::make_folder(&root.join(folder))?;
    }
    for folder in VAR {
        files::make_folder(&root.join("var").join(folder))?;
    }
    for (path, target) in LINKS {
        // Only x86 has its dynamic loader in a folder of this name.
        if path != "lib64" || root.join(target).is_dir() {
            files::link(target, &root.join(path))?;
        }
    }
    let kernel = kernel::install(work, &root, &parts, board, tools, source, progress)?;
    files::overlay(&source.folder().join("image/overlay"), &root)?;
    write_facts(&root, board, source)?;
    install_programs(&root)?;
    licences(&root, &parts, source)?;
    configure(work, tools, source)?;
    bundle_certificates(&root)?;
    tidy(&root)?;
    check(&root, tools, work)?;
    Ok(Root { folder: root, parts, kernel })
}

/// Whether a file of a package belongs into the board's root.
fn wants(trim: &Trim, board: &Board, path: &str) -> bool {
    match path.strip_prefix("usr/lib/firmware/").or_else(|| path.strip_prefix("lib/firmware/")) {
        Some(firmware) => board.firmware.iter().any(|wanted| wanted == firmware),
        None => trim.wants(path),
    }
}

/// Files that say what this image is.
fn write_facts(root: &Path, board: &Board, source: &Source) -> Result<(), Failure> {
    let os_release = format!(
        "ID=storebox\nNAME=\"Store box\"\nPRETTY_NAME=\"Store box {version}\"\nID_LIKE=debian\nVERSION=\"{version}\"\n\
         IMAGE_ID=storebox-{board}\nIMAGE_VERSION=\"{version}\"\nDEFAULT_HOSTNAME=storebox\nVARIANT_ID={board}\n",
        version = source.version(),
        board = board.name,
    );
    files::write(&root.join("usr/lib/os-release"), os_release)?;
    let terminals: Vec<String> = board.screen_terminals.iter().map(|tty| format!("--tty /dev/{tty}")).collect();
    files::write(&root.join("usr/lib/storebox/screen.env"), format!("SCREEN_TERMINALS=\"{}\"\n", terminals.join(" ")))?;
    files::write(&root.join("etc/machine-id"), "")?;
    files::write(&root.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")?;
    files::write(&root.join("etc/hosts"), "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")?;
    files::write(&root.join("etc/fstab"), "")?;
    // Its time is the earliest the box's clock may show (systemd(1), "/usr/lib/clock-epoch").
    files::write(&root.join("usr/lib/clock-epoch"), "")
}

/// Accounts and enabled units.
fn configure(work: &Path, tools: &ToolRoot, source: &Source) -> Result<(), Failure> {
    let epoch = source.epoch_s().to_string();
    let in_root = |program: &str, arguments: &[&str]| -> Result<(), Failure> {
        let mut command = tools.at(work).command(program)?;
        command.args(arguments).env("SOURCE_DATE_EPOCH", &epoch);
        run(command, program).map(|_| ())
    };
    let root = work.join("root");
    in_root("systemd-sysusers", &["--root=/build/root"])?;
    // Nobody logs in: no account has a shell or a password.
    let passwd = root.join("etc/passwd");
    let accounts = files::read_text(&passwd)?;
    let accounts: String = accounts.lines().fold(String::new(), |mut all, account| {
        let fields: Vec<&str> = account.split(':').collect();
        all.push_str(fields.get(..fields.len().saturating_sub(1)).unwrap_or_default().join(":").as_str());
        all.push_str(":/usr/sbin/nologin\n");
        all
    });
    files::write(&passwd, accounts)?;
    for leftover in ["etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock"] {
        files::remove(&root.join(leftover))?;
    }
    drop_dangling_wants(&root)?;
    // No cache of libraries: Debian's loader knows their folder, and a cache differs from build to build.
    in_root("systemctl", &["--root=/build/root", "preset-all"])
}

/// Links that want a unit which is not here.
fn drop_dangling_wants(root: &Path) -> Result<(), Failure> {
    let units = root.join("usr/lib/systemd/system");
    for path in files::walk(&units)? {
        let link = units.join(&path);
        if link.is_symlink() && !link.exists() {
            files::remove(&link)?;
        }
    }
    for path in files::walk(&units)?.into_iter().rev() {
        let folder = units.join(&path);
        if folder.is_dir() && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
            files::remove(&folder)?;
        }
    }
    Ok(())
}

/// One file with every certificate authority, in a fixed order.
fn bundle_certificates(root: &Path) -> Result<(), Failure> {
    let folder = root.join("usr/share/ca-certificates");
    let mut bundle = String::new();
    for path in files::walk(&folder)? {
        if path.extension().is_some_and(|extension| extension == "crt") {
            let certificate = files::read_text(&folder.join(path))?;
            bundle.push_str(certificate.trim_end());
            bundle.push('\n');
        }
    }
    if bundle.is_empty() {
        return Err(Failure::new("ca-certificates brought no certificate"));
    }
    files::remove(&folder)?;
    files::write(&root.join("etc/ssl/certs/ca-certificates.crt"), bundle)
}

/// Our own licences, and the written offer for what others own.
fn licences(root: &Path, parts: &Path, source: &Source) -> Result<(), Failure> {
    let folder = root.join("usr/share/doc/storebox");
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "image/WRITTEN-OFFER"] {
        let from = source.folder().join(name);
        let name = from.file_name().unwrap_or_default().to_owned();
        files::copy(&from, &folder.join(name))?;
    }
    // Firmware and kernel are not in the root, their terms are.
    let documents = parts.join("usr/share/doc");
    if documents.is_dir() {
        for path in files::walk(&documents)? {
            if path.file_name().is_some_and(|name| name == "copyright") {
                files::copy(&documents.join(&path), &root.join("usr/share/doc").join(&path))?;
            }
        }
    }
    Ok(())
}

/// Folders nothing was kept in, and modes nobody needs.
fn tidy(root: &Path) -> Result<(), Failure> {
    let keep: BTreeSet<PathBuf> =
        FOLDERS.iter().map(PathBuf::from).chain(VAR.iter().map(|folder| Path::new("var").join(folder))).collect();
    for path in files::walk(root)?.into_iter().rev() {
        let full = root.join(&path);
        let found = fs::symlink_metadata(&full).or_fail(|| format!("cannot look at {}", full.display()))?;
        if found.is_symlink() {
            continue;
        }
        if found.is_dir() {
            let empty = fs::read_dir(&full).is_ok_and(|mut entries| entries.next().is_none());
            if empty && !keep.contains(&path) {
                files::remove(&full)?;
                continue;
            }
        }
        // No file changes who runs it, and none can be written by everybody.
        files::set_mode(&full, found.permissions().mode() & 0o755)?;
    }
    Ok(())
}

/// What must hold for every root, whatever the packages bring.
fn check(root: &Path, tools: &ToolRoot, work: &Path) -> Result<(), Failure> {
    let mut faults = Vec::new();
    let mut programs = Vec::new();
    for path in files::walk(root)? {
        let full = root.join(&path);
        let found = fs::symlink_metadata(&full).or_fail(|| format!("cannot look at {}", full.display()))?;
        let name = path.display();
        if found.is_symlink() {
            let target = fs::read_link(&full).or_fail(|| format!("cannot read the link {}", full.display()))?;
            if !leads_somewhere(root, &path, &target) {
                faults.push(format!("{name} leads to {}, which is not there", target.display()));
            }
        } else if found.mode() & 0o6002 != 0 {
            faults.push(format!("{name} has mode {:o}", found.mode() & 0o7777));
        } else if found.is_file() && is_elf(&full)? {
            programs.push(format!("/build/root/{name}"));
        }
    }
    for shell in ["sh", "bash", "dash", "busybox", "login", "sshd", "apt", "dpkg"] {
        for folder in ["usr/bin", "usr/sbin"] {
            if root.join(folder).join(shell).exists() {
                faults.push(format!("{folder}/{shell} has no place on the box"));
            }
        }
    }
    faults.extend(missing_libraries(&programs, root, tools, work)?);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the root is not right:\n  {}", faults.join("\n  "))))
}

/// Links into folders that are filled at run time lead somewhere by then.
fn leads_somewhere(root: &Path, link: &Path, target: &Path) -> bool {
    let absolute = if target.is_absolute() {
        target.to_owned()
    } else {
        Path::new("/").join(link.parent().unwrap_or(Path::new(""))).join(target)
    };
    let mut inside = PathBuf::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => {
                inside.pop();
            }
            std::path::Component::Normal(name) => inside.push(name),
            std::path::Component::RootDir | std::path::Component::CurDir | std::path::Component::Prefix(_) => {}
        }
    }
    let at_run_time = ["run", "proc", "dev", "sys"].iter().any(|folder| inside.starts_with(folder));
    at_run_time || fs::symlink_metadata(root.join(&inside)).is_ok()
}

fn is_elf(path: &Path) -> Result<bool, Failure> {
    let mut magic = [0; 4];
    let file = fs::File::open(path).or_fail(|| format!("cannot read {}", path.display()))?;
    let read = io::Read::read_exact(&mut io::BufReader::new(file), &mut magic);
    Ok(read.is_ok() && magic == *b"\x7fELF")
}

/// Libraries a program of the root needs and the root does not have.
fn missing_libraries(programs: &[String], root: &Path, tools: &ToolRoot, work: &Path) -> Result<Vec<String>, Failure> {
    let mut command = tools.at(work).command("readelf")?;
    command.arg("--dynamic").args(programs);
    let said = run(command, "readelf")?;
    let libraries: BTreeSet<String> = files::walk(&root.join("usr"))?
        .iter()
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    let mut program = "";
    let mut missing = Vec::new();
    for line in said.lines() {
        if let Some(name) = line.strip_prefix("File: /build/root/") {
            program = name;
        } else if line.contains("(NEEDED)")
            && let Some(library) = line.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'))
            && !libraries.contains(library)
        {
            missing.push(format!("{program} needs {library}, which no package brought"));
        }
    }
    Ok(missing)
}
