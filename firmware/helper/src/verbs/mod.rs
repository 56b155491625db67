//! What is done for each request.

pub mod health;
pub mod network;
pub mod site;
pub mod usb;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use crate::data::marker;
use crate::files::Root;
use crate::limits::{CLOCK_MAX_MS, VERB_TIME_MAX};
use crate::machine::Machine;
use crate::program::Program;
use crate::protocol::{Answer, FACTORY_RESET_SENTENCE, Refusal, Reply, Request};

/// What is asked of systemd goes through this. It speaks to PID 1 directly: there is no message bus.
pub const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// Its time of last change is when the image was built; systemd and timesyncd start the clock no earlier either.
pub const CLOCK_EPOCH: &str = "/usr/lib/clock-epoch";

/// Carries out requests, one at a time.
pub struct Verbs<M> {
    root: Root,
    machine: M,
    /// Two requests at once could mount over each other.
    one_at_a_time: Mutex<()>,
}

impl<M: Machine> Verbs<M> {
    /// Works on this machine and its files.
    pub fn new(root: Root, machine: M) -> Self {
        Self { root, machine, one_at_a_time: Mutex::new(()) }
    }

    /// Carries out a request. [`Request::Reboot`] and its like are under way when this returns.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing was done, or what failed.
    pub fn carry_out(&self, request: Request) -> Answer {
        // A verb that panicked left nothing in memory behind it.
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let (root, machine) = (&self.root, &self.machine);
        match request {
            Request::Reboot => self.systemctl(["--no-block", "reboot"]),
            Request::PowerOff => self.systemctl(["--no-block", "poweroff"]),
            Request::SetTime { unix_ms } => self.set_time(unix_ms),
            Request::ApplyNetwork(plan) => network::apply(root, machine, &plan),
            Request::InstallBundle { file: _ } | Request::MarkSlot { slot: _, mark: _ } => {
                Err(Refusal::NotInThisRelease)
            }
            Request::ReadSiteFile => site::read(root, machine),
            Request::WriteSiteStatus { text } => {
                site::write(root, machine, site::STATUS_FILE, text.as_str().as_bytes())
            }
            Request::WriteSiteFile { contents } => site::write(root, machine, site::SITE_FILE, contents.as_slice()),
            Request::MountUsb => usb::mount(root, machine),
            Request::UnmountUsb => usb::unmount(root, machine),
            Request::FactoryReset { sentence } => self.factory_reset(sentence.as_str()),
            Request::ReadHealth => Ok(Reply::Health(health::read(root, machine))),
        }
    }

    fn systemctl<const N: usize>(&self, arguments: [&str; N]) -> Answer {
        let program = Program::new(SYSTEMCTL, VERB_TIME_MAX).args(arguments);
        let ended = self.machine.run(&program).and_then(|ended| ended.well());
        ended.map_err(Refusal::failed)?;
        Ok(Reply::Done)
    }

    fn set_time(&self, unix_ms: u64) -> Answer {
        let earliest_unix_ms = self.build_time_ms().map_err(Refusal::failed)?;
        if !(earliest_unix_ms..=CLOCK_MAX_MS).contains(&unix_ms) {
            return Err(Refusal::TimeOutOfRange { earliest_unix_ms, latest_unix_ms: CLOCK_MAX_MS });
        }
        self.machine.set_clock(unix_ms).map_err(Refusal::failed)?;
        log::info!(unix_ms; "the clock was set");
        Ok(Reply::Done)
    }

    fn build_time_ms(&self) -> io::Result<u64> {
        let modified = self.root.at(CLOCK_EPOCH).metadata()?.modified()?;
        let since_epoch = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    /// Leaves a mark on the data partition, synced, which `storebox-data` finds at the next start before anything uses
    /// the partition: only there can it be made anew, because here it is in use.
    fn factory_reset(&self, sentence: &str) -> Answer {
        if sentence != FACTORY_RESET_SENTENCE {
            return Err(Refusal::WrongSentence);
        }
        marker::leave(&self.root).map_err(Refusal::failed)?;
        log::warn!("everything is erased at the next start, as was asked");
        self.systemctl(["--no-block", "reboot"])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bounded::Text;
    use crate::files::scratch::Scratch;
    use crate::machine::fake::Fake;
    use crate::protocol::{Mark, SlotName};

    fn verbs(scratch: &Scratch) -> Verbs<Fake> {
        scratch.write(CLOCK_EPOCH, "");
        let built = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000);
        std::fs::File::options()
            .append(true)
            .open(scratch.root().at(CLOCK_EPOCH))
            .unwrap()
            .set_modified(built)
            .unwrap();
        Verbs::new(scratch.root(), Fake::new())
    }

    #[test]
    fn the_machine_is_stopped_by_systemd() {
        let scratch = Scratch::new("stop");
        let verbs = verbs(&scratch);
        assert_eq!(verbs.carry_out(Request::Reboot), Ok(Reply::Done));
        assert_eq!(verbs.carry_out(Request::PowerOff), Ok(Reply::Done));
        assert_eq!(verbs.machine.done(), ["systemctl --no-block reboot", "systemctl --no-block poweroff"]);
    }

    #[test]
    fn a_failure_of_systemd_is_told_in_its_words() {
        let scratch = Scratch::new("stop-failed");
        let mut verbs = verbs(&scratch);
        verbs.machine.act = Box::new(|_| 1);
        let refusal = verbs.carry_out(Request::Reboot).unwrap_err();
        assert_eq!(refusal.to_string(), "/usr/bin/systemctl ended with 1: said so");
    }

    #[test]
    fn the_clock_is_never_set_below_the_build_time() {
        let scratch = Scratch::new("clock");
        let verbs = verbs(&scratch);
        let set = |unix_ms| verbs.carry_out(Request::SetTime { unix_ms });
        let refused =
            Err(Refusal::TimeOutOfRange { earliest_unix_ms: 1_700_000_000_000, latest_unix_ms: 4_102_444_800_000 });
        for wrong in [0, 1_699_999_999_999, 4_102_444_800_001, u64::MAX] {
            assert_eq!(set(wrong), refused, "{wrong}");
        }
        assert_eq!(set(1_700_000_000_000), Ok(Reply::Done));
        assert_eq!(set(1_800_000_000_123), Ok(Reply::Done));
        assert_eq!(verbs.machine.done(), ["clock 1700000000000", "clock 1800000000123"]);
    }

    #[test]
    fn updates_are_refused_plainly() {
        let scratch = Scratch::new("updates");
        let verbs = verbs(&scratch);
        let install = Request::InstallBundle { file: Text::new("update").unwrap() };
        for request in [install, Request::MarkSlot { slot: SlotName::A, mark: Mark::Good }] {
            assert_eq!(verbs.carry_out(request), Err(Refusal::NotInThisRelease));
        }
        assert!(verbs.machine.done().is_empty());
    }

    /// Row B14.
    #[test]
    fn a_reset_wants_the_exact_sentence() {
        let scratch = Scratch::new("reset");
        let verbs = verbs(&scratch);
        let reset = |sentence: &str| verbs.carry_out(Request::FactoryReset { sentence: Text::new(sentence).unwrap() });
        for wrong in ["", "yes", "Erase everything on this box", "erase everything on this box "] {
            assert_eq!(reset(wrong), Err(Refusal::WrongSentence), "{wrong}");
        }
        assert!(!marker::is_left(&scratch.root()) && verbs.machine.done().is_empty());
        assert_eq!(reset(FACTORY_RESET_SENTENCE), Ok(Reply::Done));
        assert!(marker::is_left(&scratch.root()));
        assert_eq!(verbs.machine.done(), ["systemctl --no-block reboot"]);
    }
}
