//! No more than so many bytes pass in a second, whoever asks for them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::errno;
use crate::support::*;

const MIB: usize = 1 << 20;

fn limit(per_second: &str, more: &str) -> String {
    format!(
        "[[rule]]\nname = \"thin\"\n[rule.fault.throughput]\nper_second = \"{per_second}\"\n{more}"
    )
}

fn took(act: impl FnOnce()) -> Duration {
    let start = Instant::now();
    act();
    start.elapsed()
}

/// Reads the file in pieces of 64 KiB.
fn read(file: &File, len: usize) {
    let mut bytes = vec![0; 65_536];
    for place in (0..len as u64).step_by(65_536) {
        file.read_exact_at(&mut bytes, place).unwrap();
    }
}

/// The bytes that pass take at least as long as the limit says, and four times as long under a
/// limit four times as low.
#[test]
fn bytes_take_as_long_as_the_limit_says() {
    require_fuse!();
    let timed = |per_second: &str| {
        let backing = Backing::new().with_noise("file", MIB);
        let text = limit(per_second, "");
        let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
        let file = File::open(mount.join("file")).unwrap();
        let took = took(|| read(&file, MIB));
        let waits = mount.delivered().iter().map(|event| event.delay_ns.unwrap()).sum::<u64>();
        assert!(Duration::from_nanos(waits) <= took, "what waited one after the other");
        mount.stop();
        took
    };
    let (slow, fast) = (timed("1MiB"), timed("4MiB"));
    assert!(
        slow >= Duration::from_secs(1) && fast >= Duration::from_millis(250),
        "{slow:?} {fast:?}"
    );
    assert!(slow > fast * 3 / 2, "{slow:?} {fast:?}");
}

/// All that the rule selects shares one limit: files, readers and writers. "All that the rule
/// selects shares one limit: files, readers and writers."
#[test]
fn readers_and_writers_of_all_files_share_one_limit() {
    require_fuse!();
    let backing = Backing::new().with_noise("a", MIB).with_noise("b", MIB).with("c", b"");
    let mut mount = Mount::new(backing.path()).scenario(&limit("2MiB", "")).seed(1).start();
    let took = took(|| {
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let file = File::open(mount.join(name)).unwrap();
                scope.spawn(move || read(&file, MIB));
            }
            let path = mount.join("c");
            scope.spawn(move || fs::write(path, vec![1; MIB]).unwrap());
        });
    });
    assert!(took >= Duration::from_millis(1500), "3 MiB: {took:?}");
    mount.stop();
}

/// A burst passes at once after a pause. What waits for nothing has no event. "Each operation waits
/// until those before it and its own bytes have passed; what waits for nothing has no event."
#[test]
fn a_burst_passes_at_once() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", MIB);
    let text = limit("64KiB", "burst = \"512KiB\"\n");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    read(&file, MIB / 2);
    assert!(mount.delivered().is_empty(), "{:?}", mount.delivered());
    let took = took(|| read(&file, 2 * 65_536));
    let told: Vec<_> = mount.delivered().iter().filter_map(|event| event.delay_ns).collect();
    let told: Duration = told.into_iter().map(Duration::from_nanos).sum();
    assert!(told > Duration::ZERO && told <= took, "{told:?} of {took:?}");
    mount.stop();
}

/// What is short waits for what it moves, what fails for nothing; `latency` comes on top. "What is
/// short waits for what it moves, what fails for nothing; the delay of `latency` comes on top."
#[test]
fn what_is_short_waits_for_what_it_moves_and_latency_comes_on_top() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", MIB);
    let text = "[[rule]]\nname = \"fails\"\nselect = { ops = [\"read\"] }\nwhen = { nth = 1 }\n\
                [rule.fault.error]\nerrno = \"EIO\"\n\
                [[rule]]\nname = \"late\"\nselect = { ops = [\"read\"] }\n[rule.fault.latency]\n\
                distribution = { constant = \"300ms\" }\n\
                [[rule]]\nname = \"short\"\n[rule.fault.short]\nat_most = 1000\n";
    let text = format!("{text}{}", limit("10000B", ""));
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = [0; 100_000];
    assert_eq!(errno(file.read_at(&mut bytes, 0)), Some(libc::EIO));
    let took = took(|| assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 1000));
    assert!(took >= Duration::from_millis(400), "{took:?}");
    let events = mount.delivered();
    let told: Vec<_> = events.iter().map(|event| (&*event.rule, event.delay_ns)).collect();
    let late = ("late", Some(300_000_000));
    assert_eq!(told[..4], [late, ("fails", None), late, ("thin", Some(100_000_000))]);
    assert_eq!(told[4].0, "short");
    mount.stop();
}

/// "`errorfs replay` gives the rule itself."
#[test]
fn a_replayed_limit_is_the_same() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", MIB);
    let text = limit("1MiB", "");
    let mut mount = Mount::new(backing.path()).scenario(&text).seed(1).start();
    read(&File::open(mount.join("file")).unwrap(), 4 * 65_536);
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    assert!(
        replay.contains("[rule.fault.throughput]\nburst = 0\nper_second = 1048576"),
        "{replay}"
    );
    let text = replay.replacen("version = 1\n", "", 1);
    let mut again = Mount::new(backing.path()).scenario(&text).seed(1).start();
    let took = took(|| read(&File::open(again.join("file")).unwrap(), 4 * 65_536));
    assert!(took >= Duration::from_millis(250), "{took:?}");
    again.stop();
}
