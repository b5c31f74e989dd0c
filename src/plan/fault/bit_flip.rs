//! Single bits read wrong: a synthetic model, good for measuring what a target detects.
//!
//! *Sticky*: each stored bit is wrong independently, for every reader, until its byte is
//! overwritten; new data is a new trial (generation). *Permanent*: the place is wrong, whatever is
//! stored there. *Transient*: the bits of one read, drawn anew for each (path, occurrence).
//! *Written*: bits of what is written, by position and generation, or drawn for each write.
//! The backing bytes are right throughout, but for these. Not modelled: clustering, as real media show it, and
//! errors that the device's own code would have caught.

use std::ops::Range;

use super::amount::Amount;
use crate::op::{OpKind, OpSet};
use crate::plan::sampler::{Bernoulli, cells, distinct};
use crate::plan::seed::StreamKey;
use crate::scenario::{self, BitAmount, BitPosition, Persistence};

/// Only reads show a flipped bit.
const READS: OpSet = OpSet::EMPTY.with(OpKind::Read);
/// Bits that flip on the way to the medium.
const WRITES: OpSet = OpSet::EMPTY.with(OpKind::Write);

/// Base-2 logarithm of the bytes a cell: 2^20 bits.
const CELL_BYTES_SHIFT: u32 = 17;

/// Flipped bits.
#[derive(Clone, Debug, PartialEq)]
pub struct BitFlip {
    amount: Amount<BitPosition>,
    /// For how long.
    pub persistence: Persistence,
}

impl BitFlip {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::BitFlip) -> BitFlip {
        let amount = match &fault.amount {
            BitAmount::Rate(rate) => Amount::Rate(Bernoulli::new(*rate)),
            BitAmount::Count(count) => Amount::Count(*count),
            BitAmount::At(positions) => {
                let mut positions = positions.clone();
                positions.sort_unstable();
                Amount::At(positions)
            }
        };
        BitFlip { amount, persistence: fault.persistence }
    }

    /// How many bits must be placed before arming.
    pub fn to_place(&self) -> Option<u64> {
        self.amount.count().filter(|_| self.is_stored())
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

    pub(super) fn ends_by_overwriting(&self) -> bool {
        self.persistence == Persistence::Sticky
    }

    pub(super) fn is_never(&self) -> bool {
        self.amount.is_never()
    }

    /// The wrong bits of one piece of a file, all of whose bytes have the same generation. `placed`
    /// are the file's own positions of a `count`, sorted.
    pub fn stored(
        &self,
        key: StreamKey,
        placed: &[BitPosition],
        piece: &(Range<u64>, u32),
        emit: &mut impl FnMut(BitPosition),
    ) {
        let (range, generation) = piece.clone();
        let permanent = self.persistence == Persistence::Permanent;
        let generation = if permanent { 0 } else { generation };
        match &self.amount {
            Amount::Rate(trials) => rated(trials, key, range, generation, emit),
            Amount::Count(_) | Amount::Clusters(_) => {
                listed(placed, range, generation, permanent, emit)
            }
            Amount::At(positions) => listed(positions, range, generation, permanent, emit),
        }
    }

    /// The wrong bits of the `occurrence`-th matching read of one path, `range` being what it reads
    /// of the selected bytes. Rates and counts are drawn over the range: their positions are
    /// relative to its first byte.
    pub fn transient(
        &self,
        key: StreamKey,
        occurrence: u64,
        range: Range<u64>,
        emit: &mut impl FnMut(BitPosition),
    ) {
        let len = range.end.saturating_sub(range.start);
        match &self.amount {
            Amount::Rate(trials) => {
                for (part, window) in cells(0..len, CELL_BYTES_SHIFT) {
                    let base = range.start + (part << CELL_BYTES_SHIFT);
                    let bits = window.start * 8..window.end * 8;
                    trials
                        .hits(key, occurrence, part as u32, bits)
                        .for_each(|hit| emit(position(base, hit, 0)));
                }
            }
            Amount::Clusters(_) => {} // Bits do not come in clusters.
            Amount::Count(count) => {
                let bits = len.saturating_mul(8);
                distinct(&mut key.draws(occurrence, 0), *count, bits)
                    .into_iter()
                    .for_each(|hit| emit(position(range.start, hit, 0)));
            }
            Amount::At(positions) => listed(positions, range, 0, true, emit),
        }
    }
}

impl BitFlip {
    /// The bits that are stored wrong of the `occurrence`-th matching write of one path. `pieces`:
    /// its selected bytes by the generation that they have from then on, so that a rate does not
    /// depend on how much is written at once.
    pub fn written(
        &self,
        key: StreamKey,
        occurrence: u64,
        pieces: &[(Range<u64>, u32)],
        emit: &mut impl FnMut(BitPosition),
    ) {
        match (&self.amount, pieces) {
            (Amount::Rate(trials), _) => pieces.iter().for_each(|(range, generation)| {
                rated(trials, key, range.clone(), *generation, emit);
            }),
            (_, [first, .., last] | [first @ last]) => {
                self.transient(key, occurrence, first.0.start..last.0.end, emit);
            }
            _ => {}
        }
    }
}

fn rated(
    trials: &Bernoulli,
    key: StreamKey,
    range: Range<u64>,
    generation: u32,
    emit: &mut impl FnMut(BitPosition),
) {
    for (cell, window) in cells(range, CELL_BYTES_SHIFT) {
        let bits = window.start * 8..window.end * 8;
        trials
            .hits(key, cell, generation, bits)
            .for_each(|hit| emit(position(cell << CELL_BYTES_SHIFT, hit, generation)));
    }
}

/// The positions of a sorted list in `range` that hold for `generation`, or for any.
fn listed(
    positions: &[BitPosition],
    range: Range<u64>,
    generation: u32,
    any: bool,
    emit: &mut impl FnMut(BitPosition),
) {
    let first = positions.partition_point(|position| position.byte < range.start);
    positions[first..]
        .iter()
        .take_while(|position| position.byte < range.end)
        .filter(|position| any || position.generation == generation)
        .for_each(|position| emit(BitPosition { generation, ..*position }));
}

/// The `bit`-th bit after the byte `base`: eight to a byte, least significant first.
fn position(base: u64, bit: u64, generation: u32) -> BitPosition {
    BitPosition { byte: base + (bit >> 3), bit: (bit & 7) as u8, generation }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(11);

    fn flip(amount: BitAmount, persistence: Persistence) -> BitFlip {
        BitFlip::new(&scenario::BitFlip { amount, persistence })
    }

    fn stored(fault: &BitFlip, range: Range<u64>, generation: u32) -> Vec<BitPosition> {
        let mut found = Vec::new();
        fault.stored(KEY, &[], &(range, generation), &mut |at| found.push(at));
        found
    }

    fn transient(fault: &BitFlip, occurrence: u64, range: Range<u64>) -> Vec<BitPosition> {
        let mut found = Vec::new();
        fault.transient(KEY, occurrence, range, &mut |at| found.push(at));
        found
    }

    /// "Sticky `rate` is drawn anew for each generation; sticky `count` and `at` are not: they hold
    /// for one generation, the first one (0) unless `at` says otherwise."
    #[test]
    fn sticky_rates_draw_anew_for_every_generation_and_permanent_ones_do_not() {
        let sticky = flip(BitAmount::Rate(1e-4), Persistence::Sticky);
        let permanent = flip(BitAmount::Rate(1e-4), Persistence::Permanent);
        let range = 1_000..200_000;
        assert_ne!(stored(&sticky, range.clone(), 0), stored(&sticky, range.clone(), 1));
        assert_eq!(stored(&permanent, range.clone(), 0), stored(&permanent, range.clone(), 1));
        assert_eq!(stored(&sticky, range.clone(), 0), stored(&permanent, range, 5));
    }

    #[test]
    fn listed_bits_hold_for_their_generation_unless_they_are_permanent() {
        let at = [(8, 7, 0), (8, 3, 0), (9, 0, 1)].map(|(byte, bit, generation)| BitPosition {
            byte,
            bit,
            generation,
        });
        let found = |persistence, range, generation| {
            let fault = flip(BitAmount::At(at.to_vec()), persistence);
            let bits = stored(&fault, range, generation);
            bits.iter().map(|at| (at.byte, at.bit)).collect::<Vec<_>>()
        };
        assert_eq!(found(Persistence::Sticky, 0..100, 0), [(8, 3), (8, 7)]);
        assert_eq!(found(Persistence::Sticky, 0..100, 1), [(9, 0)]);
        assert_eq!(found(Persistence::Sticky, 9..100, 0), []);
        assert_eq!(found(Persistence::Permanent, 0..9, 4), [(8, 3), (8, 7)]);
    }

    /// "`rate` and `count` are drawn for the bytes of each occurrence."
    #[test]
    fn transient_counts_are_exact_in_range_and_new_each_time() {
        let fault = flip(BitAmount::Count(5), Persistence::Transient);
        let first = transient(&fault, 1, 4_096..8_192);
        assert_eq!(first.len(), 5);
        assert!(first.iter().all(|at| (4_096..8_192).contains(&at.byte) && at.bit < 8));
        assert_eq!(first, transient(&fault, 1, 4_096..8_192));
        assert_ne!(first, transient(&fault, 2, 4_096..8_192));
        let all = flip(BitAmount::Count(100), Persistence::Transient);
        assert_eq!(transient(&all, 1, 3..4).len(), 8);
    }

    #[test]
    fn transient_rates_cover_long_reads() {
        let fault = flip(BitAmount::Rate(1.0), Persistence::Transient);
        let found = transient(&fault, 1, 10..10 + (1 << 18));
        assert_eq!(found.len(), 8 << 18);
        assert_eq!((found[0].byte, found[0].bit), (10, 0));
    }
}
