//! Several streams: seeds, rules, domains, generations and files have nothing to do with each other.

use errorfs::plan::sampler::{Bernoulli, CELL_TRIALS};
use errorfs::plan::seed::{Purpose, StreamKey};

use super::sample::{chi_square, correlation, histogram, key, moments};

const SEEDS: u64 = 1_000;
/// Ten hits a cell.
const RATE: f64 = 10.0 / CELL_TRIALS as f64;
/// |r| of this many independent pairs stays below, but for 6e-7.
const BOUND: f64 = 5.0 / 31.6;

fn counts(key: impl Fn(u64) -> StreamKey) -> Vec<f64> {
    let trials = Bernoulli::new(RATE);
    let count = |seed| trials.hits(key(seed), 0, 0, 0..CELL_TRIALS).count() as f64;
    (0..SEEDS).map(count).collect()
}

#[test]
fn counts_over_a_thousand_seeds_are_poisson() {
    let counts = counts(|seed| key(seed, "a"));
    let (mean, variance) = moments(&counts);
    // 5 standard deviations of the mean, and of the ratio.
    assert!((mean - 10.0).abs() < 5.0 * (10.0_f64 / 1_000.0).sqrt(), "{mean}");
    assert!((variance / mean - 1.0).abs() < 5.0 * (2.0_f64 / 1_000.0).sqrt(), "{variance}");
}

#[test]
fn neighbouring_seeds_are_uncorrelated() {
    let r = correlation(&counts(|seed| key(seed, "a")), &counts(|seed| key(seed + 1, "a")));
    assert!(r.abs() < BOUND, "{r}");
}

#[test]
fn rules_are_uncorrelated() {
    let r = correlation(&counts(|seed| key(seed, "a")), &counts(|seed| key(seed, "b")));
    assert!(r.abs() < BOUND, "{r}");
}

#[test]
fn domains_are_uncorrelated_and_the_same_domain_is_the_same() {
    let of = |domain: &'static str| {
        counts(move |seed| StreamKey::derive(seed, "a", domain, b"f", Purpose::StoredBits))
    };
    let r = correlation(&of("one"), &of("two"));
    assert!(r.abs() < BOUND, "{r}");
    assert_eq!(of("one"), of("one"));
}

#[test]
fn cells_and_generations_of_one_stream_are_uncorrelated() {
    let trials = Bernoulli::new(RATE);
    let key = key(7, "cells");
    let of = |shift: u64, generation| -> Vec<f64> {
        let count =
            |cell| trials.hits(key, cell + shift, generation, 0..CELL_TRIALS).count() as f64;
        (0..SEEDS).map(count).collect()
    };
    let base = of(0, 0);
    for other in [of(1, 0), of(0, 1), of(1 << 32, 0)] {
        let r = correlation(&base, &other);
        assert!(r.abs() < BOUND, "{r}");
    }
}

#[test]
fn one_bit_of_a_count_falls_anywhere_equally() {
    use errorfs::plan::sampler::distinct;
    let class = |seed| {
        let key = StreamKey::derive(seed, "one", "", b"", Purpose::Placement);
        let chosen = distinct(&mut key.draws(0, 0), 1, 64 * 1_000_003);
        chosen.into_iter().map(|place| place / 1_000_003)
    };
    let chi = chi_square(&histogram((0..8_000).flat_map(class), 64));
    assert!(chi < 131.4, "{chi}");
}

#[test]
fn pairs_of_a_count_are_equally_likely_sets() {
    use errorfs::plan::sampler::distinct;
    let class = |seed| {
        let key = StreamKey::derive(seed, "two", "", b"", Purpose::Placement);
        let chosen: Vec<u64> = distinct(&mut key.draws(0, 0), 2, 5).into_iter().collect();
        chosen[0] * 5 + chosen[1]
    };
    let counts = histogram((0..10_000).map(class), 25);
    let pairs: Vec<u64> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(pairs.len(), 10);
    // df 9 at 1e-6.
    assert!(chi_square(&pairs) < 44.0, "{pairs:?}");
}
