//! The formats for programs and browsers.

use super::*;

/// Notices damage of `data`, prints that of `copy`, reads nothing else.
const SCRIPT: &str = "cd $1 && sha256sum -c --quiet SUMS && cat copy";

#[test]
fn json_has_every_trial_and_the_exact_bounds() {
    require_fuse!();
    let report = report(&lines(), &["--trials", "10", "--require", "0.01"], SCRIPT);
    assert_eq!(
        (&report["drill"], &report["seed"], &report["met"]),
        (&1.into(), &7.into(), &true.into())
    );
    let counts = report["counts"].as_object().unwrap();
    assert_eq!(counts.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 10);
    let count = |verdict: &str| counts[verdict].as_u64().unwrap();
    assert_eq!(report["noticed"], count("detected"));
    assert!(count("detected") > 0 && count("silent_corruption") > 0, "{report:#}");
    let rate = report["rate"].as_f64().unwrap();
    let [low, high] = [0, 1].map(|end| report["interval_95"][end].as_f64().unwrap());
    assert!(low < rate && rate < high && low > 0.0, "{report:#}");
    for trial in report["trials"].as_array().unwrap() {
        assert_eq!(trial["faults"].as_array().unwrap().len(), 1, "{trial:#}");
        assert!(trial["repeat"].as_str().unwrap().contains("--trial "), "{trial:#}");
    }
}

/// Reads both files as their formats are read, by programs that are not ours.
const PARSE: &str = r"
import sys, xml.etree.ElementTree as E, html.parser
suite = E.parse(sys.argv[1]).getroot()[0]
cases = suite.findall('testcase')
kinds = [len(suite.findall('testcase/' + kind)) for kind in ('failure', 'error', 'skipped')]
assert [int(suite.get(name)) for name in ('failures', 'errors', 'skipped')] == kinds, kinds
assert int(suite.get('tests')) == len(cases) == 10
open_tags = []
class Page(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        assert not any(name in ('src', 'href') for name, _ in attributes), 'needs something else'
        if tag not in ('meta', 'br'): open_tags.append(tag)
    def handle_endtag(self, tag):
        assert open_tags.pop() == tag, tag
page = open(sys.argv[2]).read()
Page().feed(page)
assert not open_tags and 'http' not in page and '<b>' not in page
print(kinds[0], page.count('silent_corruption'))
";

#[test]
fn junit_and_the_page_are_whole_and_need_nothing_else() {
    require_fuse!();
    let files = Backing::new();
    let [junit, html] = ["j.xml", "p.html"].map(|name| files.join(name));
    let arguments =
        ["--trials", "10", "--junit", junit.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let script = format!("{SCRIPT} # <b>&\"' \u{1}");
    drill(&lines(), &arguments, &script).succeed();
    let parsed = Program::new("python3").args(["-c", PARSE]).arg(&junit).arg(&html).succeed();
    let counts: Vec<u32> =
        parsed.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(counts[0] > 0 && counts[1] > counts[0], "{parsed}");
}
