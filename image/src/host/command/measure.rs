//! `image measure`

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lexopt::Arg;
use serde_json::Value;
use storebox_hardware::boards::Board;

use crate::host::build::{self as recipe, BuildTimes};
use crate::host::clock;
use crate::host::command::{absolute, here, print};
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::machine::{Hardware, Unit};
use crate::host::packages::fetch::FetchOptions;
use crate::host::progress::Progress;
use crate::host::source::Source;
use crate::host::toolroot::ToolRoot;

/// What `image measure --help` prints.
pub const HELP: &str = "\
Usage: image measure [OPTION]...

Boots the x86 image three times and writes the table of image/README.md: sizes and build times of every
board's image as it was last built, start-up and memory of the machine. Takes five minutes, in which
nothing else should run. Build for release first:

  rm -rf target/image/programs && for b in x86 rpi4 rpi5 x86 rpi4; do cargo image build $b; done

Options:
  --images FOLDER  where the images are, in a folder per board; default target/image
  -h, --help       this text
";

/// Lines of image/README.md between which the table stands.
const BEGIN: &str = "<!-- made by `cargo image measure` -->";
const END: &str = "<!-- end of what was made -->";
/// Boots, of which the median counts.
const BOOTS: usize = 3;
/// How long the machine is left alone before its memory is read.
const REST: Duration = Duration::from_secs(60);
/// How long anything in it may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Says when each part of the start was over (systemd(1)), and how much memory is in use, on the serial console.
const PARAMETERS: &str = "systemd.journald.forward_to_console=1 systemd.wants=measure.timer";
const TIMER: &str = "[Timer]\nOnActiveSec=45s\nAccuracySec=1s\n";
const SERVICE: &str = "[Service]\nType=oneshot\nExecStart=/usr/lib/storebox/storebox-helper health\n";

/// Runs the command.
///
/// # Errors
/// What went wrong.
pub fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut images = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("images") => images = Some(PathBuf::from(arguments.value()?)),
            other => return Err(Failure::from(other.unexpected())),
        }
    }
    let source = here()?;
    let images = absolute(images.unwrap_or_else(|| source.folder().join("target/image")))?;
    let mut progress = Progress::stderr();
    let mut rows = Vec::new();
    for name in Board::NAMES {
        let board = Board::load(name).or_fail(|| format!("the facts about {name} cannot be used"))?;
        rows.push(Sizes::of(&images.join(board.name))?);
    }
    let boots = boot(&source, &images, &mut progress)?;
    let table = table(&source, &rows, &boots);
    let readme = source.folder().join("image/README.md");
    let text = files::read_text(&readme)?;
    let (before, after) = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)))
        .ok_or_else(|| Failure::new(format!("{} has no lines {BEGIN} and {END}", readme.display())))?;
    files::write(&readme, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?;
    print(&table)
}

/// What one board's image takes.
struct Sizes {
    board: String,
    download: u64,
    root: u64,
    cold_s: Option<u64>,
    warm_s: Option<u64>,
}

impl Sizes {
    fn of(output: &Path) -> Result<Self, Failure> {
        let read = |name: &str| -> Result<Value, Failure> {
            let path = output.join(name);
            serde_json::from_str(&files::read_text(&path)?).or_fail(|| format!("{} cannot be read", path.display()))
        };
        let manifest = read("manifest.json")?;
        let times = BuildTimes::read(output);
        let number = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_u64).ok_or_else(|| {
                Failure::new(format!("{} was not built for release: its manifest has no {key}", output.display()))
            })
        };
        Ok(Self {
            board: manifest.get("board").and_then(Value::as_str).unwrap_or_default().to_owned(),
            download: number(&manifest, "downloadBytes")?,
            root: number(&manifest, "rootBytes")?,
            cold_s: times.cold_s,
            warm_s: times.warm_s,
        })
    }
}

/// One start of the emulated machine.
#[derive(Clone, Debug, PartialEq)]
struct Start {
    /// From switching on to the first answer over HTTPS.
    wall_s: f64,
    /// Of these, inside the kernel and its first root.
    kernel_s: f64,
    /// From init to everything started.
    user_space_s: f64,
    /// Memory that is not available to programs, MiB.
    memory_mib: u64,
}

fn boot(source: &Source, images: &Path, progress: &mut Progress) -> Result<Vec<Start>, Failure> {
    let tools = ToolRoot::ready(&FetchOptions::new(source.folder())?, progress)?;
    let board = Board::load("x86").or_fail(|| "the facts about x86 cannot be used".to_owned())?;
    let output = images.join("x86");
    let folder = output.join("measure-machine");
    files::remove(&folder)?;
    let hardware = Hardware {
        folder: folder.clone(),
        image: recipe::image_file(&output, &board),
        disk_mib: 4096,
        memory_mib: 1024,
        processors: 2,
        port: 8455,
        kernel_parameters: Some(PARAMETERS.to_owned()),
        units: vec![Unit { name: "measure.timer", content: TIMER }, Unit { name: "measure.service", content: SERVICE }],
    };
    hardware.prepare(&tools)?;
    let mut starts = Vec::new();
    // The first start makes the data partition; it is not what happens every day.
    for number in 0..=BOOTS {
        progress.note(&format!("start {number} of {BOOTS}"));
        let log = folder.join("console.log");
        let file = std::fs::File::create(&log).or_fail(|| format!("cannot make {}", log.display()))?;
        let mut machine = hardware.start(&tools, Stdio::from(file))?;
        let wall_s = machine.wait_for_answer(LIMIT)?.as_secs_f64();
        clock::pause(REST);
        drop(machine);
        if number > 0 {
            let console = String::from_utf8_lossy(&files::read(&log)?).into_owned();
            let start = Start::read(&console, wall_s)
                .ok_or_else(|| Failure::new(format!("{} does not say how the start went", log.display())))?;
            progress.note(&format!("{start:?}"));
            starts.push(start);
        }
    }
    files::remove(&folder)?;
    starts.sort_by(|one, other| one.wall_s.total_cmp(&other.wall_s));
    Ok(starts)
}

impl Start {
    /// Reads what init and the helper wrote on the console.
    fn read(console: &str, wall_s: f64) -> Option<Self> {
        let line = console.lines().find(|line| line.contains("Startup finished in "))?;
        let seconds = |what: &str| -> Option<f64> {
            let before = line.split(what).next()?.trim_end();
            before.rsplit(' ').next()?.strip_suffix('s')?.parse().ok()
        };
        let number = |name: &str| -> Option<u64> {
            let after = console.split(&format!("\"{name}\":")).nth(1)?;
            after.trim_start().split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
        };
        let in_use_kib = number("memory_total_kib")?.checked_sub(number("memory_available_kib")?)?;
        Some(Self {
            wall_s,
            kernel_s: seconds("(kernel)")?,
            user_space_s: seconds("(userspace)")?,
            memory_mib: in_use_kib.div_ceil(1024),
        })
    }
}

fn table(source: &Source, rows: &[Sizes], starts: &[Start]) -> String {
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024);
    let mut text = format!(
        "Version {}, on two shared cores without hardware virtualisation.\n\n\
         | board | download (zstd) | root (erofs) | build, programs not compiled before | build again |\n\
         |---|---|---|---|---|\n",
        source.version()
    );
    for row in rows {
        let seconds = |time: Option<u64>| time.map_or("–".to_owned(), |time| format!("{time} s"));
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            row.board,
            mib(row.download),
            mib(row.root),
            seconds(row.cold_s),
            seconds(row.warm_s)
        ));
    }
    if let Some(median) = starts.get(starts.len() / 2) {
        // What is neither kernel nor user space up to the answer is firmware, boot loader and the emulator itself.
        let firmware_s = (median.wall_s - median.kernel_s - median.user_space_s).max(0.0);
        text.push_str(&format!(
            "\nThe x86 image, emulated (QEMU, 2 processors, 1 GiB), median of {}: first HTTPS answer {:.1} s after \
             switching on, of which firmware and boot loader {firmware_s:.1} s, kernel and initramfs {:.1} s, user \
             space {:.1} s. Memory in use at idle: {} MiB.\n",
            starts.len(),
            median.wall_s,
            median.kernel_s,
            median.user_space_s,
            median.memory_mib,
        ));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_console_tells_how_the_start_went() {
        let console = "[ 13.6] systemd[1]: Startup finished in 5.531s (kernel) + 8.116s (userspace) = 13.647s.\n\
                       helper[2]: {\"memory_total_kib\":1000000,\"memory_available_kib\":921600}";
        let start = Start::read(console, 17.0).unwrap();
        assert_eq!((start.kernel_s, start.user_space_s, start.memory_mib), (5.531, 8.116, 77));
        assert_eq!(Start::read("nothing", 1.0), None);
    }
}
