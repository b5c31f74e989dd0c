//! Which of very many places are hit: independent Bernoulli trials by geometric skipping inside
//! cells, and a fixed number of distinct places.
//!
//! The hits of a cell depend on its stream alone, never on who asks for which part; costs grow with
//! hits and cells looked at, never with places. Geometric gaps have no memory, so starting afresh at
//! every cell's border leaves every place an independent trial that can be judged by itself.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::Rng;

use super::seed::{Draws, StreamKey, below};

/// Base-2 logarithm of [`CELL_TRIALS`].
pub const CELL_SHIFT: u32 = 20;
/// Trials a cell: the bits of 128 KiB.
pub const CELL_TRIALS: u64 = 1 << CELL_SHIFT;

/// 2^-64: turns 64 random bits into a number from 0 to 1 (1 included: see [`Bernoulli::skip`]).
const UNIT: f64 = 1.0 / 18_446_744_073_709_551_616.0;

/// Independent trials of one probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bernoulli {
    probability: f64,
    /// log(1 - probability), less than 0.
    log_miss: f64,
    /// First draws from here on leave the whole cell empty. The converse is for [`Bernoulli::skip`]
    /// to say: the gate lies a little high, more than any rounding can account for.
    gate: u64,
}

impl Bernoulli {
    /// Trials that succeed with `probability`, from 0.0 (never) to 1.0 (always).
    pub fn new(probability: f64) -> Bernoulli {
        let log_miss = libm::log1p(-probability.min(1.0));
        // 1 - (1 - p)^n, without losing the small ones.
        let some_hit = -libm::expm1(CELL_TRIALS as f64 * log_miss);
        let exact = (some_hit / UNIT) as u64;
        Bernoulli {
            probability,
            log_miss,
            // log1p, expm1, the quotient and the rounding of the draw are off by less than 2^-50 of
            // the value and 2^11 steps of the draw.
            gate: exact.saturating_add((exact >> 48) + (1 << 12)),
        }
    }

    /// The probability of one trial.
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// Whether one trial succeeds, for a uniform draw; exact to 2^-64.
    pub fn strikes(&self, draw: u64) -> bool {
        // The product is exact: a power of two only moves the exponent.
        let threshold = (self.probability * 18_446_744_073_709_551_616.0) as u64;
        self.probability >= 1.0 || draw < threshold
    }

    /// How many trials fail before the next success, for a uniform draw.
    ///
    /// The largest 1024 draws round to 1.0, whose logarithm is minus infinity: the skip saturates,
    /// which ends the cell. All 64 bits count: with 53 the smallest gaps would never come up for
    /// probabilities of 1e-16 and less.
    pub fn skip(&self, draw: u64) -> u64 {
        if self.probability >= 1.0 {
            return 0;
        }
        let unit = draw as f64 * UNIT;
        (libm::log1p(-unit) / self.log_miss) as u64
    }

    /// The successful trials in `window` (at most 0..[`CELL_TRIALS`]) of one cell, ascending.
    pub fn hits(&self, key: StreamKey, cell: u64, generation: u32, window: Range<u64>) -> Hits<'_> {
        let mut draws = key.draws(cell, generation);
        let next = if self.probability <= 0.0 {
            CELL_TRIALS
        } else if self.probability >= 1.0 {
            window.start
        } else {
            self.first(draws.draw())
        };
        Hits { trials: self, draws, next, window }
    }

    fn first(&self, draw: u64) -> u64 {
        if draw >= self.gate { CELL_TRIALS } else { self.skip(draw) }
    }
}

/// See [`Bernoulli::hits`].
#[derive(Clone, Debug)]
pub struct Hits<'a> {
    trials: &'a Bernoulli,
    draws: Draws,
    next: u64,
    window: Range<u64>,
}

impl Iterator for Hits<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.next < self.window.end {
            let here = self.next;
            // A probability of 1 draws nothing: every skip is 0.
            let skip = if self.trials.probability >= 1.0 {
                0
            } else {
                self.trials.skip(self.draws.draw())
            };
            self.next = here.saturating_add(1).saturating_add(skip);
            if here >= self.window.start {
                return Some(here);
            }
        }
        None
    }
}

/// A range cut at the borders of cells of `1 << shift` units: each cell's number, and the part of it
/// in the range, counted from the cell's first unit.
pub fn cells(range: Range<u64>, shift: u32) -> impl Iterator<Item = (u64, Range<u64>)> {
    let size = 1_u64 << shift;
    let numbers =
        if range.is_empty() { 0..0 } else { range.start >> shift..((range.end - 1) >> shift) + 1 };
    numbers.map(move |cell| {
        let base = cell << shift;
        let start = range.start.saturating_sub(base);
        let end = (range.end - base).min(size);
        (cell, start..end)
    })
}

/// `wanted` distinct numbers below `bound`, every set equally likely; all of them if there are
/// fewer. Ascending.
///
/// Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM 30(9), 1987): one bounded
/// draw for each number, however close `wanted` is to `bound`.
pub fn distinct(draws: &mut impl Rng, wanted: u64, bound: u64) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for last in bound.saturating_sub(wanted)..bound {
        let candidate = below(draws, last.saturating_add(1));
        if !chosen.insert(candidate) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(p: f64, cell: u64, window: Range<u64>) -> Vec<u64> {
        Bernoulli::new(p).hits(StreamKey::from_u64(99), cell, 0, window).collect()
    }

    #[test]
    fn probability_zero_never_hits_and_one_always() {
        assert!(hits(0.0, 3, 0..CELL_TRIALS).is_empty());
        let all: Vec<u64> = (1_000..2_000).collect();
        assert_eq!(hits(1.0, 3, 1_000..2_000), all);
    }

    #[test]
    fn draws_that_round_to_one_end_the_cell() {
        for p in [1e-18, 1e-9, 0.5] {
            for draw in [u64::MAX, u64::MAX - 1_023] {
                assert_eq!(Bernoulli::new(p).skip(draw), u64::MAX);
            }
            let largest = Bernoulli::new(p).skip(u64::MAX - 2_048);
            assert!(p < 1e-17 || largest < u64::MAX);
        }
    }

    #[test]
    fn a_window_shows_exactly_its_part_of_the_cell() {
        let whole = hits(1e-4, 7, 0..CELL_TRIALS);
        assert!(whole.len() > 50);
        for window in [0..1, 5..70_000, 70_000..CELL_TRIALS, 1_000_000..1_000_008] {
            let part: Vec<u64> = whole.iter().copied().filter(|hit| window.contains(hit)).collect();
            assert_eq!(hits(1e-4, 7, window), part);
        }
    }

    #[test]
    fn the_gate_never_closes_a_cell_that_the_skip_would_hit() {
        for p in [1e-18, 1e-16, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 0.3, 0.999_999] {
            let trials = Bernoulli::new(p);
            let random = (0..20_000).map(|cell| StreamKey::from_u64(5).draws(cell, 0).draw());
            let near = (0..20_000).map(|step| trials.gate.saturating_add(step));
            for draw in random.chain(near) {
                let empty = trials.skip(draw) >= CELL_TRIALS;
                assert_eq!(trials.first(draw) >= CELL_TRIALS, empty, "p {p} draw {draw}");
            }
            // It is tight, too: the last draw that hits lies just below it.
            let slack = (trials.gate >> 47) + (1 << 13);
            assert!(trials.skip(trials.gate.saturating_sub(slack)) < CELL_TRIALS, "p {p}");
        }
    }

    #[test]
    fn the_smallest_gap_keeps_its_probability_down_to_1e_16() {
        // How many of the 2^64 draws give a skip of 0, by bisection: p * 2^64, rounded up.
        for (p, tolerance) in [(1e-12, 1e-6), (1e-14, 1e-4), (1e-16, 1e-3), (1e-17, 6e-3)] {
            let trials = Bernoulli::new(p);
            let (mut zero, mut more) = (0_u64, u64::MAX);
            while more - zero > 1 {
                let middle = zero + (more - zero) / 2;
                if trials.skip(middle) == 0 {
                    zero = middle;
                } else {
                    more = middle;
                }
            }
            let realised = more as f64 * UNIT;
            assert!((realised / p - 1.0).abs() < tolerance, "p {p}: {realised}");
        }
    }

    #[test]
    fn an_empty_cell_keeps_its_probability_down_to_1e_18() {
        for p in [1e-18, 1e-15, 1e-12, 1e-9, 1e-6] {
            let expected = CELL_TRIALS as f64 * p;
            let expected = expected - expected * expected / 2.0 + expected.powi(3) / 6.0;
            let realised = Bernoulli::new(p).gate as f64 * UNIT;
            assert!(p > 1e-7 || (realised / expected - 1.0).abs() < 1e-3, "p {p}: {realised}");
        }
    }

    #[test]
    fn cells_cut_a_range_without_gap_or_overlap() {
        let cut: Vec<_> = cells(5..35, 4).collect();
        assert_eq!(cut, [(0, 5..16), (1, 0..16), (2, 0..3)]);
        assert_eq!(cells(7..7, 4).count(), 0);
        let top = u64::MAX - 3..u64::MAX;
        assert_eq!(cells(top, 4).collect::<Vec<_>>(), [(u64::MAX >> 4, 12..15)]);
    }

    #[test]
    fn distinct_numbers_are_as_many_as_wanted_or_all_there_are() {
        let mut draws = StreamKey::from_u64(8).draws(0, 0);
        assert_eq!(distinct(&mut draws, 40, 50).len(), 40);
        assert!(distinct(&mut draws, 9, 9).into_iter().eq(0..9));
        assert!(distinct(&mut draws, 90, 9).into_iter().eq(0..9));
        assert!(distinct(&mut draws, 3, 0).is_empty());
    }
}
