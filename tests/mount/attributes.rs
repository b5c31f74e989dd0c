//! Metadata: modes, times to the nanosecond, extended attributes, sizes, special files.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, Mode, XattrFlags};

use super::{errno, on_both};
use crate::support::Program;

#[test]
fn modes_are_kept_with_their_special_bits() {
    on_both(|root| {
        let path = root.join("file");
        fs::write(&path, "x").unwrap();
        for mode in [0o000, 0o644, 0o755, 0o1777, 0o4755, 0o2750] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
    });
}

#[test]
fn a_new_file_has_the_mode_that_the_umask_leaves() {
    on_both(|root| {
        let script = "umask 027; > $0/file; mkdir $0/dir; mkfifo $0/pipe; stat -c %a $0/*";
        let ended = Program::new("sh").args(["-c", script]).arg(root).succeed();
        assert_eq!(ended.stdout, "750\n640\n640\n");
    });
}

#[test]
fn times_are_kept_to_the_nanosecond() {
    on_both(|root| {
        let path = root.join("file");
        let file = File::create(&path).unwrap();
        let time = UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
        file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.modified().unwrap(), time);
        assert_eq!(metadata.accessed().unwrap(), time);
        let before = metadata.ctime();
        file.set_modified(UNIX_EPOCH).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.accessed().unwrap(), time, "UTIME_OMIT leaves it");
        assert!(metadata.ctime() >= before && metadata.mtime() == 0);
    });
}

#[test]
fn a_write_moves_the_time_of_modification() {
    on_both(|root| {
        let path = root.join("file");
        fs::write(&path, "x").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"y"))
            .unwrap();
        assert!(fs::metadata(&path).unwrap().mtime() > 1_700_000_000);
        assert_eq!(fs::metadata(&path).unwrap().len(), 2);
    });
}

#[test]
fn extended_attributes_are_set_listed_read_and_removed() {
    on_both(|root| {
        let path = root.join("file");
        fs::write(&path, "x").unwrap();
        let value = vec![7; 3000];
        rustix::fs::setxattr(&path, "user.one", &value, XattrFlags::CREATE).unwrap();
        rustix::fs::setxattr(&path, "user.empty", b"", XattrFlags::empty()).unwrap();
        let again = rustix::fs::setxattr(&path, "user.one", b"", XattrFlags::CREATE);
        assert_eq!(again, Err(rustix::io::Errno::EXIST));
        let mut small = [0; 10];
        let short = rustix::fs::getxattr(&path, "user.one", &mut small[..]);
        assert_eq!(short, Err(rustix::io::Errno::RANGE));
        let mut buffer = vec![0; 4000];
        assert_eq!(rustix::fs::getxattr(&path, "user.one", &mut buffer[..]), Ok(3000));
        assert_eq!(rustix::fs::getxattr(&path, "user.empty", &mut buffer[..]), Ok(0));
        let none = rustix::fs::getxattr(&path, "user.none", &mut buffer[..]);
        assert_eq!(none, Err(rustix::io::Errno::NODATA));
        let len = rustix::fs::listxattr(&path, &mut buffer[..]).unwrap();
        assert!(buffer[..len].starts_with(b"user."));
        rustix::fs::removexattr(&path, "user.one").unwrap();
        assert_eq!(rustix::fs::listxattr(&path, &mut buffer[..]), Ok("user.empty\0".len()));
    });
}

#[test]
fn access_control_lists_are_kept_and_obeyed() {
    on_both(|root| {
        fs::write(root.join("file"), "x").unwrap();
        let script = "setfacl -m u:12345:r $0/file && getfacl -pcn $0/file && stat -c %a $0/file";
        let ended = Program::new("sh").args(["-c", script]).arg(root).succeed();
        ended.expect_said("user:12345:r--").expect_said("644");
    });
}

#[test]
fn special_files_are_what_they_are() {
    on_both(|root| {
        let mode = Mode::from_raw_mode(0o600);
        let node =
            |name, kind, device| rustix::fs::mknodat(CWD, root.join(name), kind, mode, device);
        node("pipe", rustix::fs::FileType::Fifo, 0).unwrap();
        assert!(fs::metadata(root.join("pipe")).unwrap().file_type().is_fifo());
        let _socket = std::os::unix::net::UnixListener::bind(root.join("s")).unwrap();
        assert!(fs::metadata(root.join("s")).unwrap().file_type().is_socket());
        if rustix::process::geteuid().is_root() {
            let device = rustix::fs::makedev(259, 70_000);
            node("disk", rustix::fs::FileType::BlockDevice, device).unwrap();
            assert_eq!(fs::metadata(root.join("disk")).unwrap().rdev(), device);
        }
    });
}

#[test]
fn the_free_space_is_that_of_the_backing_directory() {
    on_both(|root| {
        let parent = rustix::fs::statvfs(std::env::temp_dir()).unwrap();
        let here = rustix::fs::statvfs(root).unwrap();
        assert_eq!(here.f_blocks * here.f_frsize, parent.f_blocks * parent.f_frsize);
        assert_eq!(here.f_namemax, parent.f_namemax);
    });
}

#[test]
fn a_file_that_is_run_is_run_and_not_written() {
    on_both(|root| {
        // By another process: a descriptor of ours could be inherited by a test's child meanwhile.
        let copy = "cp /bin/true /bin/sleep $0 && exec $0/true";
        Program::new("sh").args(["-c", copy]).arg(root).succeed();
        let mut running = std::process::Command::new(root.join("sleep")).arg("5").spawn().unwrap();
        let busy = errno(fs::OpenOptions::new().write(true).open(root.join("sleep")));
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(busy, Some(libc::ETXTBSY));
    });
}
