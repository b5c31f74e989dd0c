//! The power goes: what was not synced is lost, in part or as a whole, bytes and names.
//!
//! Models a crash of the machine, or of a drive with a volatile cache (FAST'13: shorn and
//! unserializable writes), above a file system that makes names last in order (a journal) or not at
//! all without an fsync of their directory (what POSIX promises: nothing). Not modelled: junk in torn
//! pages, the loss of what was synced (but see `lies`), and modes, owners and attributes, which stay.

use super::error;
use crate::op::OpSet;
use crate::plan::sampler::Bernoulli;
use crate::plan::seed::{StreamKey, below};
use crate::scenario::{self, Names, Unsynced};

/// Whatever somebody gets to see.
pub(super) const CONCERNS: OpSet = error::CONCERNS;

/// Bytes of a page: what is old or new as a whole, unless it is torn.
pub const PAGE: u64 = 4_096;

/// Sectors of 512 bytes of a page.
const SECTORS: u64 = 8;

/// A loss of power.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerCut {
    /// What becomes of unsynced bytes.
    pub unsynced: Unsynced,
    /// Which names last.
    pub names: Names,
    /// Whether everything fails from then on.
    pub stays_off: bool,
    torn: Bernoulli,
    lies: Bernoulli,
}

/// How much of an unsynced page the medium has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// Nothing.
    Old,
    /// All of it.
    New,
    /// So many sectors of 512 bytes, from its first one: 1 to 7.
    Torn(u64),
}

impl PowerCut {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::PowerCut) -> PowerCut {
        let scenario::PowerCut { unsynced, torn, names, lies, stays_off } = *fault;
        let (torn, lies) = (Bernoulli::new(torn), Bernoulli::new(lies));
        PowerCut { unsynced, names, stays_off, torn, lies }
    }

    /// What the medium has of a page of a file at the `cut`-th cut of the mount. Draw 0 is whether it
    /// is torn, draw 1 where, or else whether it is new.
    pub fn page(&self, key: StreamKey, page: u64, cut: u32) -> Got {
        let mut draws = key.draws(page, cut);
        match self.unsynced {
            Unsynced::Old => Got::Old,
            Unsynced::New => Got::New,
            Unsynced::Mixed if self.torn.strikes(draws.draw()) => {
                Got::Torn(1 + below(&mut draws, SECTORS - 1))
            }
            Unsynced::Mixed if below(&mut draws, 2) == 1 => Got::New,
            Unsynced::Mixed => Got::Old,
        }
    }

    /// Whether a file that was cut off and not synced is shorter at the `cut`-th cut.
    pub fn is_short(&self, key: StreamKey, cut: u32) -> bool {
        match self.unsynced {
            Unsynced::Old => false,
            Unsynced::New => true,
            Unsynced::Mixed => below(&mut key.draws(u64::MAX, cut), 2) == 1,
        }
    }

    /// The same, and another rule has said which names last.
    #[must_use]
    pub fn with_names(&self, names: Names) -> PowerCut {
        PowerCut { names, ..self.clone() }
    }

    /// How many of so many changes of names, each after the other, last at the `cut`-th cut.
    pub fn lasting(&self, key: StreamKey, changes: u64, cut: u32) -> u64 {
        match (self.names, self.unsynced) {
            (Names::Strict, _) | (Names::Ordered, Unsynced::Old) => 0,
            (Names::Ordered, Unsynced::New) => changes,
            (Names::Ordered, Unsynced::Mixed) => below(&mut key.draws(0, cut), changes + 1),
        }
    }

    /// Whether the `nth` sync of a path persists nothing, and says that it did.
    pub fn lies(&self, key: StreamKey, nth: u64) -> bool {
        self.lies.strikes(key.draws(nth, 0).draw())
    }

    /// Whether syncing may persist nothing.
    pub fn may_lie(&self) -> bool {
        self.lies.probability() > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(unsynced: Unsynced, torn: f64, lies: f64) -> PowerCut {
        let (names, stays_off) = (Names::Ordered, false);
        PowerCut::new(&scenario::PowerCut { unsynced, torn, names, lies, stays_off })
    }

    const KEY: StreamKey = StreamKey::from_u64(29);

    #[test]
    fn pages_are_old_new_or_torn_as_often_as_was_said() {
        let mixed = cut(Unsynced::Mixed, 0.2, 0.0);
        let mut met = [0_u32; 10];
        for page in 0..10_000 {
            match mixed.page(KEY, page, 1) {
                Got::Old => met[0] += 1,
                Got::New => met[9] += 1,
                Got::Torn(sectors) => met[sectors as usize] += 1,
            }
        }
        // Binomial(10000, 0.4): 5 standard deviations are 245; of 2/70 they are 83.
        assert!(met[0].abs_diff(4_000) < 245 && met[9].abs_diff(4_000) < 245, "{met:?}");
        assert!(met[1..8].iter().all(|count| count.abs_diff(286) < 83) && met[8] == 0, "{met:?}");
        assert_ne!(
            (0..64).map(|page| mixed.page(KEY, page, 1)).collect::<Vec<_>>(),
            (0..64).map(|page| mixed.page(KEY, page, 2)).collect::<Vec<_>>(),
            "another cut is another draw"
        );
    }

    #[test]
    fn old_and_new_leave_nothing_to_chance() {
        let (old, new) = (cut(Unsynced::Old, 0.0, 0.0), cut(Unsynced::New, 0.0, 0.0));
        assert!(
            (0..99)
                .all(|page| old.page(KEY, page, 1) == Got::Old && !old.is_short(KEY, page as u32))
        );
        assert!(
            (0..99)
                .all(|page| new.page(KEY, page, 1) == Got::New && new.is_short(KEY, page as u32))
        );
        assert_eq!((old.lasting(KEY, 7, 1), new.lasting(KEY, 7, 1)), (0, 7));
        let mixed = cut(Unsynced::Mixed, 0.0, 0.0);
        let met: std::collections::BTreeSet<u64> =
            (0..200).map(|number| mixed.lasting(KEY, 3, number)).collect();
        assert_eq!(met.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_device_lies_as_often_as_was_said() {
        let lies = |share| {
            let cut = cut(Unsynced::Mixed, 0.0, share);
            (0..10_000).filter(|nth| cut.lies(KEY, *nth)).count()
        };
        // Binomial(10000, 0.05): 5 standard deviations are 109.
        assert!(lies(0.05).abs_diff(500) < 109);
        assert_eq!((lies(0.0), lies(1.0)), (0, 10_000));
    }
}
