//! What a clock event makes of somebody's shifts.

use super::{Shift, Stamp};
use crate::command::Rejection;
use crate::id::{EmployeeId, ShiftId};
use crate::limits::CLOCK_SKEW_S;
use crate::text::Note;
use crate::time::Timestamp;

/// Somebody came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockEvent {
    /// They came.
    In,
    /// They went.
    Out,
}

/// What follows from a clock event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The shift it made or changed.
    pub shift: Shift,
    /// Others whose flag it changed.
    pub others: Vec<Shift>,
}

/// When it happened: now, or before if the terminal could not reach the box.
///
/// # Errors
/// A refusal of times to come, but for the difference of two clocks.
pub fn event_time(given: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Rejection> {
    match given {
        Some(at) if at > now.plus_millis(CLOCK_SKEW_S * 1_000) => {
            Err(Rejection::invalid("at".to_owned(), format!("is in the future: the box's clock shows {now}")))
        }
        Some(at) => Ok(at),
        None => Ok(now),
    }
}

/// Takes a clock event of somebody whose shifts these are: it is never refused.
pub fn accept(
    shifts: &[Shift],
    event: ClockEvent,
    id: ShiftId,
    employee: EmployeeId,
    stamp: Stamp,
    notes: Option<Note>,
) -> Accepted {
    let found = match event {
        ClockEvent::In => late_beginning(shifts, stamp.at),
        ClockEvent::Out => open_at(shifts, stamp.at),
    };
    let mut shift = found.cloned().map_or(
        Shift { id, version: 1, employee, clock_in: None, clock_out: None, overlaps: false, notes: None },
        |found| Shift { version: found.version.saturating_add(1), ..found },
    );
    match event {
        ClockEvent::In => shift.clock_in = Some(stamp),
        ClockEvent::Out => shift.clock_out = Some(stamp),
    }
    shift.notes = notes.or(shift.notes);
    let others: Vec<&Shift> = shifts.iter().filter(|other| other.id != shift.id).collect();
    shift.overlaps = others.iter().any(|other| overlap(other, &shift));
    let changed = others.iter().filter_map(|other| {
        let overlaps =
            overlap(other, &shift) || others.iter().any(|third| third.id != other.id && overlap(third, other));
        let version = other.version.saturating_add(1);
        (overlaps != other.overlaps).then(|| Shift { version, overlaps, ..(*other).clone() })
    });
    let others = changed.collect();
    Accepted { shift, others }
}

/// The shift that somebody went from without having come, when they had come at `at` as it turns out: the first such
/// after it.
fn late_beginning(shifts: &[Shift], at: Timestamp) -> Option<&Shift> {
    let ends = |shift: &Shift| shift.clock_out.map(|stamp| stamp.at);
    shifts
        .iter()
        .filter(|shift| shift.clock_in.is_none() && ends(shift).is_some_and(|end| end >= at))
        .min_by_key(|shift| (ends(shift), shift.id))
}

/// The shift that somebody goes from at `at`: of those they are in, the one they came for last.
fn open_at(shifts: &[Shift], at: Timestamp) -> Option<&Shift> {
    let begins = |shift: &Shift| shift.clock_in.map(|stamp| stamp.at);
    shifts
        .iter()
        .filter(|shift| shift.is_open() && begins(shift).is_some_and(|begin| begin <= at))
        .max_by_key(|shift| (begins(shift), shift.id))
}

/// Whether two shifts have time in common. One without a beginning counts as the moment of its end, one that goes on
/// has no end.
fn overlap(one: &Shift, other: &Shift) -> bool {
    let ((begin, end), (other_begin, other_end)) = (span(one), span(other));
    begin < other_end && other_begin < end
}

fn span(shift: &Shift) -> (u64, u64) {
    let at = |stamp: &Stamp| stamp.at.as_millis();
    let begin = shift.clock_in.as_ref().or(shift.clock_out.as_ref()).map_or(0, at);
    (begin, shift.clock_out.as_ref().map_or(u64::MAX, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeviceId;
    use proptest::prelude::*;

    const ANNA: EmployeeId = EmployeeId::from_bytes([1; 16]);

    fn stamp(at: u64) -> Stamp {
        let at = Timestamp::from_millis(at);
        Stamp { at, noted_at: at, device: DeviceId::from_bytes([2; 16]), by: None }
    }

    /// Feeds events to somebody's shifts, one after the other.
    fn after(events: &[(ClockEvent, u64)]) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = Vec::new();
        for (number, (event, at)) in events.iter().enumerate() {
            let id = ShiftId::from_bytes([u8::try_from(number).unwrap(); 16]);
            let Accepted { shift, others } = accept(&shifts, *event, id, ANNA, stamp(*at), None);
            for changed in others.into_iter().chain([shift]) {
                match shifts.iter_mut().find(|shift| shift.id == changed.id) {
                    Some(shift) => {
                        assert_eq!(changed.version, shift.version + 1);
                        *shift = changed;
                    }
                    None => shifts.push(changed),
                }
            }
        }
        shifts
    }

    fn times(shifts: &[Shift]) -> Vec<(Option<u64>, Option<u64>, bool)> {
        let at = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.at.as_millis());
        shifts.iter().map(|shift| (at(shift.clock_in), at(shift.clock_out), shift.overlaps)).collect()
    }

    use ClockEvent::{In, Out};

    #[test]
    fn l8_a_day_of_two_shifts() {
        let shifts = after(&[(In, 9), (Out, 12), (In, 13), (Out, 17)]);
        assert_eq!(times(&shifts), [(Some(9), Some(12), false), (Some(13), Some(17), false)]);
    }

    #[test]
    fn l8_coming_twice_flags_both_and_a_late_event_clears_it() {
        let shifts = after(&[(In, 9), (In, 13)]);
        assert_eq!(times(&shifts), [(Some(9), None, true), (Some(13), None, true)]);
        let shifts = after(&[(In, 9), (In, 13), (Out, 12)]);
        assert_eq!(times(&shifts), [(Some(9), Some(12), false), (Some(13), None, false)]);
    }

    #[test]
    fn l8_going_without_having_come_is_kept_and_flagged() {
        let shifts = after(&[(Out, 17)]);
        assert_eq!(times(&shifts), [(None, Some(17), false)]);
        assert!(shifts[0].is_flagged());
        let shifts = after(&[(Out, 17), (In, 9)]);
        assert_eq!(times(&shifts), [(Some(9), Some(17), false)], "the beginning came late");
        assert!(!shifts[0].is_flagged());
    }

    #[test]
    fn l8_times_to_come_are_refused() {
        let now = Timestamp::from_millis(1_000_000);
        let skew = CLOCK_SKEW_S * 1_000;
        assert_eq!(event_time(None, now), Ok(now));
        assert_eq!(event_time(Some(now.plus_millis(skew)), now), Ok(now.plus_millis(skew)));
        assert!(event_time(Some(now.plus_millis(skew + 1)), now).is_err());
        assert_eq!(event_time(Some(Timestamp::EPOCH), now), Ok(Timestamp::EPOCH));
    }

    proptest! {
        /// Whatever comes in whatever order: every event is kept, and exactly the shifts that overlap are flagged.
        #[test]
        fn l8_nothing_is_refused_and_every_overlap_is_flagged(
            events in proptest::collection::vec((any::<bool>(), 0u64..30), 1..40)
        ) {
            let events: Vec<_> = events.into_iter().map(|(comes, at)| (if comes { In } else { Out }, at)).collect();
            let shifts = after(&events);
            let mut kept: Vec<_> = shifts
                .iter()
                .flat_map(|shift| [shift.clock_in.map(|s| (0, s.at)), shift.clock_out.map(|s| (1, s.at))])
                .flatten()
                .collect();
            let mut sent: Vec<_> =
                events.iter().map(|(event, at)| (i32::from(*event == Out), Timestamp::from_millis(*at))).collect();
            kept.sort();
            sent.sort();
            prop_assert_eq!(kept, sent);
            for shift in &shifts {
                let overlaps = shifts.iter().any(|other| other.id != shift.id && overlap(other, shift));
                prop_assert_eq!(shift.overlaps, overlaps, "{:?}", shifts);
                if let (Some(begin), Some(end)) = (shift.clock_in, shift.clock_out) {
                    prop_assert!(begin.at <= end.at);
                }
            }
        }
    }
}
