//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

/// How to use the program.
pub(crate) const HELP: &str = "\
Measures the store box, the disk under it, and the box without a disk, in one run.

  cargo run --release -p storebox-tests --bin bench -- [OPTIONS]

  --seconds N           how long each measurement lasts (default 10)
  --connections A,B,..  terminals at once (default 1,8,64,256)
  --repeats N           how often everything is measured, interleaved (default 5)
  --delay-sync MS,..    measure again with every sync so much slower
  --out FILE            where the report goes (default target/bench/report.md)
  --filled N            instead: a store with N closed orders beside an empty one, at 64 connections
                        (report in target/bench/filled.md)
";

/// The connections a box takes at once are 512; some are left for the run itself.
const CONNECTIONS_MAX: usize = 500;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Options {
    /// Length of one measurement.
    pub(crate) window: Duration,
    /// Terminals at once, one measurement each.
    pub(crate) connections: Vec<usize>,
    /// How often everything is measured.
    pub(crate) repeats: usize,
    /// By how much syncs are slowed, one medium more each.
    pub(crate) delays: Vec<Duration>,
    /// Closed orders in the store, if it is to be measured full.
    pub(crate) filled: Option<u64>,
    /// Where the report goes, if not to its usual place.
    pub(crate) out: Option<PathBuf>,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To show how the program is used.
    Help,
    /// To measure.
    Measure(Options),
}

impl Asked {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            window: Duration::from_secs(10),
            connections: vec![1, 8, 64, 256],
            repeats: 5,
            delays: Vec::new(),
            filled: None,
            out: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            if matches!(name.as_str(), "--help" | "-h") {
                return Ok(Self::Help);
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value, or is not known"))?;
            match name.as_str() {
                "--seconds" => options.window = Duration::from_secs(number(&name, &value, 1, 3_600)?),
                "--repeats" => options.repeats = usize::try_from(number(&name, &value, 1, 100)?).unwrap(),
                "--connections" => options.connections = list(&value, |one| connections(&name, one))?,
                "--delay-sync" => options.delays = list(&value, |one| delay(&name, one))?,
                "--filled" => options.filled = Some(number(&name, &value, 1, 100_000_000)?),
                "--out" => options.out = Some(PathBuf::from(value)),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(Self::Measure(options))
    }
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(|one| read(one.trim())).collect()
}

fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{name}: {text:?} is not a number from {least} to {most}"))
}

fn connections(name: &str, text: &str) -> Result<usize, String> {
    number(name, text, 1, CONNECTIONS_MAX as u64).map(|number| usize::try_from(number).unwrap())
}

fn delay(name: &str, text: &str) -> Result<Duration, String> {
    let ms: Option<f64> = text.parse().ok().filter(|ms| (0.01..=1_000.0).contains(ms));
    let ms = ms.ok_or_else(|| format!("{name}: {text:?} is not from 0.01 to 1000 milliseconds"))?;
    Ok(Duration::from_secs_f64(ms / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        match Asked::read(line.split_whitespace().map(str::to_owned))? {
            Asked::Measure(options) => Ok(options),
            Asked::Help => panic!("nobody asked for help"),
        }
    }

    #[test]
    fn everything_can_be_said() {
        let options = read("--seconds 5 --connections 1,64 --repeats 3 --delay-sync 0.2,5 --out r.md").unwrap();
        assert_eq!(options.filled, None);
        assert_eq!(read("--filled 1000000").unwrap().filled, Some(1_000_000));
        assert_eq!((options.window.as_secs(), options.repeats), (5, 3));
        assert_eq!(options.connections, [1, 64]);
        assert_eq!(options.delays, [Duration::from_micros(200), Duration::from_millis(5)]);
        assert_eq!(options.out, Some("r.md".into()));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, named) in [
            ("--seconds 0", "--seconds"),
            ("--connections 1,,8", "--connections"),
            ("--connections 600", "--connections"),
            ("--delay-sync soon", "--delay-sync"),
            ("--fast yes", "--fast"),
            ("--repeats", "--repeats"),
        ] {
            let refusal = read(line).unwrap_err();
            assert!(refusal.contains(named), "{line}: {refusal}");
        }
    }
}
