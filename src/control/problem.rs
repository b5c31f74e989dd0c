//! Why a request was not done: `application/problem+json` (RFC 9457).

use serde_json::{Value, json};

use crate::diagnostic::{self, Diagnostic};

/// Names of rules that a message lists.
const NAMED_MAX: usize = 20;

/// Why a request was not done. Nothing has changed then.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status of HTTP.
    pub status: u16,
    /// Stable, kebab-case, as those of `errorfs check`.
    pub code: &'static str,
    /// What is wrong, and what to do.
    pub detail: String,
    /// What is wrong with a scenario, as `errorfs check --format json` has it.
    pub diagnostics: Vec<Value>,
    /// The file that it is about, if it is one that the mount was started with.
    pub(super) file: Option<std::path::PathBuf>,
}

impl Problem {
    /// A problem with an explanation.
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), diagnostics: Vec::new(), file: None }
    }

    /// A scenario is not sound.
    pub fn scenario(text: &str, diagnostics: &[Diagnostic]) -> Problem {
        let errors = diagnostics.iter().filter(|one| one.severity == diagnostic::Severity::Error);
        let first = errors.clone().next();
        let detail = first.map_or("the scenario is not sound", |one| &one.message).to_owned();
        let code = first.map_or("bad-scenario", |one| one.code);
        let mut json = diagnostic::to_json("request", text, diagnostics);
        let diagnostics = match json["diagnostics"].take() {
            Value::Array(diagnostics) => diagnostics,
            _ => Vec::new(),
        };
        Problem { status: 422, code, detail, diagnostics, file: None }
    }

    /// What is wrong with a scenario, a line each.
    pub fn lines(&self) -> Vec<String> {
        let line = |one: &Value| {
            let said = |key: &str| one[key].as_str().unwrap_or_default();
            format!(
                "line {}: {}[{}]: {}",
                one["line"],
                said("severity"),
                said("code"),
                said("message")
            )
        };
        self.diagnostics.iter().map(line).collect()
    }

    /// There is no such rule; there are these.
    pub fn no_rule<'a>(name: &str, rules: impl IntoIterator<Item = &'a str>) -> Problem {
        let rules: Vec<_> = rules.into_iter().map(|rule| format!("`{rule}`")).collect();
        let there = match rules.len() {
            0 => "none is loaded".to_owned(),
            count if count > NAMED_MAX => {
                format!(
                    "there are {} and {} more",
                    rules[..NAMED_MAX].join(", "),
                    count - NAMED_MAX
                )
            }
            _ => format!("there are: {}", rules.join(", ")),
        };
        Problem::new(404, "unknown-rule", format!("there is no rule `{name}`; {there}"))
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "type": "about:blank",
            "title": self.code,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        });
        if !self.diagnostics.is_empty() {
            body["diagnostics"] = Value::Array(self.diagnostics.clone());
        }
        body
    }
}
