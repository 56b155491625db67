//! The EFI system partition: systemd-boot and one unified kernel image per slot (UAPI Group Specification 5).

use std::path::Path;

use storebox_hardware::boards::Board;

use crate::host::cpio::Archive;
use crate::host::failure::Failure;
use crate::host::files;
use crate::host::root::Root;
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};
use crate::layout::Slot;

/// Where the processor's early updates are looked for (kernel documentation, `arch/x86/microcode.rst`).
const MICROCODE: &str = "kernel/x86/microcode";

/// The partition's files. Only slot A has a kernel in a new image.
///
/// # Errors
/// If a package lacks something, or ukify fails.
pub fn files(
    work: &Path,
    tools: &ToolRoot,
    source: &Source,
    board: &Board,
    root: &Root,
    initramfs: &[u8],
    command_line: &str,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let programs = root.parts.join("usr/lib/systemd/boot/efi");
    files::copy(&root.kernel.image, &work.join("vmlinuz"))?;
    files::write(&work.join("initramfs"), initramfs)?;
    files::write(&work.join("microcode"), microcode(&root.parts, board)?)?;
    files::copy(&programs.join("linuxx64.efi.stub"), &work.join("stub.efi"))?;

    let mut ukify = tools.at(work).command("ukify")?;
    ukify.arg("build").env("SOURCE_DATE_EPOCH", source.epoch_s().to_string());
    for (option, value) in [
        ("linux", "/build/vmlinuz"),
        ("initrd", "/build/microcode"),
        ("initrd", "/build/initramfs"),
        ("cmdline", command_line),
        ("os-release", "@/build/root/usr/lib/os-release"),
        ("uname", &root.kernel.release),
        ("stub", "/build/stub.efi"),
        ("output", "/build/slot.efi"),
    ] {
        ukify.arg(format!("--{option}={value}"));
    }
    run(ukify, "ukify")?;
    Ok(vec![
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), files::read(&programs.join("systemd-bootx64.efi"))?),
        // No counter in the name: a new image is not on trial.
        (format!("EFI/Linux/storebox-{}.efi", Slot::A.letter()), files::read(&work.join("slot.efi"))?),
        ("loader/loader.conf".to_owned(), b"timeout 0\neditor no\nauto-entries no\n".to_vec()),
    ])
}

/// Updates for the processors the board may have, uncompressed as the kernel wants them.
fn microcode(parts: &Path, board: &Board) -> Result<Vec<u8>, Failure> {
    let folder = parts.join("usr/lib/firmware/intel-ucode");
    let mut updates = Vec::new();
    for processor in board.microcode() {
        let file = folder.join(processor);
        // Debian appends this to those it does not load late.
        let early = folder.join(format!("{processor}.initramfs"));
        updates.extend(files::read(if file.exists() { &file } else { &early })?);
    }
    let mut archive = Archive::default();
    let mut above = String::new();
    for name in MICROCODE.split('/') {
        above.push_str(name);
        archive.folder(&above);
        above.push('/');
    }
    archive.file(&format!("{MICROCODE}/GenuineIntel.bin"), &updates);
    Ok(archive.finish())
}
