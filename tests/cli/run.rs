//! `errorfs run`: statuses, signals, and that nothing is left behind whatever kills it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{errorfs, eventually, is_mounted, output, text, wait};

/// `errorfs run --on DIR -- sh -c SCRIPT`.
fn run(dir: &Path, script: &str) -> Command {
    let mut command = errorfs("run");
    command.arg("--on").arg(dir);
    command.args(["--", "sh", "-c", script]);
    command
}

fn read_pid(path: &Path) -> Pid {
    let mut pid = None;
    eventually(|| {
        let text = fs::read_to_string(path).unwrap_or_default();
        pid = text.strip_suffix('\n').and_then(|text| text.parse().ok());
        pid.is_some()
    });
    Pid::from_raw(pid.expect("the script wrote its process id")).unwrap()
}

fn is_gone(pid: Pid) -> bool {
    eventually(|| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        test_kill_process(pid).is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
    })
}

/// A command with a grandchild that has left its session and its parents, and writes who it is.
const FAMILY: &str = "setsid sh -c 'echo $$ >../grandchild.tmp; mv ../grandchild.tmp ../grandchild; \
     exec sleep 1000' & echo $$ >../child.tmp; mv ../child.tmp ../child; sleep 1000 & wait";

/// A scratch directory with `data` in it, which is where commands start.
fn scratch() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().canonicalize().unwrap().join("data");
    fs::create_dir(&data).unwrap();
    (dir, data)
}

fn family() -> (tempfile::TempDir, Child, [Pid; 2]) {
    let (dir, data) = scratch();
    let mut command = run(&data, FAMILY);
    let child = command.current_dir(&data).process_group(0).spawn().unwrap();
    let pids = ["child", "grandchild"].map(|name| read_pid(&dir.path().join(name)));
    (dir, child, pids)
}

#[test]
fn the_exit_status_is_the_commands_own() {
    let (_dir, data) = scratch();
    let status = |script: &str| output(&mut run(&data, script)).status.code();
    assert_eq!(status("exit 0"), Some(0));
    assert_eq!(status("exit 42"), Some(42));
    assert_eq!(status("kill -9 $$"), Some(128 + 9));
    assert_eq!(status("kill -15 $$"), Some(128 + 15));
}

#[test]
fn a_command_that_cannot_be_run_or_found_has_the_statuses_of_env() {
    let (_dir, data) = scratch();
    let file = data.join("file");
    fs::write(&file, "").unwrap();
    let run = |program: &Path| {
        let mut command = errorfs("run");
        output(command.arg("--on").arg(&data).arg("--").arg(program))
    };
    let denied = run(&file);
    assert_eq!(denied.status.code(), Some(126), "{denied:?}");
    let missing = run("no-such-program".as_ref());
    assert_eq!(missing.status.code(), Some(127), "{missing:?}");
    assert!(text(&missing.stderr).contains("no-such-program"));
    let own = output(errorfs("run").args(["--on", "/no/such/dir", "--", "true"]));
    assert_eq!(own.status.code(), Some(125), "{own:?}");
}

#[test]
fn the_command_sees_the_mount_at_its_own_path_and_nobody_else_does() {
    let (_dir, data) = scratch();
    let script = "pwd; grep -c \" $(pwd) \" /proc/self/mountinfo; echo new >file";
    let output = output(run(&data, script).current_dir(&data));
    let expected = format!("{}\n1\n", data.display());
    assert_eq!(text(&output.stdout), expected, "{output:?}");
    assert!(!is_mounted(&data));
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "new\n");
}

#[test]
fn standard_streams_are_the_commands() {
    let (_dir, data) = scratch();
    let mut command = run(&data, "cat; echo err >&2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"in").unwrap();
    drop(stdin);
    wait(&mut child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "in");
    assert!(text(&output.stderr).contains("err"));
}

#[test]
fn what_the_command_leaves_running_is_killed_when_it_ends() {
    let (dir, data) = scratch();
    let script = "setsid sleep 1000 & echo $! >../pid; exit 7";
    let output = output(run(&data, script).current_dir(&data));
    assert_eq!(output.status.code(), Some(7));
    assert!(is_gone(read_pid(&dir.path().join("pid"))));
}

#[test]
fn sigkill_of_errorfs_kills_the_command_and_all_its_descendants() {
    let (_dir, mut child, pids) = family();
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    assert!(pids.into_iter().all(is_gone));
    wait(&mut child);
}

#[test]
fn sigkill_of_the_whole_process_group_leaves_nothing_either() {
    let (_dir, mut child, pids) = family();
    let group = Pid::from_child(&child);
    rustix::process::kill_process_group(group, Signal::KILL).unwrap();
    assert!(pids.into_iter().all(is_gone));
    wait(&mut child);
}

#[test]
fn sigkill_of_the_keeper_is_told_and_leaves_nothing() {
    let (_dir, mut child, pids) = family();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let keeper = fs::read_to_string(children).unwrap();
    let keeper = Pid::from_raw(keeper.trim().parse().unwrap()).unwrap();
    kill_process(keeper, Signal::KILL).unwrap();
    assert!(pids.into_iter().all(is_gone));
    assert_eq!(wait(&mut child).code(), Some(125));
}

#[test]
fn signals_to_errorfs_reach_the_command_which_decides() {
    for (signal, status) in [(Signal::TERM, 3), (Signal::INT, 4), (Signal::HUP, 5)] {
        let (dir, data) = scratch();
        let script = "trap 'exit 3' TERM; trap 'exit 4' INT; trap 'exit 5' HUP; \
             echo $$ >../pid; while :; do sleep 0.01; done";
        let mut child = run(&data, script).current_dir(&data).spawn().unwrap();
        read_pid(&dir.path().join("pid"));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(wait(&mut child).code(), Some(status));
    }
}

#[test]
fn a_command_without_a_handler_dies_of_the_signal_and_so_it_is_told() {
    let (_dir, mut child, pids) = family();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(128 + 15));
    assert!(pids.into_iter().all(is_gone));
}

#[test]
fn an_ordinary_user_needs_no_privileges() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: all other tests show it, as this user is none");
    }
    let (dir, data) = scratch();
    for path in [dir.path(), &data] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(path, mode).unwrap();
    }
    let mut command = run(&data, "id -u; id -g; echo x >file && cat file");
    command.current_dir(&data).uid(65534).gid(65534);
    let output = output(&mut command);
    let said = text(&output.stderr);
    if said.contains("no private namespace") || said.contains("/dev/fuse") {
        return crate::support::skipped(&format!("ordinary users may not do it here: {said}"));
    }
    assert_eq!(text(&output.stdout), "65534\n65534\nx\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

const SCENARIO: &str = "version = 1\nseed = 11\n\
    [[rule]]\nname = \"rot\"\nselect = { path = \"data\" }\n[rule.fault.bit_flip]\nrate = 1e-5\n\
    [[rule]]\nname = \"slow\"\nselect = { path = \"log\", ops = [\"read\"] }\n\
    when = { probability = 0.2 }\n[rule.fault.latency]\n\
    distribution = { uniform = { from = \"1us\", to = \"9us\" } }\n\
    [[rule]]\nname = \"first\"\nselect = { path = \"log\", ops = [\"read\"] }\n\
    when = { probability = 0.1 }\n[rule.fault.error]\nerrno = \"EIO\"\n\
    [[rule]]\nname = \"second\"\nselect = { path = \"log\", ops = [\"read\"] }\n\
    when = { probability = 0.3 }\n[rule.fault.error]\nerrno = \"EAGAIN\"\n";

/// What one command saw of `data` and of 200 reads of `log`, and what the ledger says of it.
struct Observed {
    seen: Vec<u8>,
    /// Every bit, in the order of places: the kernel reads `data` ahead in requests that it
    /// cuts and orders as it likes.
    bits: BTreeSet<(u64, u8)>,
    /// What happened to the reads of `log`, in their order: they come one after the other.
    operations: Vec<String>,
}

fn observe(data: &Path, scenario: &Path, ledger: &Path) -> Observed {
    let script = "exec >../seen; cat data; for i in $(seq 200); do \
         dd if=log bs=16 count=1 skip=$i iflag=direct status=none 2>&1; done";
    let mut command = errorfs("run");
    command.arg("--scenario").arg(scenario).arg("--ledger").arg(ledger);
    command.arg("--on").arg(data).args(["--", "sh", "-c", script]);
    let output = output(command.current_dir(data));
    assert!(text(&output.stderr).contains("events delivered"), "{output:?}");
    let events = errorfs::ledger::read(ledger).unwrap().events;
    let (flips, others): (Vec<_>, Vec<_>) = events.iter().partition(|e| !e.bits.is_empty());
    let operations = others.iter().map(|event| {
        let rule = event.rule.split('/').next().unwrap();
        format!("{rule} {} {:?} {:?}", event.offset, event.errno, event.delay_ns)
    });
    let bits = flips.iter().flat_map(|e| &e.bits).map(|bit| (bit.byte, bit.bit));
    let seen = fs::read(data.join("../seen")).unwrap();
    Observed { seen, bits: bits.collect(), operations: operations.collect() }
}

#[test]
fn the_replay_of_its_ledger_gives_the_same_faults_again() {
    let (dir, data) = scratch();
    fs::write(data.join("data"), vec![0x5a; 1 << 20]).unwrap();
    fs::write(data.join("log"), vec![b'x'; 1 << 16]).unwrap();
    let (scenario, again) = (dir.path().join("s.toml"), dir.path().join("again.toml"));
    fs::write(&scenario, SCENARIO).unwrap();
    let first = dir.path().join("first");
    let original = observe(&data, &scenario, &first);
    assert!(original.bits.len() > 10, "{:?}", original.bits);
    for rule in ["slow", "first", "second"] {
        assert!(original.operations.iter().any(|event| event.starts_with(rule)), "{rule}");
    }
    let replayed = output(errorfs("replay").arg(&first).arg("-o").arg(&again));
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    let repeated = observe(&data, &again, &dir.path().join("second"));
    assert_eq!(original.bits, repeated.bits);
    assert_eq!(original.operations, repeated.operations);
    assert!(original.seen == repeated.seen, "the command saw other bytes");
}

/// The first write to a file of an overlay copies it: it is the same file still.
#[test]
fn what_is_open_stays_so_when_what_is_written_is_thrown_away() {
    let (_dir, data) = scratch();
    fs::create_dir(data.join("d")).unwrap();
    fs::write(data.join("f"), "one\n").unwrap();
    let script =
        "exec 3<f; echo two >>f; cat f <&3; exec 4<d; echo y >d/y; ls d; chmod 600 f; cat f";
    let mut command = errorfs("run");
    command.args(["--discard-writes", "--on"]).arg(&data).args(["--", "sh", "-ec", script]);
    let output = output(command.current_dir(&data));
    assert_eq!(text(&output.stdout), "one\ntwo\ny\none\ntwo\n", "{output:?}");
    assert_eq!(fs::read_to_string(data.join("f")).unwrap(), "one\n");
}

#[test]
fn a_bad_scenario_runs_nothing() {
    let (dir, data) = scratch();
    let scenario = dir.path().join("s.toml");
    fs::write(&scenario, "version = 1\n[[rule]]\nname = \"x\"\n").unwrap();
    let mut command = errorfs("run");
    command.arg("--scenario").arg(&scenario).arg("--on").arg(&data);
    let output = output(command.args(["--", "touch"]).arg(dir.path().join("ran")));
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(text(&output.stderr).contains("missing-key"), "{output:?}");
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn the_command_keeps_the_mask_and_the_limits_of_its_caller() {
    let (_dir, data) = scratch();
    let mut plain = Command::new("sh");
    let script = "umask; ulimit -Sn";
    let expected = output(plain.args(["-c", script]));
    let enclosed = output(&mut run(&data, script));
    assert_eq!(text(&enclosed.stdout), text(&expected.stdout));
}

#[test]
fn what_is_stuck_in_a_delayed_operation_does_not_keep_errorfs() {
    let (dir, data) = scratch();
    fs::write(data.join("f"), "x").unwrap();
    let scenario = dir.path().join("s.toml");
    let text = "version = 1\n[[rule]]\nname = \"stuck\"\nselect = { ops = [\"read\"] }\n\
         [rule.fault.latency]\ndistribution = { constant = \"1h\" }\n";
    fs::write(&scenario, text).unwrap();
    let mut command = errorfs("run");
    command.arg("--scenario").arg(&scenario).arg("--on").arg(&data);
    command.args(["--ledger"]).arg(dir.path().join("ledger"));
    command.args(["--", "sh", "-c", "cat f & sleep 0.3; exit 6"]);
    let output = output(command.current_dir(&data));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
}

#[test]
fn of_two_runs_over_one_directory_the_sockets_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("dir");
    fs::create_dir(&dir).unwrap();
    let begin = |name: &str| {
        let script = format!("touch ../{name}; exec sleep 1000");
        let child = run(&dir, &script).current_dir(&dir).spawn().unwrap();
        assert!(eventually(|| scratch.path().join(name).exists()));
        child
    };
    let mut runs = [begin("a"), begin("b")];
    let status = output(errorfs("status").arg(&dir));
    let said = text(&status.stderr);
    for child in &mut runs {
        kill_process(Pid::from_child(child), Signal::TERM).unwrap();
        wait(child);
    }
    assert_eq!(status.status.code(), Some(4), "{said}");
    assert!(said.contains(&format!("more than one errorfs serves {}", dir.display())), "{said}");
    assert_eq!(said.matches("--socket /").count(), 2, "{said}");
}

/// What is shown in a place may be what somebody keeps: only a drill knows of its copies.
#[test]
fn a_directory_that_is_shown_elsewhere_is_damaged_only_if_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    [at("real"), at("shown")].iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let rule =
        "version = 1\n[[rule]]\nname = \"r\"\n[rule.fault.bit_flip]\ncount = 1\non = \"write\"\n";
    fs::write(at("s.toml"), rule).unwrap();
    let mut command = errorfs("run");
    command.args(["--no-control", "--seed=1", "--ledger"]).arg(at("ledger"));
    command.arg("--scenario").arg(at("s.toml")).arg("--show").args([at("real"), at("shown")]);
    command.arg("--on").arg(at("shown")).args(["--", "sh", "-c"]);
    let ended = output(command.arg(format!("echo x >{}", at("shown/f").display())));
    assert_eq!(ended.status.code(), Some(125), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("--allow-damage"), "{}", text(&ended.stderr));
    assert!(!at("real/f").exists());
}
