//! What ends sticky damage (overwriting) and what does not (renaming, linking, neighbours).

use std::fs::{self, File};

use crate::support::*;

/// Three neighbouring bytes with a flipped bit each, and one far away.
const FOUR: &str = "[[rule]]\nname = \"four\"\n[rule.fault.bit_flip]\n\
    at = [{ byte = 5000, bit = 0 }, { byte = 5001, bit = 3 }, { byte = 5002, bit = 7 }, \
    { byte = 60000, bit = 1 }]\n";

fn start(backing: &Backing) -> Mount {
    Mount::new(backing.path()).scenario(FOUR).seed(1).start()
}

/// The damaged bytes of a file: those that differ between mount and backing directory.
fn damage(mount: &Mount, backing: &Backing, name: &str) -> Vec<u64> {
    forget_cached(&mount.join(name));
    let stored = fs::read(backing.join(name)).unwrap();
    let bits = differing_bits(&stored, &fs::read(mount.join(name)).unwrap());
    bits.into_iter().map(|(byte, _)| byte).collect()
}

/// "Overwriting ends the damage of exactly the bytes that are overwritten."
#[test]
fn overwriting_repairs_exactly_the_overwritten_bytes() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing);
    assert_eq!(damage(&mount, &backing, "file"), [5000, 5001, 5002, 60000]);
    write_at(&mount.join("file"), 5001, b"!").unwrap();
    assert_eq!(read_at(&mount.join("file"), 5001, 1).unwrap(), b"!", "also from the cache");
    assert_eq!(damage(&mount, &backing, "file"), [5000, 5002, 60000]);
    write_at(&mount.join("file"), 4096, &[9; 4096]).unwrap();
    assert_eq!(damage(&mount, &backing, "file"), [60000]);
    mount.stop();
    let repaired = errorfs::ledger::Outcome::Repaired;
    assert!(mount.ledger().iter().any(|event| event.outcome == repaired), "{:?}", mount.ledger());
}

#[test]
fn writing_through_a_mapping_repairs_what_was_written_back() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing);
    let text = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0); m[60000] = 5; m.flush()";
    python(text, [mount.join("file")]).succeed();
    assert_eq!(read_at(&backing.join("file"), 60000, 1).unwrap(), [5]);
    assert_eq!(damage(&mount, &backing, "file"), [5000, 5001, 5002]);
    mount.stop();
}

#[test]
fn truncating_and_punching_end_the_damage_of_what_is_gone() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing);
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    file.set_len(20_000).unwrap();
    file.set_len(65_536).unwrap();
    assert_eq!(damage(&mount, &backing, "file"), [5000, 5001, 5002]);
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, punch, 4096, 4096).unwrap();
    assert!(damage(&mount, &backing, "file").is_empty());
    mount.stop();
}

/// "Damage belongs to a file, not to a name." "A file that was there at arming is known by the path
/// that it had then, and keeps its damage under new names and links."
#[test]
fn renames_and_hard_links_keep_the_damage() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("dir/file", 1 << 20);
    let rot = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";
    let mut mount = Mount::new(backing.path()).scenario(rot).seed(5).start();
    let wanted = fs::read(mount.join("dir/file")).unwrap();
    assert!(wanted != fs::read(backing.join("dir/file")).unwrap());
    fs::hard_link(mount.join("dir/file"), mount.join("link")).unwrap();
    assert!(fs::read(mount.join("link")).unwrap() == wanted, "through a hard link");
    fs::rename(mount.join("dir/file"), mount.join("dir/moved")).unwrap();
    fs::rename(mount.join("dir"), mount.join("elsewhere")).unwrap();
    drop_caches();
    for name in ["link", "elsewhere/moved"] {
        assert!(fs::read(mount.join(name)).unwrap() == wanted, "{name} after dropping caches");
    }
    mount.stop();
}

/// "A file created since is known by the path under which the rule first looked at its bytes: a
/// program that writes `x.tmp` and renames it to `x` before anyone reads it has the damage of `x`."
#[test]
fn a_file_written_aside_and_renamed_into_place_has_stable_damage() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    let rot = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";
    let mut mount = Mount::new(backing.path()).scenario(rot).seed(5).start();
    fs::write(mount.join("x.tmp"), noise(1, 1 << 20)).unwrap();
    fs::rename(mount.join("x.tmp"), mount.join("x")).unwrap();
    let first = fs::read(mount.join("x")).unwrap();
    assert!(first != noise(1, 1 << 20), "new files rot too");
    drop_caches();
    assert!(fs::read(mount.join("x")).unwrap() == first);
    mount.stop();
}

/// The kernel reads the page with its damage and writes the whole of it back.
#[test]
fn a_page_that_is_written_back_carries_no_damage_into_the_backing_file() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 8192);
    let stored = fs::read(backing.join("file")).unwrap();
    let rot = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 0.01\n";
    let mut mount = Mount::new(backing.path()).scenario(rot).seed(5).start();
    let before = damage(&mount, &backing, "file");
    assert!(before.len() > 100);
    let text = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
                m[10:14] = b'1234'; m.flush(); m.close(); os.close(f)";
    python(text, [mount.join("file")]).succeed();
    let mut wanted = stored;
    wanted[10..14].copy_from_slice(b"1234");
    assert!(fs::read(backing.join("file")).unwrap() == wanted, "four bytes were written");
    drop_caches();
    let rewritten = |byte: &u64| (10..14).contains(byte);
    let kept = before.into_iter().filter(|byte| !rewritten(byte)).collect::<Vec<_>>();
    let after = damage(&mount, &backing, "file");
    let after = after.into_iter().filter(|byte| !rewritten(byte)).collect::<Vec<_>>();
    assert_eq!(after, kept, "the rest is damaged as before");
    mount.stop();
}

/// The flips were one access's: what the kernel then keeps of it, and writes back, is not stored.
#[test]
fn a_page_with_transient_flips_is_written_back_without_them() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 8192);
    let mut wanted = fs::read(backing.join("file")).unwrap();
    let text = "[[rule]]\nname = \"wire\"\n[rule.fault.bit_flip]\nrate = 0.01\n\
                persistence = \"transient\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(5).start();
    let text = "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 0)\n\
                m[10:14] = b'1234'; m.flush(); m[12:16] = b'5678'; m.flush(); m.close(); os.close(f)";
    python(text, [mount.join("file")]).succeed();
    wanted[10..16].copy_from_slice(b"125678");
    assert!(fs::read(backing.join("file")).unwrap() == wanted, "six bytes were written");
    mount.stop();
    assert!(fs::read(backing.join("file")).unwrap() == wanted, "also at the end");
}
