//! What is loaded on a live mount, and how it changes: one change at a time, on one thread. A change
//! happens as a whole or not at all, and is answered when it holds.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::Value;

use super::files::ScenarioFiles;
use super::{Changed, Problem, RULES_MAX, ScenarioTexts, remembered};
use crate::fs::Filesystem;
use crate::injector::Armed;
use crate::ledger::{FORMAT, Header, Planned};
use crate::op::{OpKind, OpSet};
use crate::plan::fault::Fault;
use crate::plan::seed::DRAW_VERSION;
use crate::plan::{Placement, Plan, Rule, Surveyed, compile};
use crate::scenario::Scenario;

/// What the mount was told, and what does not change while it lives.
#[derive(Debug)]
pub struct Terms {
    /// The seed that stands whatever scenarios say.
    pub seed: Option<u64>,
    /// The scenario files that it was started with.
    pub files: ScenarioFiles,
    /// Tells this mount's damage from that of others.
    pub domain: String,
    /// Whether the kernel remembers names and attributes, so that rules about them come too late.
    pub remembers_names: bool,
    /// Whether the backing directory itself may be damaged.
    pub may_damage: bool,
    /// What ledgers say of the mount.
    pub options: Value,
    /// The ledger, if it is settled.
    pub ledger: Option<PathBuf>,
    /// Chooses a ledger when the first plan comes, if it is not.
    pub choose_ledger: fn() -> Result<PathBuf, String>,
}

/// What is loaded.
#[derive(Debug)]
pub struct Stage {
    pub(super) fs: Arc<Filesystem>,
    terms: Terms,
    pub(super) shown: Arc<ArcSwap<Shown>>,
    /// The rules that shots are: scenarios may have rules of such names as well.
    pub(super) shots: Vec<crate::scenario::Rule>,
    /// Whether everything was disarmed last: what counts where no rule is loaded.
    off: bool,
}

/// What is loaded, for everybody to see.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) scenario: Scenario,
    pub(super) seed: Option<u64>,
    /// BLAKE3 of the canonical scenario.
    pub(super) plan: String,
    /// When everything is disarmed.
    pub(super) until: Option<Instant>,
    /// When it became so.
    pub(super) since: jiff::Timestamp,
    /// The last attempt to load the files anew, if nothing came of it.
    pub(super) failed: Option<FailedReload>,
}

/// Why the scenario files were not loaded anew.
#[derive(Clone, Debug)]
pub(super) struct FailedReload {
    pub(super) file: Option<PathBuf>,
    pub(super) time: jiff::Timestamp,
    /// The first line of what is wrong.
    pub(super) problem: String,
}

impl FailedReload {
    fn now(problem: &Problem) -> FailedReload {
        let first = problem.lines().into_iter().next().unwrap_or_else(|| problem.detail.clone());
        let line = first.lines().next().unwrap_or_default().to_owned();
        let time = jiff::Timestamp::now();
        FailedReload { file: problem.file.clone(), time, problem: line }
    }
}

/// Whether rules are armed that a change brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arming {
    /// They are.
    Armed,
    /// They are not, until somebody says so.
    Disarmed,
}

impl Stage {
    /// A mount on which nothing is loaded.
    pub fn new(fs: Arc<Filesystem>, terms: Terms) -> Stage {
        let scenario = Scenario { name: None, seed: None, presets: Vec::new(), rules: Vec::new() };
        let since = jiff::Timestamp::now();
        let plan = String::new();
        let shown = Shown { scenario, seed: terms.seed, plan, until: None, since, failed: None };
        let shown = Arc::new(ArcSwap::from_pointee(shown));
        Stage { fs, terms, shown, shots: Vec::new(), off: false }
    }

    /// The mount.
    pub fn filesystem(&self) -> &Arc<Filesystem> {
        &self.fs
    }

    /// The seed in force.
    pub fn seed(&self) -> Option<u64> {
        self.shown.load().seed
    }

    pub(super) fn scenario(&self) -> Scenario {
        self.shown.load().scenario.clone()
    }

    /// Loads a scenario instead of the one before. Rules that are the same in both keep their counts
    /// and their damage, and stay disarmed if they were; those that are new are armed or not.
    pub fn load(&mut self, scenario: Scenario, arming: Arming) -> Result<Changed, Problem> {
        self.must_record()?;
        must_have_numbers(&scenario)?;
        let before = self.fs.armed();
        let (seed, drawn) = self.seed_for(&scenario);
        let stays = self.staying(&scenario, seed);
        let canonical = scenario.canonical();
        let plan = compile(&scenario, seed, &self.terms.domain, scenario.fingerprint().as_bytes());
        self.must_be_asked(&plan)?;
        self.must_be_allowed(&plan)?;
        if before.is_none() {
            let last = remembered::seed(self.fs.state(), plan.id(), plan.domain());
            self.fs.recall_files(last == Some(seed));
        }
        let (next, unselected) = self.prepare(before.as_deref(), plan, &stays)?;
        let next = match (arming, &before) {
            (Arming::Armed, _) => next,
            (Arming::Disarmed, None) => next.with_in_force(self.fs.age(), |_| false),
            (Arming::Disarmed, Some(before)) => {
                let was = |rule: &str| before.states().any(|s| s.in_force && s.label.rule == rule);
                next.with_in_force(self.fs.age(), |rule| stays.contains(rule) && was(rule))
            }
        };
        self.begin_ledger(&next, &canonical)?;
        let plan = next.plan().id().to_owned();
        self.show(|shown| Shown {
            seed: Some(seed),
            scenario,
            plan,
            since: jiff::Timestamp::now(),
            ..shown
        });
        self.off = [arming, self.arming()].contains(&Arming::Disarmed);
        let changed = Changed { unselected, drawn, ..self.arm(next, false) };
        self.remember(before.is_none());
        Ok(changed)
    }

    /// The next mount is to know what is armed; and this one goes on where the last one ended.
    fn remember(&self, first: bool) {
        let Some((state, armed)) = self.fs.state().zip(self.fs.armed()) else { return };
        if first {
            self.fs.recall();
        }
        if let Err(error) = remembered::note(state, &armed) {
            tracing::error!("the next mount will not remember this one: {error}");
        }
    }

    /// Damage of the directory itself is asked for twice.
    fn must_be_allowed(&self, plan: &Plan) -> Result<(), Problem> {
        let damages = |rule: &&Rule| rule.fault.damages_backing();
        let Some(rule) = plan.rules().iter().find(damages) else { return Ok(()) };
        if !self.terms.may_damage || self.fs.state().is_none() {
            let detail = format!(
                "rule `{}` damages the directory itself, not only what programs read of it; if you \
                 mean that, give --allow-damage and --state DIR: `errorfs heal DIR` undoes it",
                rule.name
            );
            return Err(Problem::new(409, "damage-not-allowed", detail));
        }
        let cuts = plan.rules().iter().find(|rule| matches!(rule.fault, Fault::PowerCut(_)));
        match cuts.filter(|_| !self.fs.may_be_cut()) {
            None => Ok(()),
            Some(rule) => Err(Problem::new(
                409,
                "power-not-remembered",
                format!(
                    "rule `{}` cuts the power, and what was not synced is not remembered: mount with \
                     a scenario that has such a rule",
                    rule.name
                ),
            )),
        }
    }

    /// The rules of a scenario that are loaded as they are.
    fn staying(&self, scenario: &Scenario, seed: u64) -> BTreeSet<String> {
        let shown = self.shown.load();
        if shown.seed != Some(seed) || self.fs.armed().is_none() {
            return BTreeSet::new();
        }
        let same = scenario.rules.iter().filter(|rule| shown.scenario.rules.contains(rule));
        same.map(|rule| rule.name.clone()).collect()
    }

    fn show(&self, change: impl FnOnce(Shown) -> Shown) {
        let shown = (**self.shown.load()).clone();
        self.shown.store(Arc::new(change(shown)));
    }

    /// Loads another scenario, or the files anew that the mount was started with.
    pub(super) fn replace(
        &mut self,
        scenario: Scenario,
        arming: Arming,
    ) -> Result<Changed, Problem> {
        let changed = self.load(scenario, arming)?;
        self.show(|shown| Shown { failed: None, ..shown });
        Ok(changed)
    }

    /// Loads the files anew that the mount was started with.
    pub fn reload(&mut self, arming: Arming) -> Result<Changed, Problem> {
        if self.terms.files.is_empty() {
            let detail = "the mount was started without scenario files: name some";
            return Err(Problem::new(409, "no-files", detail));
        }
        let texts = self.terms.files.read();
        self.load_texts(&texts, arming)
    }

    /// Loads what the files said; what is wrong with them is kept to be told.
    pub fn load_texts(
        &mut self,
        texts: &ScenarioTexts,
        arming: Arming,
    ) -> Result<Changed, Problem> {
        let loaded = texts.scenario().and_then(|scenario| self.replace(scenario, arming));
        if let Err(problem) = &loaded {
            let failed = Some(FailedReload::now(problem));
            self.show(|shown| Shown { failed, ..shown });
        }
        loaded
    }

    /// Whether rules that come by themselves are armed: not where everything is disarmed. Shots do not
    /// count.
    pub fn arming(&self) -> Arming {
        let armed = self.fs.armed();
        let is_shot = |name: &str| self.shots.iter().any(|shot| shot.name == name);
        let states = armed.iter().flat_map(|armed| armed.states());
        let mut rules = states.filter(|state| !is_shot(&state.label.rule)).peekable();
        let off = match rules.peek() {
            Some(_) => rules.all(|state| !state.in_force),
            None => self.off,
        };
        if off { Arming::Disarmed } else { Arming::Armed }
    }

    /// Arms or disarms some rules, or all: each of them, or, if one is not there, none.
    pub(super) fn set_armed(
        &mut self,
        rules: Option<&[String]>,
        armed: bool,
    ) -> Result<Changed, Problem> {
        if armed {
            self.must_record()?;
        }
        let before = self.fs.armed();
        let states: Vec<_> = before.iter().flat_map(|before| before.states()).collect();
        let known = |name: &String| states.iter().any(|state| state.label.rule == *name);
        if let Some(rule) = rules.into_iter().flatten().find(|name| !known(name)) {
            return Err(Problem::no_rule(rule, states.iter().map(|state| &*state.label.rule)));
        }
        if rules.is_none() {
            self.off = !armed;
        }
        let Some(before) = &before else { return Ok(self.unchanged()) };
        let is_meant = |rule: &str| rules.is_none_or(|some| some.iter().any(|one| one == rule));
        let wanted = |rule: &str| {
            let state = states.iter().find(|state| state.label.rule == rule);
            if is_meant(rule) { armed } else { state.is_some_and(|state| state.in_force) }
        };
        if states.iter().all(|state| state.in_force == wanted(&state.label.rule)) {
            return Ok(self.unchanged());
        }
        let next = before.with_in_force(self.fs.age(), wanted);
        Ok(self.arm(next, false))
    }

    /// All counts at zero, all times from now on, but for rules that stay as they are.
    pub(super) fn begin_anew(&self, stays: impl Fn(&str) -> bool) -> Changed {
        match self.fs.armed() {
            Some(before) => self.arm(before.anew(self.fs.age(), stays), true),
            None => self.unchanged(),
        }
    }

    /// Everything is disarmed by itself after this time; `None`: it is not.
    pub fn limit(&mut self, time: Option<Duration>) {
        let until = time.map(|time| Instant::now() + time);
        self.show(|shown| Shown { until, ..shown });
    }

    /// From now on the kernel remembers names and attributes, or it does not.
    pub fn remember_names(&mut self, remembers: bool) {
        self.terms.remembers_names = remembers;
    }

    /// Whoever arms what cannot be recorded would wait for faults that never come.
    pub(super) fn must_record(&self) -> Result<(), Problem> {
        if !self.fs.ledger().failed() {
            return Ok(());
        }
        let ledger = self.fs.ledger().path().unwrap_or(Path::new("the ledger"));
        let detail = format!(
            "nothing is injected any more, as {} cannot be written: mount anew",
            ledger.display()
        );
        Err(Problem::new(503, "ledger-failed", detail))
    }

    pub(super) fn unchanged(&self) -> Changed {
        let generation = self.fs.armed().map_or(0, |armed| armed.generation());
        Changed { generation, pending: self.fs.pending(), ..Changed::default() }
    }

    fn arm(&self, next: Armed, reset: bool) -> Changed {
        let in_force = next.states().filter(|state| state.in_force);
        let planned = Planned {
            id: next.plan().id().to_owned(),
            seed: next.plan().seed(),
            rules: in_force.map(|state| state.label.rule.clone()).collect(),
            reset,
            scenario: self.scenario().canonical(),
        };
        self.fs.rearm(next, planned);
        self.unchanged()
    }

    /// The seed in force: what was typed, what the scenario says, what was before, or a new one.
    fn seed_for(&self, scenario: &Scenario) -> (u64, Option<u64>) {
        let before = self.shown.load().seed;
        let plan = blake3::hash(scenario.fingerprint().as_bytes()).to_hex();
        let last = || remembered::seed(self.fs.state(), &plan, &self.terms.domain);
        match self.terms.seed.or(scenario.seed).or(before).or_else(last) {
            Some(seed) => (seed, None),
            None => {
                let drawn = u64::from(rand::random::<u32>());
                (drawn, Some(drawn))
            }
        }
    }

    /// What the kernel answers by itself no rule sees.
    fn must_be_asked(&self, plan: &Plan) -> Result<(), Problem> {
        let looks = OpSet::EMPTY.with(OpKind::Lookup).with(OpKind::Getattr);
        let hidden = |rule: &&Rule| !rule.reach.intersection(looks).is_empty();
        match plan.rules().iter().find(hidden).filter(|_| self.terms.remembers_names) {
            None => Ok(()),
            Some(rule) => Err(Problem::new(
                409,
                "names-remembered",
                format!(
                    "rule `{}` is about lookup or getattr, which the kernel answers by itself: the \
                     mount was made with --exclusive; mount without it",
                    rule.name
                ),
            )),
        }
    }

    /// The plan with the places of its damage, and the rules about stored bytes that select nothing.
    fn prepare(
        &self,
        before: Option<&Armed>,
        plan: Plan,
        stays: &BTreeSet<String>,
    ) -> Result<(Armed, Vec<String>), Problem> {
        let is_new = |rule: &Rule| !stays.contains(&rule.name);
        let needed = plan.rules().iter().any(|rule| is_new(rule) && needs_survey(&rule.fault));
        let nothing = Scenario { name: None, seed: None, presets: Vec::new(), rules: Vec::new() };
        let none = Armed::new(compile(&nothing, 0, "", b""), Placement::default());
        let (before, now) = (before.unwrap_or(&none), self.fs.age());
        let stays = |rule: &str| stays.contains(rule);
        if !needed {
            let next = Armed::after(before, plan, Placement::default(), now, stays);
            return Ok((next, Vec::new()));
        }
        let unreadable = |error: crate::fs::SurveyError| {
            Problem::new(500, "unreadable-directory", format!("{error}: {}", error.source))
        };
        let survey = self.fs.survey().map_err(unreadable)?;
        let first = self.fs.armed().is_none();
        let placement = match remembered::placement(self.fs.state(), &plan).filter(|_| first) {
            // Its paths are those of an earlier mount.
            Some(placement) => placement,
            None => {
                let placed = plan.place_those(&survey.files, is_new);
                let placed = placed
                    .map_err(|error| Problem::new(422, "nothing-matched", error.to_string()))?;
                self.fs.keep_places(&survey, &placed);
                placed
            }
        };
        let unselected = unselected(&plan, &survey.files, is_new);
        let next = Armed::after(before, plan, placement, now, stays);
        let next = match before.limits_space() {
            true => next,
            false => next.with_usage(survey.usage()),
        };
        Ok((next, unselected))
    }

    /// The first plan begins the ledger.
    fn begin_ledger(&mut self, first: &Armed, scenario: &Value) -> Result<(), Problem> {
        if self.fs.armed().is_some() || self.fs.ledger().path().is_some() {
            return Ok(());
        }
        let no_ledger = |why: String| Problem::new(500, "no-ledger", why);
        let path = match self.terms.ledger.take() {
            Some(path) => path,
            None => (self.terms.choose_ledger)().map_err(no_ledger)?,
        };
        let header = Header {
            ledger: FORMAT,
            errorfs: env!("CARGO_PKG_VERSION").to_owned(),
            seed: first.plan().seed(),
            draw: DRAW_VERSION,
            plan: first.plan().id().to_owned(),
            mount: self.terms.domain.clone(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            armed: jiff::Timestamp::now().to_string(),
            options: self.terms.options.clone(),
            scenario: scenario.clone(),
        };
        self.fs.ledger().begin(&path, &header).map_err(|error| not_begun(&error))
    }
}

/// Why there is no ledger. A full disk may have room later.
fn not_begun(error: &io::Error) -> Problem {
    let (status, code, remedy) = match error.kind() {
        ErrorKind::AlreadyExists => {
            (500, "no-ledger", "; a ledger is never overwritten: name another or remove it")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (503, "ledger-failed", "; make room, or name another: --ledger FILE")
        }
        _ => (500, "no-ledger", ""),
    };
    Problem::new(status, code, format!("{error}{remedy}"))
}

/// A plan numbers its rules.
fn must_have_numbers(scenario: &Scenario) -> Result<(), Problem> {
    if scenario.rules.len() <= RULES_MAX {
        return Ok(());
    }
    let detail = format!("{} rules are more than {RULES_MAX}", scenario.rules.len());
    Err(Problem::new(422, "too-many-rules", detail))
}

/// Whether a fault depends on what is there at arming.
fn needs_survey(fault: &Fault) -> bool {
    fault.is_stored() || matches!(fault, Fault::Space(_))
}

/// Rules about stored bytes that select no file of these: they wait for files, or are mistaken.
fn unselected(plan: &Plan, files: &[Surveyed], of: impl Fn(&Rule) -> bool) -> Vec<String> {
    let selected: BTreeSet<_> = files.iter().flat_map(|file| plan.select(&file.path)).collect();
    let stored = plan.numbered().filter(|(_, rule)| rule.fault.is_stored() && of(rule));
    stored.filter(|(id, _)| !selected.contains(id)).map(|(_, rule)| rule.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_rules_than_a_plan_numbers_are_refused() {
        let rule = r#"{"version": 1, "rule": [{"name": "r", "fault": {"stall": {}}}]}"#;
        let one = Scenario::from_canonical(&serde_json::from_str(rule).unwrap()).unwrap();
        let many = |count| Scenario { rules: vec![one.rules[0].clone(); count], ..one.clone() };
        assert!(must_have_numbers(&many(RULES_MAX)).is_ok());
        let problem = must_have_numbers(&many(RULES_MAX + 1)).unwrap_err();
        assert_eq!((problem.status, problem.code), (422, "too-many-rules"));
    }
}
