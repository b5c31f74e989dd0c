//! Pages that the kernel writes back from its cache.
//!
//! A page was filled with what errorfs served, damage included, and comes back whole when a program
//! has changed a byte of it through a mapping. Only what differs from what was served was written by
//! anybody: the rest must neither carry the damage into the backing file nor count as overwritten.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::cached_pages::PAGE;
use super::corruption::fill;
use super::data::read_fully;
use super::handles::OpenFile;
use super::losses::Losses;
use super::{Answer, Filesystem, Writing};
use crate::errno::Errno;
use crate::injector::Armed;
use crate::op::Op;

impl Filesystem {
    /// Writes to the backing file what of the page was changed since it was served.
    pub(super) fn write_back(
        &self,
        open: &OpenFile,
        op: Op,
        page: &[u8],
        how: Writing,
        losses: &mut Losses,
    ) -> Answer<usize> {
        let range = op.offset..op.offset + page.len() as u64;
        let mut held = self.cached_pages.held(open.node.key, range.clone());
        let change = self.changing.get();
        let filled_under = match &change {
            Some(change) => {
                held.extend(change.refilled.held(open.node.key, range));
                change.outgoing.clone()
            }
            None => self.injector.current(),
        };
        let damaged = |armed: &Arc<Armed>| self.view(&open.node, armed).medium.is_some();
        let remembered = || self.view_with_medium(&open.node).is_some();
        if held.is_empty() && !filled_under.as_ref().is_some_and(damaged) && !remembered() {
            return self.write_stored(open, op, page, how, losses);
        }
        let mut served = self.stored_for_cache(filled_under, open, op.offset, page.len())?;
        for (start, bytes) in held {
            overlay(&mut served, (start - op.offset) as usize, &bytes);
        }
        let changed = changed(&served, page);
        if changed.is_empty() {
            touch(&open.file)?;
        }
        for changed in changed {
            let offset = op.offset + changed.start as u64;
            let part = Op { offset, len: changed.len() as u64, ..op };
            self.write_all(open, part, &page[changed], how, losses)?;
        }
        // What was written may be damaged as stored: the page is as the program left it.
        self.pages_hold(open, op.offset, page);
        if let Some(change) = change {
            change.refilled.keep_all(open.node.key, op.offset, page);
        }
        Ok(page.len())
    }

    /// The kernel fills pages of its cache with what a read got.
    pub(super) fn pages_filled(&self, open: &OpenFile, offset: u64, got: &Answer<Vec<u8>>) {
        let fleeting = || {
            let armed = self.injector.current();
            armed.is_some_and(|armed| self.view(&open.node, &armed).selection.fleeting)
        };
        if let (Ok(data), Some(change)) = (got, self.changing.get()) {
            change.refilled.keep_all(open.node.key, offset, data);
        }
        if let Ok(data) = got
            && (!self.cached_pages.is_empty() || fleeting())
        {
            self.pages_hold(open, offset, data);
        }
    }

    /// Keeps those pages that hold something else than their stored damage makes of them.
    fn pages_hold(&self, open: &OpenFile, offset: u64, data: &[u8]) {
        let armed = self.injector.current();
        let told = self.stored_for_cache(armed, open, offset, data.len()).unwrap_or_default();
        let starts = (offset..).step_by(PAGE as usize);
        for (start, page) in starts.zip(data.chunks(PAGE as usize)) {
            let place = (start - offset) as usize;
            match told.get(place..place + page.len()) == Some(page) {
                true => self.cached_pages.drop(open.node.key, start),
                false => self.cached_pages.keep(open.node.key, start, page),
            }
        }
    }

    /// The stored bytes with their damage, as a page of the cache has them as a rule that was filled
    /// under this plan.
    fn stored_for_cache(
        &self,
        armed: Option<Arc<Armed>>,
        open: &OpenFile,
        offset: u64,
        len: usize,
    ) -> Answer<Vec<u8>> {
        let viewed = |armed: Arc<Armed>| Some((self.view(&open.node, &armed), armed));
        let damaged = armed.and_then(viewed).filter(|(view, _)| view.medium.is_some());
        let Some((view, armed)) = damaged else {
            return self.read_for_page(open, offset, len);
        };
        let read = || self.read_for_page(open, offset, len);
        let (mut bytes, _) =
            self.read_medium(view.medium.as_deref(), Some(&armed), offset, read)?;
        let damage = armed.damage(offset..offset + bytes.len() as u64, &view.target());
        let medium = view.medium.as_deref();
        damage.regions.iter().for_each(|region| fill(region, medium, &mut bytes, offset));
        for flip in damage.flips {
            bytes[(flip.byte - offset) as usize] ^= 1 << flip.bit;
        }
        Ok(bytes)
    }

    /// The kernel writes back through any descriptor that may write, whether or not it may read.
    pub(super) fn read_for_page(
        &self,
        open: &OpenFile,
        offset: u64,
        len: usize,
    ) -> Answer<Vec<u8>> {
        match read_fully(&open.file, offset, len) {
            Err(Errno::EBADF) => read_fully(&self.reopen(&open.node, OFlags::RDONLY)?, offset, len),
            read => read,
        }
    }

    fn write_all(
        &self,
        open: &OpenFile,
        op: Op,
        data: &[u8],
        how: Writing,
        losses: &mut Losses,
    ) -> Answer<()> {
        let mut done = 0;
        while done < data.len() {
            let offset = op.offset + done as u64;
            let rest = Op { offset, len: (data.len() - done) as u64, ..op };
            done += self.write_stored(open, rest, &data[done..], how, losses)?;
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

/// Puts `bytes` at `start` of what there is.
fn overlay(served: &mut [u8], start: usize, bytes: &[u8]) {
    let rest = served.get_mut(start..).unwrap_or_default();
    let len = rest.len().min(bytes.len());
    rest[..len].copy_from_slice(&bytes[..len]);
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
