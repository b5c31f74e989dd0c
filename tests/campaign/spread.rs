//! Damage that one node read and another stores afterwards.

use super::*;

/// Two nodes; the workload reads the one and does something to the other.
fn copying(workload: &str, kinds: &str) -> Value {
    let text = format!(
        "version = 1\nname = \"copying\"\n\
         prepare = \"mkdir one two; seq 100000 100099 > one/data; echo old > two/data\"\n\
         workload = \"{workload}\"\ngolden = 2\ndetect = [\"stderr ~ differs\"]\n[faults]\n\
         node = \"one\"\nread = {kinds}\n[[node]]\nname = \"one\"\n[[node]]\nname = \"two\"\n"
    );
    let report = Campaign::new(&text).report(&[]);
    assert_eq!(report["trials"].as_array().unwrap().len(), 1, "{report:#}");
    report["trials"][0]["result"].clone()
}

fn told(result: &Value) -> [String; 2] {
    let global: Vec<&str> =
        result["global"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    [result["verdict"].as_str().unwrap().to_owned(), global.join(" ")]
}

#[test]
fn what_another_node_stores_is_found_and_no_right_answer() {
    require_fuse!();
    require_root!();
    for kind in ["[\"bit_flip\"]", "[\"junk\"]", "[\"zero\"]"] {
        let result = copying("cat {mnt.one}/data >> {mnt.two}/data", kind);
        if kind.contains("zero") {
            // All of the file is zeros, which stand anywhere.
            assert_eq!(told(&result), ["benign", "correct"], "{result:#}");
            continue;
        }
        assert_eq!(told(&result), ["silent_corruption", "spread"], "{result:#}");
        assert_eq!(result["why"], "damage is now stored by two");
        let spread = &result["spread"][0];
        assert_eq!([&spread["node"], &spread["path"]], ["two", "data"], "{spread}");
        assert_eq!(spread["seq"], 1, "{spread}");
        assert!(spread["offset"].as_u64().unwrap() >= 4, "behind what was there: {spread}");
    }
}

#[test]
fn who_says_so_has_detected_it_all_the_same() {
    require_fuse!();
    require_root!();
    let workload = "cat {mnt.one}/data >> {mnt.two}/data; grep -qx 1000[0-9][0-9] {mnt.one}/data && ! grep -qvx 1000[0-9][0-9] {mnt.one}/data || echo differs >&2";
    let result = copying(workload, "[\"junk\"]");
    assert_eq!(told(&result), ["detected", "spread"], "{result:#}");
}

#[test]
fn what_was_not_passed_on_is_not_found() {
    require_fuse!();
    require_root!();
    let result = copying("cat {mnt.one}/data >{tmp}/x; echo new >> {mnt.two}/data", "[\"junk\"]");
    assert_eq!(told(&result), ["benign", "correct"], "{result:#}");
    assert!(result.get("spread").is_none(), "{result:#}");
}
