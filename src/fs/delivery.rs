//! The end of an operation that a rule did something to: wait, record, answer.
//!
//! Nothing here sleeps: an answer that waits is an entry of the timer, one that must be recorded
//! first is an entry of the ledger's queue, and no worker is held by either.

use std::time::{Duration, Instant};

use super::inject::Judged;
use super::timer::Owed;
use super::{Answer, Filesystem};
use crate::errno::Errno;
use crate::ledger::{Event, Recorded};
use crate::plan::{Decision, Delay, Stalled};

impl Filesystem {
    /// Waits, records, answers: in this order, so that a fault is in the ledger before the target
    /// can know of it, and not long before. What cannot be recorded does not happen: then
    /// `unrecorded` says what the answer is without it.
    pub(super) fn deliver<T: Send + 'static>(
        &self,
        judged: &Judged,
        events: Vec<Event>,
        result: Answer<T>,
        unrecorded: impl FnOnce(Answer<T>) -> Answer<T> + Send + 'static,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        let Decision { delay, queue, stall, .. } = judged.decision;
        if events.is_empty() && stall.is_none() {
            return answer(result);
        }
        // The backing file was not asked: there is nothing better to say than that we failed.
        let failed = judged.decision.failure.is_some();
        let ledger = self.ledger.clone();
        let start = Instant::now();
        let victim = judged.victim.clone();
        let released = judged.released_event();
        let end_stalls = self.timer.hurrying();
        let wait = wait([delay, queue], stall);
        let (flights, waits, kind) = (self.flights, wait.is_some(), judged.op.kind);
        let record = move || {
            if waits {
                flights.waited(kind, start.elapsed());
            }
            let events = released.into_iter().chain(events);
            let events = events.map(|event| waited(event, start)).collect();
            ledger.record(events, move |recorded| match recorded {
                Recorded::Written => {
                    victim.iter().for_each(|victim| victim.kill());
                    answer(result);
                }
                Recorded::Lost => {
                    end_stalls();
                    answer(if failed { Err(Errno::EIO) } else { unrecorded(result) });
                }
            });
        };
        judged.stalled_event().into_iter().for_each(|event| self.tell_stall(event));
        match wait {
            Some(wait) => {
                self.timer.at(start + wait, judged.owed(), record);
                self.end_stalls_without_ledger();
            }
            None => record(),
        }
    }

    /// The target meets a stall when it begins: that is recorded then, and what is not recorded does
    /// not go on.
    fn tell_stall(&self, event: Event) {
        let end = self.timer.hurrying();
        self.ledger.record(vec![event], move |recorded| match recorded {
            Recorded::Written => {}
            Recorded::Lost => end(),
        });
    }

    /// The ledger may have been lost before the answer began to wait.
    fn end_stalls_without_ledger(&self) {
        if self.ledger.failed() {
            self.timer.hurrying()();
        }
    }
}

impl Judged {
    /// Why its answer waits.
    fn owed(&self) -> Owed {
        let Decision { delay, queue, stall, .. } = self.decision;
        let delays = [delay, queue].into_iter().flatten().map(|delay| delay.rule);
        let rules = delays.chain(stall.map(|stall| stall.rule));
        Owed {
            caller: self.op.caller.pid,
            rules: rules.map(|rule| self.armed.key(rule)).collect(),
            stalled: stall.is_some(),
            holds_pages: self.holds_pages,
        }
    }
}

/// How long an answer waits; what has no end waits until the timer is released.
fn wait(delays: [Option<Delay>; 2], stall: Option<Stalled>) -> Option<Duration> {
    /// A hundred years.
    const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let stalled = stall.map(|stall| stall.by.unwrap_or(FOREVER).min(FOREVER));
    let delays = delays.into_iter().flatten().map(|delay| delay.by);
    delays.chain(stalled).reduce(Duration::saturating_add)
}

/// A delay that was cut short (the caller was killed, the mount ended) is recorded as it was.
fn waited(event: Event, start: Instant) -> Event {
    let waited = start.elapsed().as_nanos() as u64;
    Event { delay_ns: event.delay_ns.map(|decided| decided.min(waited)), ..event }
}
