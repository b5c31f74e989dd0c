//! Random operations, `kill -9` at random moments between them: each mount shows what the last one did.
//! `ERRORFS_STATE_KILLS` says how many kills (6).

use std::fs;
use std::path::Path;

use super::{End, Remembering};
use crate::damage::operate;
use crate::support::*;

const RULES: &str = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-4\n\
    [[rule]]\nname = \"lost\"\nwhen = { every = 5 }\n[rule.fault.lost_write]\n\
    [[rule]]\nname = \"old\"\nselect = { path = \"**/f*\" }\n[rule.fault.corrupt]\ncontent = \"stale\"\n\
    rate = 0.3\nregion = \"512B\"\npersistence = \"permanent\"\n\
    [[rule]]\nname = \"torn\"\nwhen = { every = 7 }\n[rule.fault.torn_write]\nkeep = 1\n";

/// All files with what a program reads of them.
fn contents(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for below in ["", "d"] {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.push((
                    path.strip_prefix(root).unwrap().display().to_string(),
                    fs::read(path).unwrap(),
                ));
            }
        }
    }
    found.sort();
    found
}

/// "What is remembered is written before the reply leaves, and written anew, with what is left of
/// it, at the start of each mount and when it has grown."
#[test]
fn after_each_kill_the_next_mount_shows_what_the_last_one_did() {
    require_fuse!();
    let said = std::env::var("ERRORFS_STATE_KILLS").ok();
    let kills = said.and_then(|text| text.parse().ok()).unwrap_or(6);
    let backing = Backing::new().with("d/f1", &[1; 10_000]).with("f2", &[2; 10_000]);
    let kept = Remembering::new(backing, RULES);
    let mut mount = kept.mount();
    for round in 0..kills {
        for step in noise(round + 900, 8 * 60).chunks(8) {
            let _ = operate(mount.path(), step);
        }
        let before = contents(mount.path());
        assert!(before != contents(kept.backing.path()), "nothing is lost");
        mount = kept.again(mount, End::Killed);
        let after = contents(mount.path());
        let differ = before.iter().zip(&after).filter(|(a, b)| a != b);
        let differ: Vec<_> = differ.map(|(a, b)| (&a.0, &b.0, a.1.len(), b.1.len())).collect();
        assert!(before == after, "round {round}: {differ:?}");
    }
    mount.stop();
}

/// "What is remembered is written before the reply leaves, and written anew, with what is left of it, at the
/// start of each mount and when it has grown."
#[test]
fn what_is_remembered_does_not_grow_with_what_was_done() {
    require_fuse!();
    let rule = "[[rule]]\nname = \"old\"\n[rule.fault.corrupt]\ncontent = \"stale\"\nrate = 1.0\n\
        persistence = \"permanent\"\n";
    let kept = Remembering::new(Backing::new().with("f", &[1; 1 << 20]), rule);
    let mount = kept.mount();
    let folder = kept.state();
    let remembered = || -> u64 {
        let entries = fs::read_dir(&folder).unwrap().map(Result::unwrap);
        entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
    };
    for round in 0..120 {
        write_at(&mount.join("f"), 0, &noise(round, 1 << 20)).unwrap();
    }
    let few = || remembered() < 50 << 20;
    wait_until("a part of 120 MiB", std::time::Duration::from_secs(60), few);
    let mut mount = kept.again(mount, End::Killed);
    assert!(fs::read(mount.join("f")).unwrap() == noise(118, 1 << 20));
    mount.stop();
}
