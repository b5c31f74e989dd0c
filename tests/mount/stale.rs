//! Regions that read as what was there before they were overwritten.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::ledger::{Event, Outcome, RegionContent};

use crate::support::*;

fn start(backing: &Backing, keys: &str) -> Mount {
    let rule =
        format!("[[rule]]\nname = \"old\"\n[rule.fault.corrupt]\ncontent = \"stale\"\n{keys}\n");
    Mount::new(backing.path()).scenario(&rule).seed(4).start()
}

fn ones() -> Backing {
    Backing::new().with("file", &[1; 8192])
}

/// What the first block reads as, and what is stored there; each the same throughout.
fn first(mount: &Mount, backing: &Backing) -> (u8, u8) {
    let block = |path| {
        let bytes = read_at(path, 0, 4096).unwrap();
        assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        bytes[0]
    };
    (block(&mount.join("file")), block(&backing.join("file")))
}

fn of(mount: &Mount, outcome: Outcome) -> Vec<Event> {
    mount.ledger().into_iter().filter(|event| event.outcome == outcome).collect()
}

/// Sticky: a block that has been overwritten reads as before, until it is overwritten once more.
/// "**stale** is what was there before the bytes were overwritten last: an old version, right in
/// itself."
#[test]
fn a_sticky_region_is_one_write_behind_for_one_generation() {
    require_fuse!();
    let backing = ones();
    let mut mount = start(&backing, "at = [{ byte = 0 }]");
    assert_eq!(
        first(&mount, &backing),
        (1, 1),
        "never overwritten: there is no earlier generation"
    );
    assert!(mount.ledger().is_empty());
    write_at(&mount.join("file"), 0, &[2; 4096]).unwrap();
    assert_eq!(first(&mount, &backing), (1, 2));
    let region = mount.delivered()[0].regions[0].clone();
    assert_eq!((region.content, region.generation), (RegionContent::Stale, 1));
    assert_eq!((region.bytes, region.changed), ((0, 4096), Some(4096)));
    write_at(&mount.join("file"), 0, &[3; 4096]).unwrap();
    assert_eq!(first(&mount, &backing), (3, 3));
    // What ended is told by and by, and all of it by the end.
    mount.stop();
    assert_eq!(of(&mount, Outcome::Repaired)[0].regions[0].generation, 1);
}

/// "A permanent region is always one write behind."
#[test]
fn a_permanent_region_is_always_one_write_behind() {
    require_fuse!();
    let backing = ones();
    let mount = start(&backing, "count = 2\npersistence = \"permanent\"");
    assert_eq!(first(&mount, &backing), (1, 1));
    assert_eq!(of(&mount, Outcome::Unchanged).len(), 1, "looked at, and nothing was there before");
    for round in 2..6 {
        write_at(&mount.join("file"), 0, &[round; 4096]).unwrap();
        assert_eq!(first(&mount, &backing), (round - 1, round));
    }
}

#[test]
fn a_transient_region_is_stale_once() {
    require_fuse!();
    let backing = ones();
    let mount = Mount::new(backing.path()).scenario(
        "[[rule]]\nname = \"old\"\nwhen = { nth = 2 }\n[rule.fault.corrupt]\n\
         content = \"stale\"\ncount = 1\npersistence = \"transient\"\n",
    );
    let mount = mount.start();
    write_at(&mount.join("file"), 0, &[2; 4096]).unwrap();
    let read = || first(&mount, &backing).0;
    assert_eq!([read(), read(), read()], [2, 1, 2]);
}

/// Overwriting a part makes that part stale: each byte has its own generation before. "Bytes that
/// have not been overwritten since, or were cut or punched, have no earlier generation: they read
/// as they are stored, and an event of nothing else has the outcome `unchanged`."
#[test]
fn every_byte_has_its_own_earlier_generation_and_cutting_forgets_it() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 65_536]);
    let mount = start(&backing, "rate = 1.0\npersistence = \"permanent\"");
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    let (mut stored, mut before) = (vec![1_u8; 65_536], vec![None; 65_536]);
    for step in noise(31, 8 * 200).chunks(8) {
        let at = usize::from(u16::from_le_bytes([step[0], step[1]]));
        if step[4] % 16 == 0 {
            file.set_len(at as u64).unwrap();
            file.set_len(65_536).unwrap();
            stored[at..].fill(0);
            before[at..].fill(None);
        } else {
            let len = (1 + usize::from(step[2]) * 40).min(65_536 - at);
            file.write_all_at(&vec![step[5]; len], at as u64).unwrap();
            for place in at..at + len {
                before[place] = Some(stored[place]);
                stored[place] = step[5];
            }
        }
        let wanted: Vec<u8> =
            before.iter().zip(&stored).map(|(before, stored)| before.unwrap_or(*stored)).collect();
        assert!(fs::read(mount.join("file")).unwrap() == wanted);
    }
    assert!(fs::read(backing.join("file")).unwrap() == stored);
}

#[test]
fn a_page_that_is_written_back_from_a_mapping_is_overwritten_too() {
    require_fuse!();
    let backing = ones();
    let mount = start(&backing, "at = [{ byte = 0 }]");
    let text = "f = os.open(sys.argv[1], os.O_RDWR)\n\
        m = mmap.mmap(f, 0); m[0:4096] = b'x' * 4096; m.flush(); m.close()";
    python(text, [mount.join("file")]).succeed();
    assert_eq!(first(&mount, &backing), (1, b'x'));
}

/// "errorfs keeps it from arming on, as far as `--keep-max` goes."
#[test]
fn what_cannot_be_kept_is_not_stale_and_that_is_told() {
    require_fuse!();
    let backing = ones();
    let rule = "[[rule]]\nname = \"old\"\n[rule.fault.corrupt]\ncontent = \"stale\"\nat = [{ byte = 0 }]\n";
    let mount = Mount::new(backing.path()).scenario(rule).args(["--keep-max", "0"]).start();
    write_at(&mount.join("file"), 0, &[2; 4096]).unwrap();
    assert_eq!(first(&mount, &backing), (2, 2));
    assert!(mount.said().contains("nothing is stale"), "{}", mount.said());
}

#[test]
fn a_replay_is_stale_at_the_same_places() {
    require_fuse!();
    let exercise = |scenario: &str| {
        let backing = Backing::new().with("file", &[1; 1 << 20]);
        let mut mount = Mount::new(backing.path()).scenario(scenario).seed(6).start();
        let mut seen = Vec::new();
        for round in 2..6 {
            write_at(&mount.join("file"), 0, &vec![round; 1 << 20]).unwrap();
            seen.push(blake3::hash(&fs::read(mount.join("file")).unwrap()));
        }
        mount.stop();
        (seen, Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout)
    };
    let rule = "[[rule]]\nname = \"old\"\n[rule.fault.corrupt]\ncontent = \"stale\"\nrate = 0.05\n";
    let (seen, replay) = exercise(rule);
    assert!(seen[0] != seen[1]);
    assert!(exercise(&replay.replace("version = 1\n", "")).0 == seen, "{replay}");
}
