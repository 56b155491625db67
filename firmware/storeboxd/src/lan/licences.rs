//! What the image consists of, under which terms, and how to get its source: the notices its licences ask for.
//!
//! The files come with the image; a box on a desk has none and says so.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use axum::extract::Path as Address;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use storebox_core::limits::NOTICE_BYTES;
use tokio::task::spawn_blocking;

use super::problem::Problem;

/// Where the image keeps a folder of documents for every package.
const DOCUMENTS: &str = "/usr/share/doc";
/// Our own folder there.
const OURS: &str = "storebox";
/// The offer of source code.
const OFFER: &str = "WRITTEN-OFFER";
/// The bill of materials (CycloneDX).
const BILL: &str = "sbom.cdx.json";

/// The list of everything.
pub async fn page() -> Response {
    let found = spawn_blocking(|| Notices::read(Path::new(DOCUMENTS))).await.unwrap_or_default();
    let mut response = found.render().into_string().into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// One package's terms, or one of our own files.
pub async fn notice(Address(name): Address<String>) -> Response {
    let text = spawn_blocking(move || text(Path::new(DOCUMENTS), &name)).await;
    match text {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Ok(Err(_)) | Err(_) => Problem::not_found("there is no such notice: see /licences").into_response(),
    }
}

/// What there is to show.
#[derive(Debug, Default, PartialEq, Eq)]
struct Notices {
    /// Empty on a desk.
    offer: String,
    packages: Vec<String>,
}

impl Notices {
    fn read(documents: &Path) -> Self {
        // Without the offer this is not the image, and what is installed here is not ours to speak of.
        let Ok(offer) = text(documents, OFFER) else { return Self::default() };
        let entries = fs::read_dir(documents).into_iter().flatten().flatten();
        let mut packages: Vec<String> = entries
            .filter(|entry| entry.path().join("copyright").exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        packages.sort();
        Self { offer, packages }
    }

    fn render(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Licences – store box" }
                    link rel="stylesheet" href="/page.css";
                }
                body {
                    main {
                        h1 { "Licences" }
                        p { "The store box's own programs are under the MIT licence or the Apache licence 2.0, at your choice." }
                        @if self.offer.is_empty() {
                            p { "This box runs outside of its image, with the libraries of the machine it is on." }
                        } @else {
                            @for part in self.offer.split("\n\n") { p { (part) } }
                            p { a href={ "/licences/" (BILL) } { "Bill of materials" } " (CycloneDX), with the crates in our programs" }
                            h2 { "Packages in this image" }
                            ul { @for name in &self.packages { li { a href={ "/licences/" (name) } { (name) } } } }
                        }
                    }
                }
            }
        }
    }
}

/// Reads a notice by its name in an address.
fn text(documents: &Path, name: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(place(documents, name)?)?.take(NOTICE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Names are those of packages (Debian policy, 5.6.1) or of our own two files; nothing else leads anywhere.
fn place(documents: &Path, name: &str) -> io::Result<PathBuf> {
    if name == OFFER || name == BILL {
        return Ok(documents.join(OURS).join(name));
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+.-".contains(&c));
    is_name.then(|| documents.join(name).join("copyright")).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_listed_and_nothing_else_can_be_read() {
        let folder = std::env::temp_dir().join(format!("storebox-licences-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("storebox/secret", "not to be read");
        write("libc6/copyright", "LGPL");
        assert_eq!(Notices::read(&folder), Notices::default());
        assert!(Notices::default().render().into_string().contains("outside of its image"));

        write("storebox/WRITTEN-OFFER", "On request.\n\nFor three years.");
        let found = Notices::read(&folder);
        assert_eq!(found.packages, ["libc6"]);
        let page = found.render().into_string();
        assert!(page.contains("For three years.") && page.contains("href=\"/licences/libc6\""), "{page}");
        assert_eq!(text(&folder, "libc6").unwrap(), "LGPL");
        for name in ["../storebox/secret", "storebox", "libc6/../storebox", ".", "..", "", "LIBC6"] {
            assert!(text(&folder, name).is_err(), "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
