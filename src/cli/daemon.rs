//! `errorfs mount --daemon`: a process of its own serves the mount, and whoever started it gets on when
//! the mount answers. Both sides.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::exit::{Exit, Failure};
use super::out;
use super::place::Place;

/// Starts the same command line in a process that stays, and waits until its mount answers. What
/// keeps it from mounting it says itself, on the same stderr; its status is passed on.
pub(super) fn start(typed: &[OsString]) -> Result<Exit, Failure> {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let mut child = stays(typed).spawn().map_err(internal)?;
    if answers(child.stdout.take()).map_err(internal)? {
        return Ok(Exit::Done);
    }
    ended(&mut child).map_err(internal)
}

/// `typed` begins with program and verb.
fn stays(typed: &[OsString]) -> Command {
    // By its name, as that is what `ps` shows; unless that was replaced since.
    let named = std::env::current_exe().ok().filter(|program| program.exists());
    let mut command = Command::new(named.unwrap_or_else(|| PathBuf::from("/proc/self/exe")));
    command.arg0("errorfs").args(typed.get(1..2).unwrap_or_default()).arg("--detached");
    command.args(typed.get(2..).unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn answers(stdout: Option<ChildStdout>) -> std::io::Result<bool> {
    let mut line = String::new();
    match stdout {
        Some(stdout) => Ok(BufReader::new(stdout).read_line(&mut line)? > 0),
        None => Ok(false),
    }
}

fn ended(child: &mut Child) -> std::io::Result<Exit> {
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(Exit::Command(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
}

/// The process that stays.
#[derive(Debug)]
pub(super) struct Detached {
    messages: File,
}

impl Detached {
    /// Leaves the session of whoever started it. Their terminal stays open for what may go wrong until
    /// the mount answers.
    pub(super) fn enter(log: Option<&Path>, place: &Place) -> Result<Detached, Failure> {
        // Fails for a leader of a session, which has none to leave.
        let _ = rustix::process::setsid();
        let messages = match log {
            Some(log) => {
                place.must_not_hold(log, "log")?;
                OpenOptions::new().append(true).create(true).mode(0o600).open(log)
            }
            None => OpenOptions::new().write(true).open("/dev/null"),
        };
        let refused = |error| {
            let file = log.unwrap_or(Path::new("/dev/null")).display();
            Failure::new(Exit::Usage, format!("{file}: {error}"))
        };
        Ok(Detached { messages: messages.map_err(refused)? })
    }

    /// Tells whoever waits that the mount answers, and lets go of all that is theirs.
    pub(super) fn answers(self, summary: &serde_json::Value) -> Result<(), Failure> {
        let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
        announce(summary)?;
        std::env::set_current_dir("/").map_err(own)?;
        let nothing = File::options().read(true).write(true).open("/dev/null").map_err(own)?;
        redirect(&nothing, &self.messages).map_err(|errno| own(errno.into()))
    }
}

/// One line on stdout, which a killed starter has closed: nobody knows of the mount then.
fn announce(summary: &serde_json::Value) -> Result<(), Failure> {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdout = std::io::stdout();
    let mut reader = [PollFd::new(&stdout, PollFlags::empty())];
    let nowhere = rustix::time::Timespec::default();
    let gone = poll(&mut reader, Some(&nowhere)).is_ok_and(|closed| closed > 0);
    match gone {
        true => Err(Failure::new(Exit::TryAgain, "whoever started this daemon is gone")),
        false => out(&summary.to_string()),
    }
}

fn redirect(nothing: &File, messages: &File) -> rustix::io::Result<()> {
    rustix::stdio::dup2_stdin(nothing.as_fd())?;
    rustix::stdio::dup2_stdout(nothing.as_fd())?;
    rustix::stdio::dup2_stderr(messages.as_fd())
}
