//! Golden vectors of draw version 1: a seed means the same for ever, on every machine.
//!
//! If one of these fails, the change is wrong: old seeds, ledgers and reports would lie.

use std::path::Path;
use std::time::Duration;

use errorfs::media::Medium;
use errorfs::plan::fault::{Latency, LostWrite, Short, TornWrite};
use errorfs::plan::sampler::{Bernoulli, CELL_TRIALS, distinct};
use errorfs::plan::seed::{DRAW_VERSION, Purpose, StreamKey, below};
use errorfs::plan::{Corrupted, DamageId, Filling};
use errorfs::scenario::{self, Content, Distribution, Persistence, Rest, ShortLength, WritePart};

use crate::property::subject;

fn key(file: &[u8], purpose: Purpose) -> StreamKey {
    StreamKey::derive(7, "rot", "node-1", file, purpose)
}

#[test]
fn keys_are_what_they_were() {
    assert_eq!(DRAW_VERSION, 1);
    let keys = [
        key(b"a.sst", Purpose::StoredBits),
        key(b"a.sst", Purpose::StoredSectors),
        key(b"a.sst", Purpose::Transient),
        key(b"a.sst", Purpose::Probability),
        key(b"a.sst", Purpose::Latency),
        key(b"", Purpose::Placement),
        key(b"\xff/b", Purpose::StoredBits),
    ];
    assert_eq!(
        keys.map(StreamKey::to_u64),
        [
            3_969_342_023_074_488_632,
            12_833_962_308_690_186_212,
            3_562_740_293_777_567_231,
            2_562_982_601_853_626_570,
            5_424_640_950_843_928_551,
            3_864_371_110_359_023_500,
            12_292_711_718_191_278_378
        ]
    );
}

#[test]
fn draws_are_what_they_were() {
    let mut draws = StreamKey::from_u64(0x0123_4567_89ab_cdef).draws(0xfedc_ba98_7654_3210, 3);
    assert_eq!(
        [draws.draw(), draws.draw(), draws.draw()],
        [14_744_273_502_686_376_635, 13_392_168_409_790_900_163, 1_098_870_850_241_743_210]
    );
    assert_eq!(
        [10, 1_000, u64::MAX].map(|bound| below(&mut draws, bound)),
        [8, 316, 18_256_798_403_261_613_607]
    );
}

#[test]
fn positions_are_what_they_were() {
    let key = key(b"a.sst", Purpose::StoredBits);
    let first = |rate, cell, generation| -> Vec<u64> {
        let trials = Bernoulli::new(rate);
        trials.hits(key, cell, generation, 0..CELL_TRIALS).take(5).collect()
    };
    assert_eq!(first(1e-3, 0, 0), [3876, 4672, 5959, 6706, 6782]);
    assert_eq!(first(1e-5, 1, 0), [22_634, 23_751, 70_118, 240_242, 487_620]);
    assert_eq!(first(1e-5, 1, 1), [96_354, 143_343, 336_432, 342_157, 798_516]);
    assert_eq!(first(0.5, 1 << 40, 0), [1, 2, 3, 5, 6]);
    let rare: Vec<u64> = (0..60_000).filter(|cell| !first(1e-10, *cell, 0).is_empty()).collect();
    assert_eq!(rare, [3968, 17_880, 24_567, 29_406, 37_416, 58_764]);
    let chosen = distinct(&mut key.draws(0, 0), 5, 1 << 40);
    assert_eq!(
        chosen.into_iter().collect::<Vec<_>>(),
        [79_987_272_129, 578_678_018_972, 603_401_070_630, 795_873_046_285, 1_076_777_964_545]
    );
}

#[test]
fn regions_and_junk_are_what_they_were() {
    let keys = [key(b"a.sst", Purpose::StoredRegions), key(b"a.sst", Purpose::Junk)];
    assert_eq!(
        keys.map(StreamKey::to_u64),
        [18_431_522_799_867_328_900, 11_540_341_667_615_269_282]
    );
    let rules = |content, region, persistence| {
        vec![subject::rule("rot", subject::regions(content, 0.01, region, persistence))]
    };
    let armed = subject::arm(7, rules(Content::Junk(None), 512, Persistence::Sticky));
    let regions = subject::damage_of(&armed, "a.sst", 0..200_000).regions;
    let starts: Vec<u64> = regions.iter().take(4).map(|one| one.region.start).collect();
    assert_eq!(starts, [3_584, 17_920, 27_648, 102_912]);
    let filling = Filling::Junk { key: keys[1], generation: 0 };
    assert_eq!(regions[0].filling, filling);
    let bytes = |start: u64, generation| {
        let filling = Filling::Junk { key: keys[1], generation };
        let bytes = start..start + 8;
        let run = Corrupted { filling, bytes, differs_at: u64::MAX, ..regions[0].clone() };
        let mut data = [0; 8];
        run.fill(&mut data, start);
        data
    };
    // Also what a Philox in another language gives for cells 0 and 2^37.
    assert_eq!(bytes(0, 0), [218, 110, 115, 239, 73, 235, 19, 96]);
    assert_eq!(bytes(3, 0), [239, 73, 235, 19, 96, 53, 199, 184]);
    assert_eq!(bytes(1 << 40, 1), [38, 204, 106, 131, 53, 240, 140, 205]);
    assert_eq!(
        armed.region_id(&regions[0], Some(Path::new("a.sst"))),
        DamageId(7_257_702_669_490_920_371)
    );
    let armed = subject::arm(7, rules(Content::Junk(None), 4_096, Persistence::Transient));
    let medium = Medium::default();
    let once: Vec<_> = (0..3)
        .flat_map(|_| subject::read(&armed, "a.sst", &medium, 0..1 << 20).regions)
        .map(|one| (one.occurrence, one.region.start, one.filling))
        .collect();
    assert_eq!(once.len(), 8);
    let key = StreamKey::from_u64(765_112_012 << 32 | 2_679_686_965);
    assert_eq!(once[0], (1, 131_072, Filling::Junk { key, generation: 0 }));
}

#[test]
fn lost_blocks_and_tears_are_what_they_were() {
    let part = WritePart::Block { size: 4_096, at: None };
    let lost = LostWrite::new(&scenario::LostWrite { part });
    let key_lost = key(b"a.sst", Purpose::LostWrite);
    let starts = [1, 2, 3, 1_000_000].map(|nth| lost.lost(key_lost, nth, &(0..1 << 20)).start);
    assert_eq!(starts, [999_424, 327_680, 692_224, 45_056]);
    let rest = Rest::Old;
    let tears = |part| {
        let torn = TornWrite::new(&scenario::TornWrite { keep: None, rest, part });
        let key = key(b"a.sst", Purpose::TornWrite);
        [1, 2, 3].map(|nth| torn.torn(key, nth, &(0..1 << 20)).unwrap().lost)
    };
    assert_eq!(tears(part), [272_384..274_432, 84_992..86_016, 870_912..872_448]);
    let end = 1 << 20;
    assert_eq!(tears(WritePart::Whole), [270_848..end, 82_944..end, 869_376..end]);
}

#[test]
fn latencies_are_what_they_were() {
    let key = key(b"a.sst", Purpose::Latency);
    let [ms1, ms9, median] = [1, 9, 20].map(Duration::from_millis);
    let delays = |distribution| {
        let fault = Latency::new(&scenario::Latency { distribution, step: None });
        [1, 2, 3, 1_000_000].map(|nth| fault.delay(key, nth).as_nanos())
    };
    assert_eq!(
        delays(Distribution::Uniform { from: ms1, to: ms9 }),
        [6_218_261, 2_638_273, 2_938_401, 3_814_668]
    );
    assert_eq!(
        delays(Distribution::Lognormal { median, sigma: 1.2 }),
        [47_321_647, 160_717_597, 5_305_023, 12_756_173]
    );
    assert_eq!(
        delays(Distribution::Normal { mean: median, deviation: ms1 }),
        [20_717_696, 21_736_597, 18_894_101, 19_625_235]
    );
    assert_eq!(
        delays(Distribution::Pareto { scale: ms1, shape: 1.5 }),
        [1_329_564, 2_878_297, 2_572_946, 2_006_512]
    );
    assert_eq!(
        delays(Distribution::Empirical([ms1, ms9, median].into())),
        [9_000_000, 1_000_000, 1_000_000, 9_000_000]
    );
}

#[test]
fn short_lengths_are_what_they_were() {
    let key = key(b"a.sst", Purpose::Length);
    let moved = |multiple| {
        let fault = Short::new(&scenario::Short { length: ShortLength::Drawn, multiple });
        [1, 2, 3, 1_000_000].map(|nth| fault.moved(key, nth, 65_536).unwrap())
    };
    assert_eq!(moved(1), [7_536, 64_197, 20_166, 38_120]);
    assert_eq!(moved(512), [7_680, 64_000, 20_480, 37_888]);
}

#[test]
fn damage_of_a_whole_plan_is_what_it_was() {
    let armed = subject::armed(7);
    let (flips, sectors) = subject::damage(&armed, "a.sst", 0..100_000);
    let places: Vec<(u64, u8)> = flips.iter().take(4).map(|flip| (flip.byte, flip.bit)).collect();
    assert_eq!(places, [(1591, 7), (1699, 1), (3640, 7), (4961, 3)]);
    let starts: Vec<u64> = sectors.iter().take(3).map(|sector| sector.sector.start).collect();
    assert_eq!(starts, [5120, 16_384, 20_480]);
    assert_eq!(subject::first_id(&armed, "a.sst", &flips[0]), DamageId(0xa412_6f76_5d0d_b29a));
}
