//! Merging is associative, commutative and idempotent, and hides no disagreement.

use errorfs::campaign::{Global, Local, Merged, Point, RunTold, TrialLine};
use errorfs::scenario::FaultKind;
use errorfs::trace::Access;
use errorfs::trial::Verdict;
use proptest::prelude::*;

use super::*;

fn line() -> impl Strategy<Value = TrialLine> {
    let verdicts =
        prop::sample::select(vec![Verdict::Benign, Verdict::Detected, Verdict::Inconclusive]);
    let run = (1..3u64, 0..3u32, prop::sample::select(vec!["a", "b"]));
    (0..4u64, verdicts, run).prop_map(|(trial, verdict, (attempt, second, host))| TrialLine {
        trial: format!("{trial:032x}"),
        point: Point {
            node: "one".into(),
            path: format!("f{trial}"),
            structure: "x".into(),
            access: Access::Read,
            block: trial,
            kind: FaultKind::Zero,
            extent: (0, 4096),
            after_write: false,
        },
        seed: trial,
        verdict,
        local: Local::Unknown,
        global: vec![Global::Unknown],
        why: String::new(),
        events: Vec::new(),
        spread: Vec::new(),
        stored: None,
        said: Default::default(),
        run: RunTold {
            attempt,
            finished: format!("2026-01-01T00:00:0{second}Z"),
            host: host.into(),
            elapsed_ms: 1,
        },
    })
}

fn lines() -> impl Strategy<Value = Vec<TrialLine>> {
    proptest::collection::vec(line(), 0..12)
}

fn merged(lines: &[TrialLine]) -> Merged {
    let mut merged = Merged::default();
    merged.add(lines.to_vec());
    merged
}

fn plus(one: &Merged, other: &Merged) -> Merged {
    let mut sum = one.clone();
    sum.merge(other.clone());
    sum
}

proptest! {
    #[test]
    fn merging_is_associative_commutative_and_idempotent(a in lines(), b in lines(), c in lines()) {
        let all = merged(&[&a[..], &b, &c].concat());
        let (a, b, c) = (merged(&a), merged(&b), merged(&c));
        prop_assert_eq!(plus(&plus(&a, &b), &c), plus(&a, &plus(&b, &c)));
        prop_assert_eq!(plus(&a, &b), plus(&b, &a));
        prop_assert_eq!(plus(&a, &a), a.clone());
        prop_assert_eq!(plus(&plus(&c, &b), &a), all);
    }

    #[test]
    fn a_result_counts_before_none_and_disagreements_stay(lines in lines()) {
        for (id, trial) in merged(&lines).trials {
            let own = || lines.iter().filter(|line| line.trial == id);
            let shows = |line: &&TrialLine| line.verdict != Verdict::Inconclusive;
            prop_assert_eq!(own().any(|line| shows(&line)), shows(&&trial.line));
            let outcomes: std::collections::BTreeSet<_> = own().filter(shows).map(TrialLine::outcome).collect();
            prop_assert_eq!(trial.disagrees(), outcomes.len() > 1);
        }
    }
}

#[test]
fn files_of_shards_merge_to_the_same_bytes_in_any_order() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    for shard in ["0/2", "1/2", "0/3"] {
        campaign.verb("run").args(["--shard", shard]).succeed();
    }
    let files = all_files(&campaign.dir().join("results"));
    assert_eq!(files.len(), 3, "{files:?}");
    let out = Backing::new();
    let merge = |name: &str, inputs: &[PathBuf]| {
        let merge = Program::errorfs("campaign").arg("merge").arg("-o").arg(out.join(name));
        merge.args(inputs).succeed();
        std::fs::read(out.join(name)).unwrap()
    };
    let [a, b, c] = &files[..] else { unreachable!() };
    let one = merge("one", &[a.clone(), b.clone(), c.clone()]);
    assert_eq!(merge("two", &[c.clone(), a.clone(), b.clone(), a.clone()]), one);
    merge("bc", &[b.clone(), c.clone()]);
    assert_eq!(merge("three", &[out.join("bc"), a.clone(), out.join("bc")]), one);
    let again = Program::errorfs("campaign").arg("merge").arg("-o").arg(out.join("one")).arg(a);
    again.run().expect_status(75).expect_said("File exists");
}

#[test]
fn a_file_that_was_changed_is_not_believed() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    campaign.verb("run").args(["--sample", "3"]).succeed();
    let file = all_files(&campaign.dir().join("results")).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"seed\":", "\"seed\":1", 1)).unwrap();
    let report = Program::errorfs("campaign").arg("report").arg(&file).run();
    report.expect_status(78).expect_said("the trailer is of other lines");
}
