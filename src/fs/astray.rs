//! Bytes that a read gets from another place of its file, and what the ledger says of them.

use super::Filesystem;
use super::handles::OpenFile;
use super::inject::Judged;
use crate::ledger::{Event, MisreadBytes, Outcome, bytes_or_hash};
use crate::plan::Misread;

/// Bytes of a read that came from another place.
#[derive(Debug)]
pub(super) struct Astray {
    misread: Misread,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Filesystem {
    /// Puts what the medium holds at other places where it was decided. What cannot be read there, or
    /// is no longer there, goes right.
    pub(super) fn misread(&self, judged: &Judged, open: &OpenFile, data: &mut [u8]) -> Vec<Astray> {
        let offset = judged.op.offset;
        let end = offset + data.len() as u64;
        let mut astray = Vec::new();
        for misread in &judged.decision.misread {
            let bytes = misread.bytes.start..misread.bytes.end.min(end);
            if bytes.is_empty() {
                continue;
            }
            let len = (bytes.end - bytes.start) as usize;
            let read = || self.read_stored(open, misread.from, len);
            let medium = judged.view.medium.as_deref();
            let Ok((after, _)) = self.read_medium(medium, Some(&judged.armed), misread.from, read)
            else {
                continue;
            };
            if after.len() == len {
                let place = (bytes.start - offset) as usize..(bytes.end - offset) as usize;
                let before = data[place.clone()].to_vec();
                data[place].copy_from_slice(&after);
                let misread = Misread { bytes, ..misread.clone() };
                astray.push(Astray { misread, before, after });
            }
        }
        astray
    }
}

impl Astray {
    /// Puts back what was asked for.
    pub(super) fn undo(&self, data: &mut [u8], offset: u64) {
        let start = (self.misread.bytes.start - offset) as usize;
        data[start..start + self.before.len()].copy_from_slice(&self.before);
    }

    fn changed(&self) -> u64 {
        let differ = |(one, other): &(&u8, &u8)| one != other;
        self.before.iter().zip(&self.after).filter(differ).count() as u64
    }
}

impl Judged {
    /// One event for each rule.
    pub(super) fn misread_events(&self, astray: &[Astray]) -> Vec<Event> {
        astray.iter().map(|one| self.misread_event(one)).collect()
    }

    fn misread_event(&self, astray: &Astray) -> Event {
        let Misread { rule, occurrence, bytes, from } = &astray.misread;
        let line = MisreadBytes {
            bytes: (bytes.start, bytes.end - bytes.start),
            from: *from,
            changed: astray.changed(),
            before: bytes_or_hash(&astray.before),
            after: bytes_or_hash(&astray.after),
            id: self.armed.misread_id(&astray.misread, &self.view.path).to_string(),
        };
        let outcome = if line.changed == 0 { Outcome::Unchanged } else { Outcome::Delivered };
        Event { outcome, misread: vec![line], ..self.event(*rule, *occurrence) }
    }
}
