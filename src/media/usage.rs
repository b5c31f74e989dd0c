//! How much of the medium is taken: the lengths of all files, each in blocks, and how many there are.
//!
//! Counted from what was there at arming on, by what goes through the mount.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::FileKey;
use crate::plan::fault::BLOCK;

/// What the files of a mount take.
#[derive(Debug, Default)]
pub struct Usage {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    blocks: u64,
    inodes: u64,
    /// What single files take, of those that were written to: with what is about to be written.
    files: HashMap<FileKey, u64>,
    /// Files without a name: they take nothing any more.
    removed: HashSet<FileKey>,
}

impl Usage {
    /// What files of these lengths take, and so many files of all kinds.
    pub fn new(lengths: impl Iterator<Item = u64>, inodes: u64) -> Usage {
        let blocks = lengths.map(blocks).sum();
        Usage { taken: Mutex::new(Taken { blocks, inodes, ..Taken::default() }) }
    }

    /// Blocks and files of all kinds.
    pub fn taken(&self) -> (u64, u64) {
        let taken = self.lock();
        (taken.blocks, taken.inodes)
    }

    /// A file of `len` bytes is to have `wanted` at least: how many it may have, if all files
    /// together may take `capacity` blocks. Takes what that needs beyond what it has, unless `use_of`
    /// says that so many are of no use.
    pub fn grow(
        &self,
        key: FileKey,
        (len, wanted): (u64, u64),
        capacity: u64,
        use_of: impl FnOnce(u64) -> bool,
    ) -> u64 {
        let mut taken = self.lock();
        if taken.removed.contains(&key) {
            return wanted;
        }
        let has = *taken.files.entry(key).or_insert(blocks(len));
        let free = capacity.saturating_sub(taken.blocks);
        let granted = blocks(wanted).min(has.saturating_add(free)).max(has);
        let granted_len = granted.saturating_mul(BLOCK).min(wanted);
        if use_of(granted_len) {
            taken.set(key, granted);
        }
        granted_len
    }

    /// A file that [`Usage::grow`] has asked about has this length now.
    pub fn settle(&self, key: FileKey, len: u64) {
        let mut taken = self.lock();
        if !taken.removed.contains(&key) {
            taken.set(key, blocks(len));
        }
    }

    /// The same, of a length that it has at least: others may be writing behind it.
    pub fn reached(&self, key: FileKey, len: u64) {
        let mut taken = self.lock();
        if taken.files.get(&key).is_some_and(|has| *has < blocks(len)) {
            taken.set(key, blocks(len));
        }
    }

    /// Whether there may be one file more, of at most so many; it is counted then.
    pub fn make(&self, inodes: u64) -> bool {
        let mut taken = self.lock();
        let room = taken.inodes < inodes;
        taken.inodes += u64::from(room);
        room
    }

    /// It was not made after all, or has no name any more and took nothing else.
    pub fn unmake(&self) {
        let mut taken = self.lock();
        taken.inodes = taken.inodes.saturating_sub(1);
    }

    /// The last name of a regular file of this length is gone.
    pub fn remove(&self, key: FileKey, len: u64) {
        let mut taken = self.lock();
        taken.inodes = taken.inodes.saturating_sub(1);
        taken.files.entry(key).or_insert(blocks(len));
        taken.set(key, 0);
        taken.files.remove(&key);
        taken.removed.insert(key);
    }

    /// Nobody can write to the file as long as nobody looks it up again.
    pub fn forget(&self, key: FileKey) {
        let mut taken = self.lock();
        taken.files.remove(&key);
        taken.removed.remove(&key);
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn set(&mut self, key: FileKey, blocks: u64) {
        let before = self.files.insert(key, blocks).unwrap_or(0);
        self.blocks = (self.blocks + blocks).saturating_sub(before);
    }
}

fn blocks(len: u64) -> u64 {
    len.div_ceil(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ino: u64) -> FileKey {
        FileKey { dev: 1, ino, birth: 0 }
    }

    /// What a file of `len` bytes that is to have `wanted` gets of ten blocks.
    fn grow(usage: &Usage, ino: u64, len: u64, wanted: u64) -> u64 {
        usage.grow(key(ino), (len, wanted), 10, |granted| granted > len)
    }

    #[test]
    fn files_share_what_there_is_in_blocks() {
        let usage = Usage::new([1, 4096, 4097].into_iter(), 4);
        assert_eq!(usage.taken(), (4, 4));
        assert_eq!(grow(&usage, 1, 1, 100), 100, "there is room in its block");
        assert_eq!(grow(&usage, 2, 0, 5 * BLOCK), 5 * BLOCK);
        assert_eq!(grow(&usage, 3, 0, 5 * BLOCK), BLOCK, "all that is left");
        assert_eq!(grow(&usage, 3, BLOCK, 5 * BLOCK), BLOCK);
        assert_eq!(usage.taken().0, 10);
        usage.settle(key(2), 0);
        assert_eq!((usage.taken().0, grow(&usage, 3, BLOCK, 5 * BLOCK)), (5, 5 * BLOCK));
    }

    #[test]
    fn what_is_removed_gives_back_what_it_took_and_takes_nothing_more() {
        let usage = Usage::new([BLOCK, BLOCK].into_iter(), 3);
        grow(&usage, 1, BLOCK, 3 * BLOCK);
        usage.remove(key(1), 3 * BLOCK);
        usage.remove(key(2), BLOCK);
        assert_eq!(usage.taken(), (0, 1));
        assert_eq!(grow(&usage, 1, 0, 100 * BLOCK), 100 * BLOCK, "as long as it is open");
        assert_eq!(usage.taken(), (0, 1));
    }

    #[test]
    fn threads_never_take_more_than_there_is() {
        let usage = Usage::default();
        let granted: u64 = std::thread::scope(|scope| {
            let write = |ino: u64| {
                let usage = &usage;
                scope.spawn(move || (1..=8).map(|end| grow(usage, ino, 0, end * BLOCK)).max())
            };
            let threads: Vec<_> = (0..4).map(write).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).sum()
        });
        assert_eq!((granted, usage.taken().0), (10 * BLOCK, 10));
        assert_eq!((0..5).filter(|_| usage.make(3)).count(), 3);
    }
}
