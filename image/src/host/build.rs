//! From a board's name to its disk image.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storebox_hardware::boards::{Board, Boot};

use crate::host::clock;
use crate::host::disk::{self, Content, Partition};
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::packages::fetch::FetchOptions;
use crate::host::packages::obtain;
use crate::host::programs::Programs;
use crate::host::progress::{Progress, megabytes};
use crate::host::root;
use crate::host::sbom;
use crate::host::source::Source;
use crate::host::toolroot::ToolRoot;
use crate::host::verity::{self, Compression, PackedRoot};
use crate::host::{raspberry_pi, uefi};
use crate::layout::{DATA_LABEL, ESP_LABEL, SELECT_LABEL, SITE_LABEL, Slot, types};

/// How to build.
pub struct Options {
    /// Where everything is made and kept.
    pub output: PathBuf,
    /// Where compiled programs are kept for the next build.
    pub target: PathBuf,
    /// How hard to compress.
    pub compression: Compression,
    /// The Cargo profile of the programs.
    pub profile: String,
    /// How to get packages.
    pub fetch: FetchOptions,
}

/// What was built; written beside the image as `manifest.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The board.
    pub board: String,
    /// Version and commit.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The kernel command line of slot A.
    pub command_line: String,
    /// Bytes of the root's file system.
    pub root_bytes: u64,
    /// Bytes of the image as it is downloaded, compressed with zstd. Absent in a quick build.
    pub download_bytes: Option<u64>,
    /// SHA-256 of the image.
    pub image_sha256: String,
    /// Whether packages were resolved anew: such an image proves nothing about the locks.
    pub relocked: bool,
}

/// Builds a board's image.
///
/// # Errors
/// What went wrong, and what to do about it. An unfinished image never has the image's name.
pub fn build(board: &Board, source: &Source, options: &Options, progress: &mut Progress) -> Result<Manifest, Failure> {
    let begun = clock::monotonic();
    let was_cold = !Programs::are_compiled(&options.target, board.architecture, &options.profile);
    let work = &options.output.join("work");
    files::make_folder(work)?;
    let tools = ToolRoot::ready(&options.fetch, progress)?;
    let obtained = obtain(&board.package_set, &options.fetch, progress)?;
    let programs = Programs::build(&tools, source, board.architecture, &options.profile, &options.target, progress)?;
    let install = |root: &Path| programs.install(root);
    let root = root::compose(work, board, &obtained, &tools, source, install, progress)?;
    let bill = sbom::document(board, &obtained, source)?;
    files::write(&root.folder.join("usr/share/doc/storebox/sbom.cdx.json"), &bill)?;

    progress.note("packing the root");
    let packed = verity::pack(work, &tools, source, options.compression)?;
    let command_line = packed.command_line(Slot::A, &board.command_line);
    let initramfs = compress(&root.kernel.initramfs(&programs.init())?, options.compression)?;
    let boot = match board.boot {
        Boot::Uefi => uefi::files(work, &tools, source, board, &root, &initramfs, &command_line)?,
        Boot::RaspberryPi => raspberry_pi::files(board, &root, &initramfs, &command_line)?,
    };
    progress.note("writing the disk image");
    let partitions = partitions(board, &packed, boot);
    let disk = disk::write(work, &tools, source, &board.name, &partitions)?;
    disk::check_image(&disk, &partitions.iter().map(|partition| partition.label).collect::<Vec<_>>())?;

    let image = image_file(&options.output, board);
    std::fs::rename(&disk, &image).or_fail(|| format!("cannot name the image {}", image.display()))?;
    let manifest = Manifest {
        board: board.name.clone(),
        version: source.version().to_owned(),
        kernel: root.kernel.release.clone(),
        command_line,
        root_bytes: packed.file_system_bytes,
        download_bytes: download(&image, options.compression, progress)?,
        image_sha256: files::sha256(&image)?,
        relocked: tools.relocked || obtained.relocked,
    };
    files::write(&options.output.join(format!("storebox-{}.cdx.json", board.name)), &bill)?;
    let text = serde_json::to_string_pretty(&manifest).or_fail(|| "cannot write the manifest".to_owned())?;
    files::write(&options.output.join("manifest.json"), text + "\n")?;
    if options.compression == Compression::Release {
        BuildTimes::note(&options.output, was_cold, clock::monotonic().duration_since(begun))?;
    }
    Ok(manifest)
}

/// How long a board's image last took, kept beside it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct BuildTimes {
    /// Seconds, with its programs compiled on the way.
    pub cold_s: Option<u64>,
    /// Seconds, with its programs compiled before.
    pub warm_s: Option<u64>,
}

impl BuildTimes {
    const FILE: &str = "build-times.json";

    /// What is known of earlier builds into a folder.
    pub fn read(output: &Path) -> Self {
        let text = files::read_text(&output.join(Self::FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn note(output: &Path, was_cold: bool, took: Duration) -> Result<(), Failure> {
        let mut times = Self::read(output);
        *(if was_cold { &mut times.cold_s } else { &mut times.warm_s }) = Some(took.as_secs());
        let text = serde_json::to_string(&times).or_fail(|| "cannot write the times".to_owned())?;
        files::write(&output.join(Self::FILE), text + "\n")
    }
}

/// Where a board's image is.
pub fn image_file(output: &Path, board: &Board) -> PathBuf {
    output.join(format!("storebox-{}.img", board.name))
}

/// What is on the board's disk, in order. The data partition follows at the first boot.
fn partitions(board: &Board, packed: &PackedRoot, boot: Vec<(String, Vec<u8>)>) -> Vec<Partition> {
    let fat = |label, kind, size_mib, bits, volume, files| Partition {
        label,
        kind,
        size_mib,
        content: Content::Fat { bits, label: volume, files },
    };
    let sizes = &board.partitions;
    let site = fat(SITE_LABEL, types::BASIC_DATA, sizes.site_mib, 32, SITE_LABEL, Vec::new());
    let root_kind = match board.boot {
        Boot::Uefi => types::ROOT_X86_64,
        Boot::RaspberryPi => types::ROOT_ARM64,
    };
    let root = |slot: Slot, content| Partition {
        label: slot.root_label(),
        kind: root_kind,
        size_mib: sizes.root_mib,
        content,
    };
    let mut all = match board.boot {
        Boot::Uefi => vec![fat(ESP_LABEL, types::ESP, sizes.boot_mib, 32, "SBOXEFI", boot), site],
        Boot::RaspberryPi => {
            let select = vec![("autoboot.txt".to_owned(), raspberry_pi::autoboot())];
            let empty = Vec::new();
            vec![
                fat(SELECT_LABEL, types::BASIC_DATA, sizes.select_mib, 16, "SBOXSELECT", select),
                fat(Slot::A.boot_label(), types::ESP, sizes.boot_mib, 32, "SBOXBOOTA", boot),
                fat(Slot::B.boot_label(), types::ESP, sizes.boot_mib, 32, "SBOXBOOTB", empty),
                site,
            ]
        }
    };
    all.push(root(Slot::A, Content::Image(packed.file.clone())));
    all.push(root(Slot::B, Content::Empty));
    debug_assert!(all.iter().all(|partition| partition.label != DATA_LABEL));
    all
}

fn compress(bytes: &[u8], compression: Compression) -> Result<Vec<u8>, Failure> {
    let level = match compression {
        Compression::Release => 19,
        Compression::Quick => 3,
    };
    zstd::bulk::compress(bytes, level).or_fail(|| "cannot compress the initramfs".to_owned())
}

/// The image as it is downloaded.
fn download(image: &Path, compression: Compression, progress: &mut Progress) -> Result<Option<u64>, Failure> {
    if compression == Compression::Quick {
        return Ok(None);
    }
    let packed = image.with_extension("img.zst");
    progress.note("compressing the image for download");
    let failed = || format!("cannot write {}", packed.display());
    let mut from = std::fs::File::open(image).or_fail(failed)?;
    let to = std::fs::File::create(&packed).or_fail(failed)?;
    zstd::stream::copy_encode(&mut from, to, 15).or_fail(failed)?;
    let bytes = files::size(&packed)?;
    progress.note(&format!("{}: {}", packed.display(), megabytes(bytes)));
    Ok(Some(bytes))
}
