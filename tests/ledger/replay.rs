//! Ledger to scenario, as data. That the same faults come again is shown on a real mount.

use std::time::Duration;

use errorfs::errno::Errno;
use errorfs::ledger::{Bit, Event, LostBytes, Outcome, Region, RegionContent, ReplayError, replay};
use errorfs::scenario::{
    BadSector, BitAmount, BitFlip, Content, Corrupt, Distribution, ErrorFault, Fault, Latency,
    Persistence, RegionAmount, RegionPosition, Rest, Rule, Scenario, SectorAmount, Select,
    TornWrite, When, WritePart,
};
use proptest::prelude::*;

use super::event;

fn scenario(fault: Fault, when: When) -> Scenario {
    let select = Select { bytes: Some(0..1 << 20), ..Select::default() };
    Scenario {
        name: Some("rot".into()),
        seed: None,
        presets: Vec::new(),
        rules: vec![Rule { name: "r".into(), domain: None, select, when, fault }],
    }
}

fn flips(persistence: Persistence) -> Fault {
    let amount = BitAmount::Rate(1e-7);
    Fault::BitFlip(BitFlip { amount, persistence })
}

fn bit(byte: u64, bit: u8, generation: u32) -> Bit {
    Bit { byte, bit, before: Some(0), after: Some(1 << bit), generation, id: "x".into() }
}

fn flipped(file: &str, bits: &[Bit]) -> Event {
    Event { path: file.into(), file: Some(file.into()), bits: bits.to_vec(), ..event("r") }
}

fn at(rule: &Rule) -> Vec<(u64, u8, u32)> {
    match &rule.fault {
        Fault::BitFlip(BitFlip { amount: BitAmount::At(at), .. }) => {
            at.iter().map(|at| (at.byte, at.bit, at.generation)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn sticky_damage_becomes_one_rule_a_file_with_every_bit_once() {
    let events = [
        flipped("b.sst", &[bit(9, 1, 0)]),
        flipped("a.sst", &[bit(8, 3, 0), bit(4, 7, 2)]),
        flipped("a.sst", &[bit(8, 3, 0)]),
        Event { outcome: Outcome::NeverRead, ..flipped("c.sst", &[bit(1, 1, 0)]) },
    ];
    let when =
        When { after: Some(Duration::from_secs(10)), probability: Some(0.5), ..When::default() };
    let scenario = scenario(flips(Persistence::Sticky), when);
    let replay = replay(&scenario, 42, &events).unwrap().scenario;
    assert_eq!(replay.seed, Some(42));
    assert_eq!(replay.name.as_deref(), Some("replay of rot"));
    let [a, b] = &replay.rules[..] else { panic!("{replay:?}") };
    assert_eq!((&*a.name, at(a)), ("r/1", vec![(4, 7, 2), (8, 3, 0)]));
    assert_eq!((&*b.name, at(b)), ("r/2", vec![(9, 1, 0)]));
    assert_eq!(a.select.paths[0].glob.glob(), "a.sst");
    assert_eq!(a.when.after, Some(Duration::from_secs(10)));
    assert_eq!(a.when.probability, None);
}

#[test]
fn damage_of_a_renamed_file_is_looked_for_under_the_names_that_it_had() {
    let renamed = Event { path: "x".into(), ..flipped("x.tmp", &[bit(9, 1, 0)]) };
    let scenario = scenario(flips(Persistence::Sticky), When::default());
    let replay = replay(&scenario, 1, &[renamed]).unwrap().scenario;
    let paths = &replay.rules[0].select.paths;
    assert_eq!(paths.len(), 1);
    assert_eq!(paths[0].glob.glob(), "x");
}

#[test]
fn every_replay_is_a_scenario_that_parses_to_itself() {
    let counted =
        |occurrence, bits: &[Bit]| Event { occurrence: Some(occurrence), ..flipped("a", bits) };
    let events = [
        counted(1, &[bit(1, 0, 0)]),
        counted(2, &[bit(1, 0, 0), bit(2, 0, 0)]),
        counted(9, &[bit(2, 0, 0)]),
        counted(12, &[bit(1, 0, 0)]),
    ];
    for persistence in [Persistence::Transient, Persistence::Permanent] {
        let scenario = scenario(flips(persistence), When::default());
        let replay = replay(&scenario, 1, &events).unwrap().scenario;
        let parsed = errorfs::scenario::parse(&replay.to_toml());
        assert_eq!(parsed.scenario, Some(replay), "{:?}", parsed.diagnostics);
    }
    let events =
        [flipped("!a", &[bit(1, 0, 0)]), flipped("b[1]\\\\{}", &[bit(1, 0, 0), bit(1, 0, 3)])];
    let scenario = scenario(flips(Persistence::Sticky), When::default());
    let replay = replay(&scenario, 1, &events).unwrap().scenario;
    let parsed = errorfs::scenario::parse(&replay.to_toml());
    assert_eq!(parsed.scenario, Some(replay), "{:?}", parsed.diagnostics);
}

#[test]
fn bad_sectors_become_the_sectors_that_were_met() {
    let sector = |start| Event {
        sector: Some((start, 512)),
        errno: Some("EIO".into()),
        ..flipped("a", &[])
    };
    let fault = Fault::BadSector(BadSector { amount: SectorAmount::Rate(0.1), sector: 512 });
    let events = [sector(1024), sector(512), sector(1024)];
    let scenario = scenario(fault, When::default());
    let replay = replay(&scenario, 1, &events).unwrap().scenario;
    let expected =
        Fault::BadSector(BadSector { amount: SectorAmount::At(vec![512, 1024]), sector: 512 });
    assert_eq!(replay.rules[0].fault, expected);
}

fn region(start: u64, junk: &str, generation: u32) -> Region {
    Region {
        start,
        len: 512,
        bytes: (start + 7, 9),
        content: RegionContent::Junk(junk.into()),
        changed: Some(9),
        hole: 0,
        before: None,
        after: None,
        generation,
        id: "x".into(),
    }
}

fn corrupt(amount: RegionAmount, content: Content, persistence: Persistence) -> Fault {
    Fault::Corrupt(Corrupt { content, amount, region: 512, persistence })
}

fn given(regions: &[(u64, u32)]) -> RegionAmount {
    let at =
        |(byte, generation): &(u64, u32)| RegionPosition { byte: *byte, generation: *generation };
    RegionAmount::At(regions.iter().map(at).collect())
}

#[test]
fn corrupt_regions_become_those_that_were_met_with_the_key_of_their_junk() {
    let met =
        |file: &str, regions: &[Region]| Event { regions: regions.to_vec(), ..flipped(file, &[]) };
    let fault = corrupt(RegionAmount::Rate(0.1), Content::Junk(None), Persistence::Sticky);
    let (one, other) = ("00000000000000ab", "ffffffffffffffff");
    let events = [
        met("b", &[region(1_024, other, 0)]),
        met("a", &[region(512, one, 1), region(512, one, 0)]),
        Event { outcome: Outcome::Unchanged, ..met("a", &[region(4_096, one, 0)]) },
        Event { outcome: Outcome::Repaired, ..met("a", &[region(8_192, one, 0)]) },
    ];
    let replay = replay(&scenario(fault, When::default()), 1, &events).unwrap().scenario;
    let [a, b] = &replay.rules[..] else { panic!("{replay:?}") };
    let sticky = |at, key| corrupt(at, Content::Junk(Some(key)), Persistence::Sticky);
    assert_eq!(a.fault, sticky(given(&[(512, 0), (512, 1), (4_096, 0)]), 0xab));
    assert_eq!(b.fault, sticky(given(&[(1_024, 0)]), u64::MAX));
    let parsed = errorfs::scenario::parse(&replay.to_toml());
    assert_eq!(parsed.scenario, Some(replay), "{:?}", parsed.diagnostics);
}

#[test]
fn transient_regions_keep_their_occurrences_and_their_own_junk() {
    let met = |occurrence, regions: &[Region]| Event {
        occurrence: Some(occurrence),
        regions: regions.to_vec(),
        ..event("r")
    };
    let fault = corrupt(RegionAmount::Count(2), Content::Junk(None), Persistence::Transient);
    let (one, other) = ("00000000000000ab", "00000000000000cd");
    let events = [
        met(9, &[region(512, other, 0)]),
        met(4, &[region(512, one, 0)]),
        met(4, &[region(1_024, one, 0)]),
    ];
    let replay = replay(&scenario(fault, When::default()), 1, &events).unwrap().scenario;
    let [first, second] = &replay.rules[..] else { panic!("{replay:?}") };
    let once = |at, key| corrupt(at, Content::Junk(Some(key)), Persistence::Transient);
    assert_eq!(
        (&*first.when.nth, &first.fault),
        (&[4][..], &once(given(&[(512, 0), (1_024, 0)]), 0xab))
    );
    assert_eq!((&*second.when.nth, &second.fault), (&[9][..], &once(given(&[(512, 0)]), 0xcd)));
}

#[test]
fn delays_become_one_rule_for_each_delay_that_counts_the_same_operations() {
    let delayed =
        |occurrence, ns| Event { occurrence: Some(occurrence), delay_ns: Some(ns), ..event("r") };
    let window = When {
        after: Some(Duration::from_secs(1)),
        for_: Some(Duration::from_secs(60)),
        ..When::default()
    };
    let when = When { probability: Some(0.1), every: Some(2), times: Some(9), ..window.clone() };
    let lognormal = Distribution::Lognormal { median: Duration::from_millis(20), sigma: 1.2 };
    let fault = Fault::Latency(Latency { distribution: lognormal, step: None });
    let original = scenario(fault, when);
    let events = [delayed(4, 500), delayed(2, 777), delayed(12, 500)];
    let replay = replay(&original, 1, &events).unwrap().scenario;
    let expected = |name: &str, nth: &[u64], ns| Rule {
        name: name.into(),
        domain: None,
        select: original.rules[0].select.clone(),
        when: When { nth: nth.to_vec(), ..window.clone() },
        fault: Fault::Latency(Latency {
            distribution: Distribution::Constant(Duration::from_nanos(ns)),
            step: None,
        }),
    };
    // The second rule does not see the operation that the first delays.
    let rules = [expected("r/1", &[2], 777), expected("r/2", &[3, 11], 500)];
    assert_eq!(replay.rules, rules);
}

#[test]
fn errors_keep_their_occurrences() {
    let failed = |occurrence| Event {
        occurrence: Some(occurrence),
        errno: Some("ENOSPC".into()),
        ..event("r")
    };
    let errno = Errno::ENOSPC;
    let scenario = scenario(Fault::Error(ErrorFault { errno }), When::default());
    let replay = replay(&scenario, 1, &[failed(3), failed(9)]).unwrap().scenario;
    assert_eq!(replay.rules.len(), 1);
    assert_eq!(replay.rules[0].when.nth, [3, 9]);
}

#[test]
fn the_bits_of_one_operation_stay_together_however_many_events_they_took() {
    let part = |bits: &[Bit]| Event { occurrence: Some(5), ..flipped("a", bits) };
    let events = [part(&[bit(1, 0, 0)]), part(&[bit(2, 0, 0)])];
    let scenario = scenario(flips(Persistence::Transient), When::default());
    let replay = replay(&scenario, 1, &events).unwrap().scenario;
    assert_eq!(replay.rules.len(), 1);
    assert_eq!(at(&replay.rules[0]), [(1, 0, 0), (2, 0, 0)]);
    assert_eq!(replay.rules[0].when.nth, [5]);
}

#[test]
fn an_event_that_does_not_fit_the_scenario_is_an_error() {
    let scenario = scenario(flips(Persistence::Transient), When::default());
    let unknown = replay(&scenario, 1, &[event("other")]).unwrap_err();
    assert!(matches!(unknown, ReplayError::UnknownRule { .. }));
    let uncounted = replay(&scenario, 1, &[flipped("a", &[bit(1, 0, 0)])]).unwrap_err();
    assert!(matches!(uncounted, ReplayError::Incomplete { .. }));
}

#[test]
fn a_file_whose_name_is_not_text_is_told_and_never_widened() {
    let events = [flipped("a\\xFF", &[bit(1, 0, 0)])];
    let scenario = scenario(flips(Persistence::Sticky), When::default());
    let replay = replay(&scenario, 1, &events).unwrap();
    assert!(replay.scenario.rules.is_empty());
    assert_eq!(replay.omitted.len(), 1);
}

proptest! {
    #[test]
    fn the_pattern_of_a_file_matches_that_file_and_no_other(
        path in "[ab?*{},!\\[\\]\\\\^-]{1,8}",
        other in "[ab?*{},!\\[\\]\\\\^-]{1,8}",
    ) {
        let escaped = errorfs::ledger::escape(path.as_bytes());
        let scenario = scenario(flips(Persistence::Sticky), When::default());
        let events = [flipped(&escaped, &[bit(1, 0, 0)])];
        let replay = replay(&scenario, 1, &events).unwrap().scenario;
        let pattern = &replay.rules[0].select.paths[0];
        prop_assert!(!pattern.exclude && !pattern.text().starts_with('!'));
        let matcher = pattern.glob.compile_matcher();
        prop_assert!(matcher.is_match(&path));
        prop_assert_eq!(matcher.is_match(&other), path == other);
    }
}

#[test]
fn a_torn_write_becomes_the_same_tear_and_what_became_of_it_nothing() {
    let part = |at| WritePart::Block { size: 4096, at };
    let torn = |keep, at| Fault::TornWrite(TornWrite { keep, rest: Rest::Zero, part: part(at) });
    let lost = |op: &str, start, keep, occurrence| {
        let (changed, before, after) = (Some(1), None, None);
        let bytes = (start, 100);
        let lost = vec![LostBytes {
            bytes,
            keep,
            to: None,
            from: None,
            changed,
            before,
            after,
            id: "x".into(),
        }];
        Event { op: op.into(), lost, occurrence, ..event("r") }
    };
    let events = [
        lost("write", 9_000, Some(3), Some(2)),
        lost("read", 9_000, Some(3), None),
        Event { outcome: Outcome::Repaired, ..lost("write", 9_000, Some(3), None) },
        Event { outcome: Outcome::Skipped, lost: vec![], ..lost("write", 0, None, Some(3)) },
        lost("write", 500, Some(1), Some(4)),
        lost("write", 9_000, Some(3), Some(7)),
    ];
    let when = When { probability: Some(0.5), ..When::default() };
    let replay = replay(&scenario(torn(None, None), when), 1, &events).unwrap().scenario;
    let rules: Vec<_> = replay.rules.iter().map(|rule| (&rule.fault, &*rule.when.nth)).collect();
    assert_eq!(
        rules,
        [(&torn(Some(3), Some(9_000)), &[2, 7][..]), (&torn(Some(1), Some(500)), &[4][..])]
    );
}
