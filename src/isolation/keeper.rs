//! The keeper: a process between errorfs and the command that survives neither of them for long.
//!
//! It runs the command and says how it ended. When the command ends, or errorfs does by any means,
//! it kills every process that descends from the command, then ends itself.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::process::{Pid, Signal, WaitStatus, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{adopt_orphans, kill_descendants, reap};
use crate::sys::process::die_with_parent;

/// Signals that ask to end: errorfs passes them on, the keeper outlives them.
pub const ENDING: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Exited(i32),
    /// Killed by this signal.
    Signalled(i32),
    /// It could not be run, with this error number.
    NotRun(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(status) => write!(f, "exited {status}"),
            Ended::Signalled(signal) => write!(f, "signalled {signal}"),
            Ended::NotRun(errno) => write!(f, "not-run {errno}"),
        }
    }
}

impl FromStr for Ended {
    type Err = ();

    fn from_str(text: &str) -> Result<Ended, ()> {
        let (how, number) = text.split_once(' ').ok_or(())?;
        let number = number.parse().map_err(|_| ())?;
        match how {
            "exited" => Ok(Ended::Exited(number)),
            "signalled" => Ok(Ended::Signalled(number)),
            "not-run" => Ok(Ended::NotRun(number)),
            _ => Err(()),
        }
    }
}

impl From<WaitStatus> for Ended {
    fn from(status: WaitStatus) -> Ended {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => Ended::Exited(status),
            (None, signal) => Ended::Signalled(signal.unwrap_or(0)),
        }
    }
}

/// What wakes the keeper.
enum News {
    /// errorfs was sent this signal.
    Signal(i32),
    /// errorfs is gone.
    Alone,
    /// A child ended.
    Child,
}

/// The keeper's own side: runs the command and stays until no descendant is left. `errorfs` is the
/// connection to errorfs: signals come in by number, one byte each; how the command ended goes out
/// as one line. Call it on the main thread of a process that does nothing else.
pub fn keep(errorfs: UnixStream, mut command: Command) -> io::Result<()> {
    adopt_orphans()?;
    outlive_signals()?;
    let news = listen(errorfs.try_clone()?)?;
    die_with_parent(&mut command);
    let ended = match command.spawn() {
        Ok(child) => watch(&news, i32::try_from(child.id()).ok().and_then(Pid::from_raw)),
        Err(error) => Some(Ended::NotRun(error.raw_os_error().unwrap_or(0))),
    };
    if let Some(ended) = ended {
        let _ = writeln!(&errorfs, "{ended}");
    }
    kill_descendants(None, |_, _| ());
    Ok(())
}

/// Waits for the end of the command, or of errorfs (`None`).
fn watch(news: &Receiver<News>, command: Option<Pid>) -> Option<Ended> {
    let mut ended = None;
    while ended.is_none() {
        match news.recv().unwrap_or(News::Alone) {
            News::Alone => return None,
            News::Signal(signal) => send(command, signal),
            News::Child => {
                reap(|pid, status| {
                    if Some(pid) == command {
                        ended = Some(Ended::from(status));
                    }
                });
            }
        }
    }
    ended
}

/// Signals the command, which has not been reaped, so that its id is still its own.
fn send(command: Option<Pid>, signal: i32) {
    if let (Some(pid), Some(signal)) = (command, Signal::from_named_raw(signal)) {
        let _ = kill_process(pid, signal);
    }
}

/// A handler that does nothing, where the signal is not ignored anyway: unlike an ignored signal it
/// is the default again in the command.
fn outlive_signals() -> io::Result<()> {
    for signal in ENDING.into_iter().filter(|signal| !is_ignored(*signal)) {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// Whether this process was started with the signal ignored, as by nohup(1).
pub fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

fn listen(errorfs: UnixStream) -> io::Result<Receiver<News>> {
    let (sender, news) = channel();
    let mut signals = Signals::new([SIGCHLD])?;
    let children = sender.clone();
    thread::Builder::new().spawn(move || {
        for _ in signals.forever() {
            let _ = children.send(News::Child);
        }
    })?;
    thread::Builder::new().spawn(move || relay(errorfs, &sender))?;
    Ok(news)
}

fn relay(mut errorfs: UnixStream, news: &Sender<News>) {
    let mut signal = [0];
    while errorfs.read_exact(&mut signal).is_ok() {
        let _ = news.send(News::Signal(i32::from(signal[0])));
    }
    let _ = news.send(News::Alone);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_command_ended_survives_the_connection() {
        for ended in [Ended::Exited(3), Ended::Signalled(9), Ended::NotRun(2)] {
            assert_eq!(ended.to_string().parse(), Ok(ended));
        }
        assert_eq!("exited".parse::<Ended>(), Err(()));
    }
}
