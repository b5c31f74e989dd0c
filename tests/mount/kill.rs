//! Callers that are killed at an operation.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use errorfs::ledger::Outcome;

use crate::support::*;

fn start(backing: &Backing, select: &str, when: &str) -> Mount {
    let rule = format!(
        "[[rule]]\nname = \"crash\"\nselect = {{ {select} }}\nwhen = {{ {when} }}\nfault = {{ kill = {{}} }}\n"
    );
    Mount::new(backing.path()).scenario(&rule).args(["--allow-other"]).start()
}

fn shell(mount: &Mount, script: &str) -> ExitStatus {
    Command::new("sh").arg("-c").arg(script).arg("sh").arg(mount.path()).status().unwrap()
}

/// The calling process gets SIGKILL, nothing of the operation is done, and the event says who it
/// was. "The process that asks gets SIGKILL at the operation, of which nothing is done: a crash at
/// an exact place." "The event, with the errno EINTR, is in the ledger before the signal is sent."
#[test]
fn a_caller_is_killed_at_its_second_write_of_which_nothing_is_done() {
    require_fuse!();
    let backing = Backing::new();
    let mount = start(&backing, "ops = [\"write\"]", "nth = 2");
    let ended = shell(&mount, "echo 1 > $1/a; echo 2 > $1/b; echo 3 > $1/c");
    assert_eq!(ended.signal(), Some(9));
    assert_eq!(fs::read(backing.join("a")).unwrap(), b"1\n");
    assert_eq!(fs::read(backing.join("b")).unwrap(), b"", "made, and not written");
    assert!(!backing.join("c").exists());
    let event = &mount.delivered()[0];
    assert_eq!((&*event.fault, &*event.op, &*event.path), ("kill", "write", "b"));
    assert_eq!(
        (event.errno.as_deref(), event.occurrence, &*event.comm),
        (Some("EINTR"), Some(2), "sh")
    );
    fs::write(mount.join("d"), "others go on").unwrap();
}

/// "The signal goes to the process, by a descriptor of it (pidfd): nobody else is hit who has its
/// number later."
#[test]
fn all_threads_of_the_caller_are_killed() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mount = start(&backing, "path = \"file\", ops = [\"open\"]", "nth = 1");
    let text = "import threading\n\
        t = threading.Thread(target=lambda: open(sys.argv[1])); t.start(); t.join()\n\
        print('alive', flush=True)";
    let ended = python(text, [mount.join("file")]).run();
    assert_eq!((ended.status.signal(), &*ended.stdout), (Some(9), ""));
}

#[test]
fn a_caller_of_another_user_is_killed_too() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", b"x");
    let mount = start(&backing, "path = \"file\", ops = [\"open\"]", "nth = 1");
    let text = "os.setuid(65534)\nopen(sys.argv[1])\nprint('alive', flush=True)";
    let ended = python(text, [mount.join("file")]).run();
    assert_eq!((ended.status.signal(), &*ended.stdout), (Some(9), ""), "{}", ended.stderr);
}

/// errorfs and those that started it, as this test has, are never killed. "Never killed are errorfs
/// itself and the processes that started it, process 1, the kernel, and a caller that errorfs
/// cannot see (of a process namespace beside its own): then the operation is done as if no rule
/// failed or damaged it, the event has the outcome `skipped`, and errorfs says so once."
#[test]
fn those_that_started_errorfs_are_spared_and_their_operation_is_done() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = start(&backing, "ops = [\"write\"]", "times = 1");
    fs::write(mount.join("a"), "alive").unwrap();
    assert_eq!(fs::read(backing.join("a")).unwrap(), b"alive");
    mount.stop();
    let events = mount.ledger();
    assert!(events.iter().any(|event| event.outcome == Outcome::Skipped), "{events:?}");
    assert!(mount.delivered().is_empty());
    assert!(mount.said().contains("kills nobody"), "{}", mount.said());
}

#[test]
fn a_replay_kills_at_the_same_operation() {
    require_fuse!();
    let run = |scenario: &str| {
        let backing = Backing::new();
        let mut mount = Mount::new(backing.path()).scenario(scenario).seed(3).start();
        let ended = shell(&mount, "for n in 1 2 3 4 5 6 7 8 9; do echo $n > $1/$n; done");
        mount.stop();
        let made = (1..10).filter(|n| backing.join(&n.to_string()).exists()).count();
        (ended.signal(), made, mount.ledger_file(), mount)
    };
    let rule = "[[rule]]\nname = \"crash\"\nselect = { ops = [\"write\", \"create\"] }\n\
        when = { every = 5, times = 1 }\nfault = { kill = {} }\n";
    let (signal, made, ledger, _mount) = run(rule);
    assert_eq!((signal, made), (Some(9), 2));
    let replay = Program::errorfs("replay").arg(ledger).succeed().stdout;
    let again = run(&replay.replace("version = 1\n", ""));
    assert_eq!((again.0, again.1), (signal, made), "{replay}");
}
