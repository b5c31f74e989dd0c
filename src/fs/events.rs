//! From a decision to the lines of the ledger.

use std::path::Path;

use super::inject::Judged;
use crate::ledger::{Bit, Event, Outcome, escape};
use crate::op::{Caller, Op};
use crate::plan::{Flip, Place, RuleId, Unreadable};

/// More flipped bits of one operation follow in further events, so that lines stay short.
const BITS_MAX: usize = 64;

impl Judged {
    /// Flips the decided bits of what was read; returns them with the bytes before and after.
    pub(super) fn flip(&self, data: &mut [u8]) -> Vec<(Flip, u8, u8)> {
        let end = self.op.offset + data.len() as u64;
        let here = |flip: &&Flip| (self.op.offset..end).contains(&flip.byte);
        let flips: Vec<Flip> = self.decision.flips.iter().filter(here).copied().collect();
        let at = |flip: &Flip| (flip.byte - self.op.offset) as usize;
        let before: Vec<u8> = flips.iter().map(|flip| data[at(flip)]).collect();
        for flip in &flips {
            data[at(flip)] ^= 1 << flip.bit;
        }
        let after = |flip: &Flip| data[at(flip)];
        flips
            .iter()
            .zip(before)
            .map(|(flip, before)| (*flip, before, after(flip)))
            .collect()
    }

    /// The delay and the failure.
    pub(super) fn events(&self) -> Vec<Event> {
        let delay = self.decision.delay.map(|delay| Event {
            delay_ns: Some(delay.by.as_nanos() as u64),
            ..self.event(delay.rule, delay.occurrence)
        });
        let failure = self.decision.failure.map(|failure| Event {
            errno: Some(failure.errno.name().to_owned()),
            ..self.event(failure.rule, failure.occurrence)
        });
        delay.into_iter().chain(failure).collect()
    }

    /// The same, and a sector that could not be read.
    pub(super) fn events_with_sector(&self, bad: &Unreadable) -> Vec<Event> {
        let mut events = self.events();
        events.push(Event {
            errno: Some("EIO".to_owned()),
            ..self.sector_event(bad)
        });
        events
    }

    /// The same, and flipped bits with the bytes before and after.
    pub(super) fn events_with_bits(&self, bits: Vec<(Flip, u8, u8)>) -> Vec<Event> {
        let mut events = self.events();
        let same = |a: &(Flip, u8, u8), b: &(Flip, u8, u8)| a.0.rule == b.0.rule;
        let mut bits = bits;
        bits.sort_by_key(|(flip, ..)| (flip.rule, flip.byte, flip.bit));
        for of_rule in bits.chunk_by(same) {
            events.extend(of_rule.chunks(BITS_MAX).map(|chunk| self.bits_event(chunk)));
        }
        events
    }
}

impl Judged {
    fn damage_id(&self, rule: RuleId, file: &Path, generation: u32, place: Place) -> String {
        self.armed
            .plan()
            .damage_id(rule, file, place, generation)
            .to_string()
    }

    fn event(&self, rule: RuleId, occurrence: u64) -> Event {
        let occurrence = (occurrence > 0).then_some(occurrence);
        Event {
            occurrence,
            ..blank(self, rule, Outcome::Delivered)
        }
    }

    fn bits_event(&self, bits: &[(Flip, u8, u8)]) -> Event {
        let (first, ..) = bits[0];
        let identity = self.armed.identity(first.rule, &self.view.target());
        let bit = |(flip, before, after): &(Flip, u8, u8)| Bit {
            byte: flip.byte,
            bit: flip.bit,
            before: *before,
            after: *after,
            generation: flip.generation,
            id: self.damage_id(
                flip.rule,
                &identity,
                flip.generation,
                Place::Bit {
                    byte: flip.byte,
                    bit: flip.bit,
                },
            ),
        };
        let stored = self.armed.plan().rule(first.rule).fault.is_stored();
        Event {
            bits: bits.iter().map(bit).collect(),
            file: stored.then(|| written(&identity)),
            ..self.event(first.rule, first.occurrence)
        }
    }

    /// A bad sector, without saying what came of it.
    pub(super) fn sector_event(&self, bad: &Unreadable) -> Event {
        let identity = self.armed.identity(bad.rule, &self.view.target());
        let place = Place::Sector {
            start: bad.sector.start,
        };
        Event {
            sector: Some((bad.sector.start, bad.sector.end - bad.sector.start)),
            id: Some(self.damage_id(bad.rule, &identity, bad.generation, place)),
            file: Some(written(&identity)),
            ..self.event(bad.rule, 0)
        }
    }

    /// Damage that has ended: flipped bits and bad sectors, by what became of them.
    pub(super) fn end_events(&self, outcome: Outcome, bad: &[Unreadable]) -> Vec<Event> {
        let stored = |flip: &Flip| (*flip, 0, 0);
        let bits = self.decision.flips.iter().map(stored).collect();
        let sectors = bad.iter().map(|bad| self.sector_event(bad));
        let events = self.events_with_bits(bits).into_iter().chain(sectors);
        events.map(|event| Event { outcome, ..event }).collect()
    }
}

fn blank(judged: &Judged, rule: RuleId, outcome: Outcome) -> Event {
    let Op {
        kind,
        offset,
        len,
        caller,
    } = judged.op;
    Event {
        seq: 0,
        mono_ns: 0,
        time: String::new(),
        outcome,
        rule: judged.armed.plan().rule(rule).name.clone(),
        fault: judged.armed.plan().rule(rule).fault.name().to_owned(),
        op: kind.name().to_owned(),
        path: written(&judged.view.path),
        file: None,
        ino: judged.view.ino,
        offset,
        len,
        occurrence: None,
        bits: Vec::new(),
        id: None,
        sector: None,
        errno: None,
        delay_ns: None,
        pid: caller.pid,
        uid: caller.uid,
        comm: command_name(caller),
    }
}

fn written(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// The name of the calling program; empty if it is gone or in no namespace that we see.
fn command_name(caller: Caller) -> String {
    if caller.pid == 0 {
        return String::new();
    }
    let comm = std::fs::read(format!("/proc/{}/comm", caller.pid)).unwrap_or_default();
    escape(comm.strip_suffix(b"\n").unwrap_or(&comm))
}
