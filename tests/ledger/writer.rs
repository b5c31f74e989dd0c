//! The writer: order, completeness, back-pressure, a full disk, speed.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use errorfs::ledger::{Recorded, Writer, read};

use super::{event, header};

#[test]
fn every_event_is_in_the_file_before_its_fault_is_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let writer = Writer::create(&path, &header()).unwrap();
    let missing = Arc::new(AtomicU64::new(0));
    for number in 0..200 {
        let (path, missing) = (path.clone(), missing.clone());
        let rule = format!("rule-{number}");
        writer.record(vec![event(&rule)], move |recorded| {
            let text = fs::read_to_string(path).unwrap();
            let there = text.contains(&format!("\"{rule}\"")) && text.ends_with('\n');
            if !there || recorded != Recorded::Written {
                missing.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    writer.close();
    assert_eq!(missing.load(Ordering::SeqCst), 0);
}

#[test]
fn events_of_many_threads_are_numbered_without_gaps_and_delivered_in_that_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let writer = Writer::create(&path, &header()).unwrap();
    let delivered = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (writer, delivered) = (&writer, delivered.clone());
            scope.spawn(move || {
                for number in 0..1000 {
                    let (rule, delivered) = (format!("{thread}/{number}"), delivered.clone());
                    let events = vec![event(&rule), event(&rule)];
                    writer.record(events, move |_| delivered.lock().unwrap().push(rule));
                }
            });
        }
    });
    writer.drain();
    let counts = writer.delivered();
    assert_eq!(counts.len(), 8000);
    assert!(counts.values().all(|count| *count == 2));
    writer.close();
    let ledger = read(&path).unwrap();
    let order: Vec<_> = ledger.events.iter().step_by(2).map(|e| e.rule.clone()).collect();
    assert_eq!(order, *delivered.lock().unwrap());
    assert!((1..).zip(&ledger.events).all(|(seq, event)| event.seq == seq));
    assert!(ledger.events.is_sorted_by_key(|event| event.mono_ns));
}

#[test]
fn an_existing_file_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    fs::write(&path, "evidence").unwrap();
    let error = Writer::create(&path, &header()).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "evidence");
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("elsewhere"), &dangling).unwrap();
    assert!(Writer::create(&dangling, &header()).is_err());
}

#[test]
fn without_a_ledger_faults_are_delivered_at_once_and_counted() {
    let writer = Writer::none();
    let delivered = Arc::new(AtomicU64::new(0));
    let seen = delivered.clone();
    writer.record(vec![event("a"), event("b")], move |recorded| {
        assert_eq!(recorded, Recorded::Written);
        seen.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(delivered.load(Ordering::SeqCst), 1);
    assert_eq!(
        writer.delivered().into_iter().collect::<Vec<_>>(),
        [("a".into(), 1), ("b".into(), 1)]
    );
    writer.drain();
    assert!(!writer.failed());
}

#[test]
fn a_panic_in_one_delivery_does_not_silence_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let writer = Writer::create(&path, &header()).unwrap();
    writer.record(vec![event("a")], |_| panic!("on purpose"));
    writer.record(vec![event("b")], |_| {});
    writer.drain();
    assert_eq!(read(&path).unwrap().events.len(), 2);
}

#[test]
fn on_a_full_disk_no_fault_is_delivered_and_the_file_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tiny) = TinyDisk::mount(dir.path()) else {
        return crate::support::skipped("only root can mount a tmpfs here");
    };
    let path = tiny.0.join("ledger");
    let writer = Writer::create(&path, &header()).unwrap();
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    for _ in 0..5000 {
        let counts = counts.clone();
        let events = vec![event("a"), event("a"), event("a")];
        writer.record(events, move |recorded| {
            counts[usize::from(recorded == Recorded::Lost)].fetch_add(1, Ordering::SeqCst);
        });
    }
    writer.drain();
    assert!(writer.failed());
    let written = counts[0].load(Ordering::SeqCst);
    let lost = counts[1].load(Ordering::SeqCst);
    assert!(written > 0 && lost > 0, "{written} written, {lost} lost");
    assert_eq!(written + lost, 5000);
    assert_eq!(writer.delivered()["a"], 3 * written);
    writer.close();
    let ledger = read(&path).unwrap();
    assert!(!ledger.truncated);
    assert_eq!(ledger.events.len() as u64, 3 * written);
}

/// A filesystem of 256 KiB.
struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    fn mount(below: &std::path::Path) -> Option<TinyDisk> {
        let at = below.join("tiny");
        fs::create_dir(&at).unwrap();
        let options = Some(c"size=256k");
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", &at, "tmpfs", flags, options).ok()?;
        Some(TinyDisk(at))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
#[ignore = "a measurement: cargo test --release -- --ignored --nocapture events_a_second"]
fn events_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let writer = Writer::create(&path, &header()).unwrap();
    let start = Instant::now();
    let (threads, each) = (4, 250_000);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    writer.record(vec![event("sst-rot")], |_| {});
                }
            });
        }
    });
    writer.close();
    let rate = f64::from(threads * each) / start.elapsed().as_secs_f64();
    println!("{rate:.0} events a second");
    assert!(rate > 100_000.0);
}
