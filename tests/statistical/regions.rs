//! Corrupt regions: as many as their rate says, anywhere equally, and junk without a pattern.

use errorfs::plan::fault::Corrupt;
use errorfs::plan::seed::StreamKey;
use errorfs::plan::{Corrupted, Filling, RuleId};
use errorfs::scenario::{self, Content, Persistence, RegionAmount};

use super::sample::{chi_square, correlation, histogram, key, moments};

fn corrupt(rate: f64) -> Corrupt {
    Corrupt::new(&scenario::Corrupt {
        content: Content::Zero,
        amount: RegionAmount::Rate(rate),
        region: 4_096,
        persistence: Persistence::Sticky,
    })
}

/// The numbers of the corrupt ones among the first `count` regions of a file.
fn hits(rate: f64, key: StreamKey, count: u64, generation: u32) -> Vec<u64> {
    let mut found = Vec::new();
    corrupt(rate).stored(key, &[], (0..count, generation), &mut |number| found.push(number));
    found
}

/// `len` bytes of junk, over zeros.
fn junk(key: StreamKey, generation: u32, start: u64, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    let bytes = start..start + len as u64;
    let filling = Filling::Junk { key, generation };
    let region = bytes.clone();
    let rule = RuleId(0);
    let whole =
        Corrupted { rule, region, bytes, generation, occurrence: 0, filling, differs_at: u64::MAX };
    whole.fill(&mut data, start);
    data
}

#[test]
fn counts_lie_inside_the_exact_poisson_interval() {
    // Two-sided 1e-6 intervals (fault-models.md 4.3), which also bound the binomial counts here.
    let cases = [(50.0, 20, 88), (100.0, 55, 153), (200.0, 135, 273), (500.0, 395, 613)];
    let count = 3 << 20;
    for (expected, low, high) in cases {
        for seed in 0..40 {
            let found = hits(expected / count as f64, key(seed, "regions"), count, 0).len();
            assert!((low..=high).contains(&found), "{expected}: {found}, seed {seed}");
        }
    }
}

#[test]
fn places_are_hit_equally_and_as_dispersed_as_independent_trials() {
    let count = 64 << 16;
    let found = hits(0.01, key(7, "places"), count, 0);
    let chi = chi_square(&histogram(found.iter().map(|number| number >> 16), 64));
    // df 63 at 1e-6; a bin is 65,536 regions.
    assert!(chi < 131.4, "{chi}");
    let low = chi_square(&histogram(found.iter().map(|number| number % 512), 512));
    assert!(low < 677.6, "{low}");
    let per_cell = histogram(found.iter().map(|number| number >> 10), 4_096);
    let counts: Vec<f64> = per_cell.iter().map(|count| *count as f64).collect();
    let (mean, variance) = moments(&counts);
    let bound = 5.0 * (2.0 / 4_096.0_f64).sqrt();
    assert!((variance / mean - 0.99).abs() < bound, "{}", variance / mean);
}

#[test]
fn generations_and_keys_are_uncorrelated() {
    let of = |name: &'static str, generation| -> Vec<f64> {
        let count = |seed| hits(1e-3, key(seed, name), 10_000, generation).len() as f64;
        (0..1_000).map(count).collect()
    };
    let base = of("a", 0);
    for other in [of("a", 1), of("b", 0)] {
        let r = correlation(&base, &other);
        assert!(r.abs() < 5.0 / 31.6, "{r}");
    }
}

#[test]
fn junk_is_even_over_bytes_bits_and_neighbours() {
    let data = junk(key(7, "junk"), 0, 3, 1 << 20);
    let bytes = chi_square(&histogram(data.iter().map(|byte| u64::from(*byte)), 256));
    // df 255 at 1e-6: 373.
    assert!(bytes < 373.0, "bytes: {bytes}");
    for bit in 0..8 {
        let ones = data.iter().filter(|byte| *byte >> bit & 1 == 1).count() as f64;
        // Binomial(2^20, 1/2): five standard deviations are 2560.
        assert!((ones - 524_288.0).abs() < 2_560.0, "bit {bit}: {ones}");
    }
    let pairs = data.windows(2).map(|pair| u64::from(pair[0] >> 4) << 4 | u64::from(pair[1] >> 4));
    let pairs = chi_square(&histogram(pairs, 256));
    assert!(pairs < 373.0, "neighbours: {pairs}");
}

#[test]
fn junk_of_other_keys_generations_and_places_agrees_by_chance_only() {
    let base = junk(key(7, "junk"), 0, 0, 1 << 18);
    let others = [
        junk(key(8, "junk"), 0, 0, 1 << 18),
        junk(key(7, "junk"), 1, 0, 1 << 18),
        junk(key(7, "junk"), 0, 1 << 18, 1 << 18),
        junk(key(7, "junk"), 0, 1, 1 << 18),
    ];
    for (number, other) in others.iter().enumerate() {
        let equal = base.iter().zip(other).filter(|(a, b)| a == b).count();
        // Binomial(2^18, 1/256): 1024, five standard deviations are 160.
        assert!(equal.abs_diff(1_024) < 160, "number {number}: {equal}");
    }
}
