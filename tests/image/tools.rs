//! Where the tests find the command `image`, what it built, and the tools it keeps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lan::Lan;

/// Names the built command `image`.
const PROGRAM: &str = "STOREBOX_IMAGE";
/// Names the folder with one folder of built files per board.
const IMAGES: &str = "STOREBOX_IMAGES";

/// Which network a tool sees.
#[derive(Clone, Copy)]
pub enum Network<'a> {
    /// None.
    None,
    /// This machine's, for ports on the loopback interface.
    Host,
    /// A network that a test made.
    Lan(&'a Lan),
}

/// A board's image.
pub fn image(board: &str) -> PathBuf {
    let path = named(IMAGES, "the folder with the built images").join(board).join(format!("storebox-{board}.img"));
    assert!(path.is_file(), "there is no {}: build it with `cargo image build {board}`", path.display());
    path
}

/// A tool of the tool root, to be given its arguments. It sees `work` as `/build`, and the folder of the board's image
/// as `/image`. The process that is started becomes the tool, so its id is the tool's; it ends with this one.
pub fn tool(network: Network<'_>, board: &str, work: &Path, name: &str) -> Command {
    let program = named(PROGRAM, "the built command `image`");
    let images = image(board);
    let mut words: Vec<OsString> = Vec::new();
    if let Network::Lan(lan) = network {
        words.extend(lan.way_in().map(OsString::from));
    }
    words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from));
    words.extend([program.into_os_string(), "tool".into(), "--work".into(), work.into(), "--bind".into()]);
    let mut bind = images.parent().expect("an image is in a folder").as_os_str().to_owned();
    bind.push("=/image");
    words.push(bind);
    if !matches!(network, Network::None) {
        words.push("--network".into());
    }
    words.extend(["--".into(), name.into()]);
    let mut command = Command::new(&words[0]);
    // The command finds its packages' lock in the tree around the current folder.
    command.args(&words[1..]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// Runs a tool to its end and gives what it printed.
pub fn output(mut command: Command) -> String {
    let done = command.output().unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed ({}):\n{text}{complaint}", done.status);
    text
}

fn named(variable: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} must name {what}; tests/run sets it"));
    let path = std::path::absolute(path).expect("there is a current folder");
    assert!(path.exists(), "{variable} names {}, which is not there", path.display());
    path
}
