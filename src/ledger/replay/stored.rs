//! Damage of stored bytes, by file: one rule a file, with the places that were met.

use std::collections::{BTreeMap, BTreeSet};

use super::{ReplayError, incomplete, window};
use crate::ledger::{Event, Region, RegionContent, unescape};
use crate::scenario::{
    BitAmount, BitPosition, Content, Corrupt, Fault, PathPattern, RegionAmount, RegionPosition,
    Rule, SectorAmount,
};

/// The place of the file of the first event among those that a scenario can name.
pub(super) fn first_file(events: &[&Event]) -> usize {
    let file = |event: &Event| event.file.clone().unwrap_or_else(|| event.path.clone());
    let named = events.iter().filter(|event| exactly(&[event]).is_some());
    let files: BTreeSet<String> = named.map(|event| file(event)).collect();
    let first = events.iter().min_by_key(|event| event.seq).map(|event| file(event));
    first.and_then(|first| files.iter().position(|one| *one == first)).unwrap_or(0)
}

pub(super) fn stored_rules(
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
pub(super) fn metadata_rules(
    rule: &Rule,
    events: &[&Event],
    omitted: &mut Vec<String>,
) -> Vec<Rule> {
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

pub(super) fn positions(events: &[&Event]) -> Vec<BitPosition> {
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
pub(super) fn region_position(rule: &Rule, region: &Region) -> RegionPosition {
    let selected = rule.select.bytes.as_ref().map_or(0, |bytes| bytes.start);
    RegionPosition { byte: region.start.max(selected), generation: region.generation }
}

pub(super) fn content(rule: &Rule, event: &Event, region: &Region) -> Result<Content, ReplayError> {
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
