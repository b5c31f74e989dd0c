//! Sticky damage and its repairs, identities, counts.

use std::fs;

use super::{ENDS, Remembering};
use crate::support::*;

const ROT: &str = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-3\n\
    [[rule]]\nname = \"junk\"\nselect = { path = \"a\" }\n[rule.fault.corrupt]\ncontent = \"junk\"\ncount = 3\n\
    [[rule]]\nname = \"bad\"\nselect = { path = \"b\" }\n[rule.fault.bad_sector]\ncount = 2\n";

fn files() -> Backing {
    Backing::new().with_noise("a", 100_000).with_noise("b", 100_000)
}

/// "Sticky damage and repairs are the same after unmount, `kill -9` and remount."
#[test]
fn sticky_damage_and_repairs_are_the_same_after_the_end_and_a_kill() {
    require_fuse!();
    for end in ENDS {
        let kept = Remembering::new(files(), ROT);
        let mut mount = kept.mount();
        for round in 0..3_u8 {
            write_at(&mount.join("a"), 5_000 * u64::from(round), &[round; 9_000]).unwrap();
            let file = fs::File::options().write(true).open(mount.join("b")).unwrap();
            file.set_len(60_000 - 4_096 * u64::from(round)).unwrap();
            file.set_len(100_000).unwrap();
            let before = [seen(&mount, "a"), seen(&mount, "b")];
            assert!(before[0] != [fs::read(kept.backing.join("a")).ok()]);
            mount = kept.again(mount, end);
            assert!([seen(&mount, "a"), seen(&mount, "b")] == before, "{end:?} {round}");
        }
        mount.stop();
    }
}

/// What a program gets, block by block; `None`: it cannot be read.
fn seen(mount: &Mount, name: &str) -> Vec<Option<Vec<u8>>> {
    let len = fs::metadata(mount.join(name)).unwrap().len();
    forget_cached(&mount.join(name));
    (0..len.div_ceil(4_096))
        .map(|block| {
            let rest = (len - block * 4_096).min(4_096) as usize;
            read_at(&mount.join(name), block * 4_096, rest).ok()
        })
        .collect()
}

/// "A file keeps what it had under its names; one that was made through a mount stays such a file."
/// "Sticky damage and its repairs are the same: what was overwritten stays overwritten, files keep
/// the paths that key their damage, and files made through a mount stay such files."
#[test]
fn files_stay_who_they_are() {
    require_fuse!();
    for end in ENDS {
        let kept = Remembering::new(files().with("d/x", &[0; 50_000]), ROT);
        let mount = kept.mount();
        fs::rename(mount.join("a"), mount.join("moved")).unwrap();
        fs::rename(mount.join("d"), mount.join("e")).unwrap();
        fs::write(mount.join("a"), noise(9, 100_000)).unwrap();
        let names = ["a", "moved", "e/x"];
        let before = names.map(|name| seen(&mount, name));
        let mut mount = kept.again(mount, end);
        assert!(names.map(|name| seen(&mount, name)) == before, "{end:?}");
        mount.stop();
    }
}

/// "`count` stays where it was placed, whatever became of the files since", and a drawn seed the same.
#[test]
fn a_count_stays_where_it_was_placed_and_a_drawn_seed_is_the_same() {
    require_fuse!();
    let one = "[[rule]]\nname = \"one\"\n[rule.fault.bit_flip]\ncount = 5\n";
    let kept = Remembering { seed: None, ..Remembering::new(files(), one) };
    let mut mount = kept.mount();
    let before = fs::read(mount.join("a")).unwrap();
    mount.stop();
    let seed = mount.header().seed;
    fs::write(kept.backing.join("new"), noise(3, 1 << 20)).unwrap();
    let mut mount = kept.mount();
    assert_eq!(mount.header().seed, seed);
    assert!(fs::read(mount.join("a")).unwrap() == before);
    assert!(fs::read(mount.join("new")).unwrap() == noise(3, 1 << 20));
    mount.stop();
}

/// "The same scenario with the same `--id` has the same seed, if nobody chooses one; `count` stays
/// where it was placed, whatever became of the files since; `nth`, `every` and `times` go on from
/// the last time that the rule fired."
#[test]
fn what_has_happened_does_not_happen_again() {
    require_fuse!();
    for end in ENDS {
        let rule = "[[rule]]\nname = \"twice\"\nselect = { ops = [\"read\"] }\nwhen = { times = 2 }\n\
            [rule.fault.error]\nerrno = \"EIO\"\n\
            [[rule]]\nname = \"third\"\nselect = { ops = [\"write\"] }\nwhen = { nth = 3 }\n\
            [rule.fault.error]\nerrno = \"ENOSPC\"\n";
        let kept = Remembering::new(files(), rule);
        let mount = kept.mount();
        let fails = |mount: &Mount| read_at(&mount.join("a"), 0, 10).is_err();
        let refuses = |mount: &Mount| write_at(&mount.join("a"), 0, b"x").is_err();
        assert!(fails(&mount));
        assert_eq!([(); 4].map(|()| refuses(&mount)), [false, false, true, false]);
        let mut mount = kept.again(mount, end);
        assert_eq!([(); 3].map(|()| fails(&mount)), [true, false, false], "{end:?}");
        assert_eq!([(); 4].map(|()| refuses(&mount)), [false; 4], "{end:?}");
        mount.stop();
    }
}

/// "Another scenario finds the same files, and counts and places anew."
#[test]
fn another_scenario_counts_and_places_anew() {
    require_fuse!();
    let once = "[[rule]]\nname = \"once\"\nselect = { ops = [\"read\"] }\nwhen = { times = 1 }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut kept = Remembering::new(files(), once);
    let mut mount = kept.mount();
    assert!(read_at(&mount.join("a"), 0, 10).is_err());
    mount.stop();
    kept.scenario = once.replace("times = 1", "times = 2");
    let mut mount = kept.mount();
    assert!(read_at(&mount.join("a"), 0, 10).is_err());
    mount.stop();
}
