//! `errorfs mount`: a directory under faults, in the foreground until somebody unmounts it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::eprint;
use super::exit::{Exit, Failure};
use super::place::{Place, PlaceArgs};
use super::serving::{PlanArgs, Serving};
use crate::machine::{Guard, when_parent_ends};

/// How long whoever still uses a mount that goes away may take to finish.
const GRACE: Duration = Duration::from_secs(2);

/// Mount a directory: under faults if scenarios say so, else exactly as it is
///
///   errorfs mount --scenario bitrot.toml ./data /mnt
///
/// Stays in the foreground. SIGTERM, SIGINT and `errorfs umount` end it. The backing directory is
/// never changed by a fault.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Mount {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    place: PlaceArgs,
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
}

/// Mounts, waits for the end, unmounts.
pub(super) fn run(args: &Mount) -> Result<Exit, Failure> {
    let ready = args.ready_fd.map(super::ready::take).transpose()?;
    super::process::start_log();
    super::process::prepare();
    let place = Place::check(&args.place)?;
    let (sender, endings) = channel();
    watch(args, &sender)?;
    let serving =
        Serving::start(&args.plan, place, move |end| drop(sender.send(Ending::Gone(end))))?;
    let guard =
        Guard::spawn(&serving.session.mounted().mountpoint, serving.session.mounted().device);
    let guard = guard.inspect_err(|error| eprint(&format!("no guard: {error}"))).ok();
    serving.tell_mounted();
    if let Some(ready) = ready {
        super::ready::tell(ready, &serving.summary());
    }
    let ended = serve(&serving, &endings);
    // An undismissed guard removes what is left of a mount that did not end in order.
    if let (Some(guard), true) = (guard, ended.is_ok()) {
        guard.dismiss();
    }
    let told = serving.tell_delivered();
    ended.and_then(|exit| told.map(|()| exit))
}

/// Until the mount is gone, or somebody asks that it go.
fn serve(serving: &Serving, endings: &Receiver<Ending>) -> Result<Exit, Failure> {
    let internal = |message: String| Failure::new(Exit::Internal, message);
    match endings.recv() {
        Ok(Ending::Gone(Ok(()))) => return Ok(Exit::Done),
        Ok(Ending::Gone(Err(error))) => {
            return Err(internal(format!("the session ended: {error}")));
        }
        Ok(Ending::Asked) | Err(_) => {}
    }
    serving.session.unmount().map_err(|error| internal(error.to_string()))?;
    while let Ok(ending) = endings.recv_timeout(GRACE) {
        if matches!(ending, Ending::Gone(_)) {
            return Ok(Exit::Done);
        }
    }
    eprint("the mount was still in use: whoever has files open there gets errors from now on");
    Ok(Exit::Done)
}

fn watch(args: &Mount, sender: &Sender<Ending>) -> Result<(), Failure> {
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(own)?;
    let theirs = sender.clone();
    let forward = move || signals.forever().for_each(|_| drop(theirs.send(Ending::Asked)));
    std::thread::Builder::new().name("signals".into()).spawn(forward).map_err(own)?;
    if args.exit_with_parent {
        let theirs = sender.clone();
        when_parent_ends(move || drop(theirs.send(Ending::Asked))).map_err(own)?;
    }
    Ok(())
}
