//! Rules for the workspace and its crates.

use std::collections::{BTreeMap, BTreeSet};

use crate::check;
use crate::tree::{FILES, File, file};

/// What core may be built on: no input, no output, no clock, no random numbers.
const CORE_DEPENDENCIES: [&str; 4] = ["jiff", "postcard", "serde", "uuid"];

#[test]
fn cargo_run_means_the_box() {
    let line = r#"default-members = ["firmware/storeboxd"]"#;
    let found = file("Cargo.toml").text.lines().any(|found| found == line);
    let broken = if found { Vec::new() } else { vec![format!("Cargo.toml lacks the line {line}")] };
    check("`cargo run` starts the box; every other command says --workspace.", &broken);
}

#[test]
fn every_crate_has_the_workspace_lints() {
    let mut broken = Vec::new();
    for manifest in manifests() {
        let has_lints = entries(manifest).any(|(section, line)| section == "lints" && line == "workspace = true");
        if !has_lints {
            broken.push(manifest.path.clone());
        }
    }
    check("Every crate says `[lints] workspace = true`, so that a lint is set in one place.", &broken);
}

#[test]
fn every_clippy_file_repeats_the_root() {
    let root = clippy_settings(file("clippy.toml"));
    assert!(root.values().map(BTreeSet::len).sum::<usize>() > 5, "the root's clippy.toml was not understood");
    let mut broken = Vec::new();
    for own in FILES.iter().filter(|own| own.name() == "clippy.toml") {
        let settings = clippy_settings(own);
        for (key, values) in &root {
            let missing = values.iter().filter(|value| !settings.get(key).is_some_and(|own| own.contains(*value)));
            broken.extend(missing.map(|value| format!("{}: {key} lacks {value}", own.path)));
        }
    }
    check("A crate's own clippy.toml replaces the root's, so it repeats every entry as it stands there.", &broken);
}

#[test]
fn core_depends_on_little() {
    let mut broken = Vec::new();
    let core = file("firmware/core/Cargo.toml");
    let mut count = 0;
    for (section, line) in entries(core) {
        // What only core's own tests use cannot reach the product.
        if section.contains("dev-dependencies") {
            continue;
        }
        let name = if section.ends_with("dependencies") {
            line.split(['.', '=', ' ']).next()
        } else {
            section.split_once("dependencies.").map(|(_, name)| name)
        };
        if let Some(name) = name.map(|name| name.trim_matches('"')) {
            count += 1;
            if !CORE_DEPENDENCIES.contains(&name) || line.contains("package") {
                broken.push(format!("{}: {line}", core.path));
            }
        }
    }
    // A name of the workspace could stand for another crate.
    for (section, line) in entries(file("Cargo.toml")) {
        let name = line.split(['.', '=', ' ']).next().unwrap_or(line);
        if section == "workspace.dependencies" && CORE_DEPENDENCIES.contains(&name) && line.contains("package") {
            broken.push(format!("Cargo.toml: {line}"));
        }
    }
    assert!(count > 0, "no dependency was found in {}", core.path);
    check("core performs no input or output; a crate that could is not for it.", &broken);
}

#[test]
fn every_test_target_is_run() {
    let run = &file("tests/run").text;
    let mut broken = Vec::new();
    let mut count = 0;
    for (section, line) in entries(file("tests/Cargo.toml")) {
        if let Some(name) = line.strip_prefix("name = ").filter(|_| section == "test") {
            count += 1;
            if !run.contains(&format!("--test {}", name.trim_matches('"'))) {
                broken.push(format!("tests/run does not run {name}"));
            }
        }
    }
    assert!(count > 0, "no test target was found in tests/Cargo.toml");
    check("Cargo builds a test target without being asked, but only tests/run runs it.", &broken);
}

/// The manifests of the workspace's crates.
fn manifests() -> Vec<&'static File> {
    let text = file("Cargo.toml").text.as_str();
    let members = text.split_once("\nmembers = [").and_then(|(_, rest)| rest.split_once(']'));
    let (members, _) = members.expect("the workspace names its members");
    let manifests: Vec<_> =
        members.split('"').skip(1).step_by(2).map(|member| file(&format!("{member}/Cargo.toml"))).collect();
    assert!(manifests.len() > 3, "the workspace has more members than {}", manifests.len());
    manifests
}

/// The lines of a TOML file, each with the name of its table; comments and empty lines left out.
fn entries(file: &File) -> impl Iterator<Item = (&str, &str)> {
    let mut section = "";
    file.text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').filter(|_| line.ends_with(']')) {
            section = name.trim_matches(['[', ']']);
            return None;
        }
        (!line.is_empty() && !line.starts_with('#')).then_some((section, line))
    })
}

/// What a `clippy.toml` sets: by key, the items of its list or its one value.
fn clippy_settings(file: &File) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut settings: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut list = None;
    for line in file.text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (list, line.split_once(" = ")) {
            (Some(_), _) if line == "]" => list = None,
            (Some(key), _) => {
                settings.entry(key).or_default().insert(line.trim_end_matches(','));
            }
            (None, Some((key, "["))) => list = Some(key),
            (None, Some((key, value))) => {
                settings.entry(key).or_default().insert(value);
            }
            (None, None) => panic!("{}: not understood: {line}", file.path),
        }
    }
    settings
}
