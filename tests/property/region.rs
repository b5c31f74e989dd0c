//! Corrupt regions are functions of place and generation, for every partition into reads.

use std::ops::Range;

use errorfs::injector::Armed;
use errorfs::media::Medium;
use errorfs::plan::{Corrupted, RuleId};
use errorfs::scenario::{BitAmount, Content, Persistence, Rule};
use proptest::prelude::*;

use super::overwrites::{overwrites, overwritten};
use super::subject::{arm, flips, read, regions, rule};

/// Regions over regions, and flips on top.
fn rules() -> Vec<Rule> {
    let mut small = rule("small", regions(Content::Junk(None), 0.2, 512, Persistence::Sticky));
    small.select.bytes = Some(120_100..140_000);
    vec![
        small,
        rule("zero", regions(Content::Zero, 0.3, 4_096, Persistence::Permanent)),
        rule("large", regions(Content::Junk(None), 0.5, 16_384, Persistence::Sticky)),
        rule("rot", flips(BitAmount::Rate(1e-3), Persistence::Sticky)),
    ]
}

/// What a read of a file of these bytes gives.
fn served(armed: &Armed, medium: &Medium, range: Range<u64>, stored: &[u8]) -> Vec<u8> {
    let decision = read(armed, "f", medium, range.clone());
    let mut data = stored[range.start as usize..range.end as usize].to_vec();
    decision.regions.iter().for_each(|region| region.fill(&mut data, range.start));
    for flip in &decision.flips {
        data[(flip.byte - range.start) as usize] ^= 1 << flip.bit;
    }
    data
}

fn cuts(range: Range<u64>) -> impl Strategy<Value = Vec<Range<u64>>> {
    let cuts = prop::collection::btree_set(range.start + 1..range.end, 0..40);
    cuts.prop_map(move |cuts| {
        let ends: Vec<u64> = cuts.into_iter().chain([range.end]).collect();
        let starts = [range.start].into_iter().chain(ends.iter().copied());
        starts.zip(ends.clone()).map(|(start, end)| start..end).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_partition_into_reads_gives_the_same_bytes(
        reads in cuts(100_000..150_000),
        writes in overwrites(),
        seed: u64,
        fill: u8,
    ) {
        let (armed, medium) = (arm(seed, rules()), overwritten(&writes));
        let stored = vec![fill; 1 << 18];
        let whole = served(&armed, &medium, 100_000..150_000, &stored);
        let parts = reads.into_iter().flat_map(|part| served(&armed, &medium, part, &stored));
        prop_assert!(whole == parts.collect::<Vec<u8>>());
    }

    #[test]
    fn regions_are_sorted_apart_aligned_and_inside_the_read(
        start in 0_u64..200_000,
        len in 0_u64..60_000,
        writes in overwrites(),
        seed: u64,
    ) {
        let found = read(&arm(seed, rules()), "f", &overwritten(&writes), start..start + len).regions;
        prop_assert!(found.windows(2).all(|pair| pair[0].bytes.end <= pair[1].bytes.start));
        for Corrupted { bytes, region, .. } in &found {
            prop_assert!(!bytes.is_empty() && start <= bytes.start && bytes.end <= start + len);
            prop_assert!(region.start <= bytes.start && bytes.end <= region.end);
            prop_assert_eq!(region.start % (region.end - region.start), 0);
        }
    }

    #[test]
    fn what_is_not_overwritten_stays_as_it_was(writes in overwrites(), seed: u64) {
        let armed = arm(seed, rules());
        let stored = vec![3; 1 << 18];
        let before = served(&armed, &Medium::default(), 0..1 << 18, &stored);
        let after = served(&armed, &overwritten(&writes), 0..1 << 18, &stored);
        for at in 0..1_usize << 18 {
            let written = writes.iter().any(|write| write.contains(&(at as u64)));
            prop_assert!(written || before[at] == after[at], "byte {}", at);
        }
    }

    #[test]
    fn rules_do_not_shift_each_other(seed: u64) {
        let alone = arm(seed, rules().split_off(2));
        let both = arm(seed, rules());
        let of_large = |armed: &Armed, id| -> Vec<Corrupted> {
            let all = read(armed, "f", &Medium::default(), 0..1 << 18).regions;
            all.into_iter().filter(|region| region.rule == RuleId(id)).collect()
        };
        let lone = of_large(&alone, 0);
        for part in of_large(&both, 2) {
            let same = |one: &&Corrupted| one.region == part.region && one.filling == part.filling;
            prop_assert!(lone.iter().any(|one| same(&one)));
        }
    }
}

#[test]
fn threads_see_what_one_reader_sees() {
    let armed = arm(3, rules());
    let medium = Medium::default();
    let stored = vec![9; 200_000];
    let expected = served(&armed, &medium, 0..200_000, &stored);
    std::thread::scope(|scope| {
        for thread in 0..16_u64 {
            let (armed, medium, stored, expected) = (&armed, &medium, &stored, &expected);
            scope.spawn(move || {
                for n in 0..50 {
                    let block = (n * 7 + thread * 3) % 50 * 4_000;
                    let wanted = &expected[block as usize..block as usize + 4_000];
                    assert_eq!(served(armed, medium, block..block + 4_000, stored), wanted);
                }
            });
        }
    });
}

#[test]
fn a_rate_of_one_corrupts_every_byte_and_zero_none() {
    let armed =
        |rate| arm(1, vec![rule("r", regions(Content::Byte(7), rate, 512, Persistence::Sticky))]);
    let medium = Medium::default();
    assert_eq!(served(&armed(1.0), &medium, 300..9_000, &[1; 9_000]), vec![7; 8_700]);
    assert!(read(&armed(0.0), "f", &medium, 0..1 << 20).is_clean());
}
