//! Injected errors: the named operation fails with the named error, as often as the rule says.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use super::errno;
use crate::support::*;

pub(super) type Attempt = fn(&Path) -> std::io::Result<()>;

/// How to make each operation happen in a directory with `file`, `link` and `dir/`.
pub(super) const ATTEMPTS: &[(&str, Attempt)] = &[
    ("lookup", |root| fs::metadata(root.join("file")).map(drop)),
    ("open", |root| File::open(root.join("file")).map(drop)),
    ("read", |root| fs::read(root.join("file")).map(drop)),
    ("write", |root| write_at(&root.join("file"), 0, b"y")),
    ("create", |root| File::create_new(root.join("new")).map(drop)),
    ("fsync", |root| File::open(root.join("file"))?.sync_all()),
    ("fsyncdir", |root| File::open(root.join("dir"))?.sync_all()),
    ("setattr", |root| File::options().write(true).open(root.join("file"))?.set_len(1)),
    ("mkdir", |root| fs::create_dir(root.join("newdir"))),
    ("rmdir", |root| fs::remove_dir(root.join("dir"))),
    ("unlink", |root| fs::remove_file(root.join("file"))),
    ("rename", |root| fs::rename(root.join("file"), root.join("moved"))),
    ("link", |root| fs::hard_link(root.join("file"), root.join("hard"))),
    ("symlink", |root| symlink("x", root.join("newlink"))),
    ("readlink", |root| fs::read_link(root.join("link")).map(drop)),
    ("opendir", |root| fs::read_dir(root.join("dir")).map(drop)),
    ("readdir", |root| fs::read_dir(root)?.try_for_each(|entry| entry.map(drop))),
    ("statfs", |root| Ok(rustix::fs::statfs(root).map(drop)?)),
    ("mknod", |root| {
        Ok(rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )?)
    }),
    ("setxattr", |root| {
        let flags = rustix::fs::XattrFlags::empty();
        Ok(rustix::fs::setxattr(root.join("file"), "user.b", b"v", flags)?)
    }),
    ("getxattr", |root| {
        Ok(rustix::fs::getxattr(root.join("file"), "user.a", &mut [0; 9][..]).map(drop)?)
    }),
    ("listxattr", |root| Ok(rustix::fs::listxattr(root.join("file"), &mut [0; 99][..]).map(drop)?)),
    ("removexattr", |root| Ok(rustix::fs::removexattr(root.join("file"), "user.a")?)),
    ("fallocate", |root| {
        let file = File::options().write(true).open(root.join("file"))?;
        Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, 10)?)
    }),
    ("lseek", |root| {
        let file = File::open(root.join("file"))?;
        Ok(rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(0)).map(drop)?)
    }),
    ("copy_file_range", |root| {
        let (from, to) = (File::open(root.join("file"))?, File::create(root.join("to"))?);
        Ok(rustix::fs::copy_file_range(from, None, to, None, 1).map(drop)?)
    }),
];

pub(super) fn backing() -> Backing {
    let backing = Backing::new().with("file", b"content");
    fs::create_dir(backing.join("dir")).unwrap();
    symlink("file", backing.join("link")).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(backing.join("file"), "user.a", b"v", flags).unwrap();
    backing
}

/// "The backing directory is not asked: a write that fails has written nothing."
#[test]
fn every_operation_fails_once_when_told_and_then_works() {
    require_fuse!();
    for (op, attempt) in ATTEMPTS {
        let backing = backing();
        let text = format!(
            "[[rule]]\nname = \"once\"\nselect = {{ ops = [\"{op}\"] }}\nwhen = {{ times = 1 }}\n\
             [rule.fault.error]\nerrno = \"EDQUOT\"\n"
        );
        let hash = tree_hash(backing.path());
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
        assert_eq!(errno(attempt(mount.path())), Some(libc::EDQUOT), "{op}");
        if *op != "copy_file_range" {
            assert_eq!(tree_hash(backing.path()), hash, "{op} failed and yet did something");
        }
        attempt(mount.path()).unwrap_or_else(|error| panic!("{op}, second time: {error}"));
        let events = mount.delivered();
        assert_eq!(events.len(), 1, "{op}: {events:?}");
        assert_eq!((&*events[0].op, events[0].errno.as_deref()), (*op, Some("EDQUOT")));
        mount.stop();
    }
}

#[test]
fn only_the_third_read_fails() {
    require_fuse!();
    let backing = Backing::new().with_noise("wal/a", 65536).with_noise("other", 4096);
    let text = "[[rule]]\nname = \"third\"\nselect = { path = \"wal/*\", ops = [\"read\"] }\n\
                when = { nth = 3, times = 1 }\n[rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = File::open(mount.join("wal/a")).unwrap();
    let mut bytes = [0; 4096];
    let mut read = |place: u64| errno(file.read_at(&mut bytes, place * 4096));
    let failed: Vec<_> = (0..6).map(&mut read).collect();
    assert_eq!(failed, [None, None, Some(libc::EIO), None, None, None]);
    fs::read(mount.join("other")).unwrap();
    let events = mount.delivered();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].offset, events[0].len, events[0].occurrence), (8192, 4096, Some(3)));
    mount.stop();
}

#[test]
fn every_second_fsync_fails_and_the_bytes_are_there_all_the_same() {
    require_fuse!();
    let backing = Backing::new().with("file", b"");
    let text = "[[rule]]\nname = \"second\"\nselect = { ops = [\"fsync\"] }\n\
                when = { every = 2 }\n[rule.fault.error]\nerrno = \"ENOSPC\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    file.write_all_at(b"written", 0).unwrap();
    let synced: Vec<_> = (0..4).map(|_| errno(file.sync_all())).collect();
    assert_eq!(synced, [None, Some(libc::ENOSPC), None, Some(libc::ENOSPC)]);
    assert_eq!(fs::read(backing.join("file")).unwrap(), b"written");
    mount.stop();
}

/// "close(2) is `flush`; fdatasync(2) is `fsync`."
#[test]
fn an_error_at_close_reaches_the_one_who_closes() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"close\"\nselect = { ops = [\"flush\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let close = "f = os.open(sys.argv[1], os.O_RDONLY)\n\
                 try: os.close(f)\n\
                 except OSError as e: print(errno.errorcode[e.errno])";
    let ended = python(close, [mount.join("file")]).succeed();
    assert_eq!(ended.stdout, "EIO\n");
    mount.stop();
}

/// Rules that select either path concern an operation on two, and the ledger names both.
#[test]
fn an_operation_on_two_paths_is_selected_by_either() {
    require_fuse!();
    for selected in ["from", "to"] {
        let backing = Backing::new().with("from", &[7; 8192]);
        let text = format!(
            "[[rule]]\nname = \"two\"\nselect = {{ path = \"{selected}\", \
             ops = [\"rename\", \"link\", \"copy_file_range\"] }}\n\
             [rule.fault.error]\nerrno = \"EDQUOT\"\n"
        );
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
        let (from, to) = (mount.join("from"), mount.join("to"));
        assert_eq!(super::errno(fs::rename(&from, &to)), Some(libc::EDQUOT));
        assert_eq!(super::errno(fs::hard_link(&from, &to)), Some(libc::EDQUOT));
        let (source, target) = (File::open(&from).unwrap(), File::create(&to).unwrap());
        let copied = rustix::fs::copy_file_range(&source, None, &target, None, 8192);
        assert_eq!(copied.map_err(|errno| errno.raw_os_error()), Err(libc::EDQUOT));
        drop((source, target));
        let paths = |event: &errorfs::ledger::Event| (event.path.clone(), event.to.clone());
        let told: Vec<_> = mount.delivered().iter().map(paths).collect();
        assert_eq!(told, vec![("from".to_owned(), Some("to".to_owned())); 3]);
        mount.stop();
    }
}

/// It was opened for the kernel's cache, which cannot be taken back: that is said, not hidden.
#[test]
fn a_rule_that_a_rename_brings_over_an_open_file_waits_and_is_told() {
    require_fuse!();
    let backing = Backing::new().with("a", b"0123456789");
    let text = "[[rule]]\nname = \"fails\"\nselect = { path = \"b\", ops = [\"read\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let open = File::open(mount.join("a")).unwrap();
    assert_eq!(open.read_at(&mut [0; 4], 0).unwrap(), 4);
    fs::rename(mount.join("a"), mount.join("b")).unwrap();
    assert!(mount.said().contains("b is open: rules that reach it now"), "{}", mount.said());
    drop(open);
    assert_eq!(super::errno(fs::read(mount.join("b"))), Some(libc::EIO));
    mount.stop();
}
