//! What is in the root, and how its services are confined (B2, B10).

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use storebox_image::layout::Slot;
use storebox_tests::Folder;

use crate::disk;
use crate::tools::{Network, image, output, tool};

/// Programs that let somebody in, or do more for somebody who is in than a shop needs.
const UNWANTED: &[&str] = &[
    "agetty",
    "apt",
    "apt-get",
    "ash",
    "bash",
    "busybox",
    "bwrap",
    "chsh",
    "csh",
    "dash",
    "debug-shell.service",
    "dpkg",
    "dropbear",
    "fish",
    "getty",
    "ksh",
    "login",
    "mksh",
    "newgrp",
    "perl",
    "pkexec",
    "python3",
    "rbash",
    "rlogin",
    "run0",
    "sh",
    "ssh",
    "sshd",
    "su",
    "sudo",
    "sulogin",
    "tcsh",
    "telnetd",
    "toybox",
    "zsh",
];
/// The most a service may be exposed, by systemd's own measure.
const EXPOSURE_MAX: f64 = 1.5;
const SET_ID: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_ALL: u32 = 0o002;

/// The root of the x86 image, unpacked from its partition.
struct Root {
    folder: Folder,
}

impl Root {
    fn unpack(board: &str) -> Self {
        let folder = Folder::new("root");
        let image = image(board);
        let root = disk::root(&image, Slot::A.root_label());
        disk::cut(&image, root.start, root.size, &folder.path().join("root.img"));
        let mut unpack = tool(Network::None, board, folder.path(), "fsck.erofs");
        unpack.args(["--extract=/build/root", "--preserve-perms", "/build/root.img"]);
        output(unpack);
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("root").join(below)
    }

    fn lines(&self, name: &str) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_else(|err| panic!("cannot read {name}: {err}"));
        text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
    }
}

/// Nobody can log in, nothing gives rights away, and both services are confined.
#[test]
fn b2_b10_the_root_has_no_way_in_and_its_services_are_confined() {
    let root = Root::unpack("x86");
    let mut wrong = Vec::new();
    walk(&root.path(""), &mut |path, about| {
        let name = path.file_name().unwrap().to_string_lossy();
        let mode = about.mode();
        if mode & SET_ID != 0 && about.is_file() {
            wrong.push(format!("{} runs as another user", path.display()));
        }
        if mode & WRITABLE_BY_ALL != 0 && !about.is_symlink() && !(about.is_dir() && mode & STICKY != 0) {
            wrong.push(format!("{} can be written by anybody", path.display()));
        }
        if UNWANTED.contains(&name.as_ref()) && !about.is_dir() {
            wrong.push(format!("{} is there", path.display()));
        }
    });
    for account in root.lines("etc/passwd") {
        let shell = account.last().unwrap();
        // It is not even there, so that it cannot be started.
        if !shell.ends_with("/nologin") || root.path(shell.trim_start_matches('/')).exists() {
            wrong.push(format!("{} has the shell {shell}", account[0]));
        }
    }
    for account in root.lines("etc/shadow") {
        if !account[1].starts_with(['!', '*']) {
            wrong.push(format!("{} has a password", account[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let figures = ["storeboxd.service", "storebox-helper.service"].map(|unit| (unit, exposure(&root, unit)));
    eprintln!("exposure: {figures:?}");
    assert!(figures.iter().all(|(_, figure)| *figure <= EXPOSURE_MAX), "more than {EXPOSURE_MAX}: {figures:?}");
}

/// systemd-analyze(1): "Overall exposure level for NAME: 1.1 OK".
fn exposure(root: &Root, unit: &str) -> f64 {
    let mut analyze = tool(Network::None, "x86", root.folder.path(), "systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--root=/build/root", unit]);
    let text = output(analyze);
    let figure = text
        .split_once("Overall exposure level for")
        .and_then(|(_, rest)| rest.split_once(": ")?.1.split_whitespace().next()?.parse().ok());
    figure.unwrap_or_else(|| panic!("no figure for {unit}:\n{text}"))
}

fn walk(folder: &Path, see: &mut impl FnMut(&Path, &Metadata)) {
    for entry in fs::read_dir(folder).unwrap_or_else(|err| panic!("cannot read {}: {err}", folder.display())) {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        see(&path, &about);
        if about.is_dir() {
            walk(&path, see);
        }
    }
}
