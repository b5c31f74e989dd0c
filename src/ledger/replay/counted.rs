//! What was counted, by effect: one rule for each, with the occurrences that had it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::stored::{content, positions, region_position};
use super::{ReplayError, incomplete, window};
use crate::errno::Errno;
use crate::ledger::Event;
use crate::scenario::{
    BitAmount, BitFlip, BitPosition, Content, Corrupt, Distribution, ErrorFault, Fault, Fsync,
    Latency, LostWrite, Misdirected, Persistence, PowerCut, RegionAmount, RegionPosition, Rule,
    Short, ShortLength, TornWrite, Unsynced, When, WritePart,
};

/// What one operation got from one rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Bits(BTreeSet<BitPosition>),
    Regions(BTreeSet<RegionPosition>, Content),
    Errno(u16),
    DelayNs(u64),
    Moved(u64),
    /// What the rule says, whatever that is.
    Same,
    /// A byte of the block, of a write that was lost or torn in a block; how much of it was kept.
    Lost(Option<u64>, Option<u64>),
    /// Writing back failed.
    Unwritten,
    /// A byte that was meant, and one that was met instead.
    Astray(u64, u64),
}

pub(super) fn counted_rules(rule: &Rule, events: &[&Event]) -> Result<Vec<Rule>, ReplayError> {
    let mut by_occurrence: BTreeMap<u64, Effect> = BTreeMap::new();
    for event in events.iter().filter(|event| !follows(rule, event)) {
        let occurrence =
            event.occurrence.ok_or_else(|| incomplete(rule, event, "its `occurrence`"))?;
        let effect = effect(rule, event)?;
        match (by_occurrence.get_mut(&occurrence), effect) {
            // Many bits or regions of one operation come in several events.
            (Some(Effect::Bits(bits)), Effect::Bits(more)) => bits.extend(more),
            (Some(Effect::Regions(regions, _)), Effect::Regions(more, _)) => regions.extend(more),
            (Some(Effect::Lost(..)), Effect::Lost(..)) => {}
            (_, effect) => drop(by_occurrence.insert(occurrence, effect)),
        }
    }
    let mut by_effect: BTreeMap<Effect, Vec<u64>> = BTreeMap::new();
    for (occurrence, effect) in by_occurrence {
        by_effect.entry(effect).or_default().push(occurrence);
    }
    let mut by_effect: Vec<_> = by_effect.into_iter().collect();
    by_effect.sort_by_key(|(_, nth)| nth.first().copied());
    let mut answered = Vec::new();
    let rules = by_effect.into_iter().map(|(effect, nth)| {
        let seen = seen_by_next(&rule.fault, &nth, &mut answered);
        counted_rule(rule, effect, seen)
    });
    Ok(rules.collect())
}

/// Whether the event follows from an earlier one: a fault that stays had been set off, or a read met
/// what the medium did not get.
fn follows(rule: &Rule, event: &Event) -> bool {
    let stays = matches!(rule.fault, Fault::Dead(_) | Fault::Readonly | Fault::PowerCut(_));
    let keeps = matches!(
        rule.fault,
        Fault::LostWrite(_) | Fault::TornWrite(_) | Fault::Fsync(_) | Fault::Misdirected(_)
    );
    let landed = event.lost.first().is_some_and(|lost| lost.from.is_some());
    landed || (stays || keeps) && event.occurrence.is_none()
}

/// The numbers that the next rule counts for these occurrences of the original. An operation that
/// one rule fails or delays, later rules for failures or delays do not count: `answered` are those
/// of the rules before, sorted.
fn seen_by_next(fault: &Fault, nth: &[u64], answered: &mut Vec<u64>) -> Vec<u64> {
    let damage = matches!(fault, Fault::BitFlip(_) | Fault::Corrupt(_) | Fault::BadSector(_));
    let losses = matches!(
        fault,
        Fault::LostWrite(_) | Fault::TornWrite(_) | Fault::Fsync(_) | Fault::Misdirected(_)
    );
    if damage || losses {
        return nth.to_vec();
    }
    let before = |occurrence: u64| answered.partition_point(|other| *other < occurrence) as u64;
    let seen = nth.iter().map(|nth| nth - before(*nth)).collect();
    answered.extend(nth);
    answered.sort_unstable();
    seen
}

fn effect(rule: &Rule, event: &Event) -> Result<Effect, ReplayError> {
    let lacks = |what| incomplete(rule, event, what);
    match &rule.fault {
        Fault::BitFlip(_) if event.bits.is_empty() => Err(lacks("its `bits`")),
        Fault::BitFlip(_) => {
            let bits = positions(&[event]).into_iter();
            Ok(Effect::Bits(bits.map(|bit| BitPosition { generation: 0, ..bit }).collect()))
        }
        Fault::Corrupt(_) => {
            let first = event.regions.first().ok_or_else(|| lacks("its `regions`"))?;
            let regions = event.regions.iter().map(|region| region_position(rule, region));
            let regions = regions.map(|at| RegionPosition { generation: 0, ..at });
            Ok(Effect::Regions(regions.collect(), content(rule, event, first)?))
        }
        Fault::Error(_) => {
            let errno = event.errno.as_deref().and_then(Errno::from_name);
            let number = errno.and_then(|errno| u16::try_from(errno.raw()).ok());
            number.map(Effect::Errno).ok_or_else(|| lacks("its `errno`"))
        }
        Fault::Stall(_)
        | Fault::Dead(_)
        | Fault::PowerCut(_)
        | Fault::Readonly
        | Fault::Kill
        | Fault::Space(_)
        | Fault::Metadata(_)
        | Fault::Throughput(_) => Ok(Effect::Same),
        Fault::Short(_) => {
            event.returned.map(Effect::Moved).ok_or_else(|| lacks("what it `returned`"))
        }
        Fault::LostWrite(LostWrite { part }) | Fault::TornWrite(TornWrite { part, .. }) => {
            let first = event.lost.first().ok_or_else(|| lacks("its `lost`"))?;
            let at = matches!(part, WritePart::Block { .. }).then_some(first.bytes.0);
            Ok(Effect::Lost(at, first.keep))
        }
        Fault::Fsync(_) => Ok(Effect::Unwritten),
        Fault::Misdirected(_) => {
            let read = event.misread.first().map(|read| (read.bytes.0, read.from));
            let written = event.lost.first().and_then(|lost| Some((lost.bytes.0, lost.to?)));
            let (at, to) = read.or(written).ok_or_else(|| lacks("its `misread` or `lost`"))?;
            Ok(Effect::Astray(at, to))
        }
        Fault::Latency(_) | Fault::BadSector(_) => {
            let delay = event.delay_ns.map(Effect::DelayNs);
            delay.ok_or_else(|| lacks("its `delay_ns`"))
        }
    }
}

fn counted_rule(rule: &Rule, effect: Effect, nth: Vec<u64>) -> Rule {
    let fault = match effect {
        Effect::Bits(bits) => Fault::BitFlip(BitFlip {
            amount: BitAmount::At(bits.into_iter().collect()),
            persistence: once(&rule.fault),
        }),
        Effect::Regions(regions, content) => Fault::Corrupt(Corrupt {
            content,
            amount: RegionAmount::At(regions.into_iter().collect()),
            region: region_size(rule),
            persistence: once(&rule.fault),
        }),
        Effect::Errno(raw) => Fault::Error(ErrorFault { errno: Errno::from_raw(i32::from(raw)) }),
        Effect::DelayNs(ns) => Fault::Latency(Latency {
            distribution: Distribution::Constant(Duration::from_nanos(ns)),
            step: None,
        }),
        Effect::Moved(bytes) => {
            Fault::Short(Short { length: ShortLength::AtMost(bytes), multiple: 1 })
        }
        Effect::Same => rule.fault.clone(),
        Effect::Lost(at, keep) => lost_again(rule, at, keep),
        Effect::Unwritten => fails_again(&rule.fault),
        Effect::Astray(at, to) => astray_again(&rule.fault, at, to),
    };
    Rule {
        name: String::new(),
        domain: rule.domain.clone(),
        select: rule.select.clone(),
        when: When { nth, ..window(&rule.when) },
        fault,
    }
}

/// The original's fault, at the place and of the size that it had.
fn lost_again(rule: &Rule, at: Option<u64>, keep: Option<u64>) -> Fault {
    let placed = |part: WritePart| match part {
        WritePart::Block { size, .. } => WritePart::Block { size, at },
        WritePart::Whole => WritePart::Whole,
    };
    match &rule.fault {
        Fault::TornWrite(torn) => {
            Fault::TornWrite(TornWrite { keep, part: placed(torn.part), ..torn.clone() })
        }
        Fault::LostWrite(lost) => Fault::LostWrite(LostWrite { part: placed(lost.part) }),
        other => other.clone(),
    }
}

/// How the cuts of a replay, which are `made`, differ from those that were.
///
/// A cut at an operation has that one's occurrence; one that was asked for has none. What is drawn at
/// a cut has the name of the rule in it, which is another one.
pub(super) fn cut_otherwise(
    rule: &Rule,
    cut: &PowerCut,
    events: &[&Event],
    made: &[Rule],
) -> Option<String> {
    if made.is_empty() {
        return (!events.is_empty()).then(|| {
            format!(
                "rule `{}`: the power was cut by `errorfs power-cut` and at no operation, which a \
                 scenario cannot say (events left out: {})",
                rule.name,
                events.len()
            )
        });
    }
    let drawn = cut.unsynced == Unsynced::Mixed || cut.lies > 0.0;
    drawn.then(|| {
        format!("rule `{}`: which of what was not synced is lost is drawn anew", rule.name)
    })
}

/// The original's way of failing, whenever it is asked: the occurrences say when.
fn fails_again(fault: &Fault) -> Fault {
    match fault {
        Fault::Fsync(fsync) => Fault::Fsync(Fsync { sequence: "X".into(), ..fsync.clone() }),
        other => other.clone(),
    }
}

/// The original's block, at the places that it had.
fn astray_again(fault: &Fault, at: u64, to: u64) -> Fault {
    match fault {
        Fault::Misdirected(astray) => {
            Fault::Misdirected(Misdirected { at: Some(at), to: Some(to), ..*astray })
        }
        other => other.clone(),
    }
}

/// Damage of single accesses: of reads, or of writes.
fn once(fault: &Fault) -> Persistence {
    match fault {
        Fault::BitFlip(BitFlip { persistence: Persistence::Written, .. })
        | Fault::Corrupt(Corrupt { persistence: Persistence::Written, .. }) => Persistence::Written,
        _ => Persistence::Transient,
    }
}

fn region_size(rule: &Rule) -> u32 {
    match &rule.fault {
        Fault::Corrupt(corrupt) => corrupt.region,
        _ => 0,
    }
}
