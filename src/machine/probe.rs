//! Tries things in a child process, because they change or may block the process that does them.
//!
//! The child is `errorfs doctor --probe WHAT`; both sides are here.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::mount::MountFlags;
use rustix::process::{getegid, geteuid};

use crate::isolation::{enter_mount_namespace, enter_user_namespace};

/// What a child may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// mount(2) with the privileges of this user, in a private mount namespace.
    Mount,
    /// The same in a user namespace.
    UserMount,
}

impl Probe {
    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Probe::Mount => "mount",
            Probe::UserMount => "user-mount",
        }
    }

    /// Does it, in this process, for good. What it mounts vanishes with the process.
    pub fn attempt(self) -> Result<(), String> {
        match self {
            Probe::Mount => enter_mount_namespace(),
            Probe::UserMount => enter_user_namespace(),
        }
        .map_err(|error| error.to_string())?;
        mount().map_err(|error| format!("a FUSE mount is refused: {error}"))
    }

    /// Lets a child do it.
    pub fn run(self) -> Result<(), String> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["doctor", "--probe", self.name()]);
        outcome(&mut command)
    }
}

/// A mount that nobody will ever serve, in a namespace that nobody else sees.
fn mount() -> io::Result<()> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let device = device.map_err(|e| io::Error::new(e.kind(), format!("/dev/fuse: {e}")))?;
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let data = format!("fd={},rootmode=40000,user_id={uid},group_id={gid}\0", device.as_raw_fd());
    let data = std::ffi::CString::from_vec_with_nul(data.into_bytes()).map_err(io::Error::other)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("errorfs", std::env::temp_dir(), super::FSTYPE, flags, data.as_c_str())?;
    Ok(())
}

/// Whether the kernel moves the data of files by itself for a mount of this user's. The child's side
/// is in `cli`, as it takes a mount that answers.
pub fn probe_passthrough() -> Result<(), String> {
    let mut command = Command::new("/proc/self/exe");
    outcome(command.args(["doctor", "--probe", "passthrough"]))
}

/// Whether the root of a mount answers in time. Asked by a child: who asks a hung mount hangs.
pub fn probe_answer(mountpoint: &Path) -> Result<(), String> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["doctor", "--probe", "answer"]).arg(mountpoint);
    outcome(&mut command)
}

/// The child's side of [`probe_answer`].
pub fn attempt_answer(mountpoint: &Path) -> Result<(), String> {
    match rustix::fs::stat(mountpoint) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::NOTCONN) => Err("dead: the errorfs that served it is gone".into()),
        // It answered.
        Err(_) => Ok(()),
    }
}

/// Runs a child that says on stderr why it failed, and waits for it, but not for ever.
fn outcome(command: &mut Command) -> Result<(), String> {
    const WITHIN: Duration = Duration::from_secs(3);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let spawned = command.stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| format!("cannot be tried: {error}"))?;
    let start = Instant::now();
    while start.elapsed() < WITHIN {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => return Err(said(&mut child)),
            _ => sleep(Duration::from_millis(5)),
        }
    }
    // Not waited for: it may be beyond killing until the mount is.
    let _ = child.kill();
    Err("does not answer".into())
}

fn said(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    let said = said.trim().trim_start_matches("errorfs: ");
    said.to_owned()
}
