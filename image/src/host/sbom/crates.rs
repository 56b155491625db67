//! The crates in the box's programs, as cargo resolves them for the board.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::sbom::encoded;
use crate::host::toolroot::run;

/// The packages whose programs are in the image.
const PROGRAMS: [&str; 4] = ["storebox-helper", "storebox-initramfs", "storebox-screen", "storeboxd"];

/// Crates and what they need, by cargo's identifiers.
pub(super) struct Crates {
    crates: BTreeMap<String, Crate>,
    needs: BTreeMap<String, BTreeSet<String>>,
    checksums: BTreeMap<(String, String), String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Clone, Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Where it comes from; nothing for what is in the tree.
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Clone, Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Need>,
}

#[derive(Deserialize)]
struct Need {
    pkg: String,
    dep_kinds: Vec<NeedKind>,
}

#[derive(Deserialize)]
struct NeedKind {
    /// `build` or `dev`; nothing for what is linked.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct LockFile {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Crates {
    /// What the programs of the tree consist of on a Rust target.
    ///
    /// # Errors
    /// When cargo does not say.
    pub(super) fn of_programs(tree: &Path, target: &str) -> Result<Self, Failure> {
        let mut command = Command::new("cargo");
        command.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]).current_dir(tree);
        // Set by the cargo that runs this program, for this program's own build.
        for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR"] {
            command.env_remove(variable);
        }
        let metadata = run(command, "cargo metadata")?;
        Self::parse(&metadata, &files::read_text(&tree.join("Cargo.lock"))?)
    }

    fn parse(metadata: &str, lock: &str) -> Result<Self, Failure> {
        let metadata: Metadata =
            serde_json::from_str(metadata).or_fail(|| "cargo's metadata is not understood".into())?;
        let lock: LockFile = toml::from_str(lock).or_fail(|| "Cargo.lock is not understood".into())?;
        let all: BTreeMap<_, _> = metadata.packages.into_iter().map(|found| (found.id.clone(), found)).collect();
        let is_linked = |id: &str| {
            // A macro runs in the compiler, and what only it needs does too.
            all.get(id)
                .is_some_and(|found| !found.targets.iter().any(|target| target.kind.contains(&"proc-macro".into())))
        };
        let needs: BTreeMap<_, _> = metadata
            .resolve
            .nodes
            .iter()
            .map(|node| {
                let linked = node.deps.iter().filter(|need| need.dep_kinds.iter().any(|kind| kind.kind.is_none()));
                let linked: BTreeSet<_> = linked.map(|need| need.pkg.clone()).filter(|id| is_linked(id)).collect();
                (node.id.clone(), linked)
            })
            .collect();
        let mut ahead: Vec<_> = all.values().filter(|found| is_program(found)).map(|found| found.id.clone()).collect();
        if ahead.len() != PROGRAMS.len() {
            return Err(Failure::new(format!("the tree does not have all of the crates {}", PROGRAMS.join(", "))));
        }
        let mut reached = BTreeSet::new();
        while let Some(id) = ahead.pop() {
            if reached.insert(id.clone()) {
                ahead.extend(needs.get(&id).into_iter().flatten().cloned());
            }
        }
        let checksums =
            lock.package.into_iter().filter_map(|found| Some(((found.name, found.version), found.checksum?)));
        Ok(Self {
            crates: all.into_iter().filter(|(id, _)| reached.contains(id)).collect(),
            needs: needs.into_iter().filter(|(id, _)| reached.contains(id)).collect(),
            checksums: checksums.collect(),
        })
    }

    /// Every crate as a component, by name and version.
    pub(super) fn components(&self) -> Vec<Value> {
        self.sorted().into_iter().map(|found| self.component(found)).collect()
    }

    /// The references of the programs.
    pub(super) fn programs(&self) -> Vec<String> {
        self.sorted().into_iter().filter(|found| is_program(found)).map(reference).collect()
    }

    /// What each crate needs.
    pub(super) fn dependencies(&self) -> Vec<Value> {
        let needs = |found: &Crate| -> BTreeSet<String> {
            let ids = self.needs.get(&found.id).into_iter().flatten();
            ids.filter_map(|id| self.crates.get(id)).map(reference).collect()
        };
        self.sorted().into_iter().map(|found| json!({ "ref": reference(found), "dependsOn": needs(found) })).collect()
    }

    fn sorted(&self) -> Vec<&Crate> {
        let mut all: Vec<_> = self.crates.values().collect();
        // Not by cargo's identifiers: those of the tree's own crates hold the path of the tree.
        all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        all
    }

    fn component(&self, found: &Crate) -> Value {
        let mut component = json!({
            "bom-ref": reference(found),
            "type": if is_program(found) { "application" } else { "library" },
            "name": found.name,
            "version": found.version,
            "purl": format!("pkg:cargo/{}@{}", encoded(&found.name), encoded(&found.version)),
            "licenses": match &found.license {
                // Older crates write a slash for "or".
                Some(licence) => json!([{ "expression": licence.replace('/', " OR ").replace("  ", " ") }]),
                None => json!([{ "license": { "name": "NOASSERTION" } }]),
            },
        });
        let checksum = self.checksums.get(&(found.name.clone(), found.version.clone()));
        if let (Some(fields), Some(checksum)) = (component.as_object_mut(), checksum) {
            fields.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": checksum }]));
        }
        component
    }
}

fn is_program(found: &Crate) -> bool {
    found.source.is_none() && PROGRAMS.contains(&found.name.as_str())
}

fn reference(found: &Crate) -> String {
    format!("cargo:{}@{}", found.name, found.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> String {
        let package = |name: &str, source: Option<&str>, kind: &str| {
            json!({ "id": format!("path+file:///tree#{name}"), "name": name, "version": "1.0.0", "source": source,
                    "license": if name == "linked" { Some("MIT/Apache-2.0") } else { None }, "targets": [{ "kind": [kind] }] })
        };
        let need = |name: &str, kind: Option<&str>| json!({ "pkg": format!("path+file:///tree#{name}"), "dep_kinds": [{ "kind": kind, "target": null }] });
        let node = |name: &str, deps: Vec<Value>| json!({ "id": format!("path+file:///tree#{name}"), "deps": deps });
        let mut packages: Vec<_> = PROGRAMS.iter().map(|name| package(name, None, "bin")).collect();
        for name in ["linked", "built", "tested", "unused", "deep"] {
            packages.push(package(name, Some("registry+a"), "lib"));
        }
        packages.push(package("macro", Some("registry+a"), "proc-macro"));
        let nodes = vec![
            node("storeboxd", vec![need("linked", None), need("built", Some("build")), need("tested", Some("dev"))]),
            node("linked", vec![need("deep", None), need("macro", None)]),
            node("macro", vec![need("unused", None)]),
        ];
        json!({ "packages": packages, "resolve": { "nodes": nodes } }).to_string()
    }

    #[test]
    fn only_what_is_linked_is_listed() {
        let lock = format!("[[package]]\nname = \"linked\"\nversion = \"1.0.0\"\nchecksum = \"{}\"\n", "ab".repeat(32));
        let crates = Crates::parse(&metadata(), &lock).unwrap();
        let components = crates.components();
        let names: Vec<_> = components.iter().map(|found| found["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["deep", "linked", "storebox-helper", "storebox-initramfs", "storebox-screen", "storeboxd"]);
        assert_eq!(components[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[1]["hashes"][0]["content"], "ab".repeat(32));
        assert_eq!(components[0]["licenses"][0]["license"]["name"], "NOASSERTION");
        assert_eq!(components[5]["type"], "application");
        let dependencies = crates.dependencies();
        assert_eq!(dependencies[1], json!({ "ref": "cargo:linked@1.0.0", "dependsOn": ["cargo:deep@1.0.0"] }));
        assert!(!dependencies.iter().any(|found| found.to_string().contains("/tree")), "no path of this machine");
    }

    #[test]
    fn a_tree_without_a_program_is_refused() {
        let without = metadata().replace("\"storebox-screen\"", "\"other\"");
        assert!(Crates::parse(&without, "package = []\n").is_err());
    }
}
