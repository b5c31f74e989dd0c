//! errorfs is killed, stopped and unmounted under load.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::*;

/// Kills under load: more of them with `ERRORFS_KILLS`.
fn kills() -> u32 {
    std::env::var("ERRORFS_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(5)
}

/// Appends numbered lines until something fails; how many were acknowledged.
fn append(path: &Path, stop: &AtomicBool) -> u64 {
    let mut acknowledged = 0;
    let Ok(mut file) = File::create(path) else { return 0 };
    while !stop.load(Ordering::Relaxed) {
        if file.write_all(format!("{acknowledged:07}\n").as_bytes()).is_err() {
            break;
        }
        acknowledged += 1;
    }
    acknowledged
}

fn lines_in_order(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.lines().enumerate().take_while(|(n, line)| *line == format!("{n:07}"));
    whole.count() as u64
}

#[test]
fn every_acknowledged_write_is_in_the_backing_directory_after_kill_9() {
    require_fuse!();
    for round in 0..kills() {
        // What the kernel moves by itself outlives errorfs; what errorfs moves ends with it.
        let arguments: &[&str] = if round % 2 == 0 { &["--no-passthrough"] } else { &[] };
        kill_under_load(round, arguments);
    }
}

fn kill_under_load(round: u32, arguments: &[&str]) {
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).args(arguments.to_vec()).start();
    let (stop, path) = (AtomicBool::new(false), mount.path().to_owned());
    let names: Vec<String> = (0..4).map(|writer| format!("{round}-{writer}")).collect();
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let write = |name: &String| append(&path.join(name), &stop);
        let writers: Vec<_> = names.iter().map(|name| scope.spawn(move || write(name))).collect();
        std::thread::sleep(Duration::from_millis(50 + u64::from(round % 7) * 10));
        mount.signal(Signal::KILL);
        mount.wait();
        wait_until("the guard takes the mount away", Duration::from_secs(20), || {
            !mount.is_mounted()
        });
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(acknowledged.iter().sum::<u64>() > 0, "round {round}: nothing was written");
    for (name, acknowledged) in names.iter().zip(acknowledged) {
        let there = lines_in_order(&backing.join(name));
        assert!(there >= acknowledged, "round {round}, {name}: {there} of {acknowledged}");
    }
}

#[test]
fn a_mountpoint_that_was_left_dead_is_used_again_without_ado() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", b"x");
    let mountpoint = tempfile::tempdir().unwrap();
    let mountpoint = mountpoint.path().canonicalize().unwrap();
    leave_dead(backing.path(), &mountpoint);
    let _whatever_comes = TakeAway(&mountpoint);
    assert!(fs::read_dir(&mountpoint).is_err());
    let mut again = mount_by_hand(backing.path(), &mountpoint);
    let there = || fs::read(mountpoint.join("file")).is_ok_and(|bytes| bytes == b"x");
    wait_until("it is mounted again", Duration::from_secs(10), there);
    Program::errorfs("umount").arg(&mountpoint).succeed();
    assert!(again.wait().unwrap().success());
}

/// So that a failure leaves nothing mounted either.
struct TakeAway<'a>(&'a Path);

impl Drop for TakeAway<'_> {
    fn drop(&mut self) {
        take_away(self.0);
    }
}

fn mount_by_hand(backing: &Path, mountpoint: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_errorfs"));
    command.args(["mount", "--exit-with-parent"]).arg(backing).arg(mountpoint);
    command.spawn().unwrap()
}

/// Mounts, and kills errorfs together with its guard.
fn leave_dead(backing: &Path, mountpoint: &Path) {
    let mut errorfs = mount_by_hand(backing, mountpoint);
    let there = || fs::read(mountpoint.join("file")).is_ok();
    wait_until("it is mounted", Duration::from_secs(10), there);
    let guard = || children_of(errorfs.id()).into_iter().next();
    wait_until("the guard is there", Duration::from_secs(10), || guard().is_some());
    let guard = rustix::process::Pid::from_raw(guard().unwrap()).unwrap();
    rustix::process::kill_process(guard, Signal::KILL).unwrap();
    errorfs.kill().unwrap();
    errorfs.wait().unwrap();
}

fn children_of(pid: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let children = |task: io::Result<fs::DirEntry>| {
        fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
    };
    let all: Vec<String> = tasks.map(children).collect();
    all.join(" ").split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn errorfs_that_is_stopped_goes_on_where_it_was() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let mut mount = Mount::new(backing.path()).start();
    let path = mount.join("file");
    mount.signal(Signal::STOP);
    let reader = std::thread::spawn(move || fs::read(path).unwrap());
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reader.is_finished());
    mount.signal(Signal::CONT);
    assert_eq!(reader.join().unwrap(), fs::read(backing.join("file")).unwrap());
    mount.stop();
}

#[test]
fn unmounting_under_load_loses_no_acknowledged_write() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writer = scope.spawn(|| append(&mount.join("file"), &stop));
        std::thread::sleep(Duration::from_millis(200));
        mount.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(mount.wait().success());
    assert!(acknowledged > 0);
    assert!(lines_in_order(&backing.join("file")) >= acknowledged);
    assert!(!mount.is_mounted());
}
