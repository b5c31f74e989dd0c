//! A private directory that is gone with this process, however that dies.
//!
//! Both sides: `Scratch` spawns a sweeper, `errorfs sweeper` is it. It waits for the end of its
//! standard input, which the death of this process brings about.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long processes that are being killed may go on writing into the directory.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the names of such directories begin: nothing else is ever removed.
const PREFIX: &str = "errorfs-drill-";

/// A private directory. Dropping it removes it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    sweeper: Child,
}

impl Scratch {
    /// Makes a directory, and starts who removes it.
    pub fn new() -> io::Result<Scratch> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let path = directory.path().canonicalize()?;
        // Not the path of the program: that may have been replaced or removed since.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("errorfs").arg("sweeper").arg("--").arg(&path).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Out of reach of the terminal's Ctrl-C and of a kill of our process group.
        let sweeper = command.process_group(0).spawn()?;
        // From here on it is the sweeper's.
        let _ = directory.keep();
        Ok(Scratch { path, sweeper })
    }

    /// Absolute, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.sweeper.stdin.take());
        let _ = self.sweeper.wait();
    }
}

/// The sweeper's own side: waits for the end of `lifeline`, then removes the directory, as often as
/// somebody who is still dying writes into it.
pub fn sweep(directory: &Path, mut lifeline: impl Read) -> io::Result<()> {
    let name = directory.file_name().unwrap_or_default();
    if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
        return Err(io::Error::other(format!("{} is not errorfs' own", directory.display())));
    }
    for signal in crate::isolation::ENDING {
        signal_hook::flag::register(signal, std::sync::Arc::default())?;
    }
    // An error ends the wait like an end: the pipe is of no use any more.
    let _ = lifeline.read_to_end(&mut Vec::new());
    let start = Instant::now();
    loop {
        match remove(directory) {
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => sleep(Duration::from_millis(20)),
            Ok(()) => return Ok(()),
        }
    }
}

/// Removes a directory with all that is in it, also what its owner has made read-only.
pub fn remove(directory: &Path) -> io::Result<()> {
    let removed = match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(directory)?;
            std::fs::remove_dir_all(directory)
        }
        other => other,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_up(directory: &Path) -> io::Result<()> {
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o700))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
