//! Sick devices: damage in runs, placed at arming.

use std::fs;

use crate::support::*;

const SIZE: usize = 8 << 20;

/// "`clusters` says how the damage of one such device lies; the selected files that are there at
/// arming, one after the other, stand for it." "All keys may be left out."
#[test]
fn corrupt_clusters_are_where_preview_says_and_lie_in_runs() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", SIZE);
    let rule = "[[rule]]\nname = \"sick\"\n[rule.fault.corrupt]\ncontent = \"junk\"\n\
        clusters = { median = 60, sigma = 0, run = 10 }\n";
    let mount = Mount::new(backing.path()).scenario(rule).seed(9).start();
    let (stored, read) = (noise(SIZE as u64, SIZE), fs::read(mount.join("file")).unwrap());
    let blocks = stored.chunks(4096).zip(read.chunks(4096)).enumerate();
    let damaged: Vec<u64> =
        blocks.filter(|(_, (one, other))| one != other).map(|(block, _)| block as u64).collect();
    assert_eq!(damaged.len(), 60);
    let placed: Vec<u64> =
        mount.preview_regions().iter().map(|one| one.region.start / 4096).collect();
    assert_eq!(damaged, placed);
    let neighbours = damaged.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
    assert!(neighbours > 30, "runs of ten: {neighbours}");
}

#[test]
fn bad_sectors_come_in_clusters_too_and_are_repaired_by_overwriting() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let rule = "[[rule]]\nname = \"sick\"\n[rule.fault.bad_sector]\nsector = \"512B\"\n\
        clusters = { median = 5, sigma = 0, single = 0, longest = 3 }\n";
    let mount = Mount::new(backing.path()).scenario(rule).seed(9).start();
    let bad = || -> Vec<u64> {
        let fails = |sector: &u64| read_at(&mount.join("file"), sector * 512, 512).is_err();
        (0..2048).filter(fails).collect()
    };
    let found = bad();
    assert_eq!(found.len(), 5);
    write_at(&mount.join("file"), found[0] * 512, &[0; 512]).unwrap();
    assert_eq!(bad(), found[1..]);
}
