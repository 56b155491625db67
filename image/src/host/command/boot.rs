//! `image boot`

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use lexopt::{Arg, ValueExt};

use crate::host::build::image_file;
use crate::host::command::{absolute, board, default_output, here};
use crate::host::failure::Failure;
use crate::host::files;
use crate::host::machine::Hardware;
use crate::host::packages::fetch::FetchOptions;
use crate::host::progress::Progress;
use crate::host::toolroot::ToolRoot;

/// What `image boot --help` prints.
pub const HELP: &str = "\
Usage: image boot x86 [OPTION]...

Boots a built image in an emulator and says where the box answers. What the box shows on its serial
console appears here, with the secret to pair the first terminal with. Its disk is kept between boots.
Ctrl-C cuts its power.

Options:
  --port PORT      where the box answers on 127.0.0.1; default 8443
  --fresh          forget the disk of earlier boots
  --image FILE     another image; its disk is kept beside it
  --memory MIB     default 1024
  --kernel TEXT    adds to the kernel's command line, such as systemd.journald.forward_to_console=1
  -h, --help       this text
";

/// Emulated without hardware support the start takes half a minute; ten times that is a fault.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut chosen = None;
    let (mut port, mut fresh, mut image, mut memory_mib) = (8443, false, None, 1024);
    let mut kernel_parameters = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(name) if chosen.is_none() => chosen = Some(board(&name)?),
            Arg::Long("port") => port = arguments.value()?.parse()?,
            Arg::Long("fresh") => fresh = true,
            Arg::Long("image") => image = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("kernel") => kernel_parameters = Some(arguments.value()?.string()?),
            Arg::Long("memory") => memory_mib = arguments.value()?.parse()?,
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let board = chosen.ok_or_else(|| Failure::usage("which board?"))?;
    if board.name != "x86" {
        return Err(Failure::usage(format!(
            "no emulator has all that the image of {} needs; `tests/run image` boots its parts",
            board.name
        )));
    }
    let source = here()?;
    let image = absolute(image.unwrap_or_else(|| image_file(&default_output(&source, &board.name), &board)))?;
    if !image.is_file() {
        return Err(Failure::new(format!(
            "there is no {}: make it with `cargo image build {}`",
            image.display(),
            board.name
        )));
    }
    let folder = image.with_extension("machine");
    if fresh {
        files::remove(&folder)?;
    }
    let mut progress = Progress::stderr();
    let tools = ToolRoot::ready(&FetchOptions::new(source.folder())?, &mut progress)?;
    let hardware = Hardware {
        folder,
        image,
        disk_mib: 4096,
        memory_mib,
        processors: 2,
        port,
        kernel_parameters,
        units: Vec::new(),
    };
    hardware.prepare(&tools)?;
    progress.note("switching on; without hardware virtualisation the start takes about half a minute");
    let mut machine = hardware.start(&tools, Stdio::inherit())?;
    let took = machine.wait_for_answer(LIMIT)?;
    progress.note(&format!("\nthe box answers at https://127.0.0.1:{port} after {:.1} s", took.as_secs_f64()));
    drop(progress);
    machine.wait()
}
