//! `kill -9` of errorfs: that is no power cut; and in the middle of one `heal` gives all back.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Machine;
use crate::damage::operate;
use crate::support::*;

/// "`kill -9` of errorfs is no power cut: all that was written is there."
#[test]
fn a_kill_loses_nothing_that_was_written() {
    require_fuse!();
    let mut machine = Machine::new(Backing::new().with("a", b"a"), "unsynced = \"old\"\n");
    fs::write(machine.join("new"), b"bytes").unwrap();
    fs::rename(machine.join("a"), machine.join("b")).unwrap();
    machine.mount.signal(Signal::KILL);
    machine.mount.wait();
    assert_eq!(fs::read(machine.backing.join("new")).unwrap(), b"bytes");
    assert_eq!(fs::read(machine.backing.join("b")).unwrap(), b"a");
    machine.heal_state().expect_status(0).expect_said("nothing to heal");
}

/// A cut that is killed somewhere in its middle: names, kinds and bytes are all given back.
#[test]
fn a_cut_that_is_killed_in_the_middle_is_undone() {
    require_fuse!();
    let said = std::env::var("ERRORFS_DAMAGE_KILLS").ok();
    let kills = said.and_then(|text| text.parse().ok()).unwrap_or(8);
    let mut middles = 0;
    for round in 0..kills {
        let backing = Backing::new().with("d/f1", &[1; 10_000]).with("f2", &[2; 10_000]);
        let place = if round % 2 == 0 { "/tmp" } else { "/dev/shm" };
        let state = tempfile::tempdir_in(place).unwrap();
        let model = "torn = 0.3\nnames = \"strict\"\n";
        let mut machine = Machine::with_state(backing, model, state);
        for step in noise(round + 50, 8 * 200).chunks(8) {
            let _ = operate(machine.mount.path(), step);
        }
        let uncut = contents(machine.backing.path());
        let path = machine.join("CUT");
        let cutter = std::thread::spawn(move || drop(fs::symlink_metadata(path)));
        let start = Instant::now();
        let journal = machine.state.path().join("state/undo");
        let len = || fs::metadata(&journal).map_or(0, |metadata| metadata.len());
        let (before, wanted) = (len(), round % 40 * 900);
        while len() <= before + wanted && start.elapsed() < Duration::from_secs(2) {}
        machine.mount.signal(Signal::KILL);
        machine.mount.wait();
        cutter.join().unwrap();
        middles += usize::from(machine.mount.delivered().is_empty());
        let healed = machine.heal_state();
        assert_eq!(healed.status.code(), Some(0), "{healed}");
        assert!(contents(machine.backing.path()) == uncut, "round {round}");
    }
    assert!(middles > 0, "none was killed in the middle");
}

/// Names and bytes.
fn contents(root: &std::path::Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, path.is_file().then(|| fs::read(&path).unwrap())));
            if path.is_dir() {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}
