//! What is wrong with a file that a person wrote: code, place, message, remedy.
//!
//! Data and its three renderings: text for people, JSON for programs, annotations for GitHub.
//! Finding the mistakes is the business of `scenario`; printing is the business of `cli`.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Legal, and probably not what was meant.
    Warning,
    /// Nothing is mounted.
    Error,
}

impl Severity {
    /// The word that messages and JSON use.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One mistake, with the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable, kebab-case: `unknown-op`. Scripts may rely on it.
    pub code: &'static str,
    /// Byte range in the text.
    pub span: Range<usize>,
    /// What is wrong, in the words of the person who wrote the file.
    pub message: String,
    /// What stands at the caret; empty for a bare caret.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error: the file is refused.
    pub fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            span,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    /// A warning: the file is accepted.
    pub fn warning(
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// This diagnostic with words at the caret.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// This diagnostic with a remedy.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

/// How many errors and how many warnings there are.
pub fn count(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

/// What follows from errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: that is all that was asked.
    None,
    /// There is no mount.
    NothingMounted,
    /// There is one, as it was.
    LoadedStays,
}

/// The last line under a list that contains errors: "2 errors, 0 warnings: nothing was mounted".
pub fn footer(errors: usize, warnings: usize, consequence: Consequence) -> String {
    let consequence = match consequence {
        Consequence::None => "",
        Consequence::NothingMounted => ": nothing was mounted",
        Consequence::LoadedStays => ": what was loaded stays",
    };
    format!("{}, {}{consequence}", plural(errors, "error"), plural(warnings, "warning"))
}

/// "1 rule", "2 rules".
pub fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// The diagnostics of one file for a person, each with its source line and a caret, each followed
/// by an empty line.
pub fn to_text(file: &str, text: &str, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    diagnostics
        .iter()
        .map(|diagnostic| render(&renderer, file, text, diagnostic) + "\n\n")
        .collect()
}

fn render(renderer: &Renderer, file: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(harmless(&diagnostic.message)).id(diagnostic.code);
    let mut group = if text.is_empty() {
        title.element(Origin::path(harmless(file)))
    } else {
        title.element(snippet(file, text, diagnostic))
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(harmless(help)));
    }
    let report: &[Group<'_>] = &[group];
    renderer.render(report)
}

fn snippet<'a>(
    file: &str,
    text: &'a str,
    diagnostic: &Diagnostic,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let caret = AnnotationKind::Primary.span(clamp(text, &diagnostic.span));
    let caret = match diagnostic.label.as_str() {
        "" => caret,
        label => caret.label(harmless(label)),
    };
    Snippet::source(text).path(harmless(file)).annotation(caret)
}

/// The diagnostics of one file as one JSON object.
pub fn to_json(file: &str, text: &str, diagnostics: &[Diagnostic]) -> Value {
    let diagnostics: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let span = clamp(text, &diagnostic.span);
            let (line, column) = position(text, span.start);
            let (end_line, end_column) = position(text, span.end);
            json!({
                "severity": diagnostic.severity.name(),
                "code": diagnostic.code,
                "line": line,
                "column": column,
                "end_line": end_line,
                "end_column": end_column,
                "message": diagnostic.message,
                "label": diagnostic.label,
                "help": diagnostic.help,
            })
        })
        .collect();
    json!({ "file": file, "diagnostics": diagnostics })
}

/// The diagnostics of one file as workflow commands of GitHub Actions, one a line.
pub fn to_github(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| {
            let (line, column) = position(text, clamp(text, &diagnostic.span).start);
            let help = diagnostic.help.as_deref().unwrap_or_default();
            let gap = if help.is_empty() { "" } else { "\nhelp: " };
            format!(
                "::{} file={},line={line},col={column},title={}::{}\n",
                diagnostic.severity.name(),
                github_property(file),
                diagnostic.code,
                github_data(&format!("{}{gap}{help}", diagnostic.message)),
            )
        })
        .collect()
}

fn github_data(text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    harmless(&escaped)
}

fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Line and column of a byte, both from 1, the column in characters. The end of a span is the
/// column after its last character.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The span, made to lie on characters of the text: a wrong span must not panic in a renderer.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end.max(start));
    start..end
}

/// The last beginning of a character at or before that byte.
fn boundary(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or(0)
}

/// The text with everything that could steer a terminal, or hide what it says, made visible.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            let steers = c.is_control() && c != '\n';
            let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers || reorders {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version = 1\nname = \"é\u{1b}[31m\"\n";

    fn sample() -> Diagnostic {
        Diagnostic::error("bad-name", 19..27, "no \u{1b}[31m here, 100%")
            .label("this")
            .help("write `name = \"e\"`\nor nothing")
    }

    #[test]
    fn no_rendering_lets_a_terminal_escape_through() {
        let file = "a\u{1b}]0;owned\u{7}.toml";
        let text = to_text(file, TEXT, &[sample()], false);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
        assert!(text.contains("error[bad-name]: no \\u{1b}[31m here"), "{text}");
        let github = to_github(file, TEXT, &[sample()]);
        assert!(!github.contains('\u{1b}'), "{github}");
        let json = to_json(file, TEXT, &[sample()]).to_string();
        assert!(!json.contains('\u{1b}'), "{json}");
    }

    #[test]
    fn github_annotations_escape_what_ends_a_command() {
        let line = to_github("a,b:c.toml", TEXT, &[sample()]);
        assert!(line.starts_with("::error file=a%2Cb%3Ac.toml,line=2,col=8,title=bad-name::"));
        assert!(line.contains("100%25%0Ahelp: write"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn json_counts_columns_in_characters_from_one() {
        let json = to_json("a.toml", TEXT, &[sample()]);
        let first = &json["diagnostics"][0];
        assert_eq!(first["line"], 2);
        assert_eq!(first["column"], 8);
        assert_eq!(first["end_line"], 2);
        assert_eq!(first["end_column"], 15);
    }

    #[test]
    fn a_span_outside_the_text_does_not_panic() {
        let diagnostic = Diagnostic::warning("x", 20..900, "off");
        to_text("a", TEXT, std::slice::from_ref(&diagnostic), true);
        to_text("a", "", std::slice::from_ref(&diagnostic), false);
        to_json("a", "", &[diagnostic]);
    }
}
