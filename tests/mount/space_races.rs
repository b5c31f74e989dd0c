//! Many who write, cut and remove at once never have more than there is, and what is told is true.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::statvfs;

use crate::support::*;

const BLOCK: u64 = 4096;
const BLOCKS: u64 = 64;

/// What the files of a directory take.
fn taken(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap();
    let lengths = entries.filter_map(|entry| Some(entry.unwrap().metadata().ok()?.len()));
    lengths.map(|len| len.div_ceil(BLOCK)).sum()
}

/// Writes, cuts and removes three files that are this thread's own, and one that is everybody's.
fn work(root: &Path, seed: u64) {
    for step in noise(seed, 600).chunks_exact(3) {
        let name =
            if step[0] % 4 == 0 { "shared".into() } else { format!("{seed}-{}", step[0] % 3) };
        let path = root.join(name);
        let place = u64::from(step[1]) * 512;
        if step[2] % 16 == 0 {
            let _ = fs::remove_file(path);
            continue;
        }
        let Ok(file) = File::options().create(true).truncate(false).write(true).open(path) else {
            continue;
        };
        let _ = match step[2] % 4 {
            0 => file.set_len(place).map(|()| 0),
            _ => file.write_at(&vec![1; usize::from(step[2]) * 100], place),
        };
    }
}

#[test]
fn writers_at_once_never_take_more_than_there_is() {
    require_fuse!();
    let backing = Backing::new();
    let text =
        format!("[[rule]]\nname = \"full\"\n[rule.fault.space]\ncapacity = {}\n", BLOCKS * BLOCK);
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..5)
            .map(|seed| (seed, mount.path()))
            .map(|(seed, root)| scope.spawn(move || work(root, seed)))
            .collect();
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(taken(backing.path()));
                let told = statvfs(mount.path()).unwrap();
                assert_eq!(told.f_blocks * told.f_frsize, BLOCKS * BLOCK);
                assert!(told.f_bfree <= told.f_blocks && told.f_bavail <= told.f_bfree);
            }
            most
        });
        let ends: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        ended.store(true, Ordering::Relaxed);
        let most = watch.join().unwrap();
        assert!(ends.iter().all(Result::is_ok) && most <= BLOCKS, "{most}");
        assert!(most > BLOCKS / 2, "it was nearly full: {most}");
    });
    let told = statvfs(mount.path()).unwrap();
    let free = BLOCKS - taken(backing.path());
    assert_eq!(told.f_bfree * told.f_frsize / BLOCK, free, "what is told is true in the end");
    for entry in fs::read_dir(mount.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let told = statvfs(mount.path()).unwrap();
    assert_eq!(told.f_bfree, told.f_blocks, "all of it is there again");
    let refused = mount.delivered().iter().any(|event| event.errno.as_deref() == Some("ENOSPC"));
    assert!(refused, "it was full at times");
    mount.stop();
}
