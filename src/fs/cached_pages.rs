//! What pages in the kernel's cache hold, where neither the stored bytes nor the plan tell it.
//!
//! A page that a program has mapped stays as it was filled: with damage that was one access's, or
//! without damage that came later; and when the kernel has written it back, it is as it was written.
//! Only against what it held can be told which of its bytes a program has changed since.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::locked;
use crate::media::FileKey;

/// The least that the kernel caches.
pub(super) const PAGE: u64 = 4096;

/// The pages of one file, by their first byte.
type Pages = BTreeMap<u64, Vec<u8>>;

/// The pages of which something must be kept: a few, of files that are mapped under such a plan.
#[derive(Debug, Default)]
pub(super) struct CachedPages {
    files: Mutex<HashMap<FileKey, Pages>>,
    /// Spares everyone the lock while there is none.
    kept: AtomicUsize,
}

impl CachedPages {
    /// Whether nothing is kept of any file.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.load(Ordering::Acquire) == 0
    }

    /// A page holds these bytes from now on, which nothing else tells.
    pub(super) fn keep(&self, file: FileKey, start: u64, bytes: &[u8]) {
        let mut files = locked(&self.files);
        files.entry(file).or_default().insert(start, bytes.to_vec());
        self.kept.store(files.len(), Ordering::Release);
    }

    /// The same of all pages of what was read or written at `start`.
    pub(super) fn keep_all(&self, file: FileKey, start: u64, bytes: &[u8]) {
        let starts = (start..).step_by(PAGE as usize);
        for (start, page) in starts.zip(bytes.chunks(PAGE as usize)) {
            self.keep(file, start, page);
        }
    }

    /// A page holds what it should.
    pub(super) fn drop(&self, file: FileKey, start: u64) {
        self.update(file, |pages| drop(pages.remove(&start)));
    }

    /// The kernel forgot the file, and its pages with it.
    pub(super) fn forget(&self, file: FileKey) {
        self.update(file, Pages::clear);
    }

    /// The kept pages that begin in a range, with their first bytes.
    pub(super) fn held(&self, file: FileKey, range: Range<u64>) -> Vec<(u64, Vec<u8>)> {
        if self.is_empty() {
            return Vec::new();
        }
        let files = locked(&self.files);
        let pages = files.get(&file).map(|pages| pages.range(range));
        pages.into_iter().flatten().map(|(start, bytes)| (*start, bytes.clone())).collect()
    }

    fn update(&self, file: FileKey, change: impl FnOnce(&mut Pages)) {
        if self.is_empty() {
            return;
        }
        let mut files = locked(&self.files);
        if let Some(pages) = files.get_mut(&file) {
            change(pages);
            if pages.is_empty() {
                files.remove(&file);
            }
        }
        self.kept.store(files.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_held_until_it_is_dropped_or_the_file_forgotten() {
        let pages = CachedPages::default();
        let file = |ino| FileKey { dev: 1, ino, birth: 0 };
        for start in [0, PAGE, 3 * PAGE] {
            pages.keep(file(1), start, b"x");
        }
        pages.keep(file(2), 0, b"y");
        let starts = |ino, range| -> Vec<u64> {
            pages.held(file(ino), range).into_iter().map(|(start, _)| start).collect()
        };
        assert_eq!(starts(1, 0..2 * PAGE), [0, PAGE]);
        pages.drop(file(1), PAGE);
        pages.drop(file(1), 2 * PAGE);
        assert_eq!(starts(1, 0..u64::MAX), [0, 3 * PAGE]);
        pages.forget(file(1));
        assert_eq!((starts(1, 0..u64::MAX), starts(2, 0..9)), (vec![], vec![0]));
        pages.forget(file(2));
        assert!(pages.is_empty());
    }
}
