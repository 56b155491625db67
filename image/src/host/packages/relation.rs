//! Relations between packages: the fields `Depends`, `Pre-Depends` and `Provides` (Debian policy 4.7, chapter 7).

use std::cmp::Ordering;
use std::fmt;

use crate::host::packages::version;

/// One of the ways to satisfy a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The name of a package, real or virtual.
    pub name: String,
    /// What follows the colon of `name:any` or `name:arm64`.
    pub architecture: Option<String>,
    /// Which versions will do; all when there is none.
    pub versions: Option<(Relation, String)>,
}

/// How a version must stand to the one a relation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<<`
    Earlier,
    /// `<=`, and the deprecated `<`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`, and the deprecated `>`
    AtLeast,
    /// `>>`
    Later,
}

impl Relation {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<<" => Self::Earlier,
            "<=" | "<" => Self::AtMost,
            "=" => Self::Exactly,
            ">=" | ">" => Self::AtLeast,
            ">>" => Self::Later,
            _ => return None,
        })
    }

    /// Whether `found` stands to `wanted` as the relation says.
    pub fn holds(self, found: &str, wanted: &str) -> bool {
        let order = version::compare(found, wanted);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Exactly => order == Ordering::Equal,
            Self::AtLeast => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }
}

impl Alternative {
    /// Parses `name[:architecture] [(relation version)]`; `None` when it is none. Restrictions to architectures
    /// and build profiles do not occur in binary packages.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, versions) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let rest = rest.strip_suffix(')')?.trim();
                let end = rest.find(|c| !matches!(c, '<' | '=' | '>'))?;
                let (relation, wanted) = rest.split_at(end);
                (name.trim(), Some((Relation::parse(relation)?, wanted.trim().to_owned())))
            }
        };
        let (name, architecture) = match name.split_once(':') {
            None => (name, None),
            Some((name, architecture)) => (name, Some(architecture.to_owned())),
        };
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
        // Virtual packages of some languages hold capitals.
        let is_valid = !name.is_empty() && name.chars().all(|c| is_name(c) || c.is_ascii_uppercase() || c == '_');
        is_valid.then(|| Self { name: name.to_owned(), architecture, versions })
    }

    /// Whether a version will do.
    pub fn admits(&self, found: &str) -> bool {
        self.versions.as_ref().is_none_or(|(relation, wanted)| relation.holds(found, wanted))
    }

    /// Whether something that provides the name, maybe at a version, will do.
    pub fn admits_provided(&self, provided: Option<&str>) -> bool {
        match (&self.versions, provided) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(found)) => self.admits(found),
        }
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if let Some(architecture) = &self.architecture {
            write!(out, ":{architecture}")?;
        }
        if let Some((relation, version)) = &self.versions {
            let sign = match relation {
                Relation::Earlier => "<<",
                Relation::AtMost => "<=",
                Relation::Exactly => "=",
                Relation::AtLeast => ">=",
                Relation::Later => ">>",
            };
            write!(out, " ({sign} {version})")?;
        }
        Ok(())
    }
}

/// Parses a whole field: all of the dependencies, each satisfied by one of its alternatives. `None` when a part is
/// not understood.
pub fn parse(field: &str) -> Option<Vec<Vec<Alternative>>> {
    let parts = field.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split('|').map(Alternative::parse).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_dependencies_is_understood() {
        let field = "libc6 (>= 2.41), default-dbus | dbus-bus:any,\n python3:any (<< 3.14~), perlapi-5.40.1 (=  1:2)";
        let parsed = parse(field).unwrap();
        let shown: Vec<String> =
            parsed.iter().map(|part| part.iter().map(Alternative::to_string).collect::<Vec<_>>().join(" | ")).collect();
        let expected =
            ["libc6 (>= 2.41)", "default-dbus | dbus-bus:any", "python3:any (<< 3.14~)", "perlapi-5.40.1 (= 1:2)"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        for field in ["a (1.0)", "a (>= 1", "a b", "a |", "(>= 1)", "a (~ 1)"] {
            assert_eq!(parse(field), None, "{field}");
        }
    }

    #[test]
    fn a_version_is_held_against_the_relation() {
        let admits = |text: &str, found: &str| Alternative::parse(text).unwrap().admits(found);
        assert!(admits("a", "0") && admits("a (= 1-1)", "1-1") && !admits("a (= 1-1)", "1-2"));
        assert!(admits("a (<< 2)", "2~rc1") && !admits("a (<< 2)", "2"));
        assert!(admits("a (<= 2)", "2") && !admits("a (>> 2)", "2") && admits("a (>= 2)", "2"));
        // Only a versioned provision satisfies a versioned dependency.
        let versioned = Alternative::parse("a (>= 2)").unwrap();
        assert!(!versioned.admits_provided(None) && versioned.admits_provided(Some("3")));
    }
}
