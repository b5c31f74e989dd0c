//! When a rule fires: the conditions of `when`, which combine with *and*.
//!
//! Pure: says what counts mean, keeps none. An operation outside the time window is not counted.

use std::time::Duration;

use super::RuleId;
use super::seed::StreamKey;
use crate::scenario::{Cycle, When};

/// The conditions of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    nth: Vec<u64>,
    every: Option<u64>,
    /// At most so many fires.
    pub times: Option<u64>,
    /// Drawn for each matching operation; `None`: always.
    pub chance: Option<Chance>,
    after: Duration,
    end: Option<Duration>,
    cycle: Option<Cycle>,
    /// The rule that must have fired before.
    pub event: Option<RuleId>,
}

impl Trigger {
    /// The conditions as a scenario says them.
    pub fn new(when: &When) -> Trigger {
        let mut nth = when.nth.clone();
        nth.sort_unstable();
        let after = when.after.unwrap_or_default();
        Trigger {
            nth,
            every: when.every,
            times: when.times,
            chance: when.probability.filter(|p| *p < 1.0).map(Chance::new),
            after,
            end: when.for_.map(|length| after.saturating_add(length)),
            cycle: when.cycle,
            event: None,
        }
    }

    /// The same, once that rule has fired.
    pub fn following(self, event: Option<RuleId>) -> Trigger {
        Trigger { event, ..self }
    }

    /// Whether an operation `now` after arming is looked at, and counted, at all.
    pub fn is_open(&self, now: Duration) -> bool {
        let within = now >= self.after && self.end.is_none_or(|end| now < end);
        within && self.cycle.is_none_or(|cycle| is_on(cycle, now - self.after))
    }

    /// How long until operations are looked at, `now` after arming; `None`: they are, or were.
    pub fn opens_in(&self, now: Duration) -> Option<Duration> {
        self.after.checked_sub(now).filter(|time| !time.is_zero())
    }

    /// Whether it does not matter when an operation comes.
    pub fn is_timeless(&self) -> bool {
        let ever = self.after.is_zero() && self.end.is_none();
        ever && self.cycle.is_none() && self.event.is_none()
    }

    /// Whether no operation is looked at any more, `now` after arming.
    pub fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    /// Whether `nth` and `every` hold for the rule's `occurrence`-th matching operation, from 1.
    pub fn is_due(&self, occurrence: u64) -> bool {
        (self.nth.is_empty() || self.nth.binary_search(&occurrence).is_ok())
            && self.every.is_none_or(|every| occurrence.is_multiple_of(every.max(1)))
    }

    /// Whether there is more to it than a time window: not every occurrence is due.
    pub fn is_conditional(&self) -> bool {
        !self.nth.is_empty() || self.every.is_some() || self.chance.is_some()
    }

    /// Whether it picks operations by their number, or only so many of them.
    pub fn picks(&self) -> bool {
        !self.nth.is_empty() || self.every.is_some() || self.times.is_some()
    }

    /// Whether no operation can ever fire it.
    pub fn is_never(&self) -> bool {
        self.times == Some(0) || self.chance.is_some_and(|chance| chance.threshold == 0)
    }
}

/// Whether it is on, so long after it began.
fn is_on(Cycle { on, off }: Cycle, since: Duration) -> bool {
    let round = on.saturating_add(off).as_nanos().max(1);
    since.as_nanos() % round < on.as_nanos()
}

/// A probability for each matching operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    threshold: u64,
}

impl Chance {
    /// A probability below 1, exact to 2^-64.
    pub(super) fn new(probability: f64) -> Chance {
        // The product is exact: a power of two only moves the exponent.
        Chance { threshold: (probability * 18_446_744_073_709_551_616.0) as u64 }
    }

    /// The answer for the `occurrence`-th matching operation of a rule on one path.
    pub fn draw(&self, key: StreamKey, occurrence: u64) -> bool {
        key.draws(occurrence, 0).draw() < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(when: When, upto: u64) -> Vec<u64> {
        let trigger = Trigger::new(&when);
        (1..=upto).filter(|n| trigger.is_due(*n)).collect()
    }

    #[test]
    fn no_condition_holds_always() {
        let trigger = Trigger::new(&When::default());
        assert!(trigger.is_open(Duration::ZERO) && trigger.is_due(1) && !trigger.is_never());
    }

    /// "Conditions combine with *and*."
    #[test]
    fn nth_and_every_combine_with_and() {
        let nth = vec![9, 2, 3];
        assert_eq!(due(When { nth: nth.clone(), ..When::default() }, 10), [2, 3, 9]);
        let every = Some(3);
        assert_eq!(due(When { every, ..When::default() }, 10), [3, 6, 9]);
        assert_eq!(due(When { nth, every, ..When::default() }, 10), [3, 9]);
    }

    #[test]
    fn the_window_is_half_open() {
        let [ten, seventy] = [Duration::from_secs(10), Duration::from_secs(70)];
        let trigger = Trigger::new(&When {
            after: Some(ten),
            for_: Some(Duration::from_secs(60)),
            ..When::default()
        });
        let step = Duration::from_nanos(1);
        assert!(!trigger.is_open(ten - step) && trigger.is_open(ten));
        assert!(trigger.is_open(seventy - step) && !trigger.is_open(seventy));
    }

    #[test]
    fn a_cycle_is_on_first_and_then_comes_and_goes() {
        let [on, off] = [Duration::from_secs(5), Duration::from_secs(20)];
        let after = Some(Duration::from_secs(10));
        let trigger =
            Trigger::new(&When { after, cycle: Some(Cycle { on, off }), ..When::default() });
        let open: Vec<u64> =
            (0..70).filter(|second| trigger.is_open(Duration::from_secs(*second))).collect();
        let wanted: Vec<u64> = (10..15).chain(35..40).chain(60..65).collect();
        assert_eq!(open, wanted);
    }

    /// "A probability or rate of 0 is never, and 1 is always."
    #[test]
    fn probability_is_never_at_zero_always_at_one_and_right_between() {
        let trigger =
            |probability| Trigger::new(&When { probability: Some(probability), ..When::default() });
        assert!(trigger(0.0).is_never());
        assert_eq!(trigger(1.0).chance, None);
        let chance = trigger(0.25).chance.unwrap();
        let key = StreamKey::from_u64(12);
        let fired = (1..=10_000).filter(|n| chance.draw(key, *n)).count();
        // Binomial(10000, 1/4): 5 standard deviations are 216.
        assert!(fired.abs_diff(2_500) < 216, "{fired}");
    }
}
