//! Operations on directories as streams of entries.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};

use rustix::fs::{FileType, OFlags, RawDir, SeekFrom, seek};

use super::numbers::Listed;
use super::stat::FileKind;
use super::{Answer, FileHandle, Filesystem, Node, NodeId, locked};
use crate::op::OpKind;

/// Bytes asked of the backing directory at a time: what the kernel asks of us.
const BATCH: usize = 32 * 1024;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Inode number.
    pub ino: u64,
    /// The backing directory's own cookie for what follows this entry.
    pub next: u64,
    /// Kind; unknown kinds are regular files until somebody looks.
    pub kind: FileKind,
    /// Name.
    pub name: OsString,
}

/// An open directory.
#[derive(Debug)]
pub struct DirHandle {
    pub(super) node: Arc<Node>,
    pub(super) directory: Arc<OwnedFd>,
    /// Numbers of files as the mount has them.
    listed: Listed,
    batch: Mutex<Batch>,
}

/// Entries that were read from the backing directory together, and where they begin.
#[derive(Clone, Debug, Default)]
struct Batch {
    entries: Arc<Vec<DirEntry>>,
    cookie: u64,
}

/// Entries from some position on. None at all: the end of the directory.
#[derive(Debug)]
pub struct Listing {
    batch: Arc<Vec<DirEntry>>,
    range: Range<usize>,
}

/// How much one answer tells of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// So many entries, at most.
    pub entries: usize,
    /// Bytes that an entry takes beside its name.
    pub header: usize,
}

impl Portion {
    /// The kernel asks for no less.
    const ROOM: usize = 4096;

    /// Those that any answer has room for, also if each is told twice; one at least, if there is any.
    pub(super) fn fitting<'a>(&self, entries: &'a [DirEntry]) -> &'a [DirEntry] {
        let mut room = Portion::ROOM;
        let fits = |entry: &&DirEntry| {
            let left = room.checked_sub(2 * (self.header + entry.name.len()).next_multiple_of(8));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let count = entries.iter().take(self.entries).take_while(fits).count();
        &entries[..count.max(1).min(entries.len())]
    }
}

impl Listing {
    /// These.
    pub(super) fn new(entries: Vec<DirEntry>) -> Listing {
        Listing::from(Arc::new(entries), 0)
    }

    fn from(batch: Arc<Vec<DirEntry>>, start: usize) -> Listing {
        Listing { range: start..batch.len(), batch }
    }

    /// No more than so many.
    pub(super) fn first(self, count: usize) -> Listing {
        let Range { start, end } = self.range;
        Listing { range: start..end.min(start.saturating_add(count)), ..self }
    }

    /// In the directory's order.
    pub fn entries(&self) -> &[DirEntry] {
        &self.batch[self.range.clone()]
    }
}

impl Filesystem {
    /// `opendir`. Also gives whether the kernel may keep what is listed: no rule in force is about
    /// that. (What it has kept it forgets when another plan comes, see `rearm`.)
    pub fn opendir(&self, id: NodeId) -> Answer<(FileHandle, bool)> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let node = self.node(id)?;
        let (directory, attr) = self.reopen_known(&node, flags)?;
        let listed = self.nodes.numbers.listed(&attr);
        let directory = Arc::new(directory);
        node.opened(&directory);
        let handle = DirHandle { node, directory, listed, batch: Mutex::default() };
        let lists_truly = self.trace.is_none() && self.armed_for(OpKind::Readdir).is_none();
        Ok((self.open_directories.add(Arc::new(handle)), lists_truly))
    }

    /// `readdir`: entries from a cookie on.
    pub fn readdir(&self, handle: FileHandle, cookie: u64) -> Answer<Listing> {
        let open = self.open_directories.get(handle)?;
        let batch = locked(&open.batch).clone();
        match batch.position(cookie) {
            Some(from) if from < batch.entries.len() => Ok(Listing::from(batch.entries, from)),
            known => open.read(cookie, known.is_none()),
        }
    }

    /// `releasedir`.
    pub fn releasedir(&self, handle: FileHandle) {
        if let Some(node) = self.open_directories.remove(handle).map(|open| open.node.clone()) {
            node.closed();
        }
    }

    /// `fsyncdir`.
    pub fn fsyncdir(&self, handle: FileHandle, data_only: bool) -> Answer<()> {
        let open = self.open_directories.get(handle)?;
        super::data::sync(&*open.directory, data_only)
    }
}

impl DirHandle {
    /// The next batch. The kernel asks for one part of a stream at a time: nobody reads the same
    /// one meanwhile, so that no lock is held over the system call.
    fn read(&self, cookie: u64, seek: bool) -> Answer<Listing> {
        let mut entries = read_batch(&self.directory, seek.then_some(cookie))?;
        entries.iter_mut().for_each(|entry| entry.ino = self.listed.number(entry.ino));
        let entries = Arc::new(entries);
        *locked(&self.batch) = Batch { entries: entries.clone(), cookie };
        Ok(Listing::from(entries, 0))
    }
}

impl Batch {
    /// The place of a cookie in what was read. The start is never: rewinddir(3) must see what came
    /// since.
    fn position(&self, cookie: u64) -> Option<usize> {
        match cookie {
            0 => None,
            _ if cookie == self.cookie => Some(0),
            _ => Some(self.entries.iter().position(|entry| entry.next == cookie)? + 1),
        }
    }
}

/// One batch of entries, from a cookie on or else from where the last one ended.
fn read_batch(directory: &OwnedFd, from: Option<u64>) -> Answer<Vec<DirEntry>> {
    if let Some(cookie) = from {
        seek(directory, SeekFrom::Start(cookie))?;
    }
    let mut buffer = [MaybeUninit::uninit(); BATCH];
    let mut raw = RawDir::new(directory, &mut buffer);
    let mut entries = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        entries.push(DirEntry {
            ino: entry.ino(),
            next: entry.next_entry_cookie(),
            kind: kind(entry.file_type()),
            name: OsStr::from_bytes(entry.file_name().to_bytes()).to_owned(),
        });
        if raw.is_buffer_empty() {
            break;
        }
    }
    Ok(entries)
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::Character,
        FileType::BlockDevice => FileKind::Block,
        _ => FileKind::Regular,
    }
}
