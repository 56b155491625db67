//! Measures the box, the disk under it, and the box without a disk. See `README.md` beside this file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a run that cannot measure fails by panicking, prints figures, and measures real time"
)]

mod figures;
mod filled;
mod machine;
mod measure;
mod medium;
mod options;
mod quiet;
mod report;
mod results;
mod subject;
mod till;
mod workplace;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use machine::Machine;
use measure::Case;
use medium::{Medium, PROBE};
use options::{Asked, HELP, Options};
use quiet::{ATTEMPTS, OTHERS_CORES_MAX, wait_for_quiet};
use results::Results;
use workplace::Workplace;

/// The command line is wrong (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;
/// Shortest and longest probe of the disk, each way of writing.
const PROBE_LEAST: Duration = Duration::from_millis(500);
const PROBE_MOST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == PROBE).is_some() {
        medium::probe(arguments);
        return ExitCode::SUCCESS;
    }
    match Asked::read(arguments) {
        Ok(Asked::Help) => print!("{HELP}"),
        Ok(Asked::Measure(options)) => {
            if cfg!(debug_assertions) {
                eprintln!("bench: slow tills would measure themselves: run with --release");
                return ExitCode::from(USAGE);
            }
            // One thread for all tills: what they take of the machine is known, and is little.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("the runtime starts").block_on(async {
                match options.filled {
                    Some(orders) => filled::measure(&options, orders).await,
                    None => measure_all(&options).await,
                }
            });
        }
        Err(wrong) => {
            eprintln!("bench: {wrong}\n\n{HELP}");
            return ExitCode::from(USAGE);
        }
    }
    ExitCode::SUCCESS
}

async fn measure_all(options: &Options) {
    let workplace = Workplace::take();
    eprintln!("building the box, with and without storage");
    let real = workplace.build_box();
    let without = workplace.build_without_storage();
    let mut media = vec![Medium::plain()];
    if !options.delays.is_empty() {
        let shim = workplace.build_slow_sync();
        media.extend(options.delays.iter().map(|delay| Medium::slowed(shim.clone(), *delay)));
    }
    let scratch = workplace.scratch();
    let machine = Machine::look(&scratch);
    let probe = (options.window / 5).clamp(PROBE_LEAST, PROBE_MOST);

    let mut results = Results::default();
    println!("{}", report::heading());
    for repeat in 1..=options.repeats {
        for &connections in &options.connections {
            eprintln!("repeat {repeat} of {}, {connections} connections", options.repeats);
            let case = Case { program: &real, keeps: true, medium: &media[0], connections, window: options.window };
            let yardstick = Case { program: &without, keeps: false, ..case };
            for medium in &media {
                let case = Case { medium, ..case };
                let is_plain = medium.delay().is_zero();
                // Whatever warms up or tires goes against each of the two boxes in turn.
                if is_plain && repeat % 2 == 0 {
                    measure_without(&yardstick, repeat, &workplace, &mut results).await;
                }
                measure_kept(&case, probe, repeat, &workplace, &mut results).await;
                if is_plain && repeat % 2 == 1 {
                    measure_without(&yardstick, repeat, &workplace, &mut results).await;
                }
            }
        }
    }

    let out = options.out.clone().unwrap_or_else(|| workplace.report());
    fs::write(&out, report::report(&machine, options, &results))
        .unwrap_or_else(|err| panic!("cannot write {}: {err}", out.display()));
    println!();
    for verdict in results.verdicts() {
        println!("{:<62} {:<46} {}", verdict.goal, verdict.found, verdict.to_string().replace('*', ""));
    }
    if let Some(disturbance) = results.disturbance() {
        println!("\n{disturbance}");
    }
    eprintln!("the report is in {}", out.display());
}

/// The medium alone, then the box on it; both again if others disturbed either.
async fn measure_kept(case: &Case<'_>, probe: Duration, repeat: usize, workplace: &Workplace, results: &mut Results) {
    let name = case.medium.name();
    for attempt in 1..=ATTEMPTS {
        wait_for_quiet().await;
        let raw = case.medium.measure(&workplace.scratch(), probe);
        let found = case.measure(&workplace.scratch().join("box")).await;
        println!("{}", report::line(&name, case.connections, repeat, &found, &raw));
        let others_cores = raw.others_cores.max(found.others_cores);
        if attempt == ATTEMPTS || others_cores <= OTHERS_CORES_MAX {
            results.keep(&name, case.connections, raw, found);
            return;
        }
        throw_away(others_cores, results);
    }
}

/// The box without storage; again if others disturbed it.
async fn measure_without(case: &Case<'_>, repeat: usize, workplace: &Workplace, results: &mut Results) {
    for attempt in 1..=ATTEMPTS {
        wait_for_quiet().await;
        let found = case.measure(&workplace.scratch().join("box")).await;
        println!("{}", report::line_without("(no storage)", case.connections, repeat, &found));
        if attempt == ATTEMPTS || found.others_cores <= OTHERS_CORES_MAX {
            results.keep_without(case.connections, found);
            return;
        }
        throw_away(found.others_cores, results);
    }
}

fn throw_away(others_cores: f64, results: &mut Results) {
    println!("^ thrown away: others kept {others_cores:.2} processors busy");
    results.thrown_away += 1;
}
