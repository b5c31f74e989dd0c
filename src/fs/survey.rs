//! Which files a backing directory holds: read once, before arming, for rules that place a `count`.
//!
//! Walks descriptor by descriptor and never follows a symbolic link, so that nothing outside is
//! looked at. Opens no file, reads no data.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat};
use rustix::io::Errno;

use super::stat::{FileKind, stat_at};

use crate::media::{FileKey, Usage};
use crate::plan::Surveyed;

/// Levels above the present directory that stay open.
const LEVELS_OPEN_MAX: usize = 64;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Every regular file once, under the first of its names; sorted by path bytes.
    pub files: Vec<Surveyed>,
    /// Which file each of them is.
    pub keys: Vec<FileKey>,
    /// The path in `files` of every file that has more than one name.
    pub links: HashMap<FileKey, PathBuf>,
    /// How many files of all kinds there are, the directory itself included.
    pub inodes: u64,
}

impl Survey {
    /// The file that was found under a path.
    pub fn key(&self, path: &Path) -> Option<FileKey> {
        let order = |file: &Surveyed| file.path.as_os_str().cmp(path.as_os_str());
        let number = self.files.binary_search_by(order).ok()?;
        self.keys.get(number).copied()
    }

    /// What all of it takes.
    pub fn usage(&self) -> Usage {
        Usage::new(self.files.iter().map(|file| file.len), self.inodes)
    }
}

/// The directory could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{}` in the backing directory", path.display())]
pub struct SurveyError {
    /// Relative to the directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: Errno,
}

/// Under which path a file or directory is known, of which the present one is given.
type Known<'a> = &'a dyn Fn(FileKey, &Path) -> Option<Arc<Path>>;

/// Reads the directory tree. What vanishes meanwhile is left out.
pub fn survey(root: BorrowedFd<'_>) -> Result<Survey, SurveyError> {
    survey_known(root, &|_, _| None)
}

/// The same, with each file under the path by which it or what it lies in is known.
pub(super) fn survey_known(root: BorrowedFd<'_>, known: Known<'_>) -> Result<Survey, SurveyError> {
    let failed = |source| SurveyError { path: PathBuf::from("."), source };
    // Opened anew: a root that is open as O_PATH names a place and cannot be read.
    let root = open_directory(root, c".").map_err(failed)?;
    let Walk { mut found, others, .. } = Walk::over(root, known)?;
    found.sort_by(|a, b| a.0.path.as_os_str().cmp(b.0.path.as_os_str()));
    let survey = once_each(found);
    Ok(Survey { inodes: survey.files.len() as u64 + others, ..survey })
}

/// A file, which one it is, and whether it has more than one name.
type Found = (Surveyed, FileKey, bool);

/// Keeps the first name of every file.
fn once_each(found: Vec<Found>) -> Survey {
    let mut survey = Survey::default();
    for (file, key, linked) in found {
        if linked {
            if survey.links.contains_key(&key) {
                continue;
            }
            survey.links.insert(key, file.path.clone());
        }
        survey.files.push(file);
        survey.keys.push(key);
    }
    survey
}

/// A directory that is being walked.
struct Level {
    /// By which path it is known.
    known: PathBuf,
    /// Closed while the walk is far below it.
    directory: Option<OwnedFd>,
    key: FileKey,
    /// Names of directories in it that are still to be walked.
    waiting: Vec<OsString>,
}

/// A walk with a stack of its own: trees may be deeper than ours is, and than paths may be long.
struct Walk<'a> {
    known: Known<'a>,
    levels: Vec<Level>,
    path: PathBuf,
    found: Vec<Found>,
    /// How many files of other kinds than regular ones, each as often as it has names.
    others: u64,
}

impl<'a> Walk<'a> {
    fn over(root: OwnedFd, known: Known<'a>) -> Result<Walk<'a>, SurveyError> {
        let (levels, path, found) = (Vec::new(), PathBuf::new(), Vec::new());
        let mut walk = Walk { known, levels, path, found, others: 1 };
        walk.enter(root)?;
        while let Some(level) = walk.levels.last_mut() {
            match level.waiting.pop() {
                Some(name) => walk.descend(&name)?,
                None => walk.leave(),
            }
        }
        Ok(walk)
    }

    fn failed(&self, source: Errno) -> SurveyError {
        SurveyError { path: self.path.clone(), source }
    }

    /// Notes the files of a directory, and which directories are in it.
    fn enter(&mut self, directory: OwnedFd) -> Result<(), SurveyError> {
        let key = stat_at(&directory, c"", AtFlags::EMPTY_PATH).map_err(|e| self.failed(e))?.key;
        let known = self.known_as(key, self.path.file_name().unwrap_or_default());
        let mut waiting = Vec::new();
        for entry in Dir::read_from(&directory).map_err(|e| self.failed(e))? {
            let entry = entry.map_err(|e| self.failed(e))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." && self.visit(&directory, &known, name)? {
                waiting.push(name.to_owned());
            }
        }
        self.levels.push(Level { known, directory: Some(directory), key, waiting });
        if let Some(above) = self.levels.len().checked_sub(LEVELS_OPEN_MAX + 1) {
            self.levels[above].directory = None;
        }
        Ok(())
    }

    /// By which path the directory is known that is at the present one.
    fn known_as(&self, key: FileKey, name: &OsStr) -> PathBuf {
        let above = || self.levels.last().map_or(PathBuf::new(), |level| level.known.join(name));
        (self.known)(key, &self.path).map_or_else(above, |path| path.to_path_buf())
    }

    /// Notes a file; whether it is a directory.
    fn visit(
        &mut self,
        directory: &OwnedFd,
        above: &Path,
        name: &OsStr,
    ) -> Result<bool, SurveyError> {
        let attr = match stat_at(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(attr) => attr,
            Err(Errno::NOENT) => return Ok(false),
            Err(source) => return Err(SurveyError { path: self.path.join(name), source }),
        };
        if attr.kind == FileKind::Regular {
            let FileKey { dev, ino, .. } = attr.key;
            let path = (self.known)(attr.key, &self.path.join(name));
            let path = path.map_or_else(|| above.join(name), |path| path.to_path_buf());
            let file = Surveyed { path, len: attr.size, dev, ino };
            self.found.push((file, attr.key, attr.nlink > 1));
        } else {
            self.others += 1;
        }
        Ok(attr.kind == FileKind::Directory)
    }

    fn descend(&mut self, name: &OsStr) -> Result<(), SurveyError> {
        let above = self.levels.last().and_then(|level| level.directory.as_ref());
        let opened = above.map_or(Err(Errno::NOENT), |above| open_directory(above, name));
        self.path.push(name);
        match opened {
            Ok(directory) => return self.enter(directory),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.path.pop(),
            Err(source) => return Err(self.failed(source)),
        };
        Ok(())
    }

    /// Back to the directory above, opened again if the walk was far below it. One that was moved
    /// meanwhile is left out from there on.
    fn leave(&mut self) {
        let below = self.levels.pop().and_then(|level| level.directory);
        self.path.pop();
        if let (Some(level), Some(below)) = (self.levels.last_mut(), below)
            && level.directory.is_none()
        {
            let above = open_directory(&below, c"..").ok();
            let same = |above: &OwnedFd| {
                stat_at(above, c"", AtFlags::EMPTY_PATH).is_ok_and(|attr| attr.key == level.key)
            };
            level.directory = above.filter(same);
        }
    }
}

fn open_directory(dir: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn survey_of(dir: &Path) -> Survey {
        survey(fs::File::open(dir).unwrap().as_fd()).unwrap()
    }

    #[test]
    fn files_come_sorted_by_bytes_with_their_lengths() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for (name, len) in [("a/z", 3), ("a.b", 1), ("b", 2)] {
            fs::write(dir.path().join(name), vec![0; len]).unwrap();
        }
        fs::write(dir.path().join(OsStr::from_bytes(b"\xff")), b"four").unwrap();
        let files = survey_of(dir.path()).files;
        let found: Vec<_> = files.iter().map(|f| (f.path.as_os_str().as_bytes(), f.len)).collect();
        assert_eq!(found, [(&b"a.b"[..], 1), (b"a/z", 3), (b"b", 2), (b"\xff", 4)]);
    }

    #[test]
    fn symbolic_links_are_never_followed() {
        let [dir, outside] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        fs::write(outside.path().join("secret"), b"x").unwrap();
        symlink(outside.path(), dir.path().join("d")).unwrap();
        symlink(outside.path().join("secret"), dir.path().join("f")).unwrap();
        assert_eq!(survey_of(dir.path()), Survey { inodes: 3, ..Survey::default() });
    }

    #[test]
    fn a_file_of_several_names_is_there_once_under_the_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("m"), b"x").unwrap();
        for name in ["z", "c"] {
            fs::hard_link(dir.path().join("m"), dir.path().join(name)).unwrap();
        }
        let survey = survey_of(dir.path());
        assert_eq!(survey.files.len(), 1);
        assert_eq!(survey.files[0].path, Path::new("c"));
        assert!(survey.links.values().eq([Path::new("c")]));
    }
}
