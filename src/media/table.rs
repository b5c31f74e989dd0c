//! The table of all files with a memory, by device, inode number and birth. Survives that the
//! kernel forgets a node; never asks the backing directory anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Medium;

/// Locks of the table: more than any machine has threads in it at once.
const SHARDS: usize = 64;

/// Entries that a shard may have without being swept.
const SWEEP_MIN: usize = 64;

/// A file of the backing directory, whatever its names. Its time of birth tells it from files that
/// had the same inode number before, and were removed behind the mount.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct FileKey {
    /// Device number.
    pub dev: u64,
    /// Inode number on that device.
    pub ino: u64,
    /// Nanoseconds from the epoch to its birth, wrapping; 0 where the filesystem does not say.
    pub birth: u64,
}

/// All files with a memory. Survives that the kernel forgets a node.
#[derive(Debug)]
pub struct Media {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<FileKey, Entry>,
    /// How many entries it has when those that remember nothing are next swept out.
    sweep_at: usize,
}

impl Shard {
    /// An entry, made if need be. Files whose medium was still held when the kernel forgot them are
    /// swept out now and then, so that the table cannot grow with the number of files ever seen.
    fn entry(&mut self, key: FileKey) -> &mut Entry {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| entry.remembers());
            self.sweep_at = SWEEP_MIN.max(2 * self.entries.len());
        }
        self.entries.entry(key).or_default()
    }
}

#[derive(Debug, Default)]
struct Entry {
    medium: Option<Arc<Medium>>,
    origin: Option<Arc<Path>>,
    /// Under which generation of the plan it was created.
    born: Option<u64>,
}

impl Entry {
    fn remembers(&self) -> bool {
        let in_use = |medium: &Arc<Medium>| {
            let remembers = !medium.is_pristine() || !medium.has_all();
            remembers || Arc::strong_count(medium) > 1
        };
        self.born.is_some() || self.origin.is_some() || self.medium.as_ref().is_some_and(in_use)
    }
}

impl Default for Media {
    fn default() -> Media {
        Media { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Media {
    /// The medium of a file, made on first use. Every caller gets the same one while it is in use
    /// or has something to remember.
    pub fn medium(&self, key: FileKey) -> Arc<Medium> {
        let mut shard = self.shard(key);
        let entry = shard.entry(key);
        let born = entry.born;
        let medium = entry.medium.get_or_insert_with(|| {
            let medium = Medium::default();
            if let Some(generation) = born {
                medium.set_born(generation);
            }
            Arc::new(medium)
        });
        Arc::clone(medium)
    }

    /// The kernel forgot the node: drops the entry unless it has something to remember
    /// (an identity other than its present path's, overwritten bytes, birth through the mount) or
    /// somebody still holds its medium: drop that first.
    pub fn forget(&self, key: FileKey) {
        let mut shard = self.shard(key);
        if shard.entries.get(&key).is_some_and(|entry| !entry.remembers()) {
            shard.entries.remove(&key);
        }
    }

    /// The last name and the last handle of the file are gone; its inode number may come again.
    pub fn removed(&self, key: FileKey) {
        self.shard(key).entries.remove(&key);
    }

    /// The file or directory was created through the mount, under this generation of the plan: it was
    /// not there when that was armed.
    pub fn born(&self, key: FileKey, generation: u64) {
        let mut shard = self.shard(key);
        let entry = shard.entry(key);
        entry.born = Some(generation);
        if let Some(medium) = &entry.medium {
            medium.set_born(generation);
        }
    }

    /// Whether it was created through the mount.
    pub fn is_born(&self, key: FileKey) -> bool {
        self.shard(key).entries.get(&key).is_some_and(|entry| entry.born.is_some())
    }

    /// Before a rename or link of what was there at arming: keeps the path that it had then.
    /// The first call for a key wins; born files have no origin.
    pub fn keep_origin(&self, key: FileKey, origin: &Path) {
        let mut shard = self.shard(key);
        let entry = shard.entry(key);
        if entry.born.is_none() {
            entry.origin.get_or_insert_with(|| Arc::from(origin));
        }
    }

    /// A new plan finds the file under this path, born or not: by that its damage is keyed from now
    /// on, if nothing has keyed it before. Gives the path that does.
    pub fn settle_origin(&self, key: FileKey, path: &Path) -> Arc<Path> {
        let mut shard = self.shard(key);
        Arc::clone(shard.entry(key).origin.get_or_insert_with(|| Arc::from(path)))
    }

    /// The path at arming, where it differs from the present one. Also for directories.
    pub fn origin(&self, key: FileKey) -> Option<Arc<Path>> {
        self.shard(key).entries.get(&key)?.origin.clone()
    }

    /// The medium of a file that has one.
    pub fn known(&self, key: FileKey) -> Option<Arc<Medium>> {
        self.shard(key).entries.get(&key)?.medium.clone()
    }

    /// The media of all files that are in the table and have one.
    pub fn all(&self) -> Vec<Arc<Medium>> {
        let of = |shard: &Mutex<Shard>| -> Vec<_> {
            open(shard).entries.values().filter_map(|entry| entry.medium.clone()).collect()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// How many files are in the table.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| open(shard).entries.len()).sum()
    }

    /// Whether no file is in the table.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: FileKey) -> MutexGuard<'_, Shard> {
        let number = (key.ino ^ key.dev) as usize % SHARDS;
        open(&self.shards[number])
    }
}

/// A panic elsewhere leaves every entry whole.
fn open(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FileKey = FileKey { dev: 1, ino: 2, birth: 3 };

    #[test]
    fn a_medium_is_shared_while_in_use_and_forgotten_when_it_has_nothing_to_remember() {
        let media = Media::default();
        let medium = media.medium(KEY);
        media.forget(KEY);
        assert!(Arc::ptr_eq(&medium, &media.medium(KEY)), "still in use");
        drop(medium);
        media.forget(KEY);
        assert!(media.is_empty());
    }

    #[test]
    fn the_table_does_not_grow_with_the_files_ever_seen() {
        let media = Media::default();
        for ino in 0..100_000 {
            let key = FileKey { dev: 1, ino, birth: 0 };
            let held = media.medium(key);
            media.forget(key);
            drop(held);
        }
        assert!(media.len() <= SHARDS * (SWEEP_MIN + 1), "{}", media.len());
    }

    #[test]
    fn overwritten_bytes_are_remembered_until_the_file_is_removed() {
        let media = Media::default();
        media.medium(KEY).written(0..10, 10);
        media.forget(KEY);
        assert_eq!(media.medium(KEY).generations(0..10), [(0..10, 1)]);
        media.removed(KEY);
        assert_eq!(media.medium(KEY).generations(0..10), [(0..10, 0)]);
    }

    #[test]
    fn a_file_under_a_reused_inode_number_remembers_nothing_of_the_earlier_one() {
        let media = Media::default();
        media.born(KEY, 1);
        media.medium(KEY).written(0..10, 10);
        let later = FileKey { birth: KEY.birth + 1, ..KEY };
        assert!(!media.is_born(later));
        assert_eq!(media.medium(later).generations(0..10), [(0..10, 0)]);
    }

    #[test]
    fn the_first_origin_wins_and_born_files_have_none() {
        let media = Media::default();
        media.keep_origin(KEY, Path::new("a"));
        media.keep_origin(KEY, Path::new("b"));
        media.forget(KEY);
        assert_eq!(media.origin(KEY).as_deref(), Some(Path::new("a")));
        let new = FileKey { ino: 3, ..KEY };
        media.born(new, 1);
        media.keep_origin(new, Path::new("x.tmp"));
        assert_eq!(media.origin(new), None);
        assert!(media.is_born(new) && media.medium(new).is_born());
    }
}
