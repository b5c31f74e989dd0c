//! Corrupt regions: blocks that read as zeros, as one byte, or as junk, with no error to tell of it.
//!
//! The blocks of CORDS (Ganesan et al., FAST'17) and the regions of CERN's probe (Panzer-Steindel,
//! 2007). *Sticky*: a region is corrupt until it is overwritten, and of a region that is overwritten
//! in part the rest stays so; new bytes are a new trial (generation). *Permanent*: the place is
//! corrupt, whatever is stored there. *Transient*: the regions of one read. Old content in place of new
//! is kept by the medium: bytes that were never overwritten have none.

use std::ops::Range;

use super::Grid;
use super::amount::Amount;
use crate::op::{OpKind, OpSet};
use crate::plan::sampler::{Bernoulli, CELL_SHIFT, cells, distinct};
use crate::plan::seed::StreamKey;
use crate::plan::{Clusters, Filling};
use crate::scenario::{self, Content, Persistence, RegionAmount};

/// Only reads show it.
const READS: OpSet = OpSet::EMPTY.with(OpKind::Read);
/// What becomes wrong on the way to the medium.
const WRITES: OpSet = OpSet::EMPTY.with(OpKind::Write);

/// Corrupt regions.
#[derive(Clone, Debug, PartialEq)]
pub struct Corrupt {
    content: Content,
    /// Of numbers, with the generation that is corrupt. A cell is 2^20 regions.
    amount: Amount<(u64, u32)>,
    /// Its regions.
    pub grid: Grid,
    /// For how long.
    pub persistence: Persistence,
}

impl Corrupt {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Corrupt) -> Corrupt {
        let size = u64::from(fault.region.max(1));
        let amount = match &fault.amount {
            RegionAmount::Rate(rate) => Amount::Rate(Bernoulli::new(*rate)),
            RegionAmount::Count(count) => Amount::Count(*count),
            RegionAmount::Clusters(shape) => Amount::Clusters(Clusters::new(shape, size)),
            RegionAmount::At(positions) => {
                let number = |at: &scenario::RegionPosition| (at.byte / size, at.generation);
                let mut numbers: Vec<(u64, u32)> = positions.iter().map(number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                Amount::At(numbers)
            }
        };
        Corrupt {
            content: fault.content,
            amount,
            grid: Grid { size },
            persistence: fault.persistence,
        }
    }

    /// How many regions must be placed before arming.
    pub fn to_place(&self) -> Option<u64> {
        self.amount.count().filter(|_| self.is_stored())
    }

    /// Whether regions read as what was there before.
    pub(super) fn is_stale(&self) -> bool {
        self.content == Content::Stale
    }

    /// The generation for which places hold that are chosen at arming: the first that can be damaged.
    pub fn first(&self) -> u32 {
        u32::from(self.is_stale() && self.persistence == Persistence::Sticky)
    }

    /// How these are placed, if not one by one.
    pub fn clusters(&self) -> Option<&Clusters> {
        self.amount.clusters()
    }

    /// Whether it is a property of the stored bytes.
    pub fn is_stored(&self) -> bool {
        self.persistence.is_stored()
    }

    /// Whether what is stored becomes wrong, and not what is read.
    pub fn is_written(&self) -> bool {
        self.persistence == Persistence::Written
    }

    pub(super) fn concerns(&self) -> OpSet {
        if self.is_written() { WRITES } else { READS }
    }

    pub(super) fn names_places(&self) -> bool {
        self.amount.names_places()
    }

    /// Whether it ends with the bytes that are overwritten.
    pub fn ends_by_overwriting(&self) -> bool {
        self.persistence == Persistence::Sticky
    }

    pub(super) fn is_never(&self) -> bool {
        self.amount.is_never()
    }

    /// What bytes of this generation read as. `junk` gives the key of junk that is left to the seed.
    pub fn filling(&self, generation: u32, junk: impl FnOnce() -> StreamKey) -> Filling {
        match self.content {
            Content::Zero => Filling::Byte(0),
            Content::Byte(byte) => Filling::Byte(byte),
            Content::Stale => Filling::Stale,
            Content::Junk(key) => {
                Filling::Junk { key: key.map_or_else(junk, StreamKey::from_u64), generation }
            }
        }
    }

    /// The corrupt regions among `numbers` for bytes of one generation, ascending. `placed` are the
    /// file's own regions of a `count`, sorted: they are corrupt as first stored.
    pub fn stored(
        &self,
        key: StreamKey,
        placed: &[u64],
        (numbers, generation): (Range<u64>, u32),
        emit: &mut impl FnMut(u64),
    ) {
        match &self.amount {
            _ if generation < self.first() => {}
            Amount::Rate(trials) => {
                for (cell, window) in cells(numbers, CELL_SHIFT) {
                    trials
                        .hits(key, cell, generation, window)
                        .for_each(|hit| emit((cell << CELL_SHIFT) + hit));
                }
            }
            Amount::Count(_) | Amount::Clusters(_) if generation > self.first() => {}
            Amount::Count(_) | Amount::Clusters(_) => {
                let first = placed.partition_point(|number| *number < numbers.start);
                let rest = placed[first..].iter().copied();
                rest.take_while(|number| *number < numbers.end).for_each(emit);
            }
            Amount::At(list) => listed(list, &numbers, |listed| listed == generation, emit),
        }
    }

    /// The corrupt regions among `numbers`, those that the `occurrence`-th matching read of one path
    /// touches, ascending. Rates and counts are drawn over them: by their place among them.
    pub fn transient(
        &self,
        key: StreamKey,
        occurrence: u64,
        numbers: Range<u64>,
        emit: &mut impl FnMut(u64),
    ) {
        let touched = numbers.end.saturating_sub(numbers.start);
        match &self.amount {
            Amount::Rate(trials) => {
                for (part, window) in cells(0..touched, CELL_SHIFT) {
                    let base = numbers.start + (part << CELL_SHIFT);
                    trials
                        .hits(key, occurrence, part as u32, window)
                        .for_each(|hit| emit(base + hit));
                }
            }
            Amount::Count(count) => distinct(&mut key.draws(occurrence, 0), *count, touched)
                .into_iter()
                .for_each(|hit| emit(numbers.start + hit)),
            Amount::At(list) => listed(list, &numbers, |_| true, emit),
            Amount::Clusters(_) => {} // Of devices, which validation sees to.
        }
    }
}

impl Corrupt {
    /// Whether regions are drawn, so that what they read as must not depend on single writes.
    pub fn is_rated(&self) -> bool {
        matches!(self.amount, Amount::Rate(_))
    }

    /// The regions that are stored wrong of the `occurrence`-th matching write of one path, with the
    /// generation that they have from then on. `pieces`: its selected bytes by that generation, so
    /// that a rate does not depend on how much is written at once.
    pub fn written(
        &self,
        key: StreamKey,
        occurrence: u64,
        pieces: &[(Range<u64>, u32)],
        emit: &mut impl FnMut(u64, u32),
    ) {
        match (&self.amount, pieces) {
            (Amount::Rate(_), _) => pieces.iter().for_each(|(range, generation)| {
                let run = (self.grid.numbers(range), *generation);
                self.stored(key, &[], run, &mut |number| emit(number, *generation));
            }),
            (_, [first, .., last] | [first @ last]) => {
                let numbers = self.grid.numbers(&(first.0.start..last.0.end));
                self.transient(key, occurrence, numbers, &mut |number| emit(number, 0));
            }
            _ => {}
        }
    }
}

/// The numbers of a sorted list in `numbers` whose generation is wanted.
fn listed(
    list: &[(u64, u32)],
    numbers: &Range<u64>,
    wanted: impl Fn(u32) -> bool,
    emit: &mut impl FnMut(u64),
) {
    let first = list.partition_point(|(number, _)| *number < numbers.start);
    list[first..]
        .iter()
        .take_while(|(number, _)| *number < numbers.end)
        .filter(|(_, generation)| wanted(*generation))
        .for_each(|(number, _)| emit(*number));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::RegionPosition;

    const KEY: StreamKey = StreamKey::from_u64(19);

    fn corrupt(amount: RegionAmount, persistence: Persistence) -> Corrupt {
        let content = Content::Zero;
        Corrupt::new(&scenario::Corrupt { content, amount, region: 512, persistence })
    }

    fn stored(fault: &Corrupt, numbers: Range<u64>, generation: u32) -> Vec<u64> {
        let mut found = Vec::new();
        fault.stored(KEY, &[3, 7], (numbers, generation), &mut |number| found.push(number));
        found
    }

    fn transient(fault: &Corrupt, occurrence: u64, numbers: Range<u64>) -> Vec<u64> {
        let mut found = Vec::new();
        fault.transient(KEY, occurrence, numbers, &mut |number| found.push(number));
        found
    }

    #[test]
    fn given_regions_are_those_of_the_bytes_and_hold_for_their_generation() {
        let at = [(1_023, 0), (512, 2), (5_000, 0)];
        let at = at.map(|(byte, generation)| RegionPosition { byte, generation });
        let fault = corrupt(RegionAmount::At(at.to_vec()), Persistence::Sticky);
        assert_eq!(stored(&fault, 0..100, 0), [1, 9]);
        assert_eq!(stored(&fault, 2..9, 0), [0; 0]);
        assert_eq!(stored(&fault, 0..100, 2), [1]);
    }

    #[test]
    fn placed_regions_are_corrupt_as_first_stored() {
        let fault = corrupt(RegionAmount::Count(2), Persistence::Sticky);
        assert_eq!((fault.to_place(), stored(&fault, 0..7, 0)), (Some(2), vec![3]));
        assert!(stored(&fault, 0..100, 1).is_empty());
    }

    #[test]
    fn rates_draw_anew_for_every_generation() {
        let fault = corrupt(RegionAmount::Rate(0.01), Persistence::Sticky);
        let [old, new] = [0, 1].map(|generation| stored(&fault, 0..100_000, generation));
        // Binomial(100000, 0.01): 5 standard deviations are 157.
        assert!(old.len().abs_diff(1_000) < 157 && new.len().abs_diff(1_000) < 157);
        assert_ne!(old, new);
    }

    #[test]
    fn transient_counts_are_exact_and_new_each_time() {
        let fault = corrupt(RegionAmount::Count(3), Persistence::Transient);
        let first = transient(&fault, 1, 100..1_000);
        assert!(first.len() == 3 && first.iter().all(|number| (100..1_000).contains(number)));
        assert_eq!(first, transient(&fault, 1, 100..1_000));
        assert_ne!(first, transient(&fault, 2, 100..1_000));
        assert_eq!(transient(&fault, 1, 5..7), [5, 6], "all there are");
        assert!(transient(&fault, 1, 5..5).is_empty());
    }
}
