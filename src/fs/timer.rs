//! Answers that wait. A delayed operation is an entry in a heap, not a thread: ten thousand of
//! them leave the workers as free as none.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::locked;

/// How long an empty timer sleeps; whoever enters something wakes it.
const IDLE: Duration = Duration::from_secs(3600);

/// Runs closures when they are due, on one thread of its own. Dropping it runs the rest at once.
pub struct Timer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Entry>,
    entered: u64,
    closed: bool,
}

struct Entry {
    due: Instant,
    order: u64,
    answer: Box<dyn FnOnce() + Send>,
}

impl Timer {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Timer> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread =
            std::thread::Builder::new().name("timer".into()).spawn(move || theirs.run())?;
        Ok(Timer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Runs `answer` at `due`, or at once after [`Timer::release`].
    pub fn at(&self, due: Instant, answer: impl FnOnce() + Send + 'static) {
        let mut waiting = self.shared.lock();
        if waiting.closed {
            drop(waiting);
            return answer();
        }
        waiting.entered += 1;
        let order = waiting.entered;
        waiting.heap.push(Entry { due, order, answer: Box::new(answer) });
        drop(waiting);
        self.shared.changed.notify_one();
    }

    /// Answers everything that waits, now, and lets nothing wait from here on (disarm, unmount).
    pub fn release(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
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
        }
    }

    /// Waits for what is due; `None` when the timer is closed and empty.
    fn next_due(&self) -> Option<Vec<Entry>> {
        let mut waiting = self.lock();
        loop {
            let due = waiting.take_due(Instant::now());
            if !due.is_empty() {
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
            timer.at(now + Duration::from_millis(delay_ms), move || sender.send(delay_ms).unwrap());
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
        timer.at(far, move || late.send(1).unwrap());
        timer.release();
        timer.at(far, move || sender.send(2).unwrap());
        assert_eq!(receiver.iter().take(2).collect::<Vec<i32>>(), [1, 2]);
    }
}
