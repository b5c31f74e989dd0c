//! Bad sectors: EIO exactly there, never for a neighbour, until a write covers them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::errno;
use crate::support::*;

/// The third block of 4 KiB is bad.
fn start(backing: &Backing, sector: &str) -> Mount {
    let text = format!(
        "[[rule]]\nname = \"bad\"\n[rule.fault.bad_sector]\nat = [8192]\nsector = \"{sector}\"\n"
    );
    Mount::new(backing.path()).scenario(&text).seed(1).start()
}

/// "A read that touches a bad sector gives the good bytes before it, then EIO; its neighbours stay
/// readable."
#[test]
fn neighbours_of_a_bad_sector_are_readable_and_the_sector_is_not() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let (stored, hash) = (fs::read(backing.join("file")).unwrap(), tree_hash(backing.path()));
    let mut mount = start(&backing, "4KiB");
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = vec![0; 65536];
    for (offset, len) in [(0, 8192), (8191, 1), (12288, 53248), (12288, 1)] {
        file.read_exact_at(&mut bytes[..len], offset).unwrap();
        assert!(bytes[..len] == stored[offset as usize..][..len]);
    }
    for (offset, len) in [(8192, 1), (8192, 4096), (12287, 1), (10_000, 50_000)] {
        assert_eq!(errno(file.read_at(&mut bytes[..len], offset)), Some(libc::EIO), "{offset}");
    }
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 8192, "the good prefix");
    let mut events = mount.delivered();
    assert!(events.iter().all(|event| event.sector == Some((8192, 4096))));
    assert_eq!(events.pop().unwrap().returned, Some(8192));
    assert!(events.iter().all(|event| event.errno.as_deref() == Some("EIO")), "{events:?}");
    mount.stop();
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

#[test]
fn a_bad_sector_of_512_bytes_is_no_larger() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing, "512");
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = [0; 512];
    assert_eq!(errno(file.read_at(&mut bytes, 8192)), Some(libc::EIO));
    file.read_exact_at(&mut bytes, 8192 - 512).unwrap();
    file.read_exact_at(&mut bytes, 8192 + 512).unwrap();
    mount.stop();
}

#[test]
fn a_mapping_gets_sigbus_at_the_bad_sector_and_only_there() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing, "4KiB");
    let read = |bytes: &str| {
        let text = format!("m = mmap.mmap(os.open(sys.argv[1], 0), 0, prot=1); hash(m[{bytes}])");
        python(&text, [mount.join("file")]).run()
    };
    read("0:8192").expect_status(0);
    read("12288:65536").expect_status(0);
    read("8192:8193").expect_signal(libc::SIGBUS);
    mount.stop();
}

/// "A write of the whole sector repairs it; a write of a part of it fails with EIO, as the drive
/// would have to read it first."
#[test]
fn a_write_that_covers_the_sector_repairs_it_and_a_partial_one_fails() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = start(&backing, "4KiB");
    let path = mount.join("file");
    assert_eq!(errno(write_at(&path, 8200, b"part")), Some(libc::EIO));
    assert_eq!(errno(read_at(&path, 8192, 4096)), Some(libc::EIO));
    write_at(&path, 8000, &[7; 5000]).unwrap();
    assert_eq!(read_at(&path, 8192, 4096).unwrap(), [7; 4096]);
    write_at(&path, 8200, b"part").unwrap();
    assert_eq!(read_at(&path, 8200, 4).unwrap(), b"part");
    mount.stop();
}

/// The rest of the sector is not the file's: a write up to the end covers it.
#[test]
fn the_last_sector_of_a_file_ends_where_the_file_does() {
    require_fuse!();
    for cut in [false, true] {
        let backing = Backing::new().with("file", &[3; 8192][..if cut { 8192 } else { 5000 }]);
        let text = "[[rule]]\nname = \"bad\"\n[rule.fault.bad_sector]\nat = [4096]\n";
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
        if cut {
            file.set_len(5000).unwrap();
        }
        file.write_all_at(&[5; 904], 4096).unwrap();
        assert_eq!(read_at(&mount.join("file"), 4096, 904).unwrap(), [5; 904], "repaired");
        mount.stop();
    }
}
