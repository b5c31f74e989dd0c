//! The bytes of files at a cut: what the medium had not got is taken back.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, ftruncate, futimens};

use super::cut::Cutting;
use crate::fs::copying::write_fully;
use crate::fs::data::read_fully;
use crate::fs::stat::stat_fd;
use crate::fs::tree::times;
use crate::fs::{Answer, survey};
use crate::ledger::{LostBytes, bytes_or_hash};
use crate::media::{FileKey, Rolled, Volatile};
use crate::plan::Lost;
use crate::scenario::Rest;
use crate::state::Damaged;

/// Bytes of one record of the journal at most.
const CHUNK: u64 = 1 << 22;

/// Some bytes of a file, before and after.
struct Run {
    at: u64,
    good: Vec<u8>,
    bad: Vec<u8>,
    sizes: (u64, u64),
}

impl Cutting<'_> {
    /// All files that have changed and have a name, but those that are about to lose their only one.
    pub(super) fn lose_bytes(&mut self, doomed: &[(FileKey, PathBuf)]) -> Answer<()> {
        let found = survey(std::os::fd::AsFd::as_fd(&*self.fs.root));
        let found = found.map_err(|error| error.source)?.files;
        let paths: HashMap<(u64, u64), PathBuf> =
            found.into_iter().map(|file| ((file.dev, file.ino), file.path)).collect();
        let mut files: Vec<_> = self.files.iter().map(|(key, file)| (*key, file.clone())).collect();
        files.sort_by_key(|(key, _)| *key);
        for (key, volatile) in files {
            let Some(path) = paths.get(&(key.dev, key.ino)) else { continue };
            if !doomed.iter().any(|(file, at)| *file == key && at == path) {
                self.lose_bytes_of(key, &volatile, path)?;
            }
        }
        Ok(())
    }

    fn lose_bytes_of(&mut self, key: FileKey, volatile: &Volatile, path: &Path) -> Answer<()> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = self.tree.open(path, flags)?;
        let attr = stat_fd(&file)?;
        if attr.key != key {
            return Ok(());
        }
        let runs = self.runs(&file, volatile, path, attr.size)?;
        let damaged = runs.iter().map(|run| Damaged {
            file: key,
            path,
            at: run.at,
            good: &run.good,
            bad: &run.bad,
            sizes: run.sizes,
        });
        self.state.journal.damage(damaged)?;
        runs.iter().try_for_each(|run| run.make(&file))?;
        futimens(&file, &times(&attr))?;
        self.tell_lost(path, &attr, &runs);
        Ok(())
    }

    /// What becomes of a file that has been removed, of which `copy` is a copy: there is nothing to be
    /// undone, as the copy itself goes.
    pub(super) fn lose_bytes_of_copy(
        &self,
        key: FileKey,
        copy: &OwnedFd,
        path: &Path,
    ) -> Answer<()> {
        let Some(volatile) = self.files.get(&key) else { return Ok(()) };
        let attr = stat_fd(copy)?;
        let runs = self.runs(copy, volatile, path, attr.size)?;
        runs.iter().try_for_each(|run| run.make(copy))?;
        Ok(futimens(copy, &times(&attr))?)
    }

    /// What is to be done to a file of this length.
    fn runs(&self, file: &OwnedFd, volatile: &Volatile, path: &Path, len: u64) -> Answer<Vec<Run>> {
        let key = self.key(path);
        let short = self.rule.is_short(key, self.number);
        let rolled = volatile.roll_back(len, |page| self.rule.page(key, page, self.number), short);
        let mut runs = replaced(file, &rolled, len)?;
        runs.extend(cut_off(file, len, rolled.size)?);
        if rolled.size > len {
            runs.push(Run {
                at: len,
                good: Vec::new(),
                bad: old_bytes(&rolled, len, rolled.size),
                sizes: (len, rolled.size),
            });
        }
        Ok(runs)
    }

    fn tell_lost(&mut self, path: &Path, attr: &crate::fs::Attr, runs: &[Run]) {
        let line = |run: &Run| {
            let changed = run.good.iter().zip(&run.bad).filter(|(good, bad)| good != bad).count();
            let beyond = run.good.len().abs_diff(run.bad.len());
            let lost = Lost {
                rule: self.id,
                occurrence: u64::from(self.number),
                bytes: run.at..run.at,
                rest: Rest::Old,
                keep: None,
                lands: None,
            };
            LostBytes {
                from: None,
                to: None,
                bytes: (run.at, run.good.len().max(run.bad.len()) as u64),
                keep: None,
                changed: Some((changed + beyond) as u64),
                before: Some(bytes_or_hash(&run.good)),
                after: Some(bytes_or_hash(&run.bad)),
                id: self.armed.loss_id(&lost, run.at, path).to_string(),
            }
        };
        const LOST_MAX: usize = 16;
        for some in runs.chunks(LOST_MAX) {
            let lost = some.iter().map(line).collect();
            let event = self.event(path);
            self.events.push(crate::ledger::Event { lost, ino: attr.key.ino, ..event });
        }
    }
}

impl Run {
    fn make(&self, file: &OwnedFd) -> Answer<()> {
        if self.sizes.1 < self.sizes.0 {
            ftruncate(file, self.sizes.1)?;
        }
        write_fully(file, self.at, &self.bad)
    }
}

/// The stretches inside of the file that become old, as far as that changes them.
fn replaced(file: &OwnedFd, rolled: &Rolled, len: u64) -> Answer<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for piece in &rolled.old {
        let mut at = piece.bytes.start;
        while at < piece.bytes.end.min(len) {
            let end = piece.bytes.end.min(len).min(at + CHUNK);
            let good = read_fully(file, at, (end - at) as usize)?;
            let bad = old_bytes(rolled, at, end);
            match runs.last_mut() {
                _ if good == bad => {}
                Some(run)
                    if run.at + run.good.len() as u64 == at && run.good.len() < CHUNK as usize =>
                {
                    run.good.extend(good);
                    run.bad.extend(bad);
                }
                _ => runs.push(Run { at, good, bad, sizes: (len, len) }),
            }
            at = end;
        }
    }
    Ok(runs)
}

/// A file that gets shorter, from its end on.
fn cut_off(file: &OwnedFd, len: u64, size: u64) -> Answer<Vec<Run>> {
    let mut runs = Vec::new();
    let mut end = len;
    while end > size {
        let at = size.max(end.saturating_sub(CHUNK));
        let good = read_fully(file, at, (end - at) as usize)?;
        runs.push(Run { at, good, bad: Vec::new(), sizes: (end, at) });
        end = at;
    }
    Ok(runs)
}

/// The old bytes of a range all of which are old.
fn old_bytes(rolled: &Rolled, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = vec![0; (end - start) as usize];
    for piece in rolled.old.iter().filter_map(|piece| piece.within(&(start..end))) {
        piece.copy_to(&mut bytes, start);
    }
    bytes
}
