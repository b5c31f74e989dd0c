//! `errorfs mount`: a directory under faults, in the foreground until somebody unmounts it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::Args;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::daemon::{self, Detached};
use super::eprint;
use super::exit::{Exit, Failure};
use super::place::{Place, PlaceArgs};
use super::serving::{PlanArgs, Serving};
use crate::machine::{Guard, UnmountError, when_parent_ends};

/// How long whoever still uses a mount that goes away may take to finish.
const GRACE: Duration = Duration::from_secs(2);

/// Mount a directory: under faults if scenarios say so, else exactly as it is
///
///   errorfs mount --scenario bitrot.toml ./data /mnt
///
/// Stays in the foreground, unless --daemon. SIGTERM, SIGINT and `errorfs umount` end it; SIGHUP
/// loads the scenario files anew. No fault changes the backing directory,
/// unless --allow-damage.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Mount {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Return when the mount answers; a process of its own serves it until `errorfs umount`
    #[arg(long, conflicts_with = "exit_with_parent")]
    daemon: bool,
    /// With --daemon: a file for what errorfs has to say from then on, which is thrown away else
    #[arg(long, value_name = "FILE", requires = "daemon")]
    log_file: Option<PathBuf>,
    /// What --daemon starts
    #[arg(long, hide = true)]
    detached: bool,
    /// Unmount when the process that started errorfs ends
    #[arg(long)]
    exit_with_parent: bool,
    /// Write one line of JSON to this descriptor when the mount answers, then close it
    #[arg(long, value_name = "FD")]
    ready_fd: Option<i32>,
}

/// Why the program is to end.
enum Ending {
    /// The mount is gone.
    Gone(std::io::Result<()>),
    /// A signal, or the end of the parent process.
    Asked,
    /// The scenario files are to be loaded anew.
    Reload,
}

/// Mounts, waits for the end, unmounts. `typed`: the whole command line, for `--daemon`.
pub(super) fn run(args: &Mount, typed: &[OsString]) -> Result<Exit, Failure> {
    if args.daemon && !args.detached {
        return daemon::start(typed);
    }
    let ready = args.ready_fd.map(super::ready::take).transpose()?;
    super::messages::start(args.plan.log);
    super::process::prepare();
    let place = Place::check(&args.place)?;
    let log = args.log_file.as_deref();
    let detached = args.detached.then(|| Detached::enter(log, &place)).transpose()?;
    let (sender, endings) = channel();
    watch(args, &sender)?;
    let serving =
        Serving::start(&args.plan, place, move |end| drop(sender.send(Ending::Gone(end))))?;
    let guard =
        Guard::spawn(&serving.session.mounted().mountpoint, serving.session.mounted().device);
    let guard = guard.inspect_err(|error| eprint(&format!("no guard: {error}"))).ok();
    serving.tell_mounted(args.detached);
    let heard = tell_ready(ready, detached, &serving);
    let ended = match heard {
        Ok(()) => serve(&serving, &endings),
        Err(failure) => unmount(&serving, &endings).and(Err(failure)),
    };
    // An undismissed guard removes what is left of a mount that did not end in order.
    if let (Some(guard), true) = (guard, ended.is_ok()) {
        guard.dismiss();
    }
    let told = serving.tell_delivered();
    ended.and_then(|exit| told.map(|()| exit))
}

/// Until the mount is gone, or somebody asks that it go.
fn serve(serving: &Serving, endings: &Receiver<Ending>) -> Result<Exit, Failure> {
    let reload = serving.reloading();
    let ending = loop {
        match (endings.recv(), &reload) {
            (Ok(Ending::Reload), Some(reload)) => reload(),
            (ending, _) => break ending,
        }
    };
    match ending {
        Ok(Ending::Gone(Ok(()))) => Ok(Exit::Done),
        Ok(Ending::Gone(Err(error))) => {
            Err(Failure::new(Exit::Internal, format!("the session ended: {error}")))
        }
        Ok(Ending::Asked | Ending::Reload) | Err(_) => unmount(serving, endings),
    }
}

/// Tells whoever waits for it that the mount answers: `--ready-fd`, systemd, `--daemon`.
fn tell_ready(
    ready: Option<OwnedFd>,
    detached: Option<Detached>,
    serving: &Serving,
) -> Result<(), Failure> {
    let summary = serving.summary();
    if let Some(ready) = ready {
        super::ready::tell(ready, &summary);
    }
    let this = NotifyState::MainPid(std::process::id());
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready, this]) {
        eprint(&format!("systemd ($NOTIFY_SOCKET) cannot be told: {error}"));
    }
    detached.map_or(Ok(()), |detached| detached.answers(&summary))
}

fn unmount(serving: &Serving, endings: &Receiver<Ending>) -> Result<Exit, Failure> {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let internal = |error: UnmountError| Failure::new(Exit::Internal, error.to_string());
    serving.session.unmount().map_err(internal)?;
    while let Ok(ending) = endings.recv_timeout(GRACE) {
        if matches!(ending, Ending::Gone(_)) {
            return Ok(Exit::Done);
        }
    }
    eprint("the mount was still in use: whoever has files open there gets errors from now on");
    Ok(Exit::Done)
}

/// Whether there is a terminal from which this process is controlled.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

fn watch(args: &Mount, sender: &Sender<Ending>) -> Result<(), Failure> {
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(own)?;
    let theirs = sender.clone();
    let had_terminal = has_terminal();
    let forward = move || {
        for signal in signals.forever() {
            let hung_up = had_terminal && !has_terminal();
            let _ = theirs.send(match signal {
                SIGHUP if !hung_up => Ending::Reload,
                _ => Ending::Asked,
            });
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(forward).map_err(own)?;
    if args.exit_with_parent {
        let theirs = sender.clone();
        when_parent_ends(move || drop(theirs.send(Ending::Asked))).map_err(own)?;
    }
    Ok(())
}
