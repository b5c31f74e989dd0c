//! `errorfs run`: a command under faults, in a private namespace that leaves nothing behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::eprint;
use super::exit::{Exit, Failure};
use crate::isolation::{Enclosure, Ended, enter_namespace};
use crate::ledger::Writer;

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
/// The exit status is the command's own, 128+N if signal N killed it; 125 if errorfs failed, 126 if
/// the command cannot be run, 127 if it is not found.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Run {
    /// What goes wrong; several add up
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The root of all randomness; default: the scenario's, else drawn and told
    #[arg(long)]
    seed: Option<u64>,
    /// Write every delivered fault to this new file
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Name of the mount, part of every random stream if given
    #[arg(long)]
    id: Option<String>,
    /// The directory that gets the faults
    #[arg(long, value_name = "DIR")]
    on: PathBuf,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command and gives its exit status.
pub(super) fn run(args: &Run) -> Result<Exit, Failure> {
    let own = |failure: Failure| Failure::new(Exit::Command(OWN_FAILURE), failure.message);
    enclose(args).map_err(own)
}

fn enclose(args: &Run) -> Result<Exit, Failure> {
    let dir = std::fs::canonicalize(&args.on).map_err(|error| {
        let path = args.on.display();
        Failure::new(Exit::Usage, format!("--on {path}: {error}"))
    })?;
    let cwd = std::env::current_dir()
        .ok()
        .filter(|cwd| cwd.starts_with(&dir));
    enter_namespace().map_err(|error| Failure::new(Exit::CannotMount, error.to_string()))?;
    let served = Served::mount(args, &dir)?;
    let ended = command(args, cwd.as_deref(), || served.end());
    served.summarise();
    exit(args, ended?)
}

/// Runs the command to its end. `unmount` comes when all its processes are gone, or cannot go
/// without it.
fn command(args: &Run, cwd: Option<&Path>, unmount: impl FnOnce()) -> Result<Ended, Failure> {
    let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let mut enclosure = Enclosure::spawn(&args.command, cwd).map_err(own)?;
    let ended = enclosure.wait();
    enclosure.wait_for_rest(REST);
    unmount();
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

/// errorfs over the directory. For now a bind mount of it: `fuse::session` takes its place.
struct Served {
    dir: PathBuf,
    ledger: Writer,
}

impl Served {
    fn mount(_args: &Run, dir: &Path) -> Result<Served, Failure> {
        let own = |errno: rustix::io::Errno| Failure::new(Exit::CannotMount, errno.to_string());
        rustix::mount::mount_bind(dir, dir).map_err(own)?;
        Ok(Served {
            dir: dir.to_owned(),
            ledger: Writer::none(),
        })
    }

    fn end(&self) {
        let flags = rustix::mount::UnmountFlags::DETACH;
        let _ = rustix::mount::unmount(&self.dir, flags);
    }

    fn summarise(&self) {
        for (rule, count) in self.ledger.delivered() {
            eprint(&format!("{rule}: {count} delivered"));
        }
    }
}
