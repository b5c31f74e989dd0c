//! Finds and kills every process that descends from this one.
//!
//! This process must be a subreaper, or what lost its parent would escape to init.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};

/// Descendants whose parents die become children of this process, not of init.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Every living or unreaped descendant of this process.
pub fn descendants() -> Vec<Pid> {
    let mut found = Vec::new();
    let mut open = vec![getpid()];
    while let Some(parent) = open.pop() {
        let children = children(parent);
        found.extend(&children);
        open.extend(children);
    }
    found
}

fn children(parent: Pid) -> Vec<Pid> {
    let tasks = format!("/proc/{}/task", parent.as_raw_nonzero());
    let tasks = std::fs::read_dir(tasks).into_iter().flatten();
    let lists = tasks.filter_map(Result::ok).map(|task| {
        // A task that has ended meanwhile has no children: they are another's now.
        std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
    });
    let lists: Vec<_> = lists.collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Kills all descendants and reaps them, until none is left or the time is up. `reaped` hears of
/// each that is reaped here. Whether none is left.
pub fn kill_descendants(within: Option<Duration>, mut reaped: impl FnMut(Pid, WaitStatus)) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        for pid in descendants() {
            // It may have ended meanwhile, or be another user's, whom its parent's end will tell.
            let _ = kill_process(pid, Signal::KILL);
        }
        // Orphans become children of this process, so that without children there is nobody left.
        if !reap(&mut reaped) {
            return true;
        }
        if within.is_some_and(|within| start.elapsed() > within) {
            return false;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Reaps every child that has ended, without waiting. Whether there are others.
pub fn reap(mut reaped: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => reaped(pid, status),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
