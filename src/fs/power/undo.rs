//! Names at a cut: changes that the medium had not got are taken back, the last one first.
//!
//! Each is taken back only if the name is still what the change made it: what lasts may have been
//! built upon it since.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, RenameFlags, renameat_with};

use super::changes::{Change, Kept, Spot};
use super::cut::Cutting;
use crate::errno::Errno;
use crate::fs::copying::make_like;
use crate::fs::events::written;
use crate::fs::stat::stat_fd;
use crate::fs::tree::{keeping_times, meanwhile, remove_all};
use crate::fs::{Answer, FileKind, locked};
use crate::ledger::Event;
use crate::media::FileKey;
use crate::state::Record;

/// Where directories are.
pub(super) type Directories = HashMap<FileKey, PathBuf>;

impl Cutting<'_> {
    /// Takes back changes of names.
    pub(super) fn lose_names(&mut self, changes: Vec<Change>) -> Answer<()> {
        for change in changes.into_iter().rev() {
            match change {
                Change::Made { at, file, op } => self.unmake(&at, file, op.name())?,
                Change::Gone { at, kept, op } => self.bring_back(&at, &kept, op.name())?,
                Change::Moved { from, to, file, replaced } => {
                    let moved = self.move_back(&from, &to, file)?;
                    if let (Some(kept), true) = (replaced, moved) {
                        self.bring_back(&to, &kept, "rename")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The files that [`Cutting::lose_names`] will take away, and from where.
    pub(super) fn doomed(&self, changes: &[Change]) -> Vec<(FileKey, PathBuf)> {
        let made = |change: &Change| match change {
            Change::Made { at, file, .. } => {
                let path = self.path(at)?;
                let attr = self.tree.attr(&path)?;
                (attr.key == *file && attr.nlink == 1).then_some((*file, path))
            }
            _ => None,
        };
        changes.iter().filter_map(made).collect()
    }

    fn path(&self, spot: &Spot) -> Option<PathBuf> {
        Some(self.directories.get(&spot.directory)?.join(&spot.name))
    }

    /// A name that is not there: what it stands for goes to the attic.
    fn unmake(&mut self, at: &Spot, file: FileKey, op: &str) -> Answer<()> {
        let Some(path) = self.path(at) else { return Ok(()) };
        let Some(attr) = self.tree.attr(&path).filter(|attr| attr.key == file) else {
            return Ok(());
        };
        self.tell_undone(&path, None, op);
        if attr.kind == FileKind::Regular && attr.nlink > 1 {
            self.intend(Record::Unlinked { path: written(&path), file })?;
            return self.tree.remove(&path);
        }
        let attic = self.state.journal.attic_name();
        let copied = !self.tree.moves_to(&self.state.attic);
        let below = if copied { self.tree.keys_below(&path)? } else { Vec::new() };
        let below = below.iter().map(|(path, key)| (written(path), *key)).collect();
        let record = Record::Taken { path: written(&path), attic, file, copied, below };
        self.intend(record)?;
        self.tree.take(&path, &self.state.attic, &attic.to_string(), copied)?;
        self.directories.retain(|_, directory| !directory.starts_with(&path));
        if let Some(power) = &self.fs.power {
            locked(&power.taken).insert(file);
        }
        Ok(())
    }

    /// A name that is still there: of the file that is left, or of one that is made again.
    fn bring_back(&mut self, at: &Spot, kept: &Kept, op: &str) -> Answer<()> {
        let Some(path) = self.path(at).filter(|path| self.tree.attr(path).is_none()) else {
            return Ok(());
        };
        let attr = stat_fd(&kept.1)?;
        match attr.nlink > 0 && attr.kind != FileKind::Directory {
            true => {
                self.intend(Record::Made { path: written(&path), file: kept.0 })?;
                self.tree.link(&kept.1, &path)?;
            }
            false => self.make_again(&path, kept)?,
        }
        self.tell_undone(&path, None, op);
        Ok(())
    }

    fn make_again(&mut self, path: &Path, kept: &Kept) -> Answer<()> {
        let (parent, name) = self.tree.parent(path)?;
        let meanwhile = meanwhile(name);
        let told = written(Path::new(&meanwhile));
        self.intend(Record::Put { path: written(path), meanwhile: told })?;
        keeping_times(&[&parent], || {
            let _ = remove_all(&parent, &meanwhile);
            make_like(&kept.1, (&parent, &meanwhile))?;
            self.complete((&parent, &meanwhile), path, kept)?;
            Ok(renameat_with(&parent, &meanwhile, &parent, name, RenameFlags::NOREPLACE)?)
        })?;
        let made = self.tree.key(path).ok_or(Errno::EIO)?;
        for directory in [kept.0, made] {
            self.directories.insert(directory, path.to_path_buf());
        }
        Ok(())
    }

    /// Of what the file was when it was removed the medium may not have had all.
    fn complete(
        &self,
        (parent, meanwhile): (&OwnedFd, &OsStr),
        path: &Path,
        kept: &Kept,
    ) -> Answer<()> {
        let at = |flags| {
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(parent, meanwhile, flags, rustix::fs::Mode::empty())
        };
        let made = stat_fd(at(OFlags::PATH)?)?;
        if made.kind == FileKind::Regular {
            self.lose_bytes_of_copy(kept.0, &at(OFlags::RDWR)?, path)?;
        }
        self.intend(Record::Made { path: written(path), file: made.key })
    }

    fn move_back(&mut self, from: &Spot, to: &Spot, file: FileKey) -> Answer<bool> {
        let Some((from, to)) = self.path(from).zip(self.path(to)) else { return Ok(false) };
        if self.tree.key(&to) != Some(file) || self.tree.attr(&from).is_some() {
            return Ok(false);
        }
        self.intend(Record::Moved { from: written(&to), to: written(&from), file })?;
        self.tree.rename(&to, &from)?;
        for directory in self.directories.values_mut() {
            if let Ok(below) = directory.strip_prefix(&to) {
                *directory =
                    if below.as_os_str().is_empty() { from.clone() } else { from.join(below) };
            }
        }
        self.tell_undone(&from, Some(&to), "rename");
        Ok(true)
    }

    fn intend(&self, record: Record) -> Answer<()> {
        Ok(self.state.journal.intend(&[(record, Vec::new())])?)
    }

    fn tell_undone(&mut self, path: &Path, to: Option<&Path>, op: &str) {
        let event = self.event(path);
        let (undone, to) = (Some(op.to_owned()), to.map(written));
        self.events.push(Event { undone, to, ..event });
    }
}
