//! A ledger turned back into a scenario gives the same faults again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::support::*;

const MIXED: &str = "[[rule]]\nname = \"rot\"\nselect = { path = \"data/*\" }\n\
    [rule.fault.bit_flip]\nrate = 1e-6\n\
    [[rule]]\nname = \"sometimes\"\nselect = { path = \"log\", ops = [\"read\"] }\n\
    when = { probability = 0.2 }\n[rule.fault.error]\nerrno = \"EIO\"\n";

/// What a reader gets: the damaged bytes, and which of 100 reads failed.
fn observe(mount: &Mount) -> (Vec<u8>, Vec<bool>) {
    let data = fs::read(mount.join("data/file")).unwrap();
    let log = File::open(mount.join("log")).unwrap();
    let failed = (0..100).map(|place| log.read_at(&mut [0; 16], place * 16).is_err());
    (data, failed.collect())
}

#[test]
fn the_replayed_ledger_gives_the_same_faults() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 8 << 20).with_noise("log", 4096);
    let mut mount = Mount::new(backing.path()).scenario(MIXED).seed(9).start();
    let first = observe(&mount);
    assert!(first.1.contains(&true) && first.1.contains(&false));
    assert!(first.0 != fs::read(backing.join("data/file")).unwrap());
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let text = replay.replacen("version = 1\n", "", 1);
    let mut again = Mount::new(backing.path()).scenario(&text).seed(9).start();
    let second = observe(&again);
    assert!(second.0 == first.0, "the damaged bytes differ");
    assert_eq!(second.1, first.1, "other reads failed");
    again.stop();
}

#[test]
fn the_same_scenario_and_seed_give_the_same_events() {
    require_fuse!();
    let backing = Backing::new().with_noise("data/file", 8 << 20).with_noise("log", 4096);
    let run = || {
        let mut mount = Mount::new(backing.path()).scenario(MIXED).seed(9).start();
        let observed = observe(&mount);
        mount.stop();
        let events = mount.delivered();
        // The kernel cuts and orders what it reads ahead as it likes: bits, not requests.
        let bits = events.iter().flat_map(|e| e.bits.iter().map(|bit| (bit.byte, bit.bit)));
        let failed = events.iter().filter(|event| event.errno.is_some());
        let failed = failed.map(|event| (event.rule.clone(), event.occurrence));
        let (bits, failed) = (bits.collect::<BTreeSet<_>>(), failed.collect::<Vec<_>>());
        (observed, bits, failed, mount.header().plan)
    };
    assert_eq!(run(), run());
}
