//! Names that a power cut changed: given back where nobody has used them otherwise since.

use std::ffi::OsStr;
use std::path::Path;

use rustix::fs::OFlags;

use super::{HealError, Healing, path, refused};
use crate::errno::Errno;
use crate::media::FileKey;
use crate::state::Record;

impl Healing<'_> {
    pub(super) fn names(&mut self, record: &Record) -> Result<(), HealError> {
        self.paths = None;
        match record {
            Record::Taken { path: name, attic, file, copied, below } => {
                let path = path(name);
                if self.taken(&path, *attic, *file, *copied)? && *copied {
                    self.renew(&path, *file, below);
                }
                Ok(())
            }
            Record::Unlinked { path: name, file } => self.unlinked(&path(name), *file),
            Record::Made { path: name, file } => self.made(&path(name), *file),
            Record::Put { path: name, meanwhile } => {
                let unfinished = path(name).with_file_name(meanwhile);
                if self.dry || self.tree.key(&unfinished).is_none() {
                    return Ok(());
                }
                self.tree.remove(&unfinished).map_err(|errno| refused(unfinished, errno))
            }
            Record::Moved { from, to, file } => self.moved(&path(from), &path(to), *file),
            _ => Ok(()),
        }
    }

    /// What is in the attic gets its name again; whether it has it.
    fn taken(
        &mut self,
        path: &Path,
        attic: u64,
        file: FileKey,
        copied: bool,
    ) -> Result<bool, HealError> {
        let (name, attic) = (attic.to_string(), &self.state.attic);
        if copied && !self.dry {
            let settled = self.tree.settle_copy(attic, &name, path);
            settled.map_err(|errno| refused(path.to_path_buf(), errno))?;
        }
        let there = crate::fs::is_there(attic, OsStr::new(&name));
        let stands = self.tree.key(path);
        if copied && (there || stands.is_some()) {
            self.copies.push(path.to_path_buf());
        }
        if !there {
            return Ok(stands.is_some());
        }
        match stands {
            None => self.give_back(path, &name, copied),
            // It was copied, and not taken away before errorfs was killed.
            Some(stands) if stands == file => Ok(true),
            Some(_) => {
                self.leave(path, &format!("another file has its name now; it is in attic/{name}"));
                Ok(false)
            }
        }
    }

    fn give_back(&mut self, path: &Path, name: &str, copied: bool) -> Result<bool, HealError> {
        let give = || self.tree.give_back(&self.state.attic, name, path, copied);
        match if self.dry { Ok(()) } else { give() } {
            Ok(()) => self.report.names += 1,
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                self.leave(path, &format!("its directory is gone; it is in attic/{name}"));
                return Ok(false);
            }
            Err(errno) => return Err(refused(path.to_path_buf(), errno)),
        }
        Ok(true)
    }

    /// What the journal says of the files that were copied is about the copies from now on.
    fn renew(&mut self, path: &Path, file: FileKey, below: &[(String, FileKey)]) {
        let inside = below.iter().map(|(rest, key)| (path.join(super::path(rest)), *key));
        let all: Vec<_> = std::iter::once((path.to_path_buf(), file)).chain(inside).collect();
        for (path, key) in all {
            if let Some(now) = self.tree.key(&path).filter(|now| *now != key) {
                self.renewed.insert(key, now);
            }
        }
    }

    /// A file gets another name again.
    fn unlinked(&mut self, path: &Path, file: FileKey) -> Result<(), HealError> {
        if self.stands(path, file) {
            return Ok(());
        }
        if self.tree.key(path).is_some() {
            self.leave(path, "another file has its name now");
            return Ok(());
        }
        let Some(other) = self.path_of(file)? else {
            self.leave(path, "the file is gone under its other names");
            return Ok(());
        };
        self.report.names += 1;
        if self.dry {
            return Ok(());
        }
        let open = self.tree.open(&other, OFlags::PATH | OFlags::NOFOLLOW);
        let linked = open.and_then(|open| self.tree.link(&open, path));
        linked.map_err(|errno| refused(path.to_path_buf(), errno))
    }

    /// A file that had been removed, and that the cut gave back, goes again.
    fn made(&mut self, path: &Path, file: FileKey) -> Result<(), HealError> {
        if self.tree.key(path) != Some(file) {
            return Ok(());
        }
        if self.overwritten.get(&file).is_some_and(|theirs| !theirs.is_empty()) {
            self.leave(path, "a program has written to it since");
            return Ok(());
        }
        match if self.dry { Ok(()) } else { self.tree.remove(path) } {
            Ok(()) => self.report.names += 1,
            Err(Errno::ENOTEMPTY) => self.leave(path, "a program has put something into it since"),
            Err(errno) => return Err(refused(path.to_path_buf(), errno)),
        }
        Ok(())
    }

    fn moved(&mut self, from: &Path, to: &Path, file: FileKey) -> Result<(), HealError> {
        if !self.stands(to, file) {
            return Ok(());
        }
        if self.tree.key(from).is_some() {
            self.leave(from, "another file has its name now");
            return Ok(());
        }
        self.report.names += 1;
        let renamed = if self.dry { Ok(()) } else { self.tree.rename(to, from) };
        renamed.map_err(|errno| refused(from.to_path_buf(), errno))
    }

    fn leave(&mut self, path: &Path, why: &str) {
        self.report.left.push(format!("{}: {why}", path.display()));
    }
}
