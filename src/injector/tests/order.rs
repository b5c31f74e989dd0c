//! In which order kinds of fault are decided, and what each hides from the others.

use super::*;

/// "Rules are tried in the order of the file."
#[test]
fn the_first_error_that_fires_hides_the_operation_from_later_ones() {
    let armed = arm(vec![
        rule("second", error(Errno::EIO), nth(2)),
        rule("all", error(Errno::ENOSPC), When::default()),
        rule("last", error(Errno::EROFS), When::default()),
    ]);
    let errnos: Vec<Errno> = (0..3)
        .filter_map(|_| ask(&armed, None, OpKind::Write, 0, 1).failure)
        .map(|failure| failure.errno)
        .collect();
    assert_eq!(errnos, [Errno::ENOSPC, Errno::EIO, Errno::ENOSPC]);
    let matched = [0, 1, 2].map(|id| armed.counts(RuleId(id)).matched);
    assert_eq!(matched, [3, 2, 0]);
}

/// "Waits add up, and compose with everything: an operation can be late and fail, or be late and
/// lie."
#[test]
fn a_delay_composes_with_a_failure_and_damage_does_not() {
    let armed = arm(vec![
        rule("rot", flips(BitAmount::Rate(1.0), Persistence::Sticky), When::default()),
        rule("slow", late(5), When::default()),
        rule("slower", late(50), When::default()),
        rule("fail", error(Errno::EIO), When::default()),
    ]);
    let decision = read(&armed, &Medium::default(), 0, 10);
    assert_eq!(decision.delay.map(|delay| delay.by), Some(Duration::from_millis(5)));
    assert!(decision.failure.is_some() && decision.flips.is_empty());
    assert_eq!(armed.counts(RuleId(0)), Counts { matched: 1, considered: 1, fired: 0 });
    assert_eq!(armed.counts(RuleId(2)).matched, 0);
}

/// "Of the rules with `latency`, the first that fires decides the delay, of those with `stall` the
/// stall, of those with `throughput` the wait for its turn; of the rules with `error`, `kill`,
/// `dead`, `readonly` or `power_cut`, the first that fires, or that has and holds, decides the
/// error (`metadata` comes after them: what fails tells nothing, and several of them each tell
/// theirs), and so it is with `fsync`; the later ones are then not asked, and do not count the
/// occurrence."
#[test]
fn waits_of_each_kind_add_up_and_the_first_of_a_kind_is_the_one() {
    let stall = |for_| Fault::Stall(scenario::Stall { for_ });
    let armed = arm(vec![
        rule("hang", stall(None), nth(1)),
        rule("slow", late(5), When::default()),
        rule("hang for a while", stall(Some(Duration::from_secs(1))), When::default()),
    ]);
    let [first, second] = [0, 0].map(|_| ask(&armed, None, OpKind::Fsync, 0, 0));
    assert_eq!(first.stall.map(|stall| (stall.rule.0, stall.by)), Some((0, None)));
    assert_eq!(second.stall.map(|stall| (stall.rule.0, stall.occurrence)), Some((2, 1)));
    assert!(first.delay.is_some() && second.delay.is_some());
}

#[test]
fn what_a_device_that_is_gone_fails_is_no_fire_and_later_failures_do_not_count_it() {
    let gone =
        scenario::Dead { errno: Errno::ENXIO, for_: Some(Duration::from_secs(9)), flap: None };
    let armed = arm(vec![
        rule("gone", Fault::Dead(gone), nth(2)),
        rule("fail", error(Errno::EIO), When::default()),
    ]);
    let failures = [OpKind::Read, OpKind::Write, OpKind::Lookup, OpKind::Release];
    let failures = failures.map(|kind| ask(&armed, None, kind, 0, 1).failure);
    let failures = failures.map(|failure| failure.map(|one| (one.rule.0, one.occurrence)));
    assert_eq!(failures, [Some((1, 1)), Some((0, 2)), Some((0, 0)), None]);
    assert_eq!(armed.counts(RuleId(0)), Counts { matched: 2, considered: 1, fired: 1 });
    let selection = armed.select(Path::new("f"));
    let path = Path::new("f");
    let target = Target { selection: &selection, path, origin: path, medium: None };
    let later = armed.decide(&op(OpKind::Read, 0, 1), &target, Duration::from_secs(10));
    assert_eq!(later.failure.map(|failure| failure.rule.0), Some(1), "it is over");
}

/// "What is too small for that is not short, and the rule does not fire."
#[test]
fn what_is_too_small_to_be_short_uses_up_no_times() {
    let short = scenario::Short { length: scenario::ShortLength::Keep(0.5), multiple: 1 };
    let once = When { times: Some(1), ..When::default() };
    let armed = arm(vec![rule("short", Fault::Short(short), once)]);
    let moved = [1, 100, 100].map(|len| ask(&armed, None, OpKind::Write, 0, len).short);
    assert_eq!(moved.map(|short| short.map(|short| short.len)), [None, Some(50), None]);
    let cached = Op { cached: true, ..op(OpKind::Read, 0, 100) };
    assert!(ask_on(&armed, None, Path::new("f"), cached).is_clean());
    assert_eq!(armed.counts(RuleId(0)).matched, 3, "the kernel's own are not counted");
}

#[test]
fn the_first_limit_that_looks_at_a_transfer_has_it_wait_and_failures_wait_for_nothing() {
    let limit = |per_second| Fault::Throughput(scenario::Throughput { per_second, burst: 0 });
    let armed = arm(vec![
        rule("fail", error(Errno::EIO), nth(2)),
        rule("thin", limit(1_000), When::default()),
        rule("thinner", limit(10), When::default()),
    ]);
    let waits = [(); 3].map(|()| ask(&armed, None, OpKind::Write, 0, 100).queue);
    let waits = waits.map(|wait| wait.map(|wait| (wait.rule.0, wait.by.as_millis())));
    assert_eq!(waits, [Some((1, 100)), None, Some((1, 200))]);
    assert_eq!(armed.counts(RuleId(2)).matched, 0);
}

/// The order in which kinds are decided for one operation, whatever the order of the file. "Of the
/// rules with `short`, the first that fires decides how much is moved, of an operation that does
/// not fail; damage is then that of the bytes that are moved."
#[test]
fn waits_then_the_failure_then_the_length_then_damage_of_what_is_moved() {
    let short = scenario::Short { length: scenario::ShortLength::AtMost(1000), multiple: 1 };
    let limit = scenario::Throughput { per_second: 1_000, burst: 0 };
    let bits = vec![at(999, 0), at(1000, 0)];
    let rules = |failing: Fault| {
        vec![
            rule("flips", flips(BitAmount::At(bits.clone()), Persistence::Sticky), When::default()),
            rule("bad", bad(SectorAmount::At(vec![1024])), When::default()),
            rule("thin", Fault::Throughput(limit.clone()), When::default()),
            rule("short", Fault::Short(short.clone()), When::default()),
            rule("fails", failing, nth(2)),
            rule("late", late(5), When::default()),
        ]
    };
    for failing in [error(Errno::EIO), Fault::Readonly] {
        let armed = arm(rules(failing));
        let [first, second] = [0, 0].map(|_| ask(&armed, None, OpKind::Write, 0, 4096));
        assert_eq!(first.short.map(|short| short.len), Some(1000));
        assert_eq!(first.queue.map(|queue| queue.by.as_secs()), Some(1));
        assert!(first.failure.is_none() && first.delay.is_some());
        assert!(second.failure.is_some() && second.delay.is_some());
        assert!(second.short.is_none() && second.queue.is_none() && second.unreadable.is_none());
    }
    let armed = arm(rules(error(Errno::EIO)));
    let read = read(&armed, &Medium::default(), 0, 4096);
    assert_eq!(bits_of(&read), [(999, 0)]);
    assert!(read.unreadable.is_none() && read.short.is_some());
}

fn bits_of(decision: &Decision) -> Vec<(u64, u8)> {
    decision.flips.iter().map(|flip| (flip.byte, flip.bit)).collect()
}
