//! A drill changes nothing and leaves nothing: no mount, no process, no file, however it ends.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::*;

/// Writes wherever it can, and reads everything.
const WRITES: &str = "set -e; cd $1; cat data copy >/dev/null; echo junk >>data; rm copy; mkdir d; \
    mv SUMS d; chmod 600 data; touch new; ln new newer; ls; tail -n 1 data";

fn writes(backing: &Backing, more: &[&str]) {
    let before = tree_hash(backing.path());
    let report = report(backing, &[&["--trials", "6"], more].concat(), WRITES);
    assert_eq!(verdicts(&report).concat(), "benign", "{report:#}");
    assert_eq!(tree_hash(backing.path()), before, "the directory was changed");
}

#[test]
fn what_the_command_writes_is_gone_with_it() {
    require_fuse!();
    // Of two copies of one file: the trials see their own, and never what others wrote.
    let backing = lines();
    let status = |more: &[&str]| writes(&backing, more);
    status(&["--path", "data", "--detect", "exit = 99"]);
    status(&["--path", "data", "--detect", "exit = 99", "--copy"]);
}

#[test]
fn run_leaves_the_directory_as_it_is_if_asked() {
    require_fuse!();
    let backing = lines();
    let before = tree_hash(backing.path());
    let run = Program::errorfs("run").arg("--discard-writes").arg("--on").arg(backing.path());
    let ended = run.args(["--", "sh", "-c", WRITES, "sh"]).arg(backing.path()).succeed();
    assert_eq!(ended.stdout, "d\ndata\nnew\nnewer\njunk\n", "{ended}");
    assert_eq!(tree_hash(backing.path()), before, "the directory was changed");
}

#[test]
fn an_ordinary_user_drills_without_privileges() {
    require_fuse!();
    require_root!();
    let files = Backing::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(files.path(), open).unwrap();
    let make = "mkdir data tmp; cd data; seq 1000 > n; sha256sum n > SUMS";
    Program::new("sh").args(["-c", make]).directory(files.path()).user(65534).succeed();
    let before = tree_hash(&files.join("data"));
    for more in [&[][..], &["--copy"]] {
        let program = Program::errorfs("drill").args(["--seed", "7", "--trials", "4"]).args(more);
        let program =
            program.args(["--path", "n"]).arg(files.join("data")).args(["--", "sh", "-c"]);
        let script = "cd $1 && echo x >>SUMS && sed -i '$d' SUMS && sha256sum -c --quiet SUMS";
        let program = program.args([script, "sh", "{mnt}"]).env("TMPDIR", files.join("tmp"));
        let ended = program.directory(files.path()).user(65534).run();
        if ended.stderr.contains("no private namespace") || ended.stderr.contains("/dev/fuse") {
            return skipped(&format!("ordinary users may not do it here: {}", ended.stderr));
        }
        ended.expect_status(0).expect_said("4 of 4 noticed");
    }
    assert_eq!(tree_hash(&files.join("data")), before);
    assert_eq!(std::fs::read_dir(files.join("tmp")).unwrap().count(), 0);
}

/// Processes that were given this place for their files, by their environment.
fn processes(tmp: &Backing) -> Vec<String> {
    let mark = format!("TMPDIR={}\0", tmp.path().display());
    let marked = |pid: &String| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let pids = entries.filter_map(|name| name.into_string().ok());
    pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(marked).collect()
}

fn nothing_is_left(tmp: &Backing) {
    let place = tmp.path().to_str().unwrap().to_owned();
    wait_until("nothing is left", Duration::from_secs(20), || {
        let files = std::fs::read_dir(tmp.path()).unwrap().count();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        files == 0 && processes(tmp).is_empty() && !mounts.contains(&place)
    });
}

#[test]
fn after_fifty_trials_nothing_is_left() {
    require_fuse!();
    let (backing, tmp) = (lines(), Backing::new());
    let before = tree_hash(backing.path());
    let script = "setsid sleep 1000 & mkdir -p $1/ro/a; chmod 500 $1/ro; mkdir -p $2/ro/a; \
        chmod 500 $2/ro; cd $1; sha256sum -c --quiet SUMS";
    let program =
        Program::errorfs("drill").args(["--seed", "7", "--trials", "50", "--path", "data"]);
    let program = program.arg(backing.path()).env("TMPDIR", tmp.path());
    let program = program.args(["--", "sh", "-c", script, "sh", "{mnt}", "{tmp}"]);
    program.succeed().expect_said("50 of 50 noticed (at least 94.1 % at 95 % confidence)");
    assert_eq!(tree_hash(backing.path()), before);
    nothing_is_left(&tmp);
}

/// A drill that would take long, in the middle of its trials.
fn in_the_middle(backing: &Backing, tmp: &Backing) -> Child {
    let mut command = Command::new(ERRORFS);
    command.args(["drill", "--seed", "7", "--trials", "1000", "--path", "data"]);
    command.arg(backing.path()).env("TMPDIR", tmp.path()).process_group(0);
    let script = "cat $1/data >/dev/null; setsid sleep 0.3 & sleep 0.3";
    command.args(["--", "sh", "-c", script, "sh", "{mnt}"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("some trials are done", Duration::from_secs(20), || {
        let scratch = std::fs::read_dir(tmp.path()).unwrap().next();
        scratch.is_some_and(|entry| {
            let names = std::fs::read_dir(entry.unwrap().path()).into_iter().flatten();
            let numbers = names.filter_map(|name| {
                name.ok()?.file_name().to_str()?.strip_prefix("trial-")?.parse::<u32>().ok()
            });
            numbers.max().is_some_and(|number| number >= 3)
        })
    });
    let running = || processes(tmp).len() > 3;
    wait_until("it runs something", Duration::from_secs(20), running);
    child
}

#[test]
fn who_is_asked_to_end_says_what_was_found_and_leaves_nothing() {
    require_fuse!();
    let (backing, tmp) = (lines(), Backing::new());
    let before = tree_hash(backing.path());
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut child = in_the_middle(&backing, &tmp);
        let pid = Pid::from_child(&child);
        // Ctrl-C is for the whole group.
        let sent = match signal {
            Signal::INT => kill_process_group(pid, signal),
            _ => kill_process(pid, signal),
        };
        sent.unwrap();
        let status = wait_or_kill(&mut child, Duration::from_secs(20));
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(status.code(), Some(75), "{said}");
        assert!(said.contains("of 1000 trials, seed 7, interrupted"), "{said}");
        assert!(said.contains("benign"), "{said}");
        nothing_is_left(&tmp);
    }
    assert_eq!(tree_hash(backing.path()), before);
}

#[test]
fn who_is_killed_leaves_nothing_either() {
    require_fuse!();
    let (backing, tmp) = (lines(), Backing::new());
    let before = tree_hash(backing.path());
    for whole_group in [false, true] {
        let mut child = in_the_middle(&backing, &tmp);
        let pid = Pid::from_child(&child);
        match whole_group {
            true => kill_process_group(pid, Signal::KILL).unwrap(),
            false => kill_process(pid, Signal::KILL).unwrap(),
        }
        child.wait().unwrap();
        nothing_is_left(&tmp);
    }
    assert_eq!(tree_hash(backing.path()), before);
}
