//! Corrupt regions in what a read returns: filled, and told of in the ledger.

use std::ops::Range;
use std::os::fd::AsFd;

use rustix::fs::{SeekFrom, seek};

use super::events::written;
use super::inject::Judged;
use crate::ledger::{Event, Outcome, Region, RegionContent, bytes_or_hash};
use crate::media::Medium;
use crate::plan::{Corrupted, DamageId, Filling};

/// More regions of one operation follow in further events, so that lines stay short.
pub(super) const REGIONS_MAX: usize = 16;

/// A corrupt region with its id; if it was served, with what was stored and what took its place.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) corrupted: Corrupted,
    pub(super) id: DamageId,
    pub(super) stored: bool,
    pub(super) served: Option<Served>,
}

/// What a region was in one reply.
#[derive(Clone, Debug)]
pub(super) struct Served {
    before: Vec<u8>,
    after: Vec<u8>,
    /// How many of the bytes lie in holes of the backing file.
    hole: u64,
}

impl Served {
    fn changed(&self) -> u64 {
        self.before.iter().zip(&self.after).filter(|(before, after)| before != after).count() as u64
    }
}

impl Filled {
    /// Puts back what is stored.
    pub(super) fn undo(&self, data: &mut [u8], offset: u64) {
        let Some(served) = &self.served else { return };
        let start = (self.corrupted.bytes.start - offset) as usize;
        data[start..start + served.before.len()].copy_from_slice(&served.before);
    }

    /// Whether the reply is other than what is stored for it.
    fn outcome(&self) -> Outcome {
        match &self.served {
            Some(served) if served.changed() == 0 => Outcome::Unchanged,
            _ => Outcome::Delivered,
        }
    }
}

/// Fills those bytes of a region that are in `data`, which begins at `offset` of the file. What is
/// stale the medium knows; what it does not know stays as it is stored.
pub(super) fn fill(corrupted: &Corrupted, medium: Option<&Medium>, data: &mut [u8], offset: u64) {
    let (Filling::Stale, Some(medium)) = (corrupted.filling, medium) else {
        return corrupted.fill(data, offset);
    };
    let end = offset + data.len() as u64;
    let here = corrupted.bytes.start.max(offset)..corrupted.bytes.end.min(end);
    for was in medium.earlier().within(&here) {
        was.copy_to(data, offset);
    }
}

impl Judged {
    /// Fills the decided regions of what was read from `file`.
    pub(super) fn fill(&self, data: &mut [u8], file: impl AsFd) -> Vec<Filled> {
        let offset = self.op.offset;
        let end = offset + data.len() as u64;
        let mut here = self.decision.regions.clone();
        here.retain(|corrupted| corrupted.bytes.start < end);
        here.iter_mut().for_each(|corrupted| corrupted.bytes.end = corrupted.bytes.end.min(end));
        let serve = |filled: Filled| {
            let Range { start, end } = filled.corrupted.bytes;
            let place = (start - offset) as usize..(end - offset) as usize;
            let before = data[place.clone()].to_vec();
            fill(&filled.corrupted, self.view.medium.as_deref(), data, offset);
            let served =
                Served { before, after: data[place].to_vec(), hole: hole(&file, start..end) };
            Filled { served: Some(served), ..filled }
        };
        self.identified(here).into_iter().map(serve).collect()
    }

    /// Regions with the ids of the damage that they are.
    pub(super) fn identified(&self, regions: Vec<Corrupted>) -> Vec<Filled> {
        let identify = |corrupted: Corrupted| {
            let identity = self.identity(corrupted.rule);
            let id = self.armed.region_id(&corrupted, identity.as_deref());
            Filled { corrupted, id, stored: identity.is_some(), served: None }
        };
        regions.into_iter().map(identify).collect()
    }

    /// Regions by rule and by what came of them, no more in a line than is good for it.
    pub(super) fn regions_events(&self, filled: &[Filled]) -> Vec<Event> {
        let mut filled: Vec<&Filled> = filled.iter().collect();
        let unchanged = |filled: &Filled| filled.outcome() == Outcome::Unchanged;
        filled.sort_by_key(|one| (one.corrupted.rule, unchanged(one), one.corrupted.bytes.start));
        filled
            .chunk_by(|a, b| (a.corrupted.rule, a.outcome()) == (b.corrupted.rule, b.outcome()))
            .flat_map(|alike| alike.chunks(REGIONS_MAX))
            .map(|chunk| self.regions_event(chunk))
            .collect()
    }

    fn regions_event(&self, filled: &[&Filled]) -> Event {
        let Corrupted { rule, occurrence, .. } = filled[0].corrupted;
        Event {
            outcome: filled[0].outcome(),
            regions: filled.iter().map(|filled| line(filled)).collect(),
            file: self.identity(rule).as_deref().map(written),
            ..self.event(rule, occurrence)
        }
    }
}

/// One corrupt region as the ledger has it.
pub(super) fn line(filled: &Filled) -> Region {
    let Corrupted { region, bytes, generation, filling, .. } = &filled.corrupted;
    let served = filled.served.as_ref();
    Region {
        start: region.start,
        len: region.end - region.start,
        bytes: (bytes.start, bytes.end - bytes.start),
        content: content(*filling),
        changed: served.map(Served::changed),
        hole: served.map_or(0, |served| served.hole),
        before: served.map(|served| bytes_or_hash(&served.before)),
        after: served.map(|served| bytes_or_hash(&served.after)),
        generation: *generation,
        id: filled.id.to_string(),
    }
}

/// A region as the bytes of a file are that nobody has mounted: for `preview`.
pub fn region_line(corrupted: Corrupted, id: DamageId, before: Vec<u8>, file: impl AsFd) -> Region {
    let mut after = before.clone();
    corrupted.fill(&mut after, corrupted.bytes.start);
    let hole = hole(&file, corrupted.bytes.clone());
    let served = Some(Served { before, after, hole });
    line(&Filled { corrupted, id, stored: true, served })
}

fn content(filling: Filling) -> RegionContent {
    match filling {
        Filling::Byte(0) => RegionContent::Zero,
        Filling::Byte(byte) => RegionContent::Byte(byte),
        Filling::Stale => RegionContent::Stale,
        Filling::Junk { key, .. } => RegionContent::Junk(format!("{:016x}", key.to_u64())),
    }
}

/// How many bytes of a range lie in holes of the file: none where the filesystem does not say.
fn hole(file: &impl AsFd, range: Range<u64>) -> u64 {
    let mut at = range.start;
    let mut holes = 0;
    while at < range.end {
        let data = seek(file, SeekFrom::Data(at)).unwrap_or(range.end).clamp(at, range.end);
        holes += data - at;
        let next = seek(file, SeekFrom::Hole(data)).unwrap_or(range.end);
        at = if next > data { next } else { range.end };
    }
    holes
}
