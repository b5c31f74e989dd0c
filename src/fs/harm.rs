//! Writes that are stored wrong, really: the backing file gets what the program wrote, then the journal
//! of undo what is about to be replaced, then the file the damage. Killed at any moment, the journal
//! knows at least what was done.
//!
//! The damage does not show in the time of the file's last change.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, futimens};

use super::copying::write_fully;
use super::handles::OpenFile;
use super::inject::Judged;
use super::losses::Losses;
use super::stat::stat_fd;
use super::tree::times;
use super::{Filesystem, Node};
use crate::ledger::{Event, Outcome};
use crate::media::FileKey;
use crate::op::Op;
use crate::plan::bytes_of;
use crate::state::Damaged;

/// What of one request to write is to be stored wrong, and what was.
#[derive(Debug, Default)]
pub(super) struct Harm {
    judged: Option<Judged>,
    pub(super) events: Vec<Event>,
    /// What was written in the place of the damage.
    good: Vec<(u64, Vec<u8>)>,
}

impl Harm {
    /// What was decided.
    pub(super) fn of(judged: &Judged) -> Harm {
        let harmed = !judged.decision.flips.is_empty() || !judged.decision.regions.is_empty();
        Harm { judged: harmed.then(|| judged.clone()), ..Harm::default() }
    }

    /// Gives back what was written, for damage that cannot be recorded.
    pub(super) fn undo(&mut self, open: &OpenFile) -> impl FnOnce() + Send + 'static {
        let good = std::mem::take(&mut self.good);
        let file = Arc::clone(&open.file);
        move || put(&file, &good)
    }
}

impl Filesystem {
    /// A program has just overwritten, cut off or removed bytes of a file: they are its own.
    pub(super) fn is_theirs(&self, file: FileKey, range: Range<u64>) {
        if let Some(state) = &self.state {
            state.journal.overwritten(file, range);
        }
    }

    /// Whether there is real damage in a file.
    pub(super) fn is_damaged(&self, file: FileKey) -> bool {
        self.state.as_ref().is_some_and(|state| state.journal.is_damaged(file))
    }

    /// Whether writes to a file may be stored wrong.
    pub(super) fn harms(&self, node: &Arc<Node>) -> bool {
        let harms = |armed: &crate::injector::Armed, rules: &[crate::plan::RuleId]| {
            rules.iter().any(|rule| armed.plan().rule(*rule).fault.is_written())
        };
        self.view_with_medium(node)
            .is_some_and(|(armed, view)| harms(&armed, &view.selection.rules))
    }

    /// These bytes of a write have been stored; now what a rule says of them happens.
    pub(super) fn stored(&self, open: &OpenFile, op: Op, data: &[u8], losses: &mut Losses) {
        let range = op.offset..op.offset + data.len() as u64;
        self.is_theirs(open.node.key, range);
        let Some(whole) = losses.harm.judged.clone() else { return };
        let part = part_of(&whole, Op { len: data.len() as u64, ..op });
        let mut bad = data.to_vec();
        let filled = part.fill(&mut bad, &*open.file);
        let bits = part.flip(&mut bad);
        let events = whole.damage_events(&filled, &bits);
        let replaced = differences(data, &bad);
        match self.replace(open, op.offset, data, &bad, &replaced) {
            true => {
                let good =
                    |run: &Range<usize>| (op.offset + run.start as u64, data[run.clone()].to_vec());
                losses.harm.good.extend(replaced.iter().map(good));
                losses.harm.events.extend(events);
            }
            false => {
                let skip = |event| Event { outcome: Outcome::Skipped, ..event };
                losses.harm.events.extend(events.into_iter().map(skip));
            }
        }
    }

    /// Makes the damage; `false`: it cannot be undone, and so was not made.
    fn replace(
        &self,
        open: &OpenFile,
        offset: u64,
        good: &[u8],
        bad: &[u8],
        runs: &[Range<usize>],
    ) -> bool {
        if runs.is_empty() {
            return true;
        }
        let Some(state) = self.state.as_ref().filter(|_| !appends_only(&open.file)) else {
            return false;
        };
        let Ok(attr) = stat_fd(&*open.file) else { return false };
        let (path, file) = (open.node.path(), open.node.key);
        let damaged = runs.iter().map(|run| Damaged {
            file,
            path: &path,
            at: offset + run.start as u64,
            good: &good[run.clone()],
            bad: &bad[run.clone()],
            sizes: (attr.size, attr.size),
        });
        if state.journal.damage(damaged).is_err() {
            return false;
        }
        let write = |run: &Range<usize>| {
            write_fully(&open.file, offset + run.start as u64, &bad[run.clone()])
        };
        let made = runs.iter().try_for_each(write).is_ok();
        if !made {
            put(&open.file, &[(offset, good.to_vec())]);
        }
        let _ = futimens(&*open.file, &times(&attr));
        made
    }
}

/// Puts back what was written.
fn put(file: &OwnedFd, good: &[(u64, Vec<u8>)]) {
    for (at, bytes) in good {
        if let Err(errno) = write_fully(file, *at, bytes) {
            tracing::error!("damage cannot be taken back before `errorfs heal`: {errno}");
        }
    }
}

/// The decided damage of the bytes that one call has stored.
fn part_of(whole: &Judged, op: Op) -> Judged {
    let range = bytes_of(&op);
    let mut part = whole.clone();
    part.decision.flips.retain(|flip| range.contains(&flip.byte));
    for corrupted in &mut part.decision.regions {
        let bytes = &corrupted.bytes;
        corrupted.bytes = bytes.start.max(range.start)..bytes.end.min(range.end);
    }
    part.decision.regions.retain(|corrupted| !corrupted.bytes.is_empty());
    Judged { op, ..part }
}

/// What is written to such a file goes to its end, whatever place is named.
fn appends_only(file: &OwnedFd) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::APPEND))
}

/// The runs of bytes that differ.
fn differences(one: &[u8], other: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let places = one.iter().zip(other).enumerate();
    for (at, _) in places.filter(|(_, (one, other))| one != other) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}
