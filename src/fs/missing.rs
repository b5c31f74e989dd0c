//! Bytes that the medium did not get: what reads show instead, what ledgers say of them, and how
//! they end.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Filesystem;
use super::events::{never_read, written};
use super::inject::Judged;
use super::losses::Losses;
use crate::injector::Armed;
use crate::ledger::{Event, LostBytes, Outcome, bytes_or_hash};
use crate::media::{Loss, Stale};
use crate::op::OpKind;
use crate::plan::{DamageId, Label};

/// More stretches of one operation follow in further events, so that lines stay short.
const LOST_MAX: usize = 16;

/// Bytes that the medium did not get; if they were written or read just now, as they are stored.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub(super) stale: Stale,
    pub(super) stored: Option<Vec<u8>>,
}

impl Filesystem {
    /// Bytes of the file were cut off, punched or zeroed: that the medium has done.
    pub(super) fn missing_discarded(&self, judged: &Judged, range: &Range<u64>) {
        if let Some(medium) = &judged.view.medium {
            medium.earlier().forget(range);
            self.tell_of(judged, Outcome::Gone, medium.unsynced().settle(range));
            self.tell_of(judged, Outcome::Gone, medium.behind().catch_up(range));
        }
    }

    /// The file has lost its last name.
    pub(super) fn missing_removed(&self, judged: &Judged) {
        if let Some(medium) = &judged.view.medium {
            let mut missing = medium.unsynced().failed();
            missing.extend(medium.behind().stale(&(0..u64::MAX)));
            for stale in &missing {
                self.fates.ends(stale.of.id);
            }
            self.tell_of(judged, Outcome::Gone, missing);
        }
    }

    pub(super) fn tell_of(&self, judged: &Judged, outcome: Outcome, stale: Vec<Stale>) {
        let missing: Vec<_> =
            stale.into_iter().map(|stale| Missing { stale, stored: None }).collect();
        let events = judged.lost_events(&missing);
        let became = |event| Event { outcome, occurrence: None, ..event };
        self.tell(events.into_iter().map(became).collect());
    }

    /// Tells of lost bytes that nobody read: the mount ends.
    pub(super) fn tell_missing_never_read(&self, armed: &Armed) {
        for medium in self.media.all() {
            let mut waiting = medium.behind().stale(&(0..u64::MAX));
            waiting.extend(medium.unsynced().failed());
            waiting.retain(|stale| self.fates.is_waiting(stale.of.id));
            for alike in waiting.chunk_by(|a, b| whose(a) == whose(b)) {
                let (label, file) = whose(&alike[0]);
                let line = |stale: &Stale| Missing { stale: stale.clone(), stored: None }.line();
                for some in alike.chunks(LOST_MAX) {
                    let lost = some.iter().map(line).collect();
                    self.tell(vec![Event { lost, ..never_read(armed, file, label) }]);
                }
            }
        }
    }
}

impl Missing {
    /// Puts what the medium holds into what was read, which begins at `offset`.
    pub(super) fn show(stale: Stale, data: &mut [u8], offset: u64) -> Missing {
        let place = (stale.bytes.start - offset) as usize..(stale.bytes.end - offset) as usize;
        let stored = Some(data[place].to_vec());
        stale.copy_to(data, offset);
        Missing { stale, stored }
    }

    /// Puts back what is stored.
    pub(super) fn undo(&self, data: &mut [u8], offset: u64) {
        let Some(stored) = &self.stored else { return };
        let start = (self.stale.bytes.start - offset) as usize;
        data[start..start + stored.len()].copy_from_slice(stored);
    }

    /// What ledgers call it.
    pub(super) fn id(&self) -> DamageId {
        self.stale.of.id
    }

    /// The other place of a misdirected write, if this is the one where it landed, or is not.
    fn other_place(&self, landed: bool) -> Option<u64> {
        let astray = self.stale.of.astray.filter(|astray| astray.landed == landed)?;
        Some(astray.of(self.stale.bytes.start))
    }

    fn held(&self) -> Vec<u8> {
        let mut held = vec![0; (self.stale.bytes.end - self.stale.bytes.start) as usize];
        self.stale.copy_to(&mut held, self.stale.bytes.start);
        held
    }

    fn changed(&self) -> Option<u64> {
        let stored = self.stored.as_ref()?;
        let differ = |(one, other): &(&u8, &u8)| one != other;
        Some(stored.iter().zip(&self.held()).filter(differ).count() as u64)
    }

    fn outcome(&self) -> Outcome {
        match self.changed() {
            Some(0) => Outcome::Unchanged,
            _ => Outcome::Delivered,
        }
    }

    fn line(&self) -> LostBytes {
        let Range { start, end } = self.stale.bytes;
        LostBytes {
            bytes: (start, end - start),
            keep: self.stale.of.keep,
            to: self.other_place(false),
            from: self.other_place(true),
            changed: self.changed(),
            before: self.stored.as_deref().map(bytes_or_hash),
            after: self.stored.as_ref().map(|_| bytes_or_hash(&self.held())),
            id: self.stale.of.id.to_string(),
        }
    }
}

impl Judged {
    /// What a write of `count` bytes lost, and what it was to lose and did not.
    pub(super) fn write_events(&self, losses: &Losses, count: Option<u64>) -> Vec<Event> {
        let mut events = self.events_with_length(count);
        events.extend(self.lost_events(&losses.made));
        let mut skipped: Vec<_> =
            losses.skipped.iter().map(|lost| (lost.rule, lost.occurrence)).collect();
        skipped.dedup();
        let skip = |(rule, occurrence)| Event {
            outcome: Outcome::Skipped,
            ..self.event(rule, occurrence)
        };
        events.extend(skipped.into_iter().map(skip));
        events.extend(losses.harm.events.iter().cloned());
        events
    }

    /// Lost bytes by the write that lost them and by what came of it, no more in a line than is good
    /// for it. Only the write itself is one of the rule's occurrences.
    pub(super) fn lost_events(&self, missing: &[Missing]) -> Vec<Event> {
        let mut missing: Vec<&Missing> = missing.iter().collect();
        missing.sort_by_key(|one| (one.stale.of.rule, one.stale.of.occurrence));
        let alike = |a: &&Missing, b: &&Missing| {
            Arc::ptr_eq(&a.stale.of, &b.stale.of) && a.outcome() == b.outcome()
        };
        let event = |some: &[&Missing]| {
            let Loss { label, occurrence, file, .. } = &*some[0].stale.of;
            let own = matches!(self.op.kind, OpKind::Write | OpKind::Fsync);
            Event {
                outcome: some[0].outcome(),
                lost: some.iter().map(|one| one.line()).collect(),
                file: Some(written(file)),
                ..self.event_of(label, if own { *occurrence } else { 0 })
            }
        };
        let groups = missing.chunk_by(alike).flat_map(|group| group.chunks(LOST_MAX));
        groups.map(event).collect()
    }
}

fn whose(stale: &Stale) -> (&Label, &Path) {
    (&stale.of.label, &stale.of.file)
}
