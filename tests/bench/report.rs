//! The figures for people: a line for each measurement as it is made, and a report in Markdown.

use std::fmt::Write as _;

use crate::figures::Spread;
use crate::machine::Machine;
use crate::measure::Measured;
use crate::medium::Raw;
use crate::options::Options;
use crate::quiet::OTHERS_CORES_MAX;
use crate::results::{Results, Row};

/// The heading of the lines.
pub(crate) fn heading() -> String {
    format!(
        "{:<15} {:>5} {:>6}  {:>8} {:>8} {:>8} {:>8} {:>8}  {:>7} {:>6} {:>6}  {:>6} {:>7} {:>6}  {:>6} {:>6}",
        "box on",
        "tills",
        "repeat",
        "orders/s",
        "p50 µs",
        "p99 µs",
        "p999 µs",
        "max µs",
        "box µs",
        "tills",
        "others",
        "syncs",
        "bytes",
        "batch",
        "raw a",
        "raw o"
    )
}

/// One measurement of the real box.
pub(crate) fn line(medium: &str, connections: usize, repeat: usize, found: &Measured, raw: &Raw) -> String {
    let store = &found.store;
    format!(
        "{}  {:>6.3} {:>7.0} {:>6.1}  {:>6.0} {:>6.0}",
        line_without(medium, connections, repeat, found),
        store.syncs,
        store.bytes,
        store.batch,
        raw.append.p50_us,
        raw.overwrite.p50_us
    )
}

/// One measurement of the box without storage.
pub(crate) fn line_without(medium: &str, connections: usize, repeat: usize, found: &Measured) -> String {
    format!(
        "{medium:<15} {connections:>5} {repeat:>6}  {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0}  {:>7.1} {:>6.2} {:>6.2}",
        found.per_s,
        found.p50_us,
        found.p99_us,
        found.p999_us,
        found.max_us,
        found.box_cpu_us,
        found.till_cores,
        found.others_cores
    )
}

/// The whole report.
pub(crate) fn report(machine: &Machine, options: &Options, results: &Results) -> String {
    let mut text = String::new();
    preface(&mut text, machine, options, results);
    goals(&mut text, results);
    raw(&mut text, results);
    for medium in results.media() {
        orders(&mut text, medium, results);
        costs(&mut text, medium, results);
    }
    without(&mut text, results);
    memory(&mut text, results);
    text.push_str(DURABLE);
    text
}

const DURABLE: &str = "\n## What is durable\n\n\
The box acknowledges an order after its transaction was committed and synced twice (quick repair), so it survives the \
end of the process and of the power, as far as the disk keeps what it reported as flushed. The box without storage \
answers from memory and keeps no order: it is the yardstick, never shipped. Slowed syncs sleep first and then sync for \
real. Behind a virtual disk, what a flush means is the host's affair.\n";

fn preface(text: &mut String, machine: &Machine, options: &Options, results: &Results) {
    let kept: u64 = results.rows.iter().flat_map(|row| &row.kept).map(|kept| kept.acknowledged).sum();
    let connections: Vec<String> = options.connections.iter().map(usize::to_string).collect();
    write!(
        text,
        "# Benchmark of the store box\n\n\
         | | |\n|---|---|\n\
         | Commit | {} |\n| Date | {} |\n| Processor | {} × {} |\n| Kernel | {} |\n| Disk | {} |\n\
         | Disk cache | {} |\n| Load before the run | {} |\n\
         | Run | {} s each, {} repeats, interleaved, {} connections |\n\n\
         Figures are medians over the repeats, with the smallest and the largest in parentheses. The tills run on the \
         same processors as the box. Every answer was 201, and all {kept} orders acknowledged by the real box were in \
         it at the end of their measurement.\n",
        machine.commit,
        machine.date,
        machine.cores,
        machine.processor,
        machine.kernel,
        machine.disk,
        machine.disk_cache,
        machine.load,
        options.window.as_secs(),
        options.repeats,
        connections.join(", "),
    )
    .unwrap();
    let limit = OTHERS_CORES_MAX;
    let thrown_away = results.thrown_away;
    writeln!(
        text,
        "\nEach measurement waited for a quiet machine. {thrown_away} were thrown away and made again because others \
         kept more than {limit} processors busy during them, whatever they had found."
    )
    .unwrap();
    if let Some(disturbance) = results.disturbance() {
        writeln!(text, "\n**{disturbance}**").unwrap();
    }
}

fn goals(text: &mut String, results: &Results) {
    let rows = results
        .verdicts()
        .into_iter()
        .map(|verdict| vec![verdict.goal.clone(), verdict.found.clone(), verdict.to_string()]);
    section(text, "Goals", &["goal", "found", "verdict"], rows);
    text.push_str(
        "\nAcknowledgements are judged in both units. An overwrite is the least a sync can cost, so it is the stricter one; \
         the store's file grows under this load, and syncing a file that grows is what an append costs.\n",
    );
}

fn raw(text: &mut String, results: &Results) {
    let rows = results.media().into_iter().map(|medium| {
        let all: Vec<Raw> = results.of_medium(medium).into_iter().flat_map(|row| row.raw.clone()).collect();
        let of = |figure: fn(&Raw) -> f64| Spread::of(all.iter().map(figure));
        vec![
            medium.to_owned(),
            of(|raw| raw.append.per_s).shown(0),
            of(|raw| raw.append.p50_us).shown(0),
            of(|raw| raw.append.p99_us).shown(0),
            of(|raw| raw.overwrite.per_s).shown(0),
            of(|raw| raw.overwrite.p50_us).shown(0),
            of(|raw| raw.overwrite.p99_us).shown(0),
        ]
    });
    let heads = ["medium", "appends/s", "p50 µs", "p99 µs", "overwrites/s", "p50 µs", "p99 µs"];
    section(text, "The disk alone: 4 KiB and fdatasync", &heads, rows);
}

fn orders(text: &mut String, medium: &str, results: &Results) {
    let rows = results.of_medium(medium).into_iter().map(|row| {
        let mut cells = speed(row.connections, &row.kept);
        cells.push(row.ack_in(Raw::overwrite_us).shown(2));
        cells.push(row.ack_in(Raw::append_us).shown(2));
        cells.push(results.share(row).shown(2));
        cells
    });
    let heads = [
        "connections",
        "orders/s",
        "ack p50 µs",
        "p99 µs",
        "p999 µs",
        "max µs",
        "p50 in overwrites",
        "p50 in appends",
        "÷ no storage",
    ];
    section(text, &format!("The box on {medium}"), &heads, rows);
}

fn costs(text: &mut String, medium: &str, results: &Results) {
    let rows = results.of_medium(medium).into_iter().map(|row: &Row| {
        let of = |figure: fn(&Measured) -> f64| Spread::of(row.kept.iter().map(figure));
        vec![
            row.connections.to_string(),
            of(|kept| kept.box_cpu_us).shown(1),
            of(|kept| kept.box_cores).shown(2),
            of(|kept| kept.till_cores).shown(2),
            of(|kept| kept.others_cores).shown(2),
            of(|kept| kept.store.syncs).shown(3),
            of(|kept| kept.store.bytes).shown(0),
            of(|kept| kept.store.batch).shown(1),
            of(|kept| kept.store.syncs_per_commit).shown(2),
            of(|kept| kept.store.commit_us).shown(0),
        ]
    });
    let heads = [
        "connections",
        "box CPU µs/order",
        "box cores",
        "till cores",
        "others\' cores",
        "syncs/order",
        "bytes/order",
        "orders/commit",
        "syncs/commit",
        "commit µs",
    ];
    section(text, &format!("Cost of an order on {medium}"), &heads, rows);
}

fn without(text: &mut String, results: &Results) {
    let rows = results.without.iter().map(|(connections, all)| {
        let mut cells = speed(*connections, all);
        let of = |figure: fn(&Measured) -> f64| Spread::of(all.iter().map(figure));
        cells.push(of(|found| found.box_cpu_us).shown(1));
        cells.push(of(|found| found.box_cores).shown(2));
        cells.push(of(|found| found.till_cores).shown(2));
        cells.push(of(|found| found.others_cores).shown(2));
        cells
    });
    let heads = [
        "connections",
        "orders/s",
        "ack p50 µs",
        "p99 µs",
        "p999 µs",
        "max µs",
        "box CPU µs/order",
        "box cores",
        "till cores",
        "others\' cores",
    ];
    section(text, "The same server without storage", &heads, rows);
}

fn memory(text: &mut String, results: &Results) {
    let mb = |all: &[Measured], figure: fn(&Measured) -> f64| {
        Spread::of(all.iter().map(|found| figure(found) / 1e6)).shown(1)
    };
    let row = |name: &str, connections: usize, all: &[Measured]| {
        vec![
            name.to_owned(),
            connections.to_string(),
            mb(all, |found| found.idle.resident),
            mb(all, |found| found.idle.own),
            mb(all, |found| found.loaded.resident),
            mb(all, |found| found.loaded.own),
            mb(all, |found| found.loaded.peak),
        ]
    };
    let kept = results.rows.iter().map(|found| row(&found.medium, found.connections, &found.kept));
    let without = results.without.iter().map(|(connections, all)| row("no storage", *connections, all));
    let heads = ["box on", "connections", "idle MB", "of it heap", "loaded MB", "of it heap", "peak MB"];
    section(text, "Resident memory", &heads, kept.chain(without));
}

/// The cells every box has in common.
fn speed(connections: usize, all: &[Measured]) -> Vec<String> {
    let of = |figure: fn(&Measured) -> f64| Spread::of(all.iter().map(figure)).shown(0);
    vec![
        connections.to_string(),
        of(|found| found.per_s),
        of(|found| found.p50_us),
        of(|found| found.p99_us),
        of(|found| found.p999_us),
        of(|found| found.max_us),
    ]
}

fn section(text: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    write!(text, "\n## {title}\n\n| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len())).unwrap();
    for cells in rows {
        assert_eq!(cells.len(), heads.len(), "a row of {title:?} has other columns than its heading");
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
}

impl Spread {
    fn shown(&self, decimals: usize) -> String {
        format!("{self:.decimals$}")
    }
}
