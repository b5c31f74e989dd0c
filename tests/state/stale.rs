//! What was there before bytes were overwritten, and what room is left.

use std::fs;

use super::{ENDS, Remembering};
use crate::support::*;

/// "What was there before bytes were overwritten is still what regions read as that are `stale`, as far as
/// `--keep-max` goes."
#[test]
fn what_was_stale_is_still_as_stale() {
    require_fuse!();
    for end in ENDS {
        let rules = "[[rule]]\nname = \"once\"\nselect = { path = \"a\" }\n[rule.fault.corrupt]\n\
            content = \"stale\"\nat = [{ byte = 0 }]\n\
            [[rule]]\nname = \"always\"\nselect = { path = \"b\" }\n[rule.fault.corrupt]\n\
            content = \"stale\"\nrate = 1.0\npersistence = \"permanent\"\n";
        let files = Backing::new().with("a", &[1; 8_192]).with("b", &[1; 8_192]);
        let kept = Remembering::new(files, rules);
        let mut mount = kept.mount();
        let first = |mount: &Mount| {
            let of = |name| fs::read(mount.join(name)).unwrap();
            (of("a")[0], of("b")[0], of("b")[8_191])
        };
        for (byte, len, wanted) in [
            (2, 4_096, (1, 1, 1)),
            (3, 8_192, (3, 2, 1)),
            (0, 4_096, (0, 3, 1)),
            (4, 4_096, (4, 0, 1)),
        ] {
            for name in ["a", "b"] {
                write_at(&mount.join(name), 0, &vec![byte; len]).unwrap();
            }
            assert_eq!(first(&mount), wanted, "{byte}");
            mount = kept.again(mount, end);
            assert_eq!(first(&mount), wanted, "{end:?} {byte}");
        }
        let file = fs::File::options().write(true).open(mount.join("b")).unwrap();
        file.set_len(100).unwrap();
        file.set_len(8_192).unwrap();
        drop(file);
        let mount = kept.again(mount, end);
        let seen = fs::read(mount.join("b")).unwrap();
        assert!(seen[..100] == [0; 100] && seen[100..] == [0; 8_092], "{end:?}: cut off");
    }
}

/// "What is left of a limit of `space` is what the files that are there then leave."
#[test]
fn the_room_that_is_left_is_what_the_files_leave() {
    require_fuse!();
    for end in ENDS {
        let rule =
            "[[rule]]\nname = \"small\"\n[rule.fault.space]\ncapacity = \"64KiB\"\ninodes = 8\n";
        let kept = Remembering::new(Backing::new().with("a", &[1; 10_000]), rule);
        let mount = kept.mount();
        let left = |mount: &Mount| {
            let told = rustix::fs::statvfs(mount.path()).unwrap();
            (told.f_bavail * told.f_frsize, told.f_favail)
        };
        fs::write(mount.join("b"), [2; 20_000]).unwrap();
        fs::write(mount.join("gone"), [2; 8_000]).unwrap();
        fs::remove_file(mount.join("gone")).unwrap();
        let before = left(&mount);
        assert_eq!(before, (65_536 - 12_288 - 20_480, 5));
        let mount = kept.again(mount, end);
        assert_eq!(left(&mount), before, "{end:?}");
    }
}
