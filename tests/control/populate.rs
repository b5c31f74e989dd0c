//! Rules that come beside those that are loaded.

use super::*;

const TOML: &str = "application/toml";

fn errors_after(name: &str, event: &str) -> String {
    format!(
        "version = 1\n[[rule]]\nname = \"{name}\"\nselect = {{ path = \"other\", ops = [\"read\"] }}\n\
         when = {{ after_event = \"{event}\" }}\n[rule.fault.error]\nerrno = \"EIO\"\n"
    )
}

#[test]
fn a_rule_that_is_added_may_wait_for_one_that_is_loaded() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let api = Api::of(&mount);
    let added = api.ask("POST", "/v1/rules", Some((TOML, &errors_after("next", "rot"))));
    assert!(added.is_done(), "{}", String::from_utf8_lossy(&added.body));
    read_at(&mount.join("other"), 0, 1).unwrap();
    assert_eq!(rotten(&mount), 1);
    read_at(&mount.join("other"), 0, 1).unwrap_err();
    let nobody = api.ask("POST", "/v1/rules", Some((TOML, &errors_after("last", "nobody"))));
    assert_eq!(refusal(&nobody), (422, "unknown-rule".to_owned()));
    let json = json!([{ "name": "third", "when": { "after_event": "next" },
        "select": { "path": "none" }, "fault": { "stall": {} } }]);
    api.change("POST", "/v1/rules", Some(&json));
    let needed = api.ask("DELETE", "/v1/rules/next", None);
    assert_eq!(refusal(&needed), (422, "unknown-rule".to_owned()));
    mount.stop();
}

#[test]
fn populating_replaces_by_name_adds_the_rest_and_changes_nothing_twice() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    let mut mount = Mount::new(backing.path()).scenario(&format!("{ROT}{FAILS}")).seed(1).start();
    assert_eq!(rotten(&mount), 1);
    let moved = FAILS.replace("every = 2", "every = 1").replace("EIO", "ENOSPC");
    std::fs::write(files.join("more.toml"), errors_after("next", "rot") + &moved).unwrap();
    let populate = || {
        let verb = Program::errorfs("populate").arg(files.join("more.toml"));
        verb.arg("--on").arg(mount.path()).succeed()
    };
    populate().expect_said("generation 2");
    let api = Api::of(&mount);
    let names = |rules: Value| -> Vec<String> {
        let rules = rules.as_array().unwrap().iter();
        rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(api.get("/v1/rules")), ["rot", "fails", "next"]);
    assert_eq!(api.rule("rot")["fired"], 1, "it counts on");
    let error = read_at(&mount.join("other"), 0, 1).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOSPC.raw_os_error()));
    let counts = |name: &str| (api.rule(name)["matched"].clone(), api.rule(name)["fired"].clone());
    let before = ["rot", "fails", "next"].map(counts);
    populate().expect_said("generation 2");
    assert_eq!(["rot", "fails", "next"].map(counts), before);
    std::fs::write(files.join("more.toml"), "version = 1\n[[rule]]\nname = \"x\"\n").unwrap();
    let verb = Program::errorfs("populate").arg(files.join("more.toml")).arg("--on");
    verb.arg(mount.path()).run().expect_status(78).expect_said("error[");
    assert_eq!(names(api.get("/v1/rules")).len(), 3);
    mount.stop();
}

#[test]
fn rules_that_come_with_another_seed_are_refused() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let populate = |seed: u64| {
        let text = format!("version = 1\nseed = {seed}\n{FAILS}");
        std::fs::write(files.join("more.toml"), text).unwrap();
        let verb = Program::errorfs("populate").arg(files.join("more.toml"));
        verb.arg("--on").arg(mount.path()).run()
    };
    populate(2).expect_status(78).expect_said("the request has seed 2 and the mount has seed 1");
    let api = Api::of(&mount);
    let body = format!("version = 1\nseed = 2\n{FAILS}");
    let added = api.ask("POST", "/v1/rules", Some((TOML, &body)));
    assert_eq!(refusal(&added), (409, "conflicting-seeds".to_owned()));
    assert_eq!((api.generation(), api.get("/v1/rules").as_array().unwrap().len()), (1, 1));
    populate(1).expect_status(0).expect_said("generation 2");
    mount.stop();
}

#[test]
fn a_mount_on_which_nothing_is_loaded_takes_the_seed_that_comes() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).start();
    let api = Api::of(&mount);
    let body = format!("version = 1\nseed = 77\n{ROT}");
    assert!(api.ask("POST", "/v1/populate", Some((TOML, &body))).is_done());
    assert_eq!((api.get("/v1/status")["seed"].as_u64(), rotten(&mount)), (Some(77), 1));
    mount.stop();
}

#[test]
fn rules_that_are_altered_stay_disarmed_or_armed() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(&format!("{ROT}{FAILS}")).seed(1).start();
    let api = Api::of(&mount);
    api.post("/v1/rules/fails/disarm");
    for rule in ["fails", "rot"] {
        let patch = json!({ "select": { "path": "*" } });
        api.change("PATCH", &format!("/v1/rules/{rule}"), Some(&patch));
    }
    let armed = |name: &str| api.rule(name)["armed"].as_bool().unwrap();
    assert!(!armed("fails") && armed("rot"));
    let itself = json!({ "when": { "after_event": "rot" } });
    let refused =
        api.ask("PATCH", "/v1/rules/rot", Some(("application/json", &itself.to_string())));
    assert_eq!(refusal(&refused), (422, "never-fires".to_owned()));
    mount.stop();
}

/// "A cut by `errorfs power-cut` was at no operation: it is left out, and that is said."
#[test]
fn the_power_is_cut_by_a_verb_and_a_live_mount_is_not_healed() {
    require_fuse!();
    let (backing, state) = (zeros(), Backing::new());
    let never = "[[rule]]\nname = \"power\"\nwhen = { nth = 1000000 }\n[rule.fault.power_cut]\n\
                 unsynced = \"old\"\n";
    let mut mount = Mount::new(backing.path())
        .scenario(never)
        .seed(1)
        .args(["--allow-damage", "--state"])
        .args([state.join("state")])
        .start();
    std::fs::write(mount.join("lost"), "x").unwrap();
    let cut = || Program::errorfs("power-cut").arg(mount.path());
    cut().succeed().expect_said("the power was cut");
    assert!(!mount.join("lost").exists() && !backing.join("lost").exists());
    assert_eq!(Api::of(&mount).rule("power")["delivered"], 1, "{:?}", mount.ledger());
    let heal = Api::of(&mount).ask("POST", "/v1/heal", None);
    assert_eq!(refusal(&heal), (409, "heal-mounted".to_owned()));
    let detail = heal.json()["detail"].as_str().unwrap().to_owned();
    let state = state.join("state");
    assert!(detail.contains(&format!("`errorfs heal {}`", state.display())), "{detail}");
    mount.stop();
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).run();
    replay.expect_status(1).expect_said("cut by `errorfs power-cut` and at no operation");
    Program::errorfs("heal").arg(&state).succeed();
    assert_eq!(std::fs::read(backing.join("lost")).unwrap(), b"x");
}

#[test]
fn without_a_rule_about_power_it_is_not_cut_and_nothing_is_healed() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let cut = Program::errorfs("power-cut").arg(mount.path()).run();
    cut.expect_status(78).expect_said("what was not synced is not remembered");
    let heal = Api::of(&mount).ask("POST", "/v1/heal", None);
    assert_eq!(refusal(&heal), (409, "nothing-to-heal".to_owned()));
    mount.stop();
}
