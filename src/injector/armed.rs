//! A plan in force: which rules select a path, and what happens to one operation.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::counters::{PathStream, PathStreams, RuleCounters, Streams, find};
use super::flips::in_order;
use super::steps::Steps;
use super::{Counts, Target};
use crate::media::{Medium, Usage};
use crate::op::{Op, OpKind, OpSet, Who};
use crate::plan::fault::Fault;
use crate::plan::seed::{Purpose, StreamKey};
use crate::plan::{Damage, Decision, Label, Placed, Placement, Plan, Rule, RuleId, RuleKey};

/// A plan that is in force.
#[derive(Debug)]
pub struct Armed {
    pub(super) generation: u64,
    pub(super) plan: Arc<Plan>,
    ops: OpSet,
    damages_media: bool,
    pub(super) limits_space: bool,
    pub(super) usage: Arc<Usage>,
    pub(super) placement: Placement,
    pub(super) rules: Vec<Loaded>,
    pub(super) paths: Arc<PathStreams>,
}

/// What is known of one rule beside what the plan says.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) key: RuleKey,
    pub(super) label: Arc<Label>,
    pub(super) counters: Arc<RuleCounters>,
    /// Whether it is armed: one that is not decides how files are opened, and nothing else.
    pub(super) in_force: bool,
    /// Whether it looks at operations whenever they come.
    pub(super) timeless: bool,
    /// From when on its times count.
    pub(super) since: Duration,
    /// Which generation of the plan came with it, when the places of its damage were chosen.
    pub(super) placed_in: u64,
}

/// One operation that a rule is to answer: it matched, and the conditions hold.
pub(super) struct Occasion {
    /// Number among the rule's matching operations.
    pub(super) occurrence: u64,
    /// Number among those of its path, with the stream to draw from; for rules that draw per path.
    pub(super) on_path: Option<(u64, StreamKey)>,
}

/// One operation under decision.
pub(super) struct Look<'a> {
    pub(super) op: Op,
    pub(super) target: &'a Target<'a>,
    pub(super) now: Duration,
    /// Who asks, if that was found out.
    who: Option<&'a Who>,
    /// The streams of its path, once a rule has needed one.
    streams: Option<Streams>,
}

impl Armed {
    /// A plan with all counts at zero.
    pub fn new(plan: Plan, placement: Placement) -> Armed {
        let loaded = plan.rules().iter().map(Loaded::new).collect();
        let usage = Arc::default();
        Armed::of(Arc::new(plan), placement, loaded, usage, Arc::default())
    }

    /// A plan with what is known of its rules.
    pub(super) fn of(
        plan: Arc<Plan>,
        placement: Placement,
        rules: Vec<Loaded>,
        usage: Arc<Usage>,
        paths: Arc<PathStreams>,
    ) -> Armed {
        let looks = |(rule, loaded): &(&Rule, &Loaded)| loaded.in_force || takes_room(rule);
        let looking = plan.rules().iter().zip(&rules).filter(looks);
        Armed {
            generation: 1,
            ops: looking.fold(OpSet::EMPTY, |ops, (rule, _)| ops.union(looked_at(rule))),
            damages_media: plan.rules().iter().any(damages_media),
            limits_space: plan.rules().iter().any(takes_room),
            usage,
            placement,
            rules,
            plan,
            paths,
        }
    }

    /// The same, with what the files of the mount take at arming.
    pub fn with_usage(self, usage: Usage) -> Armed {
        Armed { usage: Arc::new(usage), ..self }
    }

    /// Counts the plans of its mount, from 1: what was worked out under one holds for no other.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What is in force.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The operations that any rule in force looks at, on any path, and those that take room where
    /// any rule limits it, in force or not: what is taken is counted all the while.
    pub fn ops(&self) -> OpSet {
        self.ops
    }

    /// Whether any rule damages stored bytes or keeps writes from them, so that files need a memory.
    pub fn damages_media(&self) -> bool {
        self.damages_media
    }

    /// Whether a rule that selects the file by this path can do anything to it.
    pub(super) fn reaches(&self, rule: RuleId, origin: &Path) -> bool {
        self.placement.reaches(rule, origin)
    }

    /// Every place that a `count` chose: the rule, the path that keys the file's damage, the places.
    pub fn placed_everywhere(&self) -> impl Iterator<Item = (RuleId, &Path, &Placed)> {
        self.placement.each()
    }

    /// How often a rule was asked and answered, so far.
    pub fn counts(&self, rule: RuleId) -> Counts {
        let trigger = &self.plan.rule(rule).trigger;
        self.loaded(rule).counters.counts(trigger.is_conditional())
    }

    pub(super) fn loaded(&self, rule: RuleId) -> &Loaded {
        &self.rules[usize::from(rule.0)]
    }

    /// A rule goes on counting where an earlier mount ended.
    pub fn go_on(&self, rule: RuleId, matched: u64, fired: u64) {
        self.loaded(rule).counters.go_on(matched, fired);
    }

    /// Binds a rule to the path by which an earlier mount knew a file.
    pub fn bind_again(&self, rule: RuleId, medium: &Medium, path: &Path) {
        if let Some(purpose) = self.plan.rule(rule).fault.purpose() {
            let derive = |path: &Path| self.plan.stream(rule, path, purpose);
            medium.bind(self.key(rule), path, derive);
        }
    }

    /// What happens to this operation, `now` after arming. Counts it.
    ///
    /// # Order
    /// Rules are asked in file order. Waits first: the first latency rule that fires gives the delay,
    /// the first stall rule that fires the stall, and they add up. Then the failure, by the first
    /// rule with an error that fires or, once it has fired, holds. Later rules of that kind then do
    /// not see the operation, and do not count it. Then, in the same way, how much is moved, and
    /// which limit of bytes in time that waits for: damage is that of the bytes that are. Damage is a matter of places: every rule applies, the first
    /// one wins a bit or a byte of a region, and the first bad sector in the file is the one in the
    /// way. Regions are filled first, then bits flip in them. Of a write that does not fail every rule
    /// that loses writes has its part, the first one a byte. Kinds do not hide
    /// operations from each other: one that fails is still counted by the rules that would have
    /// damaged it, but uses up none of their `times`.
    ///
    /// # What the answer leaves out
    /// An operation that fails is neither flipped nor unreadable. For an access that is
    /// [counted](crate::plan::DataAccess::Counted), `op.len` of a read is what there is to read; for
    /// one that is [sticky](crate::plan::DataAccess::Sticky) it may be more, and flips beyond are
    /// not delivered.
    pub fn decide(&self, op: &Op, target: &Target<'_>, now: Duration) -> Decision {
        self.decide_for(op, target, now, None)
    }

    /// The same, with what was found out of who asks: [`Selection::needs_who`] says when to.
    ///
    /// [`Selection::needs_who`]: super::Selection::needs_who
    pub fn decide_for(
        &self,
        op: &Op,
        target: &Target<'_>,
        now: Duration,
        who: Option<&Who>,
    ) -> Decision {
        let mut decision = Decision::default();
        let mut look = Look { op: *op, target, now, who, streams: None };
        type Step = for<'a, 'b> fn(&Armed, &'a mut Look<'b>, &'a mut Decision);
        const STEPS: [(Steps, Step); 10] = [
            (Steps::EFFECTS, Armed::decide_effects),
            (Steps::METADATA, Armed::decide_metadata),
            (Steps::LENGTH, Armed::decide_length),
            (Steps::QUEUE, Armed::decide_queue),
            (Steps::SECTORS, Armed::decide_sectors),
            (Steps::MISREADS, Armed::decide_misreads),
            (Steps::REGIONS, Armed::decide_regions),
            (Steps::FLIPS, Armed::decide_flips),
            (Steps::LOSSES, Armed::decide_losses),
            (Steps::UNWRITTEN, Armed::decide_unwritten),
        ];
        for (_, step) in STEPS.iter().filter(|(step, _)| target.selection.steps.has(*step)) {
            step(self, &mut look, &mut decision);
        }
        decision
    }

    /// All stored damage in a byte range as of now, without counting anything: for `preview`, and
    /// for what an overwrite repairs. Rules are taken to be due, whatever their conditions.
    pub fn damage(&self, range: Range<u64>, target: &Target<'_>) -> Damage {
        self.damage_by(&target.selection.rules, range, target)
    }

    /// The same of all rules, in force or not.
    pub fn damage_loaded(&self, range: Range<u64>, target: &Target<'_>) -> Damage {
        self.damage_by(&target.selection.loaded, range, target)
    }

    fn damage_by(&self, rules: &[RuleId], range: Range<u64>, target: &Target<'_>) -> Damage {
        let regions = self.damaged_regions(rules, range.clone(), target);
        let (mut flips, mut unreadable) = (Vec::new(), Vec::new());
        for (id, rule) in rules.iter().map(|id| (*id, self.plan.rule(*id))) {
            let range = rule.scope.clip(range.clone());
            match &rule.fault {
                _ if range.is_empty() => {}
                Fault::BitFlip(fault) if fault.is_stored() => {
                    self.stored_flips((id, fault), range, target, 0, &mut flips);
                }
                Fault::BadSector(fault) => {
                    let _ = self.bad_sectors((id, fault), range, target, &mut |sector| {
                        unreadable.push(sector);
                        ControlFlow::Continue(())
                    });
                }
                _ => {}
            }
        }
        in_order(&mut flips);
        unreadable.sort_by_key(|sector| (sector.sector.start, sector.rule));
        Damage { regions, flips, unreadable }
    }

    /// Whether any rule cuts the power, so that what is not synced must be remembered.
    pub fn cuts_power(&self) -> bool {
        self.plan.rules().iter().any(|rule| matches!(rule.fault, Fault::PowerCut(_)))
    }

    pub(super) fn rules(&self, target: &Target<'_>) -> impl Iterator<Item = (RuleId, &Rule)> {
        target.selection.rules.iter().map(|id| (*id, self.plan.rule(*id)))
    }

    /// Counts the operation if the rule looks at it; the occasion, if its conditions hold.
    pub(super) fn occasion(
        &self,
        id: RuleId,
        rule: &Rule,
        look: &mut Look<'_>,
    ) -> Option<Occasion> {
        let loaded = self.loaded(id);
        let looks = rule.scope.covers(&look.op) && self.is_asked(rule, look);
        if !looks || !(loaded.timeless || self.is_open(id, rule, look.now)) {
            return None;
        }
        let occurrence = loaded.counters.count();
        let stream = draws_per_path(rule).then(|| self.path_stream(id, rule, look));
        let on_path = stream.map(|stream| (stream.count(), stream));
        let due = rule.trigger.is_due(occurrence)
            && match (rule.trigger.chance, &on_path) {
                (Some(chance), Some((nth, stream))) => chance.draw(stream.probability, *nth),
                _ => true,
            };
        if due && rule.trigger.is_conditional() {
            loaded.counters.consider();
        }
        due.then(|| Occasion {
            occurrence,
            on_path: on_path.map(|(nth, stream)| (nth, stream.fault)),
        })
    }

    /// Whether somebody asks whom the rule looks at.
    pub(super) fn is_asked(&self, rule: &Rule, look: &Look<'_>) -> bool {
        rule.askers.is_anybody() || rule.askers.admit(look.op.caller, look.who)
    }

    /// Whether a rule looks at operations that come at `now` after arming.
    pub(super) fn is_open(&self, id: RuleId, rule: &Rule, now: Duration) -> bool {
        let fired = |event: RuleId| self.loaded(event).counters.fired_before(now);
        let since = now.saturating_sub(self.loaded(id).since);
        rule.trigger.is_open(since) && rule.trigger.event.is_none_or(fired)
    }

    pub(super) fn fire(&self, id: RuleId, now: Duration) -> bool {
        self.loaded(id).counters.fire(self.plan.rule(id).trigger.times, now)
    }

    /// The rule's stream on the operation's path: one look into the map an operation.
    fn path_stream(&self, id: RuleId, rule: &Rule, look: &mut Look<'_>) -> Arc<PathStream> {
        let path = look.target.path;
        if look.streams.is_none() {
            look.streams = self.paths.of(path);
        }
        let key = self.loaded(id).key;
        if let Some(stream) = look.streams.as_ref().and_then(|streams| find(streams, key)) {
            return Arc::clone(stream);
        }
        let probability = self.plan.stream(id, path, Purpose::Probability);
        let fault = rule.fault.purpose().map(|purpose| self.plan.stream(id, path, purpose));
        let stream = PathStream::new(probability, fault.unwrap_or(probability));
        let streams = self.paths.add(path, key, stream);
        let stream = find(&streams, key).map(Arc::clone);
        look.streams = Some(streams);
        stream.expect("it has just been added")
    }

    /// The key of a rule's stored damage in the target, which binds it to its path.
    pub(super) fn stored_key(
        &self,
        id: RuleId,
        purpose: Purpose,
        target: &Target<'_>,
    ) -> StreamKey {
        let derive = |path: &Path| self.plan.stream(id, path, purpose);
        match target.medium {
            Some(medium) => medium.bind(self.loaded(id).key, target.origin, derive),
            None => derive(target.origin),
        }
    }

    /// Where the faults of a `count` went in the target: nowhere, if it was not there at arming.
    pub(super) fn placed(&self, id: RuleId, target: &Target<'_>) -> Option<&Placed> {
        let placed_in = self.loaded(id).placed_in;
        let born = target.medium.and_then(Medium::born_in).is_some_and(|born| born >= placed_in);
        self.placement.of(id, target.origin).filter(|_| !born)
    }
}

impl Loaded {
    pub(super) fn new(rule: &Rule) -> Loaded {
        static KEYS: AtomicU64 = AtomicU64::new(1);
        let label = Label { rule: rule.name.clone(), fault: rule.fault.name() };
        Loaded {
            key: RuleKey(KEYS.fetch_add(1, Ordering::Relaxed)),
            label: Arc::new(label),
            counters: Arc::default(),
            in_force: true,
            timeless: rule.trigger.is_timeless(),
            since: Duration::ZERO,
            placed_in: 1,
        }
    }
}

fn damages_media(rule: &Rule) -> bool {
    let fault = &rule.fault;
    let remembers =
        fault.is_stored() || fault.is_written() || fault.keeps_writes() || fault.keeps_earlier();
    remembers && !rule.scope.ops.is_empty()
}

/// What a rule does to writes is seen by reads.
fn looked_at(rule: &Rule) -> OpSet {
    let ops = rule.reach;
    if keeps_writes(rule) { ops.with(OpKind::Read) } else { ops }
}

/// Whether a rule limits space.
pub(super) fn takes_room(rule: &Rule) -> bool {
    matches!(rule.fault, Fault::Space(_))
}

/// Whether a rule makes the medium fall behind its file.
pub(super) fn keeps_writes(rule: &Rule) -> bool {
    rule.fault.keeps_writes() && !rule.scope.ops.is_empty()
}

/// Whether a rule's answers are drawn from a stream of the operation's path.
fn draws_per_path(rule: &Rule) -> bool {
    let drawn = match &rule.fault {
        Fault::Latency(_) | Fault::Short(_) => true,
        Fault::LostWrite(_) | Fault::TornWrite(_) | Fault::Fsync(_) | Fault::Misdirected(_) => true,
        Fault::BitFlip(fault) => !fault.is_stored(),
        Fault::Corrupt(fault) => !fault.is_stored(),
        _ => false,
    };
    drawn || rule.trigger.chance.is_some()
}

/// Calls with the write generations of a range; without a lock or an allocation for a file that has
/// not been overwritten.
pub(super) fn with_pieces(
    medium: Option<&Medium>,
    range: Range<u64>,
    act: impl FnOnce(&[(Range<u64>, u32)]),
) {
    match medium.filter(|medium| !medium.is_pristine()) {
        None => act(&[(range, 0)]),
        Some(medium) => act(&medium.generations(range)),
    }
}

/// The write generations that a range has when it has been written.
pub(super) fn after_writing(medium: Option<&Medium>, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
    match medium {
        None => vec![(range, 0)],
        Some(medium) => medium.generations_after(range),
    }
}
