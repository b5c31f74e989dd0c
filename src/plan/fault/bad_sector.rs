//! Sectors that cannot be read: latent sector errors (Bairavasundaram et al., SIGMETRICS'07).
//!
//! A read that touches one gets the bytes before it, or EIO at it. A write that covers one repairs
//! it (the drive remaps); a write of a part fails, as the drive would have to read the rest first.
//! A sector has one state: that of its lowest write generation.

use std::ops::{ControlFlow, Range};

use super::Grid;
use super::amount::Amount;
use crate::op::{OpKind, OpSet};
use crate::plan::Clusters;
use crate::plan::sampler::{Bernoulli, CELL_SHIFT, cells};
use crate::plan::seed::StreamKey;
use crate::scenario::{self, SectorAmount};

/// What touches the medium. Copies inside the backing directory are reads and writes to `fs`.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

/// Sectors by number, and the generation by which all of them are judged.
pub type Run = (Range<u64>, u32);

/// Unreadable sectors.
#[derive(Clone, Debug, PartialEq)]
pub struct BadSector {
    /// Of numbers. A cell is 2^20 sectors.
    amount: Amount<u64>,
    /// Its sectors.
    pub grid: Grid,
}

impl BadSector {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::BadSector) -> BadSector {
        let size = u64::from(fault.sector.max(1));
        let amount = match &fault.amount {
            SectorAmount::Rate(rate) => Amount::Rate(Bernoulli::new(*rate)),
            SectorAmount::Count(count) => Amount::Count(*count),
            SectorAmount::Clusters(shape) => Amount::Clusters(Clusters::new(shape, size)),
            SectorAmount::At(bytes) => {
                let mut numbers: Vec<u64> = bytes.iter().map(|byte| byte / size).collect();
                numbers.sort_unstable();
                numbers.dedup();
                Amount::At(numbers)
            }
        };
        BadSector { amount, grid: Grid { size } }
    }

    /// Bytes a sector.
    pub fn size(&self) -> u64 {
        self.grid.size
    }

    /// How many sectors must be placed before arming.
    pub fn to_place(&self) -> Option<u64> {
        self.amount.count()
    }

    /// How these are placed, if not one by one.
    pub fn clusters(&self) -> Option<&Clusters> {
        self.amount.clusters()
    }

    pub(super) fn names_places(&self) -> bool {
        self.amount.names_places()
    }

    pub(super) fn is_never(&self) -> bool {
        self.amount.is_never()
    }

    /// The bad sectors of one run, ascending, until `emit` breaks. `placed` are the file's own
    /// sectors of a `count`, sorted. Places given or placed are bad as first stored.
    pub fn each(
        &self,
        key: StreamKey,
        placed: &[u64],
        run: &Run,
        emit: &mut impl FnMut(u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (numbers, generation) = run;
        match &self.amount {
            Amount::Rate(trials) => {
                for (cell, window) in cells(numbers.clone(), CELL_SHIFT) {
                    for hit in trials.hits(key, cell, *generation, window) {
                        emit((cell << CELL_SHIFT) + hit)?;
                    }
                }
                ControlFlow::Continue(())
            }
            _ if *generation > 0 => ControlFlow::Continue(()),
            Amount::Count(_) | Amount::Clusters(_) => listed(placed, numbers, emit),
            Amount::At(bad) => listed(bad, numbers, emit),
        }
    }

    /// The sectors of which a write covers a part only: the first and the last at most. A file of
    /// `len` bytes ends its last sector early: writing up to there covers it.
    pub fn cut(&self, write: &Range<u64>, len: u64) -> impl Iterator<Item = u64> + use<> {
        let numbers = self.grid.numbers(write);
        let late = !write.start.is_multiple_of(self.grid.size) && !write.is_empty();
        let first = late.then_some(numbers.start);
        let early =
            !write.end.is_multiple_of(self.grid.size) && write.end < len && !write.is_empty();
        let last = early.then(|| numbers.end - 1).filter(|last| first != Some(*last));
        first.into_iter().chain(last)
    }
}

fn listed(
    bad: &[u64],
    numbers: &Range<u64>,
    emit: &mut impl FnMut(u64) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let first = bad.partition_point(|number| *number < numbers.start);
    for number in bad[first..].iter().take_while(|number| **number < numbers.end) {
        emit(*number)?;
    }
    ControlFlow::Continue(())
}

/// The runs of sectors of `size` bytes that cover the given pieces, which are in order and without
/// gaps. A sector of several pieces takes their lowest generation.
pub fn runs(pieces: &[(Range<u64>, u32)], size: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(pieces.len());
    for (bytes, generation) in pieces {
        let (mut first, end) = (bytes.start / size, bytes.end.div_ceil(size));
        if let Some(lowest) = take_shared(&mut runs, first) {
            runs.push((first..first + 1, lowest.min(*generation)));
            first += 1;
        }
        if first < end {
            runs.push((first..end, *generation));
        }
    }
    runs
}

/// Takes a sector off the end of the last run, if it is there already; its generation so far.
fn take_shared(runs: &mut Vec<Run>, sector: u64) -> Option<u32> {
    let (numbers, generation) = runs.last_mut().filter(|(last, _)| last.end == sector + 1)?;
    let generation = *generation;
    numbers.end -= 1;
    if numbers.is_empty() {
        runs.pop();
    }
    Some(generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(17);

    fn sectors(amount: SectorAmount) -> BadSector {
        BadSector::new(&scenario::BadSector { amount, sector: 512 })
    }

    fn bad(fault: &BadSector, run: Run) -> Vec<u64> {
        let mut found = Vec::new();
        let _ = fault.each(KEY, &[3], &run, &mut |number| {
            found.push(number);
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn given_and_placed_sectors_are_bad_until_overwritten() {
        let at = sectors(SectorAmount::At(vec![1_023, 512, 0]));
        assert_eq!(bad(&at, (0..10, 0)), [0, 1]);
        assert_eq!(bad(&at, (1..10, 0)), [1]);
        assert!(bad(&at, (0..10, 1)).is_empty());
        assert_eq!(bad(&sectors(SectorAmount::Count(1)), (0..10, 0)), [3]);
    }

    #[test]
    fn rates_draw_anew_for_every_generation() {
        let fault = sectors(SectorAmount::Rate(0.01));
        let [old, new] = [0, 1].map(|generation| bad(&fault, (0..100_000, generation)));
        // Binomial(100000, 0.01): 5 standard deviations are 157.
        assert!(old.len().abs_diff(1_000) < 157 && new.len().abs_diff(1_000) < 157);
        assert_ne!(old, new);
    }

    #[test]
    fn a_sector_of_several_generations_is_judged_by_the_lowest() {
        let pieces = [(0..512, 2), (512..600, 3), (600..700, 1), (700..2_048, 2)];
        assert_eq!(runs(&pieces, 512), [(0..1, 2), (1..2, 1), (2..4, 2)]);
        assert_eq!(runs(&[(100..5_000, 0)], 512), [(0..10, 0)]);
        assert_eq!(runs(&[], 512), []);
    }

    #[test]
    fn a_write_cuts_at_most_its_first_and_last_sector() {
        let fault = sectors(SectorAmount::Count(1));
        let cut = |write, len| fault.cut(&write, len).collect::<Vec<_>>();
        assert!(cut(512..1_536, u64::MAX).is_empty());
        assert_eq!(cut(500..1_537, u64::MAX), [0, 3]);
        assert_eq!(cut(10..20, u64::MAX), [0]);
        assert!(cut(512..1_000, 1_000).is_empty(), "nothing is stored after it");
        assert_eq!(cut(512..1_000, 1_001), [1]);
        assert!(cut(512..512, u64::MAX).is_empty());
        assert!(cut(600..600, u64::MAX).is_empty());
    }

    #[test]
    fn selected_bytes_are_widened_to_whole_sectors() {
        let fault = sectors(SectorAmount::Count(1));
        assert_eq!(fault.grid.widen(600..700), 512..1_024);
        assert_eq!(fault.grid.widen(0..u64::MAX), 0..u64::MAX);
    }
}
