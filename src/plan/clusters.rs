//! Where the damage of one sick device lies: a heavy-tailed number of places in runs, of which many
//! begin near the one before.
//!
//! Bairavasundaram et al. found so much of it (FAST'08: median 3, mean 104, runs of 3.4 blocks) so near
//! each other (SIGMETRICS'07: 10 MB for every second error), Schroeder et al. such bursts (FAST'10).
//! The lognormal number, and that a run begins near the start of the one before, are fits. The
//! selected files stand for the device, one after the other. Not modelled: when damage begins.

use std::collections::BTreeSet;
use std::ops::Range;

use super::deviate::{above_zero, below_one, standard_normal};
use super::seed::{Draws, below};
use crate::scenario::{self, RunLength};

/// Runs that may hit what is damaged already before the rest is taken from the beginning on: of a
/// device that is damaged nearly everywhere.
const MISSES_MAX: u64 = 1_000;

/// How the damage of a sick device lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    shape: scenario::Clusters,
    /// In places.
    neighbourhood: u64,
}

impl Clusters {
    /// The shape as a scenario says it, of places of `size` bytes.
    pub fn new(shape: &scenario::Clusters, size: u64) -> Clusters {
        Clusters { shape: *shape, neighbourhood: shape.neighbourhood / size.max(1) }
    }

    /// Places on a device whose files have these ranges of places, numbered one after the other; at
    /// least one, if there is any, and no more than there are.
    pub fn choose(&self, draws: &mut Draws, files: &[Range<u64>]) -> BTreeSet<u64> {
        let ends: Vec<u64> = files
            .iter()
            .scan(0_u64, |end, file| {
                *end = end.saturating_add(file.end.saturating_sub(file.start));
                Some(*end)
            })
            .collect();
        let found = ends.last().copied().unwrap_or(0);
        let wanted = self.number(draws).min(found);
        let mut chosen = BTreeSet::new();
        let (mut before, mut misses) = (None, 0);
        while (chosen.len() as u64) < wanted && misses < MISSES_MAX {
            let start = self.start(draws, before, found);
            let end = ends[ends.partition_point(|end| *end <= start)];
            let length = self.length(draws);
            let had = chosen.len();
            for place in start..end.min(start.saturating_add(length)) {
                if (chosen.len() as u64) < wanted {
                    chosen.insert(place);
                }
            }
            misses += u64::from(chosen.len() == had);
            before = Some(start);
        }
        (0..found).take_while(|_| misses == MISSES_MAX).for_each(|place| {
            if (chosen.len() as u64) < wanted {
                chosen.insert(place);
            }
        });
        chosen
    }

    /// How many places are damaged in all.
    pub fn number(&self, draws: &mut Draws) -> u64 {
        let scenario::Clusters { median, sigma, max, .. } = self.shape;
        let number = libm::round(median * libm::exp(sigma * standard_normal(draws)));
        (number as u64).clamp(1, max)
    }

    /// How many neighbours are damaged together.
    pub fn length(&self, draws: &mut Draws) -> u64 {
        match self.shape.run {
            RunLength::Geometric(mean) if mean <= 1.0 => 1,
            RunLength::Geometric(mean) => {
                let misses = libm::log(above_zero(draws)) / libm::log1p(-1.0 / mean);
                1 + misses as u64
            }
            RunLength::Burst { single, .. } if below_one(draws) < single => 1,
            RunLength::Burst { shape, longest, .. } => {
                let factor = libm::exp(-libm::log(above_zero(draws)) / shape);
                ((2.0 * factor) as u64).min(longest)
            }
        }
    }

    fn start(&self, draws: &mut Draws, before: Option<u64>, found: u64) -> u64 {
        let near = before.filter(|_| below_one(draws) < self.shape.near);
        let Some(before) = near else {
            return below(draws, found);
        };
        let first = before.saturating_sub(self.neighbourhood);
        let end = before.saturating_add(self.neighbourhood).saturating_add(1).min(found);
        first + below(draws, end - first)
    }
}
