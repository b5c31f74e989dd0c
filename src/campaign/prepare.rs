//! Makes the data of a campaign: by its script, once.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Layout;
use crate::scenario::Campaign;
use crate::sys::process::die_with_parent;

/// How long processes that were killed may take to die.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the script that makes the nodes' directories, unless it has been run. What it had half made
/// when it was killed is made anew. An error says what went wrong.
pub fn prepare(campaign: &Campaign, layout: &Layout) -> Result<(), String> {
    if layout.mark(true).exists() {
        return directories(campaign, layout);
    }
    let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    let (data, making) = (layout.data(), layout.mark(false));
    if data.exists() {
        if !making.exists() {
            return Err(format!("{} is there, and not errorfs': remove it", data.display()));
        }
        clear(&data).map_err(|error| failed(&data, error))?;
    }
    std::fs::write(&making, "").map_err(|error| failed(&making, error))?;
    std::fs::create_dir(&data).map_err(|error| failed(&data, error))?;
    run(campaign, &data)?;
    directories(campaign, layout)?;
    std::fs::rename(&making, layout.mark(true)).map_err(|error| failed(&making, error))
}

/// Removes what was half made; who was killed while making it may still be dying.
fn clear(data: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match crate::trial::remove(data) {
            Err(_) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
}

fn run(campaign: &Campaign, data: &Path) -> Result<(), String> {
    // With processes and a network of its own, as the trials have them: what it leaves running ends.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("errorfs").args(["stage", "--script", &campaign.prepare]);
    command.current_dir(data).stdin(Stdio::null());
    die_with_parent(&mut command);
    let output = command.envs(&campaign.environment).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next_back().unwrap_or("nothing was said").to_owned();
    Err(format!("`prepare` failed ({}): {said}; is everything installed?", output.status))
}

fn directories(campaign: &Campaign, layout: &Layout) -> Result<(), String> {
    let missing = campaign.nodes.iter().find(|node| !layout.node(&node.name).is_dir());
    missing.map_or(Ok(()), |node| {
        Err(format!("`prepare` made no directory `{}` for the node of that name", node.name))
    })
}
