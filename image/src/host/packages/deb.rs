//! Reading Debian packages (`man 5 deb`) without running anything of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, BufReader, Read, Take};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use tar::{Archive, Entry, EntryType};

use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::index::Stanza;

/// Members of an `ar` archive that are looked at; a package has three.
const MEMBERS_MAX: u32 = 16;
/// Bytes of a package's control file; the longest have 100 kB.
const CONTROL_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a text read from a package.
const TEXT_MAX: u64 = 16 * 1024 * 1024;
/// Folders that are links into `usr` on a merged system.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Unpacks a package's files below `into`, and gives their paths, sorted as in the package.
///
/// `filter` is asked for each path (`usr/bin/x`, without a slash in front). What a package has in `/bin`, `/sbin`,
/// `/lib` and `/lib64` lands in `usr`. Modes and times are kept, owners are not, and no file is setuid or setgid.
/// Folders above a file that are not in the package get mode 0755.
///
/// # Errors
/// When the package is damaged, would write outside of `into` or through a link, holds a device, or the disk fails.
/// Part of it may have been unpacked.
pub fn unpack(deb: &Path, into: &Path, mut filter: impl FnMut(&str) -> bool) -> Result<Vec<String>, Failure> {
    let what = || format!("cannot unpack {}", deb.display());
    files::make_folder(into)?;
    let mut paths = Vec::new();
    let mut folders = Vec::new();
    let mut archive = Archive::new(member(deb, "data.tar").or_fail(what)?);
    for entry in archive.entries().or_fail(what)? {
        let mut entry = entry.or_fail(what)?;
        let name = entry_path(&entry).or_fail(what)?;
        if name.is_empty() || !filter(&name) {
            continue;
        }
        unpack_entry(&mut entry, &name, into, &mut folders).or_fail(|| format!("{}: {name}", what()))?;
        paths.push(name);
    }
    // Only now, as files in a folder change its time.
    for (path, mtime_s) in folders.iter().rev() {
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(*mtime_s));
        File::open(path).and_then(|folder| folder.set_times(times)).or_fail(what)?;
    }
    Ok(paths)
}

/// The fields of a package's control file.
///
/// # Errors
/// When the package is damaged.
pub fn control(deb: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let what = || format!("cannot read {}", deb.display());
    let mut archive = Archive::new(member(deb, "control.tar").or_fail(what)?);
    for entry in archive.entries().or_fail(what)? {
        let entry = entry.or_fail(what)?;
        if entry_path(&entry).or_fail(what)? == "control" {
            let mut text = String::new();
            entry.take(CONTROL_MAX).read_to_string(&mut text).or_fail(what)?;
            let stanza = Stanza::parse(&text);
            return Ok(stanza.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        }
    }
    Err(Failure::new(format!("{}: it has no control file", what())))
}

/// The text of files of a package, by path, as `unpack` names them. What is no UTF-8 is replaced.
///
/// # Errors
/// When the package is damaged.
pub fn texts(deb: &Path, mut filter: impl FnMut(&str) -> bool) -> Result<BTreeMap<String, String>, Failure> {
    let what = || format!("cannot read {}", deb.display());
    let mut found = BTreeMap::new();
    let mut archive = Archive::new(member(deb, "data.tar").or_fail(what)?);
    for entry in archive.entries().or_fail(what)? {
        let entry = entry.or_fail(what)?;
        let name = entry_path(&entry).or_fail(what)?;
        if entry.header().entry_type().is_file() && filter(&name) {
            let mut bytes = Vec::new();
            entry.take(TEXT_MAX).read_to_end(&mut bytes).or_fail(what)?;
            found.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(found)
}

/// Unpacks an xz file that holds text.
///
/// # Errors
/// When it is damaged, has more than `size_max` bytes, or is no UTF-8.
pub fn unpack_text(path: &Path, size_max: u64) -> Result<String, Failure> {
    let what = || format!("cannot unpack {}", path.display());
    let file = File::open(path).or_fail(what)?;
    let mut text = String::new();
    let mut reader = liblzma::read::XzDecoder::new(BufReader::new(file)).take(size_max.saturating_add(1));
    reader.read_to_string(&mut text).or_fail(what)?;
    if reader.limit() == 0 {
        return Err(Failure::new(format!("{}: it is longer than {size_max} bytes", what())));
    }
    Ok(text)
}

/// Opens the member whose name begins with `name`, unpacking it as its ending says.
fn member(deb: &Path, name: &str) -> io::Result<Box<dyn Read>> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut file = BufReader::new(File::open(deb)?);
    let mut magic = [0; 8];
    file.read_exact(&mut magic)?;
    if &magic != b"!<arch>\n" {
        return Err(bad("it is no Debian package"));
    }
    for _ in 0..MEMBERS_MAX {
        // Name, time, owner, group, mode, size, end: text in columns of fixed width.
        let mut header = [0; 60];
        file.read_exact(&mut header)?;
        let header = std::str::from_utf8(&header).map_err(|_| bad("a header is damaged"))?;
        let column = |from: usize, to: usize| header.get(from..to).map(str::trim).unwrap_or_default();
        let size: u64 = column(48, 58).parse().map_err(|_| bad("a size is damaged"))?;
        if header.get(58..) != Some("`\n") {
            return Err(bad("a header is damaged"));
        }
        let found = column(0, 16).trim_end_matches('/');
        if let Some(ending) = found.strip_prefix(name) {
            let content: Take<_> = file.take(size);
            return Ok(match ending {
                "" => Box::new(content),
                ".gz" => Box::new(flate2::read::GzDecoder::new(content)),
                ".xz" => Box::new(liblzma::read::XzDecoder::new(content)),
                ".zst" => Box::new(zstd::stream::read::Decoder::with_buffer(content)?),
                _ => return Err(bad("it is compressed in an unknown way")),
            });
        }
        // Members begin at even places.
        let skip = i64::try_from(size.next_multiple_of(2)).map_err(|_| bad("a size is damaged"))?;
        file.seek_relative(skip)?;
    }
    Err(bad("it lacks a member"))
}

/// The path of an entry below the root, without the detour over the links of a merged system.
fn entry_path<R: Read>(entry: &Entry<'_, R>) -> io::Result<String> {
    merged(&entry.path_bytes()).ok_or_else(|| io::Error::other("a path leads out of the root or is no UTF-8"))
}

fn merged(path: &[u8]) -> Option<String> {
    let path = Path::new(std::str::from_utf8(path).ok()?);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    let joined = parts.join("/");
    let is_inside = parts.len() > 1 && parts.first().is_some_and(|first| MERGED.contains(first));
    Some(if is_inside { format!("usr/{joined}") } else { joined })
}

fn unpack_entry<R: Read>(
    entry: &mut Entry<'_, R>,
    name: &str,
    into: &Path,
    folders: &mut Vec<(PathBuf, u64)>,
) -> io::Result<()> {
    let kind = entry.header().entry_type();
    let mtime_s = entry.header().mtime()?;
    let mode = entry.header().mode()? & 0o1777;
    let name = if kind == EntryType::Directory && MERGED.contains(&name) { format!("usr/{name}") } else { name.into() };
    let path = place(into, &name)?;
    match kind {
        EntryType::Directory => {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(io::Error::other("a folder would replace something else")),
                Err(_) => fs::create_dir(&path)?,
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            folders.push((path, mtime_s));
        }
        EntryType::Regular | EntryType::Continuous => {
            make_way(&path)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            io::copy(entry, &mut file)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.set_modified(UNIX_EPOCH + Duration::from_secs(mtime_s))?;
        }
        EntryType::Symlink => {
            let target = entry.link_name_bytes().ok_or_else(|| io::Error::other("a link leads nowhere"))?;
            let target = std::str::from_utf8(&target).map_err(io::Error::other)?.to_owned();
            if !stays_inside(&name, &target) {
                return Err(io::Error::other(format!("the link leads out of the root: {target}")));
            }
            make_way(&path)?;
            symlink(OsStr::new(&target), &path)?;
            let time = TimeSpec::new(i64::try_from(mtime_s).map_err(io::Error::other)?, 0);
            utimensat(AT_FDCWD, &path, &time, &time, UtimensatFlags::NoFollowSymlink)?;
        }
        EntryType::Link => {
            let target = entry.link_name_bytes().and_then(|target| merged(&target));
            let target = target.ok_or_else(|| io::Error::other("a hard link leads out of the root"))?;
            let target = place(into, &target)?;
            if !fs::symlink_metadata(&target)?.is_file() {
                return Err(io::Error::other("a hard link to what is no file"));
            }
            make_way(&path)?;
            fs::hard_link(target, &path)?;
        }
        other => return Err(io::Error::other(format!("an entry of kind {other:?}"))),
    }
    Ok(())
}

/// The path below `into`, with the folders above it made. No part above it may be a link: it could lead anywhere.
fn place(into: &Path, name: &str) -> io::Result<PathBuf> {
    let mut path = into.to_owned();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        if parts.peek().is_some() {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(io::Error::other(format!("{} is no folder", path.display()))),
                Err(_) => {
                    fs::create_dir(&path)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                }
            }
        }
    }
    Ok(path)
}

/// Removes what has the name, as a newer package replaces an older one's file. A folder stays, and is an error later.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a link is absolute, which means the root it is in, or climbs no higher than that root.
fn stays_inside(name: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return !target.split('/').any(|part| part == "..");
    }
    let mut depth = name.split('/').count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(higher) => depth = higher,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// What a test package holds: kind, path, mode, and content or target.
    type Part<'a> = (EntryType, &'a str, u32, &'a str);

    fn tar_of(parts: &[Part<'_>]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, path, mode, content) in parts {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_mtime(1_700_000_000);
            // Set by hand: the library refuses the paths that are to be refused here.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            if is_link {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            let data = if is_link { "" } else { *content };
            header.set_size(u64::try_from(data.len()).unwrap());
            header.set_cksum();
            tar.append(&header, data.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn ar_of(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut ar = b"!<arch>\n".to_vec();
        for (name, content) in members {
            writeln!(ar, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len()).unwrap();
            ar.extend(content);
            if content.len() % 2 == 1 {
                ar.push(b'\n');
            }
        }
        ar
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(bytes, 0).read_to_end(&mut packed).unwrap();
        packed
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
        packed
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("storebox-deb-{name}-{}", std::process::id()));
            files::make_empty(&folder).unwrap();
            Self(folder)
        }

        fn deb(&self, ending: &str, data: &[u8]) -> PathBuf {
            let path = self.0.join("a.deb");
            let control =
                tar_of(&[(EntryType::Regular, "./control", 0o644, "Package: a\nVersion: 1\nDescription: b\n c\n")]);
            let members =
                [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", gz(&control)), (ending, data.to_vec())];
            fs::write(&path, ar_of(&members)).unwrap();
            path
        }

        fn root(&self) -> PathBuf {
            self.0.join("root")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_package_is_unpacked_as_it_was_meant() {
        let place = Place::new("whole");
        let data = tar_of(&[
            (EntryType::Directory, "./", 0o755, ""),
            (EntryType::Directory, "./bin/", 0o755, ""),
            (EntryType::Regular, "./bin/a", 0o4755, "program"),
            (EntryType::Link, "./bin/b", 0o755, "./bin/a"),
            (EntryType::Symlink, "./usr/bin/c", 0o777, "../lib/c"),
            (EntryType::Symlink, "./etc/d", 0o777, "/usr/share/d"),
            (EntryType::Directory, "./usr/share/doc/", 0o700, ""),
            (EntryType::Regular, "./usr/share/doc/e", 0o600, "text"),
        ]);
        let packed = zstd::stream::encode_all(&data[..], 1).unwrap();
        for (ending, data) in
            [("data.tar.xz", xz(&data)), ("data.tar.zst", packed), ("data.tar.gz", gz(&data)), ("data.tar", data)]
        {
            let deb = place.deb(ending, &data);
            let root = place.root();
            files::make_empty(&root).unwrap();
            let paths = unpack(&deb, &root, |path| path != "usr/share/doc/e").unwrap();
            assert_eq!(paths, ["bin", "usr/bin/a", "usr/bin/b", "usr/bin/c", "etc/d", "usr/share/doc"], "{ending}");
            let found = fs::metadata(root.join("usr/bin/a")).unwrap();
            assert_eq!((found.mode() & 0o7777, found.mtime(), found.nlink()), (0o755, 1_700_000_000, 2));
            assert_eq!(fs::read_link(root.join("usr/bin/c")).unwrap(), Path::new("../lib/c"));
            assert_eq!(fs::symlink_metadata(root.join("etc/d")).unwrap().mtime(), 1_700_000_000);
            let folder = fs::metadata(root.join("usr/share/doc")).unwrap();
            assert_eq!((folder.mode() & 0o777, folder.mtime()), (0o700, 1_700_000_000));
            assert!(!root.join("bin").exists() && !root.join("usr/share/doc/e").exists());
            // Again, over what is there.
            unpack(&deb, &root, |_| true).unwrap();
            assert_eq!(texts(&deb, |path| path.starts_with("usr/share/doc/")).unwrap()["usr/share/doc/e"], "text");
        }
    }

    #[test]
    fn nothing_is_written_outside_of_the_root() {
        use EntryType::{Block, Link, Regular, Symlink};
        let place = Place::new("outside");
        let outside = place.0.join("outside");
        let lists: [&[Part<'_>]; 6] = [
            &[(Regular, "../outside", 0o644, "x")],
            &[(Regular, "usr/../../outside", 0o644, "x")],
            &[(Symlink, "a/out", 0o777, "../../outside"), (Regular, "a/out", 0o644, "x")],
            &[(Symlink, "out", 0o777, "/tmp"), (Regular, "out/storebox-outside", 0o644, "x")],
            &[(Link, "out", 0o777, "../outside")],
            &[(Block, "dev/sda", 0o644, "")],
        ];
        for list in lists {
            fs::write(&outside, "mine").unwrap();
            let deb = place.deb("data.tar", &tar_of(list));
            files::make_empty(&place.root()).unwrap();
            assert!(unpack(&deb, &place.root(), |_| true).is_err(), "{list:?}");
            assert_eq!(fs::read_to_string(&outside).unwrap(), "mine", "{list:?}");
            assert!(!Path::new("/tmp/storebox-outside").exists());
        }
    }

    #[test]
    fn the_control_file_is_read() {
        let place = Place::new("control");
        let fields = control(&place.deb("data.tar", &tar_of(&[]))).unwrap();
        assert_eq!((fields["Package"].as_str(), fields["Description"].as_str()), ("a", "b\n c"));
    }

    #[test]
    fn damage_is_an_error() {
        let place = Place::new("damage");
        let data = xz(&tar_of(&[(EntryType::Regular, "a", 0o644, "text")]));
        let deb = place.deb("data.tar.xz", &data);
        let good = fs::read(&deb).unwrap();
        for damage in [good[..good.len() / 2].to_vec(), b"!<arch>\n".to_vec(), b"PK".to_vec(), good[8..].to_vec()] {
            fs::write(&deb, damage).unwrap();
            assert!(unpack(&deb, &place.root(), |_| true).is_err());
        }
        let deb = place.deb("data.tar.lzma", &data);
        assert!(unpack(&deb, &place.root(), |_| true).is_err());
    }
}
