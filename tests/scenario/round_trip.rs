//! What is written is read back equal: as a file, and as canonical JSON.

use errorfs::scenario::*;
use proptest::prelude::*;

use super::strategies::scenario;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_written_scenario_is_read_back_equal(scenario in scenario()) {
        let text = scenario.to_toml();
        let parsed = parse(&text);
        prop_assert_eq!(parsed.scenario.as_ref(), Some(&scenario), "{}\n{:?}", text, parsed.diagnostics);
    }

    #[test]
    fn a_canonical_scenario_is_read_back_equal(scenario in scenario()) {
        let text = scenario.canonical().to_string();
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let back = Scenario::from_canonical(&value);
        prop_assert_eq!(back.as_ref(), Ok(&scenario), "{}", text);
        prop_assert_eq!(back.expect("equal").canonical().to_string(), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\u{1b}é]{0,200}") {
        let parsed = parse(&text);
        errorfs::diagnostic::to_text("x", &text, &parsed.diagnostics, true);
        errorfs::diagnostic::to_json("x", &text, &parsed.diagnostics);
    }

    #[test]
    fn no_damage_to_a_good_scenario_makes_the_reader_panic(
        scenario in scenario(), cut in any::<proptest::sample::Index>(), put in "[\\[\\]{}=\",.\n0-9a-z-]{0,3}",
    ) {
        let mut text = scenario.to_toml();
        let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
        let at = cut.index(starts.len());
        let (at, end) = (starts[at], starts.get(at + 2).copied().unwrap_or(text.len()));
        text.replace_range(at..end, &put);
        let parsed = parse(&text);
        errorfs::diagnostic::to_text("x", &text, &parsed.diagnostics, false);
        prop_assert_eq!(parsed.scenario.is_none(),
            errorfs::diagnostic::count(&parsed.diagnostics).0 > 0);
    }
}

#[test]
fn the_canonical_form_does_not_depend_on_the_spelling() {
    let terse = "version = 1\n[[rule]]\nname = \"a\"\nselect.path = \"x\"\n\
                 fault.bit_flip.at = [{ byte = \"4KiB\", bit = 1 }, { bit = 0, byte = 1 }]\n";
    let wordy = "version = 1\n[[rule]]\nname = \"a\"\nselect = { path = [\"x\"] }\n\
                 [rule.fault.bit_flip]\npersistence = \"sticky\"\n\
                 at = [{ byte = 1, bit = 0, generation = 0 }, { byte = 4096, bit = 1 }]\n";
    let canonical = |text| parse(text).scenario.expect("good").canonical().to_string();
    assert_eq!(canonical(terse), canonical(wordy));
    assert_eq!(
        canonical(terse),
        r#"{"rule":[{"fault":{"bit_flip":{"at":[{"bit":0,"byte":1,"generation":0},{"bit":1,"byte":4096,"generation":0}],"persistence":"sticky"}},"name":"a","select":{"path":["x"]}}],"version":1}"#
    );
}

#[test]
fn json_with_anything_else_in_it_is_refused() {
    for json in [
        "null",
        "[]",
        "{}",
        r#"{"version":1,"rule":[null]}"#,
        r#"{"version":1,"rule":[{"name":"a","fault":{"error":{"errno":"EIO"},"x":{}}}]}"#,
        r#"{"version":1,"rule":[],"extra":{}}"#,
    ] {
        let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert!(Scenario::from_canonical(&value).is_err(), "{json}");
    }
}
