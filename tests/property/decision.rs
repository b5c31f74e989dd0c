//! Decisions are functions of place and generation: not of how, when or by whom bytes are read.

use std::ops::Range;

use errorfs::media::Medium;
use errorfs::plan::{Flip, RuleId};
use errorfs::scenario::{BitAmount, Persistence};
use proptest::prelude::*;

use super::overwrites::{overwrites, overwritten};
use super::subject::{arm, bit_rules, damage, flips, read, rule};

/// Reads by which a range can be cut, and an order to do them in.
fn partition(range: Range<u64>) -> impl Strategy<Value = Vec<Range<u64>>> {
    let cuts = prop::collection::btree_set(range.clone(), 0..40);
    let reads = cuts.prop_map(move |cuts| {
        let inner = cuts.iter().copied().filter(|cut| *cut > range.start);
        let ends: Vec<u64> = inner.chain([range.end]).collect();
        let starts = [range.start].into_iter().chain(ends.iter().copied());
        starts.zip(ends.clone()).map(|(start, end)| start..end).collect::<Vec<_>>()
    });
    reads.prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_partition_into_reads_gives_the_same_flips(
        reads in partition(100_000..150_000),
        writes in overwrites(),
        seed: u64,
    ) {
        let armed = arm(seed, bit_rules());
        let medium = overwritten(&writes);
        let whole = read(&armed, "f", &medium, 100_000..150_000).flips;
        let parts = reads.into_iter().flat_map(|part| read(&armed, "f", &medium, part).flips);
        let mut parts: Vec<Flip> = parts.collect();
        parts.sort();
        prop_assert!(!whole.is_empty());
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn flips_are_sorted_distinct_and_inside_the_read(
        start in 0_u64..200_000,
        len in 0_u64..100_000,
        writes in overwrites(),
        seed: u64,
    ) {
        let armed = arm(seed, bit_rules());
        let flips = read(&armed, "f", &overwritten(&writes), start..start + len).flips;
        prop_assert!(flips.windows(2).all(|pair| (pair[0].byte, pair[0].bit) < (pair[1].byte, pair[1].bit)));
        prop_assert!(flips.iter().all(|flip| (start..start + len).contains(&flip.byte) && flip.bit < 8));
    }

    #[test]
    fn applying_the_flips_changes_exactly_the_named_bits(seed: u64, fill: u8) {
        let armed = arm(seed, bit_rules());
        let flips = read(&armed, "f", &Medium::default(), 119_000..125_000).flips;
        let mut bytes = vec![fill; 6_000];
        flips.iter().for_each(|flip| bytes[(flip.byte - 119_000) as usize] ^= 1 << flip.bit);
        let changed: u32 = bytes.iter().map(|byte| (byte ^ fill).count_ones()).sum();
        prop_assert_eq!(changed as usize, flips.len());
    }

    #[test]
    fn rules_do_not_shift_each_other(seed: u64) {
        let both = arm(seed, bit_rules());
        let alone = arm(seed, bit_rules().split_off(1));
        let (flips, _) = damage(&both, "f", 0..110_000);
        let (expected, _) = damage(&alone, "f", 0..110_000);
        let places = |flips: Vec<Flip>| flips.iter().map(|f| (f.byte, f.bit)).collect::<Vec<_>>();
        prop_assert_eq!(places(flips), places(expected));
    }
}

#[test]
fn threads_see_what_one_reader_sees() {
    let armed = arm(3, bit_rules());
    let medium = Medium::default();
    let expected = read(&armed, "f", &medium, 0..200_000).flips;
    std::thread::scope(|scope| {
        for thread in 0..16_u64 {
            let (armed, medium, expected) = (&armed, &medium, &expected);
            scope.spawn(move || {
                let block = |n: u64| (n * 7 + thread * 3) % 50 * 4_000;
                let mut found: Vec<Flip> = (0..50)
                    .flat_map(|n| read(armed, "f", medium, block(n)..block(n) + 4_000).flips)
                    .collect();
                found.sort();
                assert_eq!(&found, expected);
            });
        }
    });
}

#[test]
fn interleaved_paths_do_not_disturb_transient_draws() {
    let rules = || vec![rule("t", flips(BitAmount::Count(3), Persistence::Transient))];
    let places = |paths: &[&str]| -> Vec<(u64, u8)> {
        let armed = arm(9, rules());
        let reads =
            paths.iter().map(|path| (path, read(&armed, path, &Medium::default(), 0..4_096)));
        let own = reads.filter(|(path, _)| **path == "a");
        own.flat_map(|(_, decision)| decision.flips).map(|flip| (flip.byte, flip.bit)).collect()
    };
    assert_eq!(places(&["a", "a", "a"]), places(&["b", "a", "c", "a", "b", "b", "a"]));
}

#[test]
fn a_rate_of_one_flips_every_bit_and_zero_none() {
    let armed = |rate| arm(1, vec![rule("r", flips(BitAmount::Rate(rate), Persistence::Sticky))]);
    let all = read(&armed(1.0), "f", &Medium::default(), 130_000..135_000).flips;
    assert_eq!(all.len(), 40_000);
    assert!(all.iter().all(|flip| flip.rule == RuleId(0)));
    assert!(read(&armed(0.0), "f", &Medium::default(), 0..1 << 20).is_clean());
}
