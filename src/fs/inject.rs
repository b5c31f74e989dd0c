//! The seam: every operation passes through [`Filesystem::around`] or its two siblings for data.
//!
//! decide → fail, or call → change what is answered → wait → record → answer. Nothing here sleeps:
//! an answer that waits is an entry of the timer, one that must be recorded first is an entry of
//! the ledger's queue, and no worker is held by either.

use std::sync::Arc;
use std::time::Instant;

use super::handles::OpenFile;
use super::stat::stat_fd;
use super::view::{Subject, View};
use super::{Answer, FileHandle, Filesystem};
use crate::errno::Errno;
use crate::injector::{Armed, DataAccess};
use crate::ledger::{Event, Recorded};
use crate::op::{Op, OpKind};
use crate::plan::{Decision, Unreadable};

/// The least that the kernel asks for where it fills its page cache.
const PAGE: u64 = 4096;

/// An operation that does not go through untouched.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) armed: Arc<Armed>,
    pub(super) view: Arc<View>,
    pub(super) op: Op,
    pub(super) decision: Decision,
}

impl Filesystem {
    /// An operation that moves no bytes.
    pub fn around<T: Send + 'static>(
        &self,
        op: Op,
        subject: Subject<'_>,
        call: impl FnOnce(&Filesystem) -> Answer<T>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        let Some(judged) = self.judge(op, subject) else {
            return answer(call(self));
        };
        let result = match judged.decision.failure {
            Some(failure) => Err(failure.errno),
            None => call(self),
        };
        self.deliver(&judged, judged.events(), result, answer);
    }

    /// `read`. `fills_cache`: the kernel reads for its page cache, not for one read(2).
    pub fn read(
        &self,
        op: Op,
        handle: FileHandle,
        fills_cache: bool,
        answer: impl FnOnce(Answer<Vec<u8>>) + Send + 'static,
    ) {
        let open = match self.open_files.get(handle) {
            Ok(open) => open,
            Err(errno) => return answer(Err(errno)),
        };
        let Some(judged) = self.judge_data(op, &open) else {
            return answer(self.read_stored(&open, op.offset, op.len as usize));
        };
        let (result, events) = self.read_judged(&judged, &open, fills_cache);
        self.deliver(&judged, events, result, answer);
    }

    /// `write`. `flags` are those that the file has now.
    pub fn write(
        &self,
        op: Op,
        handle: FileHandle,
        data: &[u8],
        flags: i32,
        answer: impl FnOnce(Answer<usize>) + Send + 'static,
    ) {
        let open = match self.open_files.get(handle) {
            Ok(open) => open,
            Err(errno) => return answer(Err(errno)),
        };
        let write = || self.write_stored(&open, op, data, flags);
        let Some(judged) = self.judge(op, Subject::Open(handle)) else {
            return answer(write());
        };
        let (result, events) = match (&judged.decision.failure, &judged.decision.unreadable) {
            (Some(failure), _) => (Err(failure.errno), judged.events()),
            (None, Some(sector)) => (Err(Errno::EIO), judged.events_with_sector(sector)),
            (None, None) => (write(), judged.events()),
        };
        self.deliver(&judged, events, result, answer);
    }

    /// The armed plan, if any of its rules looks at such operations. A ledger that cannot be written
    /// any more ends injection: a fault that is not recorded is worse than none.
    fn armed_for(&self, kind: OpKind) -> Option<Arc<Armed>> {
        let armed = self.injector.current()?;
        (armed.ops().contains(kind) && !self.ledger.failed()).then_some(armed)
    }

    /// What the armed plan does to an operation; `None`: nothing.
    fn judge(&self, op: Op, subject: Subject<'_>) -> Option<Judged> {
        let armed = self.armed_for(op.kind)?;
        let view = self.view_of(subject, &armed).ok()?;
        self.decide(armed, view, op)
    }

    /// The same for reads and writes. Rules that count accesses draw over the bytes that are there
    /// to be read, not over those asked for; and where a file ends, its last sector does.
    fn judge_data(&self, op: Op, open: &OpenFile) -> Option<Judged> {
        let armed = self.armed_for(op.kind)?;
        let view = self.view(&open.node, &armed);
        let mut op = op;
        if view.selection.access == DataAccess::Counted {
            let size = stat_fd(&*open.file).map_or(u64::MAX, |attr| attr.size);
            view.medium.iter().for_each(|medium| medium.set_len(size));
            if op.kind == OpKind::Read {
                op.len = op.len.min(size.saturating_sub(op.offset));
            }
        }
        self.decide(armed, view, op)
    }

    fn decide(&self, armed: Arc<Armed>, view: Arc<View>, op: Op) -> Option<Judged> {
        if !view.selection.ops.contains(op.kind) {
            return None;
        }
        let decision = armed.decide(&op, &view.target(), self.armed_at.elapsed());
        (!decision.is_clean()).then_some(Judged { armed, view, op, decision })
    }

    fn read_judged(
        &self,
        judged: &Judged,
        open: &OpenFile,
        fills_cache: bool,
    ) -> (Answer<Vec<u8>>, Vec<Event>) {
        if let Some(failure) = judged.decision.failure {
            return (Err(failure.errno), judged.events());
        }
        let len = match good_prefix(judged, fills_cache) {
            Prefix::Bytes(len) => len,
            Prefix::Again => return (Err(Errno::EIO), judged.events()),
            Prefix::Bad(sector) => {
                self.reads(judged, &[], Some(sector));
                return (Err(Errno::EIO), judged.events_with_sector(sector));
            }
        };
        match self.read_stored(open, judged.op.offset, len as usize) {
            Ok(mut data) => {
                let bits = judged.flip(&mut data);
                self.reads(judged, &bits, None);
                (Ok(data), judged.events_with_bits(&bits))
            }
            Err(errno) => (Err(errno), judged.events()),
        }
    }

    /// Waits, records, answers: in this order, so that a fault is in the ledger before the target
    /// can know of it, and not long before.
    fn deliver<T: Send + 'static>(
        &self,
        judged: &Judged,
        events: Vec<Event>,
        result: Answer<T>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        if events.is_empty() {
            return answer(result);
        }
        let ledger = self.ledger.clone();
        let record = move || {
            ledger.record(events, move |recorded| match recorded {
                Recorded::Written => answer(result),
                Recorded::Lost => answer(Err(Errno::EIO)),
            });
        };
        match judged.decision.delay {
            Some(delay) => {
                self.timer.at(Instant::now() + delay.by, judged.op.caller.pid, record);
            }
            None => record(),
        }
    }
}

/// How much of a read a bad sector leaves.
enum Prefix<'a> {
    /// So many bytes from its start.
    Bytes(u64),
    /// Nothing of this request, which the kernel will repeat page by page.
    Again,
    /// Nothing: it begins in the bad sector.
    Bad(&'a Unreadable),
}

/// A read(2) gets the good bytes before the sector. A page cache that got less than it asked for
/// would take the rest for a hole: it gets an error, and asks again for single pages.
fn good_prefix(judged: &Judged, fills_cache: bool) -> Prefix<'_> {
    let Op { offset, len, .. } = judged.op;
    match &judged.decision.unreadable {
        None => Prefix::Bytes(len),
        Some(_) if fills_cache && len > PAGE => Prefix::Again,
        Some(bad) if fills_cache || bad.sector.start <= offset => Prefix::Bad(bad),
        Some(bad) => Prefix::Bytes(bad.sector.start - offset),
    }
}
