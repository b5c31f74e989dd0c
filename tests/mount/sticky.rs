//! Sticky damage is a property of the stored bytes: however they are read, they are the same.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::support::*;

const SIZE: usize = 16 << 20;
const ROT: &str = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";

/// What the file must read as: the stored bytes with the previewed flips.
fn damaged(stored: &[u8], mount: &Mount) -> Vec<u8> {
    let mut bytes = stored.to_vec();
    let flips = mount.preview();
    assert!(flips.len() > 1000, "only {} flips", flips.len());
    flips.iter().for_each(|flip| bytes[flip.byte as usize] ^= 1 << flip.bit);
    bytes
}

#[test]
fn every_way_of_reading_gives_the_same_damage() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", SIZE);
    let hash = tree_hash(backing.path());
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(11).start();
    let wanted = damaged(&fs::read(backing.join("file")).unwrap(), &mount);
    let path = mount.join("file");

    let cold = |way: &str, read: &dyn Fn() -> Vec<u8>| {
        forget_cached(&path);
        assert!(read() == wanted, "{way} reads differ");
    };
    cold("random 4 KiB", &|| in_random_order(&File::open(&path).unwrap()));
    cold("1 MiB", &|| fs::read(&path).unwrap());
    cold("16 threads'", &|| by_threads(&File::open(&path).unwrap()));
    assert!(fs::read(&path).unwrap() == wanted, "cached reads differ");
    byte_by_byte(&File::open(&path).unwrap(), &wanted);

    forget_cached(&path);
    let digest = blake3::hash(&wanted);
    for way in ["mmap", "direct"] {
        let copy = Backing::new();
        let (text, out) = (if way == "mmap" { MAPPED } else { DIRECT }, copy.join("copy"));
        python(text, [&path, &out]).succeed();
        assert_eq!(blake3::hash(&fs::read(out).unwrap()), digest, "{way} reads differ");
    }
    mount.stop();
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

const MAPPED: &str = "f = os.open(sys.argv[1], os.O_RDONLY)\n\
    open(sys.argv[2], 'wb').write(mmap.mmap(f, 0, prot=mmap.PROT_READ))";

const DIRECT: &str = "f = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)\n\
    m = mmap.mmap(-1, 65536); out = open(sys.argv[2], 'wb'); at = 0\n\
    while (n := os.preadv(f, [m], at)): out.write(m[:n]); at += n";

fn in_random_order(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    let mut blocks: Vec<usize> = (0..SIZE / 4096).collect();
    let order = noise(5, blocks.len() * 8);
    blocks.sort_by_key(|block| &order[block * 8..block * 8 + 8]);
    for block in blocks {
        let place = block * 4096;
        file.read_exact_at(&mut bytes[place..place + 4096], place as u64).unwrap();
    }
    bytes
}

fn by_threads(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    std::thread::scope(|scope| {
        for (number, part) in bytes.chunks_mut(SIZE / 16).enumerate() {
            scope.spawn(move || {
                for (piece, out) in part.chunks_mut(10_007).enumerate() {
                    let place = number * (SIZE / 16) + piece * 10_007;
                    file.read_exact_at(out, place as u64).unwrap();
                }
            });
        }
    });
    bytes
}

fn byte_by_byte(file: &File, wanted: &[u8]) {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let mut byte = [0];
    for place in 300_000..332_768 {
        file.read_exact_at(&mut byte, place).unwrap();
        assert_eq!(byte[0], wanted[place as usize], "byte {place}");
    }
}

#[test]
fn damage_is_the_same_after_dropping_caches_and_remounting_and_on_a_copy() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("file", SIZE);
    let start = |backing: &Backing| Mount::new(backing.path()).scenario(ROT).seed(11).start();
    let mut mount = start(&backing);
    let wanted = fs::read(mount.join("file")).unwrap();
    assert!(wanted != fs::read(backing.join("file")).unwrap());
    drop_caches();
    assert!(fs::read(mount.join("file")).unwrap() == wanted, "after dropping caches");
    mount.stop();
    let again = start(&backing);
    assert!(fs::read(again.join("file")).unwrap() == wanted, "after a remount");
    let copy = Backing::new().with_noise("file", SIZE);
    let other = start(&copy);
    assert!(fs::read(other.join("file")).unwrap() == wanted, "on a copy");
}

#[test]
fn another_seed_another_rule_or_another_id_gives_other_damage() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 1 << 20);
    let read = |text: &str, arguments: &[&str]| {
        let setup = Mount::new(backing.path()).scenario(text).args(arguments);
        fs::read(setup.start().join("file")).unwrap()
    };
    let other = ROT.replace("\"rot\"", "\"other\"");
    let all = [
        read(ROT, &["--seed", "1"]),
        read(ROT, &["--seed", "2"]),
        read(&other, &["--seed", "1"]),
        read(ROT, &["--seed", "1", "--id", "a"]),
        read(ROT, &["--seed", "1", "--id", "b"]),
    ];
    for (number, one) in all.iter().enumerate() {
        assert!(all[number + 1..].iter().all(|other| other != one), "number {number}");
    }
}
