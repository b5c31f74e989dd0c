//! A ledger of corrupt regions turned back into a scenario gives the same bytes again.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::support::*;

const MIXED: &str = "[[rule]]\nname = \"small\"\nselect = { path = \"data/*\", bytes = \"100..\" }\n\
    [rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.1\nregion = 512\n\
    [[rule]]\nname = \"large\"\nselect = { path = \"data/*\" }\n\
    [rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.3\nregion = \"64KiB\"\n\
    [[rule]]\nname = \"zero\"\nselect = { path = \"data/*\" }\n\
    [rule.fault.corrupt]\ncontent = \"zero\"\ncount = 5\n\
    [[rule]]\nname = \"wire\"\nselect = { path = \"log\" }\nwhen = { probability = 0.2 }\n\
    [rule.fault.corrupt]\ncontent = \"junk\"\ncount = 1\npersistence = \"transient\"\nregion = 512\n";

/// What a reader gets before and after it has overwritten a part.
fn observe(mount: &Mount) -> Vec<Vec<u8>> {
    let mut seen =
        vec![fs::read(mount.join("data/a")).unwrap(), fs::read(mount.join("data/b")).unwrap()];
    write_at(&mount.join("data/a"), 10_000, &[5; 50_000]).unwrap();
    seen.push(fs::read(mount.join("data/a")).unwrap());
    let log = File::open(mount.join("log")).unwrap();
    for place in 0..50 {
        let mut bytes = vec![0; 2_000];
        log.read_exact_at(&mut bytes, place * 16).unwrap();
        seen.push(bytes);
    }
    seen
}

fn backing() -> Backing {
    let some = Backing::new().with_noise("data/a", 1 << 20).with_noise("data/b", 300_000);
    some.with_noise("log", 4_096)
}

fn replay(mount: &Mount) -> String {
    let text = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    text.replacen("version = 1\n", "", 1)
}

#[test]
fn the_replayed_ledger_gives_the_same_bytes_and_so_does_the_replay_of_the_replay() {
    require_fuse!();
    let original = backing();
    let mut mount = Mount::new(original.path()).scenario(MIXED).seed(9).start();
    let first = observe(&mount);
    assert!(first[0] != fs::read(backing().join("data/a")).unwrap());
    mount.stop();
    let mut text = replay(&mount);
    for round in ["replay", "replay of the replay"] {
        assert!(text.contains("junk = "), "the key of the junk is carried over:\n{text}");
        let copy = backing();
        let mut again = Mount::new(copy.path()).scenario(&text).seed(9).start();
        let seen = observe(&again);
        for (number, (one, other)) in first.iter().zip(&seen).enumerate() {
            assert!(one == other, "{round}: observation {number} differs");
        }
        again.stop();
        text = replay(&again);
    }
}

#[test]
fn a_ledger_of_regions_that_changed_nothing_has_nothing_to_replay() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 4_096]);
    let text = "[[rule]]\nname = \"z\"\n[rule.fault.corrupt]\ncontent = \"zero\"\ncount = 1\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(9).start();
    fs::read(mount.join("file")).unwrap();
    mount.stop();
    Program::errorfs("replay").arg(mount.ledger_file()).run().expect_status(5);
}
