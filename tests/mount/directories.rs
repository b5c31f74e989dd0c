//! Directories: large ones, places in them, and changes while they are read.

use std::collections::HashSet;
use std::fs::{self, File};
use std::time::Duration;

use super::on_both;
use crate::support::*;

#[test]
fn a_directory_of_100_000_entries_is_complete_and_each_name_comes_once() {
    require_fuse!();
    let backing = Backing::new();
    for number in 0..100_000 {
        File::create(backing.join(&format!("entry-{number}"))).unwrap();
    }
    let mut mount = Mount::new(backing.path()).start();
    let names: Vec<_> =
        fs::read_dir(mount.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 100_000);
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 100_000);
    mount.stop();
}

#[test]
fn a_place_in_a_directory_can_be_returned_to() {
    on_both(|root| {
        (0..5000).for_each(|number| drop(File::create(root.join(format!("e{number}"))).unwrap()));
        // telldir and seekdir, by way of libc.
        let ended = python(
            "import ctypes as c\n\
             l = c.CDLL(None, use_errno=True); l.opendir.restype = c.c_void_p\n\
             l.readdir.restype = c.c_void_p; l.telldir.restype = c.c_long\n\
             d = c.c_void_p(l.opendir(os.fsencode(sys.argv[1])))\n\
             def name():\n\
             \x20e = l.readdir(d)\n\
             \x20return c.string_at(e + 19) if e else None\n\
             [name() for _ in range(1234)]\n\
             place = l.telldir(d); rest = []\n\
             while (n := name()) is not None: rest.append(n)\n\
             l.seekdir(d, c.c_long(place)); again = []\n\
             while (n := name()) is not None: again.append(n)\n\
             l.rewinddir(d); whole = []\n\
             while (n := name()) is not None: whole.append(n)\n\
             print(rest == again, len(rest), len(whole), len(set(whole)))",
            [root],
        );
        let ended = ended.within(Duration::from_secs(60)).succeed();
        assert_eq!(ended.stdout, "True 3768 5002 5002\n");
    });
}

#[test]
fn unlinking_while_reading_a_directory_skips_nothing() {
    on_both(|root| {
        (0..5000).for_each(|number| drop(File::create(root.join(format!("e{number}"))).unwrap()));
        let mut seen = 0;
        for entry in fs::read_dir(root).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
            seen += 1;
        }
        assert_eq!(seen, 5000);
        assert!(fs::read_dir(root).unwrap().next().is_none());
    });
}

#[test]
fn the_dots_have_the_inodes_of_this_directory_and_its_parent() {
    on_both(|root| {
        fs::create_dir(root.join("sub")).unwrap();
        let ended = Program::new("sh")
            .args(["-c", "cd $0/sub && ls -ai1 | awk '{print $1}'; stat -c %i $0/sub $0"])
            .arg(root)
            .succeed();
        let inodes: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(inodes[..2], inodes[2..], "{ended}");
    });
}
