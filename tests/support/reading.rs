//! The ways in which a program can read a file, all of which must give the same bytes.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{
    Backing, Mount, drop_caches, forget_cached, noise, python, require_fuse, require_root,
};

/// Reads a file of at least 512 KiB sequentially, in random order, by threads, byte by byte, mapped
/// and past the cache; every time it must be `wanted`.
pub(crate) fn assert_every_way_of_reading_gives(path: &Path, wanted: &[u8]) {
    let cold = |way: &str, read: &dyn Fn() -> Vec<u8>| {
        forget_cached(path);
        assert!(read() == wanted, "{way} reads differ");
    };
    let len = wanted.len();
    cold("random 4 KiB", &|| in_random_order(&File::open(path).unwrap(), len));
    cold("1 MiB", &|| fs::read(path).unwrap());
    cold("16 threads'", &|| by_threads(&File::open(path).unwrap(), len));
    assert!(fs::read(path).unwrap() == wanted, "cached reads differ");
    byte_by_byte(&File::open(path).unwrap(), wanted);
    forget_cached(path);
    let digest = blake3::hash(wanted);
    for (way, text) in [("mmap", MAPPED), ("direct", DIRECT)] {
        let copy = Backing::new();
        let out = copy.join("copy");
        python(text, [path, &out]).succeed();
        assert_eq!(blake3::hash(&fs::read(out).unwrap()), digest, "{way} reads differ");
    }
}

const MAPPED: &str = "f = os.open(sys.argv[1], os.O_RDONLY)\n\
    open(sys.argv[2], 'wb').write(mmap.mmap(f, 0, prot=mmap.PROT_READ))";

const DIRECT: &str = "f = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)\n\
    m = mmap.mmap(-1, 65536); out = open(sys.argv[2], 'wb'); at = 0\n\
    while (n := os.preadv(f, [m], at)): out.write(m[:n]); at += n";

fn in_random_order(file: &File, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut blocks: Vec<usize> = (0..len / 4096).collect();
    let order = noise(5, blocks.len() * 8);
    blocks.sort_by_key(|block| &order[block * 8..block * 8 + 8]);
    for block in blocks {
        let place = block * 4096;
        file.read_exact_at(&mut bytes[place..place + 4096], place as u64).unwrap();
    }
    bytes
}

fn by_threads(file: &File, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    std::thread::scope(|scope| {
        for (number, part) in bytes.chunks_mut(len / 16).enumerate() {
            scope.spawn(move || {
                for (piece, out) in part.chunks_mut(10_007).enumerate() {
                    let place = number * (len / 16) + piece * 10_007;
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

/// A damaged file of `size` bytes reads the same after dropping caches, after a remount and on a
/// copy of its directory.
pub(crate) fn assert_every_time_of_reading_gives_the_same(scenario: &str, size: usize) {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with_noise("file", size);
    let start = |backing: &Backing| Mount::new(backing.path()).scenario(scenario).seed(11).start();
    let read = |mount: &Mount| std::fs::read(mount.join("file")).unwrap();
    let mut mount = start(&backing);
    let wanted = read(&mount);
    assert!(wanted != std::fs::read(backing.join("file")).unwrap());
    drop_caches();
    assert!(read(&mount) == wanted, "after dropping caches");
    mount.stop();
    assert!(read(&start(&backing)) == wanted, "after a remount");
    let copy = Backing::new().with_noise("file", size);
    assert!(read(&start(&copy)) == wanted, "on a copy");
}
