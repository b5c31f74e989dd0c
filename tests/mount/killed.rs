//! Callers that are killed while errorfs lets them wait.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;

const STALLED: &str = "[[rule]]\nname = \"stalled\"\nselect = { ops = [\"read\"] }\n\
    [rule.fault.latency]\ndistribution = { constant = \"1h\" }\n";

#[test]
fn a_caller_that_is_killed_while_it_waits_dies_at_once() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).scenario(STALLED).seed(1).start();
    let reader = || {
        let mut cat = Command::new("cat");
        cat.arg(mount.join("file")).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut readers: Vec<_> = (0..20).map(|_| reader()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    for reader in &mut readers {
        assert!(reader.try_wait().unwrap().is_none(), "it waits");
        reader.kill().unwrap();
    }
    for reader in &mut readers {
        reader.wait().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    mount.stop();
}

#[test]
fn a_caller_that_ignores_a_signal_goes_on_waiting_with_the_others() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).scenario(STALLED).seed(1).start();
    let mut cat = Command::new("sh");
    cat.args(["-c", "trap '' TERM; exec cat \"$0\""]).arg(mount.join("file"));
    let mut cat = cat.stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&cat);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(cat.try_wait().unwrap().is_none(), "as under any slow disk");
    mount.stop();
    assert!(cat.wait().unwrap().success(), "it got its byte when the mount ended");
}
