//! Several scenario files as one.

use errorfs::scenario::{MergeError, Scenario, merge, parse};

fn scenario(seed: &str, name: &str, select: &str) -> Scenario {
    let text = format!(
        "version = 1\n{seed}\n[[rule]]\nname = \"{name}\"\n{select}\nfault.error.errno = \"EIO\"\n"
    );
    parse(&text).scenario.expect("a good scenario")
}

#[test]
fn rules_are_concatenated_in_the_order_of_the_files() {
    let one = scenario("seed = 7", "a", "select.path = \"a\"");
    let two = scenario("", "b", "select.path = \"b\"");
    let merged = merge(vec![("1".into(), one), ("2".into(), two)]).expect("they go together");
    let names: Vec<&str> = merged.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!((names, merged.seed), (vec!["a", "b"], Some(7)));
}

#[test]
fn every_clash_is_reported_at_once() {
    let one = scenario("seed = 7", "a", "");
    let two = scenario("seed = 8", "a", "select.path = \"b\"");
    let errors = merge(vec![("1".into(), one), ("2".into(), two)]).expect_err("they clash");
    assert!(matches!(errors[0], MergeError::DuplicateRule { .. }), "{errors:?}");
    assert!(matches!(errors[1], MergeError::ConflictingSeeds { .. }), "{errors:?}");
    assert_eq!(
        errors[2].to_string(),
        "in `2`: rule `a` never fires: rule `a` in `1` always does first; rules are tried in order \
         and the first that fires decides: put the narrower rule first, or narrow the earlier one"
    );
}

/// Eight times as many rules take eight times as long, not sixty-four times.
#[test]
fn the_work_grows_with_the_number_of_rules_and_no_faster() {
    let text = |count: usize| {
        let rule = |number: usize| {
            format!(
                "[[rule]]\nname = \"{number}\"\nselect = {{ path = \"{number}/*\" }}\n\
                 fault = {{ bit_flip = {{ at = [{{ byte = 0, bit = 0 }}] }} }}\n\
                 [[rule]]\nname = \"e{number}\"\nselect = {{ path = \"{number}/*\" }}\n\
                 fault = {{ error = {{ errno = \"EIO\" }} }}\n"
            )
        };
        format!("version = 1\n{}", (0..count).map(rule).collect::<String>())
    };
    let took = |count: usize| {
        let text = text(count);
        let once = |_| {
            let start = std::time::Instant::now();
            assert!(errorfs::scenario::parse(&text).scenario.is_some());
            start.elapsed()
        };
        (0..5).map(once).min().unwrap()
    };
    // Noise of a busy machine only ever adds: one good measurement of three is proof.
    let ratios: Vec<f64> =
        (0..3).map(|_| took(4_000).as_secs_f64() / took(500).as_secs_f64()).collect();
    assert!(ratios.iter().any(|ratio| *ratio < 24.0), "{ratios:?}");
}
