//! Many threads, many open files, little memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::process::{Resource, getrlimit};

use crate::support::*;

#[test]
fn sixty_four_threads_each_find_their_own_bytes() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let work = |thread: u8| {
        let directory = mount.join(&format!("d{}", thread % 8));
        let _ = fs::create_dir(&directory);
        let path = directory.join(format!("f{thread}"));
        for round in 0..20_u8 {
            let bytes = vec![thread ^ round; 10_000 + usize::from(thread)];
            fs::write(&path, &bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            fs::rename(&path, path.with_extension("moved")).unwrap();
            assert!(!path.exists());
            fs::rename(path.with_extension("moved"), &path).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
    assert_eq!(tree_hash(mount.path()), tree_hash(backing.path()));
    mount.stop();
}

/// As many as this process may open, which is as many as errorfs may.
#[test]
fn files_are_opened_until_the_limit_and_then_the_error_is_clear() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(100_000).min(100_000);
    let mut open = Vec::new();
    let refused = loop {
        match File::open(mount.join("file")) {
            Ok(file) => open.push(file),
            Err(error) => break error.raw_os_error(),
        }
    };
    assert!([Some(libc::EMFILE), Some(libc::ENFILE)].contains(&refused), "{refused:?}");
    assert!(open.len() as u64 + 1000 > limit, "{} of {limit}", open.len());
    let mut byte = [0];
    open.last().unwrap().read_exact_at(&mut byte, 0).unwrap();
    drop(open);
    assert_eq!(fs::read(mount.join("file")).unwrap(), b"x", "it works again");
    mount.stop();
}
