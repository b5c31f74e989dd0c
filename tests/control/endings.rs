//! Whoever goes, and whatever goes wrong: no dead mount stays, and no fault is unlogged.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use errorfs::ledger::Outcome;
use rustix::process::Signal;

use super::*;

/// A flipped bit at every read of `file`, each in the ledger.
const RULE: &str = "version = 1\n[[rule]]\nname = \"counted\"\nselect = { path = \"file\" }\n\
    [rule.fault.bit_flip]\nat = [{ byte = 5, bit = 0 }]\npersistence = \"transient\"\n";

/// Reads one byte over and over until that fails, and counts where a kill loses nothing: how often it
/// read, and how often it got the flipped bit.
const WITNESS: &str = "import mmap, os, struct, sys\n\
    counts = mmap.mmap(os.open(sys.argv[2], os.O_RDWR), 16)\n\
    fd, reads, wrong = os.open(sys.argv[1], os.O_RDONLY), 0, 0\n\
    while True:\n\
    \x20   byte = os.pread(fd, 1, 5)\n\
    \x20   reads, wrong = reads + 1, wrong + byte[0]\n\
    \x20   struct.pack_into('<QQ', counts, 0, reads, wrong)\n";

/// A target that reads, the mount, and its ledger.
struct Scene {
    backing: Backing,
    files: Backing,
    ledger: PathBuf,
    mount: Mount,
    target: Child,
}

impl Scene {
    /// With the ledger in this directory, or one of its own.
    fn new(ledger: Option<&Path>) -> Scene {
        let files = Backing::new().with("s.toml", RULE.as_bytes()).with("counts", &[0; 16]);
        let ledger = ledger.unwrap_or(files.path()).join("ledger");
        let backing = zeros();
        let mount = Mount::new(backing.path())
            .args(["--scenario".into(), files.join("s.toml").into_os_string()])
            .args(["--ledger".into(), ledger.clone().into_os_string()])
            .args(["--seed", "1"])
            .start();
        let mut target = Command::new("python3");
        target.args(["-c", WITNESS]).arg(mount.join("file")).arg(files.join("counts"));
        let target = target.stderr(Stdio::null()).spawn().unwrap();
        let scene = Scene { backing, files, ledger, mount, target };
        scene.reads_on();
        scene
    }

    /// How often it read, and how often it got the flipped bit.
    fn counts(&self) -> (u64, u64) {
        let bytes = std::fs::read(self.files.join("counts")).unwrap();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        (number(0), number(8))
    }

    fn reads_on(&self) {
        let (before, _) = self.counts();
        wait_until("the target reads on", LONG, || self.counts().0 > before + 20);
    }

    fn end_target(&mut self) {
        self.target.kill().unwrap();
        self.target.wait().unwrap();
    }

    /// What it got stands in the ledger: at most the last read was not known to it any more.
    fn assert_logged(&self) {
        let ledger = errorfs::ledger::read(&self.ledger).unwrap();
        let delivered = |event: &&errorfs::ledger::Event| event.outcome == Outcome::Delivered;
        let logged = ledger.events.iter().filter(delivered).count() as u64;
        let (_, wrong) = self.counts();
        assert!(wrong > 0 && (wrong..=wrong + 1).contains(&logged), "{logged} logged, {wrong} got");
        assert_eq!(
            std::fs::read(self.backing.join("file")).unwrap_or(vec![0; 20_000]),
            [0; 20_000]
        );
    }

    fn assert_gone(&mut self) {
        let mount = &self.mount;
        wait_until("the mount is gone", LONG, || !mount.is_mounted());
        assert_eq!(std::fs::read_dir(self.mount.path()).unwrap().count(), 0, "no dead mountpoint");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.target.kill();
        let _ = self.target.wait();
    }
}

#[test]
fn a_controller_that_is_killed_leaves_a_mount_that_others_control() {
    require_fuse!();
    let mut scene = Scene::new(None);
    let socket = find(Some(scene.mount.path())).unwrap();
    let mut follower = Command::new(ERRORFS);
    follower.args(["events", "--follow", "--socket"]).arg(&socket).stdout(Stdio::null());
    let mut follower = follower.spawn().unwrap();
    let mut half = UnixStream::connect(&socket).unwrap();
    half.write_all(b"PUT /v1/scenario HTTP/1.1\r\ncontent-length: 99\r\n\r\nversion").unwrap();
    scene.reads_on();
    follower.kill().unwrap();
    follower.wait().unwrap();
    drop(half);
    let api = Api::of(&scene.mount);
    assert_eq!(api.generation(), 1, "half a request changes nothing");
    api.post("/v1/disarm");
    let (_, wrong) = scene.counts();
    scene.reads_on();
    assert!(scene.counts().1 <= wrong + 1, "it got flipped bits after the answer");
    scene.end_target();
    scene.assert_logged();
    scene.mount.stop();
}

#[test]
fn errorfs_that_is_killed_leaves_no_mount_and_every_fault_logged() {
    require_fuse!();
    let mut scene = Scene::new(None);
    scene.mount.signal(Signal::KILL);
    scene.mount.wait();
    scene.target.wait().unwrap();
    scene.assert_gone();
    scene.assert_logged();
}

#[test]
fn a_target_that_is_killed_leaves_a_mount_for_the_next() {
    require_fuse!();
    let mut scene = Scene::new(None);
    scene.end_target();
    scene.assert_logged();
    assert_eq!(rotten(&scene.mount), 1);
    scene.mount.stop();
}

#[test]
fn a_mount_that_is_taken_away_lazily_ends_with_its_last_user() {
    require_fuse!();
    require_root!();
    let mut scene = Scene::new(None);
    Program::new("umount").arg("--lazy").arg(scene.mount.path()).succeed();
    scene.reads_on();
    scene.end_target();
    assert!(scene.mount.wait().success(), "{}", scene.mount.said());
    scene.assert_gone();
    scene.assert_logged();
}

#[test]
fn a_backing_directory_that_is_removed_leaves_a_mount_that_ends_in_order() {
    require_fuse!();
    let mut scene = Scene::new(None);
    std::fs::remove_dir_all(scene.backing.path()).unwrap();
    scene.reads_on();
    std::fs::read(scene.mount.join("file")).unwrap_err();
    assert_eq!(Api::of(&scene.mount).get("/v1/status")["armed"], true);
    scene.end_target();
    scene.mount.stop();
    scene.assert_logged();
}

#[test]
fn a_full_disk_below_the_ledger_ends_injection_and_nothing_else() {
    require_fuse!();
    require_root!();
    let small = Small::new(64 << 10);
    let mut scene = Scene::new(Some(small.path()));
    let api = Api::of(&scene.mount);
    wait_until("the ledger is full", LONG, || api.get("/v1/status")["ledger_failed"] == true);
    let (_, wrong) = scene.counts();
    scene.reads_on();
    assert!(scene.counts().1 <= wrong + 1, "what is not logged does not happen");
    assert_eq!(api.ask("POST", "/v1/reset", None).status, 503);
    api.post("/v1/disarm");
    scene.end_target();
    scene.assert_logged();
    scene.mount.signal(Signal::TERM);
    assert_eq!(scene.mount.wait().code(), Some(75), "{}", scene.mount.said());
    scene.assert_gone();
}
