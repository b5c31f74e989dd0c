//! How long operations take, counted in classes: two additions each, no lock, nothing allocated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The classes' upper bounds: 1, 2 and 5 times each power of ten from a microsecond to 100 seconds.
/// What takes longer is in a class of its own behind them.
pub const BOUNDS: [Duration; 25] = bounds();
/// So many classes there are.
const CLASSES: usize = BOUNDS.len() + 1;

const fn bounds() -> [Duration; 25] {
    let (mut bounds, mut number, mut power) = ([Duration::ZERO; 25], 0, 1_000);
    while number < bounds.len() {
        bounds[number] = Duration::from_nanos(power * [1, 2, 5][number % 3]);
        number += 1;
        if number % 3 == 0 {
            power *= 10;
        }
    }
    bounds
}

/// Durations as they are counted.
#[derive(Debug, Default)]
pub(super) struct Durations {
    classes: [AtomicU64; CLASSES],
    sum_ns: AtomicU64,
}

/// Durations that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Distribution {
    /// How many were no longer than each of [`BOUNDS`] and longer than the one before; and longer
    /// than all.
    pub classes: [u64; CLASSES],
    /// All of them together.
    pub sum: Duration,
}

impl Durations {
    /// Counts one.
    pub(super) fn count(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.classes[class(ns)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Adds what was counted here.
    pub(super) fn add_to(&self, all: &mut Distribution) {
        for (sum, class) in all.classes.iter_mut().zip(&self.classes) {
            *sum += class.load(Ordering::Relaxed);
        }
        all.sum += Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed));
    }
}

impl Distribution {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

/// The class of a duration. Between two powers of two there is one bound at most, as each is at
/// least twice the one before: one look at a table and one comparison.
fn class(ns: u64) -> usize {
    const FIRST: [u8; 65] = first();
    let low = usize::from(FIRST[64 - ns.leading_zeros() as usize]);
    let bound = BOUNDS.get(low).map_or(u64::MAX, |bound| bound.as_nanos() as u64);
    low + usize::from(ns > bound)
}

/// For each number of binary digits, the first class whose bound is not below the least number that
/// has so many.
const fn first() -> [u8; 65] {
    let (mut table, mut digits) = ([0; 65], 1);
    while digits < table.len() {
        let least = 1_u128 << (digits - 1);
        while (table[digits] as usize) < BOUNDS.len()
            && BOUNDS[table[digits] as usize].as_nanos() < least
        {
            table[digits] += 1;
        }
        digits += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_class_of_the_least_bound_that_is_not_below_it() {
        let slow = |ns: u64| BOUNDS.iter().take_while(|bound| bound.as_nanos() < ns.into()).count();
        let edges = BOUNDS.iter().map(|bound| bound.as_nanos() as u64);
        let edges = edges.chain((0..64).map(|power| 1 << power)).chain([0, u64::MAX]);
        for edge in edges {
            for ns in [edge.saturating_sub(1), edge, edge.saturating_add(1)] {
                assert_eq!(class(ns), slow(ns), "{ns} ns");
            }
        }
        assert_eq!(BOUNDS[0], Duration::from_micros(1));
        assert_eq!(BOUNDS[24], Duration::from_secs(100));
    }

    #[test]
    fn what_several_threads_counted_adds_up() {
        let (one, other) = (Durations::default(), Durations::default());
        one.count(Duration::from_micros(3));
        other.count(Duration::from_micros(4));
        other.count(Duration::from_secs(1_000));
        let mut all = Distribution::default();
        [one, other].iter().for_each(|durations| durations.add_to(&mut all));
        assert_eq!((all.count(), all.classes[2], all.classes[25]), (3, 2, 1));
        assert_eq!(all.sum, Duration::from_micros(1_000_000_007));
    }
}
