//! A backing directory as a place of real changes, by path: for damage to names and what undoes it.
//!
//! Paths are resolved below the root and never through a symbolic link. No change shows in the time
//! of the last change of a directory: that stays what the programs made it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, futimens, linkat,
    openat2, renameat, renameat_with, unlinkat,
};

use super::copying::copy;
use super::locate::proc_path;
use super::stat::{Attr, FileKind, Time, stat_fd, stat_name};
use super::{Answer, kind};
use crate::errno::Errno;
use crate::media::FileKey;

/// A directory tree.
#[derive(Debug)]
pub struct Tree<'a> {
    root: &'a OwnedFd,
}

impl<'a> Tree<'a> {
    /// The tree below an open directory.
    pub fn below(root: &'a OwnedFd) -> Answer<Tree<'a>> {
        kind::settle_identity(root)?;
        Ok(Tree { root })
    }

    /// Opens what stands under a name.
    pub fn open(&self, path: &Path, flags: OFlags) -> Answer<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(openat2(self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
    }

    /// The directory of a name, and the last part of the name.
    pub fn parent<'p>(&self, path: &'p Path) -> Answer<(OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.open(parent, OFlags::RDONLY | OFlags::DIRECTORY)?, name))
    }

    /// What stands under a name, if anything does; not what a symbolic link leads to.
    pub fn attr(&self, path: &Path) -> Option<Attr> {
        let (parent, name) = self.parent(path).ok()?;
        stat_name(&parent, name).ok()
    }

    /// Which file stands under a name.
    pub fn key(&self, path: &Path) -> Option<FileKey> {
        Some(self.attr(path)?.key)
    }

    /// Gives something another name, unless that is taken.
    pub fn rename(&self, from: &Path, to: &Path) -> Answer<()> {
        let ((from_dir, from), (to_dir, to)) = (self.parent(from)?, self.parent(to)?);
        keeping_times(&[&from_dir, &to_dir], || {
            Ok(renameat_with(&from_dir, from, &to_dir, to, RenameFlags::NOREPLACE)?)
        })
    }

    /// Takes away a name; a directory must be empty.
    pub fn remove(&self, path: &Path) -> Answer<()> {
        let directory = self.attr(path).ok_or(Errno::ENOENT)?.kind == FileKind::Directory;
        let (parent, name) = self.parent(path)?;
        let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        keeping_times(&[&parent], || Ok(unlinkat(&parent, name, flags)?))
    }

    /// Whether the attic is near enough that what is moved there stays the same file.
    pub fn moves_to(&self, attic: impl AsFd) -> bool {
        let mount = |fd: Answer<Attr>| fd.map(|attr| (attr.key.dev, attr.mount)).ok();
        mount(stat_fd(self.root)) == mount(stat_fd(attic))
    }

    /// Moves what stands under a name, with all that is below it, to `name` of another directory;
    /// `copied`: that is on another filesystem.
    pub fn take(&self, path: &Path, attic: &OwnedFd, name: &str, copied: bool) -> Answer<()> {
        let (parent, last) = self.parent(path)?;
        if !copied {
            return keeping_times(&[&parent], || {
                Ok(renameat_with(&parent, last, attic, name, RenameFlags::NOREPLACE)?)
            });
        }
        whole_copy((&parent, last), (attic, OsStr::new(name)))?;
        // Under its own name it is there as a whole, or not at all.
        let meanwhile = meanwhile(last);
        keeping_times(&[&parent], || {
            renameat(&parent, last, &parent, &meanwhile)?;
            remove_all(&parent, &meanwhile)
        })
    }

    /// The opposite: what the attic has is under its name again.
    pub fn give_back(&self, attic: &OwnedFd, name: &str, path: &Path, copied: bool) -> Answer<()> {
        let (parent, last) = self.parent(path)?;
        if !copied {
            return keeping_times(&[&parent], || {
                Ok(renameat_with(attic, name, &parent, last, RenameFlags::NOREPLACE)?)
            });
        }
        let (meanwhile, given) = (meanwhile(last), given(name));
        keeping_times(&[&parent], || {
            let _ = remove_all(&parent, &meanwhile); // of a copy that was never finished
            copy((attic, OsStr::new(name)), (&parent, &meanwhile))?;
            renameat(attic, name, attic, &given)?;
            renameat_with(&parent, &meanwhile, &parent, last, RenameFlags::NOREPLACE)?;
            remove_all(attic, &given)
        })
    }

    /// Brings to its end the giving back of a copy that was cut short.
    pub fn settle_copy(&self, attic: &OwnedFd, name: &str, path: &Path) -> Answer<()> {
        let given = given(name);
        match stat_name(attic, &given).is_ok() {
            true if self.key(path).is_some() => remove_all(attic, &given),
            true => Ok(renameat(attic, &given, attic, name)?),
            false => Ok(()),
        }
    }

    /// Where every directory is, the root included.
    pub(super) fn directories(&self) -> Answer<HashMap<FileKey, PathBuf>> {
        let mut found = HashMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(path) = waiting.pop() {
            let directory = self.open(&path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            for name in super::copying::names(&directory)? {
                let below = stat_name(&directory, &name);
                if below.is_ok_and(|attr| attr.kind == FileKind::Directory) {
                    waiting.push(path.join(name));
                }
            }
            found.insert(stat_fd(&directory)?.key, path);
        }
        Ok(found)
    }

    /// Which files are below a name, by the rest of their paths.
    pub(super) fn keys_below(&self, path: &Path) -> Answer<Vec<(PathBuf, FileKey)>> {
        let mut found = Vec::new();
        let directory = self.attr(path).is_some_and(|attr| attr.kind == FileKind::Directory);
        let mut waiting: Vec<PathBuf> = directory.then(PathBuf::new).into_iter().collect();
        while let Some(rest) = waiting.pop() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let directory = self.open(&path.join(&rest), flags)?;
            for name in super::copying::names(&directory)? {
                let attr = stat_name(&directory, &name)?;
                let rest = rest.join(name);
                if attr.kind == FileKind::Directory {
                    waiting.push(rest.clone());
                }
                found.push((rest, attr.key));
            }
        }
        Ok(found)
    }

    /// Another name for an open file that has one.
    pub fn link(&self, file: &OwnedFd, path: &Path) -> Answer<()> {
        let (parent, name) = self.parent(path)?;
        keeping_times(&[&parent], || {
            Ok(linkat(CWD, proc_path(file), &parent, name, AtFlags::SYMLINK_FOLLOW)?)
        })
    }
}

/// Makes changes in directories that do not show in their times.
pub(super) fn keeping_times<T>(
    directories: &[&OwnedFd],
    change: impl FnOnce() -> Answer<T>,
) -> Answer<T> {
    let before: Vec<_> = directories.iter().map(stat_fd).collect::<Answer<_>>()?;
    let changed = change();
    for (directory, attr) in directories.iter().zip(before) {
        let _ = futimens(directory, &times(&attr)); // who may not keep them changes them
    }
    changed
}

/// The times of a file, to be set again.
pub fn times(attr: &Attr) -> Timestamps {
    let time = |(tv_sec, nanos): Time| Timespec { tv_sec, tv_nsec: nanos.into() };
    Timestamps { last_access: time(attr.atime), last_modification: time(attr.mtime) }
}

/// A copy that is there as a whole or not at all.
fn whole_copy(from: (&OwnedFd, &OsStr), to: (&OwnedFd, &OsStr)) -> Answer<()> {
    let meanwhile = meanwhile(to.1);
    let _ = remove_all(to.0, &meanwhile); // of a copy that was never finished
    copy(from, (to.0, &meanwhile))?;
    Ok(renameat_with(to.0, &meanwhile, to.0, to.1, RenameFlags::NOREPLACE)?)
}

/// The name that a copy in the attic has when there is another one in its place.
fn given(name: &str) -> OsString {
    OsString::from(format!("{name}.given"))
}

/// The name that something has until it is complete.
pub(super) fn meanwhile(name: &OsStr) -> OsString {
    let hash = blake3::hash(name.as_encoded_bytes()).to_hex();
    OsString::from(format!(".errorfs-{}", &hash[..16]))
}

/// Removes a file, or a directory with all that is in it.
pub(super) fn remove_all(directory: &OwnedFd, name: &OsStr) -> Answer<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
        done => return Ok(done?),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    for name in super::copying::names(&inside)? {
        remove_all(&inside, &name)?;
    }
    Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
}

/// Which file is open.
pub fn identify(file: impl AsFd) -> Option<FileKey> {
    Some(stat_fd(file).ok()?.key)
}

/// The attributes of an open file.
pub fn attributes(file: impl AsFd) -> Answer<Attr> {
    stat_fd(file)
}

/// Whether a directory holds something of that name.
pub fn is_there(directory: impl AsFd, name: &OsStr) -> bool {
    stat_name(directory, name).is_ok()
}
