//! A spanned TOML document, read key by key, so that every mistake is found and none hides another.
//!
//! Knows tables, keys and types; which keys there are and what they mean is said by its users.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;
use super::suggest::nearest;
use super::{duration, size};
use crate::diagnostic::Diagnostic;

/// What a value gave, or why it gave nothing.
pub(super) type Read<T> = Result<T, Diagnostic>;

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// How many of them are errors.
    pub(super) fn errors(&self) -> usize {
        crate::diagnostic::count(&self.list).0
    }

    /// The value, or nothing and a finding more.
    pub(super) fn keep<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|diagnostic| self.push(diagnostic)).ok()
    }

    /// Reads a key that may be absent.
    pub(super) fn read<'a, T>(
        &mut self,
        field: Option<Field<'a>>,
        reader: impl FnOnce(Field<'a>) -> Read<T>,
    ) -> Option<T> {
        field.and_then(|field| self.keep(reader(field)))
    }
}

/// The keys that one table may have.
#[derive(Debug)]
pub(super) struct Keys {
    /// What the table is, as messages call it: "a rule".
    pub(super) of: &'static str,
    /// What a key stands for, as messages call it: "key".
    pub(super) noun: &'static str,
    /// What this version understands.
    pub(super) known: &'static [&'static str],
    /// What the format has and this version does not.
    pub(super) later: &'static [&'static str],
}

impl Keys {
    /// Reports every key of the table that is not one of these.
    pub(super) fn check(&self, table: &Table<'_>, findings: &mut Findings) {
        for key in table.entries.keys() {
            let name: &str = key.get_ref();
            if self.later.contains(&name) {
                findings.push(not_yet(self.noun, name, key.span()));
            } else if !self.known.contains(&name) {
                findings.push(self.unknown(name, key.span()));
            }
        }
    }

    fn unknown(&self, name: &str, span: Range<usize>) -> Diagnostic {
        let all = self.known.iter().chain(self.later).copied();
        let known = self.known.join(", ");
        let (code, message, help) = match self.noun {
            "key" => (
                "unknown-key",
                format!("{} has no key `{name}`", self.of),
                match self.known {
                    [] => format!("{} has no keys", self.of),
                    _ => format!("keys of {}: {known}", self.of),
                },
            ),
            noun => (
                if noun == "fault" { "unknown-fault" } else { "unknown-distribution" },
                format!("there is no {noun} `{name}`"),
                format!("{noun}s are: {known}"),
            ),
        };
        Diagnostic::error(code, span, message).label(did_you_mean(name, all)).help(help)
    }
}

/// Something of the format that this version of errorfs lacks.
pub(super) fn not_yet(noun: &str, name: &str, span: Range<usize>) -> Diagnostic {
    let message = format!("this version of errorfs does not have the {noun} `{name}` yet");
    Diagnostic::error("not-yet", span, message)
        .help(format!("remove `{name}`, or use a later version of errorfs"))
}

/// "did you mean `read`?", or nothing.
pub(super) fn did_you_mean<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, all).map_or(String::new(), |near| format!("did you mean `{near}`?"))
}

/// One table of the document.
#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    pub(super) entries: &'a DeTable<'a>,
    /// Its header, or its braces.
    pub(super) span: Range<usize>,
}

impl<'a> Table<'a> {
    /// The value of a key.
    pub(super) fn get(&self, key: &'static str) -> Option<Field<'a>> {
        let (spanned, value) = self.entries.get_key_value(key)?;
        Some(Field { key, key_span: spanned.span(), member: false, value })
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &'static str, of: &str, example: &str) -> Read<Field<'a>> {
        self.get(key).ok_or_else(|| {
            Diagnostic::error("missing-key", self.span.clone(), format!("{of} needs `{key}`"))
                .help(format!("write `{example}`"))
        })
    }

    /// Those of the keys that are there, in the order of the text.
    pub(super) fn present(&self, keys: &[&'static str]) -> Vec<Field<'a>> {
        let mut present: Vec<_> = keys.iter().filter_map(|key| self.get(key)).collect();
        present.sort_by_key(|field| field.key_span.start);
        present
    }
}

/// One value, with the key that it stands under.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) key: &'static str,
    pub(super) key_span: Range<usize>,
    /// Whether the value is a member of the list that stands there.
    pub(super) member: bool,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Field<'a> {
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// A diagnostic at this value.
    pub(super) fn error(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.span(), message)
    }

    /// The value has the wrong type: say the right one, and show it.
    pub(super) fn wrong_type(&self, expected: &str, example: &str) -> Diagnostic {
        let found = type_name(self.value.get_ref());
        let each = if self.member { "each of " } else { "" };
        let message = format!("{each}`{}` must be {expected}, not {found}", self.key);
        self.error("wrong-type", message)
            .label(format!("this is {found}"))
            .help(format!("write it like `{example}`"))
    }

    pub(super) fn table(&self, example: &str) -> Read<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Ok(Table { entries, span: self.span() }),
            _ => Err(self.wrong_type("a table", example)),
        }
    }

    /// The members of a list, each under the same key; of anything else, the value itself.
    pub(super) fn one_or_many(&self) -> Read<Vec<Field<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(_) => self.many("a list", "[]"),
            _ => Ok(vec![self.clone()]),
        }
    }

    /// The members of a list that must be one, and must not be empty.
    pub(super) fn many(&self, expected: &str, example: &str) -> Read<Vec<Field<'a>>> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong_type(expected, example));
        };
        if items.is_empty() {
            let message = format!("`{}` is an empty list, which selects nothing", self.key);
            let help = format!("name at least one, or leave `{}` out", self.key);
            return Err(self.error("empty-list", message).help(help));
        }
        let member =
            |value| Field { key: self.key, key_span: self.key_span.clone(), member: true, value };
        Ok(items.iter().map(member).collect())
    }

    /// The members of a list that must be one, and may be empty.
    pub(super) fn many_or_none(&self, expected: &str, example: &str) -> Read<Vec<Field<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(items) if items.is_empty() => Ok(Vec::new()),
            _ => self.many(expected, example),
        }
    }

    pub(super) fn text(&self, example: &str) -> Read<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string", example)),
        }
    }

    /// A whole number, not negative.
    pub(super) fn natural(&self, example: &str) -> Read<u64> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            return Err(self.wrong_type("a whole number", example));
        };
        u64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| {
            let message = format!("`{}` must be from 0 to {}, not {integer}", self.key, u64::MAX);
            self.error("out-of-range", message).help(format!("write it like `{example}`"))
        })
    }

    /// A whole number, at least 1. `why` says what 0 would mean.
    pub(super) fn positive(&self, why: &str, example: &str) -> Read<u64> {
        match self.natural(example)? {
            0 => Err(self
                .error("zero-value", format!("`{}` is 0: {why}", self.key))
                .help(format!("write it like `{example}`"))),
            number => Ok(number),
        }
    }

    /// A number with or without a fraction; neither NaN nor infinite.
    pub(super) fn number(&self, example: &str) -> Read<f64> {
        let number = match self.value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().unwrap_or(f64::NAN),
            DeValue::Integer(_) => return self.integer_as_number(example),
            _ => return Err(self.wrong_type("a number", example)),
        };
        if number.is_finite() {
            return Ok(number + 0.0); // Minus zero becomes zero: it is the same number, written once.
        }
        Err(self
            .error("out-of-range", format!("`{}` must be a finite number", self.key))
            .help(format!("write it like `{example}`")))
    }

    fn integer_as_number(&self, example: &str) -> Read<f64> {
        match self.value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map(|integer| integer as f64)
                .map_err(|_| self.wrong_type("a number", example)),
            _ => Err(self.wrong_type("a number", example)),
        }
    }

    pub(super) fn duration(&self, example: &str) -> Read<std::time::Duration> {
        match self.value.get_ref() {
            DeValue::String(text) => duration::parse(text).map_err(|mistake| self.mistake(mistake)),
            DeValue::Integer(number) => Err(self.mistake(duration::no_unit(number.as_str()))),
            DeValue::Float(number) => Err(self.mistake(duration::no_unit(number.as_str()))),
            _ => Err(self.wrong_type("a duration", example)),
        }
    }

    /// Bytes: a whole number, or a string with a unit.
    pub(super) fn size(&self, example: &str) -> Read<u64> {
        match self.value.get_ref() {
            DeValue::String(text) => size::parse(text).map_err(|mistake| self.mistake(mistake)),
            DeValue::Integer(integer) => match self.natural(example)? {
                bytes if bytes > size::OFFSET_MAX => {
                    Err(self.mistake(size::too_large(integer.as_str())))
                }
                bytes => Ok(bytes),
            },
            _ => Err(self.wrong_type("a size in bytes", example)),
        }
    }

    pub(super) fn mistake(&self, mistake: Mistake) -> Diagnostic {
        mistake.at(self.span())
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
