//! The bill of materials of an image: CycloneDX 1.6 in JSON. The same commit and lock give the same bytes.

mod crates;
mod licences;

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use storebox_hardware::boards::Board;

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::config::Config;
use crate::host::packages::lock::{Lock, Package};
use crate::host::packages::{Obtained, lock_path};
use crate::host::programs::triple;
use crate::host::sbom::crates::Crates;
use crate::host::sbom::licences::Licences;
use crate::host::source::Source;
use crate::host::sources::libc_linked;
use crate::host::toolroot;

/// Writes the bill: the locked packages of the board, and the crates in its programs.
///
/// # Errors
/// When a package cannot be read, or cargo does not say what the programs consist of.
pub fn document(board: &Board, obtained: &Obtained, source: &Source) -> Result<String, Failure> {
    let crates = Crates::of_programs(source.folder(), triple(board.architecture))?;
    let base = source.folder().join("image/base");
    let tools = Lock::read(&lock_path(&base, toolroot::SET))?;
    let architecture = &Config::read(&base.join("packages.toml"))?.set(&obtained.lock.set)?.architecture.clone();
    let compiled_in = compiled_in(&rust_version(source.folder())?, &libc_linked(&tools, architecture)?);
    let licences = Licences::read(&obtained.files)?;
    let packages: Vec<_> = obtained.lock.packages().iter().map(|package| component(package, &licences)).collect();
    let image = format!("storebox-{}", board.name);
    let mut components = packages;
    let mut contained: Vec<_> = obtained.lock.packages().iter().map(reference).collect();
    contained.extend(crates.programs());
    components.extend(crates.components());
    contained.extend(compiled_in.iter().filter_map(|found| found.get("bom-ref")?.as_str().map(str::to_owned)));
    components.extend(compiled_in);
    let mut dependencies = vec![json!({ "ref": image, "dependsOn": contained })];
    dependencies.extend(crates.dependencies());
    let epoch_s = i64::try_from(source.epoch_s()).or_fail(|| "the source's time is out of range".to_owned())?;
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(epoch_s)?,
            "tools": { "components": [{ "type": "application", "name": "storebox-image", "version": source.version() }] },
            "component": {
                "bom-ref": image,
                "type": "firmware",
                "name": image,
                "version": source.version(),
                "properties": [
                    { "name": "storebox:lock", "value": obtained.lock.digest() },
                    { "name": "storebox:relocked", "value": obtained.relocked.to_string() },
                ],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    finish(bill)
}

/// What the compiler puts into the programs: Rust's standard library, and the C library of the static first program.
fn compiled_in(rust: &str, libc: &str) -> Vec<Value> {
    let (name, version) = libc.split_once(' ').unwrap_or((libc, ""));
    vec![
        json!({
            "bom-ref": "rust-std",
            "type": "library",
            "name": "rust-std",
            "version": rust,
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        }),
        json!({
            "bom-ref": "libc-static",
            "type": "library",
            "name": name,
            "version": version,
            "purl": format!("pkg:deb/debian/{}@{}?arch=source", encoded(name), encoded(version)),
            "description": "Linked into storebox-initramfs.",
            "licenses": [{ "license": { "id": "LGPL-2.1-or-later" } }],
        }),
    ]
}

/// The version of the pinned toolchain.
fn rust_version(tree: &Path) -> Result<String, Failure> {
    let path = tree.join("rust-toolchain.toml");
    let file: toml::Table = toml::from_str(&files::read_text(&path)?).or_fail(|| path.display().to_string())?;
    let channel = file.get("toolchain").and_then(|toolchain| toolchain.get("channel")?.as_str());
    channel.map(str::to_owned).ok_or_else(|| Failure::new(format!("{} names no channel", path.display())))
}

/// Adds the serial number, which follows from everything else, and makes text of it.
fn finish(mut bill: Value) -> Result<String, Failure> {
    let text = serde_json::to_string(&bill).or_fail(|| "the bill of materials cannot be written".to_owned())?;
    let mut number: String = format!("{:x}", Sha256::digest(text)).chars().take(32).collect();
    // A UUID of version 8 (RFC 9562, section 5.8): made as its maker likes.
    number.replace_range(12..13, "8");
    number.replace_range(16..17, "8");
    for at in [20, 16, 12, 8] {
        number.insert(at, '-');
    }
    if let Some(fields) = bill.as_object_mut() {
        fields.insert("serialNumber".to_owned(), Value::String(format!("urn:uuid:{number}")));
    }
    let text = serde_json::to_string_pretty(&bill).or_fail(|| "the bill of materials cannot be written".to_owned())?;
    Ok(text + "\n")
}

fn component(package: &Package, licences: &Licences) -> Value {
    let is_firmware =
        ["firmware-", "raspi-firmware", "intel-microcode"].iter().any(|start| package.name.starts_with(start));
    let found = licences.of(package);
    let mut properties = vec![json!({ "name": "debian:source", "value": package.source })];
    properties.extend(package.built_using.iter().map(|other| json!({ "name": "debian:built-using", "value": other })));
    properties.push(json!({ "name": "debian:copyright-file", "value": found.evidence }));
    json!({
        "bom-ref": reference(package),
        "type": if is_firmware { "firmware" } else { "library" },
        "name": package.name,
        "version": package.version,
        "purl": format!(
            "pkg:deb/debian/{}@{}?arch={}",
            encoded(&package.name), encoded(&package.version), encoded(&package.architecture)
        ),
        "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
        "licenses": found.licences,
        "properties": properties,
    })
}

fn reference(package: &Package) -> String {
    format!("deb:{}:{}", package.name, package.architecture)
}

/// Percent-encodes a part of a package URL (purl specification).
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn timestamp(epoch_s: i64) -> Result<String, Failure> {
    let at = jiff::Timestamp::from_second(epoch_s).map_err(|error| error.to_string());
    Ok(at.or_fail(|| "the source's time is out of range".to_owned())?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_becomes_a_component() {
        let package = Package {
            name: "libstdc++6".into(),
            version: "1:14.2~a+b-1".into(),
            architecture: "amd64".into(),
            source: "gcc-14 14.2".into(),
            built_using: vec!["linux 7".into()],
            archive: "debian".into(),
            path: "pool/a.deb".into(),
            size: 1,
            sha256: "ab".repeat(32),
        };
        let found = component(&package, &Licences::default());
        assert_eq!(found["purl"], "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2~a%2Bb-1?arch=amd64");
        assert_eq!(found["hashes"][0]["content"], "ab".repeat(32));
        assert_eq!(found["licenses"][0]["license"]["name"], "NOASSERTION");
        assert_eq!(found["properties"][1], json!({ "name": "debian:built-using", "value": "linux 7" }));
    }

    #[test]
    fn the_serial_number_follows_from_the_content() {
        let serial = |bill: Value| {
            let text = finish(bill).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()["serialNumber"].as_str().unwrap().to_owned()
        };
        let first = serial(json!({ "a": 1 }));
        assert_eq!(first, serial(json!({ "a": 1 })));
        assert_ne!(first, serial(json!({ "a": 2 })));
        let parts: Vec<_> = first.strip_prefix("urn:uuid:").unwrap().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&first[23..24], "8", "the version");
    }

    #[test]
    fn what_the_compiler_adds_is_listed() {
        let found = compiled_in("1.95.0", "glibc 2.41-11");
        assert_eq!((&found[0]["name"], &found[0]["version"]), (&json!("rust-std"), &json!("1.95.0")));
        assert_eq!(found[1]["purl"], "pkg:deb/debian/glibc@2.41-11?arch=source");
    }

    #[test]
    fn the_time_is_that_of_the_source() {
        assert_eq!(timestamp(1_795_140_670).unwrap(), "2026-11-20T02:11:10Z");
    }
}
