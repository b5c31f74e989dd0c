//! A plan is a pure function; shards partition it whatever their number; a sample is part of a larger.

use std::collections::{BTreeMap, BTreeSet};

use errorfs::campaign::{CampaignPlan, Shard, Space};
use errorfs::scenario::parse_campaign;
use errorfs::trace::{Record, from_cords, touched};
use proptest::prelude::*;

use super::*;

/// Lines of a trace: file, access, block.
fn traces() -> impl Strategy<Value = Vec<(u8, u8, u64)>> {
    proptest::collection::vec((0..3u8, 0..3u8, 0..20u64), 1..40)
}

fn records(lines: &[(u8, u8, u64)]) -> Vec<Record> {
    let line = |(file, access, block): &(u8, u8, u64)| {
        format!("f{file}\t{}\t{}\t4096\n", ["r", "w", "a"][usize::from(*access)], block * 4096)
    };
    from_cords(lines.iter().map(line).collect::<String>().as_bytes()).unwrap().records
}

fn plan(runs: &[Vec<Record>]) -> CampaignPlan {
    let campaign = parse_campaign(PLAIN).campaign.unwrap();
    let traces = BTreeMap::from([("one".to_owned(), runs.to_vec())]);
    CampaignPlan::new(&campaign, Space::of(&campaign, &traces))
}

proptest! {
    #[test]
    fn plans_are_pure_and_shards_partition_them(lines in traces(), of in 1..9u64, sample in 1..50u64) {
        let records = records(&lines);
        let made = plan(&[records.clone(), records.clone()]);
        prop_assert_eq!(made.canonical(), plan(&[records.clone(), records.clone()]).canonical());
        let trials = made.trials(None);
        let ids: BTreeSet<_> = trials.iter().map(|trial| trial.id).collect();
        prop_assert_eq!(ids.len(), trials.len(), "ids are unique");
        for trial in &trials {
            let having = (0..of).filter(|index| Shard { index: *index, of }.has(trial.id)).count();
            prop_assert_eq!(having, 1);
        }
        let (small, large) = (made.trials(Some(sample)), made.trials(Some(sample + 7)));
        prop_assert_eq!(small.len() as u64, sample.min(trials.len() as u64));
        prop_assert!(small.iter().all(|trial| large.contains(trial)));
        prop_assert!(large.iter().all(|trial| trials.contains(trial)));
        // Four kinds of a read, where CORDS has three; the same for writes and appends.
        let touched = touched(&records, 4096);
        let reads = touched.keys().filter(|one| one.access.name() == "read").count() as u64;
        let cords = errorfs::trace::cords_count(&touched);
        prop_assert_eq!(trials.len() as u64, cords + reads);
    }

    #[test]
    fn what_only_some_runs_touch_is_left_out_and_told(lines in traces(), more in traces()) {
        let both: Vec<_> = lines.iter().chain(&more).copied().collect();
        let made = plan(&[records(&lines), records(&both)]);
        let every = plan(&[records(&both), records(&both)]);
        let flaky: u64 = made.flaky.iter().map(|(_, _, blocks)| blocks).sum();
        let blocks = |plan: &CampaignPlan| -> u64 {
            let runs = plan.space.iter().flat_map(|file| &file.blocks);
            runs.map(|run| run.to - run.from + 1).sum()
        };
        prop_assert_eq!(blocks(&made) + flaky, blocks(&every));
    }
}

#[test]
fn the_plan_of_one_campaign_is_the_same_bytes_wherever_it_is_made() {
    require_fuse!();
    require_root!();
    let plan = || {
        let campaign = Campaign::new(PLAIN);
        campaign.verb("plan").succeed().expect_said("22 trials in 4 files");
        std::fs::read(campaign.dir().join("plan.json")).unwrap()
    };
    assert_eq!(plan(), plan());
}

#[test]
fn shards_of_any_number_add_up_and_those_that_are_missing_are_named() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    let missing = |shards: &str, format: &str| {
        let missing = Program::errorfs("campaign").arg("missing").arg(campaign.dir());
        missing.args(["--shards", shards, "--format", format]).succeed().stdout
    };
    campaign.verb("run").args(["--shard", "1/3"]).succeed();
    assert_eq!(missing("3", "list"), "0\n2\n");
    assert_eq!(missing("3", "slurm"), "0,2\n");
    let slurm = campaign.verb("run").env("SLURM_ARRAY_TASK_ID", "0");
    slurm
        .env("SLURM_ARRAY_TASK_COUNT", "2")
        .succeed()
        .expect_said("shard 0/2, as SLURM_ARRAY_TASK_ID says");
    campaign
        .verb("run")
        .env("JOB_COMPLETION_INDEX", "1")
        .run()
        .expect_status(2)
        .expect_said("how many shards?");
    campaign.verb("run").args(["--shard", "1/2"]).succeed();
    assert_eq!(missing("3", "k8s"), "");
    let report = report_of(&[campaign.dir()]);
    assert_eq!(report["trials"].as_array().unwrap().len(), 22);
    assert_eq!(report["disagreeing"], 0, "{report:#}");
}

#[test]
fn a_directory_belongs_to_one_campaign() {
    require_fuse!();
    require_root!();
    let campaign = Campaign::new(PLAIN);
    campaign.verb("plan").succeed();
    std::fs::write(campaign.file(), PLAIN.replace("1500", "1501")).unwrap();
    campaign.verb("run").run().expect_status(2).expect_said("belongs to another campaign");
}

#[test]
fn a_variant_is_a_campaign_of_its_own_and_repeats_as_such() {
    require_fuse!();
    require_root!();
    let update = "\n[[variant]]\nname = \"update\"\nworkload = \"cat {mnt}/data; echo y > {mnt}/new\"\n\
        check.write = \"touch {mnt}/probe\"\n";
    let campaign = Campaign::new(&format!("{PLAIN}{update}"));
    campaign
        .verb("plan")
        .args(["--variant", "updat"])
        .run()
        .expect_status(2)
        .expect_said("there is no variant `updat`; variants are: update");
    let report = campaign.report(&["--variant", "update"]);
    assert_eq!(report["name"], "plain, update");
    let trials = report["trials"].as_array().unwrap();
    let structures: Vec<_> =
        trials.iter().map(|one| &one["result"]["point"]["structure"]).collect();
    assert!(structures.iter().any(|one| **one == "new"), "{structures:?}");
    assert!(!structures.iter().any(|one| **one == "log"), "{structures:?}");
    let repeat = trials[0]["repeat"].as_str().unwrap();
    assert!(repeat.contains("--variant update --trial "), "{repeat}");
    campaign.verb("run").run().expect_status(2).expect_said("another variant");
}

#[test]
fn nodes_have_a_time_of_their_own_to_get_ready() {
    require_fuse!();
    require_root!();
    let text = "version = 1\nname = \"late\"\nprepare = \"mkdir one; echo a > one/a\"\n\
        workload = \"cat {mnt}/a\"\ngolden = 2\ntimeout = \"50s\"\nstartup = \"300ms\"\n[[node]]\n\
        name = \"one\"\nstart = \"exec sleep 1000\"\nready = \"false\"\n";
    let clock = std::time::Instant::now();
    Campaign::new(text).verb("plan").run().expect_status(5).expect_said("not ready in time");
    assert!(clock.elapsed() < Duration::from_secs(50), "{:?}", clock.elapsed());
}
