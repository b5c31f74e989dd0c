//! One stream: rate, positions, gaps, borders.

use errorfs::plan::fault::Short;
use errorfs::plan::sampler::{Bernoulli, CELL_TRIALS};
use errorfs::scenario::{self, ShortLength};

use super::sample::{cells, chi_square, histogram, key, moments};

/// A 256 MiB file.
const CELLS: u64 = 2_048;

#[test]
fn counts_lie_inside_the_exact_poisson_interval() {
    // Two-sided 1e-6 intervals of the Poisson distribution (fault-models.md 4.3), which also bound
    // the binomial counts here.
    let cases = [(50.0, 20, 88), (100.0, 55, 153), (200.0, 135, 273), (500.0, 395, 613)];
    for (expected, low, high) in cases {
        for seed in 0..40 {
            let rate = expected / (CELLS * CELL_TRIALS) as f64;
            let found: usize = cells(key(seed, "rate"), rate, CELLS).iter().map(Vec::len).sum();
            assert!((low..=high).contains(&found), "{expected}: {found}, seed {seed}");
        }
    }
}

#[test]
fn rates_from_1e_4_to_1e_9_are_met_on_256_mib() {
    for (rate, count) in [(1e-4, 64), (1e-5, 512), (1e-6, CELLS), (1e-7, CELLS), (1e-8, CELLS)] {
        let expected = rate * (count * CELL_TRIALS) as f64;
        let found: usize = cells(key(7, "rate"), rate, count).iter().map(Vec::len).sum();
        // Five standard deviations: 6e-7 where the normal law holds.
        let bound = 5.0 * expected.sqrt();
        assert!((found as f64 - expected).abs() < bound, "{rate}: {found} not {expected}");
    }
    let found: usize = cells(key(7, "rate"), 1e-9, CELLS).iter().map(Vec::len).sum();
    assert!(found <= 14, "lambda 2.1: {found}");
}

#[test]
fn bits_and_places_are_hit_equally() {
    let hits: Vec<u64> = cells(key(7, "uniform"), 1e-5, 4_096).concat();
    assert!(hits.len() > 40_000);
    let of = |shift: u32, bins: u64| {
        let classes = hits.iter().map(move |hit| (hit >> shift) % bins);
        chi_square(&histogram(classes, bins as usize))
    };
    // Critical values at 1e-6 (fault-models.md 4.3): bit of byte, 64 places of the cell, 512 bins
    // of 8 bytes in a 4 KiB block.
    let [bit, place, block] = [of(0, 8), of(14, 64), of(6, 512)];
    assert!(bit < 40.5, "bit of byte: {bit}");
    assert!(place < 131.4, "place in cell: {place}");
    assert!(block < 677.6, "place in block: {block}");
}

#[test]
fn cells_are_as_dispersed_as_independent_trials() {
    for (rate, count) in [(1e-5, 2_000_u64), (1e-6, 20_000)] {
        let counts: Vec<f64> =
            cells(key(7, "dispersion"), rate, count).iter().map(|hits| hits.len() as f64).collect();
        let (mean, variance) = moments(&counts);
        let bound = 5.0 * (2.0 / count as f64).sqrt();
        assert!((variance / mean - 1.0).abs() < bound, "{rate}: {}", variance / mean);
    }
}

#[test]
fn the_first_and_the_last_bit_of_a_cell_are_hit_like_any_other() {
    let trials = Bernoulli::new(0.01);
    let key = key(7, "border");
    let (cells, mut first, mut last) = (2_000_u64, 0_u64, 0_u64);
    for cell in 0..cells {
        first += trials.hits(key, cell, 0, 0..1).count() as u64;
        // Walking to the end costs 10,000 draws a cell: fewer of them.
        if cell < 400 {
            last += trials.hits(key, cell, 0, CELL_TRIALS - 5..CELL_TRIALS).count() as u64;
        }
    }
    // Both expect 20: the exact interval at 1e-6.
    assert!((3..=45).contains(&first), "{first}");
    assert!((3..=45).contains(&last), "{last}");
}

#[test]
fn gaps_across_the_borders_of_cells_are_geometric() {
    let rate = 3e-6;
    let hits = cells(key(7, "gaps"), rate, 6_000);
    let absolute = hits
        .iter()
        .zip(0_u64..)
        .flat_map(|(hits, cell)| hits.iter().map(move |hit| cell * CELL_TRIALS + hit));
    let places: Vec<u64> = absolute.collect();
    let across = places.windows(2).filter(|pair| pair[0] / CELL_TRIALS != pair[1] / CELL_TRIALS);
    // Of the gaps that cross a border, the parts behind it: geometric, for want of memory.
    let behind: Vec<u64> = across.map(|pair| pair[1] % CELL_TRIALS).collect();
    let all: Vec<u64> = places.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    let survival = |gap: u64| libm::exp(libm::log1p(-rate) * gap as f64);
    let class = |gap: &u64| ((1.0 - survival(*gap)) * 20.0).min(19.0) as u64;
    let chi = chi_square(&histogram(all.iter().map(class), 20));
    // df 19 at 1e-6.
    assert!(chi < 63.2, "{chi} of {} gaps", all.len());
    // Behind a border only what fits the cell is seen: P(first hit in the first tenth | any).
    let tenth = behind.iter().filter(|place| **place < CELL_TRIALS / 10).count() as f64;
    let early = behind.iter().filter(|place| **place < CELL_TRIALS).count() as f64;
    let p = (1.0 - survival(CELL_TRIALS / 10)) / (1.0 - survival(CELL_TRIALS));
    let bound = 5.0 * (early * p * (1.0 - p)).sqrt();
    assert!((tenth - early * p).abs() < bound, "{tenth} of {early}, not {p}");
}

#[test]
fn real_device_rates_hit_as_often_as_they_say() {
    // At such rates nearly every cell is the gate's work alone.
    let trials = Bernoulli::new(2.5e-11);
    let key = key(7, "tiny");
    let found: usize =
        (0..2_000_000).map(|cell| trials.hits(key, cell, 0, 0..CELL_TRIALS).count()).sum();
    // lambda = 52.4.
    assert!((20..=93).contains(&found), "{found}");
}

/// "`keep` or `at_most` or neither: then the length is drawn, each that is possible equally
/// likely."
#[test]
fn short_lengths_are_equally_likely() {
    let fault = Short::new(&scenario::Short { length: ShortLength::Drawn, multiple: 512 });
    let lengths = (1..=40_000).filter_map(|nth| fault.moved(key(7, "length"), nth, 33_280));
    let lengths: Vec<u64> = lengths.map(|len| len / 512 - 1).collect();
    assert_eq!(lengths.len(), 40_000);
    // 64 lengths from 512 to 32768 bytes; the critical value at 1e-6 (fault-models.md 4.3).
    let square = chi_square(&histogram(lengths.into_iter(), 64));
    assert!(square < 131.4, "{square}");
}
