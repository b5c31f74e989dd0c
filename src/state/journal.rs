//! The journal of undo while a mount lives: what is damaged, and what programs have overwritten.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Frame, Log, Record};
use crate::ledger::escape;
use crate::media::{Content, FileKey, Piece, Pieces};

/// What a journal holds, in order.
pub type Records = Vec<(Record, Frame)>;

/// The first line of a journal.
const TITLE: &str = "errorfs undo 1\n";

/// Bytes of a file that a fault is about to replace.
#[derive(Debug)]
pub struct Damaged<'a> {
    /// Which file.
    pub file: FileKey,
    /// A path of it.
    pub path: &'a Path,
    /// The first of the bytes.
    pub at: u64,
    /// As they are.
    pub good: &'a [u8],
    /// What takes their place.
    pub bad: &'a [u8],
    /// The length of the file before and after.
    pub sizes: (u64, u64),
}

/// What has been damaged and not been overwritten since.
#[derive(Debug)]
pub struct Journal {
    log: Log,
    /// Spares every write the lock as long as nothing is damaged.
    any: AtomicBool,
    damaged: Mutex<HashMap<FileKey, Pieces<()>>>,
    /// Whether it was said that nothing can be recorded any more.
    told: AtomicBool,
    /// How many entries the attic has had.
    attic: AtomicU64,
}

impl Journal {
    /// Makes the journal of a new state directory.
    pub(super) fn make(path: &Path) -> io::Result<()> {
        Log::open(path, TITLE).map(drop)
    }

    /// Opens the journal of a state directory; gives what it holds, and where it is damaged.
    pub(super) fn open(path: &Path) -> io::Result<(Records, Vec<Range<u64>>, Journal)> {
        let (frames, unreadable, log) = Log::open_whole(path, TITLE)?;
        let records = frames.into_iter().map(|frame| {
            let record = serde_json::from_slice(&frame.head).map_err(io::Error::other)?;
            Ok((record, frame))
        });
        let records = records.collect::<io::Result<Records>>()?;
        let (any, damaged, told, attic) = Default::default();
        let journal = Journal { log, any, damaged, told, attic };
        records.iter().for_each(|(record, frame)| journal.remember(record, frame.len as u64));
        Ok((records, unreadable, journal))
    }

    fn remember(&self, record: &Record, with: u64) {
        match record {
            Record::Bytes { file, at, len, sizes, .. } => {
                let bad = with.saturating_sub(*len);
                let end = if sizes.0 == sizes.1 { at + len.max(&bad) } else { u64::MAX };
                self.mark(*file, *at..end);
            }
            Record::Overwritten { file, start, end } => {
                let mut damaged = self.damaged();
                damaged.get_mut(file).map(|pieces| pieces.take(&(*start..*end)));
            }
            Record::Made { file, .. } => self.mark(*file, 0..u64::MAX),
            Record::Taken { attic, .. } => {
                self.attic.fetch_max(attic + 1, Ordering::AcqRel);
            }
            Record::Unlinked { .. } | Record::Put { .. } | Record::Moved { .. } => {}
        }
    }

    fn mark(&self, file: FileKey, bytes: Range<u64>) {
        self.any.store(true, Ordering::Release);
        let piece = Piece { bytes, content: Content::ZEROS, of: () };
        self.damaged().entry(file).or_default().put(piece);
    }

    /// Records what is about to be done, for good: only what this has recorded may be done.
    pub fn intend(&self, records: &[(Record, Vec<u8>)]) -> io::Result<()> {
        self.note(records)?;
        self.log.sync().inspect_err(|error| self.tell_failure(error))
    }

    /// The first failure is told: all that follow are of it.
    fn tell_failure(&self, error: &io::Error) {
        if !self.told.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "nothing more is damaged: the state directory cannot be written: {error}"
            );
        }
    }

    /// Records something that needs no more than to survive the end of this process.
    pub fn note(&self, records: &[(Record, Vec<u8>)]) -> io::Result<()> {
        let appended =
            self.log.append(records.iter().map(|(record, bytes)| (record.head(), &**bytes)));
        appended.inspect_err(|error| self.tell_failure(error))?;
        for (record, bytes) in records {
            self.remember(record, bytes.len() as u64);
        }
        Ok(())
    }

    /// Records bytes that are about to be replaced.
    pub fn damage<'a>(&self, all: impl IntoIterator<Item = Damaged<'a>>) -> io::Result<()> {
        let records: Vec<_> = all.into_iter().map(|damaged| damaged.record()).collect();
        if records.is_empty() { Ok(()) } else { self.intend(&records) }
    }

    /// A program has just overwritten, cut off or removed bytes of a file: of what was damaged there
    /// nothing is left.
    pub fn overwritten(&self, file: FileKey, range: Range<u64>) {
        if !self.any.load(Ordering::Acquire) || range.is_empty() {
            return;
        }
        let ended = match self.damaged().get(&file) {
            Some(pieces) => !pieces.within(&range).is_empty(),
            None => false,
        };
        let (start, end) = (range.start, range.end);
        let record = Record::Overwritten { file, start, end };
        if ended {
            // That it could not be recorded is told there, and heal tells by the bytes.
            let _ = self.note(&[(record, Vec::new())]);
        }
    }

    /// Whether some of a file's bytes are damaged, so that every write to it must be seen.
    pub fn is_damaged(&self, file: FileKey) -> bool {
        let any = self.any.load(Ordering::Acquire);
        any && self.damaged().get(&file).is_some_and(|pieces| !pieces.is_empty())
    }

    /// Whether nothing can be recorded any more, so that nothing may be damaged.
    pub fn failed(&self) -> bool {
        self.log.failed()
    }

    /// All of it has been undone: it begins anew. That takes no room on a full disk.
    pub fn restart(&self) -> io::Result<()> {
        self.log.clear(TITLE)
    }

    /// A new name in the attic.
    pub fn attic_name(&self) -> u64 {
        self.attic.fetch_add(1, Ordering::AcqRel)
    }

    /// The bytes that go with a record.
    pub fn payload(&self, frame: &Frame) -> io::Result<Vec<u8>> {
        self.log.payload(frame)
    }

    /// A panic elsewhere leaves every entry whole.
    fn damaged(&self) -> MutexGuard<'_, HashMap<FileKey, Pieces<()>>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Damaged<'_> {
    /// What the journal says of it, and the bytes that go with that.
    pub fn record(&self) -> (Record, Vec<u8>) {
        let Damaged { file, path, at, good, bad, sizes } = *self;
        let path = escape(path.as_os_str().as_encoded_bytes());
        let record = Record::Bytes { file, path, at, len: good.len() as u64, sizes };
        (record, [good, bad].concat())
    }
}
