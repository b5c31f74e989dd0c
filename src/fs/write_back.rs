//! Pages that the kernel writes back from its cache.
//!
//! A page was filled with what errorfs served, damage included, and comes back whole when a program
//! has changed a byte of it through a mapping. Only what differs from what was served was written by
//! anybody: the rest must neither carry the damage into the backing file nor count as overwritten.

use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::data::read_fully;
use super::handles::OpenFile;
use super::{Answer, Filesystem, Writing};
use crate::errno::Errno;
use crate::op::Op;

impl Filesystem {
    /// Writes to the backing file what of the page was changed since it was served.
    pub(super) fn write_back(
        &self,
        open: &OpenFile,
        op: Op,
        page: &[u8],
        how: Writing,
    ) -> Answer<usize> {
        let Some((armed, view)) = self.view_with_medium(&open.node) else {
            return self.write_stored(open, op, page, how);
        };
        let mut served = self.read_for_page(open, op.offset, page.len())?;
        let range = op.offset..op.offset + served.len() as u64;
        let damage = armed.damage(range, &view.target());
        damage.regions.iter().for_each(|region| region.fill(&mut served, op.offset));
        for flip in damage.flips {
            served[(flip.byte - op.offset) as usize] ^= 1 << flip.bit;
        }
        let changed = changed(&served, page);
        if changed.is_empty() {
            touch(&open.file)?;
        }
        for changed in changed {
            let offset = op.offset + changed.start as u64;
            let part = Op { offset, len: changed.len() as u64, ..op };
            self.write_all(open, part, &page[changed], how)?;
        }
        Ok(page.len())
    }

    /// The kernel writes back through any descriptor that may write, whether or not it may read.
    fn read_for_page(&self, open: &OpenFile, offset: u64, len: usize) -> Answer<Vec<u8>> {
        match read_fully(&open.file, offset, len) {
            Err(Errno::EBADF) => read_fully(&self.reopen(&open.node, OFlags::RDONLY)?, offset, len),
            read => read,
        }
    }

    fn write_all(&self, open: &OpenFile, op: Op, data: &[u8], how: Writing) -> Answer<()> {
        let mut done = 0;
        while done < data.len() {
            let offset = op.offset + done as u64;
            let rest = Op { offset, len: (data.len() - done) as u64, ..op };
            done += self.write_stored(open, rest, &data[done..], how)?;
        }
        Ok(())
    }
}

/// Writing to a mapping moves the time of the last change also where it changes nothing.
fn touch(file: &OwnedFd) -> Answer<()> {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// The runs of bytes of a page that are not as they were; all that lies beyond what there was.
fn changed(before: &[u8], page: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let differs = |(at, byte): &(usize, &u8)| before.get(*at) != Some(*byte);
    for (at, _) in page.iter().enumerate().filter(differs) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_and_what_is_new_has_changed() {
        assert_eq!(changed(b"abcdef", b"abXXeY"), [2..4, 5..6]);
        assert_eq!(changed(b"ab", b"abcd"), vec![2..4]);
        assert!(changed(b"abcd", b"ab").is_empty());
    }
}
