//! Which files a backing directory holds: read once, before arming, for rules that place a `count`.
//!
//! Walks descriptor by descriptor and never follows a symbolic link, so that nothing outside is
//! looked at. Opens no file, reads no data.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use crate::media::FileKey;
use crate::plan::Surveyed;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Every regular file once, under the first of its names; sorted by path bytes.
    pub files: Vec<Surveyed>,
    /// The path in `files` of every file that has more than one name.
    pub links: HashMap<FileKey, PathBuf>,
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

/// Reads the directory tree. What vanishes meanwhile is left out.
pub fn survey(root: BorrowedFd<'_>) -> Result<Survey, SurveyError> {
    let mut found = Vec::new();
    let failed = |source| SurveyError { path: PathBuf::from("."), source };
    // Opened anew: a root that is open as O_PATH names a place and cannot be read.
    let root = open_directory(root, c".").map_err(failed)?;
    walk(root.as_fd(), Path::new(""), &mut found)?;
    found.sort_by(|a, b| a.0.path.as_os_str().cmp(b.0.path.as_os_str()));
    Ok(once_each(found))
}

/// A file, and whether it has more than one name.
type Found = (Surveyed, bool);

/// Keeps the first name of every file.
fn once_each(found: Vec<Found>) -> Survey {
    let mut survey = Survey::default();
    for (file, linked) in found {
        let key = FileKey { dev: file.dev, ino: file.ino };
        if linked {
            if survey.links.contains_key(&key) {
                continue;
            }
            survey.links.insert(key, file.path.clone());
        }
        survey.files.push(file);
    }
    survey
}

fn walk(dir: BorrowedFd<'_>, path: &Path, found: &mut Vec<Found>) -> Result<(), SurveyError> {
    let failed = |source| SurveyError { path: path.to_owned(), source };
    for entry in Dir::read_from(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        visit(dir, name, path, found)?;
    }
    Ok(())
}

fn visit(
    dir: BorrowedFd<'_>,
    name: &std::ffi::CStr,
    path: PathBuf,
    found: &mut Vec<Found>,
) -> Result<(), SurveyError> {
    let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(source) => return Err(SurveyError { path, source }),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => found.push((surveyed(path, &stat), stat.st_nlink > 1)),
        FileType::Directory => match open_directory(dir, name) {
            Ok(child) => walk(child.as_fd(), &path, found)?,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(source) => return Err(SurveyError { path, source }),
        },
        _ => {}
    }
    Ok(())
}

fn open_directory(dir: BorrowedFd<'_>, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

#[expect(clippy::unnecessary_cast, reason = "the types of a stat differ between architectures")]
fn surveyed(path: PathBuf, stat: &Stat) -> Surveyed {
    Surveyed { path, len: stat.st_size as u64, dev: stat.st_dev as u64, ino: stat.st_ino as u64 }
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
        assert_eq!(survey_of(dir.path()), Survey::default());
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
