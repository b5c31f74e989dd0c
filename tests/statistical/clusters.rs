//! The damage of sick devices: as much of it, and in such runs, as field studies found.

use std::collections::BTreeSet;

use errorfs::plan::Clusters;
use errorfs::plan::seed::{Draws, Purpose, StreamKey};
use errorfs::scenario::{self, RunLength};

const BLOCK: u64 = 4096;
const BURST: RunLength = RunLength::Burst { single: 0.98, shape: 1.79, longest: 2048 };

fn shape(run: RunLength) -> scenario::Clusters {
    scenario::Clusters {
        median: 3.0,
        sigma: 2.663,
        max: 33_000,
        run,
        near: 0.5,
        neighbourhood: 10_000_000,
    }
}

fn clusters(run: RunLength) -> Clusters {
    Clusters::new(&shape(run), BLOCK)
}

fn draws(seed: u64) -> Draws {
    StreamKey::derive(seed, "sick", "", b"", Purpose::Clusters).draws(0, 0)
}

/// Runs of neighbours.
fn runs(chosen: &BTreeSet<u64>) -> Vec<u64> {
    let mut runs: Vec<u64> = Vec::new();
    let mut before = None;
    for place in chosen {
        match runs.last_mut() {
            Some(run) if before == place.checked_sub(1) && *place > 0 => *run += 1,
            _ => runs.push(1),
        }
        before = Some(*place);
    }
    runs
}

/// LogNormal(ln 3, 2.663), rounded, at least 1: median 3, P(1) = 0.40, P(100 and more) = 9.4 %,
/// P(1000 and more) = 1.5 %. Mean of the capped one about 90.
#[test]
fn devices_have_as_many_corrupt_blocks_as_fast08_found() {
    const DEVICES: u64 = 20_000;
    let clusters = clusters(RunLength::Geometric(3.4));
    let mut numbers: Vec<u64> =
        (0..DEVICES).map(|seed| clusters.number(&mut draws(seed))).collect();
    numbers.sort_unstable();
    assert_eq!(numbers[DEVICES as usize / 2], 3);
    let share = |from: u64| numbers.iter().filter(|n| **n >= from).count() as f64 / DEVICES as f64;
    // 5 standard deviations of a binomial share: sqrt(p q / 20000).
    assert!((1.0 - share(2) - 0.397).abs() < 0.0175, "{}", 1.0 - share(2));
    assert!((share(100) - 0.094).abs() < 0.0104, "{}", share(100));
    assert!((share(1000) - 0.0146).abs() < 0.0043, "{}", share(1000));
    assert!(numbers.iter().all(|number| (1..=33_000).contains(number)));
}

#[test]
fn runs_are_geometric_with_a_mean_of_3_4() {
    const RUNS: usize = 40_000;
    let clusters = clusters(RunLength::Geometric(3.4));
    let mut draws = draws(1);
    let lengths: Vec<u64> = (0..RUNS).map(|_| clusters.length(&mut draws)).collect();
    let mean = lengths.iter().sum::<u64>() as f64 / RUNS as f64;
    // The deviation is sqrt(1 - p) / p = 2.857; 5 of its standard errors are 0.071.
    assert!((mean - 3.4).abs() < 0.072, "{mean}");
    let ones = lengths.iter().filter(|length| **length == 1).count() as f64 / RUNS as f64;
    assert!((ones - 1.0 / 3.4).abs() < 0.0115, "{ones}");
    let longer = |k: u64| lengths.iter().filter(|length| **length > k).count() as f64 / RUNS as f64;
    for k in [2, 5, 10] {
        let wanted = (1.0_f64 - 1.0 / 3.4).powi(k as i32);
        let bound = 5.0 * (wanted * (1.0 - wanted) / RUNS as f64).sqrt();
        assert!((longer(k) - wanted).abs() < bound, "{k}: {} {wanted}", longer(k));
    }
}

/// 98 % single sectors, else at least 2, P(length >= l) = (2 / l)^1.79 of these, and no longer than
/// 2048.
#[test]
fn bursts_are_single_sectors_or_pareto() {
    const BURSTS: usize = 200_000;
    let clusters = clusters(BURST);
    let mut draws = draws(2);
    let lengths: Vec<u64> = (0..BURSTS).map(|_| clusters.length(&mut draws)).collect();
    let share =
        |from: u64| lengths.iter().filter(|length| **length >= from).count() as f64 / BURSTS as f64;
    for from in [2, 3, 10] {
        let wanted = 0.02 * (2.0 / from as f64).powf(1.79);
        let bound = 5.0 * (wanted / BURSTS as f64).sqrt();
        assert!((share(from) - wanted).abs() < bound, "{from}: {} {wanted}", share(from));
    }
    assert!(lengths.iter().all(|length| (1..=2048).contains(length)));
}

/// "Where others are not near, they begin anywhere, each place equally likely."
#[test]
fn half_of_the_runs_begin_near_the_one_before() {
    const PLACES: u64 = 1 << 28;
    let shape =
        scenario::Clusters { median: 20_000.0, sigma: 0.0, ..shape(RunLength::Geometric(1.0)) };
    let chosen =
        Clusters::new(&shape, BLOCK).choose(&mut draws(3), std::slice::from_ref(&(0..PLACES)));
    assert_eq!(chosen.len(), 20_000);
    let chosen: Vec<u64> = chosen.into_iter().collect();
    let near = 10_000_000 / BLOCK;
    let has_neighbour = |place: &usize| {
        let apart =
            |other: Option<&u64>| other.is_some_and(|one| one.abs_diff(chosen[*place]) <= near);
        apart(chosen.get(place + 1))
            || place.checked_sub(1).is_some_and(|one| apart(chosen.get(one)))
    };
    let with = (0..chosen.len()).filter(has_neighbour).count() as f64 / chosen.len() as f64;
    // A run is near another if it began near the one before, or the next one began near it: 3 in 4;
    // of the others about one in three by chance, as 20,000 windows cover 37 % of the device.
    assert!((0.75..0.88).contains(&with), "{with}");
}

/// "A run ends where its file does."
#[test]
fn runs_end_where_their_file_does_and_a_small_device_is_damaged_everywhere() {
    let shape = scenario::Clusters { median: 1e9, sigma: 0.0, ..shape(RunLength::Geometric(50.0)) };
    let all = Clusters::new(&shape, BLOCK).choose(&mut draws(4), &[0..10, 7..7, 3..13]);
    assert!(all.into_iter().eq(0..20));
    let shape = scenario::Clusters { median: 10.0, ..shape };
    for seed in 0..50 {
        let chosen = Clusters::new(&shape, BLOCK).choose(&mut draws(seed), &vec![0..1000; 100]);
        assert_eq!(chosen.len(), 10);
        assert!(runs(&chosen).len() <= 3, "long runs: {chosen:?}");
    }
    assert!(Clusters::new(&shape, BLOCK).choose(&mut draws(5), &[]).is_empty());
}

#[test]
fn devices_of_neighbouring_seeds_have_nothing_to_do_with_each_other() {
    let clusters = clusters(RunLength::Geometric(3.4));
    let count = |seed| (clusters.number(&mut draws(seed)) as f64).ln();
    let one: Vec<f64> = (0..1_000).map(count).collect();
    let next: Vec<f64> = (1..1_001).map(count).collect();
    let r = super::sample::correlation(&one, &next);
    assert!(r.abs() < 5.0 / 31.6, "{r}");
}

#[test]
fn sick_devices_are_what_they_were() {
    let chosen = |run, seed| -> Vec<u64> {
        let chosen = clusters(run).choose(&mut draws(seed), &[0..100_000, 0..50_000]);
        chosen.into_iter().collect()
    };
    let all = [7, 8, 12].map(|seed| (chosen(RunLength::Geometric(3.4), seed), chosen(BURST, seed)));
    let wanted = [
        (vec![99_217, 99_218, 99_219], vec![19_824, 21_939, 99_217]),
        (vec![20_301, 20_302, 99_243], vec![20_301, 22_589, 99_243]),
        (vec![97_505], vec![97_505]),
    ];
    assert_eq!(all, wanted);
}
