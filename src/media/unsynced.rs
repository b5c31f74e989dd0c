//! What programs wrote to one file since it was last on the medium, and what became of writing it
//! back: bytes that are in the cache only, those whose writing back failed, and who has been told.
//!
//! Says nothing of what reads get: that is `Behind`, to which failed bytes go when they are evicted.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Loss, Piece, Pieces, Stale};

/// What a filesystem writes back at once.
const PAGE: u64 = 4096;

/// Until when the cache has bytes that the medium did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The last one who has the file open closes it.
    Closed,
    /// The kernel drops the file from its caches.
    Dropped,
    /// This long after arming.
    Time(Duration),
}

/// What happens to the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// Nobody has the file open any more.
    Closed,
    /// The kernel has dropped the file.
    Dropped,
    /// It is this long after arming.
    Time(Duration),
}

/// The unsynced bytes of one file.
#[derive(Debug, Default)]
pub struct Unsynced {
    /// Set before anything is remembered; spares every look at a file without it the lock.
    ever: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Not written back yet, with what the medium holds.
    dirty: Pieces<()>,
    /// Not written back, and taken for clean, with what the medium holds.
    failed: Pieces<Failed>,
    /// How often writing back failed.
    errors: u64,
    /// Whether anybody has been told of the last time, and whose doing that was.
    told: bool,
    by: Option<Arc<Loss>>,
}

#[derive(Clone, Debug)]
struct Failed {
    loss: Arc<Loss>,
    until: Until,
}

impl Unsynced {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        if !self.ever.load(Ordering::Acquire) {
            return true;
        }
        let state = self.state();
        state.dirty.is_empty() && state.failed.is_empty() && (state.told || state.errors == 0)
    }

    /// Whether there ever was something to remember.
    pub fn was_ever(&self) -> bool {
        self.ever.load(Ordering::Acquire)
    }

    /// Whether any byte of a range waits to be written back.
    pub fn is_dirty(&self, range: &Range<u64>) -> bool {
        !self.state().dirty.within(range).is_empty()
    }

    /// A range is about to be written: its pages get dirty as a whole, also those that failed to be
    /// written back. Gives these, and the parts of which it is not known what the medium holds.
    pub fn touch(&self, range: &Range<u64>) -> (Vec<Stale>, Vec<Range<u64>>) {
        let mut state = self.state();
        let again = state.failed.take(&pages(range));
        for Piece { bytes, content, .. } in again.iter().cloned() {
            state.dirty.put(Piece { bytes, content, of: () });
        }
        (again.into_iter().map(stale).collect(), state.dirty.gaps(range))
    }

    /// What the medium holds where a write is about to be made.
    pub fn keep(&self, piece: Piece<()>) {
        self.ever.store(true, Ordering::Release);
        self.state().dirty.put_joined(piece);
    }

    /// A range is on the medium, or gone; gives what had failed to be written back.
    pub fn settle(&self, range: &Range<u64>) -> Vec<Stale> {
        let mut state = self.state();
        state.dirty.take(range);
        state.failed.take(range).into_iter().map(stale).collect()
    }

    /// The pages of a range have been written back.
    pub fn settle_pages(&self, range: &Range<u64>) {
        self.settle(&pages(range));
    }

    /// Everything that waited has been written back.
    pub fn written_back(&self) {
        self.state().dirty = Pieces::default();
    }

    /// The dirty bytes of a range could not be written back; all others were. They stay in the cache
    /// as clean ones `until` then; without it they are dropped at once. Gives them, with what the
    /// medium holds.
    pub fn fail(&self, range: &Range<u64>, loss: &Arc<Loss>, until: Option<Until>) -> Vec<Stale> {
        let mut state = self.state();
        let failed = std::mem::take(&mut state.dirty).take(range);
        if let Some(until) = until {
            for Piece { bytes, content, .. } in failed.iter().cloned() {
                let of = Failed { loss: Arc::clone(loss), until };
                state.failed.put(Piece { bytes, content, of });
            }
        }
        (state.errors, state.told, state.by) = (state.errors + 1, false, Some(Arc::clone(loss)));
        let of = |piece: Piece<()>| Stale {
            bytes: piece.bytes,
            content: piece.content,
            of: Arc::clone(loss),
        };
        failed.into_iter().map(of).collect()
    }

    /// The cache drops what it must; gives what the medium holds instead.
    pub fn evict(&self, what: Eviction) -> Vec<Stale> {
        if !self.ever.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.state();
        if state.failed.is_empty() {
            return Vec::new();
        }
        let goes = |failed: &Piece<Failed>| match (what, failed.of.until) {
            (Eviction::Dropped, _) | (Eviction::Closed, Until::Closed) => true,
            (Eviction::Time(now), Until::Time(until)) => now >= until,
            _ => false,
        };
        let all = state.failed.take(&(0..u64::MAX));
        let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(goes);
        kept.into_iter().for_each(|piece| drop(state.failed.put(piece)));
        gone.into_iter().map(stale).collect()
    }

    /// What these losses keep from the medium is written back after all.
    pub fn forget(&self, gone: impl Fn(&Loss) -> bool) {
        if !self.ever.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let all = state.failed.take(&(0..u64::MAX));
        let kept = all.into_iter().filter(|piece| !gone(&piece.of.loss));
        kept.for_each(|piece| drop(state.failed.put(piece)));
        if state.by.as_ref().is_some_and(|loss| gone(loss)) {
            (state.by, state.told) = (None, true);
        }
    }

    /// What is in the cache only and will never be written back.
    pub fn failed(&self) -> Vec<Stale> {
        self.state().failed.within(&(0..u64::MAX)).into_iter().map(stale).collect()
    }

    /// How many errors whoever opens the file now need not be told of: all, or all but the last if
    /// nobody has been told of that one (errseq_t of Linux).
    pub fn known(&self) -> u64 {
        let state = self.state();
        state.errors - u64::from(!state.told && state.errors > 0)
    }

    /// Whose error whoever knows of so many is to be told of, once; from then on they know.
    pub fn tell(&self, known: &AtomicU64) -> Option<Arc<Loss>> {
        let mut state = self.state();
        let news = known.swap(state.errors, Ordering::AcqRel) < state.errors;
        state.told |= news;
        state.by.clone().filter(|_| news)
    }

    /// A panic elsewhere leaves every stretch whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pages(range: &Range<u64>) -> Range<u64> {
    range.start / PAGE * PAGE..range.end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
}

fn stale(piece: Piece<Failed>) -> Stale {
    Stale { bytes: piece.bytes, content: piece.content, of: piece.of.loss }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::media::Content;
    use crate::plan::{DamageId, Label, RuleKey};

    fn loss() -> Arc<Loss> {
        let file = Arc::from(Path::new("f"));
        let label = Arc::new(Label { rule: "r".into(), fault: "fsync" });
        let (rule, id, keep, astray) = (RuleKey(3), DamageId(1), None, None);
        Arc::new(Loss { rule, label, occurrence: 1, id, file, keep, astray })
    }

    fn dirty(unsynced: &Unsynced, range: Range<u64>) {
        for bytes in unsynced.touch(&range).1 {
            unsynced.keep(Piece { bytes, content: Content::ZEROS, of: () });
        }
    }

    fn bytes(stale: &[Stale]) -> Vec<Range<u64>> {
        stale.iter().map(|stale| stale.bytes.clone()).collect()
    }

    #[test]
    fn what_failed_is_clean_until_its_page_is_written_again() {
        let unsynced = Unsynced::default();
        dirty(&unsynced, 100..200);
        dirty(&unsynced, 5_000..5_100);
        let failed = unsynced.fail(&(0..4_096), &loss(), Some(Until::Dropped));
        assert_eq!(bytes(&failed), vec![100..200]);
        assert!(!unsynced.is_dirty(&(0..u64::MAX)), "the rest was written back");
        let (again, unknown) = unsynced.touch(&(300..310));
        assert_eq!(bytes(&again), vec![100..200]);
        assert_eq!(unknown, vec![300..310]);
        assert!(unsynced.is_dirty(&(100..200)) && unsynced.failed().is_empty());
    }

    #[test]
    fn each_eviction_takes_what_waits_for_it() {
        let unsynced = Unsynced::default();
        let second = Duration::from_secs(1);
        for (place, until) in [(0, Until::Closed), (1, Until::Dropped), (2, Until::Time(second))] {
            dirty(&unsynced, place * 4_096..place * 4_096 + 1);
            unsynced.fail(&(0..u64::MAX), &loss(), Some(until));
        }
        assert!(unsynced.evict(Eviction::Time(Duration::ZERO)).is_empty());
        assert_eq!(bytes(&unsynced.evict(Eviction::Time(second))), vec![8_192..8_193]);
        assert_eq!(bytes(&unsynced.evict(Eviction::Closed)), vec![0..1]);
        assert_eq!(bytes(&unsynced.evict(Eviction::Dropped)), vec![4_096..4_097]);
    }

    #[test]
    fn an_error_is_told_once_to_everybody_who_has_the_file_open_or_to_the_first_later_on() {
        let unsynced = Unsynced::default();
        let [one, other] = [unsynced.known(), unsynced.known()].map(AtomicU64::new);
        dirty(&unsynced, 0..1);
        unsynced.fail(&(0..9), &loss(), None);
        assert_eq!(unsynced.known(), 0, "nobody has been told");
        assert!(unsynced.tell(&one).is_some());
        assert!(unsynced.tell(&one).is_none());
        assert_eq!(unsynced.known(), 1);
        assert!(unsynced.tell(&other).is_some());
    }
}
