//! What a trace has of each operation: written down when the answer is known, before it leaves.

use std::path::PathBuf;

use super::events::command_name;
use super::stat::stat_fd;
use super::{Answer, Filesystem, Subject};
use crate::ledger::escape;
use crate::op::{Op, OpKind};
use crate::trace::Record;

impl Filesystem {
    /// Answers as `answer` does, and writes the operation down if there is a trace. `moved`: how many
    /// bytes an answer says.
    pub(super) fn traced<T: 'static>(
        &self,
        op: Op,
        subject: Subject<'_>,
        moved: fn(&T) -> Option<u64>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) -> impl FnOnce(Answer<T>) + Send + 'static {
        let traced = self.trace.clone().map(|trace| (trace, Box::new(self.asked(op, subject))));
        move |result| {
            if let Some((trace, asked)) = traced {
                let errno = result.as_ref().err().map(|errno| errno.name().to_owned());
                let moved = result.as_ref().ok().and_then(moved);
                trace.record(Record { moved, errno, ..*asked });
            }
            answer(result);
        }
    }

    /// The operation before it is done: what it is on may be gone afterwards.
    fn asked(&self, op: Op, subject: Subject<'_>) -> Record {
        let path = |path: PathBuf| escape(path.as_os_str().as_encoded_bytes());
        let (from, to) = match subject {
            Subject::Both(from, to) => (self.path_asked(*from), Some(self.path_asked(*to))),
            other => (self.path_asked(other), None),
        };
        Record {
            op: op.kind.name().to_owned(),
            path: path(from),
            to: to.map(path),
            offset: op.offset,
            len: op.len,
            size: self.size_before(op, subject),
            cached: op.cached,
            pid: op.caller.pid,
            comm: command_name(op.caller),
            ..Record::default()
        }
    }

    fn size_before(&self, op: Op, subject: Subject<'_>) -> Option<u64> {
        match (op.kind, subject) {
            (OpKind::Write, Subject::Open(handle)) => {
                let open = self.open_files.get(handle).ok()?;
                stat_fd(&*open.file).ok().map(|attr| attr.size)
            }
            _ => None,
        }
    }

    /// The path of what is unknown is empty, like the root's.
    fn path_asked(&self, subject: Subject<'_>) -> PathBuf {
        let found = match subject {
            Subject::Node(id) => self.node(id).map(|node| node.path()),
            Subject::Open(handle) => self.open_files.get(handle).map(|open| open.node.path()),
            Subject::OpenDirectory(handle) => {
                self.open_directories.get(handle).map(|open| open.node.path())
            }
            Subject::Name(parent, name) => self.node(parent).map(|node| node.path().join(name)),
            Subject::Both(from, _) => return self.path_asked(*from),
        };
        found.unwrap_or_default()
    }
}
