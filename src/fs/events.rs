//! From a decision to the lines of the ledger.

use std::path::Path;
use std::sync::Arc;

use super::corruption::Filled;
use super::inject::Judged;
use super::who::cgroup;
use crate::injector::Armed;
use crate::ledger::{Bit, Event, Outcome, escape};
use crate::op::{Caller, Op};
use crate::plan::{DamageId, Flip, Label, RuleId, Unreadable};

/// More flipped bits of one operation follow in further events, so that lines stay short.
pub(super) const BITS_MAX: usize = 64;

/// A flipped bit with the byte before and after, if it was served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flipped {
    pub(super) flip: Flip,
    pub(super) bytes: Option<(u8, u8)>,
    pub(super) id: DamageId,
    pub(super) stored: bool,
}

/// Flips bits, given by byte and bit of the file, in what begins at `offset` of it. Twice is none.
pub(super) fn flip(data: &mut [u8], offset: u64, flips: &[(u64, u8)]) {
    for (byte, bit) in flips {
        data[(byte - offset) as usize] ^= 1 << bit;
    }
}

impl Judged {
    /// Flips the decided bits of what was read.
    pub(super) fn flip(&self, data: &mut [u8]) -> Vec<Flipped> {
        let end = self.op.offset + data.len() as u64;
        let here = |flip: &&Flip| (self.op.offset..end).contains(&flip.byte);
        let flips: Vec<Flip> = self.decision.flips.iter().filter(here).copied().collect();
        let at = |flip: &Flip| (flip.byte - self.op.offset) as usize;
        let before: Vec<u8> = flips.iter().map(|flip| data[at(flip)]).collect();
        for flip in &flips {
            data[at(flip)] ^= 1 << flip.bit;
        }
        let served = |(bit, before): (Flipped, u8)| {
            let after = data[at(&bit.flip)];
            Flipped { bytes: Some((before, after)), ..bit }
        };
        self.named(&flips).into_iter().zip(before).map(served).collect()
    }

    /// Bits with the ids of the damage that they are.
    pub(super) fn named(&self, flips: &[Flip]) -> Vec<Flipped> {
        let mut identities: Vec<(RuleId, Option<Arc<Path>>)> = Vec::new();
        let mut named = Vec::with_capacity(flips.len());
        for flip in flips {
            if !identities.iter().any(|(rule, _)| *rule == flip.rule) {
                identities.push((flip.rule, self.identity(flip.rule)));
            }
            let known = identities.iter().find(|(rule, _)| *rule == flip.rule);
            let identity = known.and_then(|(_, identity)| identity.as_deref());
            let id = self.armed.flip_id(flip, identity);
            named.push(Flipped { flip: *flip, bytes: None, id, stored: identity.is_some() });
        }
        named
    }

    /// The path that keys what a rule damages in the file; `None` if it damages nothing stored.
    pub(super) fn identity(&self, rule: RuleId) -> Option<Arc<Path>> {
        self.armed.identity(rule, &self.view.target())
    }

    /// That an answer began to be owed.
    pub(super) fn stalled_event(&self) -> Option<Event> {
        let stall = self.decision.stall?;
        Some(self.event(stall.rule, stall.occurrence))
    }

    /// That it is given after all: when, whoever records it says.
    pub(super) fn released_event(&self) -> Option<Event> {
        let (outcome, delay_ns) = (Outcome::Released, Some(u64::MAX));
        Some(Event { outcome, delay_ns, ..self.stalled_event()? })
    }

    /// The delays, the failure, and how much room was told.
    pub(super) fn events(&self) -> Vec<Event> {
        let delays = [self.decision.delay, self.decision.queue].into_iter().flatten();
        let delays = delays.map(|delay| Event {
            delay_ns: Some(delay.by.as_nanos() as u64),
            ..self.event(delay.rule, delay.occurrence)
        });
        let failure = self.decision.failure.map(|failure| Event {
            errno: Some(failure.errno.name().to_owned()),
            ..self.event(failure.rule, failure.occurrence)
        });
        let told = self.decision.told.map(|rule| self.event(rule, 0));
        delays.chain(failure).chain(told).collect()
    }

    /// The same, and a sector that could not be read.
    pub(super) fn events_with_sector(&self, bad: &Unreadable) -> Vec<Event> {
        let mut events = self.events();
        events.push(Event { errno: Some("EIO".to_owned()), ..self.sector_event(bad) });
        events
    }

    /// The same, and that less was moved than was asked for: `count`, if anything was.
    pub(super) fn events_with_length(&self, count: Option<u64>) -> Vec<Event> {
        let short = self.decision.short.zip(count).map(|(short, count)| Event {
            returned: Some(count),
            ..self.event(short.rule, short.occurrence)
        });
        self.events().into_iter().chain(short).collect()
    }

    /// How many bytes the operation is to move.
    pub(super) fn moved(&self) -> u64 {
        self.decision.short.map_or(self.op.len, |short| short.len)
    }

    /// Corrupt regions and flipped bits.
    pub(super) fn damage_events(&self, filled: &[Filled], bits: &[Flipped]) -> Vec<Event> {
        let mut events = self.regions_events(filled);
        events.extend(self.bits_events(bits));
        events
    }

    /// Flipped bits: by rule, and no more in a line than is good for it.
    pub(super) fn bits_events(&self, bits: &[Flipped]) -> Vec<Event> {
        let Some(any) = bits.first() else { return Vec::new() };
        let mut bits = bits.to_vec();
        bits.sort_by_key(|bit| (bit.flip.rule, bit.flip.byte, bit.flip.bit));
        let whole = self.event(any.flip.rule, any.flip.occurrence);
        let of_rules = bits.chunk_by(|a, b| a.flip.rule == b.flip.rule);
        let chunks = of_rules.flat_map(|of_rule| of_rule.chunks(BITS_MAX));
        chunks.map(|chunk| self.bits_event(chunk, &whole)).collect()
    }

    fn bits_event(&self, bits: &[Flipped], whole: &Event) -> Event {
        let Flip { rule, occurrence, .. } = bits[0].flip;
        Event {
            rule: self.armed.label(rule).rule.clone(),
            fault: self.armed.label(rule).fault.to_owned(),
            occurrence: (occurrence > 0).then_some(occurrence),
            bits: bits.iter().map(line).collect(),
            file: self.identity(rule).as_deref().map(written),
            ..whole.clone()
        }
    }

    /// A bad sector, without saying what came of it.
    pub(super) fn sector_event(&self, bad: &Unreadable) -> Event {
        let identity = self.armed.identity(bad.rule, &self.view.target());
        Event {
            sector: Some((bad.sector.start, bad.sector.end - bad.sector.start)),
            id: Some(self.armed.sector_id(bad, identity.as_deref()).to_string()),
            file: identity.as_deref().map(written),
            ..self.event(bad.rule, 0)
        }
    }

    /// The id of a bad sector.
    pub(super) fn sector_id(&self, bad: &Unreadable) -> Option<DamageId> {
        let identity = self.armed.identity(bad.rule, &self.view.target())?;
        Some(self.armed.sector_id(bad, Some(&identity)))
    }

    /// An event of this operation.
    pub(super) fn event(&self, rule: RuleId, occurrence: u64) -> Event {
        self.event_of(self.armed.label(rule), occurrence)
    }

    /// The same of a rule that may be gone.
    pub(super) fn event_of(&self, label: &Label, occurrence: u64) -> Event {
        let Op { kind, offset, len, caller, .. } = self.op;
        Event {
            op: kind.name().to_owned(),
            path: written(&self.view.path),
            to: self.view.to.as_deref().map(written),
            ino: self.view.ino,
            offset,
            len,
            occurrence: (occurrence > 0).then_some(occurrence),
            cached: self.fills_cache,
            pid: caller.pid,
            uid: caller.uid,
            comm: command_name(caller),
            cgroup: cgroup(caller.pid),
            ..blank(label, self.armed.generation())
        }
    }
}

/// Stored damage that nobody read, told when the mount ends.
pub(super) fn never_read(armed: &Armed, file: &Path, label: &Label) -> Event {
    Event {
        outcome: Outcome::NeverRead,
        op: "unmount".to_owned(),
        path: written(file),
        file: Some(written(file)),
        ..blank(label, armed.generation())
    }
}

/// One flipped bit as the ledger has it.
pub(super) fn line(flipped: &Flipped) -> Bit {
    let Flip { byte, bit, generation, .. } = flipped.flip;
    Bit {
        byte,
        bit,
        before: flipped.bytes.map(|(before, _)| before),
        after: flipped.bytes.map(|(_, after)| after),
        generation,
        id: flipped.id.to_string(),
    }
}

pub(super) fn blank(label: &Label, generation: u64) -> Event {
    Event {
        seq: 0,
        mono_ns: 0,
        time: String::new(),
        outcome: Outcome::Delivered,
        rule: label.rule.clone(),
        fault: label.fault.to_owned(),
        arming: Some(generation).filter(|generation| *generation > 1),
        plan: None,
        op: String::new(),
        path: String::new(),
        to: None,
        file: None,
        ino: 0,
        offset: 0,
        len: 0,
        occurrence: None,
        bits: Vec::new(),
        regions: Vec::new(),
        lost: Vec::new(),
        misread: Vec::new(),
        mistold: Vec::new(),
        undone: None,
        id: None,
        sector: None,
        returned: None,
        errno: None,
        delay_ns: None,
        cached: false,
        pid: 0,
        uid: 0,
        comm: String::new(),
        cgroup: String::new(),
    }
}

pub(super) fn written(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// The name of the calling program; empty if it is gone or in no namespace that we see.
pub(super) fn command_name(caller: Caller) -> String {
    if caller.pid == 0 {
        return String::new();
    }
    let comm = std::fs::read(format!("/proc/{}/comm", caller.pid)).unwrap_or_default();
    escape(comm.strip_suffix(b"\n").unwrap_or(&comm))
}
