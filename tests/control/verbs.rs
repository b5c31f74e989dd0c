//! Every verb that asks a live mount, from a shell to the mount and back.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

fn verb(mount: &Mount, verb: &str) -> Program {
    Program::errorfs(verb).arg("--on").arg(mount.path())
}

#[test]
fn arm_and_disarm_hold_for_all_rules_and_for_one() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(&format!("{ROT}{FAILS}")).seed(1).start();
    assert_eq!(rotten(&mount), 1);
    verb(&mount, "disarm").succeed().expect_said("generation 2");
    assert_eq!(rotten(&mount), 0);
    verb(&mount, "arm").arg("rot").succeed().expect_said("generation 3");
    assert_eq!(rotten(&mount), 1);
    let armed = |name: &str| Api::of(&mount).rule(name)["armed"].as_bool().unwrap();
    assert!(armed("rot") && !armed("fails"));
    verb(&mount, "disarm").arg("rot").succeed();
    assert_eq!(rotten(&mount), 0);
    let json = verb(&mount, "arm").arg("--json").succeed().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, json!({ "generation": 5, "pending": [] }));
    verb(&mount, "arm").succeed().expect_said("generation 5");
    let unknown = verb(&mount, "arm").arg("nobody").run().expect_status(2);
    unknown.expect_said("no rule `nobody`; there are: `rot`, `fails`");
    let path = mount.path().to_str().unwrap();
    let misplaced = verb(&mount, "disarm").arg(path).run().expect_status(2);
    misplaced.expect_said(&format!("{path} is a mountpoint: name it by --on {path}"));
    mount.stop();
    assert_eq!(std::fs::read(backing.join("file")).unwrap(), [0; 20_000]);
}

#[test]
fn status_says_of_each_rule_what_it_did_or_why_it_did_nothing() {
    require_fuse!();
    let backing = zeros().with("shadowed", b"x");
    let error = |name: &str, select: &str, when: &str| {
        format!(
            "[[rule]]\nname = \"{name}\"\nselect = {{ {select} }}\n{when}\
             [rule.fault.error]\nerrno = \"EIO\"\n"
        )
    };
    let rules = [
        ROT.to_owned(),
        error("elsewhere", "path = \"no/**\", ops = [\"read\"]", ""),
        error("other-op", "path = \"file\", ops = [\"fallocate\"]", ""),
        error("first", "path = \"shadowed\", ops = [\"read\"]", "when = { times = 9 }\n"),
        error("second", "path = \"shadowed\", ops = [\"read\"]", ""),
        error("later", "path = \"other\", ops = [\"read\"]", "when = { after = \"1h\" }\n"),
        error(
            "follows",
            "path = \"other\", ops = [\"read\"]",
            "when = { after_event = \"ninth\" }\n",
        ),
        error("ninth", "path = \"other\", ops = [\"read\"]", "when = { nth = 9 }\n"),
    ];
    let mut mount = Mount::new(backing.path()).scenario(&rules.concat()).seed(7).start();
    assert_eq!(rotten(&mount), 1);
    read_at(&mount.join("shadowed"), 0, 1).unwrap_err();
    read_at(&mount.join("other"), 0, 1).unwrap();
    Api::of(&mount).post("/v1/rules/first/disarm");
    let why = |name: &str| Api::of(&mount).rule(name)["why"].clone();
    assert_eq!(why("rot"), Value::Null);
    assert_eq!(why("elsewhere"), "nothing was done to a path that it selects so far");
    assert_eq!(why("other-op"), "none of its operations was done to a path that it selects");
    assert_eq!(why("second"), "rule `first` comes before it and has what it would have");
    assert!(why("later").as_str().unwrap().starts_with("its time begins in "), "{}", why("later"));
    assert_eq!(why("follows"), "it waits for rule `ninth`, which has not fired");
    assert_eq!(why("ninth"), "`nth`, `every` or `probability` did not hold so far");
    let rot = Api::of(&mount).rule("rot");
    let counts = ["matched", "considered", "fired", "delivered"].map(|key| rot[key].as_u64());
    assert_eq!(counts, [Some(1); 4], "{rot}");
    assert!(rot["last_hit"].as_str().unwrap().ends_with('Z'), "{rot}");
    let ninth = Api::of(&mount).rule("ninth");
    assert_eq!((&ninth["matched"], &ninth["considered"]), (&json!(1), &json!(0)));
    let table = Program::errorfs("status").arg(mount.path()).succeed().stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 80 || line.contains("ledger")));
    assert!(table.contains("LAST HIT") && table.contains("seed 7"), "{table}");
    let json = verb(&mount, "status").arg("--json").succeed().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rules"].as_array().unwrap().len(), 8);
    mount.stop();
}

#[test]
fn reload_takes_other_files_or_the_same_ones_anew_and_nothing_of_a_bad_one() {
    require_fuse!();
    let backing = zeros();
    let files = Backing::new().with("rot.toml", format!("version = 1\n{ROT}").as_bytes());
    let mut mount = Mount::new(backing.path())
        .args(["--scenario".into(), files.join("rot.toml").into_os_string()])
        .args(["--ledger".into(), files.join("ledger").into_os_string()])
        .start();
    assert_eq!(rotten(&mount), 1);
    let empty = files.join("empty.toml");
    std::fs::write(&empty, "version = 1\n").unwrap();
    verb(&mount, "reload").arg(&empty).succeed();
    assert_eq!(rotten(&mount), 0);
    std::fs::write(&empty, "version = 1\n[[rule]]\n").unwrap();
    let bad = verb(&mount, "reload").arg(&empty).run().expect_status(78);
    bad.expect_said("missing-key").expect_said("0 warnings: what was loaded stays");
    let missing = verb(&mount, "reload").arg(files.join("none.toml")).run().expect_status(78);
    missing.expect_said("1 error, 0 warnings: what was loaded stays");
    verb(&mount, "populate").arg(files.join("none.toml")).run().expect_said("loaded stays");
    verb(&mount, "reload").succeed();
    assert_eq!(rotten(&mount), 1);
    std::fs::write(files.join("rot.toml"), "version = 1\n[[rule]]\n").unwrap();
    verb(&mount, "reload").run().expect_status(78).expect_said("missing-key");
    assert_eq!((rotten(&mount), Api::of(&mount).generation()), (1, 3));
    mount.stop();
}

#[test]
fn sighup_loads_the_files_anew_and_a_bad_one_changes_nothing() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let file = mount.ledger_file().with_file_name("scenario.toml");
    assert_eq!(rotten(&mount), 1);
    std::fs::write(&file, "version = 1\n").unwrap();
    mount.signal(rustix::process::Signal::HUP);
    wait_until("it is reloaded", LONG, || mount.said().contains("reloaded: generation 2"));
    assert_eq!(rotten(&mount), 0);
    std::fs::write(&file, "version = 2\n").unwrap();
    mount.signal(rustix::process::Signal::HUP);
    wait_until("it is refused", LONG, || mount.said().contains("what was loaded stays"));
    assert_eq!(Api::of(&mount).generation(), 2);
    mount.stop();
}

#[test]
fn inject_hits_the_next_operation_at_that_place_once() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).start();
    let byte = || read_at(&mount.join("file"), 70, 1).unwrap()[0];
    let inject =
        |arguments: &[&str]| verb(&mount, "inject").arg(mount.join("file")).args(arguments);
    inject(&["--byte", "70", "--bit", "3"]).succeed().expect_said("generation 1, rule inject-1\n");
    assert_eq!(read_at(&mount.join("file"), 0, 1).unwrap(), [0], "of another byte");
    assert_eq!([byte(), byte()], [8, 0]);
    verb(&mount, "inject").args(["other", "--op", "fsync", "--errno", "ENOSPC"]).succeed();
    let other = std::fs::File::options().write(true).open(mount.join("other")).unwrap();
    assert_eq!(other.sync_all().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    other.sync_all().unwrap();
    inject(&["--byte", "70", "--bit", "8"]).run().expect_status(78);
    verb(&mount, "inject").args(["/etc/passwd", "--errno", "EIO"]).run().expect_status(2);
    let shots = |api: Api| api.get("/v1/rules").as_array().unwrap().len();
    assert_eq!(shots(Api::of(&mount)), 1, "what has hit is gone");
    other.sync_all().unwrap();
    inject(&["--byte", "70", "--bit", "3"]).succeed();
    verb(&mount, "reset").succeed();
    assert_eq!([byte(), byte()], [8, 0], "one that has not hit yet is not used up");
    verb(&mount, "reset").succeed();
    other.sync_all().unwrap();
    assert_eq!((byte(), shots(Api::of(&mount))), (0, 0), "and comes no more");
    mount.stop();
}

#[test]
fn events_can_be_followed_and_filtered() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(&format!("{ROT}{FAILS}")).seed(1).start();
    let mut follow = Command::new(ERRORFS);
    follow.args(["events", "--follow", "--rule", "rot"]).arg(mount.path());
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let _ = [0, 0].map(|_| read_at(&mount.join("other"), 0, 1));
    assert_eq!(rotten(&mount), 1);
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("rot bit_flip delivered read file: byte 5 bit 0"), "{line}");
    let told = Program::errorfs("events").arg(mount.path()).args(["--json"]).succeed().stdout;
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rules: Vec<_> = told.iter().map(|event| event["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["fails", "rot"]);
    mount.stop();
    assert!(wait_or_kill(&mut follow, LONG).success(), "it ends with the mount");
}

#[test]
fn release_reset_and_metrics_do_what_they_say() {
    require_fuse!();
    let backing = zeros();
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { path = \"file\", ops = [\"read\"] }\n\
                 when = { nth = 1 }\n[rule.fault.stall]\n";
    let mut mount = Mount::new(backing.path()).scenario(&format!("{hangs}{FAILS}")).seed(1).start();
    let mut cat =
        Command::new("cat").arg(mount.join("file")).stdout(Stdio::null()).spawn().unwrap();
    wait_until("it hangs", LONG, || Api::of(&mount).get("/v1/status")["waiting"] == 1);
    verb(&mount, "release").succeed().expect_said("1 answered");
    assert!(wait_or_kill(&mut cat, LONG).success());
    let other = || read_at(&mount.join("other"), 0, 1).is_ok();
    assert_eq!([other(), other(), other()], [true, false, true]);
    verb(&mount, "reset").succeed();
    let fails = Api::of(&mount).rule("fails");
    let counts = ["matched", "considered", "fired", "delivered", "unchanged"];
    assert_eq!(counts.map(|count| fails[count].as_u64()), [Some(0); 5], "{fails}");
    assert_eq!(fails["last_hit"], Value::Null);
    assert_eq!([other(), other()], [true, false]);
    let fails = Api::of(&mount).rule("fails");
    assert_eq!((&fails["fired"], &fails["delivered"]), (&json!(1), &json!(1)), "{fails}");
    assert!(fails["last_hit"].is_string());
    let metrics = Program::errorfs("metrics").arg(mount.path()).succeed().stdout;
    for line in [
        "errorfs_injected_total{rule=\"fails\",fault=\"error\",op=\"read\"} 2",
        "errorfs_rule_active{rule=\"hangs\",fault=\"stall\"} 1",
        "errorfs_scenario_generation 2",
        "errorfs_ledger_dropped_total 0",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    mount.stop();
}

#[test]
fn run_tells_its_command_where_to_ask() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    std::fs::write(files.join("s.toml"), format!("version = 1\n{ROT}")).unwrap();
    let script = format!(
        "od -An -tu1 -j5 -N1 file && {ERRORFS} disarm && od -An -tu1 -j5 -N1 file && {ERRORFS} status"
    );
    let run = Program::errorfs("run").arg("--scenario").arg(files.join("s.toml"));
    let run = run.arg("--ledger").arg(files.join("ledger")).arg("--on").arg(backing.path());
    let ended = run.args(["--", "sh", "-c", &script]).directory(backing.path()).succeed();
    let words: Vec<_> = ended.stdout.split_whitespace().take(4).collect();
    assert_eq!(words, ["1", "generation", "2", "0"], "{ended}");
    let without = Program::errorfs("run").args(["--no-control", "--on"]).arg(backing.path());
    let without = without.args(["--", "sh", "-c", "echo [$ERRORFS_CONTROL]"]);
    without.env("ERRORFS_CONTROL", "/nowhere").succeed().expect_said("[]");
}

#[test]
fn without_a_mount_to_ask_verbs_say_so() {
    let nowhere = Backing::new();
    for verb in ["status", "events", "metrics", "release", "reset"] {
        let ended = Program::errorfs(verb).arg(nowhere.path()).run();
        ended.expect_status(4).expect_said("no errorfs that can be asked is mounted at");
    }
    let socket = nowhere.join("socket");
    let asked = Program::errorfs("arm").arg("--socket").arg(&socket).run();
    asked.expect_status(4).expect_said("nobody answers at");
    let told = Program::errorfs("status").env("ERRORFS_CONTROL", &socket).run();
    told.expect_status(4).expect_said("nobody answers at");
}
