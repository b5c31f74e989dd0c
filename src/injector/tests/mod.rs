//! What a plan in force answers: order, counting, places, generations, identity.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::errno::Errno;
use crate::media::{FileKey, Media, Medium};
use crate::op::{Caller, Op, OpKind, OpSet};
use crate::plan::{Decision, Placement, Plan, RuleId, Surveyed, compile};
use crate::scenario::{
    self, BadSector, BitAmount, BitFlip, BitPosition, Distribution, ErrorFault, Fault, Latency,
    Persistence, Rule, Scenario, SectorAmount, Select, When,
};

mod order;

fn rule(name: &str, fault: Fault, when: When) -> Rule {
    let select = Select::default();
    Rule { name: name.to_owned(), domain: None, select, when, fault }
}

fn error(errno: Errno) -> Fault {
    Fault::Error(ErrorFault { errno })
}

fn flips(amount: BitAmount, persistence: Persistence) -> Fault {
    Fault::BitFlip(BitFlip { amount, persistence })
}

fn late(milliseconds: u64) -> Fault {
    let distribution = Distribution::Constant(Duration::from_millis(milliseconds));
    Fault::Latency(Latency { distribution, step: None })
}

fn bad(amount: SectorAmount) -> Fault {
    Fault::BadSector(BadSector { amount, sector: 512 })
}

fn at(byte: u64, bit: u8) -> BitPosition {
    BitPosition { byte, bit, generation: 0 }
}

fn nth(n: u64) -> When {
    When { nth: vec![n], ..When::default() }
}

fn plan(rules: Vec<Rule>) -> Plan {
    let scenario = Scenario { name: None, seed: None, presets: Vec::new(), rules };
    compile(&scenario, 7, "", b"")
}

fn arm(rules: Vec<Rule>) -> Armed {
    Armed::new(plan(rules), Placement::default())
}

fn op(kind: OpKind, offset: u64, len: u64) -> Op {
    Op::new(kind, offset, len, Caller::default())
}

/// One operation on the file `f`.
fn ask(armed: &Armed, medium: Option<&Medium>, kind: OpKind, offset: u64, len: u64) -> Decision {
    ask_on(armed, medium, Path::new("f"), op(kind, offset, len))
}

fn ask_on(armed: &Armed, medium: Option<&Medium>, path: &Path, op: Op) -> Decision {
    let selection = armed.select(path);
    let target = Target { selection: &selection, path, origin: path, medium };
    armed.decide(&op, &target, Duration::ZERO)
}

fn read(armed: &Armed, medium: &Medium, offset: u64, len: u64) -> Decision {
    ask(armed, Some(medium), OpKind::Read, offset, len)
}

fn bits(decision: &Decision) -> Vec<(u64, u8, u16)> {
    let flips = decision.flips.iter();
    flips.map(|flip| (flip.byte, flip.bit, flip.rule.0)).collect()
}

#[test]
fn an_operation_that_fails_uses_up_no_times_of_damage() {
    let once = When { times: Some(1), ..When::default() };
    let armed = arm(vec![
        rule("fail", error(Errno::EIO), nth(1)),
        rule("flip", flips(BitAmount::Count(1), Persistence::Transient), once),
    ]);
    let counts: Vec<usize> =
        (0..4).map(|_| ask(&armed, None, OpKind::Read, 0, 100).flips.len()).collect();
    assert_eq!(counts, [0, 1, 0, 0]);
}

#[test]
fn the_first_rule_wins_a_bit() {
    let armed = arm(vec![
        rule("a", flips(BitAmount::At(vec![at(3, 1)]), Persistence::Permanent), When::default()),
        rule(
            "b",
            flips(BitAmount::At(vec![at(3, 1), at(2, 0)]), Persistence::Sticky),
            When::default(),
        ),
    ]);
    let decision = read(&armed, &Medium::default(), 0, 100);
    assert_eq!(bits(&decision), [(2, 0, 1), (3, 1, 0)]);
}

#[test]
fn overwriting_repairs_exactly_the_bytes_overwritten() {
    let armed =
        arm(vec![rule("rot", flips(BitAmount::Rate(1e-3), Persistence::Sticky), When::default())]);
    let medium = Medium::default();
    let before = bits(&read(&armed, &medium, 0, 8_192));
    medium.written(1_000..3_000, 8_192);
    let after = bits(&read(&armed, &medium, 0, 8_192));
    let outside = |bits: &[(u64, u8, u16)]| -> Vec<_> {
        bits.iter().copied().filter(|(byte, ..)| !(1_000..3_000).contains(byte)).collect()
    };
    assert_eq!(outside(&before), outside(&after));
    assert_ne!(before, after);
}

#[test]
fn bytes_restrict_damage_and_operations() {
    let mut rot = rule("rot", flips(BitAmount::Rate(1.0), Persistence::Sticky), When::default());
    rot.select.bytes = Some(10..12);
    let armed = arm(vec![rot]);
    assert_eq!(read(&armed, &Medium::default(), 0, 100).flips.len(), 16);
    assert_eq!(read(&armed, &Medium::default(), 11, 100).flips.len(), 8);
    assert_eq!(read(&armed, &Medium::default(), 12, 100).flips.len(), 0);
    assert_eq!(armed.counts(RuleId(0)).matched, 2);
}

#[test]
fn a_bad_sector_stops_reads_at_it_and_hides_the_bits_behind() {
    let armed = arm(vec![
        rule("rot", flips(BitAmount::Rate(1.0), Persistence::Sticky), When::default()),
        rule("lse", bad(SectorAmount::At(vec![5_000, 1_030])), When::default()),
    ]);
    let decision = read(&armed, &Medium::default(), 1_020, 9_000);
    assert_eq!(decision.unreadable.as_ref().map(|u| u.sector.clone()), Some(1_024..1_536));
    assert!(decision.flips.iter().all(|flip| flip.byte < 1_024));
    assert_eq!(decision.flips.len(), 32);
    assert!(read(&armed, &Medium::default(), 0, 1_024).unreadable.is_none());
}

#[test]
fn a_bad_sector_refuses_partial_writes_and_is_repaired_by_whole_ones() {
    let armed = arm(vec![rule("lse", bad(SectorAmount::At(vec![512])), When::default())]);
    let medium = Medium::default();
    let write = |offset, len| ask(&armed, Some(&medium), OpKind::Write, offset, len).unreadable;
    assert_eq!(write(600, 10).map(|u| u.sector), Some(512..1_024));
    assert!(write(0, 700).is_some() && write(0, 512).is_none());
    assert!(write(512, 512).is_none() && write(100, 2_000).is_none());
    medium.written(512..1_024, 4_096);
    assert!(read(&armed, &medium, 0, 4_096).is_clean());
    assert!(write(600, 10).is_none());
}

#[test]
fn a_write_to_the_end_of_the_file_covers_its_last_sector() {
    let armed = arm(vec![rule("lse", bad(SectorAmount::At(vec![0])), When::default())]);
    let medium = Medium::default();
    let write = |len| ask(&armed, Some(&medium), OpKind::Write, 0, len).unreadable;
    assert!(write(100).is_some(), "nobody said how long the file is");
    medium.set_len(100);
    assert!(write(99).is_some() && write(100).is_none());
    medium.written(0..100, 100);
    medium.written(100..300, 100);
    assert!(read(&armed, &medium, 0, 300).is_clean(), "an append does not bring it back");
}

#[test]
fn an_operation_without_bytes_meets_no_bad_sector() {
    let armed = arm(vec![rule("lse", bad(SectorAmount::Rate(1.0)), When::default())]);
    let medium = Medium::default();
    for overwritten in [false, true] {
        assert!(read(&armed, &medium, 700, 0).is_clean(), "at the end of the file");
        assert!(ask(&armed, Some(&medium), OpKind::Write, 700, 0).is_clean());
        assert!(!read(&armed, &medium, 700, 1).is_clean());
        if !overwritten {
            medium.written(0..100, 9_000);
        }
    }
}

#[test]
fn damage_tells_without_counting() {
    let armed = arm(vec![
        rule("rot", flips(BitAmount::At(vec![at(3, 1)]), Persistence::Sticky), nth(9)),
        rule("lse", bad(SectorAmount::Rate(1.0)), When::default()),
        rule("once", flips(BitAmount::Count(1), Persistence::Transient), When::default()),
    ]);
    let path = Path::new("f");
    let medium = Medium::default();
    let target =
        Target { selection: &armed.select(path), path, origin: path, medium: Some(&medium) };
    let damage = armed.damage(0..2_048, &target);
    assert_eq!((damage.flips.len(), damage.unreadable.len()), (1, 4));
    assert_eq!(armed.counts(RuleId(0)), Counts::default());
}

#[test]
fn renamed_files_keep_their_damage_by_their_origin() {
    let armed =
        arm(vec![rule("rot", flips(BitAmount::Rate(1e-3), Persistence::Sticky), When::default())]);
    let selection = armed.select(Path::new("new"));
    let look = |path: &str, origin: &str| {
        let target = Target {
            selection: &selection,
            path: Path::new(path),
            origin: Path::new(origin),
            medium: Some(&Medium::default()),
        };
        bits(&armed.decide(&op(OpKind::Read, 0, 9_000), &target, Duration::ZERO))
    };
    assert_eq!(look("old", "old"), look("new", "old"));
    assert_ne!(look("old", "old"), look("new", "new"));
}

/// "`probability` is drawn for each path by itself: the k-th occurrence on one path gets the same
/// answer in every run with the same seed, whatever happens on other paths meanwhile."
#[test]
fn latency_and_probability_follow_the_path_and_not_the_traffic_elsewhere() {
    let half = When { probability: Some(0.5), ..When::default() };
    let uniform = Fault::Latency(Latency {
        distribution: Distribution::Uniform { from: Duration::ZERO, to: Duration::from_secs(1) },
        step: None,
    });
    let rules = || vec![rule("slow", uniform.clone(), half.clone())];
    let delays = |armed: &Armed, noise: bool| -> Vec<_> {
        (0..40)
            .map(|_| {
                if noise {
                    ask_on(armed, None, Path::new("g"), op(OpKind::Read, 0, 1));
                }
                ask(armed, None, OpKind::Read, 0, 1).delay.map(|delay| delay.by)
            })
            .collect()
    };
    assert_eq!(delays(&arm(rules()), false), delays(&arm(rules()), true));
    let fired = delays(&arm(rules()), false).iter().flatten().count();
    assert!((5..35).contains(&fired));
}

/// "An **occurrence** is an operation that the rule selects, while `after`, `for`, `cycle` and
/// `after_event` hold."
#[test]
fn the_time_window_is_not_counted_outside() {
    let window = When {
        nth: vec![1],
        after: Some(Duration::from_secs(10)),
        for_: Some(Duration::from_secs(60)),
        ..When::default()
    };
    let armed = arm(vec![rule("fail", error(Errno::EIO), window)]);
    let selection = armed.select(Path::new("f"));
    let target = Target {
        selection: &selection,
        path: Path::new("f"),
        origin: Path::new("f"),
        medium: None,
    };
    let fails = |seconds| {
        let now = Duration::from_secs(seconds);
        armed.decide(&op(OpKind::Open, 0, 0), &target, now).failure.is_some()
    };
    assert_eq!([9, 10, 11, 70].map(fails), [false, true, false, false]);
    assert_eq!(armed.counts(RuleId(0)).matched, 2);
}

#[test]
fn a_rule_that_waits_for_another_counts_from_the_next_operation_on() {
    let once = nth(2);
    let waiting = When { after_event: Some("first".into()), nth: vec![1], ..When::default() };
    let armed = arm(vec![rule("second", late(5), waiting), rule("first", error(Errno::EIO), once)]);
    let selection = armed.select(Path::new("f"));
    let path = Path::new("f");
    let target = Target { selection: &selection, path, origin: path, medium: None };
    let asked = |ms| {
        let decision = armed.decide(&op(OpKind::Open, 0, 0), &target, Duration::from_millis(ms));
        (decision.failure.is_some(), decision.delay.is_some())
    };
    let answers = [1, 2, 3, 4].map(asked);
    assert_eq!(answers, [(false, false), (true, false), (false, true), (false, false)]);
    assert_eq!(armed.counts(RuleId(0)).matched, 2, "only what came after");
}

#[test]
fn selections_say_what_the_data_needs() {
    let access = |fault: &Fault, when: When, ops: Option<OpSet>| {
        let mut rule = rule("r", fault.clone(), when);
        rule.select.ops = ops;
        let selection = arm(vec![rule]).select(Path::new("f"));
        (selection.access, selection.medium)
    };
    let sticky = flips(BitAmount::Rate(1e-9), Persistence::Sticky);
    let timed = When { after: Some(Duration::from_secs(1)), ..When::default() };
    let open = Some(OpSet::EMPTY.with(OpKind::Open));
    let always = When::default;
    assert_eq!(access(&sticky, always(), None), (DataAccess::Sticky, true));
    assert_eq!(access(&sticky, timed, None), (DataAccess::Counted, true));
    let transient = flips(BitAmount::Count(1), Persistence::Transient);
    assert_eq!(access(&transient, always(), None), (DataAccess::Counted, false));
    let sector = bad(SectorAmount::Rate(0.1));
    assert_eq!(access(&sector, always(), None), (DataAccess::Counted, true));
    assert_eq!(access(&error(Errno::EIO), always(), open), (DataAccess::Untouched, false));
    assert_eq!(access(&error(Errno::EIO), always(), None), (DataAccess::Counted, false));
    let never = flips(BitAmount::Rate(0.0), Persistence::Sticky);
    assert_eq!(access(&never, always(), None), (DataAccess::Untouched, false));
}

fn surveyed(path: &str, len: u64) -> Surveyed {
    Surveyed { path: PathBuf::from(path), len, dev: 1, ino: 1 }
}

#[test]
fn a_count_is_placed_exactly_over_the_files_and_only_in_the_selected_bytes() {
    let mut rot = rule("rot", flips(BitAmount::Count(50), Persistence::Sticky), When::default());
    rot.select.bytes = Some(100..110);
    let plan = plan(vec![rot]);
    let files = [surveyed("a", 105), surveyed("b", 50), surveyed("c", 4_000)];
    let placement = plan.place(&files).unwrap();
    let of = |path| placement.of(RuleId(0), Path::new(path)).map_or(0, |placed| placed.bits.len());
    assert_eq!(of("a") + of("c"), 50);
    assert!(of("a") > 0 && of("c") > 0 && of("b") == 0);
    let error = plan.place(&files[..2]).unwrap_err();
    assert_eq!((error.wanted, error.found, error.files), (50, 40, 2));
    let armed = Armed::new(plan, placement);
    let decision =
        ask_on(&armed, Some(&Medium::default()), Path::new("c"), op(OpKind::Read, 0, 4_000));
    assert!(decision.flips.iter().all(|flip| (100..110).contains(&flip.byte)));
}

#[test]
fn bad_sectors_are_placed_over_whole_and_partial_sectors() {
    let plan = plan(vec![rule("lse", bad(SectorAmount::Count(3)), When::default())]);
    let placement = plan.place(&[surveyed("a", 513), surveyed("b", 1)]).unwrap();
    let of = |path| placement.of(RuleId(0), Path::new(path)).unwrap().sectors.clone();
    assert_eq!((of("a"), of("b")), (vec![0, 1], vec![0]));
    assert!(plan.place(&[surveyed("a", 1_024)]).is_err());
}

#[test]
fn files_born_later_have_no_part_in_a_count() {
    let plan =
        plan(vec![rule("rot", flips(BitAmount::Count(8), Persistence::Sticky), When::default())]);
    let placement = plan.place(&[surveyed("f", 1)]).unwrap();
    let armed = Armed::new(plan, placement);
    assert_eq!(read(&armed, &Medium::default(), 0, 1).flips.len(), 8);
    let media = Media::default();
    let key = FileKey { dev: 1, ino: 1, birth: 0 };
    media.born(key, 1);
    assert!(read(&armed, &media.medium(key), 0, 1).is_clean());
}

/// Alone and in release; an absolute time says nothing on a machine that others share.
#[test]
#[ignore = "a measurement: cargo test --release --lib -- --ignored --nocapture ten_rules"]
fn ten_rules_that_do_not_fire_cost_little() {
    let never_yet = || nth(u64::MAX);
    let mut rules: Vec<Rule> =
        (0..8).map(|n| rule(&format!("e{n}"), error(Errno::EIO), never_yet())).collect();
    let seldom = When { probability: Some(1e-15), ..When::default() };
    rules.push(rule("p", late(1), seldom));
    let rot = scenario::Fault::BitFlip(BitFlip {
        amount: BitAmount::Rate(1e-15),
        persistence: Persistence::Sticky,
    });
    rules.push(rule("rot", rot, When::default()));
    let armed = arm(rules);
    let medium = Medium::default();
    let path = Path::new("some/where/in/a/tree/table-000123.sst");
    let selection = armed.select(path);
    let target = Target { selection: &selection, path, origin: path, medium: Some(&medium) };
    let start = Instant::now();
    let rounds = 20_000_u64;
    for round in 0..rounds {
        let decision =
            armed.decide(&op(OpKind::Read, round * 4_096, 4_096), &target, Duration::ZERO);
        assert!(decision.is_clean());
    }
    let each = start.elapsed() / rounds as u32;
    println!("decide with 10 matching rules: {each:?}");
    assert!(each < Duration::from_nanos(500), "{each:?}");
}

#[test]
fn arming_replaces_and_disarming_returns_to_passthrough() {
    let injector = Injector::default();
    assert!(injector.current().is_none() && injector.generation() == 0);
    let first = injector.arm(arm(Vec::new()));
    let second = injector.arm(arm(Vec::new()));
    assert_ne!(first.generation(), second.generation());
    assert_eq!(injector.generation(), second.generation());
    let third = injector.arm(second.with_in_force(Duration::ZERO, |_| false));
    assert!(!third.is_in_force() && third.ops().is_empty());
}

#[test]
fn stored_damage_follows_the_file_and_other_rules_follow_the_name() {
    let only_sst = |mut rule: Rule| {
        let glob = globset::Glob::new("*.sst").unwrap();
        rule.select.paths = vec![scenario::PathPattern { glob, exclude: false }];
        rule
    };
    let rot = flips(BitAmount::Rate(1e-3), Persistence::Sticky);
    let armed = arm(vec![
        only_sst(rule("fail", error(Errno::EIO), nth(9))),
        only_sst(rule("rot", rot, When::default())),
    ]);
    let medium = Medium::default();
    let chosen = |path: &str, origin: &str| {
        let [path, origin] = [path, origin].map(Path::new);
        let selection = armed.select_file(path, origin, Some(&medium));
        selection.rules.iter().map(|rule| rule.0).collect::<Vec<_>>()
    };
    assert_eq!(chosen("a.bak", "a.sst"), [1], "renamed away");
    assert_eq!(chosen("a.sst", "a.bak"), [0], "renamed into");
    assert_eq!(chosen("x", "x"), [0_u16; 0]);
    let before =
        bits(&ask_on(&armed, Some(&medium), Path::new("x.sst"), op(OpKind::Read, 0, 9_000)));
    assert_eq!(chosen("x", "x"), [1], "born as x.sst, looked at, renamed");
    let [path, origin] = [Path::new("x"), Path::new("x")];
    let target = Target {
        selection: &armed.select_file(path, origin, Some(&medium)),
        path,
        origin,
        medium: Some(&medium),
    };
    let after = armed.decide(&op(OpKind::Read, 0, 9_000), &target, Duration::ZERO);
    assert_eq!(bits(&after), before);
    assert_eq!(armed.identity(RuleId(1), &target).as_deref(), Some(Path::new("x.sst")));
    assert_eq!(armed.identity(RuleId(0), &target), None);
}
