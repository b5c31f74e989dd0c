//! Answers that wait. A delayed operation is an entry in a heap, not a thread: ten thousand of
//! them leave the workers as free as none. One whose caller is being killed is answered at once.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{killed, locked};
use crate::plan::RuleKey;

/// How long an empty timer sleeps; whoever enters something wakes it.
const IDLE: Duration = Duration::from_secs(3600);

/// Runs closures when they are due, on one thread of its own. Dropping it runs the rest at once.
pub struct Timer {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the timer's threads have in common.
#[derive(Default)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Entry>,
    entered: u64,
    closed: bool,
    /// How many batches of answers were taken out, and how many of those have been given.
    taken: u64,
    given: u64,
}

struct Entry {
    due: Instant,
    order: u64,
    owed: Owed,
    answer: Box<dyn FnOnce() + Send>,
}

/// An answer that somebody waits for, and why.
#[derive(Clone, Debug, Default)]
pub struct Owed {
    /// The calling thread; 0 if it is not known.
    pub caller: u32,
    /// The rules that make it wait.
    pub rules: Vec<RuleKey>,
    /// Whether one of them says for how long, or it waits until it is released.
    pub stalled: bool,
    /// Whether the kernel may hold pages of its cache meanwhile, or not write them back.
    pub holds_pages: bool,
}

impl Timer {
    /// Starts the threads.
    pub fn start() -> std::io::Result<Timer> {
        let shared = Arc::new(Shared::default());
        let (one, other) = (shared.clone(), shared.clone());
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let threads = vec![
            thread("timer").spawn(move || one.run())?,
            thread("killed").spawn(move || killed::watch(&other))?,
        ];
        Ok(Timer { shared, threads: Mutex::new(threads) })
    }

    /// Runs `answer` at `due`, or earlier: at once after [`Timer::release`], and soon after the
    /// calling thread is sent SIGKILL.
    pub fn at(&self, due: Instant, owed: Owed, answer: impl FnOnce() + Send + 'static) {
        let mut waiting = self.shared.lock();
        if waiting.closed {
            drop(waiting);
            return answer();
        }
        waiting.entered += 1;
        let order = waiting.entered;
        waiting.heap.push(Entry { due, order, owed, answer: Box::new(answer) });
        drop(waiting);
        self.shared.changed.notify_all();
    }

    /// What answers everything that waits by then, from any thread, without waiting itself.
    pub(super) fn hurrying(&self) -> impl FnOnce() + Send + 'static {
        let shared = self.shared.clone();
        move || shared.hurry(|_| true)
    }

    /// Answers those of what waits that are `wanted`; returns when they are answered, and with them
    /// whatever was about to be. How many there were.
    pub fn answer(&self, wanted: impl Fn(&Owed) -> bool) -> usize {
        let mut waiting = self.shared.lock();
        let all = std::mem::take(&mut waiting.heap).into_sorted_vec();
        let (go, stay): (Vec<_>, Vec<_>) = all.into_iter().partition(|entry| wanted(&entry.owed));
        waiting.heap = stay.into();
        let taken = waiting.taken;
        drop(waiting);
        let count = go.len();
        // The first that are due are the last of a heap.
        go.into_iter().rev().for_each(|entry| (entry.answer)());
        self.shared.wait_until_given(taken);
        count
    }

    /// How many answers wait.
    pub fn count(&self) -> usize {
        self.shared.lock().heap.len()
    }

    /// Answers everything that waits, now, and lets nothing wait from here on (disarm, unmount).
    pub fn release(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let threads = std::mem::take(&mut *locked(&self.threads));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Timer {
    /// Whether nothing waits any more.
    pub fn is_released(&self) -> bool {
        self.shared.lock().closed
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.release();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        locked(&self.waiting)
    }

    fn run(&self) {
        while let Some(due) = self.next_due() {
            for entry in due {
                (entry.answer)();
            }
            self.lock().given += 1;
            self.changed.notify_all();
        }
    }

    /// Until as many batches have been given.
    fn wait_until_given(&self, taken: u64) {
        let mut waiting = self.lock();
        while waiting.given < taken {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for what is due; `None` when the timer is closed and empty.
    fn next_due(&self) -> Option<Vec<Entry>> {
        let mut waiting = self.lock();
        loop {
            let due = waiting.take_due(Instant::now());
            if !due.is_empty() {
                waiting.taken += 1;
                return Some(due);
            }
            if waiting.closed {
                return None;
            }
            let first = waiting.heap.peek().map(|first| first.due - Instant::now());
            let woken = self.changed.wait_timeout(waiting, first.unwrap_or(IDLE));
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What the thread that looks for killed callers needs.
impl Shared {
    /// The next callers after the entry `after`, and round again: at most `count`, with the numbers
    /// of their entries. Sleeps while nothing waits; `None` when the timer is closed.
    pub(super) fn callers(&self, after: u64, count: usize) -> Option<Vec<(u64, u32)>> {
        let mut waiting = self.lock();
        while waiting.heap.is_empty() && !waiting.closed {
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let caller = |entry: &Entry| (entry.order, entry.owed.caller);
        let mut callers: Vec<(u64, u32)> = waiting.heap.iter().map(caller).collect();
        let closed = waiting.closed;
        drop(waiting);
        callers.sort_unstable_by_key(|(order, _)| (*order <= after, *order));
        callers.truncate(count);
        (!closed).then_some(callers)
    }

    /// Makes these entries due.
    pub(super) fn hurry(&self, entries: impl Fn(u64) -> bool) {
        let mut waiting = self.lock();
        let now = Instant::now();
        let mut all = std::mem::take(&mut waiting.heap).into_vec();
        all.iter_mut().filter(|entry| entries(entry.order)).for_each(|entry| entry.due = now);
        waiting.heap = all.into();
        drop(waiting);
        self.changed.notify_all();
    }
}

impl Waiting {
    fn take_due(&mut self, now: Instant) -> Vec<Entry> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|first| self.closed || first.due <= now) {
            due.extend(self.heap.pop());
        }
        due
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").field("waiting", &self.shared.lock().heap.len()).finish()
    }
}

impl Ord for Entry {
    /// Earliest first, and in order of entry where two are due at the same time.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn answers_come_in_the_order_in_which_they_are_due() {
        let timer = Timer::start().unwrap();
        let (sender, receiver) = mpsc::channel();
        let now = Instant::now();
        for delay_ms in [30, 10, 20] {
            let sender = sender.clone();
            let due = now + Duration::from_millis(delay_ms);
            timer.at(due, Owed::default(), move || sender.send(delay_ms).unwrap());
        }
        let order: Vec<u64> = receiver.iter().take(3).collect();
        assert_eq!(order, [10, 20, 30]);
        assert!(now.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    fn release_answers_at_once_and_nothing_waits_afterwards() {
        let timer = Timer::start().unwrap();
        let (sender, receiver) = mpsc::channel();
        let far = Instant::now() + Duration::from_secs(3600);
        let late = sender.clone();
        timer.at(far, Owed::default(), move || late.send(1).unwrap());
        timer.release();
        timer.at(far, Owed::default(), move || sender.send(2).unwrap());
        assert_eq!(receiver.iter().take(2).collect::<Vec<i32>>(), [1, 2]);
    }
}
