//! Changes of names that are not on the medium yet, in their order, with what undoes each.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use crate::fs::stat::stat_fd;
use crate::fs::{Filesystem, Node};
use crate::media::FileKey;
use crate::op::OpKind;

/// More are not remembered: the first of them are on the medium then, as a journal is written now and
/// then.
const CHANGES_MAX: usize = 100_000;

/// Files without a name that are kept open at most.
const KEPT_MAX: usize = 512;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) directory: FileKey,
    pub(super) name: OsString,
}

/// A file that has lost a name: it stays as long as it is open.
pub(in crate::fs) type Kept = (FileKey, OwnedFd);

/// One change.
#[derive(Debug)]
pub(super) enum Change {
    /// A file has got a name.
    Made { at: Spot, file: FileKey, op: OpKind },
    /// A file has lost a name.
    Gone { at: Spot, kept: Kept, op: OpKind },
    /// A name has changed, and perhaps taken that of another file.
    Moved { from: Spot, to: Spot, file: FileKey, replaced: Option<Kept> },
}

/// All that are not on the medium, the first one first.
#[derive(Debug, Default)]
pub(super) struct Changes {
    all: Vec<Change>,
    /// How many of them keep a file open.
    keeping: usize,
}

impl Change {
    /// The directory that makes it last when it is synced.
    fn rests_on(&self) -> FileKey {
        match self {
            Change::Made { at, .. } | Change::Gone { at, .. } => at.directory,
            Change::Moved { to, .. } => to.directory,
        }
    }

    fn keeps(&self) -> bool {
        matches!(self, Change::Gone { .. } | Change::Moved { replaced: Some(_), .. })
    }
}

impl Changes {
    /// One more; gives those that are on the medium now.
    pub(super) fn push(&mut self, change: Change) -> Vec<Change> {
        self.keeping += usize::from(change.keeps());
        self.all.push(change);
        match self.all.len() > CHANGES_MAX || self.keeping > KEPT_MAX {
            true => self.without(|all| all.drain(..all.len() / 2).collect()),
            false => Vec::new(),
        }
    }

    /// Takes some out.
    fn without(&mut self, take: impl FnOnce(&mut Vec<Change>) -> Vec<Change>) -> Vec<Change> {
        let taken = take(&mut self.all);
        self.keeping -= taken.iter().filter(|change| change.keeps()).count();
        taken
    }

    /// All of them are on the medium.
    pub(super) fn commit_all(&mut self) -> Vec<Change> {
        self.without(std::mem::take)
    }

    /// Those of one directory are.
    pub(super) fn commit(&mut self, directory: FileKey) -> Vec<Change> {
        let rests = |change: &mut Change| change.rests_on() == directory;
        self.without(|all| all.extract_if(.., rests).collect())
    }
}

impl Filesystem {
    /// A file that is about to lose a name, kept for a cut.
    pub(in crate::fs) fn keep_victim(&self, directory: &OwnedFd, name: &OsStr) -> Option<Kept> {
        self.power.as_ref()?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(directory, name, flags, Mode::empty()).ok()?;
        Some((stat_fd(&file).ok()?.key, file))
    }

    /// A file has got a name.
    pub(in crate::fs) fn name_made(&self, at: (&Arc<Node>, &OsStr), file: FileKey, op: OpKind) {
        if let Some(power) = &self.power {
            power.note(Change::Made { at: spot(at), file, op });
        }
    }

    /// A file has lost a name.
    pub(in crate::fs) fn name_gone(
        &self,
        at: (&Arc<Node>, &OsStr),
        kept: Option<Kept>,
        op: OpKind,
    ) {
        if let Some((power, kept)) = self.power.as_ref().zip(kept) {
            power.note(Change::Gone { at: spot(at), kept, op });
        }
    }

    /// A name has changed. Two that change places do so on the medium at once.
    pub(in crate::fs) fn name_moved(
        &self,
        from: (&Arc<Node>, &OsStr),
        to: (&Arc<Node>, &OsStr),
        moved: Option<Kept>,
        replaced: Option<Kept>,
    ) {
        if let Some((power, (file, _))) = self.power.as_ref().zip(moved) {
            let (from, to) = (spot(from), spot(to));
            power.note(Change::Moved { from, to, file, replaced });
        }
    }
}

fn spot((directory, name): (&Arc<Node>, &OsStr)) -> Spot {
    Spot { directory: directory.key, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ino: u64) -> FileKey {
        FileKey { dev: 1, ino, birth: 0 }
    }

    fn made(directory: u64, file: u64) -> Change {
        let at = Spot { directory: key(directory), name: file.to_string().into() };
        Change::Made { at, file: key(file), op: OpKind::Create }
    }

    fn gone(file: u64) -> Change {
        let at = Spot { directory: key(1), name: file.to_string().into() };
        let file: OwnedFd = std::fs::File::open("/").unwrap().into();
        Change::Gone { at, kept: (key(7), file), op: OpKind::Unlink }
    }

    #[test]
    fn a_directory_that_is_synced_makes_its_own_changes_last() {
        let mut changes = Changes::default();
        for (directory, file) in [(1, 10), (2, 11), (1, 12)] {
            assert!(changes.push(made(directory, file)).is_empty());
        }
        let from = Spot { directory: key(1), name: "10".into() };
        let to = Spot { directory: key(2), name: "x".into() };
        changes.push(Change::Moved { from, to, file: key(10), replaced: None });
        assert_eq!(changes.commit(key(1)).len(), 2);
        assert_eq!(changes.commit(key(2)).len(), 2, "a rename rests on where it leads");
        assert!(changes.commit_all().is_empty());
    }

    /// "What the medium holds where files have been written counts against `--keep-max`: what does not fit
    /// is taken to be written back, as a kernel writes back when it needs memory; so are the first of
    /// more than 100,000 changes of names, or of more than 512 removed files."
    #[test]
    fn not_too_many_changes_are_remembered_nor_files_kept_open() {
        let mut changes = Changes::default();
        let last: usize = (0..250_000).map(|file| changes.push(made(1, file)).len()).sum();
        let left = changes.commit_all().len();
        assert!((50_000..=CHANGES_MAX).contains(&left) && last + left == 250_000, "{left}");
        let mut changes = Changes::default();
        let last: usize = (0..2_000).map(|file| changes.push(gone(file)).len()).sum();
        let left = changes.commit_all().len();
        assert!(left <= KEPT_MAX && last + left == 2_000, "{left}");
    }
}
