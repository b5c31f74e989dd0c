//! `kill -9` of errorfs, or of `heal`, at random moments: `heal` restores what programs wrote.
//! `ERRORFS_DAMAGE_KILLS` says how often (10).

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Signal;

use super::Kept;
use super::random::{RULES, operate};
use crate::support::*;

fn kills() -> u64 {
    let said = std::env::var("ERRORFS_DAMAGE_KILLS").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// Files with their bytes.
type Contents = Vec<(String, Vec<u8>)>;

/// All files of a tree.
fn contents(root: &std::path::Path) -> Contents {
    let mut found = Vec::new();
    for below in ["", "d"] {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// "Before a byte is damaged, its place and what it was stand in the journal of that directory, on
/// the disk."
#[test]
fn after_kill_9_in_the_middle_heal_gives_back_what_was_written() {
    require_fuse!();
    for round in 0..kills() {
        let kept = Kept::new(Backing::new().with("d/f1", &[1; 10_000]));
        let plain = Backing::new().with("d/f1", &[1; 10_000]);
        let mut mount = kept.mount(RULES);
        let steps = noise(1_000 + round, 8 * 4_000);
        let end = 20 + (round as usize * 37) % 150;
        let done = AtomicUsize::new(0);
        let last = std::thread::scope(|scope| {
            let target = scope.spawn(|| {
                for (number, step) in steps.chunks(8).enumerate() {
                    let here = operate(mount.path(), step);
                    if here.as_ref().is_err_and(is_gone) || !mount.is_mounted() {
                        return number;
                    }
                    let there = operate(plain.path(), step);
                    assert_eq!(here.map_err(|e| e.kind()), there.map_err(|e| e.kind()));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                steps.len() / 8
            });
            let enough = || done.load(Ordering::Relaxed) >= end;
            wait_until("some operations", Duration::from_secs(60), enough);
            mount.signal(Signal::KILL);
            target.join().unwrap()
        });
        mount.wait();
        kill_a_heal(&kept);
        kept.heal().expect_status(0);
        // The operation that was under way has happened, or not, or in part.
        let (before, healed) = (contents(plain.path()), contents(kept.backing.path()));
        let step = &steps.chunks(8).nth(last).map(<[u8]>::to_vec);
        step.iter().for_each(|step| drop(operate(plain.path(), step)));
        let after = contents(plain.path());
        assert!(
            healed == before || healed == after || is_between(&before, &healed, &after),
            "round {round}, operation {last}: {step:?}"
        );
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    let gone = [Errno::NOTCONN, Errno::CONNABORTED].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|errno| gone.contains(&errno))
}

/// The operation was under way: of several requests some were made, of a write some of the bytes. So
/// every byte is as it was before or as it was to be.
fn is_between(before: &Contents, now: &Contents, after: &Contents) -> bool {
    let bytes = |tree: &Contents, name: &str| {
        tree.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.clone())
    };
    let between = |(name, now): &(String, Vec<u8>)| {
        let old = bytes(before, name).unwrap_or_default();
        let Some(new) = bytes(after, name) else { return *now == old };
        let at = |bytes: &[u8], place: usize| bytes.get(place).copied().unwrap_or(0);
        let mut places = now.iter().enumerate();
        now.len() <= old.len().max(new.len())
            && places.all(|(place, byte)| [at(&old, place), at(&new, place)].contains(byte))
    };
    let names = |tree: &Contents| tree.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    names(now) == names(after) && now.iter().all(between)
}

/// One heal that is killed somewhere in the middle.
fn kill_a_heal(kept: &Kept) {
    let mut child =
        Command::new(ERRORFS).arg("heal").arg(kept.state()).stderr(Stdio::null()).spawn().unwrap();
    let given = || contents(kept.backing.path());
    let before = given();
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(5)
        && given() == before
        && child.try_wait().unwrap().is_none()
    {}
    let _ = child.kill();
    child.wait().unwrap();
}
