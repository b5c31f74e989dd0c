//! From what was typed to a mounted filesystem under an armed plan: what `mount` and `run` share.

use std::collections::HashSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::exit::{Exit, Failure};
use super::listening::{ControlArgs, listen};
use super::messages::Log;
use super::place::Place;
use super::{damage, eprint, scenarios};
use crate::control::{
    Arming, Changed, Director, Problem, ScenarioFiles, ScenarioTexts, Server, Stage, Terms,
    Watching,
};
use crate::diagnostic::{Consequence, plural};
use crate::fs::{Filesystem, Settings};
use crate::fuse::{MountOptions, Session};
use crate::injector::Injector;
use crate::isolation::enter_namespace;
use crate::ledger::{Writer, escape};
use crate::media::Media;
use crate::op::{OpKind, OpSet};
use crate::plan::{Plan, Rule, Surveyed};
use crate::scenario::{Scenario, size};
use crate::trace::TraceWriter;

/// What is to go wrong, and where that is recorded.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// What goes wrong; several files add up
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The root of all randomness; default: the scenario's, else drawn and printed
    #[arg(long, value_name = "N", requires = "scenario")]
    seed: Option<u64>,
    /// A new file for the events; default: one below the state directory, whose name is printed
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Tells this mount's damage from that of other mounts with the same seed
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        requires = "scenario"
    )]
    id: String,
    /// Promise that nobody changes the directory but through this mount: the kernel then remembers
    /// names and attributes, and asks less
    #[arg(long)]
    exclusive: bool,
    /// Move all data through errorfs, also of files that no rule can reach: slower, but rules that
    /// come to reach an open file need not wait until it is closed
    #[arg(long)]
    no_passthrough: bool,
    /// How much to keep of what the medium holds where writes do not reach it; where that does not
    /// fit, they do
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size::parse)]
    keep_max: u64,
    /// Write down every operation in this new file; all data then move through errorfs
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Open every file past the kernel's page cache
    #[arg(long, hide = true)]
    direct: bool,
    /// A directory for what survives the mount, made if need be: what the next mount is to remember,
    /// and what undoes damage
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Let rules that say so damage the directory itself; `errorfs heal` undoes it
    #[arg(long, requires = "state")]
    allow_damage: bool,
    /// What messages are written as
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    pub(super) log: Log,
    #[command(flatten)]
    pub(super) control: ControlArgs,
}

impl PlanArgs {
    /// No faults, and a trace.
    pub(super) fn traced(trace: PathBuf) -> PlanArgs {
        PlanArgs {
            scenario: Vec::new(),
            seed: None,
            ledger: None,
            id: String::new(),
            exclusive: false,
            no_passthrough: true,
            keep_max: 0,
            trace: Some(trace),
            direct: true,
            state: None,
            allow_damage: false,
            log: Log::Text,
            control: ControlArgs::nowhere(),
        }
    }
}

/// How long the kernel remembers what nobody else changes.
const EXCLUSIVE_TTL: Duration = Duration::from_secs(3600);

/// A mount, and what it was told.
#[derive(Debug)]
pub(super) struct Serving {
    /// The mount.
    pub(super) session: Session,
    director: Director,
    server: Option<Server>,
    /// Whether there are scenario files that can be loaded anew.
    has_files: bool,
    seed: Option<u64>,
    trace: Option<Arc<TraceWriter>>,
    _scratch: Option<TempDir>,
}

impl Serving {
    /// Checks everything, mounts, and says what is armed. `ended` is called when the mount is gone.
    pub(super) fn start(
        args: &PlanArgs,
        place: Place,
        ended: impl FnOnce(std::io::Result<()>) + Send + 'static,
    ) -> Result<Serving, Failure> {
        let listening = args.control.listening(&place)?;
        let ledger = ledger(args)?;
        ledger.iter().try_for_each(|ledger| place.must_not_hold(ledger, "ledger"))?;
        let files = ScenarioFiles::new(&args.scenario, &place.mountpoint).map_err(own)?;
        // What changes while they are loaded is loaded once more.
        let watching = args.control.watch.then(|| Watching::over(files.clone()));
        let load = || scenarios::load(&args.scenario, Consequence::NothingMounted);
        let scenario = ledger.is_some().then(load).transpose()?;
        let trace = super::tracing::begin(args, &place)?;
        let damaging = scenario.as_ref().is_some_and(damage::is_meant);
        let kept = damage::state(args.state.as_deref(), &place, damaging)?;
        let cuts = scenario.as_ref().is_some_and(damage::cuts_power);
        let fs = filesystem(args, &place, trace.as_ref())?.with_state(kept.state, cuts);
        let mut stage = stage(args, &place, (files, ledger), fs);
        if let Some(scenario) = scenario {
            begin(&mut stage, scenario, args)?;
        }
        stage.limit(args.control.limit);
        stage.remember_names(!ttl(args, stage.filesystem()).is_zero());
        let (fs, seed) = (stage.filesystem().clone(), stage.seed());
        let options = MountOptions {
            allow_other: place.allow_other,
            restrictions: place.restrictions,
            ttl: ttl(args, &fs),
            passthrough: !(args.no_passthrough || args.direct || args.trace.is_some()),
            ..MountOptions::new(&place.backing, &place.mountpoint)
        };
        let refused = |error: crate::fuse::MountError| Failure::caused(Exit::CannotMount, &error);
        let session = Session::mount(fs, &options, ended).map_err(refused)?;
        let director = Director::over(stage).map_err(own)?;
        let server = listening
            .map(|listening| listen(&listening, &director, &place, &session))
            .transpose()?;
        let has_files = !args.scenario.is_empty();
        let _scratch = kept.scratch;
        let serving = Serving { session, director, server, has_files, seed, trace, _scratch };
        if let Some(watching) = watching {
            let director = serving.director.clone();
            let changed = move |texts| director.post(move |stage| reload_watched(stage, &texts));
            watching.begin(changed).map_err(own)?;
        }
        Ok(serving)
    }

    /// The socket at which the mount can be asked.
    pub(super) fn control(&self) -> Option<&Path> {
        self.server.as_ref().map(Server::path)
    }

    /// What loads the scenario files anew, for as long as the process lives; `None` if there are
    /// none. A mistake is told, and what was loaded stays.
    pub(super) fn reloading(&self) -> Option<impl Fn() + Send + 'static> {
        let director = self.director.clone();
        self.has_files.then_some(move || {
            director.post(|stage| tell_reloaded(stage.reload(Arming::Armed)));
        })
    }

    /// Says on a terminal's side what is mounted and how to end it.
    pub(super) fn tell_mounted(&self, daemon: bool) {
        let mountpoint = self.session.mounted().mountpoint.as_os_str().as_encoded_bytes();
        let faults = if self.session.filesystem().ledger().path().is_some() {
            "under faults"
        } else {
            "without faults"
        };
        let place = escape(mountpoint);
        let ends = if daemon { "`errorfs umount`" } else { "Ctrl-C or `errorfs umount`" };
        eprint(&format!("mounted at {place} {faults}; {ends} ends it"));
    }

    /// What `--ready-fd` tells.
    pub(super) fn summary(&self) -> Value {
        let path = |path: &Path| escape(path.as_os_str().as_encoded_bytes());
        json!({
            "ready": true,
            "mountpoint": path(&self.session.mounted().mountpoint),
            "pid": std::process::id(),
            "passthrough": self.session.passthrough().is_ok(),
            "seed": self.seed,
            "ledger": self.session.filesystem().ledger().path().map(path),
            "control": self.control().map(path),
            "tcp": self.server.as_ref().and_then(Server::tcp).map(|tcp| tcp.to_string()),
        })
    }

    /// Says what was delivered, once the mount is gone. A ledger that is not whole is a failure:
    /// from some moment on no fault was injected, and whatever was tried then was tried on good data.
    pub(super) fn tell_delivered(&self) -> Result<(), Failure> {
        self.trace.as_deref().map_or(Ok(()), super::tracing::end)?;
        let writer = self.session.filesystem().ledger();
        let Some(ledger) = writer.path() else { return Ok(()) };
        self.session.filesystem().tell_never_read();
        writer.drain();
        self.server.iter().for_each(Server::end);
        let delivered = writer.delivered();
        if delivered.is_empty() {
            eprint("no fault reached the target");
        }
        for (rule, count) in delivered {
            let events = plural(usize::try_from(count).unwrap_or(usize::MAX), "event");
            eprint(&format!("{rule}: {events} delivered"));
        }
        for (rule, count) in writer.unchanged() {
            let events = plural(usize::try_from(count).unwrap_or(usize::MAX), "event");
            eprint(&format!(
                "{rule}: {events} changed nothing: what they put there was stored there"
            ));
        }
        let seed = self.seed.or_else(|| Some(self.session.filesystem().armed()?.plan().seed()));
        let seed = seed.unwrap_or_default();
        eprint(&format!("seed {seed}, ledger: {}", ledger.display()));
        match writer.failed() {
            true => Err(Failure::new(
                Exit::TryAgain,
                format!("{} could not be written: injection ended early", ledger.display()),
            )),
            false => Ok(()),
        }
    }
}

/// What the kernel answers by itself no rule sees: rules about looking keep it asking.
fn ttl(args: &PlanArgs, fs: &Filesystem) -> Duration {
    let looks = OpSet::EMPTY.with(OpKind::Lookup).with(OpKind::Getattr);
    let watched = |armed: std::sync::Arc<crate::injector::Armed>| {
        let looks = |rule: &Rule| !rule.reach.intersection(looks).is_empty();
        armed.cuts_power() || armed.plan().rules().iter().any(looks)
    };
    match args.exclusive && !fs.armed().is_some_and(watched) {
        true => EXCLUSIVE_TTL,
        false => Duration::ZERO,
    }
}

fn own(error: std::io::Error) -> Failure {
    Failure::new(Exit::Internal, error.to_string())
}

/// The ledger that the mount begins with, if it does.
fn ledger(args: &PlanArgs) -> Result<Option<PathBuf>, Failure> {
    match &args.ledger {
        Some(ledger) => Ok(Some(ledger.clone())),
        None if args.scenario.is_empty() => Ok(None),
        None => default_ledger().map(Some),
    }
}

/// The filesystem, on which nothing is loaded yet.
fn filesystem(
    args: &PlanArgs,
    place: &Place,
    trace: Option<&Arc<TraceWriter>>,
) -> Result<Filesystem, Failure> {
    let errorfs_is_root = rustix::process::geteuid().is_root();
    let settings = Settings { errorfs_is_root, keep_max: args.keep_max };
    let root = place.root.try_clone().map_err(own)?;
    let (media, injector) = (Media::default(), Injector::default());
    let fs = Filesystem::new(root, settings, injector, media, Writer::none()).map_err(own)?;
    let fs = if args.direct { fs.uncached() } else { fs };
    Ok(match trace {
        Some(trace) => fs.traced_to(trace.clone()),
        None => fs,
    })
}

/// What can be loaded on it.
fn stage(
    args: &PlanArgs,
    place: &Place,
    (files, ledger): (ScenarioFiles, Option<PathBuf>),
    fs: Filesystem,
) -> Stage {
    let path = |path: &Path| escape(path.as_os_str().as_encoded_bytes());
    let options = json!({
        "backing": path(&place.backing),
        "mountpoint": path(&place.mountpoint),
        "allow_other": place.allow_other,
    });
    let terms = Terms {
        seed: args.seed,
        files,
        domain: args.id.clone(),
        remembers_names: false,
        may_damage: args.allow_damage || place.thrown_away,
        options,
        ledger,
        choose_ledger: || default_ledger().map_err(|failure| failure.message),
    };
    Stage::new(fs.into(), terms)
}

/// Loads the first scenario, and says what there is to say of it.
fn begin(stage: &mut Stage, scenario: Scenario, args: &PlanArgs) -> Result<(), Failure> {
    let arming = if args.control.disarmed { Arming::Disarmed } else { Arming::Armed };
    let changed = stage.load(scenario, arming).map_err(|problem| {
        let exit = match problem.code {
            "nothing-matched" => Exit::NothingMatched,
            "ledger-failed" => Exit::TryAgain,
            "no-ledger" | "unreadable-directory" | "damage-not-allowed" => Exit::Usage,
            _ => Exit::BadFile,
        };
        Failure::new(exit, problem.detail)
    })?;
    if let Some(drawn) = changed.drawn {
        tell_drawn(drawn);
    }
    changed.unselected.iter().for_each(|rule| tell_nothing_selected(rule));
    Ok(())
}

/// What was promised to be off (`--disarmed`, `--for`, `disarm`) no file arms that changes.
fn reload_watched(stage: &mut Stage, texts: &ScenarioTexts) {
    let arming = stage.arming();
    let changed = stage.load_texts(texts, arming);
    let done = changed.is_ok();
    tell_reloaded(changed);
    if done && arming == Arming::Disarmed {
        eprint("everything was disarmed and stays so: `errorfs arm` arms it");
    }
}

fn tell_reloaded(changed: Result<Changed, Problem>) {
    match changed {
        Ok(changed) => eprint(&format!("reloaded: generation {}", changed.generation)),
        Err(problem) => {
            problem.lines().iter().for_each(|line| eprint(line));
            eprint(&format!("{}; what was loaded stays", problem.detail));
        }
    }
}

/// Mounts the directory for temporary files on itself, in a private namespace that goes with this process, and asks
/// whether the kernel would move data by itself: what `doctor` has a child do.
pub(super) fn attempt_passthrough() -> Result<(), String> {
    enter_namespace().map_err(|error| error.to_string())?;
    let directory = std::env::temp_dir();
    let attempt = || -> Result<(), Box<dyn std::error::Error>> {
        let root = std::fs::File::open(&directory)?.into();
        let errorfs_is_root = rustix::process::geteuid().is_root();
        let settings = Settings { errorfs_is_root, keep_max: 0 };
        let (injector, media) = (Injector::default(), Media::default());
        let fs = Filesystem::new(root, settings, injector, media, Writer::none())?;
        let options = MountOptions::new(&directory, &directory);
        let session = Session::mount(fs.into(), &options, |_| {})?;
        let passthrough = session.passthrough();
        session.unmount()?;
        Ok(passthrough?)
    };
    attempt().map_err(|error| error.to_string())
}

/// The seed in force; one that nobody chose is printed, or nobody could repeat the run.
pub(super) fn seed(typed: Option<u64>, scenario: &Scenario) -> u64 {
    typed.or(scenario.seed).unwrap_or_else(|| {
        let drawn = u64::from(rand::random::<u32>());
        tell_drawn(drawn);
        drawn
    })
}

fn tell_drawn(seed: u64) {
    eprint(&format!("seed {seed} (--seed {seed} repeats this run)"));
}

/// A rule about stored bytes that selects nothing so far may be waiting for files, or be mistaken.
pub(super) fn tell_unselected(plan: &Plan, files: &[Surveyed]) {
    let stored = plan.numbered().filter(|(_, rule)| rule.fault.is_stored());
    let selected: HashSet<_> = files.iter().flat_map(|file| plan.select(&file.path)).collect();
    for (id, rule) in stored {
        if !selected.contains(&id) {
            tell_nothing_selected(&rule.name);
        }
    }
}

fn tell_nothing_selected(rule: &str) {
    eprint(&format!("rule `{rule}` selects no file that is there now"));
}

/// A new file below the state directory of the XDG Base Directory Specification; below /var/lib if
/// mount(8) calls, which tells root's programs of no home.
fn default_ledger() -> Result<PathBuf, Failure> {
    let nowhere = |why: String| {
        Failure::new(Exit::Usage, format!("no place for a ledger: {why}; name one: --ledger FILE"))
    };
    let Some(state) = state_directory() else {
        return Err(nowhere("neither XDG_STATE_HOME nor HOME is set".to_owned()));
    };
    let state = state.join("errorfs");
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&state);
    made.map_err(|error| nowhere(format!("{}: {error}", state.display())))?;
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%6f");
    Ok(state.join(format!("{now}-{}.jsonl", std::process::id())))
}

fn state_directory() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(absolute("HOME")?.join(".local/state"));
    let root = rustix::process::geteuid().is_root().then(|| PathBuf::from("/var/lib"));
    absolute("XDG_STATE_HOME").or_else(home).or(root)
}
