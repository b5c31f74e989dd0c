//! Scenarios of every kind, with every key, for the tests of properties.

use std::time::Duration;

use errorfs::errno::{ERRNOS, Errno};
use errorfs::op::{OpKind, OpSet};
use errorfs::scenario::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn duration() -> impl Strategy<Value = Duration> {
    (1u64..=3_153_600_000_000_000_000).prop_map(Duration::from_nanos)
}

fn fraction() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..=1.0, Just(0.0), Just(1.0), (0.0..1.0).prop_map(|x: f64| x.powi(40))]
}

fn paths(index: usize) -> impl Strategy<Value = Vec<PathPattern>> {
    let names = vec!["*.db", "a b/\"x\\\\y\"", "!**/*.log", "[ab]?", "{x,y}.é", "\\!bang", "\u{1}"];
    let len = names.len();
    subsequence(names, 0..=len).prop_map(move |names| {
        // A name of its own for each rule, so that none shadows or repeats another.
        let own = format!("rule-{index}/**");
        let names = names.into_iter().map(String::from).chain([own]);
        names.map(|name| PathPattern::new(&name).expect("a glob")).collect()
    })
}

fn ops(among: Vec<OpKind>) -> impl Strategy<Value = OpSet> {
    let len = among.len();
    subsequence(among, 1..=len).prop_map(|kinds| kinds.into_iter().fold(OpSet::EMPTY, OpSet::with))
}

fn bytes() -> impl Strategy<Value = std::ops::Range<u64>> {
    (0u64..1 << 40, 1u64..1 << 40, any::<bool>())
        .prop_map(|(start, len, open)| start..if open { u64::MAX } else { start + len })
}

const BYTE_OPS: [OpKind; 4] =
    [OpKind::Read, OpKind::Write, OpKind::Fallocate, OpKind::CopyFileRange];

/// Selections of operations: with a range, only operations that concern bytes, and always named.
/// The operations whose errors somebody sees.
fn seen() -> Vec<OpKind> {
    let unseen = OpSet::EMPTY.with(OpKind::Release).with(OpKind::Releasedir);
    OpKind::ALL.into_iter().filter(|kind| !unseen.contains(*kind)).collect()
}

fn changing() -> Vec<OpKind> {
    OpSet::CHANGING.iter().collect()
}

fn selecting(paths: Vec<PathPattern>, ops: Option<OpSet>) -> Select {
    Select { paths, ops, ..Select::default() }
}

fn select_of_ops(index: usize) -> impl Strategy<Value = Select> {
    let plain = (paths(index), proptest::option::of(ops(seen()))).prop_map(|(paths, ops)| Select {
        paths,
        ops,
        ..Select::default()
    });
    let ranged = (paths(index), ops(BYTE_OPS.to_vec()), bytes()).prop_map(|(paths, ops, bytes)| {
        Select { paths, ops: Some(ops), bytes: Some(bytes), ..Select::default() }
    });
    (prop_oneof![plain, ranged], askers()).prop_map(|(select, askers)| Select { askers, ..select })
}

/// Any few of them, none twice.
fn askers() -> impl Strategy<Value = Askers> {
    let ids = || proptest::collection::btree_set(any::<u32>(), 0..3);
    let pids = proptest::collection::btree_set(1..=u32::MAX, 0..3);
    let comms = proptest::collection::btree_set("[a-z: \"]{1,15}", 0..3);
    let cgroups = proptest::collection::btree_set("(/[a-z@]{1,5}){1,3}", 0..3);
    (ids(), ids(), pids, comms, cgroups).prop_map(|(uids, gids, pids, comms, cgroups)| Askers {
        uids: uids.into_iter().collect(),
        gids: gids.into_iter().collect(),
        pids: pids.into_iter().collect(),
        comms: comms.into_iter().collect(),
        cgroups: cgroups.into_iter().collect(),
    })
}

fn window() -> impl Strategy<Value = When> {
    let cycle = (duration(), duration()).prop_map(|(on, off)| Cycle { on, off });
    let times = (proptest::option::of(duration()), proptest::option::of(duration()));
    (times, proptest::option::of(cycle)).prop_map(|((after, for_), cycle)| When {
        after,
        for_,
        cycle,
        ..When::default()
    })
}

fn when() -> impl Strategy<Value = When> {
    let nth = proptest::collection::btree_set(1u64.., 0..4);
    let option = proptest::option::of::<BoxedStrategy<u64>>;
    let counted = (nth, option((1u64..).boxed()), proptest::option::of(fraction()), window());
    counted.prop_map(|(nth, every, probability, window)| {
        let nth: Vec<u64> = nth.into_iter().collect();
        When {
            every: every.filter(|_| nth.is_empty()),
            times: every.map(|every| every.max(nth.len() as u64)),
            nth,
            probability,
            ..window
        }
    })
}

fn positions(generations: bool) -> impl Strategy<Value = Vec<BitPosition>> {
    let position =
        (0u64..1 << 50, 0u8..8, any::<u32>()).prop_map(move |(byte, bit, generation)| {
            let generation = if generations { generation } else { 0 };
            BitPosition { byte, bit, generation }
        });
    proptest::collection::btree_set(position, 1..20).prop_map(|set| set.into_iter().collect())
}

/// Of reads, and of writes.
fn persistence() -> impl Strategy<Value = Persistence> {
    prop_oneof![select(Persistence::ALL.to_vec()), Just(Persistence::Written)]
}

fn bit_flip() -> impl Strategy<Value = BitFlip> {
    persistence().prop_flat_map(|persistence| {
        let amount = prop_oneof![
            fraction().prop_map(BitAmount::Rate),
            (1u64..).prop_map(BitAmount::Count),
            positions(persistence == Persistence::Sticky).prop_map(BitAmount::At),
        ];
        amount.prop_map(move |amount| BitFlip { amount, persistence })
    })
}

fn burst() -> impl Strategy<Value = RunLength> {
    (0.0..1.0, 0.1..100.0, 1u64..1 << 40).prop_map(|(single, shape, longest)| RunLength::Burst {
        single,
        shape,
        longest,
    })
}

fn clusters(run: BoxedStrategy<RunLength>) -> impl Strategy<Value = Clusters> {
    let number = (1.0..1e9, 0.0..10.0, 1u64..);
    (number, run, 0.0..1.0, 0u64..1 << 40).prop_map(|(number, run, near, neighbourhood)| {
        let (median, sigma, max) = number;
        Clusters { median, sigma, max, run, near, neighbourhood }
    })
}

fn bad_sector() -> impl Strategy<Value = BadSector> {
    let sectors = proptest::collection::btree_set(0u64..1 << 30, 1..20);
    let amount = prop_oneof![
        fraction().prop_map(SectorAmount::Rate),
        (1u64..).prop_map(SectorAmount::Count),
        clusters(burst().boxed()).prop_map(SectorAmount::Clusters),
        sectors
            .prop_map(|set| SectorAmount::At(set.into_iter().map(|n| n * 4096 + n % 7).collect())),
    ];
    (amount, select(vec![512u32, 4096])).prop_map(|(amount, sector)| BadSector { amount, sector })
}

fn regions(generations: bool) -> impl Strategy<Value = Vec<RegionPosition>> {
    let position = (0u64..1 << 30, any::<u32>()).prop_map(move |(number, generation)| {
        let generation = if generations { generation } else { 0 };
        RegionPosition { byte: number * 65_536 + number % 7, generation }
    });
    proptest::collection::btree_set(position, 1..20).prop_map(|set| set.into_iter().collect())
}

fn corrupt() -> impl Strategy<Value = Corrupt> {
    let content = prop_oneof![
        Just(Content::Zero),
        Just(Content::Stale),
        (1u8..).prop_map(Content::Byte),
        proptest::option::of(any::<u64>()).prop_map(Content::Junk),
    ];
    let shape = (content, 9u32..=16, persistence());
    shape.prop_flat_map(|(content, shift, persistence)| {
        // What is being written has no earlier content.
        let content = match (content, persistence) {
            (Content::Stale, Persistence::Written) => Content::Zero,
            (content, _) => content,
        };
        let number = prop_oneof![
            (1u64..).prop_map(RegionAmount::Count),
            clusters((1.0..1e6).prop_map(RunLength::Geometric).boxed())
                .prop_map(RegionAmount::Clusters),
        ];
        let amount = prop_oneof![
            fraction().prop_map(RegionAmount::Rate),
            number.prop_map(move |number| match (number, persistence) {
                (RegionAmount::Clusters(_), Persistence::Transient | Persistence::Written) => {
                    RegionAmount::Count(1)
                }
                (number, _) => number,
            }),
            regions(persistence == Persistence::Sticky).prop_map(move |mut at| {
                // Bytes of generation 0 have no earlier one.
                let first =
                    u32::from(content == Content::Stale && persistence == Persistence::Sticky);
                at.iter_mut().for_each(|at| at.generation = at.generation.max(first));
                RegionAmount::At(at)
            }),
        ];
        amount.prop_map(move |amount| Corrupt { content, amount, region: 1 << shift, persistence })
    })
}

fn distribution() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        duration().prop_map(Distribution::Constant),
        (duration(), duration())
            .prop_filter("from before to", |(from, to)| from < to)
            .prop_map(|(from, to)| Distribution::Uniform { from, to }),
        (duration(), 1e-9..=10.0)
            .prop_map(|(median, sigma)| Distribution::Lognormal { median, sigma }),
        (duration(), duration())
            .prop_map(|(mean, deviation)| Distribution::Normal { mean, deviation }),
        (duration(), 0.1..100.0).prop_map(|(scale, shape)| Distribution::Pareto { scale, shape }),
        proptest::collection::vec(duration(), 1..9)
            .prop_map(|delays| Distribution::Empirical(delays.into())),
    ]
}

fn dead() -> impl Strategy<Value = Dead> {
    let flap = (duration(), duration()).prop_map(|(down, up)| Flap { down, up });
    let shape = (proptest::option::of(duration()), proptest::option::of(flap));
    (select(Dead::ERRNOS.to_vec()), shape).prop_map(|(errno, (for_, flap))| Dead {
        errno,
        for_,
        flap,
    })
}

fn short() -> impl Strategy<Value = Short> {
    (1u64..1 << 20).prop_flat_map(|multiple| {
        let length = prop_oneof![
            Just(ShortLength::Drawn),
            (1e-9..0.999).prop_map(ShortLength::Keep),
            (multiple..1 << 40).prop_map(ShortLength::AtMost),
        ];
        length.prop_map(move |length| Short { length, multiple })
    })
}

fn space() -> impl Strategy<Value = Fault> {
    let limits = (0u64..1 << 60, proptest::option::of(any::<u64>()));
    (limits, select(Space::ERRNOS.to_vec()))
        .prop_map(|((capacity, inodes), errno)| Fault::Space(Space { capacity, inodes, errno }))
}

/// Of what stays once it has begun: conditions of a single fire.
fn when_once() -> impl Strategy<Value = When> {
    let nth = proptest::option::of(1u64..).prop_map(|nth| nth.into_iter().collect());
    (nth, proptest::option::of(fraction()), window()).prop_map(|(nth, probability, window)| When {
        nth,
        probability,
        ..window
    })
}

fn write_part(sizes: &'static [u32]) -> impl Strategy<Value = WritePart> {
    let at = proptest::option::of(0u64..1 << 40);
    let block = (select(sizes), at).prop_map(|(size, at)| WritePart::Block { size, at });
    prop_oneof![Just(WritePart::Whole), block]
}

fn lost() -> impl Strategy<Value = Fault> {
    let torn = (proptest::option::of(1u64..8), any::<bool>(), write_part(&[4096]));
    let places = (proptest::option::of(0u64..1 << 20), proptest::option::of(1u64 << 21..1 << 40));
    let astray = (select(&[512u32, 4096][..]), places)
        .prop_map(|(block, (at, to))| Fault::Misdirected(Misdirected { block, at, to }));
    prop_oneof![
        astray,
        write_part(&[512, 4096]).prop_map(|part| Fault::LostWrite(LostWrite { part })),
        torn.prop_map(|(keep, zero, part)| {
            let rest = if zero { Rest::Zero } else { Rest::Old };
            Fault::TornWrite(TornWrite { keep, rest, part })
        }),
    ]
}

fn metadata() -> impl Strategy<Value = Fault> {
    use proptest::option::of;
    let attributes = (of(0u64..1 << 62), of(0u64..1 << 62), of(0u16..0o10000), of(any::<u32>()));
    let entry = of(select(EntryFault::ALL.to_vec()));
    let others = (entry, of(select(vec!["a", "é \"b\""])), of(select(XattrFault::ALL.to_vec())));
    (fraction(), attributes, others, any::<bool>()).prop_map(|(rate, attributes, others, open)| {
        let (size, mtime, mode, nlink) = attributes;
        let (entry, target, xattr) = others;
        let nothing = (size, mtime, nlink) == (None, None, None) && mode.is_none();
        let open = open || nothing && entry.is_none() && target.is_none() && xattr.is_none();
        Fault::Metadata(Box::new(Metadata {
            rate,
            size,
            mtime,
            mode,
            nlink,
            entry,
            target: target.map(String::from),
            xattr,
            open: open.then_some(Errno::EIO),
        }))
    })
}

fn power_cut() -> impl Strategy<Value = Fault> {
    let models = (select(Unsynced::ALL.to_vec()), select(Names::ALL.to_vec()));
    (models, 0.0..=1.0, 0.0..=1.0, any::<bool>()).prop_map(
        |((unsynced, names), torn, lies, stays_off)| {
            let torn = if unsynced == Unsynced::Mixed { torn } else { 0.0 };
            Fault::PowerCut(PowerCut { unsynced, torn, names, lies, stays_off })
        },
    )
}

/// Conditions that pick accesses.
fn when_by_access() -> impl Strategy<Value = When> {
    (1u64.., window()).prop_map(|(nth, window)| When { nth: vec![nth], ..window })
}

fn fsync() -> impl Strategy<Value = Fault> {
    let evict =
        prop_oneof![Just(Evict::Close), Just(Evict::Drop), duration().prop_map(Evict::After)];
    (select(CacheModel::ALL.to_vec()), "[xw]{0,5}[XW]", evict)
        .prop_map(|(model, sequence, evict)| Fault::Fsync(Fsync { model, sequence, evict }))
}

/// What happens to single operations, whatever they are.
fn of_operations() -> impl Strategy<Value = Fault> {
    let errno = select(ERRNOS.to_vec()).prop_map(|(_, errno): (&str, Errno)| errno);
    prop_oneof![
        errno.prop_map(|errno| Fault::Error(ErrorFault { errno })),
        (distribution(), proptest::option::of(duration()))
            .prop_map(|(distribution, step)| Fault::Latency(Latency { distribution, step })),
        proptest::option::of(duration()).prop_map(|for_| Fault::Stall(Stall { for_ })),
        Just(Fault::Kill),
    ]
}

fn rule(index: usize) -> impl Strategy<Value = Rule> {
    let name = format!("rule \"{index}\" \\ é");
    let gone = (select_of_ops(index), when_once(), dead().prop_map(Fault::Dead));
    let cut = (select_of_ops(index), when_by_access(), power_cut());
    let readonly = (paths(index), proptest::option::of(ops(changing())), when_once());
    let readonly =
        readonly.prop_map(|(paths, ops, when)| (selecting(paths, ops), when, Fault::Readonly));
    let of_ops = (select_of_ops(index), when(), of_operations());
    let flips =
        (paths(index), when(), window(), bit_flip()).prop_map(|(paths, when, window, flip)| {
            let accesses = !flip.persistence.is_stored();
            let select = Select { paths, ..Select::default() };
            (select, if accesses { when } else { window }, Fault::BitFlip(flip))
        });
    let regions =
        (paths(index), when(), window(), corrupt()).prop_map(|(paths, when, window, corrupt)| {
            let accesses = !corrupt.persistence.is_stored();
            let select = Select { paths, ..Select::default() };
            (select, if accesses { when } else { window }, Fault::Corrupt(corrupt))
        });
    let sectors = (paths(index), window(), bad_sector()).prop_map(|(paths, when, bad)| {
        let ops = Some(OpSet::EMPTY.with(OpKind::Read));
        (selecting(paths, ops), when, Fault::BadSector(bad))
    });
    let transfers = ops(vec![OpKind::Read, OpKind::Write]);
    let shorts =
        (paths(index), transfers, when(), short()).prop_map(|(paths, ops, when, short)| {
            (selecting(paths, Some(ops)), when, Fault::Short(short))
        });
    let spaces = (window(), space()).prop_map(|(window, space)| (Select::default(), window, space));
    let limit = (1u64..1 << 60, 0u64..1 << 60);
    let limit = limit.prop_map(|(per_second, burst)| Throughput { per_second, burst });
    let transfers = ops(vec![OpKind::Read, OpKind::Write]);
    let throughput =
        (paths(index), transfers, window(), limit).prop_map(|(paths, ops, window, limit)| {
            (selecting(paths, Some(ops)), window, Fault::Throughput(limit))
        });
    let losses = losses(index);
    let fsyncs = (paths(index), proptest::option::of(bytes()), when(), fsync()).prop_map(
        |(paths, bytes, when, fault)| (Select { paths, bytes, ..Select::default() }, when, fault),
    );
    let metadata = (paths(index), window(), metadata())
        .prop_map(|(paths, window, fault)| (Select { paths, ..Select::default() }, window, fault));
    // On the heap: a test's stack is small.
    prop_oneof![
        of_ops.boxed(),
        gone.boxed(),
        readonly.boxed(),
        cut.boxed(),
        shorts.boxed(),
        spaces.boxed(),
        throughput.boxed(),
        flips.boxed(),
        regions.boxed(),
        sectors.boxed(),
        losses.boxed(),
        fsyncs.boxed(),
        metadata.boxed()
    ]
    .prop_map(move |(select, when, fault)| {
        let domain = (index % 2 == 1).then(|| format!("domain {index}"));
        // Any rule can wait for an earlier one: no chain of these comes back.
        let after_event = (index > 0).then(|| format!("rule \"{}\" \\ é", index - 1));
        Rule { name: name.clone(), domain, select, when: When { after_event, ..when }, fault }
    })
}

fn preset() -> impl Strategy<Value = Preset> {
    let text = || select(vec!["a", "b \"c\" \\ d", "é → ü"]).prop_map(String::from);
    let texts = move || proptest::collection::vec(text(), 0..3);
    let acceleration = (select(Method::ALL.to_vec()), 1.0..1e9).prop_map(|(method, factor)| {
        Acceleration { method, factor: (method != Method::ExactK).then_some(factor) }
    });
    let rates = proptest::collection::btree_map("[a-z0-9_]{1,9}", 0.0..1e6, 0..3);
    let said = (text(), texts(), texts(), select(Evidence::ALL.to_vec()));
    let cited = said.prop_filter("field and lab have a source", |(_, cite, _, evidence)| {
        !cite.is_empty() || !matches!(evidence, Evidence::Field | Evidence::Lab)
    });
    (cited, rates, proptest::option::of(acceleration)).prop_map(
        |(said, real_rate, acceleration)| {
            let (name, cite, assumptions, evidence) = said;
            Preset { name, cite, evidence, assumptions, real_rate, acceleration }
        },
    )
}

fn losses(index: usize) -> impl Strategy<Value = (Select, When, Fault)> {
    (paths(index), when(), lost())
        .prop_map(|(paths, when, fault)| (Select { paths, ..Select::default() }, when, fault))
}

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let rules = (0usize..5).prop_flat_map(|count| (0..count).map(rule).collect::<Vec<_>>());
    let name = proptest::option::of(select(vec!["a", "b \"c\" \\ d", "é → ü"]));
    let presets = proptest::collection::vec(preset(), 0..3);
    let parts = (name, proptest::option::of(any::<u64>()), presets, rules);
    parts.prop_map(|(name, seed, presets, rules)| Scenario {
        name: name.map(String::from),
        seed,
        presets,
        rules,
    })
}
