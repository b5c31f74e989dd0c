//! `errorfs run`: a command under faults, in a private namespace that leaves nothing behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use clap::Args;

use super::eprint;
use super::exit::{Exit, Failure};
use super::place::Place;
use super::serving::{PlanArgs, Serving};
use crate::control::ENVIRONMENT;
use crate::fuse::Session;
use crate::isolation::{
    Enclosure, Ended, NamespaceError, Start, Surroundings, discard_writes, enter_namespace, show_at,
};
use crate::machine::{Mount, mounts};
use crate::sys::process::Namespaces;

/// How long the processes that the command left may take to die before the mount goes.
const REST: Duration = Duration::from_secs(5);
/// Exit status when errorfs itself failed.
const OWN_FAILURE: u8 = 125;
/// Exit status when the command is there and cannot be run.
const CANNOT_RUN: u8 = 126;
/// Exit status when the command is not there.
const NOT_FOUND: u8 = 127;

/// Run a command under faults: errorfs over a directory that only the command sees
///
///   errorfs run --scenario bitrot.toml --on ./data -- ./my-test
///
/// The command finds the directory at its own path. Nobody else sees the faults, and no privileges
/// are needed where user namespaces are allowed (errorfs doctor tells). SIGTERM, SIGINT, SIGHUP and
/// SIGQUIT are passed on to the command. When the command ends, the processes that it left running
/// are killed, and the mount is gone; the same if errorfs is killed, however.
///
/// What the command writes, it writes to the directory; with --discard-writes it writes to memory
/// instead, and that is gone with the command.
///
/// The exit status is the command's own, 128+N if signal N killed it; 125 if errorfs failed, 126 if
/// the command cannot be run, 127 if it is not found.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Run {
    #[command(flatten)]
    plan: PlanArgs,
    /// The directory that gets the faults
    #[arg(long, value_name = "DIR")]
    on: PathBuf,
    /// Accept a system directory
    #[arg(long)]
    pub(super) force: bool,
    /// Leave the directory as it is: the command sees what it writes, and nobody else ever does
    #[arg(long)]
    pub(super) discard_writes: bool,
    /// The same for this directory, which gets no faults; may be repeated
    #[arg(long, value_name = "DIR", hide = true)]
    layer: Vec<PathBuf>,
    /// Show the directory FROM at TO, to the command only
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], hide = true)]
    show: Vec<PathBuf>,
    /// Nobody sees the directory after the command: it may be damaged
    #[arg(long, hide = true)]
    thrown_away: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    /// A command without faults, and a trace of what it does.
    pub(super) fn traced(trace: PathBuf, on: PathBuf, command: Vec<OsString>) -> Run {
        let plan = PlanArgs::traced(trace);
        let (force, discard_writes, thrown_away) = (false, false, false);
        let (layer, show) = (Vec::new(), Vec::new());
        Run { plan, on, force, discard_writes, layer, show, thrown_away, command }
    }
}

/// Runs the command and gives its exit status.
pub(super) fn run(args: &Run) -> Result<Exit, Failure> {
    enclose(args).map_err(|failure| match failure.exit {
        Exit::Command(_) => failure,
        _ => Failure::new(Exit::Command(OWN_FAILURE), failure.message),
    })
}

fn enclose(args: &Run) -> Result<Exit, Failure> {
    let cannot = |error: NamespaceError| {
        let message = format!("{error}; errorfs doctor tells what is missing");
        Failure::new(Exit::CannotMount, message)
    };
    super::messages::start(args.plan.log);
    let surroundings = Surroundings::of_this_process();
    let namespaces = enter_namespace().map_err(cannot)?;
    prepare_directories(args, namespaces)?;
    let mut place = Place::in_place(&args.on, args.force)?;
    place.thrown_away = args.discard_writes || args.thrown_away;
    // Only the command is there to see the mount, and it may become whoever it may become.
    place.allow_other = namespaces == Namespaces::Mounts;
    let inside = |cwd: &PathBuf| cwd.starts_with(&place.mountpoint);
    let cwd = std::env::current_dir().ok().filter(inside);
    super::process::prepare();
    let (sender, gone) = channel();
    let serving = Serving::start(&args.plan, place, move |end| drop(sender.send(end)))?;
    let environment = [(ENVIRONMENT, serving.control())];
    let environment = &environment[..];
    let start = Start { command: &args.command, cwd: cwd.as_deref(), surroundings, environment };
    let ended = command(&start, &serving.session, &gone);
    let told = serving.tell_delivered();
    let exit = exit(args, ended?)?;
    told.map(|()| exit)
}

/// What has to be in its place before the mount goes over it.
fn prepare_directories(args: &Run, namespaces: Namespaces) -> Result<(), Failure> {
    for pair in args.show.chunks_exact(2) {
        let what = format!("cannot show {} at {}", pair[0].display(), pair[1].display());
        show_at(&pair[0], &pair[1]).map_err(|error| cannot(&what, &error))?;
    }
    let own = args.discard_writes.then_some(&args.on);
    own.into_iter().chain(&args.layer).try_for_each(|one| lay(one, args.force, namespaces))
}

/// Puts a layer over a directory that takes what is written.
fn lay(directory: &Path, force: bool, namespaces: Namespaces) -> Result<(), Failure> {
    // Judged before anything is put over it.
    let place = Place::in_place(directory, force)?;
    let mounts = mounts().map_err(|error| cannot("/proc/self/mountinfo", &error))?;
    let below = |mount: &&Mount| {
        mount.mountpoint != place.backing && mount.mountpoint.starts_with(&place.backing)
    };
    if let Some(mount) = mounts.iter().find(below) {
        let message = format!(
            "cannot discard writes: {} is mounted below {}, and would be hidden",
            mount.mountpoint.display(),
            place.backing.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let what = format!("cannot discard writes: no layer over {}", place.backing.display());
    discard_writes(&place.backing, namespaces).map_err(|error| cannot(&what, &error))
}

fn cannot(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::CannotMount, format!("{what}: {error}"))
}

/// Runs the command to its end, then takes the mount away: when all its processes are gone, or
/// cannot go as long as it is there.
fn command(
    start: &Start<'_>,
    session: &Session,
    gone: &Receiver<std::io::Result<()>>,
) -> Result<Ended, Failure> {
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let mut enclosure = Enclosure::spawn(start).map_err(own)?;
    let ended = enclosure.wait();
    session.filesystem().release_delayed();
    enclosure.wait_for_rest(REST);
    match gone.try_recv() {
        Ok(Ok(())) => eprint("the mount was gone before the command ended"),
        Ok(Err(error)) => eprint(&format!("the mount failed before the command ended: {error}")),
        Err(_) => {
            let unmounted = session.unmount();
            unmounted.unwrap_or_else(|error| eprint(&error.to_string()));
            let _ = gone.recv_timeout(REST);
        }
    }
    drop(enclosure);
    ended.map_err(own)
}

fn exit(args: &Run, ended: Ended) -> Result<Exit, Failure> {
    let number = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
    match ended {
        Ended::Exited(status) => Ok(Exit::Command(number(status))),
        Ended::Signalled(signal) => Ok(Exit::Command(number(128 + signal))),
        Ended::NotRun(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            let status = match error.kind() {
                std::io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            };
            let name = args.command.first().map(|name| name.display().to_string());
            let message = format!("cannot run {}: {error}", name.unwrap_or_default());
            Err(Failure::new(Exit::Command(status), message))
        }
    }
}
