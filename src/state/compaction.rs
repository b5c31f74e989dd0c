//! Writes a memory anew while a mount goes on adding to it, so that it does not grow for ever.
//!
//! The memory is one file of what was, and one that is added to. When the latter has grown, another is
//! begun for whatever comes; once nobody is adding to the older one any more, both are played and
//! written as one. Files are numbered: one that is in what was written already is not played again,
//! wherever a crash came between. No lock is held over a call, and nobody who remembers waits. A thread
//! of its own does it, begun before there is a mount: the threads of requests have the rights of those
//! who ask.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Log;
use super::memory::{Memory, TITLE};

/// What was added may be so much larger than what it was added to, before both are written as one.
const GROWTH: u64 = 4;
/// And is at least so large.
const WORTH: u64 = 16 << 20;
/// How long to wait before looking once more whether somebody is still adding.
const LOOK: Duration = Duration::from_millis(2);

/// The file that is added to.
#[derive(Debug)]
struct Tail {
    number: u64,
    log: Log,
}

/// The files of one memory.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    tail: ArcSwap<Tail>,
    /// Bytes in the tail, about.
    added: AtomicU64,
    /// How many it may have.
    bound: AtomicU64,
    /// Whether it is going to be written as one with the rest, or is now.
    asked: AtomicBool,
    /// Something could not be added: what comes later would not be the whole of it.
    failed: AtomicBool,
    worth: u64,
    /// Nobody else uses them as long as they are written.
    _lock: Option<Arc<File>>,
}

/// A memory that is added to.
#[derive(Debug)]
pub(super) struct Growing {
    files: Arc<Files>,
    /// Asks for the files to be written as one.
    grown: SyncSender<()>,
}

/// The name of the file with a number.
fn numbered(path: &Path, number: u64) -> PathBuf {
    path.with_extension(number.to_string())
}

/// The numbers of the files that were added to, in order.
fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let stem = path.file_stem();
    let of = |entry: io::Result<std::fs::DirEntry>| {
        let found = entry.ok()?.path();
        (found.file_stem() == stem).then(|| found.extension()?.to_str()?.parse::<u64>().ok())?
    };
    let mut numbers: Vec<u64> = std::fs::read_dir(folder)?.filter_map(of).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Plays what was written and every file that was added to, up to that number: more than one if it
/// could not be written before. Writes them as one, and gives how long that is.
fn write_through(path: &Path, last: u64) -> io::Result<(Memory, u64)> {
    let mut memory = Memory::read(path)?;
    let mut numbers = numbers(path)?;
    numbers.retain(|number| *number <= last);
    let written = memory.through;
    for number in numbers.iter().filter(|number| **number > written) {
        memory.add(&numbered(path, *number))?;
        memory.through = *number;
    }
    let len = memory.write(path)?;
    for number in numbers {
        std::fs::remove_file(numbered(path, number))?;
    }
    Ok((memory, len))
}

impl Growing {
    /// Plays what there is, and writes it anew.
    pub(super) fn open(path: &Path, lock: Option<Arc<File>>) -> io::Result<(Memory, Growing)> {
        Growing::open_with(path, lock, WORTH)
    }

    fn open_with(
        path: &Path,
        lock: Option<Arc<File>>,
        worth: u64,
    ) -> io::Result<(Memory, Growing)> {
        let (memory, len) = write_through(path, u64::MAX)?;
        let number = memory.through + 1;
        let (_, log) = Log::open(&numbered(path, number), TITLE)?;
        let (added, bound) = (AtomicU64::new(0), AtomicU64::new(worth.max(GROWTH * len)));
        let (asked, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (tail, path) = (ArcSwap::from_pointee(Tail { number, log }), path.to_path_buf());
        let files = Arc::new(Files { path, tail, added, bound, asked, failed, worth, _lock: lock });
        let (grown, requests) = sync_channel(1);
        let theirs = Arc::clone(&files);
        let thread = std::thread::Builder::new().name("memory".to_owned());
        thread.spawn(move || theirs.write_as_one(&requests))?;
        Ok((memory, Growing { files, grown }))
    }

    /// Adds records.
    pub(super) fn append(&self, records: Vec<(Vec<u8>, &[u8])>) -> io::Result<()> {
        let files = &self.files;
        let len: usize = records.iter().map(|(head, payload)| head.len() + payload.len()).sum();
        if self.failed() {
            return Err(io::Error::other("it could not be added to before"));
        }
        let appended = files.tail.load_full().log.append(records);
        files.failed.fetch_or(appended.is_err(), Ordering::AcqRel);
        appended?;
        let added = files.added.fetch_add(len as u64, Ordering::AcqRel) + len as u64;
        if added > files.bound() && !files.asked.swap(true, Ordering::AcqRel) {
            let _ = self.grown.try_send(());
        }
        Ok(())
    }

    /// Whether nothing can be added any more.
    pub(super) fn failed(&self) -> bool {
        self.files.failed.load(Ordering::Acquire)
    }
}

impl Files {
    /// Whenever it is asked for. What fails leaves the files as they are: they are played at the next
    /// start.
    fn write_as_one(&self, requests: &Receiver<()>) {
        while requests.recv().is_ok() {
            // Meanwhile as much may have been added again.
            while self.added.load(Ordering::Acquire) > self.bound() {
                match self.compact() {
                    Ok(len) => self.bound.store(self.worth.max(GROWTH * len), Ordering::Release),
                    Err(error) => {
                        tracing::warn!("what the next mount is to know grows on: {error}");
                        break;
                    }
                }
            }
            self.asked.store(false, Ordering::Release);
        }
    }

    fn bound(&self) -> u64 {
        self.bound.load(Ordering::Acquire)
    }

    /// How long it is then.
    fn compact(&self) -> io::Result<u64> {
        let number = self.tail.load().number + 1;
        let (_, log) = Log::open(&numbered(&self.path, number), TITLE)?;
        let ended = self.tail.swap(Arc::new(Tail { number, log }));
        self.added.store(0, Ordering::Release);
        while Arc::strong_count(&ended) > 1 {
            std::thread::sleep(LOOK);
        }
        write_through(&self.path, ended.number).map(|(_, len)| len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FileKey;
    use crate::state::{Memo, MemoryLog};

    const FILE: FileKey = FileKey { dev: 1, ino: 2, birth: 3 };

    fn note(memory: &Growing, memo: &Memo) {
        memory.append(vec![(serde_json::to_vec(memo).unwrap(), &[])]).unwrap();
    }

    fn len_of_all(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
    }

    fn overwritten(start: u64) -> Memo {
        Memo::Replaced { file: FILE, start, end: start + 1, size: 1 << 20 }
    }

    #[test]
    fn what_is_added_by_many_is_written_as_one_and_nothing_is_lost_or_counted_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let (_, memory) = Growing::open_with(&path, None, 10_000).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let memory = &memory;
                scope.spawn(move || (0..5_000).for_each(|_| note(memory, &overwritten(thread))));
            }
        });
        let small = || len_of_all(directory.path()) < 100_000;
        let start = std::time::Instant::now();
        while !small() && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(LOOK);
        }
        assert!(small(), "{}", len_of_all(directory.path()));
        drop(memory);
        for _ in 0..2 {
            let (memory, log) = MemoryLog::open(&path, None).unwrap();
            let file = &memory.files[&FILE];
            assert_eq!(file.overwritten(0..4), [(0..4, 5_000)]);
            drop(log);
        }
    }

    #[test]
    fn a_crash_between_writing_and_removing_counts_nothing_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let (_, memory) = Growing::open_with(&path, None, u64::MAX).unwrap();
        note(&memory, &overwritten(7));
        let tail = numbered(&path, memory.files.tail.load().number);
        let kept = std::fs::read(&tail).unwrap();
        memory.files.compact().unwrap();
        note(&memory, &overwritten(7));
        drop(memory);
        std::fs::write(&tail, kept).unwrap();
        std::fs::write(path.with_extension("new"), "half of what was to be").unwrap();
        let (memory, _) = MemoryLog::open(&path, None).unwrap();
        assert_eq!(memory.files[&FILE].overwritten(7..8), [(7..8, 2)]);
    }

    #[test]
    fn what_could_not_be_written_as_one_is_written_with_what_comes_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let (_, memory) = Growing::open_with(&path, None, u64::MAX).unwrap();
        let in_the_way = path.with_extension("new");
        for _ in 0..2 {
            note(&memory, &overwritten(7));
            std::fs::create_dir(&in_the_way).unwrap();
            memory.files.compact().unwrap_err();
            std::fs::remove_dir(&in_the_way).unwrap();
        }
        note(&memory, &overwritten(7));
        memory.files.compact().unwrap();
        let left = memory.files.tail.load().number;
        assert_eq!(numbers(&path).unwrap(), [left]);
        note(&memory, &overwritten(7));
        drop(memory);
        let (memory, _) = MemoryLog::open(&path, None).unwrap();
        assert_eq!(memory.files[&FILE].overwritten(7..8), [(7..8, 4)]);
    }
}
