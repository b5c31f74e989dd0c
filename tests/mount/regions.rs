//! Corrupt regions: what they read as, where they lie, and what is said of them.

use std::collections::BTreeSet;
use std::fs::{self, File};

use errorfs::ledger::{Event, Outcome, Region, RegionContent, bytes_or_hash};

use crate::support::*;

/// One rule on every file.
fn rule(name: &str, keys: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\n[rule.fault.corrupt]\n{keys}\n")
}

fn regions(events: &[Event]) -> Vec<Region> {
    events.iter().flat_map(|event| event.regions.clone()).collect()
}

/// The blocks of `size` bytes that differ.
fn differing_blocks(one: &[u8], other: &[u8], size: usize) -> Vec<u64> {
    assert_eq!(one.len(), other.len());
    let pairs = one.chunks(size).zip(other.chunks(size)).enumerate();
    pairs.filter(|(_, (a, b))| a != b).map(|(number, _)| (number * size) as u64).collect()
}

/// "**zero** and **byte** (1 to 255) stand throughout."
#[test]
fn zeros_one_byte_and_junk_stand_where_the_stored_bytes_should() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65_536);
    let (stored, hash) = (fs::read(backing.join("file")).unwrap(), tree_hash(backing.path()));
    let text = rule("zero", "content = \"zero\"\nat = [{ byte = 5000 }]")
        + &rule("byte", "content = { byte = 0xA5 }\nat = [{ byte = 16384 }]\nregion = 512")
        + &rule("junk", "content = \"junk\"\nat = [{ byte = 32768 }]");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let read = fs::read(mount.join("file")).unwrap();
    let junk = read[32_768..36_864].to_vec();
    let mut wanted = stored.clone();
    wanted[4_096..8_192].fill(0);
    wanted[16_384..16_896].fill(0xA5);
    wanted[32_768..36_864].copy_from_slice(&junk);
    assert!(read == wanted, "neighbours are as they are stored");
    let kinds = junk.iter().collect::<BTreeSet<_>>().len();
    assert!(kinds > 240, "junk has {kinds} different bytes");
    mount.stop();
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
    for event in mount.delivered() {
        let [region] = &event.regions[..] else { panic!("{event:?}") };
        let bytes = region.bytes.0 as usize..(region.bytes.0 + region.bytes.1) as usize;
        assert_eq!((region.start, region.len), region.bytes);
        assert_eq!(region.before.as_ref(), Some(&bytes_or_hash(&stored[bytes.clone()])));
        assert_eq!(region.after.as_ref(), Some(&bytes_or_hash(&wanted[bytes])));
        assert!(region.changed.unwrap() > 490 && region.hole == 0);
        assert_eq!((&*event.fault, event.file.as_deref()), ("corrupt", Some("file")));
    }
    let contents: Vec<_> = regions(&mount.delivered()).into_iter().map(|r| r.content).collect();
    assert!(matches!(contents[0], RegionContent::Zero), "{contents:?}");
    assert!(matches!(contents[1], RegionContent::Byte(0xA5)), "{contents:?}");
    assert!(matches!(&contents[2], RegionContent::Junk(key) if key.len() == 16), "{contents:?}");
}

#[test]
fn up_to_64_bytes_stand_in_the_ledger_as_they_are() {
    require_fuse!();
    let backing = Backing::new().with("file", b"sixteen letters!");
    let text = rule("zero", "content = \"zero\"\ncount = 1");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    assert_eq!(fs::read(mount.join("file")).unwrap(), [0; 16]);
    mount.stop();
    let region = &regions(&mount.delivered())[0];
    assert_eq!(region.before.as_deref(), Some("7369787465656e206c65747465727321"));
    assert_eq!(region.after.as_deref(), Some("00000000000000000000000000000000"));
    assert_eq!((region.start, region.len, region.bytes), (0, 4_096, (0, 16)));
}

/// "`count` is drawn once, uniformly over the regions with selected bytes of all files that are
/// there at arming."
#[test]
fn count_is_exact_over_all_selected_files_together() {
    require_fuse!();
    let mut backing = Backing::new().with_noise("not-selected", 1 << 20);
    for number in 0..20 {
        backing = backing.with_noise(&format!("data/file-{number}"), 20_000 + number * 9_770);
    }
    let text = "[[rule]]\nname = \"seven\"\nselect = { path = \"data/*\" }\n\
                [rule.fault.corrupt]\ncontent = \"junk\"\ncount = 7\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(3).start();
    let mut found = 0;
    for number in 0..20 {
        let name = format!("data/file-{number}");
        let stored = fs::read(backing.join(&name)).unwrap();
        found += differing_blocks(&stored, &fs::read(mount.join(&name)).unwrap(), 4_096).len();
    }
    assert_eq!((found, mount.preview_regions().len()), (7, 7));
    let other = fs::read(mount.join("not-selected")).unwrap();
    assert!(other == fs::read(backing.join("not-selected")).unwrap());
    mount.stop();
}

#[test]
fn regions_of_every_size_are_whole_and_aligned_and_all_name_the_same() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let stored = fs::read(backing.join("file")).unwrap();
    for size in [512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536] {
        let text = rule("r", &format!("content = \"junk\"\ncount = 3\nregion = {size}"));
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(size as u64).start();
        let read = fs::read(mount.join("file")).unwrap();
        let found = differing_blocks(&stored, &read, size);
        assert_eq!(found.len(), 3, "{size}");
        // Of 512 bytes of junk two are what is stored, of 64 KiB two in 512.
        for start in found.iter().map(|start| *start as usize) {
            let (old, new) = (&stored[start..start + size], &read[start..start + size]);
            let equal = old.iter().zip(new).filter(|(a, b)| a == b).count();
            assert!(equal * 40 < size, "{size}: {equal} bytes are as stored");
        }
        let previewed = mount.preview_regions();
        let starts: Vec<u64> = previewed.iter().map(|one| one.region.start).collect();
        assert_eq!(starts, found, "{size}: preview");
        mount.stop();
        let recorded: BTreeSet<_> = regions(&mount.delivered())
            .into_iter()
            .map(|one| (one.start, one.len, one.id, one.content == previewed[0].region.content))
            .collect();
        let told =
            previewed.iter().map(|one| (one.region.start, size as u64, one.id.clone(), true));
        assert_eq!(recorded, told.collect(), "{size}: ledger and preview");
    }
}

/// Who reads a region whole gets the event that the preview announced, to the last field.
#[test]
fn preview_says_of_a_region_what_the_ledger_will_say() {
    require_fuse!();
    let backing = Backing::new().with_noise("a", 100_000).with("b", &[0; 10_000]);
    let text = rule("junk", "content = \"junk\"\ncount = 4")
        + &rule("zero", "content = \"zero\"\nrate = 0.3");
    for seed in 1..=10 {
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(seed).start();
        let previewed = mount.preview_regions();
        assert!(previewed.len() >= 4);
        for one in &previewed {
            let (start, len) = one.region.bytes;
            read_at(&mount.join(&one.path), start, len as usize).unwrap();
        }
        mount.stop();
        let read = |event: &Event| event.op == "read";
        let events: Vec<Event> = mount.ledger().into_iter().filter(read).collect();
        for one in &previewed {
            let told = |event: &Event| event.path == one.path && event.rule == one.rule;
            let mut recorded = events.iter().filter(|event| told(event)).flat_map(|e| &e.regions);
            let same = |region: &&Region| region.bytes == one.region.bytes || region.id == one.id;
            let found = recorded.find(same).unwrap_or_else(|| panic!("{one:?} in {events:?}"));
            // The kernel's read-ahead may have asked for less of a file, or more at once.
            if found.bytes == one.region.bytes {
                assert_eq!(found, &one.region, "seed {seed}");
            }
        }
    }
}

/// "Where `bytes` cuts a region, only the selected bytes of it are corrupt."
#[test]
fn only_the_selected_bytes_of_a_region_are_corrupt() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 20_000);
    let text = "[[rule]]\nname = \"r\"\nselect = { bytes = \"5000..5010\" }\n\
                [rule.fault.corrupt]\ncontent = \"zero\"\ncount = 1\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let mut wanted = fs::read(backing.join("file")).unwrap();
    wanted[5_000..5_010].fill(0);
    assert!(fs::read(mount.join("file")).unwrap() == wanted);
    mount.stop();
    assert_eq!(regions(&mount.delivered())[0].bytes, (5_000, 10));
}

/// "Regions are aligned to their size; the last one of a file ends where the file does, until
/// something is appended: what is appended within a region belongs to it."
#[test]
fn what_is_appended_within_a_region_belongs_to_it() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 5_000);
    let text = rule("r", "content = { byte = 7 }\nat = [{ byte = 4096 }]");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    use std::io::Write;
    let mut file = File::options().append(true).open(mount.join("file")).unwrap();
    file.write_all(&[9; 4_000]).unwrap();
    let read = fs::read(mount.join("file")).unwrap();
    assert!(read[4_096..8_192].iter().all(|byte| *byte == 7));
    assert!(read[8_192..].iter().all(|byte| *byte == 9), "the next one is not");
    mount.stop();
}

/// "Zeros may take the place of zeros."
#[test]
fn a_region_that_changes_nothing_is_not_delivered_and_said_to_be_unchanged() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 8_192]);
    let text = rule("zero", "content = \"zero\"\ncount = 1");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    assert_eq!(fs::read(mount.join("file")).unwrap(), [0; 8_192]);
    let previewed = mount.preview_regions();
    assert_eq!(previewed[0].region.changed, Some(0), "preview says it beforehand");
    mount.stop();
    assert!(mount.delivered().is_empty());
    assert!(mount.said().contains("no fault reached the target"), "{}", mount.said());
    assert!(mount.said().contains("zero: 1 event changed nothing"), "{}", mount.said());
    let events = mount.ledger();
    assert!(events.iter().all(|event| event.outcome == Outcome::Unchanged), "{events:?}");
    let region = &events[0].regions[0];
    assert_eq!((region.changed, region.hole, &region.before), (Some(0), 0, &region.after));
}

/// One read gets one byte of junk, which in one of 256 is what is stored. "A region that changes
/// nothing is not delivered: its event has the outcome `unchanged`, also if the bytes that one read
/// got of it are as they are stored by chance."
#[test]
fn bytes_that_are_as_they_are_stored_by_chance_are_not_delivered() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 4_096);
    let stored = fs::read(backing.join("file")).unwrap();
    // A window makes every read(2) an access of its own.
    let text = rule("r", "content = \"junk\"\ncount = 1").replacen(
        "[rule.fault",
        "when = { for = \"1h\" }\n[rule.fault",
        1,
    );
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let mut equal = Vec::new();
    for (place, old) in (0_u64..).zip(&stored) {
        let mut byte = [0];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut byte, place).unwrap();
        equal.extend((byte[0] == *old).then_some(place));
    }
    mount.stop();
    assert!((1..60).contains(&equal.len()), "{} bytes", equal.len());
    assert!(!equal.contains(&0), "never the first one");
    let unchanged = mount.ledger().into_iter().filter(|event| event.outcome == Outcome::Unchanged);
    assert_eq!(unchanged.map(|event| event.offset).collect::<Vec<_>>(), equal);
    assert_eq!(mount.delivered().len(), 4_096 - equal.len());
}

/// "A region in a hole of a sparse file is said to lie in one (`hole`)."
#[test]
fn a_region_in_a_hole_is_said_to_lie_in_one() {
    require_fuse!();
    let backing = Backing::new();
    let file = File::create(backing.join("file")).unwrap();
    file.set_len(1 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[1; 4_096], 65_536 + 8_192).unwrap();
    let text = rule("zero", "content = \"zero\"\nat = [{ byte = 0 }]")
        + &rule("junk", "content = \"junk\"\nat = [{ byte = 65536 }]\nregion = \"64KiB\"");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    assert!(fs::read(mount.join("file")).unwrap()[..4_096] == [0; 4_096]);
    mount.stop();
    let events = mount.ledger();
    let zero = events.iter().find(|event| event.rule == "zero").unwrap();
    assert_eq!((zero.outcome, zero.regions[0].hole), (Outcome::Unchanged, 4_096));
    let junk: Vec<Event> = mount.delivered();
    assert!(junk.iter().all(|event| event.rule == "junk"));
    let hole: u64 = regions(&junk).iter().map(|region| region.hole).sum();
    assert_eq!(hole, 65_536 - 4_096, "all but the block that was written");
    let said = mount.preview_regions();
    assert_eq!(said.iter().map(|one| one.region.hole).collect::<Vec<_>>(), [4_096, 61_440]);
}

/// "It differs from what is stored however short the file is: one byte in 256 is what is stored by
/// chance, but never the first one of a region that is selected."
#[test]
fn junk_differs_from_what_is_stored_however_short_the_file() {
    require_fuse!();
    let mut backing = Backing::new();
    for byte in 0..=255 {
        backing = backing.with(&format!("file-{byte}"), &[byte]);
    }
    let text = rule("r", "content = \"junk\"\nat = [{ byte = 0 }]");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    for byte in 0..=255 {
        assert_ne!(fs::read(mount.join(&format!("file-{byte}"))).unwrap(), [byte]);
    }
    mount.stop();
    assert_eq!(mount.delivered().len(), 256);
}

#[test]
fn a_region_that_nobody_read_is_said_to_be_never_read() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let text = rule("r", "content = \"junk\"\ncount = 20");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    fs::metadata(mount.join("file")).unwrap();
    let previewed: BTreeSet<_> = mount.preview_regions().into_iter().map(|one| one.id).collect();
    mount.stop();
    let events = mount.ledger();
    assert!(events.iter().all(|event| event.outcome == Outcome::NeverRead), "{events:?}");
    let told: BTreeSet<_> = regions(&events).into_iter().map(|region| region.id).collect();
    assert_eq!(told, previewed);
}

/// 131,072 regions of 512 bytes: bounds as in `rate`.
#[test]
fn a_rate_corrupts_each_region_by_itself_and_evenly() {
    require_fuse!();
    let (size, rate) = (64 << 20, 0.005);
    let block = noise(1, 1 << 20);
    let backing = Backing::new().with("file", &block.repeat(64));
    let text = rule("r", &format!("content = \"junk\"\nrate = {rate}\nregion = 512"));
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let read = fs::read(mount.join("file")).unwrap();
    let found: Vec<u64> = read
        .chunks(1 << 20)
        .zip(0_u64..)
        .flat_map(|(part, mib)| {
            differing_blocks(&block, part, 512).into_iter().map(move |at| (mib << 20) + at)
        })
        .collect();
    // Poisson with a mean of 655: five standard deviations are 128.
    assert!(found.len().abs_diff(655) < 128, "{} regions", found.len());
    let mut parts = [0_f64; 64];
    found.iter().for_each(|start| parts[(start / (size / 64)) as usize] += 1.0);
    let expected = found.len() as f64 / 64.0;
    let chi: f64 = parts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    assert!(chi < 103.4, "chi-square of 64 parts: {chi}, critical at 1e-3 103.4");
    mount.stop();
    let recorded: BTreeSet<u64> = regions(&mount.delivered()).iter().map(|one| one.start).collect();
    assert!(recorded == found.into_iter().collect(), "the ledger names other regions");
}

/// "`{ junk = "00d1ce5eed5ca1ab" }` is the junk of a key, the same in every file; ledgers name
/// keys, and `errorfs replay` writes them."
#[test]
fn the_junk_of_a_key_is_the_same_in_every_file() {
    require_fuse!();
    let backing = Backing::new().with_noise("a", 8_192).with("b", &[0; 8_192]);
    let text = rule("r", "content = { junk = \"00d1ce5eed5ca1ab\" }\nat = [{ byte = 4096 }]");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let [a, b] = ["a", "b"].map(|name| fs::read(mount.join(name)).unwrap()[4_096..].to_vec());
    // But at the first byte, if that is what is stored there.
    assert!(a[1..] == b[1..] && a[1..] != [0; 4_095]);
    mount.stop();
    let key = RegionContent::Junk("00d1ce5eed5ca1ab".into());
    assert!(regions(&mount.delivered()).iter().all(|region| region.content == key));
}

fn shipped(name: &str) -> String {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/").to_owned() + name);
    text.unwrap().replacen("version = 1\n", "", 1)
}

#[test]
fn the_shipped_scenarios_corrupt_what_they_say() {
    require_fuse!();
    let mut backing = Backing::new();
    for number in 0..8 {
        backing = backing.with_noise(&format!("file-{number}"), 1 << 20);
    }
    let differing = |mount: &Mount, size| -> usize {
        let of = |number| {
            let name = format!("file-{number}");
            let stored = fs::read(backing.join(&name)).unwrap();
            differing_blocks(&stored, &fs::read(mount.join(&name)).unwrap(), size).len()
        };
        (0..8).map(of).sum()
    };
    let mut mount = Mount::new(backing.path()).scenario(&shipped("corrupt-block.toml")).start();
    assert_eq!(differing(&mount, 4_096), 1);
    mount.stop();
    let mut mount = Mount::new(backing.path()).scenario(&shipped("cern-regions.toml")).start();
    // Eight regions; the sector and the bit may lie in them, or beside.
    assert!((8..=10).contains(&differing(&mount, 65_536)));
    mount.stop();
    let rules: BTreeSet<String> = mount.delivered().into_iter().map(|event| event.rule).collect();
    let all = ["one-bit", "one-sector", "regions-of-junk", "regions-of-zeros"];
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), all);
}
