//! From what was typed to a mounted filesystem under an armed plan: what `mount` and `run` share.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::place::Place;
use super::{eprint, scenarios};
use crate::diagnostic::plural;
use crate::fs::{Filesystem, Settings, survey};
use crate::fuse::{MountOptions, Session};
use crate::injector::{Armed, Injector};
use crate::isolation::enter_namespace;
use crate::ledger::{FORMAT, Header, Writer, escape};
use crate::media::{Media, Usage};
use crate::op::{OpKind, OpSet};
use crate::plan::fault::Fault;
use crate::plan::seed::DRAW_VERSION;
use crate::plan::{Placement, Plan, Surveyed, compile};
use crate::scenario::{Scenario, size};

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
}

/// How long the kernel remembers what nobody else changes.
const EXCLUSIVE_TTL: Duration = Duration::from_secs(3600);

/// A mount, and what it was told.
#[derive(Debug)]
pub(super) struct Serving {
    /// The mount.
    pub(super) session: Session,
    seed: Option<u64>,
    ledger: Option<PathBuf>,
}

/// A plan with the places of its faults, ready to be armed.
struct Readied {
    plan: Plan,
    placement: Placement,
    media: Media,
    usage: Usage,
    header: Header,
    ledger: PathBuf,
}

impl Serving {
    /// Checks everything, mounts, and says what is armed. `ended` is called when the mount is gone.
    pub(super) fn start(
        args: &PlanArgs,
        place: Place,
        ended: impl FnOnce(std::io::Result<()>) + Send + 'static,
    ) -> Result<Serving, Failure> {
        let readied = ready(args, &place)?;
        let told = readied.as_ref().map(|ready| (ready.header.seed, ready.ledger.clone()));
        let options = MountOptions {
            allow_other: place.allow_other,
            restrictions: place.restrictions,
            ttl: ttl(args, readied.as_ref()),
            passthrough: !args.no_passthrough,
            ..MountOptions::new(&place.backing, &place.mountpoint)
        };
        let fs = filesystem(place, readied, args.keep_max)?;
        let refused = |error: crate::fuse::MountError| Failure::caused(Exit::CannotMount, &error);
        let session = Session::mount(fs, &options, ended).map_err(refused)?;
        let (seed, ledger) = told.unzip();
        Ok(Serving { session, seed, ledger })
    }

    /// Says on a terminal's side what is mounted and how to end it.
    pub(super) fn tell_mounted(&self, daemon: bool) {
        let mountpoint = self.session.mounted().mountpoint.as_os_str().as_encoded_bytes();
        let faults = if self.ledger.is_some() { "under faults" } else { "without faults" };
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
            "ledger": self.ledger.as_deref().map(path),
        })
    }

    /// Says what was delivered, once the mount is gone. A ledger that is not whole is a failure:
    /// from some moment on no fault was injected, and whatever was tried then was tried on good data.
    pub(super) fn tell_delivered(&self) -> Result<(), Failure> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        self.session.filesystem().tell_never_read();
        let writer = self.session.filesystem().ledger();
        writer.drain();
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
        let seed = self.seed.unwrap_or_default();
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
fn ttl(args: &PlanArgs, readied: Option<&Readied>) -> Duration {
    let looks = OpSet::EMPTY.with(OpKind::Lookup).with(OpKind::Getattr);
    let watched = |ready: &Readied| {
        ready.plan.rules().iter().any(|rule| !rule.reach.intersection(looks).is_empty())
    };
    match args.exclusive && !readied.is_some_and(watched) {
        true => EXCLUSIVE_TTL,
        false => Duration::ZERO,
    }
}

fn filesystem(
    place: Place,
    readied: Option<Readied>,
    keep_max: u64,
) -> Result<Filesystem, Failure> {
    let settings = Settings { errorfs_is_root: rustix::process::geteuid().is_root(), keep_max };
    let injector = Injector::default();
    let (media, ledger) = match readied {
        None => (Media::default(), Writer::none()),
        Some(ready) => {
            let ledger =
                Writer::create(&ready.ledger, &ready.header).map_err(|error| no_ledger(&error))?;
            injector.arm(Armed::new(ready.plan, ready.placement).with_usage(ready.usage));
            (ready.media, ledger)
        }
    };
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    Filesystem::new(place.root, settings, injector, media, ledger).map_err(own)
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
        let session = Session::mount(fs, &options, |_| {})?;
        let passthrough = session.passthrough();
        session.unmount()?;
        Ok(passthrough?)
    };
    attempt().map_err(|error| error.to_string())
}

fn no_ledger(error: &std::io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::AlreadyExists => "; a ledger is never overwritten: name another or remove it",
        _ => "",
    };
    Failure::new(Exit::Usage, format!("{error}{remedy}"))
}

/// The plan of the scenarios, if there are any.
fn ready(args: &PlanArgs, place: &Place) -> Result<Option<Readied>, Failure> {
    let ledger = match &args.ledger {
        Some(ledger) => Some(ledger.clone()),
        None if args.scenario.is_empty() => None,
        None => Some(default_ledger()?),
    };
    let Some(ledger) = ledger else {
        return Ok(None);
    };
    place.must_not_hold(&ledger, "ledger")?;
    let scenario = scenarios::load(&args.scenario)?;
    let seed = seed(args.seed, &scenario);
    let canonical = scenario.canonical();
    let plan = compile(&scenario, seed, &args.id, scenario.fingerprint().as_bytes());
    let header = header(&plan, args, place, canonical);
    let (placement, media, usage) = place_faults(&plan, place)?;
    Ok(Some(Readied { plan, placement, media, usage, header, ledger }))
}

/// The seed in force; one that nobody chose is printed, or nobody could repeat the run.
pub(super) fn seed(typed: Option<u64>, scenario: &Scenario) -> u64 {
    typed.or(scenario.seed).unwrap_or_else(|| {
        let drawn = u64::from(rand::random::<u32>());
        eprint(&format!("seed {drawn} (--seed {drawn} repeats this run)"));
        drawn
    })
}

/// Chooses the places of every `count` among the files that are there, notes which of those have
/// several names, and how much they take.
fn place_faults(plan: &Plan, place: &Place) -> Result<(Placement, Media, Usage), Failure> {
    let (media, mut usage) = (Media::default(), Usage::default());
    let mut files = Vec::new();
    if plan.rules().iter().any(|rule| needs_survey(&rule.fault)) {
        let survey =
            survey(place.root.as_fd()).map_err(|error| Failure::caused(Exit::Usage, &error))?;
        for (key, first) in &survey.links {
            media.keep_origin(*key, first);
        }
        usage = survey.usage();
        files = survey.files;
        tell_unselected(plan, &files);
    }
    let placement =
        plan.place(&files).map_err(|error| Failure::caused(Exit::NothingMatched, &error))?;
    Ok((placement, media, usage))
}

/// Whether a fault depends on what is there at arming.
fn needs_survey(fault: &Fault) -> bool {
    fault.is_stored() || matches!(fault, Fault::Space(_))
}

/// A rule about stored bytes that selects nothing so far may be waiting for files, or be mistaken.
pub(super) fn tell_unselected(plan: &Plan, files: &[Surveyed]) {
    let stored = plan.numbered().filter(|(_, rule)| rule.fault.is_stored());
    let selected: HashSet<_> = files.iter().flat_map(|file| plan.select(&file.path)).collect();
    for (id, rule) in stored {
        if !selected.contains(&id) {
            eprint(&format!("rule `{}` selects no file that is there now", rule.name));
        }
    }
}

fn header(plan: &Plan, args: &PlanArgs, place: &Place, scenario: Value) -> Header {
    let path = |path: &Path| escape(path.as_os_str().as_encoded_bytes());
    Header {
        ledger: FORMAT,
        errorfs: env!("CARGO_PKG_VERSION").to_owned(),
        seed: plan.seed(),
        draw: DRAW_VERSION,
        plan: plan.id().to_owned(),
        mount: args.id.clone(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        armed: jiff::Timestamp::now().to_string(),
        options: json!({
            "backing": path(&place.backing),
            "mountpoint": path(&place.mountpoint),
            "allow_other": place.allow_other,
        }),
        scenario,
    }
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
