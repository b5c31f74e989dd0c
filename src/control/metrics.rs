//! What a live mount counts, in the text format of Prometheus.

use std::fmt::{Display, Write as _};

use super::routes::App;
use crate::fs::{BOUNDS, Distribution, Operations};

/// The answer to `GET /metrics`. No paths: there may be any number of them.
pub(super) fn metrics(app: &App) -> String {
    let fs = app.director.filesystem();
    let armed = fs.armed();
    let mut text = Text::default();
    text.head("errorfs_build_info", "gauge", "The version that serves the mount.");
    text.line("errorfs_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.head("errorfs_ops_total", "counter", "Operations that the kernel asked for.");
    let operations = fs.operations();
    for one in operations.iter().filter(|one| one.begun > 0) {
        text.line("errorfs_ops_total", &[("op", one.kind.name())], one.begun);
    }
    let help = "Time that errorfs took itself, without what rules made operations wait.";
    text.durations("errorfs_op_duration_seconds", help, &operations, |one| &one.took);
    let help = "Time that rules made operations wait.";
    text.durations("errorfs_injected_delay_seconds", help, &operations, |one| &one.waited);
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
        text.line("errorfs_rule_active", &labels, u64::from(state.in_force));
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

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", quoted(value))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.text, "{name} {value}"),
            false => writeln!(self.text, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    /// A histogram for every kind of operation of which any was counted.
    fn durations(
        &mut self,
        name: &str,
        help: &str,
        operations: &[Operations],
        of: impl Fn(&Operations) -> &Distribution,
    ) {
        self.head(name, "histogram", help);
        for one in operations.iter().filter(|one| of(one).count() > 0) {
            self.histogram(name, one.kind.name(), of(one));
        }
    }

    fn histogram(&mut self, name: &str, op: &str, durations: &Distribution) {
        let bounds = BOUNDS.iter().map(|bound| bound.as_secs_f64().to_string());
        let mut count = 0;
        for (bound, class) in bounds.chain(["+Inf".to_owned()]).zip(durations.classes) {
            count += class;
            self.line(&format!("{name}_bucket"), &[("op", op), ("le", &bound)], count);
        }
        self.line(&format!("{name}_sum"), &[("op", op)], durations.sum.as_secs_f64());
        self.line(&format!("{name}_count"), &[("op", op)], count);
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
    fn a_histogram_adds_up_to_its_last_class() {
        let mut durations = Distribution::default();
        (durations.classes[0], durations.classes[2], durations.classes[25]) = (1, 2, 4);
        durations.sum = std::time::Duration::from_millis(1_500);
        let mut text = Text::default();
        text.histogram("t", "read", &durations);
        let lines: Vec<&str> = text.text.lines().collect();
        assert_eq!(lines[0], "t_bucket{op=\"read\",le=\"0.000001\"} 1");
        assert_eq!(lines[2], "t_bucket{op=\"read\",le=\"0.000005\"} 3");
        assert_eq!(lines[24], "t_bucket{op=\"read\",le=\"100\"} 3");
        let rest = ["t_bucket{op=\"read\",le=\"+Inf\"} 7", "t_sum{op=\"read\"} 1.5"];
        assert_eq!(lines[25..], [rest[0], rest[1], "t_count{op=\"read\"} 7"]);
    }

    #[test]
    fn labels_are_quoted() {
        let mut text = Text::default();
        text.line("name", &[("rule", "a\"b\\c\nd")], 3);
        assert_eq!(text.text, "name{rule=\"a\\\"b\\\\c\\nd\"} 3\n");
    }
}
