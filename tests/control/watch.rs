//! `--watch`: scenario files that change are loaded anew.

use std::fs::{File, create_dir, remove_dir_all, rename, write};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;

fn watched(backing: &Backing, file: &Path) -> Mount {
    watching(backing, file).start()
}

fn watching(backing: &Backing, file: &Path) -> Setup {
    let ledger = file.parent().unwrap().parent().unwrap().join("ledger");
    Mount::new(backing.path())
        .args(["--watch".into(), "--scenario".into(), file.as_os_str().to_owned()])
        .args(["--seed".into(), "1".into(), "--ledger".into(), ledger.into_os_string()])
}

/// Zeros, and a directory in which a scenario file has [`ROT`].
fn rotting() -> (Backing, Backing, PathBuf) {
    let files = Backing::new();
    create_dir(files.join("d")).unwrap();
    let file = files.join("d/s.toml");
    write(&file, scenario(ROT)).unwrap();
    (zeros(), files, file)
}

fn generation_is(mount: &Mount, generation: u64) {
    let said = || format!("reloaded: generation {generation}");
    wait_until(&said(), LONG, || mount.said().contains(&said()));
    assert_eq!(Api::of(mount).generation(), generation);
}

fn scenario(rules: &str) -> String {
    format!("version = 1\n{rules}")
}

#[test]
fn files_that_are_written_or_replaced_are_loaded_and_bad_ones_are_told() {
    require_fuse!();
    let (backing, files, file) = rotting();
    let mut mount = watched(&backing, &file);
    assert_eq!(rotten(&mount), 1);
    write(&file, scenario(FAILS)).unwrap();
    generation_is(&mount, 2);
    assert_eq!(rotten(&mount), 0);
    write(files.join("d/.s.toml.swp"), scenario(ROT)).unwrap();
    rename(files.join("d/.s.toml.swp"), &file).unwrap();
    generation_is(&mount, 3);
    assert_eq!(rotten(&mount), 1);
    write(&file, scenario(&ROT.replace("bit_flip", "bit_flop"))).unwrap();
    wait_until("the mistake is told", LONG, || mount.said().contains("what was loaded stays"));
    assert!(mount.said().contains("line 5: error["), "{}", mount.said());
    assert_eq!((rotten(&mount), Api::of(&mount).generation()), (1, 3));
    let failed = || Api::of(&mount).get("/v1/status")["reload_failed"].clone();
    assert_eq!(failed()["file"], file.to_str().unwrap());
    assert!(failed()["problem"].as_str().unwrap().starts_with("line 5: error["), "{}", failed());
    assert!(failed()["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let status = || Program::errorfs("status").arg(mount.path()).succeed();
    status().expect_said(&format!("failed: {}: line 5: error[", file.display()));
    std::fs::remove_file(&file).unwrap();
    wait_until("it is gone", LONG, || mount.said().contains("cannot be read"));
    write(&file, scenario(FAILS)).unwrap();
    generation_is(&mount, 4);
    assert_eq!(failed(), Value::Null);
    assert!(!status().stdout.contains("failed"));
    mount.stop();
}

/// As kubelet changes a volume of a ConfigMap: `s.toml` is a link to `..data/s.toml`, and `..data` is
/// replaced.
#[test]
fn a_configmap_of_kubernetes_is_loaded_when_its_data_are_replaced() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    let volume = files.join("volume");
    create_dir(&volume).unwrap();
    let put = |name: &str, rules: &str| {
        create_dir(volume.join(name)).unwrap();
        write(volume.join(name).join("s.toml"), scenario(rules)).unwrap();
        symlink(name, volume.join("..data_tmp")).unwrap();
        rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    put("..2026_1", ROT);
    symlink("..data/s.toml", volume.join("s.toml")).unwrap();
    let mut mount = watched(&backing, &volume.join("s.toml"));
    assert_eq!(rotten(&mount), 1);
    put("..2026_2", FAILS);
    remove_dir_all(volume.join("..2026_1")).unwrap();
    generation_is(&mount, 2);
    assert_eq!(rotten(&mount), 0);
    mount.stop();
}

#[test]
fn a_storm_of_writes_is_few_reloads_and_the_same_content_is_none() {
    require_fuse!();
    let (backing, files, file) = rotting();
    let mut mount = watched(&backing, &file);
    for _ in 0..200 {
        write(&file, scenario(ROT)).unwrap();
        write(files.join("d/other"), "x").unwrap();
    }
    for number in 0..200 {
        write(&file, format!("{}# {number}\n", scenario(FAILS))).unwrap();
    }
    wait_until("the last is loaded", LONG, || rotten(&mount) == 0);
    let generation = Api::of(&mount).generation();
    assert!((2..30).contains(&generation), "{generation} plans");
    mount.stop();
}

/// Of [`ROT`], with another bit.
fn other_rot() -> String {
    ROT.replace("bit = 0", "bit = 1")
}

const STAYS: &str = "everything was disarmed and stays so";

#[test]
fn what_is_disarmed_no_file_arms_that_changes() {
    require_fuse!();
    let (backing, _files, file) = rotting();
    let mut mount = watching(&backing, &file).args(["--disarmed"]).start();
    write(&file, scenario(&other_rot())).unwrap();
    generation_is(&mount, 2);
    wait_until("it says so", LONG, || mount.said().contains(STAYS));
    assert_eq!(rotten(&mount), 0);
    // A fault that was asked for by itself, and no rule at all, change nothing about it.
    let shot = json!({ "path": "other", "errno": "EIO" });
    Api::of(&mount).change("POST", "/v1/inject", Some(&shot));
    write(&file, scenario("")).unwrap();
    generation_is(&mount, 4);
    write(&file, scenario(ROT)).unwrap();
    generation_is(&mount, 5);
    assert_eq!(rotten(&mount), 0);
    Api::of(&mount).post("/v1/arm");
    assert_eq!(rotten(&mount), 1);
    write(&file, scenario(&other_rot())).unwrap();
    generation_is(&mount, 7);
    assert_eq!(rotten(&mount), 2, "what is armed is armed anew");
    mount.stop();
}

#[test]
fn when_the_time_is_over_it_is_over_for_files_that_change_then() {
    require_fuse!();
    let (backing, _files, file) = rotting();
    let mut mount = watching(&backing, &file).args(["--for", "100ms"]).start();
    wait_until("the time is over", LONG, || mount.said().contains("the time is over"));
    write(&file, scenario(&other_rot())).unwrap();
    generation_is(&mount, 3);
    assert_eq!(rotten(&mount), 0);
    wait_until("it says so", LONG, || mount.said().contains(STAYS));
    mount.stop();
}

/// Half of it is a rule about everything: it would be read and armed at every look.
#[test]
fn what_is_being_written_is_loaded_when_it_is_closed() {
    require_fuse!();
    let (backing, _files, file) = rotting();
    let mut mount = watched(&backing, &file);
    let mut written = File::create(&file).unwrap();
    let half = "[[rule]]\nname = \"fails\"\n[rule.fault.error]\nerrno = \"EIO\"\n";
    written.write_all(scenario(half).as_bytes()).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        assert_eq!(read_at(&mount.join("other"), 0, 1).unwrap(), [0], "{}", mount.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(Api::of(&mount).generation(), 1, "{}", mount.said());
    written.write_all(b"[rule.select]\npath = \"file\"\n").unwrap();
    drop(written);
    generation_is(&mount, 2);
    assert_eq!(read_at(&mount.join("other"), 0, 1).unwrap(), [0]);
    assert!(read_at(&mount.join("file"), 0, 1).is_err());
    mount.stop();
}

/// How often the thread that watches has waited so far.
fn waits(mount: &Mount) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", mount.pid())).unwrap();
    let mut tasks = tasks.map(|task| task.unwrap().path());
    let is_it = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "watch\n")
    };
    let status = std::fs::read_to_string(tasks.find(is_it).unwrap().join("status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[test]
fn a_storm_of_writes_to_another_file_does_not_wake_the_watch_each_time() {
    require_fuse!();
    let (backing, files, file) = rotting();
    let mut mount = watched(&backing, &file);
    let (before, start) = (waits(&mount), Instant::now());
    let mut other = File::create(files.join("d/other")).unwrap();
    let mut writes = 0;
    while start.elapsed() < Duration::from_secs(1) {
        other.write_all(b"x").unwrap();
        writes += 1;
    }
    let woken = u128::from(waits(&mount) - before);
    // Some while it takes note of what has happened: it shares a lock with whoever writes.
    let bound = (20 + start.elapsed().as_millis() / 20).max(writes / 10);
    assert!(woken < bound, "{woken} times in {writes} writes");
    mount.stop();
}

/// A link that comes to lead through the mount is not followed: errorfs would wait for itself.
#[test]
fn nothing_is_read_through_the_mount_itself() {
    require_fuse!();
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { ops = [\"read\", \"lookup\"] }\n\
                 [rule.fault.stall]\n";
    let (backing, files) = (zeros().with("s.toml", scenario(ROT).as_bytes()), Backing::new());
    create_dir(files.join("d")).unwrap();
    let file = files.join("d/s.toml");
    write(&file, scenario(hangs)).unwrap();
    let mut mount = watched(&backing, &file);
    symlink(mount.join("s.toml"), files.join("d/link")).unwrap();
    rename(files.join("d/link"), &file).unwrap();
    wait_until("it is refused", LONG, || mount.said().contains("leads through the mount itself"));
    Api::of(&mount).post("/v1/disarm");
    assert_eq!(std::fs::read(mount.join("file")).unwrap(), [0; 20_000]);
    mount.stop();
}

#[test]
fn a_file_of_the_directory_that_is_mounted_in_place_is_watched_past_the_mount() {
    require_fuse!();
    for how in ["> s.new && mv s.new s.toml", "> s.toml"] {
        changes_in_place(how);
    }
}

fn changes_in_place(how: &str) {
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { path = \"s.toml\", ops = [\"read\"] }\n\
                 [rule.fault.stall]\n";
    let (backing, files) = (zeros().with("s.toml", scenario(hangs).as_bytes()), Backing::new());
    let script = format!(
        "printf 'version = 1\\n' {how}; for n in $(seq 200); do \
         {ERRORFS} status | grep -q 'generation 2' && exit 0; sleep 0.1; done; exit 9"
    );
    let run = Program::errorfs("run").arg("--watch").arg("--scenario").arg(backing.join("s.toml"));
    let run = run.arg("--ledger").arg(files.join("ledger")).arg("--on").arg(backing.path());
    let run = run.args(["--", "sh", "-c", &script]).directory(backing.path()).within(LONG * 3);
    run.run().expect_status(0).expect_said("reloaded: generation 2");
}
