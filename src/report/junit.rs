//! The report for CI: JUnit XML, one case a trial. Not noticed is a failure, a failure of errorfs an
//! error, a fault that was never read skipped.
//!
//! By hand: the crates for it bring a dozen others, and this is one loop.

use std::fmt::Write as _;

use super::text::in_words;
use super::{Requirement, Summary};
use crate::trial::{Trial, Verdict};

/// The whole report.
pub fn to_junit(summary: &Summary) -> String {
    let count = |holds: &dyn Fn(&Trial) -> bool| summary.trials.iter().filter(|t| holds(t)).count();
    let name = escape(summary.name.as_deref().unwrap_or(&summary.command));
    let total = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        summary.trials.len(),
        count(&|trial| is_failure(summary, trial)),
        count(&|trial| trial.verdict == Verdict::Inconclusive),
        count(&|trial| trial.verdict == Verdict::NotActivated),
        summary.trials.iter().map(seconds).sum::<f64>(),
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"errorfs drill\" {total}>");
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" {total}>");
    summary.trials.iter().for_each(|trial| case(summary, trial, &name, &mut xml));
    let told = summary.requirement_in_words().unwrap_or_default();
    let told = escape(&format!("{}\n{told}", summary.rate_in_words()));
    let _ = writeln!(xml, "    <system-out>{told}</system-out>\n  </testsuite>\n</testsuites>");
    xml
}

/// What is known to be blind fails by noticing.
fn is_failure(summary: &Summary, trial: &Trial) -> bool {
    let noticed = trial.verdict.is_noticed();
    let wanted = summary.requirement != Requirement::Blind;
    trial.verdict.is_activated() && noticed != wanted
}

fn seconds(trial: &Trial) -> f64 {
    trial.command.as_ref().map_or(0.0, |seen| seen.elapsed_ms as f64 / 1000.0)
}

fn case(summary: &Summary, trial: &Trial, class: &str, xml: &mut String) {
    let (number, time) = (trial.number, seconds(trial));
    let _ = write!(
        xml,
        "    <testcase classname=\"{class}\" name=\"trial {number}\" time=\"{time:.3}\""
    );
    let told = escape(&format!("{}\n{}", in_words(trial), summary.repeat(number)));
    let (name, why) = (trial.verdict.name(), escape(&trial.why));
    let _ = match trial.verdict {
        Verdict::Inconclusive => {
            writeln!(xml, "><error message=\"{why}\" type=\"{name}\">{told}</error></testcase>")
        }
        Verdict::NotActivated => {
            writeln!(xml, "><skipped message=\"{name}: {why}\"/></testcase>")
        }
        _ if is_failure(summary, trial) => writeln!(
            xml,
            "><failure message=\"{name}: {why}\" type=\"{name}\">{told}</failure></testcase>"
        ),
        _ => writeln!(xml, "/>"),
    };
}

/// Text as it may stand in XML; what XML cannot hold at all becomes U+FFFD. Good for HTML as well.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
