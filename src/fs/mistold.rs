//! Answers that tell something wrong of a file, and what the ledger says of them.

use std::time::Duration;

use super::events::written;
use super::inject::Judged;
use super::stat::{Attr, FileKind};
use super::{Answer, DirEntry, Entry, FileHandle, Filesystem, Listing, Opened, Portion, Subject};
use crate::ledger::{Event, Mistold, bytes_or_hash};
use crate::op::{Op, OpKind};
use crate::plan::fault::Fault;
use crate::scenario::{EntryFault, Metadata, XattrFault};

/// An answer of which something may be told wrong.
pub trait Telling: Clone + Send + 'static {
    /// Makes it wrong; says what is other than it was.
    fn mistell(&mut self, kind: OpKind, wrong: &Metadata) -> Vec<Mistold>;
}

impl Telling for Attr {
    fn mistell(&mut self, _kind: OpKind, wrong: &Metadata) -> Vec<Mistold> {
        let mut told = Vec::new();
        if let Some(size) = wrong.size.filter(|_| self.kind == FileKind::Regular) {
            told.extend(instead("size", &mut self.size, size));
        }
        if let Some(seconds) = wrong.mtime {
            let true_time = self.mtime;
            self.mtime = (seconds as i64, 0);
            let told_time = line("mtime", seconds_of(true_time), seconds_of(self.mtime));
            told.extend((self.mtime != true_time).then_some(told_time));
        }
        if let Some(mode) = wrong.mode {
            // None is told that is not there: the kernel lets people in by what it is told.
            let (before, after) = (self.permissions, self.permissions & mode);
            self.permissions = after;
            let octal = line("mode", format!("{before:#o}"), format!("{after:#o}"));
            told.extend((before != after).then_some(octal));
        }
        if let Some(nlink) = wrong.nlink {
            told.extend(instead("nlink", &mut self.nlink, nlink));
        }
        told
    }
}

impl Telling for Entry {
    fn mistell(&mut self, kind: OpKind, wrong: &Metadata) -> Vec<Mistold> {
        self.attr.mistell(kind, wrong)
    }
}

impl Telling for (Entry, Opened) {
    fn mistell(&mut self, kind: OpKind, wrong: &Metadata) -> Vec<Mistold> {
        self.0.mistell(kind, wrong)
    }
}

/// The target of a link, or the value of an extended attribute.
impl Telling for Vec<u8> {
    fn mistell(&mut self, kind: OpKind, wrong: &Metadata) -> Vec<Mistold> {
        let before = self.clone();
        let what = match (kind, &wrong.target, wrong.xattr) {
            (OpKind::Readlink, Some(target), _) => {
                *self = target.clone().into_bytes();
                "target"
            }
            (OpKind::Getxattr, _, Some(XattrFault::Zero)) => {
                self.fill(0);
                "xattr"
            }
            (OpKind::Getxattr, _, Some(XattrFault::Inverted)) => {
                self.iter_mut().for_each(|byte| *byte = !*byte);
                "xattr"
            }
            _ => return Vec::new(),
        };
        let told = line(what, bytes_or_hash(&before), bytes_or_hash(self));
        (before != *self).then_some(told).into_iter().collect()
    }
}

fn instead<T: PartialEq + Copy + ToString>(what: &str, of: &mut T, told: T) -> Option<Mistold> {
    let before = std::mem::replace(of, told);
    (before != told).then(|| line(what, before.to_string(), told.to_string()))
}

fn line(what: &str, before: String, after: String) -> Mistold {
    Mistold { what: what.to_owned(), before, after }
}

fn seconds_of((seconds, nanoseconds): (i64, u32)) -> String {
    match nanoseconds {
        0 => seconds.to_string(),
        _ => format!("{seconds}.{nanoseconds:09}"),
    }
}

impl Judged {
    /// The answer as it is told, with the events that say so; `None`: it is told as it is.
    pub(super) fn mistold<T: Telling>(&self, result: &Answer<T>) -> Option<(T, Vec<Event>)> {
        let mut told = result.as_ref().ok().filter(|_| !self.decision.mistold.is_empty())?.clone();
        let mut events = Vec::new();
        for rule in &self.decision.mistold {
            let Fault::Metadata(fault) = &self.armed.plan().rule(*rule).fault else { continue };
            let mistold = told.mistell(self.op.kind, &fault.told);
            if !mistold.is_empty() {
                events.push(Event { mistold, ..self.event(*rule, 0) });
            }
        }
        (!events.is_empty()).then_some((told, events))
    }
}

impl Filesystem {
    /// An operation that moves no bytes and tells something of a file.
    pub fn around_telling<T: Telling>(
        &self,
        op: Op,
        subject: Subject<'_>,
        call: impl FnOnce(&Filesystem) -> Answer<T>,
        answer: impl FnOnce(Answer<T>) + Send + 'static,
    ) {
        let tell = |judged: &Judged, result: &Answer<T>| {
            judged.mistold(result).map(|(told, events)| (Ok(told), events))
        };
        self.around_told(op, subject, call, tell, answer);
    }

    /// `readdir`, with entries that are missing, there twice, or of another kind. What is given is
    /// what is answered, so that there are events of that and of nothing else.
    pub fn list(
        &self,
        op: Op,
        (handle, cookie): (FileHandle, u64),
        portion: Portion,
        answer: impl FnOnce(Answer<Listing>) + Send + 'static,
    ) {
        let subject = Subject::OpenDirectory(handle);
        let tell = |judged: &Judged, was: &Answer<Listing>| {
            let was = was.as_ref().ok().filter(|_| judged.armed.changes_entries())?;
            let mut events = Vec::new();
            Some((self.mislisted(judged, (handle, portion), was, &mut events), events))
        };
        let call = |fs: &Filesystem| Ok(fs.readdir(handle, cookie)?.first(portion.entries));
        self.around_told(op, subject, call, tell, answer);
    }

    /// Entries as they are told. None at all would be the end of the directory: where all of some are
    /// missing, more are read.
    fn mislisted(
        &self,
        judged: &Judged,
        (handle, portion): (FileHandle, Portion),
        was: &Listing,
        events: &mut Vec<Event>,
    ) -> Answer<Listing> {
        let are = portion.fitting(was.entries());
        let mut told = judged.entries(are, self.armed_at.elapsed(), events);
        let mut last = are.last().map(|entry| entry.next);
        while let Some(cookie) = last.filter(|_| told.is_empty()) {
            let more = self.readdir(handle, cookie)?;
            let are = portion.fitting(more.entries());
            told = judged.entries(are, self.armed_at.elapsed(), events);
            last = are.last().map(|entry| entry.next);
        }
        Ok(Listing::new(told))
    }
}

impl Judged {
    /// What is missing after the last one that is told is asked for once more: the kernel goes on
    /// from that one. It has its events then.
    fn entries(&self, are: &[DirEntry], now: Duration, events: &mut Vec<Event>) -> Vec<DirEntry> {
        let mut told: Vec<DirEntry> = Vec::with_capacity(are.len());
        let mut through_last = events.len();
        for entry in are {
            let path = self.view.path.join(&entry.name);
            let fault = || self.armed.entry_fault(&path, now);
            let Some((rule, fault)) = (!entry.is_itself_or_above()).then(fault).flatten() else {
                told.push(entry.clone());
                through_last = events.len();
                continue;
            };
            let wrong = DirEntry { kind: other_than(entry.kind), ..entry.clone() };
            match fault {
                EntryFault::Missing => {}
                EntryFault::Duplicated => told.extend([entry.clone(), entry.clone()]),
                EntryFault::Mistyped => told.push(wrong),
            }
            let mistold = vec![line("entry", "there once".to_owned(), fault.name().to_owned())];
            events.push(Event { path: written(&path), mistold, ..self.event(rule, 0) });
            if fault != EntryFault::Missing {
                through_last = events.len();
            }
        }
        if !told.is_empty() {
            events.truncate(through_last);
        }
        told
    }
}

/// What an entry is said to be that is not that.
fn other_than(kind: FileKind) -> FileKind {
    match kind {
        FileKind::Regular => FileKind::Directory,
        _ => FileKind::Regular,
    }
}
