//! Where the medium is behind its file: bytes that programs wrote, that the backing file has, and
//! that the medium never got.
//!
//! The program's bytes stay in the backing file; what is kept here is what the medium holds instead,
//! and reads are answered with. Memory only: what the next mount is to know, `fs` tells the state directory.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Piece, Pieces};
use crate::plan::{DamageId, Label, RuleKey};

/// One write, or a part of it, that the medium did not get.
#[derive(Debug)]
pub struct Loss {
    /// The rule that lost it.
    pub rule: RuleKey,
    /// What ledgers call that rule.
    pub label: Arc<Label>,
    /// Which of the rule's matching operations it was, from 1.
    pub occurrence: u64,
    /// What ledgers call it.
    pub id: DamageId,
    /// The path that the file had then.
    pub file: Arc<Path>,
    /// How many sectors the medium got of a write that was torn.
    pub keep: Option<u64>,
    /// Of a write that was misdirected: where the other of its two places is.
    pub astray: Option<Elsewhere>,
}

/// The other place of a write that was misdirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Whether its bytes are here that were meant to be there; else they are there.
    pub landed: bool,
    /// The first byte of the stretch.
    pub here: u64,
    /// The first of as many bytes at the other place.
    pub there: u64,
}

impl Elsewhere {
    /// The byte at the other place that goes with one of the stretch.
    pub fn of(&self, byte: u64) -> u64 {
        self.there + (byte - self.here)
    }
}

/// What the medium holds in place of what was written.
pub type Stale = Piece<Arc<Loss>>;

/// Where the medium of one file is behind.
#[derive(Debug, Default)]
pub struct Behind {
    /// Set before the first stretch is put; spares every look at a file without one the lock.
    ever: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stale: Pieces<Arc<Loss>>,
    /// Counts changes of `stale`.
    version: u64,
}

impl Behind {
    /// Whether the medium has all that was written.
    pub fn is_empty(&self) -> bool {
        !self.ever.load(Ordering::Acquire) || self.state().stale.is_empty()
    }

    /// Whether it ever was behind.
    pub fn was_ever(&self) -> bool {
        self.ever.load(Ordering::Acquire)
    }

    /// Counts changes. Bytes of the backing file that were read between two equal numbers go
    /// together with what [`Behind::stale`] said in between.
    pub fn version(&self) -> u64 {
        self.state().version
    }

    /// What the medium holds instead of the stored bytes of a range, in order.
    pub fn stale(&self, range: &Range<u64>) -> Vec<Stale> {
        if !self.ever.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.state().stale.within(range)
    }

    /// From now on the medium holds this, whatever is written there; gives what it was behind with
    /// before.
    pub fn fall(&self, stale: Vec<Stale>) -> Vec<Stale> {
        self.ever.store(true, Ordering::Release);
        let mut state = self.state();
        state.version += 1;
        stale.into_iter().flat_map(|piece| state.stale.put(piece)).collect()
    }

    /// The medium has these bytes as they are stored; gives what it was behind with.
    pub fn catch_up(&self, range: &Range<u64>) -> Vec<Stale> {
        if !self.ever.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.state();
        let caught = state.stale.take(range);
        state.version += u64::from(!caught.is_empty());
        caught
    }

    /// The medium has what these losses kept from it.
    pub fn forget(&self, gone: impl Fn(&Loss) -> bool) {
        if !self.ever.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let all = state.stale.take(&(0..u64::MAX));
        let count = all.len();
        let kept: Vec<_> = all.into_iter().filter(|piece| !gone(&piece.of)).collect();
        state.version += u64::from(kept.len() < count);
        kept.into_iter().for_each(|piece| drop(state.stale.put(piece)));
    }

    /// A panic elsewhere leaves every stretch whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
