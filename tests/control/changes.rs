//! What goes over from one plan to the next, and that a change happens as a whole or not at all.

use super::*;
use errorfs::ledger::Outcome;

#[test]
fn rules_that_stay_keep_their_counts_and_reset_zeroes_them() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(FAILS).seed(1).start();
    let api = Api::of(&mount);
    let fails = || read_at(&mount.join("other"), 0, 1).is_err();
    assert!(!fails());
    assert!(api.load(&format!("{ROT}{FAILS}")).is_done());
    assert!(fails(), "the second one, whatever was loaded meanwhile");
    assert_eq!((rotten(&mount), &api.rule("fails")["matched"]), (1, &json!(2)));
    api.post("/v1/reset");
    assert_eq!([fails(), fails()], [false, true]);
    let other = FAILS.replace("every = 2", "every = 1");
    assert!(api.load(&other).is_done());
    assert!(fails(), "another rule counts for itself");
    mount.stop();
}

#[test]
fn a_bad_scenario_changes_nothing_and_is_told_as_check_tells_it() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let api = Api::of(&mount);
    for (text, code) in [
        ("version = 2\n", "unsupported-version"),
        (
            "version = 1\n[[rule]]\nname = \"r\"\nselect = { ops = [\"raed\"] }\n[rule.fault.stall]\n",
            "unknown-op",
        ),
        (
            "version = 1\n[[rule]]\nname = \"r\"\nselect = { path = \"none\" }\n[rule.fault.bit_flip]\ncount = 1\n",
            "nothing-matched",
        ),
        ("\u{0}", "syntax"),
    ] {
        let reply = api.ask("PUT", "/v1/scenario", Some(("application/toml", text)));
        assert_eq!(refusal(&reply), (422, code.to_owned()), "{}", reply.json());
        assert_eq!((rotten(&mount), api.generation()), (1, 1));
    }
    let reply =
        api.ask("POST", "/v1/rules", Some(("application/toml", &format!("version = 1\n{ROT}"))));
    assert_eq!(refusal(&reply), (409, "duplicate-rule".to_owned()));
    assert_eq!(api.generation(), 1);
    mount.stop();
}

#[test]
fn rules_are_added_altered_and_taken_away_one_by_one() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let api = Api::of(&mount);
    let rule = json!({ "name": "two", "select": { "path": "other" },
        "fault": { "bit_flip": { "at": [{ "byte": 5, "bit": 1 }] } } });
    assert_eq!(api.change("POST", "/v1/rules", Some(&rule))["generation"], 2);
    let other = || read_at(&mount.join("other"), 5, 1).unwrap()[0];
    assert_eq!((rotten(&mount), other()), (1, 2));
    let patch = json!({ "fault": { "bit_flip": { "at": [{ "byte": 5, "bit": 7 }] } } });
    api.change("PATCH", "/v1/rules/two", Some(&patch));
    assert_eq!(other(), 128);
    let bad = api.ask("PATCH", "/v1/rules/two", Some(("application/json", r#"{"fault": 7}"#)));
    assert_eq!((bad.status, other()), (422, 128));
    api.change("DELETE", "/v1/rules/rot", None);
    assert_eq!((rotten(&mount), other()), (0, 128));
    assert_eq!(refusal(&api.ask("DELETE", "/v1/rules/rot", None)).0, 404);
    let loaded = api.get("/v1/scenario");
    assert_eq!(loaded["rule"].as_array().unwrap().len(), 1, "{loaded}");
    mount.stop();
}

#[test]
fn a_change_that_relies_on_a_generation_that_is_past_is_refused() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let socket = errorfs::control::find(Some(mount.path())).unwrap();
    let curl = |generation: &str| {
        let curl = Program::new("curl").args(["-s", "-X", "POST", "--unix-socket"]).arg(&socket);
        let header = format!("If-Match: \"{generation}\"");
        let ended = curl.args(["-H", &header, "http://localhost/v1/disarm"]).succeed();
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    assert_eq!(curl("9")["code"], "generation-mismatch");
    assert_eq!(rotten(&mount), 1);
    assert_eq!(curl("1")["generation"], 2);
    assert_eq!(curl("1")["status"], 412);
    assert_eq!(rotten(&mount), 0);
    mount.stop();
}

/// What the medium did not get stays so while its rule is disarmed: nobody sees it then.
#[test]
fn what_lost_writes_hold_is_hidden_while_disarmed_and_there_again_afterwards() {
    require_fuse!();
    let backing = Backing::new().with("file", b"old");
    let rules = "[[rule]]\nname = \"lost\"\nselect = { path = \"file\", ops = [\"write\"] }\n\
                 [rule.fault.lost_write]\n";
    let mut mount = Mount::new(backing.path()).scenario(rules).seed(1).start();
    let read = || std::fs::read(mount.join("file")).unwrap();
    write_at(&mount.join("file"), 0, b"new").unwrap();
    assert_eq!(read(), b"old");
    let api = Api::of(&mount);
    api.post("/v1/disarm");
    assert_eq!(read(), b"new");
    write_at(&mount.join("file"), 0, b"N").unwrap();
    api.post("/v1/arm");
    assert_eq!(read(), b"Nld", "what was written meanwhile the medium has");
    assert!(api.load("").is_done());
    assert_eq!(read(), b"New");
    assert!(api.load(rules).is_done());
    assert_eq!(read(), b"New", "another rule, though it looks the same, lost nothing yet");
    mount.stop();
    assert_eq!(std::fs::read(backing.join("file")).unwrap(), b"New");
}

/// Damage is of the stored bytes: what is overwritten while it is disarmed is so no more.
#[test]
fn overwriting_ends_sticky_damage_also_while_it_is_disarmed() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    assert_eq!(rotten(&mount), 1);
    let api = Api::of(&mount);
    api.post("/v1/disarm");
    write_at(&mount.join("file"), 5, &[0]).unwrap();
    api.post("/v1/arm");
    assert_eq!(rotten(&mount), 0);
    assert!(mount.ledger().iter().any(|event| event.outcome == Outcome::Repaired));
    mount.stop();
}

/// Files that were renamed or created through the mount are there when a new rule comes, and the
/// rule's places in them stay where they are.
#[test]
fn a_new_rule_finds_what_was_created_and_moved_before_it_came() {
    require_fuse!();
    let backing = Backing::new().with("dir/old", &[0; 9000]);
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    std::fs::write(mount.join("new"), [0; 9000]).unwrap();
    std::fs::rename(mount.join("dir"), mount.join("moved")).unwrap();
    let count = |path: &str| {
        format!(
            "[[rule]]\nname = \"{path}\"\nselect = {{ path = \"{path}\" }}\n\
             [rule.fault.bit_flip]\ncount = 3\n"
        )
    };
    let api = Api::of(&mount);
    // By the names that key their damage: what was there has the one of the beginning.
    let rules = [count("new"), count("dir/old")].concat();
    let reply = api.load(&rules);
    assert!(reply.is_done(), "{}", reply.json());
    let wrong = |name: &str| -> u32 {
        std::fs::read(mount.join(name)).unwrap().iter().map(|byte| byte.count_ones()).sum()
    };
    assert_eq!([wrong("new"), wrong("moved/old")], [3, 3]);
    std::fs::rename(mount.join("new"), mount.join("newer")).unwrap();
    api.post("/v1/disarm");
    assert_eq!([wrong("newer"), wrong("moved/old")], [0, 0]);
    api.post("/v1/arm");
    assert_eq!([wrong("newer"), wrong("moved/old")], [3, 3]);
    mount.stop();
}

#[test]
fn each_plan_has_a_line_in_the_ledger_and_events_say_whose_they_are() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    assert_eq!(rotten(&mount), 1);
    let api = Api::of(&mount);
    api.post("/v1/disarm");
    assert!(api.load(&format!("{ROT}{FAILS}")).is_done());
    let _ = [0, 0].map(|_| read_at(&mount.join("other"), 0, 1));
    mount.stop();
    let ledger = mount.ledger();
    let told: Vec<_> = ledger.iter().map(|event| (event.outcome, event.arming)).collect();
    let wanted = [
        (Outcome::Delivered, None),
        (Outcome::Armed, Some(2)),
        (Outcome::Armed, Some(3)),
        (Outcome::Delivered, Some(3)),
    ];
    assert_eq!(told, wanted);
    let plan = |number: usize| ledger[number].plan.clone().unwrap();
    assert!(plan(1).rules.is_empty());
    assert_eq!(plan(2).rules, ["fails"], "what was disarmed stays so");
    assert_eq!(plan(2).scenario["rule"].as_array().unwrap().len(), 2);
    assert_eq!(mount.header().plan, plan(1).id);
}

/// Stored damage of every plan is given again; what was counted under a plan that came later is not,
/// and that is said.
#[test]
fn a_ledger_of_several_plans_replays_what_can_be_replayed() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(FAILS).seed(1).start();
    let read = |mount: &Mount| read_at(&mount.join("other"), 0, 1).is_ok();
    assert_eq!([read(&mount), read(&mount)], [true, false]);
    assert!(Api::of(&mount).load(&format!("{ROT}{}", FAILS.replace("fails", "later"))).is_done());
    assert_eq!([read(&mount), read(&mount)], [true, false]);
    assert_eq!(rotten(&mount), 1);
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).run().expect_status(1);
    let replay = replay.expect_said("rule `later`").stdout;
    let text = replay.replacen("version = 1\n", "", 1);
    let mut again = Mount::new(backing.path()).scenario(&text).seed(1).start();
    assert_eq!([read(&again), read(&again), read(&again)], [true, false, true]);
    assert_eq!(rotten(&again), 1);
    again.stop();
}

#[test]
fn a_rule_that_another_one_waits_for_cannot_be_taken_away_from_under_it() {
    require_fuse!();
    let backing = zeros();
    let waits = ROT.replace(
        "[rule.fault.bit_flip]",
        "when = { after_event = \"fails\" }\n[rule.fault.bit_flip]",
    );
    let mut mount = Mount::new(backing.path()).scenario(&format!("{waits}{FAILS}")).seed(1).start();
    let api = Api::of(&mount);
    assert_eq!(refusal(&api.ask("DELETE", "/v1/rules/fails", None)).0, 422);
    assert_eq!((rotten(&mount), api.generation()), (0, 1), "it still waits");
    assert!(api.ask("DELETE", "/v1/rules/rot", None).is_done());
    assert!(api.ask("DELETE", "/v1/rules/fails", None).is_done());
    mount.stop();
}

#[test]
fn several_rules_are_armed_together_or_none_of_them() {
    require_fuse!();
    let backing = zeros();
    let mut mount =
        Mount::new(backing.path()).scenario(&[ROT, FAILS].concat()).args(["--disarmed"]).start();
    let api = Api::of(&mount);
    let arm =
        |names: &[&str]| Program::errorfs("arm").args(names).arg("--on").arg(mount.path()).run();
    let generation = api.generation();
    arm(&["rot", "nobody"]).expect_status(2).expect_said("no rule `nobody`");
    assert_eq!((rotten(&mount), api.generation()), (0, generation));
    arm(&["rot", "fails"]).expect_status(0);
    let armed = ["rot", "fails"].map(|name| api.rule(name)["armed"].clone());
    assert_eq!(
        (rotten(&mount), api.generation(), armed),
        (1, generation + 1, [true, true].map(Value::from))
    );
    for (body, status) in
        [("{}", 400), ("{\"rule\": \"rot\"}", 400), ("{\"rules\": [\"no\"]}", 404)]
    {
        let reply = api.ask("POST", "/v1/disarm", Some(("application/json", body)));
        assert_eq!((reply.status, rotten(&mount)), (status, 1), "{body}");
    }
    mount.stop();
}

/// Shots that have hit go with the next one, and come no more after `reset`; what a scenario calls so, and what others wait for, do not.
#[test]
fn a_shot_takes_no_rule_away_that_is_none_or_that_another_one_waits_for() {
    require_fuse!();
    let backing = zeros();
    let own = FAILS.replace("fails", "inject-7").replace("every = 2", "every = 1");
    let mut mount = Mount::new(backing.path()).scenario(&[ROT, &own].concat()).seed(1).start();
    let api = Api::of(&mount);
    let inject = || {
        let shot = json!({ "path": "file", "byte": 9, "bit": 0 });
        let rule = api.change("POST", "/v1/inject", Some(&shot))["rule"].clone();
        rule.as_str().unwrap().to_owned()
    };
    let read = |at: u64| read_at(&mount.join("file"), at, 1).unwrap()[0];
    read_at(&mount.join("other"), 0, 1).unwrap_err();
    let first = inject();
    let waits = json!({ "when": { "after_event": first } });
    api.change("PATCH", "/v1/rules/rot", Some(&waits));
    assert_eq!([read(5), read(9), read(5)], [0, 1, 1]);
    api.post("/v1/reset");
    assert_eq!([read(5), read(9)], [1, 0], "what was waited for has happened, and does not again");
    let second = inject();
    read_at(&mount.join("other"), 0, 1).unwrap_err();
    api.post("/v1/reset");
    assert_eq!([read(5), read(9), read(9)], [1, 1, 0]);
    let third = inject();
    let rules = api.get("/v1/rules");
    let names: Vec<_> = rules.as_array().unwrap().iter().map(|rule| rule["name"].clone()).collect();
    assert!(names.contains(&json!("inject-7")) && names.contains(&json!(first)), "{names:?}");
    assert!(second != first && third != second, "{first} {second} {third}");
    mount.stop();
}

/// What is written while a limit is disarmed takes room all the same.
#[test]
fn what_is_taken_is_counted_while_the_limit_of_space_is_disarmed() {
    require_fuse!();
    let backing = Backing::new().with("old", &[1; 4096]);
    let full = "[[rule]]\nname = \"full\"\n[rule.fault.space]\ncapacity = \"64KiB\"\ninodes = 6\n";
    let mut mount = Mount::new(backing.path()).scenario(full).seed(1).start();
    let api = Api::of(&mount);
    api.post("/v1/disarm");
    std::fs::write(mount.join("new"), [2; 11 * 4096]).unwrap();
    std::fs::create_dir(mount.join("dir")).unwrap();
    for _ in 0..9 {
        std::fs::create_dir(mount.join("dir")).unwrap_err();
    }
    api.post("/v1/arm");
    let told = rustix::fs::statvfs(mount.path()).unwrap();
    assert_eq!((told.f_bfree * told.f_frsize / 4096, told.f_ffree), (4, 2));
    std::fs::write(mount.join("more"), [3; 4 * 4096]).unwrap();
    write_at(&mount.join("more"), 4 * 4096, &[3]).unwrap_err();
    mount.stop();
}

/// The inner mount holds up the survey of the outer one: meanwhile a file gets another name that it has
/// seen already.
#[test]
fn a_file_that_is_renamed_while_a_plan_comes_has_the_damage_that_was_chosen_for_it() {
    require_fuse!();
    let backing = Backing::new().with("old", &[0; 9000]).with("dir/other", b"");
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { path = \"dir\", ops = [\"opendir\"] }\n\
                 [rule.fault.stall]\n";
    let mut inner = Mount::new(backing.path()).scenario(hangs).seed(1).start();
    let mut outer = Mount::new(inner.path()).start();
    let (below, api) = (Api::of(&inner), Api::of(&outer));
    let count =
        "[[rule]]\nname = \"r\"\nselect = { path = \"old\" }\n[rule.fault.bit_flip]\ncount = 3\n";
    std::thread::scope(|scope| {
        let loads = scope.spawn(|| api.load(count).status);
        wait_until("the survey is held up", LONG, || below.get("/v1/status")["waiting"] == 1);
        std::fs::rename(outer.join("old"), outer.join("new")).unwrap();
        below.post("/v1/disarm");
        assert_eq!(loads.join().unwrap(), 200);
    });
    let read = std::fs::read(outer.join("new")).unwrap();
    assert_eq!(read.iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
    outer.stop();
    inner.stop();
}
