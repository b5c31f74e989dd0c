//! Requests under way: so that a new plan can wait until nobody goes by the old one any more.
//!
//! Each thread counts in a place of its own: no two cores ever write to the same line of memory.
//! Answers that wait (in the timer, in the ledger's queue) are under way no more: they are asked for
//! separately.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use super::durations::{Distribution, Durations};
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
    /// How long answers waited because rules said so.
    waited: [Durations; OpKind::ALL.len()],
}

/// What the threads of one slot count: two lines of memory and more, so that the next is another's.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot {
    under_way: [AtomicU64; 2],
    begun: [AtomicU64; OpKind::ALL.len()],
    took: [Durations; OpKind::ALL.len()],
}

/// A request is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    count: &'static AtomicU64,
    took: &'static Durations,
    begun: Instant,
}

/// The operations of one kind that a mount was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// Their kind.
    pub kind: OpKind,
    /// How many have begun.
    pub begun: u64,
    /// How long errorfs took for those that it is done with, without what rules made them wait.
    pub took: Distribution,
    /// How long rules made answers wait that have been given.
    pub waited: Distribution,
}

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
        UnderWay { count, took: &slot.took[kind as usize], begun: Instant::now() }
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

    /// An answer is given that rules made wait.
    pub(super) fn waited(&self, kind: OpKind, time: Duration) {
        self.waited[kind as usize].count(time);
    }

    /// The requests of each kind.
    pub(super) fn operations(&self) -> Vec<Operations> {
        OpKind::ALL.map(|kind| self.of(kind)).to_vec()
    }

    fn of(&self, kind: OpKind) -> Operations {
        let number = kind as usize;
        let begun = self.slots.iter().map(|slot| slot.begun[number].load(Ordering::Relaxed)).sum();
        let (mut took, mut waited) = (Distribution::default(), Distribution::default());
        self.slots.iter().for_each(|slot| slot.took[number].add_to(&mut took));
        self.waited[number].add_to(&mut waited);
        Operations { kind, begun, took, waited }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.took.count(self.begun.elapsed());
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
        let [read, write] = [OpKind::Read, OpKind::Write].map(|kind| flights.of(kind));
        assert_eq!((read.begun, write.begun), (1, 1));
        assert_eq!((read.took.count(), write.took.count()), (1, 1));
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
