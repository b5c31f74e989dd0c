//! Random sequences of operations give the same on an idle mount as on a plain directory of the
//! same filesystem, in each of the ways of opening a file. `ERRORFS_CASES` says how many
//! (default: a few seconds' worth), `ERRORFS_SEED` which; a failure shrinks and names its seed.

mod mapping;
mod operation;
mod world;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::support::*;
use operation::{Operation, beginning, sequences};
use world::{Kind, World};

/// In CI: 500 over the ways.
const CASES: u32 = 125;

#[test]
fn sequences_do_the_same_on_a_mount_while_idle() {
    differ_nowhere(Way::Idle);
}

#[test]
fn sequences_do_the_same_without_passthrough() {
    differ_nowhere(Way::Cached);
}

#[test]
fn sequences_do_the_same_under_sticky_flips_that_never_come() {
    differ_nowhere(Way::Sticky);
}

#[test]
fn sequences_do_the_same_under_counted_errors_that_never_come() {
    differ_nowhere(Way::Counted);
}

#[test]
fn a_fault_that_does_come_is_found_and_shrunk() {
    require_fuse!();
    let backing = Backing::new();
    let setup = Mount::new(backing.path()).scenario(
        "[[rule]]\nname = \"real\"\nselect = { ops = [\"symlink\"] }\n\
         [rule.fault.error]\nerrno = \"EDQUOT\"",
    );
    let found = first_difference(setup, &backing, CASES, 1).expect("an error to be injected");
    assert!(found.contains("Disk quota") && found.matches("Symlink(").count() == 1, "{found}");
}

#[test]
fn the_sequences_reach_every_operation_with_success() {
    let plain = Backing::new();
    let mut reached = BTreeSet::new();
    let mut runner = runner(CASES, 1);
    for case in 0..4 * CASES {
        let operations = sequences().new_tree(&mut runner).unwrap().current();
        let mut world = World::new(&plain.join(&case.to_string()), Kind::Ordinary);
        for operation in beginning().into_iter().chain(operations) {
            if world.perform(&operation).is_ok() {
                let text = format!("{operation:?}");
                reached.insert(text.split('(').next().unwrap().to_owned());
            }
        }
    }
    assert_eq!(reached.len(), operation::KINDS, "{reached:?}");
}

fn differ_nowhere(way: Way) {
    require_fuse!();
    let backing = Backing::new();
    let cases = number("ERRORFS_CASES").map_or(CASES, |cases| cases as u32);
    let seed = number("ERRORFS_SEED").unwrap_or(1);
    if let Some(difference) = first_difference(way.mount(backing.path()), &backing, cases, seed) {
        panic!("ERRORFS_SEED={seed} ERRORFS_CASES={cases}, {way:?}: {difference}");
    }
}

/// Runs the sequences of this seed; the smallest one that differs, and in what.
fn first_difference(setup: Setup, backing: &Backing, cases: u32, seed: u64) -> Option<String> {
    let plain = Backing::new();
    let mut mount = setup.within(Duration::from_secs(120 + u64::from(cases))).start();
    let next = Cell::new(0);
    let outcome = runner(cases, seed).run(&sequences(), |operations| {
        next.set(next.get() + 1);
        let name = format!("case-{}", next.get());
        let roots = [mount.join(&name), plain.join(&name), backing.join(&name)];
        let difference = compare(&roots.each_ref().map(AsRef::as_ref), &operations);
        std::fs::remove_dir_all(&roots[2]).unwrap();
        std::fs::remove_dir_all(&roots[1]).unwrap();
        difference.map_or(Ok(()), |text| Err(TestCaseError::fail(text)))
    });
    mount.stop();
    match outcome {
        Err(TestError::Fail(reason, smallest)) => Some(format!("{reason}\n{smallest:#?}")),
        Err(other) => Some(other.to_string()),
        Ok(()) => None,
    }
}

/// The first difference between a mounted and a plain directory under these operations; and then
/// any between what the mount shows and what its backing directory holds.
fn compare(roots: &[&Path; 3], operations: &[Operation]) -> Option<String> {
    let kind = Kind::of(roots[1].parent().unwrap());
    let (mut mounted, mut plain) = (World::new(roots[0], kind), World::new(roots[1], kind));
    for (step, operation) in beginning().iter().chain(operations).enumerate() {
        let (ours, theirs) = (mounted.perform(operation), plain.perform(operation));
        if ours != theirs {
            let (ours, theirs) = (short(&ours), short(&theirs));
            return Some(format!("step {step}: mount {ours}, plain {theirs}"));
        }
    }
    let mut found = tree_differences(mounted.root(), plain.root(), Identity::Another);
    found.extend(tree_differences(mounted.root(), roots[2], Identity::Same));
    (!found.is_empty()).then(|| found.join("\n"))
}

fn short(outcome: &world::Outcome) -> String {
    let text = format!("{outcome:?}");
    let end = text.char_indices().nth(400).map_or(text.len(), |(end, _)| end);
    text[..end].to_owned()
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
