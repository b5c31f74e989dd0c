//! What a live mount counts, in the text format of Prometheus.

use std::fmt::Write as _;

use super::routes::App;

/// The answer to `GET /metrics`. No paths: there may be any number of them.
pub(super) fn metrics(app: &App) -> String {
    let fs = app.director.filesystem();
    let armed = fs.armed();
    let mut text = Text::default();
    text.head("errorfs_build_info", "gauge", "The version that serves the mount.");
    text.line("errorfs_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.head("errorfs_ops_total", "counter", "Operations that the kernel asked for.");
    for (kind, count) in fs.operations().into_iter().filter(|(_, count)| *count > 0) {
        text.line("errorfs_ops_total", &[("op", kind.name())], count);
    }
    text.head("errorfs_injected_total", "counter", "Events of faults that reached the target.");
    for (rule, tally) in fs.ledger().tally() {
        for ((fault, op), count) in tally.ops {
            let labels = [("rule", &*rule), ("fault", &*fault), ("op", &*op)];
            text.line("errorfs_injected_total", &labels, count);
        }
    }
    text.head("errorfs_rule_active", "gauge", "Whether a rule is armed.");
    for state in armed.iter().flat_map(|armed| armed.states()) {
        let labels = [("rule", &*state.label.rule), ("fault", state.label.fault)];
        text.line("errorfs_rule_active", &labels, state.in_force.into());
    }
    let generation = armed.as_ref().map_or(0, |armed| armed.generation());
    text.single("errorfs_scenario_generation", "gauge", "Plans that were armed.", generation);
    let waiting = fs.waiting() as u64;
    text.single("errorfs_waiting", "gauge", "Answers that are delayed or stalled.", waiting);
    let failed = fs.ledger().failed().into();
    text.single("errorfs_ledger_failed", "gauge", "Whether the ledger cannot be written.", failed);
    let lost = fs.ledger().lost();
    let help = "Events that could not be recorded: their faults were not delivered.";
    text.single("errorfs_ledger_dropped_total", "counter", help, lost);
    text.text
}

#[derive(Default)]
struct Text {
    text: String,
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", quoted(value))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.text, "{name} {value}"),
            false => writeln!(self.text, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut text = Text::default();
        text.line("name", &[("rule", "a\"b\\c\nd")], 3);
        assert_eq!(text.text, "name{rule=\"a\\\"b\\\\c\\nd\"} 3\n");
    }
}
