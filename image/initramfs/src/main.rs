//! `/init`, the first program of the store box: loads the drivers, starts the watchdog, finds the root the kernel
//! command line asks for, lets the kernel verify it, and hands over to systemd.
//!
//! The archive it lives in holds `/init`, `/modules/watchdog` and `/modules/root` (see [`modules`]), the modules they
//! name, and the empty directories `/dev`, `/proc`, `/sys`, `/root`, `/run`. The kernel opens `/dev/console` as
//! standard input and output before it starts `/init`.
//!
//! Whatever fails ends in a message on every console and a restart 10 s later, so that boot counting can fall back to
//! the other slot. Process 1 never exits: the kernel would panic without saying why.

mod clock;
mod cmdline;
mod console;
mod failure;
mod gpt;
mod handover;
mod ioctl;
mod limits;
mod machine;
mod modules;
mod mounts;
mod partitions;
mod search;
mod verity;
mod watchdog;

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::machine::MachineId;
use crate::watchdog::Watchdog;

fn main() -> ExitCode {
    // Run by hand on a workstation it would remove files there.
    if nix::unistd::getpid().as_raw() != 1 {
        eprintln!("storebox-initramfs is the first program of the store box; only the kernel starts it.");
        return ExitCode::from(2);
    }
    std::panic::set_hook(Box::new(|info| console::fail_and_restart(&format!("a fault in the start program: {info}."))));
    match start() {
        Ok(never) => match never {},
        Err(failure) => console::fail_and_restart(&failure.to_string()),
    }
}

fn start() -> Result<Infallible, Failure> {
    mounts::kernel_file_systems()?;
    let mut unloaded = modules::load(modules::WATCHDOG, || {});
    let (mut watchdog, told) = Watchdog::arm(Path::new("/dev"));
    console::note(&told);
    unloaded.extend(modules::load(modules::ROOT, || watchdog.feed()));

    let prepared = prepare(&unloaded, &mut watchdog);
    watchdog.hand_over();
    handover::run_systemd(&prepared?)
}

/// Mounts the verified root and answers the id with which its systemd is to run.
fn prepare(unloaded: &[String], watchdog: &mut Watchdog) -> Result<MachineId, Failure> {
    for driver in unloaded {
        console::note(&format!("driver not loaded: {driver}"));
    }
    let parameters = cmdline::read(Path::new("/proc/cmdline"))?;
    let root = search::root(&parameters, unloaded, watchdog)?;
    let device = verity::open(&root, &parameters.verity)?;
    mounts::root(&device)?;
    let machine_id = machine::id(&root)?;
    console::note(&format!("slot {} on {}, machine-id {machine_id}", parameters.slot.letter(), root.node));
    Ok(machine_id)
}
