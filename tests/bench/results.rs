//! Everything a run found, and the goals held against it.

use std::fmt;

use crate::figures::Spread;
use crate::measure::Measured;
use crate::medium::Raw;
use crate::quiet::OTHERS_CORES_MAX;

/// The box should reach this share of what the same server reaches without keeping anything.
pub(crate) const SHARE_GOAL: f64 = 0.45;
/// At so many connections.
pub(crate) const SHARE_CONNECTIONS: usize = 64;
/// Half of all acknowledgements under load should take no longer than so many raw syncs.
pub(crate) const ACK_GOAL_SYNCS: f64 = 2.3;
/// An idle box should hold no more, in bytes.
pub(crate) const IDLE_GOAL_BYTES: f64 = 8e6;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// The real box, on each medium and with each number of connections.
    pub(crate) rows: Vec<Row>,
    /// The box that keeps nothing, by number of connections.
    pub(crate) without: Vec<(usize, Vec<Measured>)>,
    /// Measurements thrown away because others disturbed them.
    pub(crate) thrown_away: usize,
}

/// One medium, one number of connections; one entry for each repeat.
#[derive(Debug)]
pub(crate) struct Row {
    /// The medium's name.
    pub(crate) medium: String,
    /// Tills at once.
    pub(crate) connections: usize,
    /// The medium alone, just before.
    pub(crate) raw: Vec<Raw>,
    /// The box.
    pub(crate) kept: Vec<Measured>,
}

/// A figure beside its goal.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What should be so.
    pub(crate) goal: String,
    /// What is.
    pub(crate) found: String,
    /// Found over allowed, or wanted over found: at most 1 when the goal is met.
    pub(crate) over: f64,
}

impl Results {
    /// Keeps what one repeat found of the real box.
    pub(crate) fn keep(&mut self, medium: &str, connections: usize, raw: Raw, kept: Measured) {
        let known = self.rows.iter_mut().find(|row| row.medium == medium && row.connections == connections);
        match known {
            Some(row) => {
                row.raw.push(raw);
                row.kept.push(kept);
            }
            None => {
                let medium = medium.to_owned();
                self.rows.push(Row { medium, connections, raw: vec![raw], kept: vec![kept] });
            }
        }
    }

    /// Keeps what one repeat found of the box without storage.
    pub(crate) fn keep_without(&mut self, connections: usize, measured: Measured) {
        match self.without.iter_mut().find(|(known, _)| *known == connections) {
            Some((_, all)) => all.push(measured),
            None => self.without.push((connections, vec![measured])),
        }
    }

    /// What the box reaches of the box without storage, each repeat against its own neighbour.
    pub(crate) fn share(&self, row: &Row) -> Spread {
        let without = self.without.iter().find(|(connections, _)| *connections == row.connections);
        let (_, without) = without.expect("both boxes are measured with the same connections");
        Spread::of(row.kept.iter().zip(without).map(|(kept, without)| kept.per_s / without.per_s))
    }

    /// For people: how far others disturbed what was kept. Nothing if they did not.
    pub(crate) fn disturbance(&self) -> Option<String> {
        let alone = self.without.iter().flat_map(|(_, all)| all).map(|found| found.others_cores);
        let kept = self.rows.iter().flat_map(|row| row.raw.iter().zip(&row.kept));
        let all: Vec<f64> = kept.map(|(raw, kept)| raw.others_cores.max(kept.others_cores)).chain(alone).collect();
        let disturbed = all.iter().filter(|others| **others > OTHERS_CORES_MAX).count();
        (disturbed > 0).then(|| {
            format!(
                "{disturbed} of {} measurements were disturbed: others kept more than {OTHERS_CORES_MAX} processors \
                 busy. The verdicts of this run prove nothing.",
                all.len()
            )
        })
    }

    /// The media, in the order they were measured.
    pub(crate) fn media(&self) -> Vec<&str> {
        let mut media: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !media.contains(&row.medium.as_str()) {
                media.push(&row.medium);
            }
        }
        media
    }

    /// The rows of one medium, by rising connections.
    pub(crate) fn of_medium(&self, medium: &str) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.medium == medium).collect();
        rows.sort_by_key(|row| row.connections);
        rows
    }

    /// Every goal that this run can judge.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for medium in self.media() {
            for row in self.of_medium(medium) {
                let connections = row.connections;
                // The goal is for the disk as it is; with slower syncs the ratio is reported, not judged.
                if connections == SHARE_CONNECTIONS && medium == self.rows[0].medium {
                    let share = self.share(row);
                    verdicts.push(Verdict {
                        goal: format!("≥ {SHARE_GOAL} of no storage at {SHARE_CONNECTIONS} connections, {medium}"),
                        found: format!("{share:.2}"),
                        over: SHARE_GOAL / share.median,
                    });
                }
                // One till alone is no load: nothing shares its syncs.
                if connections > 1 {
                    for (unit, spread) in
                        [("overwrites", row.ack_in(Raw::overwrite_us)), ("appends", row.ack_in(Raw::append_us))]
                    {
                        verdicts.push(Verdict {
                            goal: format!(
                                "ack p50 ≤ {ACK_GOAL_SYNCS} raw {unit} at {connections} connections, {medium}"
                            ),
                            found: format!("{spread:.2}"),
                            over: spread.median / ACK_GOAL_SYNCS,
                        });
                    }
                }
            }
        }
        // However slow the disk: an idle box uses none.
        let idle = Spread::of(self.rows.iter().flat_map(|row| &row.kept).map(|kept| kept.idle.resident / 1e6));
        verdicts.push(Verdict {
            goal: format!("≤ {} MB resident when idle", IDLE_GOAL_BYTES / 1e6),
            found: format!("{idle:.1} MB"),
            over: idle.median * 1e6 / IDLE_GOAL_BYTES,
        });
        verdicts
    }
}

impl Row {
    /// The median acknowledgement in units of a raw sync, each repeat against its own.
    pub(crate) fn ack_in(&self, sync_us: impl Fn(&Raw) -> f64) -> Spread {
        Spread::of(self.kept.iter().zip(&self.raw).map(|(kept, raw)| kept.p50_us / sync_us(raw)))
    }
}

impl Raw {
    pub(crate) const fn overwrite_us(&self) -> f64 {
        self.overwrite.p50_us
    }

    pub(crate) const fn append_us(&self) -> f64 {
        self.append.p50_us
    }
}

impl Verdict {
    /// Whether the goal is met.
    pub(crate) fn is_met(&self) -> bool {
        self.over <= 1.0
    }
}

/// `met, 12 % to spare` or `not met, by 40 %`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.over - 1.0).abs() * 100.0;
        if self.is_met() {
            write!(f, "met, {percent:.0} % to spare")
        } else {
            write!(f, "**not met**, by {percent:.0} %")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_by_how_much() {
        let verdict = |over| Verdict { goal: String::new(), found: String::new(), over }.to_string();
        assert_eq!(verdict(0.9), "met, 10 % to spare");
        assert_eq!(verdict(1.0), "met, 0 % to spare");
        assert_eq!(verdict(1.25), "**not met**, by 25 %");
    }
}
