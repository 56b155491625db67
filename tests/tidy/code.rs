//! Rules for Rust code.

use std::io::{self, Write};

use crate::check;
use crate::tree::{File, file, rust};

/// A file beyond this is two files.
const LINES_MAX: usize = 600;
/// A file beyond this is named, so that it is divided before it must be.
const LINES_MANY: usize = 450;

#[test]
fn files_fit_a_reader() {
    let mut broken = Vec::new();
    for file in rust() {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            broken.push(format!("{}: {lines} lines", file.path));
        } else if lines >= LINES_MANY {
            // Written past the harness, which shows nothing of a test that passed.
            writeln!(io::stderr(), "soon too long: {} has {lines} of {LINES_MAX} lines", file.path)
                .expect("standard error can be written");
        }
    }
    check("Around 400 lines is a file, 600 is two.", &broken);
}

#[test]
fn only_the_clock_reads_time() {
    let readers = [concat!("SystemTime::", "now"), concat!("Instant::", "now")];
    let broken = uses(|file| file.name() != "clock.rs" && !file.is_test(), &readers);
    check("Only clock.rs reads time, or tests could not set it; an allowed lint is no way around.", &broken);
}

#[test]
fn only_the_store_opens_a_write_transaction() {
    // The box's, and the reference cloud's, which has one way to write as well.
    let stores = ["firmware/storeboxd/src/store/", "provisioning/cloud/src/database/"];
    let is_bound = |file: &File| !stores.iter().any(|store| file.path.starts_with(store)) && !file.is_test();
    let broken = uses(is_bound, &[concat!("begin", "_write")]);
    check("Only the committer writes: nothing may be acknowledged, or wait, beside its one queue.", &broken);
}

#[test]
fn every_unsafe_block_says_why() {
    let keyword = concat!("un", "safe");
    let mut broken = Vec::new();
    for file in rust() {
        let mut explained = false;
        for (number, line) in file.lines() {
            let code = code_of(line);
            let is_used = words(&code).any(|word| word == keyword);
            if is_used && !explained {
                broken.push(file.at(number, line.trim()));
            }
            let line = line.trim_start();
            // An attribute between the comment and the block hides nothing; one with a reason explains.
            explained = line.starts_with("//")
                || (line.starts_with("#[") && (explained || line.contains("reason = ")))
                || (line.starts_with(']') && explained);
        }
    }
    check("Say on the line before (`// SAFETY: …`) why the compiler may be told to trust this.", &broken);
}

#[test]
fn every_limit_has_its_reason() {
    let limits = file("firmware/core/src/limits.rs");
    let mut broken = Vec::new();
    let mut count = 0;
    let mut documented = false;
    for (number, line) in limits.lines() {
        if line.trim_start().starts_with("pub const ") {
            count += 1;
            if !documented {
                broken.push(limits.at(number, line.trim()));
            }
        }
        let line = line.trim_start();
        documented = line.starts_with("///") || (documented && line.starts_with("#["));
    }
    assert!(count > 0, "no limit was found in {}", limits.path);
    check("A bound without a reason cannot be changed by anybody.", &broken);
}

/// Where code of the files that `is_bound` picks uses one of `names`; comments and strings do not count.
fn uses(is_bound: impl Fn(&File) -> bool, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust().filter(|file| is_bound(file)) {
        for (number, line) in file.lines() {
            let code = code_of(line);
            found.extend(names.iter().filter(|name| code.contains(**name)).map(|name| file.at(number, name)));
        }
    }
    found
}

/// A line without its comment and without what stands in its strings. Strings over several lines are not
/// followed, which at worst reports too much.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => break,
            // A quotation mark as a character.
            '\'' if chars.peek() == Some(&'"') => {
                chars.next();
            }
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
                code.push_str("\"\"");
            }
            _ => code.push(c),
        }
    }
    code
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[test]
fn the_rules_see_code_only() {
    assert_eq!(code_of(r#"let a = "b // \" c"; // d"#), r#"let a = ""; "#);
    assert_eq!(code_of(r#"split('"') == x"#), "split(') == x");
    assert_eq!(words("a_b::c(d)").collect::<Vec<_>>(), ["a_b", "", "c", "d", ""]);
}
