//! Every scenario that is shipped is mounted under a program that reads, writes and syncs, until
//! each of its rules has done to it what it says.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use errorfs::scenario::{Scenario, parse};

use crate::scenario::fixtures::shipped;
use crate::support::*;

/// Longer than the longest `after` and the rarest fault take.
const PATIENCE: Duration = Duration::from_secs(90);

/// So many at once: most of the time of some is waiting.
const AT_ONCE: usize = 4;

#[test]
fn every_shipped_scenario_does_what_each_of_its_rules_says() {
    require_fuse!();
    let files = Mutex::new(shipped().into_iter());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let next = || files.lock().unwrap().next();
                while let Some(file) = next() {
                    shows_its_faults(&file);
                }
            });
        }
    });
}

fn shows_its_faults(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let scenario = parse(&text).scenario.unwrap();
    let backing = Backing::new()
        .with_noise("data.db", 24 << 20)
        .with_noise("wal/log", 64 << 10)
        .with_noise("out", 256 << 10);
    let text = text.replace("version = 1\n", "");
    let state = tempfile::tempdir().unwrap();
    let setup = Mount::new(backing.path()).scenario(&text).within(2 * PATIENCE);
    let mut mount = match scenario.rules.iter().any(|rule| rule.fault.damages_backing()) {
        true => setup.args(["--allow-damage", "--state"]).args([state.path()]).start(),
        false => setup.start(),
    };
    let (root, stop) = (mount.path().to_path_buf(), AtomicBool::new(false));
    let limited = text.contains(".space]");
    std::thread::scope(|scope| {
        let _ends = Ending(&stop);
        scope.spawn(|| work(&root, limited, &stop));
        wait_until(&format!("all of {}", file.display()), PATIENCE, || {
            missing(&scenario, &mount).is_empty()
        });
        stop.store(true, Ordering::Relaxed);
        mount.stop(); // What is stalled is answered.
    });
}

/// Also a test that fails lets its program end.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The rules that have done nothing yet.
fn missing(scenario: &Scenario, mount: &Mount) -> BTreeSet<String> {
    let mut rules: BTreeSet<String> = scenario.rules.iter().map(|rule| rule.name.clone()).collect();
    for event in mount.delivered() {
        rules.remove(&event.rule);
    }
    rules
}

/// What a program does that takes no error to heart.
fn work(root: &Path, fills: bool, stop: &AtomicBool) {
    let going_on = || !stop.load(Ordering::Relaxed);
    for name in ["data.db", "wal/log", "out"] {
        let _ = read_all(&root.join(name), &going_on);
    }
    for round in 0_u64.. {
        if !going_on() {
            return;
        }
        let _ = one_round(root, round, fills);
    }
}

fn read_all(path: &PathBuf, going_on: &impl Fn() -> bool) -> std::io::Result<()> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut buffer = vec![0; 64 << 10];
    for place in (0..len).step_by(buffer.len()).take_while(|_| going_on()) {
        let _ = file.read_at(&mut buffer, place);
    }
    Ok(())
}

/// Some reads, some writes and a sync; a mebibyte more, for what limits space.
fn one_round(root: &Path, round: u64, fills: bool) -> std::io::Result<()> {
    let mut block = [0; 4096];
    let data = File::open(root.join("data.db"))?;
    for place in 0..20 {
        let _ = data.read_at(&mut block, (round * 20 + place) % 6144 * 4096);
    }
    let _ = File::open(root.join("wal/log"))?.read_at(&mut block, 0);
    let out = File::options().read(true).write(true).open(root.join("out"))?;
    for place in 0..8 {
        let _ = out.write_at(&[1 + (round % 250) as u8; 4096], place * 4096);
        let _ = out.read_at(&mut block, place * 4096);
    }
    if fills {
        let _ = out.write_at(&vec![1; 1 << 20], (1 + round % 64) << 20);
    }
    out.sync_all()
}
