//! Who is inside when the power goes: operations enter and leave, and a cut lets nobody in and waits
//! until it is alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A gate that can be closed.
#[derive(Debug, Default)]
pub(in crate::fs) struct Gate {
    closed: AtomicBool,
    inside: AtomicUsize,
    /// Nothing is under it: it is there to wait.
    left: Mutex<()>,
    leaves: Condvar,
}

/// Somebody who is inside, until this is dropped.
#[derive(Debug)]
pub(in crate::fs) struct Inside<'a>(Option<&'a Gate>);

impl Inside<'_> {
    /// Of no gate.
    pub(in crate::fs) const ANYWHERE: Inside<'static> = Inside(None);
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.0 {
            gate.inside.fetch_sub(1, Ordering::SeqCst);
            if gate.closed.load(Ordering::SeqCst) {
                gate.leaves.notify_all();
            }
        }
    }
}

impl Gate {
    /// Goes in, unless it is closed.
    pub(in crate::fs) fn enter(&self) -> Option<Inside<'_>> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(Some(self));
        (!self.closed.load(Ordering::SeqCst)).then_some(inside)
    }

    /// Closes it, if nobody else has; then `others` besides the caller's own are all that is inside.
    pub(in crate::fs) fn close(&self, own: usize) -> bool {
        if self.closed.swap(true, Ordering::SeqCst) {
            return false;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while self.inside.load(Ordering::SeqCst) > own {
            // Whoever leaves takes no lock, so that the word may be missed.
            let waited = self.leaves.wait_timeout(left, Duration::from_millis(1));
            left = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Opens it again.
    pub(in crate::fs) fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_closes_a_gate_is_alone_and_nobody_else_closes_it() {
        let (gate, busy) = (Gate::default(), AtomicUsize::new(0));
        let closed: usize = std::thread::scope(|scope| {
            let visit = || {
                let mut closed = 0;
                for _ in 0..2_000 {
                    let Some(_inside) = gate.enter() else { continue };
                    busy.fetch_add(1, Ordering::SeqCst);
                    busy.fetch_sub(1, Ordering::SeqCst);
                    if gate.close(1) {
                        assert_eq!(busy.load(Ordering::SeqCst), 0);
                        closed += 1;
                        gate.open();
                    }
                }
                closed
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(visit)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(closed > 0 && gate.enter().is_some());
        assert_eq!(gate.inside.load(Ordering::SeqCst), 0);
    }
}
