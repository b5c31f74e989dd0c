//! What the other files draw and how they judge it: cells of hits, chi-square, correlation.

use errorfs::plan::sampler::{Bernoulli, CELL_TRIALS};
use errorfs::plan::seed::{Purpose, StreamKey};

/// The key of a rule's stored bits in one file.
pub(crate) fn key(seed: u64, rule: &str) -> StreamKey {
    StreamKey::derive(seed, rule, "", b"data/table.sst", Purpose::StoredBits)
}

/// The hits of each of the first cells of a stream.
pub(crate) fn cells(key: StreamKey, rate: f64, count: u64) -> Vec<Vec<u64>> {
    let trials = Bernoulli::new(rate);
    (0..count).map(|cell| trials.hits(key, cell, 0, 0..CELL_TRIALS).collect()).collect()
}

/// Pearson's chi-square of counts that should be equal.
pub(crate) fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let square = |count: &u64| (*count as f64 - expected).powi(2) / expected;
    counts.iter().map(square).sum()
}

/// How many values fall into each of `bins` classes.
pub(crate) fn histogram(values: impl Iterator<Item = u64>, bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    values.for_each(|class| counts[class as usize] += 1);
    counts
}

/// Mean and variance.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance)
}

/// Pearson's correlation.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a), moments(b));
    let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
    products.sum::<f64>() / a.len() as f64 / (variance_a * variance_b).sqrt()
}
