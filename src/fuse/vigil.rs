//! A thread that has answered a request looks out for the next one for a moment before it sleeps:
//! waking it takes longer than answering.
//!
//! Programs ask for one thing after the other, so that the next request often follows within
//! microseconds. One thread at a time looks out; the kernel wakes the others as ever, so that
//! nothing waits for one that looks out and is not given a processor.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::fs::Filesystem;

/// How long to look out: about as long as it takes to wake a thread on an idle processor.
const MOMENT: Duration = Duration::from_micros(50);

/// Looking out in vain, time after time, comes to this share of all requests: one in so many.
const SELDOM: u32 = 64;

/// Who looks out for the requests of a mount, and whether that is worth it.
#[derive(Debug, Default)]
pub(super) struct Vigil {
    device: OnceLock<OwnedFd>,
    kept: AtomicBool,
    /// Requests to let go by until the next attempt.
    to_skip: AtomicU32,
    /// How many those were after the last attempt that was in vain.
    skipped: AtomicU32,
}

impl Vigil {
    /// From now on there is something to look out for.
    pub(super) fn begin(&self, device: OwnedFd) {
        let _ = self.device.set(device);
    }

    /// A request was answered: returns when there is another, or none comes soon.
    pub(super) fn keep(&self) {
        let Some(device) = self.device.get() else { return };
        if self.kept.swap(true, Ordering::Acquire) {
            return;
        }
        if self.is_worth_it() {
            self.learn(comes(device));
        }
        self.kept.store(false, Ordering::Release);
    }

    fn is_worth_it(&self) -> bool {
        let left = self.to_skip.load(Ordering::Relaxed);
        self.to_skip.store(left.saturating_sub(1), Ordering::Relaxed);
        left == 0
    }

    fn learn(&self, came: bool) {
        let skipped = self.skipped.load(Ordering::Relaxed);
        let skip = if came { 0 } else { (2 * skipped + 1).min(SELDOM) };
        self.skipped.store(skip, Ordering::Relaxed);
        self.to_skip.store(skip, Ordering::Relaxed);
    }
}

/// Whether there is something to read within the moment. Whoever else wants the processor has it
/// first: that may well be who will ask.
fn comes(device: impl AsFd) -> bool {
    let begin = Instant::now();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        let mut waits = [PollFd::new(&device, PollFlags::IN)];
        if poll(&mut waits, Some(&at_once)).is_ok_and(|count| count > 0) {
            return true;
        }
        if begin.elapsed() >= MOMENT {
            return false;
        }
        std::thread::yield_now();
    }
}

/// The filesystem for one request; when that is answered, the next is looked out for.
pub(super) struct Served<'a> {
    pub(super) fs: &'a Filesystem,
    pub(super) vigil: &'a Vigil,
}

impl std::ops::Deref for Served<'_> {
    type Target = Filesystem;

    fn deref(&self) -> &Filesystem {
        self.fs
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.vigil.keep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many requests were followed by a look-out.
    fn looks(vigil: &Vigil, requests: u32, came: bool) -> u32 {
        let look = |_: &u32| {
            let looks = vigil.is_worth_it();
            looks.then(|| vigil.learn(came)).is_some()
        };
        (0..requests).filter(look).count() as u32
    }

    #[test]
    fn looking_out_in_vain_becomes_seldom_and_one_success_makes_it_usual() {
        let vigil = Vigil::default();
        assert_eq!(looks(&vigil, 1000, true), 1000);
        assert_eq!(looks(&vigil, 7, false), 3, "after none, one and three that were let go by");
        assert!(looks(&vigil, 100 * SELDOM, false) <= 105);
        looks(&vigil, 2 * SELDOM, true);
        assert_eq!(looks(&vigil, 1000, true), 1000);
    }

    #[test]
    fn what_is_there_is_seen_and_the_wait_for_nothing_ends() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        assert!(!comes(&read));
        rustix::io::write(&write, b"x").unwrap();
        assert!(comes(&read));
    }

    #[test]
    fn nobody_looks_out_while_another_does() {
        let (read, _write) = rustix::pipe::pipe().unwrap();
        let vigil = Vigil::default();
        vigil.begin(read);
        vigil.kept.store(true, Ordering::Relaxed);
        vigil.keep();
        assert_eq!(vigil.skipped.load(Ordering::Relaxed), 0, "it did not look");
        vigil.kept.store(false, Ordering::Relaxed);
        vigil.keep();
        assert_eq!(vigil.skipped.load(Ordering::Relaxed), 1, "it looked in vain");
    }
}
