//! Ledger to scenario: rules of exact positions and occurrences that give the same faults again.
//!
//! Pure. Stored damage becomes one rule a file, with the bits, regions or sectors that were read. What was
//! counted becomes one rule for each distinct effect: the original's `select` and window, so that
//! it counts the same operations, and the occurrences that had this effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Event, Outcome, Region, RegionContent, unescape};
use crate::errno::Errno;
use crate::scenario::{
    BitAmount, BitFlip, BitPosition, Content, Corrupt, Distribution, ErrorFault, Fault, Fsync,
    Latency, LostWrite, Misdirected, PathPattern, Persistence, PowerCut, RegionAmount,
    RegionPosition, Rule, Scenario, SectorAmount, Short, ShortLength, TornWrite, Unsynced, When,
    WritePart,
};

/// More rules than a plan can number.
const RULES_MAX: usize = u16::MAX as usize;

/// What a ledger's faults amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Gives the same faults again; without rules if none was delivered.
    pub scenario: Scenario,
    /// What a scenario cannot say, in words for the operator.
    pub omitted: Vec<String>,
}

/// Why a ledger's events make no sense together with its scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// An event of a rule that the header's scenario does not have.
    #[error("event {seq} is of rule `{rule}`, which the ledger's scenario does not have")]
    UnknownRule {
        /// Number of the event.
        seq: u64,
        /// The name that it gives.
        rule: String,
    },
    /// An event that its rule cannot have caused.
    #[error("event {seq} lacks {what}, which every event of rule `{rule}` has")]
    Incomplete {
        /// Number of the event.
        seq: u64,
        /// Its rule.
        rule: String,
        /// What is missing.
        what: &'static str,
    },
    /// The line of a plan that was armed later has no sound scenario.
    #[error("event {seq} is of a plan that makes no sense")]
    BadPlan {
        /// Number of the event.
        seq: u64,
    },
    /// Nearly every operation got a fault of its own.
    #[error("the replay would need {rules} rules, and a plan has at most {RULES_MAX}")]
    TooMany {
        /// How many.
        rules: usize,
    },
}

/// The scenario that gives the delivered faults of these events again. `scenario` and `seed` are
/// those of the ledger's header.
///
/// # Why not by time
///
/// Times differ from run to run even when everything else is equal; occurrences do not, as long as
/// the target's operations come in the same order.
///
/// # Several plans
///
/// All rules of the replay are in force from the beginning on. Stored damage does not mind; what was
/// counted does, if its rule was not in force all the time before, and is left out.
pub fn replay(scenario: &Scenario, seed: u64, events: &[Event]) -> Result<Replay, ReplayError> {
    let mut omitted = Vec::new();
    let mut rules = Vec::new();
    let mut made_of: BTreeMap<String, usize> = BTreeMap::new();
    let played = played(scenario, events)?;
    let firsts = first_made(&played);
    for Played { rule, events, late } in played {
        let mut made = match &rule.fault {
            // What happened follows from the operations alone: the rule is its own replay.
            Fault::Space(_) | Fault::Throughput(_) => {
                events.first().map(|_| rule.clone()).into_iter().collect()
            }
            Fault::Metadata(_) => metadata_rules(&rule, &events, &mut omitted),
            Fault::PowerCut(cut) => {
                omitted.extend(draws_again(&rule, cut));
                counted_rules(&rule, &events)?
            }
            fault if is_stored(fault) => stored_rules(&rule, &events, &mut omitted)?,
            _ => counted_rules(&rule, &events)?,
        };
        if late > 0 {
            omitted.push(format!(
                "rule `{}`: it was armed, disarmed or reset while the mount was live, and a scenario \
                 cannot say from when on it counted (events left out: {late})",
                rule.name
            ));
        }
        for new in &mut made {
            let number = made_of.entry(rule.name.clone()).or_default();
            *number += 1;
            new.name = format!("{}/{number}", rule.name);
            let event = rule.when.after_event.as_deref();
            new.when.after_event = event.and_then(|event| firsts.get(event).cloned());
        }
        rules.extend(made);
    }
    if rules.len() > RULES_MAX {
        return Err(ReplayError::TooMany { rules: rules.len() });
    }
    let name = scenario.name.as_ref().map(|name| format!("replay of {name}"));
    let scenario = Scenario {
        name: Some(name.unwrap_or_else(|| "replay".into())),
        seed: Some(seed),
        presets: Vec::new(),
        rules,
    };
    Ok(Replay { scenario, omitted })
}

/// Of the rules that are made of each rule, the name of the one that fires first.
fn first_made(played: &[Played<'_>]) -> BTreeMap<String, String> {
    let mut firsts = BTreeMap::new();
    for Played { rule, events, .. } in played.iter().filter(|played| !played.events.is_empty()) {
        let number = if is_stored(&rule.fault) { first_file(events) } else { 0 };
        let first = format!("{}/{}", rule.name, number + 1);
        firsts.entry(rule.name.clone()).or_insert(first);
    }
    firsts
}

/// The place of the file of the first event among those that a scenario can name.
fn first_file(events: &[&Event]) -> usize {
    let file = |event: &Event| event.file.clone().unwrap_or_else(|| event.path.clone());
    let named = events.iter().filter(|event| exactly(&[event]).is_some());
    let files: BTreeSet<String> = named.map(|event| file(event)).collect();
    let first = events.iter().min_by_key(|event| event.seq).map(|event| file(event));
    first.and_then(|first| files.iter().position(|one| *one == first)).unwrap_or(0)
}

/// One rule, as it was in one plan or several, with the events of it that can be given again.
struct Played<'a> {
    rule: Rule,
    events: Vec<&'a Event>,
    /// How many more there were.
    late: usize,
}

/// A plan of the mount.
struct Plan {
    generation: u64,
    rules: Vec<Rule>,
    /// The names of those in force; `None`: all.
    in_force: Option<Vec<String>>,
    reset: bool,
}

/// The plan of the header, and those that came after it.
fn plans(scenario: &Scenario, events: &[Event]) -> Result<Vec<Plan>, ReplayError> {
    let rules = scenario.rules.clone();
    let mut plans = vec![Plan { generation: 1, rules, in_force: None, reset: false }];
    for event in events {
        let Some((plan, generation)) = event.plan.as_ref().zip(event.arming.or(Some(1))) else {
            continue;
        };
        let bad = |_| ReplayError::BadPlan { seq: event.seq };
        let rules = Scenario::from_canonical(&plan.scenario).map_err(bad)?.rules;
        plans.retain(|plan| plan.generation != generation);
        let in_force = Some(plan.rules.clone());
        plans.push(Plan { generation, rules, in_force, reset: plan.reset });
    }
    Ok(plans)
}

impl Plan {
    /// Whether a rule counts on in it as it did before.
    fn goes_on(&self, rule: &Rule) -> bool {
        let in_force = self.in_force.as_ref().is_none_or(|names| names.contains(&rule.name));
        in_force && !self.reset && self.rules.contains(rule)
    }
}

fn played<'a>(scenario: &Scenario, events: &'a [Event]) -> Result<Vec<Played<'a>>, ReplayError> {
    let plans = plans(scenario, events)?;
    let mut played: Vec<Played<'a>> = Vec::new();
    for rule in plans.iter().flat_map(|plan| &plan.rules) {
        if played.iter().all(|known| known.rule != *rule) {
            played.push(Played { rule: rule.clone(), events: Vec::new(), late: 0 });
        }
    }
    let any = events.iter().any(|event| event.outcome == Outcome::Delivered);
    for event in events.iter().filter(|event| any && was_met(event)) {
        let generation = event.arming.unwrap_or(1);
        let plan = plans.iter().find(|plan| plan.generation == generation);
        let rule = plan.and_then(|plan| plan.rules.iter().find(|rule| rule.name == event.rule));
        let entry = rule.and_then(|rule| played.iter_mut().find(|one| one.rule == *rule));
        let Some(entry) = entry else {
            let (seq, rule) = (event.seq, event.rule.clone());
            return Err(ReplayError::UnknownRule { seq, rule });
        };
        let mut until = plans.iter().take_while(|plan| plan.generation <= generation);
        match is_stored(&entry.rule.fault) || until.all(|plan| plan.goes_on(&entry.rule)) {
            true => entry.events.push(event),
            false => entry.late += 1,
        }
    }
    Ok(played)
}

/// Whether the target met the fault. Also a region that changed nothing is replayed: where it lies
/// no other rule has its own.
fn was_met(event: &Event) -> bool {
    matches!(event.outcome, Outcome::Delivered | Outcome::Unchanged)
}

/// Whether the fault is a property of stored bytes, and not of one operation.
fn is_stored(fault: &Fault) -> bool {
    match fault {
        Fault::BitFlip(flip) => flip.persistence.is_stored(),
        Fault::Corrupt(corrupt) => corrupt.persistence.is_stored(),
        Fault::BadSector(_) => true,
        _ => false,
    }
}

// ---- damage of stored bytes: by file ------------------------------------------------------------

fn stored_rules(
    rule: &Rule,
    events: &[&Event],
    omitted: &mut Vec<String>,
) -> Result<Vec<Rule>, ReplayError> {
    let mut by_file: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let file = event.file.as_ref().unwrap_or(&event.path);
        by_file.entry(file).or_default().push(event);
    }
    let mut rules = Vec::new();
    for (file, events) in by_file {
        match exactly(&events) {
            Some(patterns) => rules.push(stored_rule(rule, patterns, &events)?),
            None => omitted.push(format!(
                "rule `{}`: a scenario cannot name the file `{file}`, whose name is not text",
                rule.name
            )),
        }
    }
    Ok(rules)
}

/// The rule on the paths that it was met on, and on all of them.
fn metadata_rules(rule: &Rule, events: &[&Event], omitted: &mut Vec<String>) -> Vec<Rule> {
    let mut paths = BTreeSet::new();
    for event in events {
        match exact_pattern(&event.path) {
            Some(pattern) => drop(paths.insert(pattern.text())),
            None => omitted.push(format!(
                "rule `{}`: a scenario cannot name the file `{}`, whose name is not text",
                rule.name, event.path
            )),
        }
    }
    let mut new = rule.clone();
    new.select.paths = paths.iter().filter_map(|path| PathPattern::new(path).ok()).collect();
    if let Fault::Metadata(metadata) = &mut new.fault {
        metadata.rate = 1.0;
    }
    if new.select.paths.is_empty() { Vec::new() } else { vec![new] }
}

fn stored_rule(
    rule: &Rule,
    paths: Vec<PathPattern>,
    events: &[&Event],
) -> Result<Rule, ReplayError> {
    let mut new = rule.clone();
    new.select.paths = paths;
    new.when = window(&rule.when);
    match &mut new.fault {
        Fault::BitFlip(flip) => flip.amount = BitAmount::At(positions(events)),
        Fault::Corrupt(corrupt) => corrupt_at(corrupt, rule, events)?,
        Fault::BadSector(bad) => bad.amount = SectorAmount::At(sectors(rule, events)?),
        _ => {}
    }
    Ok(new)
}

fn positions(events: &[&Event]) -> Vec<BitPosition> {
    let bits = events.iter().flat_map(|event| &event.bits);
    let positions: BTreeSet<_> = bits
        .map(|bit| BitPosition { byte: bit.byte, bit: bit.bit, generation: bit.generation })
        .collect();
    positions.into_iter().collect()
}

/// The regions that these events met. Their junk has the key that they name, so that it is the same
/// under another name of the rule.
fn corrupt_at(corrupt: &mut Corrupt, rule: &Rule, events: &[&Event]) -> Result<(), ReplayError> {
    let mut met = BTreeSet::new();
    for event in events {
        if event.regions.is_empty() {
            return Err(incomplete(rule, event, "its `regions`"));
        }
        for region in &event.regions {
            met.insert(region_position(rule, region));
            corrupt.content = content(rule, event, region)?;
        }
    }
    corrupt.amount = RegionAmount::At(met.into_iter().collect());
    Ok(())
}

/// Of a region that the selected bytes cut, a byte that is selected names it.
fn region_position(rule: &Rule, region: &Region) -> RegionPosition {
    let selected = rule.select.bytes.as_ref().map_or(0, |bytes| bytes.start);
    RegionPosition { byte: region.start.max(selected), generation: region.generation }
}

fn content(rule: &Rule, event: &Event, region: &Region) -> Result<Content, ReplayError> {
    Ok(match &region.content {
        RegionContent::Zero => Content::Zero,
        RegionContent::Byte(byte) => Content::Byte(*byte),
        RegionContent::Stale => Content::Stale,
        RegionContent::Junk(key) => {
            let key = u64::from_str_radix(key, 16);
            Content::Junk(Some(key.map_err(|_| incomplete(rule, event, "the key of its junk"))?))
        }
    })
}

fn sectors(rule: &Rule, events: &[&Event]) -> Result<Vec<u64>, ReplayError> {
    // Of a sector that the selected bytes cut, a byte that is selected names it.
    let selected = rule.select.bytes.as_ref().map_or(0, |bytes| bytes.start);
    let starts = events.iter().map(|event| match event.sector {
        Some((start, _)) => Ok(start.max(selected)),
        None => Err(incomplete(rule, event, "its `sector`")),
    });
    let starts: BTreeSet<_> = starts.collect::<Result<_, _>>()?;
    Ok(starts.into_iter().collect())
}

/// Patterns that match the paths under which these events saw their file, and no other path; not
/// the path that keys the damage, by which nobody may ever have read it. `None` if one is not text.
fn exactly(events: &[&Event]) -> Option<Vec<PathPattern>> {
    let paths: BTreeSet<_> = events.iter().map(|event| &*event.path).collect();
    paths.into_iter().map(exact_pattern).collect()
}

/// The pattern that matches this path (as ledgers write it) and no other; `None` if it is not text.
pub fn exact_pattern(escaped: &str) -> Option<PathPattern> {
    let path = String::from_utf8(unescape(escaped)?).ok()?;
    let mut glob = String::with_capacity(path.len());
    for (at, letter) in path.char_indices() {
        match letter {
            '?' | '*' | '[' | ']' | '{' | '}' => glob.extend(['[', letter, ']']),
            '\\' => glob.push_str("\\\\"),
            // A leading exclamation mark would exclude.
            '!' if at == 0 => glob.push_str("\\!"),
            letter => glob.push(letter),
        }
    }
    PathPattern::new(&glob).ok()
}

// ---- what was counted: by effect ----------------------------------------------------------------

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

fn counted_rules(rule: &Rule, events: &[&Event]) -> Result<Vec<Rule>, ReplayError> {
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

/// What is drawn at a cut has the name of the rule in it, which is another one.
fn draws_again(rule: &Rule, cut: &PowerCut) -> Option<String> {
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

/// The part of a trigger that says which operations are counted at all.
fn window(when: &When) -> When {
    When {
        after: when.after,
        for_: when.for_,
        cycle: when.cycle,
        after_event: when.after_event.clone(),
        ..When::default()
    }
}

fn incomplete(rule: &Rule, event: &Event, what: &'static str) -> ReplayError {
    ReplayError::Incomplete { seq: event.seq, rule: rule.name.clone(), what }
}
