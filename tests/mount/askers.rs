//! Rules for some who ask, and not for others.

use std::fs;

use crate::support::*;

fn wrong(select: &str) -> String {
    format!(
        "[[rule]]\nname = \"r\"\nselect = {{ path = \"file\", {select} }}\n[rule.fault.bit_flip]\n\
         at = [{{ byte = 5, bit = 0 }}]\n"
    )
}

/// What a program reads there.
fn read_by(program: Program, mount: &Mount) -> String {
    let ended = program.args(["-An", "-tu1", "-j5", "-N1"]).arg(mount.join("file")).succeed();
    ended.stdout.trim().to_owned()
}

/// "A rule with one of these looks at what they ask for, and at nothing else: also sticky damage is
/// seen by them alone, and the files that it selects are opened without the page cache, which tells
/// nobody who reads."
#[test]
fn damage_is_seen_by_those_who_are_selected_and_by_nobody_else() {
    require_fuse!();
    require_root!();
    let od = || Program::new("od");
    let other = || od().user(65_534);
    for (select, root, nobody) in [
        ("uid = 0", "1", "0"),
        ("gid = [65534]", "0", "1"),
        ("uid = 0, gid = 65534", "0", "0"),
        ("comm = \"od\"", "1", "1"),
        ("comm = [\"cat\", \"dd\"]", "0", "0"),
        ("cgroup = \"/\"", "1", "1"),
        ("cgroup = \"/nobody/is/here\"", "0", "0"),
    ] {
        let backing = Backing::new().with("file", &[0; 9000]);
        open_to_all(backing.path());
        let setup = Mount::new(backing.path()).args(["--allow-other"]);
        let mut mount = setup.scenario(&wrong(select)).seed(1).start();
        for _ in 0..2 {
            let seen = (read_by(od(), &mount), read_by(other(), &mount));
            assert_eq!((&*seen.0, &*seen.1), (root, nobody), "{select}");
        }
        let events = mount.delivered();
        assert!(events.iter().all(|event| event.fault == "bit_flip"), "{events:?}");
        mount.stop();
    }
}

/// A process and its children; not those who are not of it. "**Who asks**: `uid` and `gid` are
/// those that the kernel checks permissions by; `pid` is a process or one that it descends from, at
/// that moment; `comm` is the name of the thread or of its process, as `ps` shows it; `cgroup` is a
/// group of version 2, or one in it."
#[test]
fn a_process_is_selected_with_all_that_descend_from_it() {
    require_fuse!();
    let own = std::process::id();
    for (pid, mine) in [(own, 1), (1, 1), (4_000_000, 0)] {
        let backing = Backing::new().with("file", &[0; 9000]);
        let text = wrong(&format!("pid = {pid}"));
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
        assert_eq!(fs::read(mount.join("file")).unwrap()[5], mine, "{pid}");
        let below = Program::new("sh").args(["-c", "od -An -tu1 -j5 -N1 \"$0\"; true"]);
        let below = below.arg(mount.join("file")).succeed().stdout;
        assert_eq!(below.trim(), mine.to_string(), "{pid}");
        mount.stop();
    }
}

/// Counted by themselves: what others ask for is no occurrence.
#[test]
fn what_others_ask_for_is_no_occurrence() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 10]);
    let text = "[[rule]]\nname = \"r\"\nselect = { path = \"file\", ops = [\"read\"], comm = \"dd\" }\n\
                when = { nth = 2 }\n[rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let dd = || {
        let input = format!("if={}", mount.join("file").display());
        Program::new("dd").args([&*input, "bs=10", "count=1", "status=none"]).run().status
    };
    assert!(dd().success());
    for _ in 0..3 {
        fs::read(mount.join("file")).unwrap();
    }
    assert!(!dd().success() && dd().success());
    assert_eq!(mount.delivered().len(), 1);
    mount.stop();
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}
