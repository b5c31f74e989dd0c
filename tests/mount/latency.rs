//! Late answers: as late as said, and nobody else waits.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::*;

/// `slow` is answered after 5 s; `fast` is watched by a rule that never fires, so that each of its
/// reads goes through errorfs too and not to the kernel's cache.
const SLOW: &str = "[[rule]]\nname = \"slow\"\nselect = { path = \"slow\", ops = [\"read\"] }\n\
    [rule.fault.latency]\ndistribution = { constant = \"5s\" }\n\
    [[rule]]\nname = \"watched\"\nselect = { path = \"fast\", ops = [\"read\"] }\n\
    when = { nth = 1000000000 }\n[rule.fault.latency]\ndistribution = { constant = \"1ms\" }\n";

const WAITING: usize = 2000;

/// "Its answer waits, and no other operation waits for it."
#[test]
fn a_late_read_is_as_late_as_said_and_others_are_not() {
    require_fuse!();
    let backing = Backing::new().with("late", b"x").with("other", b"y");
    let text = "[[rule]]\nname = \"late\"\nselect = { path = \"late\", ops = [\"read\"] }\n\
                [rule.fault.latency]\ndistribution = { constant = \"700ms\" }\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let timed = |name: &str| {
        let start = Instant::now();
        read_at(&mount.join(name), 0, 1).unwrap();
        start.elapsed()
    };
    let late = timed("late");
    assert!(late >= Duration::from_millis(700) && late < Duration::from_secs(5), "{late:?}");
    assert!(timed("other") < Duration::from_millis(600));
    let event = mount.delivered().pop().unwrap();
    assert_eq!((&*event.fault, event.delay_ns), ("latency", Some(700_000_000)));
    mount.stop();
}

#[test]
fn a_delay_composes_with_an_error() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let text = "[[rule]]\nname = \"late\"\nselect = { ops = [\"read\"] }\n[rule.fault.latency]\n\
                distribution = { uniform = { from = \"300ms\", to = \"400ms\" } }\n\
                [[rule]]\nname = \"fails\"\nselect = { ops = [\"read\"] }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let start = Instant::now();
    assert_eq!(super::errno(fs::read(mount.join("file"))), Some(libc::EIO));
    assert!(start.elapsed() >= Duration::from_millis(300));
    mount.stop();
}

#[test]
fn unmounting_answers_what_waits() {
    require_fuse!();
    let backing = Backing::new().with("slow", b"x");
    let text = SLOW.replace("5s", "1h");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let path = mount.join("slow");
    let reader = std::thread::spawn(move || fs::read(path));
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    mount.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let _ = reader.join().unwrap();
}

/// Noise of a busy machine only ever adds: one good measurement of three is proof.
#[test]
fn two_thousand_waiting_reads_leave_another_read_as_fast_as_before() {
    require_fuse!();
    let backing = Backing::new().with_noise("slow", 4096).with_noise("fast", 1 << 20);
    let mut mount = Mount::new(backing.path()).scenario(SLOW).seed(1).start();
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let mut alone = Vec::new();
        let mut beside = Vec::new();
        for _ in 0..3 {
            alone.push(p99(&mount));
            beside.push(p99_beside_waiting_reads(&mount));
        }
        ratios.push(median(beside).as_secs_f64() / median(alone).as_secs_f64());
        if ratios.iter().any(|ratio| *ratio <= 2.0) {
            break;
        }
    }
    println!("p99 beside 2,000 waiting reads / p99 alone: {ratios:.2?}");
    assert!(ratios.iter().any(|ratio| *ratio <= 2.0), "{ratios:?}");
    mount.stop();
}

/// The 99th percentile of 4 KiB reads.
fn p99(mount: &Mount) -> Duration {
    let file = File::open(mount.join("fast")).unwrap();
    let mut bytes = [0; 4096];
    let mut times: Vec<_> = (0..2000)
        .map(|turn| {
            let start = Instant::now();
            file.read_exact_at(&mut bytes, turn % 256 * 4096).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() * 99 / 100]
}

fn p99_beside_waiting_reads(mount: &Mount) -> Duration {
    let file = File::open(mount.join("slow")).unwrap();
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WAITING {
            let read = || {
                begun.fetch_add(1, Ordering::Relaxed);
                file.read_exact_at(&mut [0; 512], 0).unwrap();
                ended.fetch_add(1, Ordering::Relaxed);
            };
            std::thread::Builder::new().stack_size(65536).spawn_scoped(scope, read).unwrap();
        }
        let all = || begun.load(Ordering::Relaxed) == WAITING;
        wait_until("all reads wait", Duration::from_secs(4), all);
        std::thread::sleep(Duration::from_millis(200));
        let p99 = p99(mount);
        assert_eq!(ended.load(Ordering::Relaxed), 0, "the measurement took longer than 5 s");
        p99
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
