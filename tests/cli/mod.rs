//! The verbs as their callers see them: exit status, output, and what they leave behind.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail, and says why it is skipped"
)]

mod beginning;
mod daemon;
mod doctor;
mod guard;
mod mount_program;
mod replay;
mod run;
mod umount;

use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags};

/// No test of a process waits longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program.
fn errorfs(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_errorfs"));
    command.arg(verb).stdin(Stdio::null());
    command
}

/// Runs a command to its end, or kills it.
fn output(command: &mut Command) -> Output {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = eventually(|| child.try_wait().unwrap().is_some());
    if !ended {
        // Not waited for its output: what it started may hold the pipes open.
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("took too long: {command:?}");
    }
    child.wait_with_output().unwrap()
}

/// Waits for the end of a process that is to end by itself.
fn wait(child: &mut Child) -> std::process::ExitStatus {
    let ended = eventually(|| child.try_wait().unwrap().is_some());
    if !ended {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(ended, "took too long");
    status
}

/// Whether it comes true in time.
fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        sleep(Duration::from_millis(5));
    }
    false
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether something is mounted there.
fn is_mounted(path: &Path) -> bool {
    errorfs::machine::mount_at(path).unwrap().is_some()
}

/// A mount of type fuse.errorfs that nobody serves, as a killed errorfs leaves it.
struct DeadMount {
    path: PathBuf,
    /// Held: not dead yet, only silent.
    _device: Option<std::fs::File>,
}

impl DeadMount {
    /// `None` where that is not permitted.
    fn new(path: &Path) -> Option<DeadMount> {
        let mut mount = DeadMount::silent(path)?;
        mount._device = None;
        Some(mount)
    }

    /// Not dead, but it answers nobody.
    fn silent(path: &Path) -> Option<DeadMount> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let device = device.ok()?;
        std::fs::create_dir(path).unwrap();
        let fd = device.as_raw_fd();
        let data = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
        let data = std::ffi::CString::new(data).unwrap();
        let flags = MountFlags::empty();
        rustix::mount::mount("backing", path, "fuse.errorfs", flags, data.as_c_str()).ok()?;
        Some(DeadMount { path: path.to_owned(), _device: Some(device) })
    }

    fn device(&self) -> (u32, u32) {
        let mount = errorfs::machine::mount_at(&self.path).unwrap();
        mount.unwrap().device
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        if is_mounted(&self.path) {
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}
