//! What ends a corrupt region, byte by byte, and what does not; and that no page which the kernel
//! writes back carries it into the backing file.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use errorfs::ledger::{Event, Outcome};

use crate::support::*;

/// The second and third block of the file are sevens.
const SEVENS: &str = "[[rule]]\nname = \"sevens\"\n[rule.fault.corrupt]\ncontent = { byte = 7 }\n\
    at = [{ byte = 4096 }, { byte = 8192 }]\n";

fn start(backing: &Backing, text: &str) -> Mount {
    Mount::new(backing.path()).scenario(text).seed(1).start()
}

fn backing() -> Backing {
    Backing::new().with("file", &[1; 65_536])
}

fn read(mount: &Mount) -> Vec<u8> {
    forget_cached(&mount.join("file"));
    fs::read(mount.join("file")).unwrap()
}

/// Ones, and another byte in each of some ranges.
fn ones_but(parts: &[(Range<usize>, u8)]) -> Vec<u8> {
    let mut bytes = vec![1; 65_536];
    parts.iter().for_each(|(range, byte)| bytes[range.clone()].fill(*byte));
    bytes
}

fn of(outcome: Outcome, mount: &Mount) -> Vec<Event> {
    mount.ledger().into_iter().filter(|event| event.outcome == outcome).collect()
}

/// "**sticky**: until it is overwritten." "Overwriting repairs exactly the bytes that are
/// overwritten: the rest of the region stays corrupt."
#[test]
fn overwriting_repairs_exactly_the_bytes_that_are_overwritten() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, SEVENS);
    assert!(read(&mount) == ones_but(&[(4_096..12_288, 7)]));
    write_at(&mount.join("file"), 5_000, &[9; 100]).unwrap();
    let overwritten = read_at(&mount.join("file"), 4_999, 102).unwrap();
    assert_eq!(
        (overwritten[0], overwritten[1], overwritten[101]),
        (7, 9, 7),
        "also from the cache"
    );
    let wanted = ones_but(&[(4_096..12_288, 7), (5_000..5_100, 9)]);
    assert!(read(&mount) == wanted, "the rest of the region stays corrupt");
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(5_000..5_100, 9)]));
    write_at(&mount.join("file"), 4_096, &[9; 4_096]).unwrap();
    assert!(read(&mount) == ones_but(&[(4_096..8_192, 9), (8_192..12_288, 7)]));
    mount.stop();
    let repaired = of(Outcome::Repaired, &mount).into_iter().flat_map(|event| event.regions);
    let bytes: Vec<_> = repaired.map(|region| region.bytes).collect();
    assert_eq!(bytes, [(5_000, 100), (4_096, 904), (5_100, 3_092)]);
}

/// "**permanent**: a property of the place: also after overwriting."
#[test]
fn permanent_regions_stay_and_rates_are_drawn_anew_for_what_is_overwritten() {
    require_fuse!();
    let backing = backing();
    let permanent = format!("{SEVENS}persistence = \"permanent\"\n");
    let mut mount = start(&backing, &permanent);
    write_at(&mount.join("file"), 4_096, &[9; 4_096]).unwrap();
    assert!(read(&mount) == ones_but(&[(4_096..12_288, 7)]));
    mount.stop();
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(4_096..8_192, 9)]));
    let ended =
        |mount: &Mount| [Outcome::Repaired, Outcome::Gone].map(|what| of(what, mount).len());
    assert_eq!(ended(&mount), [0, 0]);
    let mut mount = start(&backing, &permanent);
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, punch, 4_096, 4_096).unwrap();
    assert!(read(&mount) == ones_but(&[(4_096..12_288, 7)]), "what is punched is corrupt");
    mount.stop();
    assert_eq!(ended(&mount), [0, 0]);
    let rate = "[[rule]]\nname = \"r\"\n[rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.5\n\
                region = 512\n";
    let mut mount = start(&backing, rate);
    let before = read(&mount);
    let stored = fs::read(backing.join("file")).unwrap();
    write_at(&mount.join("file"), 0, &stored[..32_768]).unwrap();
    let after = read(&mount);
    assert!(before[32_768..] == after[32_768..], "what was not overwritten");
    let kept = before.chunks(512).zip(after.chunks(512)).take(64).filter(|(a, b)| a == b);
    // Both clean, one in four; junk of another generation is other junk.
    assert!((4..=32).contains(&kept.count()));
    mount.stop();
}

/// "Generations are those of `bit_flip`: `rate` is drawn anew for each, `count` and `at` hold for
/// one."
#[test]
fn a_region_may_be_of_a_later_generation() {
    require_fuse!();
    let backing = backing();
    let text = SEVENS.replace("{ byte = 4096 }", "{ byte = 4096, generation = 1 }");
    let mut mount = start(&backing, &text);
    assert!(read(&mount) == ones_but(&[(8_192..12_288, 7)]));
    write_at(&mount.join("file"), 5_000, &[9; 100]).unwrap();
    assert!(read(&mount) == ones_but(&[(5_000..5_100, 7), (8_192..12_288, 7)]));
    write_at(&mount.join("file"), 5_000, &[9; 100]).unwrap();
    assert!(read(&mount) == ones_but(&[(5_000..5_100, 9), (8_192..12_288, 7)]));
    mount.stop();
}

/// "**transient**: this access only."
#[test]
fn a_transient_region_is_gone_when_read_again() {
    require_fuse!();
    let backing = backing();
    let hash = tree_hash(backing.path());
    let text = "[[rule]]\nname = \"once\"\nwhen = { nth = 2 }\n[rule.fault.corrupt]\n\
                content = \"junk\"\ncount = 2\npersistence = \"transient\"\nregion = 512\n";
    let mut mount = start(&backing, text);
    let file = File::open(mount.join("file")).unwrap();
    let read = || {
        let mut bytes = [0; 8_192];
        file.read_exact_at(&mut bytes, 4_096).unwrap();
        bytes.chunks(512).filter(|block| **block != [1; 512]).count()
    };
    assert_eq!([read(), read(), read()], [0, 2, 0]);
    mount.stop();
    let events = mount.delivered();
    assert_eq!((events.len(), events[0].regions.len(), events[0].occurrence), (1, 2, Some(2)));
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

/// "`rate` and `count` are drawn over the regions that each occurrence touches, and junk is other
/// junk on every access."
#[test]
fn transient_junk_is_other_junk_on_every_access() {
    require_fuse!();
    let backing = backing();
    let text = "[[rule]]\nname = \"wire\"\n[rule.fault.corrupt]\ncontent = \"junk\"\nrate = 1.0\n\
                persistence = \"transient\"\n";
    let mut mount = start(&backing, text);
    let file = File::open(mount.join("file")).unwrap();
    let read = || {
        let mut bytes = [0; 4_096];
        file.read_exact_at(&mut bytes, 4_096).unwrap();
        bytes
    };
    let all: std::collections::HashSet<_> = (0..20).map(|_| read()).collect();
    assert_eq!(all.len(), 20);
    mount.stop();
}

#[test]
fn truncating_and_punching_end_what_is_gone() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, SEVENS);
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    file.set_len(10_000).unwrap();
    file.set_len(65_536).unwrap();
    let zeros = (10_000..65_536, 0);
    assert!(read(&mount) == ones_but(&[(4_096..10_000, 7), zeros.clone()]));
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, punch, 4_096, 4_096).unwrap();
    assert!(read(&mount) == ones_but(&[(4_096..8_192, 0), (8_192..10_000, 7), zeros]));
    mount.stop();
    let gone = of(Outcome::Gone, &mount).into_iter().flat_map(|event| event.regions);
    let bytes: Vec<_> = gone.map(|region| region.bytes).collect();
    assert_eq!(bytes, [(10_000, 2_288), (4_096, 4_096)]);
}

/// The last of several partial repairs is the end of a region; until then it waits to be read.
#[test]
fn a_region_repaired_in_part_is_still_never_read_and_one_repaired_whole_is_not() {
    require_fuse!();
    for (writes, never_read) in [(&[(4_096, 100)][..], 2), (&[(4_096, 96), (4_192, 4_000)], 1)] {
        let backing = backing();
        let mut mount = start(
            &backing,
            &SEVENS.replace("at = [{ byte = 4096 }, { byte = 8192 }]", "count = 2"),
        );
        let starts: Vec<u64> = mount.preview_regions().iter().map(|one| one.region.start).collect();
        for (at, len) in writes {
            write_at(&mount.join("file"), at - 4_096 + starts[0], &vec![9; *len]).unwrap();
        }
        mount.stop();
        let waiting = of(Outcome::NeverRead, &mount);
        let regions: usize = waiting.iter().map(|event| event.regions.len()).sum();
        assert_eq!(regions, never_read, "{writes:?}");
    }
}

const MAPPED_WRITE: &str = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
    assert m[6000] != 1, 'the mapping is corrupt'\n\
    m[5000:5004] = b'abcd'; m.flush(); m[5002:5006] = b'efgh'; m.flush(); m.close(); os.close(f)";

/// Whichever way the file is opened, the backing file gets what the program wrote and nothing else.
#[test]
fn a_page_that_is_written_back_carries_no_region_into_the_backing_file() {
    require_fuse!();
    let junk = SEVENS.replace("content = { byte = 7 }", "content = \"junk\"");
    let windowed = junk.replace("[rule.fault", "when = { for = \"1h\" }\n[rule.fault");
    let counted = format!(
        "{junk}[[rule]]\nname = \"never\"\nselect = {{ ops = [\"read\", \"write\"] }}\n\
         when = {{ nth = 1000000000 }}\n[rule.fault.error]\nerrno = \"EIO\"\n"
    );
    let permanent = format!("{junk}persistence = \"permanent\"\n");
    let transient = junk.replace("at = [{ byte = 4096 }, { byte = 8192 }]", "rate = 1.0")
        + "persistence = \"transient\"\n";
    for text in [&junk, &windowed, &counted, &permanent, &transient] {
        let backing = backing();
        let mut mount = start(&backing, text);
        python(MAPPED_WRITE, [mount.join("file")]).succeed();
        let mut wanted = ones_but(&[]);
        wanted[5_000..5_006].copy_from_slice(b"abefgh");
        assert!(fs::read(backing.join("file")).unwrap() == wanted, "{text}");
        if text == &junk || text == &windowed || text == &counted {
            let seen = read(&mount);
            assert_eq!(&seen[5_000..5_006], b"abefgh", "repaired: {text}");
            let same = seen[4_096..12_288].iter().filter(|byte| **byte == 1).count();
            assert!(same < 100, "the rest is still junk: {text}");
        }
        mount.stop();
        assert!(fs::read(backing.join("file")).unwrap() == wanted, "after the end: {text}");
    }
}

/// The kernel says which page was written, not which of its bytes. "What a program writes to a
/// mapping is told by comparing the page with what it held: a byte that is written as it was read
/// there, damage included, is one that nobody wrote."
#[test]
fn a_byte_that_is_written_to_a_mapping_as_it_was_read_there_is_one_that_nobody_wrote() {
    require_fuse!();
    let backing = backing();
    let mut mount = start(&backing, SEVENS);
    let mapped = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
                  m[5000:5003] = b'\\x07\\x09\\x07'; m.flush(); m.close(); os.close(f)";
    python(mapped, [mount.join("file")]).succeed();
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(5_001..5_002, 9)]));
    mount.stop();
    let repaired = of(Outcome::Repaired, &mount).into_iter().flat_map(|event| event.regions);
    assert_eq!(repaired.map(|region| region.bytes).collect::<Vec<_>>(), [(5_001, 1)]);
}

/// What is in a mapping already stays as it was filled, and nobody has overwritten the rest of it.
#[test]
fn a_page_that_was_filled_before_the_window_opened_repairs_what_was_written_and_no_more() {
    require_fuse!();
    let backing = backing();
    let text = SEVENS.replace("[rule.fault", "when = { after = \"4s\" }\n[rule.fault");
    let mut mount = start(&backing, &text);
    let mapped = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0); assert m[6000] == 1\n\
                  time.sleep(4.5); assert m[6000] == 1; m[5000] = 9; m.flush(); assert m[6000] == 1";
    python(mapped, [mount.join("file")]).succeed();
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(5_000..5_001, 9)]));
    let wanted = ones_but(&[(4_096..5_000, 7), (5_000..5_001, 9), (5_001..12_288, 7)]);
    assert!(read(&mount) == wanted, "all but one byte is corrupt");
    mount.stop();
}

/// A byte that is written where the page holds other than what is served now.
#[test]
fn every_byte_that_is_written_by_a_mapping_arrives_whatever_is_served_in_its_place() {
    require_fuse!();
    let backing = backing();
    let text = format!("{SEVENS}persistence = \"permanent\"\n");
    let mut mount = start(&backing, &text);
    let mapped = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
                  m[5000] = 9; m.flush(); m[5000] = 7; m.flush(); m.close(); os.close(f)";
    python(mapped, [mount.join("file")]).succeed();
    assert!(fs::read(backing.join("file")).unwrap() == ones_but(&[(5_000..5_001, 7)]));
    mount.stop();
}

#[test]
fn renames_and_hard_links_keep_the_regions() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("dir/file", 1 << 20);
    let text = "[[rule]]\nname = \"r\"\n[rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.2\n";
    let mut mount = start(&backing, text);
    let wanted = fs::read(mount.join("dir/file")).unwrap();
    assert!(wanted != fs::read(backing.join("dir/file")).unwrap());
    fs::hard_link(mount.join("dir/file"), mount.join("link")).unwrap();
    fs::rename(mount.join("dir/file"), mount.join("dir/moved")).unwrap();
    fs::rename(mount.join("dir"), mount.join("elsewhere")).unwrap();
    drop_caches();
    for name in ["link", "elsewhere/moved"] {
        assert!(fs::read(mount.join(name)).unwrap() == wanted, "{name}");
    }
    mount.stop();
}
