//! Requests under way: so that a new plan can wait until nobody goes by the old one any more.
//!
//! Each thread counts in a place of its own: no two cores ever write to the same line of memory.
//! Answers that wait (in the timer, in the ledger's queue) are under way no more: they are asked for
//! separately.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::time::Duration;

use crate::op::OpKind;

/// More than there are threads that answer requests.
const SLOTS: usize = 16;
/// How long to let them go on before looking again.
const PAUSE: Duration = Duration::from_micros(100);

/// The requests of one mount.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// Which of the two counts of each slot is in use: by its lowest bit.
    phase: AtomicUsize,
    slots: [Slot; SLOTS],
}

/// What the threads of one slot count: two lines of memory and more, so that the next is another's.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot {
    under_way: [AtomicU64; 2],
    begun: [AtomicU64; OpKind::ALL.len()],
}

/// A request is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    count: &'static AtomicU64,
}

/// How many operations of each kind a mount was asked for.
pub type Operations = Vec<(OpKind, u64)>;

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The calling thread's slot.
fn slot() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let known = SLOT.get();
    if known != usize::MAX {
        return known;
    }
    let new = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
    SLOT.set(new);
    new
}

impl Flights {
    /// For as long as the process lives, as the mount does: so that beginning counts nothing else.
    pub(super) fn of_a_mount() -> &'static Flights {
        Box::leak(Box::default())
    }

    /// A request begins. What it goes by it must look up after this.
    pub(super) fn begin(&'static self, kind: OpKind) -> UnderWay {
        let slot = &self.slots[slot()];
        slot.begun[kind as usize].fetch_add(1, Ordering::Relaxed);
        let count = &slot.under_way[self.phase.load(Ordering::SeqCst) & 1];
        count.fetch_add(1, Ordering::SeqCst);
        // Whoever finds the count at zero has changed the plan before we look it up.
        fence(Ordering::SeqCst);
        UnderWay { count }
    }

    /// Returns when all requests have ended that had begun before this call. Both counts have their
    /// turn: who read the phase long ago may count in either.
    pub(super) fn wait(&self) {
        for _ in 0..2 {
            let phase = self.phase.fetch_add(1, Ordering::SeqCst) & 1;
            while self.slots.iter().any(|slot| slot.under_way[phase].load(Ordering::SeqCst) > 0) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// How many requests of each kind have begun.
    pub(super) fn begun(&self) -> Operations {
        let of = |kind: OpKind| -> u64 {
            self.slots.iter().map(|slot| slot.begun[kind as usize].load(Ordering::Relaxed)).sum()
        };
        OpKind::ALL.map(|kind| (kind, of(kind))).to_vec()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn waiting_lasts_until_what_had_begun_has_ended_and_no_longer() {
        let flights = Flights::of_a_mount();
        flights.wait();
        let first = flights.begin(OpKind::Read);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                flights.wait();
                assert!(ended.load(Ordering::SeqCst), "it has not ended");
            });
            while flights.phase.load(Ordering::SeqCst) < 3 {
                std::thread::yield_now();
            }
            // In both phases others come and go.
            flights.begin(OpKind::Write);
            ended.store(true, Ordering::SeqCst);
            drop(first);
            waits.join().unwrap();
        });
        let begun = flights.begun();
        assert!(begun.contains(&(OpKind::Read, 1)) && begun.contains(&(OpKind::Write, 1)));
    }

    /// What is looked up after the beginning is never older than what was there before a wait.
    #[test]
    fn nobody_goes_by_the_old_value_after_a_wait() {
        let flights = Flights::of_a_mount();
        let (value, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let oldest = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let _under_way = flights.begin(OpKind::Read);
                        let seen = value.load(Ordering::Acquire);
                        std::hint::spin_loop();
                        assert!(seen >= oldest.load(Ordering::SeqCst), "an old value");
                    }
                });
            }
            for new in 1..500 {
                value.store(new, Ordering::SeqCst);
                flights.wait();
                oldest.store(new, Ordering::SeqCst);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
