//! Whether the box keeps the address its installer gave it (B9).
//!
//! A static address that was never of use is tried for a while. If it reaches nobody the box takes what the network gives
//! instead, so that it can be found and mended from where people are; if that is nothing either, it tries again. One that
//! was of use once is kept: then it is the router that is away.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use storebox_core::limits::{ADDRESS_AGAIN_S, ADDRESS_TRIAL_S};
use storebox_core::network::StaticAddress;

const TRIAL: Duration = Duration::from_secs(ADDRESS_TRIAL_S);
const AGAIN: Duration = Duration::from_secs(ADDRESS_AGAIN_S);

/// How the box gets its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// From the network (DHCP), or its own (link-local).
    Given,
    /// As the installer says.
    Static(StaticAddress),
}

/// What has to outlast a start, and be kept before the system is asked for a static address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// Whether the system may have a static address, because it was asked for one.
    pub is_asked: bool,
    /// The one that was of use.
    pub proven: Option<StaticAddress>,
}

/// What is tried, since when, and what was of use.
#[derive(Debug)]
pub struct Trial {
    wish: Option<StaticAddress>,
    kept: Kept,
    /// What was asked of the system last; none before it was asked anything since the start.
    plan: Option<Plan>,
    since: Duration,
}

impl Trial {
    /// Goes on from what was kept.
    pub const fn new(kept: Kept) -> Self {
        Self { wish: None, kept, plan: None, since: Duration::ZERO }
    }

    /// What has to be kept before what [`Trial::next`] says is done.
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether the installer's address reached nobody, so that the box goes without.
    pub fn has_failed(&self) -> bool {
        self.wish.is_some() && self.plan == Some(Plan::Given)
    }

    /// What the installer says now.
    pub fn wish(&mut self, wish: Option<StaticAddress>) {
        if self.wish != wish {
            self.wish = wish;
            self.plan = None;
        }
    }

    /// What to ask of the system now, if anything. `reaches` says whether somebody can be reached by the address there is.
    pub fn next(&mut self, now: Duration, reaches: bool) -> Option<Plan> {
        let Some(wish) = self.wish.clone() else {
            // Nobody wants a static address. One that was set once has to go.
            let was = core::mem::take(&mut self.kept);
            return was.is_asked.then(|| self.change(now, Plan::Given));
        };
        let tried = now.saturating_sub(self.since);
        match self.plan {
            None => Some(self.change(now, Plan::Static(wish))),
            Some(Plan::Static(_)) if reaches => {
                self.kept.proven = Some(wish);
                None
            }
            Some(Plan::Static(_)) if self.kept.proven.as_ref() != Some(&wish) && tried >= TRIAL => {
                Some(self.change(now, Plan::Given))
            }
            Some(Plan::Given) if !reaches && tried >= AGAIN => Some(self.change(now, Plan::Static(wish))),
            Some(Plan::Static(_) | Plan::Given) => None,
        }
    }

    fn change(&mut self, now: Duration, plan: Plan) -> Plan {
        self.since = now;
        self.kept.is_asked |= matches!(plan, Plan::Static(_));
        self.plan = Some(plan.clone());
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> StaticAddress {
        StaticAddress::new([10, 1, 2, last].into(), 24, Some([10, 1, 2, 1].into()), Vec::new()).unwrap()
    }

    const S: Duration = Duration::from_secs(1);
    const HEALS: Duration = Duration::from_secs(180);

    #[test]
    fn b9_an_address_that_reaches_nobody_is_given_up_within_three_minutes_and_tried_again_if_there_is_no_other() {
        let mut trial = Trial::new(Kept::default());
        assert_eq!(trial.next(S, false), None, "without a wish nothing is touched");
        trial.wish(Some(address(20)));
        assert_eq!(trial.next(S, false), Some(Plan::Static(address(20))));
        assert_eq!(trial.next(S * 2, false), None);
        assert!(TRIAL < HEALS && !trial.has_failed());
        assert_eq!(trial.next(S + TRIAL, false), Some(Plan::Given));
        assert!(trial.has_failed() && trial.kept().proven.is_none());
        assert_eq!(trial.next(S + TRIAL + AGAIN * 5, true), None, "the network gave one, and terminals use it");
        assert_eq!(trial.next(S + TRIAL + AGAIN * 5, false), Some(Plan::Static(address(20))));
    }

    #[test]
    fn b9_an_address_that_was_of_use_is_kept_while_the_router_is_away() {
        let mut trial = Trial::new(Kept::default());
        trial.wish(Some(address(20)));
        trial.next(S, false);
        assert_eq!(trial.next(S * 2, true), None);
        assert_eq!(trial.kept().proven, Some(address(20)));
        assert_eq!(trial.next(TRIAL * 100, false), None);
        // And after a start, with the router still away.
        let mut again = Trial::new(trial.kept().clone());
        again.wish(Some(address(20)));
        assert_eq!(again.next(S, false), Some(Plan::Static(address(20))));
        assert_eq!(again.next(TRIAL * 100, false), None);
        // Another one has to prove itself.
        again.wish(Some(address(21)));
        assert_eq!(again.next(TRIAL * 100, false), Some(Plan::Static(address(21))));
        assert_eq!(again.next(TRIAL * 101, false), Some(Plan::Given));
    }

    #[test]
    fn b9_without_a_wish_the_network_gives_the_address_again() {
        // Power went while it was tried, and the installer thought better of it.
        let mut trial = Trial::new(Kept { is_asked: true, proven: None });
        assert_eq!(trial.next(S, true), Some(Plan::Given));
        assert_eq!((trial.next(S, true), trial.has_failed(), trial.kept()), (None, false, &Kept::default()));
    }
}
