//! The files of the tree, as git lists them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A text file, named as git names it: from the root, with slashes.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Lines with their numbers, counted from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the file belongs to a test crate or to a crate's folder of tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests")
    }

    /// Where something is, as editors understand it.
    pub(crate) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the test crate lies in the workspace").to_owned()
}

/// Every path git tracks or would add, and every folder on the way to it.
pub(crate) static PATHS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(listing.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listing.stderr));
    let mut paths = BTreeSet::new();
    for file in String::from_utf8(listing.stdout).expect("paths are UTF-8").split_terminator('\0') {
        // A removed file stays listed until the removal is committed.
        if root().join(file).exists() {
            let folders = file.match_indices('/').map(|(end, _)| file[..end].to_owned());
            paths.extend(folders.chain([file.to_owned()]));
        }
    }
    paths
});

/// Every text file. As git does, a NUL byte is taken for the mark of a file that is none.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for path in PATHS.iter().filter(|path| root().join(path).is_file()) {
        let bytes = fs::read(root().join(path)).expect("a listed file can be read");
        if !bytes.contains(&0) {
            let text = String::from_utf8(bytes).unwrap_or_else(|_| panic!("{path} is neither UTF-8 nor binary"));
            files.push(File { path: path.clone(), text });
        }
    }
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the list of files is not the workspace's");
    files
});

/// The Rust files.
pub(crate) fn rust() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.has_extension("rs"))
}

/// The file of that path.
pub(crate) fn file(path: &str) -> &'static File {
    FILES.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is missing"))
}
