//! `kill -9` of errorfs loses no event of a fault that reached a reader.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::*;

const SIZE: usize = 64 << 20;

#[test]
fn every_flip_that_a_reader_saw_before_kill_9_is_in_the_ledger() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", SIZE);
    let stored = fs::read(backing.join("file")).unwrap();
    let text = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-5\n";
    for seed in 1..=5 {
        let mut mount = Mount::new(backing.path()).scenario(text).seed(seed).start();
        let seen = read_until_killed(&mount, &stored);
        mount.wait();
        let events = mount.delivered();
        let recorded: HashSet<_> =
            events.iter().flat_map(|event| &event.bits).map(|bit| (bit.byte, bit.bit)).collect();
        let lost: Vec<_> = seen.iter().filter(|bit| !recorded.contains(bit)).collect();
        assert!(lost.is_empty(), "seed {seed}: of {} seen, lost: {lost:?}", seen.len());
        assert!(!seen.is_empty(), "seed {seed}: killed before anything was read");
    }
}

/// Four readers, killed in the middle: every differing bit that they saw.
fn read_until_killed(mount: &Mount, stored: &[u8]) -> Vec<(u64, u8)> {
    let read = AtomicUsize::new(0);
    let file = File::open(mount.join("file")).unwrap();
    let reader = |first: usize| {
        let mut seen = Vec::new();
        let mut bytes = vec![0; 65536];
        for place in (first * SIZE / 4..SIZE).step_by(65536) {
            if file.read_exact_at(&mut bytes, place as u64).is_err() {
                break;
            }
            read.fetch_add(1, Ordering::Relaxed);
            let bits = differing_bits(&stored[place..place + 65536], &bytes);
            seen.extend(bits.into_iter().map(|(byte, bit)| (place as u64 + byte, bit)));
        }
        seen
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|first| {
                let reader = &reader;
                scope.spawn(move || reader(first))
            })
            .collect();
        let some = || read.load(Ordering::Relaxed) >= 100;
        wait_until("something was read", Duration::from_secs(20), some);
        mount.signal(Signal::KILL);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    })
}
