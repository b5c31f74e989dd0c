//! What programs do with the bytes of a file, on an idle mount as on a plain directory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::FallocateFlags;

use super::on_both;
use crate::support::{noise, python};

#[test]
fn bytes_written_are_read_back_at_every_offset() {
    on_both(|root| {
        let path = root.join("file");
        let bytes = noise(1, 3_000_001);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        file.write_all_at(b"middle", 1_234_567).unwrap();
        let mut read = [0; 8];
        file.read_exact_at(&mut read, 1_234_566).unwrap();
        assert_eq!(&read[1..7], b"middle");
        assert_eq!(file.read_at(&mut read, 3_000_001).unwrap(), 0, "nothing beyond the end");
    });
}

#[test]
fn appends_go_to_the_end_whoever_else_appends() {
    on_both(|root| {
        let path = root.join("log");
        let open = || OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let (mut one, mut other) = (open(), open());
        for _ in 0..100 {
            one.write_all(b"one\n").unwrap();
            other.write_all(b"other\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nother\n".repeat(100));
    });
}

#[test]
fn truncating_cuts_and_extends_with_zeros() {
    on_both(|root| {
        let path = root.join("file");
        fs::write(&path, noise(2, 10_000)).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(5).unwrap();
        assert_eq!(fs::read(&path).unwrap(), &noise(2, 10_000)[..5]);
        file.set_len(9_000).unwrap();
        assert!(fs::read(&path).unwrap()[5..].iter().all(|byte| *byte == 0));
        drop(File::create(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0, "O_TRUNC");
    });
}

#[test]
fn a_sparse_file_has_its_holes_where_it_has_them() {
    on_both(|root| {
        let path = root.join("sparse");
        let mut file = File::create_new(&path).unwrap();
        file.set_len(10 << 20).unwrap();
        file.seek(SeekFrom::Start(4 << 20)).unwrap();
        file.write_all(&noise(3, 1 << 20)).unwrap();
        file.sync_all().unwrap();
        let ends = python(
            "f = os.open(sys.argv[1], os.O_RDONLY)\n\
             d = os.lseek(f, 0, os.SEEK_DATA); h = os.lseek(f, d, os.SEEK_HOLE); print(d, h)",
            [&path],
        )
        .succeed();
        assert_eq!(ends.stdout, format!("{} {}\n", 4 << 20, 5 << 20));
        assert!(fs::metadata(&path).unwrap().blocks() * 512 < 3 << 20);
    });
}

#[test]
fn fallocate_reserves_punches_and_zeroes() {
    on_both(|root| {
        let path = root.join("file");
        fs::write(&path, noise(4, 65536)).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let allocate = |flags, offset, len| rustix::fs::fallocate(&file, flags, offset, len);
        allocate(FallocateFlags::KEEP_SIZE, 65536, 65536).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 65536);
        allocate(FallocateFlags::empty(), 65536, 4096).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 69632);
        allocate(FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 4096, 4096).unwrap();
        allocate(FallocateFlags::ZERO_RANGE, 16384, 100).unwrap();
        let mut wanted = noise(4, 65536);
        wanted.resize(69632, 0);
        wanted[4096..8192].fill(0);
        wanted[16384..16484].fill(0);
        assert!(fs::read(&path).unwrap() == wanted);
    });
}

#[test]
fn copy_file_range_copies_inside_the_directory() {
    on_both(|root| {
        fs::write(root.join("from"), noise(5, 300_000)).unwrap();
        let from = File::open(root.join("from")).unwrap();
        let to = File::create(root.join("to")).unwrap();
        let (mut source, mut destination) = (1000, 0);
        while source < 201_000 {
            let left = 201_000 - source as usize;
            let copied = rustix::fs::copy_file_range(
                &from,
                Some(&mut source),
                &to,
                Some(&mut destination),
                left,
            );
            assert_ne!(copied.unwrap(), 0);
        }
        assert!(fs::read(root.join("to")).unwrap() == noise(5, 300_000)[1000..201_000]);
    });
}

#[test]
fn direct_io_reads_and_writes_aligned_blocks() {
    on_both(|root| {
        let path = root.join("direct");
        fs::write(&path, noise(6, 1 << 20)).unwrap();
        python(
            "m = mmap.mmap(-1, 8192); f = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)\n\
             assert os.preadv(f, [m], 4096) == 8192\n\
             block = bytes(m); m[:] = block[::-1]\n\
             assert os.pwritev(f, [m], 65536) == 8192",
            [&path],
        )
        .succeed();
        let now = fs::read(&path).unwrap();
        let mut block = now[4096..12288].to_vec();
        block.reverse();
        assert!(now[65536..73728] == block[..]);
    });
}

#[test]
fn an_unlinked_file_stays_usable_while_it_is_open() {
    on_both(|root| {
        let path = root.join("gone");
        let mut file =
            OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        file.write_all(b"before").unwrap();
        fs::remove_file(&path).unwrap();
        file.write_all(b" and after").unwrap();
        file.set_len(12).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        assert_eq!(file.metadata().unwrap().len(), 12);
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before and a");
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        file.sync_all().unwrap();
        assert!(fs::read_dir(root).unwrap().next().is_none(), "nothing hidden is left");
    });
}

#[test]
fn a_descriptor_outlives_the_permission_that_opened_it() {
    on_both(|root| {
        let path = root.join("file");
        let mut file = File::create_new(&path).unwrap();
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        file.write_all(b"still").unwrap();
        file.sync_data().unwrap();
        fs::rename(&path, root.join("moved")).unwrap();
        file.write_all(b" here").unwrap();
        assert_eq!(fs::metadata(root.join("moved")).unwrap().len(), 10);
    });
}

/// SQLite opens every database so.
#[test]
fn a_file_is_opened_with_the_flag_that_refuses_symlinks() {
    on_both(|root| {
        use rustix::fs::OFlags;
        let path = root.join("file");
        fs::write(&path, "x").unwrap();
        std::os::unix::fs::symlink("file", root.join("link")).unwrap();
        let open = |name: &str, flags: OFlags| {
            let flags = flags | OFlags::RDWR | OFlags::NOFOLLOW;
            rustix::fs::open(root.join(name), flags, rustix::fs::Mode::RUSR).map(drop)
        };
        for flags in [OFlags::empty(), OFlags::CREATE] {
            assert_eq!(open("file", flags), Ok(()));
            assert_eq!(open("link", flags), Err(rustix::io::Errno::LOOP));
        }
    });
}
