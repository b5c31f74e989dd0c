//! What was stored in one file before it was overwritten: one generation back, from arming on.
//!
//! Memory only. What there was no room to keep is as if it had never been.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Piece, Pieces};

/// Bytes before they were overwritten last.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Set before the first stretch is put; spares every look at a file without one the lock.
    ever: AtomicBool,
    pieces: Mutex<Pieces<()>>,
}

impl Earlier {
    /// These bytes have just been overwritten: this is what they were.
    pub fn keep(&self, was: Piece<()>) {
        self.ever.store(true, Ordering::Release);
        self.pieces().put(was);
    }

    /// Nobody knows what was there before.
    pub fn forget(&self, range: &Range<u64>) {
        if self.ever.load(Ordering::Acquire) {
            self.pieces().take(range);
        }
    }

    /// What was there before in a range, where that is known, in order.
    pub fn within(&self, range: &Range<u64>) -> Vec<Piece<()>> {
        match self.ever.load(Ordering::Acquire) {
            true => self.pieces().within(range),
            false => Vec::new(),
        }
    }

    /// A panic elsewhere leaves every stretch whole.
    fn pieces(&self) -> MutexGuard<'_, Pieces<()>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
