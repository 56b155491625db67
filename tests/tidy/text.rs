//! Rules for every text file.

use std::path::{Component, Path, PathBuf};

use crate::check;
use crate::tree::{FILES, PATHS, file};

/// Whether `text` holds `word` with no letter, digit or underscore next to it.
fn holds_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, found)| {
        !text[..start].chars().next_back().is_some_and(inside)
            && !text[start + found.len()..].chars().next().is_some_and(inside)
    })
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut broken = Vec::new();
    for file in FILES.iter() {
        for (number, line) in file.lines() {
            broken.extend(words.iter().filter(|word| holds_word(line, word)).map(|word| file.at(number, word)));
        }
    }
    check("Unfinished work belongs in the tracker: finish it or leave it out.", &broken);
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[ig", "nore");
    let mut broken = Vec::new();
    for file in FILES.iter().filter(|file| file.has_extension("rs")) {
        broken.extend(file.lines().filter(|(_, line)| line.contains(mark)).map(|(number, _)| file.at(number, mark)));
    }
    check("A test that does not run proves nothing: mend it, or shorten it for the short form.", &broken);
}

#[test]
fn no_host_of_a_package_registry_is_named() {
    let hosts = [
        concat!("crates", ".io"),
        concat!("pythonhosted", ".org"),
        concat!("pypi", ".org"),
        concat!("npmjs", ".org"),
        concat!("debian", ".org"),
        concat!("static.rust-lang", ".org"),
    ];
    let mut broken = Vec::new();
    for file in FILES.iter() {
        // These two are written by their tools, which name the registry with every package.
        if matches!(file.name(), "Cargo.lock" | "package-lock.json") {
            continue;
        }
        for (number, line) in file.lines() {
            broken.extend(hosts.iter().filter(|host| line.contains(**host)).map(|host| file.at(number, host)));
        }
    }
    check("Where packages come from is set on each machine (a mirror, a vendor folder), never in the tree.", &broken);
}

#[test]
fn no_path_of_a_work_machine_is_named() {
    let folder = concat!("/wo", "rk/");
    let mut broken = Vec::new();
    for file in FILES.iter() {
        broken.extend(file.lines().filter(|(_, line)| line.contains(folder)).map(|(n, line)| file.at(n, line.trim())));
    }
    check("The tree must build anywhere: name files from the root of the tree.", &broken);
}

#[test]
fn lines_and_files_end_cleanly() {
    let mut broken = Vec::new();
    for file in FILES.iter() {
        for (number, line) in (1..).zip(file.text.split('\n')) {
            if line.ends_with([' ', '\t', '\r']) {
                broken.push(file.at(number, "blank or carriage return at the end"));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            broken.push(format!("{}: must end with one line feed", file.path));
        }
    }
    check("Blanks nobody sees make differences nobody meant.", &broken);
}

#[test]
fn the_readme_shows_how_to_run_and_to_test() {
    let readme = file("README.md");
    let missing = ["cargo run", "tests/run"].iter().filter(|command| !readme.text.contains(**command));
    let broken: Vec<_> = missing.map(|command| format!("README.md does not show {command}")).collect();
    check("Whoever finds this tree starts with these two commands.", &broken);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for file in FILES.iter().filter(|file| file.has_extension("md")) {
        let folder = Path::new(&file.path).parent().expect("a file has a folder");
        let mut fenced = false;
        for (number, line) in file.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in links(line) {
                let exists = resolve(folder, target).is_some_and(|path| path.is_empty() || PATHS.contains(&path));
                if !exists {
                    broken.push(file.at(number, target));
                }
            }
        }
    }
    check("A link to nothing misleads: name a file git knows, from the document's own folder.", &broken);
}

/// The targets of a line's links into the tree: `[text](target)` and `[name]: target`, without anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    // Every second part lies between backquotes and is code.
    let prose = line.split('`').step_by(2);
    let inline = prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split([')', ' ']).next());
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    inline
        .chain(named)
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty())
}

/// The path from the root that `target` means in `folder`; `None` when it leads out of the tree.
fn resolve(folder: &Path, target: &str) -> Option<String> {
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.to_str().map(str::to_owned)
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert!(holds_word("a b, c", "b") && !holds_word("ab_c abc", "b"));
    let line = "[a](x.md#part) `[b](code.md)` [c](https://host/) [d](../e.md 'title') [f](#here)";
    assert_eq!(links(line).collect::<Vec<_>>(), ["x.md", "../e.md"]);
    assert_eq!(links("[name]: y.md").collect::<Vec<_>>(), ["y.md"]);
    assert_eq!(resolve(Path::new("a/b"), "../c.md").as_deref(), Some("a/c.md"));
    assert_eq!(resolve(Path::new("a"), "../../c.md"), None);
}
