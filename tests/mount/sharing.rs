//! Several processes and threads on one file: shared mappings, locks, concurrent names.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use super::on_both;
use crate::support::{noise, python};

#[test]
fn a_shared_mapping_is_seen_by_another_process_and_by_reads() {
    on_both(|root| {
        let path = root.join("mapped");
        fs::write(&path, noise(1, 65536)).unwrap();
        python(
            "f = os.open(sys.argv[1], os.O_RDWR); m = mmap.mmap(f, 65536)\n\
             r, w = os.pipe()\n\
             if os.fork() == 0:\n\
             \x20os.read(r, 1); g = os.open(sys.argv[1], os.O_RDWR); n = mmap.mmap(g, 65536)\n\
             \x20assert n[5000:5005] == b'hello'; n[9000:9005] = b'world'; os._exit(0)\n\
             m[5000:5005] = b'hello'; os.write(w, b'x')\n\
             assert os.wait()[1] == 0\n\
             assert m[9000:9005] == b'world'\n\
             m.flush(); assert os.pread(f, 5, 9000) == b'world'",
            [&path],
        )
        .succeed();
        assert_eq!(&fs::read(&path).unwrap()[5000..5005], b"hello");
        assert_eq!(&fs::read(&path).unwrap()[9000..9005], b"world");
    });
}

#[test]
fn locks_exclude_other_processes() {
    on_both(|root| {
        let path = root.join("locked");
        fs::write(&path, "x").unwrap();
        // A second description, in a child: fcntl locks belong to processes.
        python(
            "def excluded(lock):\n\
             \x20pid = os.fork()\n\
             \x20if pid == 0:\n\
             \x20\x20g = os.open(sys.argv[1], os.O_RDWR)\n\
             \x20\x20try: lock(g)\n\
             \x20\x20except BlockingIOError: os._exit(7)\n\
             \x20\x20os._exit(0)\n\
             \x20return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n\
             f = os.open(sys.argv[1], os.O_RDWR); now = fcntl.LOCK_EX | fcntl.LOCK_NB\n\
             for lock in fcntl.flock, fcntl.lockf:\n\
             \x20lock(f, now); assert excluded(lambda g: lock(g, now)), lock\n\
             \x20lock(f, fcntl.LOCK_UN); assert not excluded(lambda g: lock(g, now)), lock",
            [&path],
        )
        .succeed();
    });
}

#[test]
fn a_killed_process_leaves_no_lock() {
    on_both(|root| {
        let path = root.join("locked");
        fs::write(&path, "x").unwrap();
        python(
            "r, w = os.pipe(); pid = os.fork()\n\
             if pid == 0:\n\
             \x20g = os.open(sys.argv[1], os.O_RDWR); fcntl.lockf(g, fcntl.LOCK_EX)\n\
             \x20fcntl.flock(g, fcntl.LOCK_EX); os.write(w, b'x'); time.sleep(60)\n\
             os.read(r, 1); os.kill(pid, signal.SIGKILL); os.wait()\n\
             f = os.open(sys.argv[1], os.O_RDWR); now = fcntl.LOCK_EX | fcntl.LOCK_NB\n\
             fcntl.lockf(f, now); fcntl.flock(f, now)",
            [&path],
        )
        .succeed();
    });
}

#[test]
fn sixty_four_threads_write_and_read_their_own_places() {
    on_both(|root| {
        let path = root.join("shared");
        fs::write(&path, vec![0; 64 * 8192]).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..64_u64 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..20 {
                        let bytes = noise(thread * 100 + turn, 8192);
                        file.write_all_at(&bytes, thread * 8192).unwrap();
                        let mut read = vec![0; 8192];
                        file.read_exact_at(&mut read, thread * 8192).unwrap();
                        assert!(read == bytes);
                    }
                });
            }
        });
    });
}

#[test]
fn sixty_four_threads_make_rename_and_remove_names() {
    on_both(|root| {
        std::thread::scope(|scope| {
            for thread in 0..64 {
                scope.spawn(move || {
                    for turn in 0..10 {
                        let path = root.join(format!("{thread}-{turn}"));
                        fs::write(&path, "x").unwrap();
                        fs::rename(&path, root.join("contended")).unwrap();
                        let _ = fs::read(root.join("contended"));
                    }
                });
            }
        });
        let left: Vec<_> = fs::read_dir(root).unwrap().collect();
        assert_eq!(left.len(), 1);
    });
}
