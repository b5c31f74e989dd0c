//! Random sequences of operations give the same on an idle mount as on a plain directory of the
//! same filesystem, in each of the three ways of opening a file. `ERRORFS_CASES` says how many
//! (default: a few seconds' worth), `ERRORFS_SEED` which; a failure shrinks and names its seed.

mod mapping;
mod operation;
mod world;

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::support::*;
use operation::{Operation, sequences};
use world::World;

/// In CI: 500 over the three ways.
const CASES: u32 = 167;

#[test]
fn sequences_do_the_same_on_a_mount_while_idle() {
    differ_nowhere(Way::Idle);
}

#[test]
fn sequences_do_the_same_under_sticky_flips_that_never_come() {
    differ_nowhere(Way::Sticky);
}

#[test]
fn sequences_do_the_same_under_counted_errors_that_never_come() {
    differ_nowhere(Way::Counted);
}

fn differ_nowhere(way: Way) {
    require_fuse!();
    let (backing, plain) = (Backing::new(), Backing::new());
    let cases = number("ERRORFS_CASES").map_or(CASES, |cases| cases as u32);
    let limit = Duration::from_secs(60 + u64::from(cases));
    let mut mount = way.mount(backing.path()).within(limit).start();
    let seed = number("ERRORFS_SEED").unwrap_or(1);
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
    if let Err(failure) = outcome {
        panic!("ERRORFS_SEED={seed} ERRORFS_CASES={cases}, {way:?}: {failure}");
    }
    assert!(mount.delivered().is_empty());
    mount.stop();
}

/// The first difference between a mounted and a plain directory under these operations; and then
/// any between what the mount shows and what its backing directory holds.
fn compare(roots: &[&Path; 3], operations: &[Operation]) -> Option<String> {
    let (mut mounted, mut plain) = (World::new(roots[0]), World::new(roots[1]));
    for (step, operation) in operations.iter().enumerate() {
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
