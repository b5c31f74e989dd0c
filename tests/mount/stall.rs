//! Operations that are not answered, and what lets them go.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use errorfs::ledger::{Event, Outcome};

use crate::support::*;

const HANGS: &str = "[[rule]]\nname = \"hangs\"\nselect = { path = \"hung\", ops = [\"read\"] }\n\
    when = { nth = 2 }\n[rule.fault.stall]\n";

const LONG: Duration = Duration::from_secs(10);

fn cat(mount: &Mount, name: &str) -> Child {
    let mut cat = Command::new("cat");
    cat.arg(mount.join(name)).stdout(Stdio::piped()).spawn().unwrap()
}

/// The first read of `hung` is answered, the second is not.
fn hung(mount: &Mount) -> Child {
    assert_eq!(read_at(&mount.join("hung"), 0, 1).unwrap(), b"x");
    let cat = cat(mount, "hung");
    wait_until("the read is with errorfs", LONG, || mount.delivered().len() == 1);
    cat
}

fn released(mount: &Mount) -> Vec<Event> {
    let events = mount.ledger().into_iter();
    events.filter(|event| event.outcome == Outcome::Released).collect()
}

/// No other operation waits for it. The event of the stall is in the ledger when it begins, and one
/// with the outcome `released` when it is answered after all. "No other operation waits for it."
/// "The event of the stall is in the ledger when it begins, and one with the outcome `released` and
/// the `delay_ns` when it is answered after all."
#[test]
fn a_stalled_read_waits_until_its_caller_is_killed_and_no_other_operation_waits_for_it() {
    require_fuse!();
    let backing = Backing::new().with("hung", b"x").with("other", b"y");
    let mut mount = Mount::new(backing.path()).scenario(HANGS).seed(1).start();
    let mut cat = hung(&mount);
    let begun = mount.delivered().remove(0);
    assert_eq!((&*begun.fault, begun.occurrence, begun.delay_ns), ("stall", Some(2), None));
    let start = Instant::now();
    assert_eq!(fs::read(mount.join("other")).unwrap(), b"y");
    assert_eq!(fs::read(mount.join("hung")).unwrap(), b"x", "only the second read hangs");
    assert!(
        start.elapsed() < LONG && cat.try_wait().unwrap().is_none() && released(&mount).is_empty()
    );
    cat.kill().unwrap();
    assert_eq!(cat.wait().unwrap().signal(), Some(9));
    wait_until("the end is told", LONG, || released(&mount).len() == 1);
    let ended = released(&mount).remove(0);
    assert_eq!((ended.occurrence, &*ended.rule), (Some(2), "hangs"));
    assert!(ended.delay_ns.unwrap() > 0 && ended.seq > begun.seq);
    mount.stop();
    assert!(mount.said().contains("hangs: 1 event delivered"), "{}", mount.said());
}

#[test]
fn the_end_of_the_mount_answers_what_is_stalled_and_the_answer_is_right() {
    require_fuse!();
    let backing = Backing::new().with("hung", b"x");
    let mut mount = Mount::new(backing.path()).scenario(HANGS).seed(1).start();
    let cat = hung(&mount);
    let start = Instant::now();
    mount.stop();
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    let ended = cat.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stdout == b"x", "{ended:?}");
    assert_eq!(released(&mount).len(), 1);
}

/// Waits add up: the stall and the delay of another rule.
#[test]
fn a_stall_that_ends_by_itself_takes_as_long_as_said_and_a_delay_comes_on_top() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"late\"\nselect = { ops = [\"read\"] }\n[rule.fault.latency]\n\
                distribution = { constant = \"300ms\" }\n\
                [[rule]]\nname = \"hangs\"\nselect = { ops = [\"read\"] }\n\
                [rule.fault.stall]\nfor = \"700ms\"\n\
                [[rule]]\nname = \"fails\"\nselect = { ops = [\"read\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let start = Instant::now();
    assert_eq!(super::errno(fs::read(mount.join("file"))), Some(libc::EIO));
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < LONG, "{took:?}");
    let told: Vec<_> = mount.ledger().iter().map(|e| (e.fault.clone(), e.outcome)).collect();
    let told: Vec<_> = told.iter().map(|(fault, outcome)| (&**fault, *outcome)).collect();
    let (began, over) = (Outcome::Delivered, Outcome::Released);
    assert_eq!(told, [("stall", began), ("stall", over), ("latency", began), ("error", began)]);
    mount.stop();
}

/// What was asked for is done, and its answer waits. "What was asked for is done, and its answer
/// waits: until `for` is over, the mount ends or the caller is killed (SIGKILL)."
#[test]
fn a_stalled_write_is_stored_at_once() {
    require_fuse!();
    let backing = Backing::new().with("file", b"old");
    let text = "[[rule]]\nname = \"hangs\"\nselect = { ops = [\"write\"] }\n[rule.fault.stall]\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let path = mount.join("file");
    let writer = std::thread::spawn(move || write_at(&path, 0, b"new"));
    wait_until("it is stored", LONG, || fs::read(backing.join("file")).unwrap() == b"new");
    assert!(!writer.is_finished());
    mount.stop();
    let _ = writer.join().unwrap();
}

/// A process that is killed closes its files, which is an operation too. It opens its file itself:
/// whoever inherited it from this process would hang as well.
#[test]
fn a_killed_process_whose_close_is_stalled_is_let_go() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"hangs\"\nselect = { ops = [\"flush\"] }\n[rule.fault.stall]\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let text = "import os, sys, time\nf = os.open(sys.argv[1], os.O_RDONLY)\n\
                print('open', flush=True)\ntime.sleep(600)";
    let mut holder = Command::new("python3");
    holder.args(["-c", text]).arg(mount.join("file")).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    holder.kill().unwrap();
    let start = Instant::now();
    assert_eq!(holder.wait().unwrap().signal(), Some(9));
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    assert_eq!(mount.delivered().len(), 1);
    mount.stop();
}

/// A mount on which nothing at all answers.
#[test]
fn a_mount_that_is_stalled_from_the_start_begins_and_ends_as_any_other() {
    require_fuse!();
    for way in ["signal", "umount"] {
        let backing = Backing::new().with("file", b"x");
        let text = "[[rule]]\nname = \"hangs\"\n[rule.fault.stall]\n";
        let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
        let mut cat = cat(&mount, "file");
        wait_until("it hangs", LONG, || !mount.delivered().is_empty());
        if way == "umount" {
            cat.kill().unwrap();
            assert_eq!(cat.wait().unwrap().signal(), Some(9));
            Program::errorfs("umount").arg(mount.path()).succeed();
            assert!(mount.wait().success());
        }
        mount.stop();
        let _ = cat.wait();
    }
}

#[test]
fn a_replayed_stall_hangs_the_same_read() {
    require_fuse!();
    let backing = Backing::new().with("hung", b"x");
    let mut mount = Mount::new(backing.path()).scenario(HANGS).seed(1).start();
    hung(&mount).kill().unwrap();
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let text = replay.replacen("version = 1\n", "", 1);
    let mut again = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let mut cat = hung(&again);
    assert_eq!(again.delivered()[0].occurrence, Some(2));
    cat.kill().unwrap();
    let _ = cat.wait();
    again.stop();
}
