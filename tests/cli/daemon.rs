//! `errorfs mount --daemon`, and what systemd is told.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::{errorfs, is_mounted, output, text};
use crate::support::{Backing, Mount, can_mount, wait_until};

/// A directory to mount on, unmounted at the end whatever a test did there.
struct Mountpoint {
    scratch: tempfile::TempDir,
    path: PathBuf,
}

impl Mountpoint {
    fn new() -> Mountpoint {
        let scratch = tempfile::Builder::new().prefix("errorfs-test-").tempdir().unwrap();
        let path = scratch.path().canonicalize().unwrap().join("mnt");
        std::fs::create_dir(&path).unwrap();
        Mountpoint { scratch, path }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn unmount(&self) {
        let ended = output(errorfs("umount").arg(&self.path));
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
}

impl Drop for Mountpoint {
    fn drop(&mut self) {
        let _ = output(errorfs("umount").arg("--lazy").arg(&self.path));
    }
}

fn one_bit(mountpoint: &Mountpoint) -> PathBuf {
    let scenario = mountpoint.file("scenario.toml");
    let rule = "[rule.fault.bit_flip]\nat = [{ byte = 3, bit = 0 }]\n";
    let text = format!("version = 1\nseed = 7\n[[rule]]\nname = \"bit\"\n{rule}");
    std::fs::write(&scenario, text).unwrap();
    scenario
}

fn nobody_serves(mountpoint: &Path) -> bool {
    let typed = mountpoint.as_os_str().as_encoded_bytes();
    let serves = |process: std::fs::DirEntry| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.windows(typed.len()).any(|part| part == typed)
    };
    !std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(serves)
}

#[test]
fn a_daemon_is_there_when_its_starter_ends_and_gone_when_it_is_unmounted() {
    assert!(can_mount());
    let (backing, at) = (Backing::new().with("file", b"seven bytes"), Mountpoint::new());
    let log = at.file("log");
    let mut daemon = errorfs("mount");
    daemon.args(["--daemon", "--log-file"]).arg(&log);
    daemon.arg("--scenario").arg(one_bit(&at)).arg("--ledger").arg(at.file("ledger"));
    let started = output(daemon.arg(backing.path()).arg(&at.path));
    assert_eq!(started.status.code(), Some(0), "{started:?}");
    assert!(started.stdout.is_empty(), "{started:?}");
    let said = text(&started.stderr);
    assert!(said.contains("`errorfs umount` ends it"), "{said}");
    assert!(!said.contains("Ctrl-C"), "{said}");
    assert_eq!(std::fs::read(at.path.join("file")).unwrap(), b"sevdn bytes");
    at.unmount();
    assert!(nobody_serves(&at.path));
    let later = std::fs::read_to_string(&log).unwrap();
    assert!(later.contains("bit: 1 event delivered"), "{later}");
}

#[test]
fn umount_returns_when_the_daemon_has_ended_so_that_the_next_is_the_only_one() {
    assert!(can_mount());
    let (backing, at) = (Backing::new().with("file", b"seven bytes"), Mountpoint::new());
    let scenario = one_bit(&at);
    for round in 0..5 {
        let ledger = at.file(&format!("ledger-{round}"));
        let log = at.file(&format!("log-{round}"));
        let mut daemon = errorfs("mount");
        daemon.arg("--daemon").arg("--log-file").arg(&log);
        daemon.arg("--scenario").arg(&scenario).arg("--ledger").arg(&ledger);
        let started = output(daemon.arg(backing.path()).arg(&at.path));
        assert_eq!(started.status.code(), Some(0), "{started:?}");
        let status = output(errorfs("status").arg(&at.path));
        assert_eq!(status.status.code(), Some(0), "{status:?}");
        assert_eq!(std::fs::read(at.path.join("file")).unwrap(), b"sevdn bytes");
        at.unmount();
        assert!(nobody_serves(&at.path), "round {round}");
        assert!(std::fs::read_to_string(&log).unwrap().contains("1 event delivered"));
    }
}

#[test]
fn of_two_that_serve_a_mountpoint_the_one_that_is_seen_there_is_asked() {
    assert!(can_mount());
    let (lower, upper) = (Backing::new(), Backing::new());
    let at = Mountpoint::new();
    for (backing, scenario) in [(&lower, None), (&upper, Some(one_bit(&at)))] {
        let mut daemon = errorfs("mount");
        daemon.arg("--daemon");
        if let Some(scenario) = &scenario {
            daemon.arg("--scenario").arg(scenario).arg("--ledger").arg(at.file("ledger"));
        }
        let started = output(daemon.arg(backing.path()).arg(&at.path));
        assert_eq!(started.status.code(), Some(0), "{started:?}");
    }
    let status = output(errorfs("status").arg(&at.path));
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    assert!(text(&status.stdout).contains("seed 7"), "{status:?}");
    at.unmount();
    let status = output(errorfs("status").arg(&at.path));
    assert!(text(&status.stdout).contains("no rule is loaded"), "{status:?}");
    at.unmount();
    assert!(nobody_serves(&at.path));
}

#[test]
fn umount_waits_only_so_long_for_an_errorfs_that_does_not_end() {
    assert!(can_mount());
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    mount.signal(rustix::process::Signal::STOP);
    let mut umount = errorfs("umount").arg(mount.path()).stderr(Stdio::piped()).spawn().unwrap();
    let gone = || !is_mounted(mount.path());
    wait_until("it is unmounted", Duration::from_secs(10), gone);
    assert!(umount.try_wait().unwrap().is_none(), "it waits");
    let said = std::io::read_to_string(umount.stderr.take().unwrap()).unwrap();
    assert_eq!(umount.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.contains(&format!("process {}", mount.pid())), "{said}");
    mount.signal(rustix::process::Signal::CONT);
    // By itself: told to unmount, it could meet another mount that has its device's number by now.
    assert!(mount.wait().success(), "{}", mount.said());
}

#[test]
fn what_keeps_a_daemon_from_mounting_is_said_and_is_its_starters_status() {
    let (backing, at) = (Backing::new().with("file", b"x"), Mountpoint::new());
    let scenario = at.file("scenario.toml");
    std::fs::write(&scenario, "version = 1\n[[rule]]\nname = \"x\"\n").unwrap();
    let mut daemon = errorfs("mount");
    daemon.arg("--daemon").arg("--scenario").arg(&scenario);
    let refused = output(daemon.arg(backing.path()).arg(&at.path));
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    assert!(text(&refused.stderr).contains("scenario.toml"), "{refused:?}");
    assert!(!is_mounted(&at.path));
    let mut within = errorfs("mount");
    within.args(["--daemon", "--log-file"]).arg(backing.join("log"));
    let refused = output(within.arg(backing.path()).arg(&at.path));
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(!backing.join("log").exists());
    assert!(!is_mounted(&at.path));
}

#[test]
fn a_daemon_whose_starter_was_killed_leaves_no_mount() {
    assert!(can_mount());
    let (backing, at) = (Backing::new().with("file", b"x"), Mountpoint::new());
    // The daemon itself, and nobody who waits for what it has to tell.
    let mut daemon = errorfs("mount");
    daemon.args(["--daemon", "--detached"]).arg(backing.path()).arg(&at.path);
    let mut child = daemon.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75), "{said}");
    assert!(said.contains("whoever started this daemon is gone"), "{said}");
    assert!(!is_mounted(&at.path));
}

#[test]
fn systemd_is_told_when_the_mount_answers_and_when_it_ends() {
    let (backing, scratch) = (Backing::new(), tempfile::tempdir().unwrap());
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let heard = || {
        let mut message = [0; 256];
        let len = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..len]).into_owned()
    };
    let mut mount = Mount::new(backing.path()).env("NOTIFY_SOCKET", &path).start();
    let ready = heard();
    assert!(ready.contains("READY=1\n"), "{ready}");
    assert!(ready.contains(&format!("MAINPID={}", mount.pid())), "{ready}");
    mount.stop();
    assert!(heard().contains("STOPPING=1"));
}

#[test]
fn the_unit_of_systemd_is_one_that_systemd_takes() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd/errorfs@.service");
    let scratch = tempfile::tempdir().unwrap();
    // As it would be installed: the program is looked for.
    let text = std::fs::read_to_string(&unit).unwrap();
    let text = text.replace("/usr/local/bin/errorfs", env!("CARGO_BIN_EXE_errorfs"));
    let installed = scratch.path().join("errorfs@data.service");
    std::fs::write(&installed, text).unwrap();
    let mut verify = std::process::Command::new("systemd-analyze");
    let verified = output(verify.arg("verify").arg("--man=no").arg(&installed));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    assert!(verified.stderr.is_empty(), "{verified:?}");
}
