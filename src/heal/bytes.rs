//! Bytes that a fault replaced: given back where they are still what the fault made them.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{OFlags, fstat, ftruncate, futimens};

use super::{HealError, Healing, path, refused};
use crate::errno::Errno;
use crate::fs::{identify, read_fully, times, write_fully};
use crate::media::FileKey;
use crate::state::{Frame, Record};

/// What was replaced in one file.
struct Replaced {
    at: u64,
    good: Vec<u8>,
    bad: Vec<u8>,
    sizes: (u64, u64),
    /// The bytes that no program has written since.
    ours: Vec<Range<u64>>,
}

impl Healing<'_> {
    pub(super) fn bytes(&mut self, record: &Record, frame: &Frame) -> Result<(), HealError> {
        let Record::Bytes { file, path: known, at, len, sizes } = record else { return Ok(()) };
        let known = path(known);
        let failed = |source| HealError::Journal { state: self.state.path().into(), source };
        let mut good = self.state.journal.payload(frame).map_err(failed)?;
        let bad = good.split_off((*len as usize).min(good.len()));
        let whole = *at..match sizes.0 == sizes.1 {
            true => at + (good.len().max(bad.len())) as u64,
            false => u64::MAX,
        };
        let ours = match self.overwritten.get(file) {
            Some(theirs) => theirs.gaps(&whole),
            None => vec![whole],
        };
        let replaced = Replaced { at: *at, good, bad, sizes: *sizes, ours };
        let Some((path, open)) = self.file(*file, known)? else { return Ok(()) };
        let given = replaced.give_back(&open, self.dry).map_err(|errno| refused(path, errno))?;
        self.report.bytes += given;
        Ok(())
    }

    /// The file, if it is still there: a file that is gone takes its damage with it.
    fn file(
        &mut self,
        file: FileKey,
        known: PathBuf,
    ) -> Result<Option<(PathBuf, OwnedFd)>, HealError> {
        let copied = self.copies.iter().any(|copy| known.starts_with(copy));
        let path = match self.path_of(file)? {
            Some(path) => path,
            None if copied => known,
            None => return Ok(None),
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match self.tree.open(&path, flags) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(refused(path, errno)),
            Ok(open) if copied || self.is_same(identify(&open), file) => Ok(Some((path, open))),
            Ok(_) => Ok(None),
        }
    }
}

impl Healing<'_> {
    fn is_same(&self, found: Option<FileKey>, file: FileKey) -> bool {
        found.is_some() && (found == Some(file) || found.as_ref() == self.renewed.get(&file))
    }
}

impl Replaced {
    /// Gives back what is ours. The times of the file stay what programs made them.
    fn give_back(&self, file: &OwnedFd, dry: bool) -> Result<u64, Errno> {
        let before = crate::fs::attributes(file)?;
        let mut given = 0;
        for ours in &self.ours {
            given += self.give_back_in(file, ours, dry)?;
        }
        given += self.cut_again(file, dry)?;
        if given > 0 && !dry {
            futimens(file, &times(&before))?;
            rustix::fs::fsync(file)?;
        }
        Ok(given)
    }

    fn give_back_in(&self, file: &OwnedFd, ours: &Range<u64>, dry: bool) -> Result<u64, Errno> {
        let end = self.at + self.good.len() as u64;
        let range = ours.start.max(self.at)..ours.end.min(end);
        if range.is_empty() {
            return Ok(0);
        }
        let now = read_fully(file, range.start, (range.end - range.start) as usize)?;
        let place = |byte: u64| (byte - self.at) as usize;
        let mut given = 0;
        for run in self.damaged(&now, &range) {
            given += run.end - run.start;
            if !dry {
                write_fully(file, run.start, &self.good[place(run.start)..place(run.end)])?;
            }
        }
        Ok(given)
    }

    /// The runs of bytes that are what the fault made them: wrong, or not there, or, behind the end
    /// that it gave the file, a hole.
    fn damaged(&self, now: &[u8], range: &Range<u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for byte in range.clone() {
            let place = (byte - self.at) as usize;
            let is = now.get((byte - range.start) as usize).copied();
            let made = match self.bad.get(place) {
                Some(bad) => is == Some(*bad) && *bad != self.good[place],
                None => is.is_none() || (is == Some(0) && self.good[place] != 0),
            };
            match runs.last_mut() {
                _ if !made => {}
                Some(run) if run.end == byte => run.end += 1,
                _ => runs.push(byte..byte + 1),
            }
        }
        runs
    }

    /// A file that the fault made longer gets its end back, if nobody has written behind it.
    fn cut_again(&self, file: &OwnedFd, dry: bool) -> Result<u64, Errno> {
        let (before, after) = self.sizes;
        let untouched = self.ours.iter().any(|ours| ours.start <= before && ours.end == u64::MAX);
        let size = fstat(file)?.st_size as u64;
        if before >= after || size != after || !untouched {
            return Ok(0);
        }
        if !dry {
            ftruncate(file, before)?;
        }
        Ok(after - before)
    }
}
