//! How one tells that a program noticed: `exit != 0`, `stdout ~ REGEX`, in one small language.
//!
//! Shared by the command line (`--detect`) and recipes. Text to predicate, and what it says of plain
//! data; knows no processes.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use super::mistake::Mistake;

/// What `--detect` and `detect` may say, for messages.
const FORMS: &str = "write `exit != 0`, `exit = 3`, `exit >= 2`, `stdout ~ REGEX`, `stderr ~ REGEX` or `stdout !~ REGEX`";

/// One way of telling that a program noticed.
#[derive(Clone, Debug)]
pub struct Detect {
    text: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    /// The exit status compares so with a number.
    Exit(Comparison, i32),
    /// The stream has the pattern somewhere, or nowhere.
    Said { stream: Stream, wanted: bool, pattern: Regex },
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Stdout,
    Stderr,
}

impl Detect {
    /// Reads one predicate. `exit` alone means `exit != 0`.
    pub fn parse(text: &str) -> Result<Detect, Mistake> {
        let mut words = text.trim().splitn(2, char::is_whitespace);
        let subject = words.next().unwrap_or_default();
        let rest = words.next().unwrap_or_default().trim();
        let test = match (subject, rest) {
            ("exit", "") => Test::Exit(Comparison::NotEqual, 0),
            ("exit", rest) => read_exit(text, rest)?,
            ("stdout", rest) => read_said(text, Stream::Stdout, rest)?,
            ("stderr", rest) => read_said(text, Stream::Stderr, rest)?,
            _ => return Err(bad(text)),
        };
        Ok(Detect { text: text.trim().to_owned(), test })
    }

    /// Whether a program that ended so, and said so, noticed.
    pub fn matches(&self, exit: i32, stdout: &[u8], stderr: &[u8]) -> bool {
        match &self.test {
            Test::Exit(comparison, number) => comparison.holds(exit, *number),
            Test::Said { stream, wanted, pattern } => {
                let said = match stream {
                    Stream::Stdout => stdout,
                    Stream::Stderr => stderr,
                };
                pattern.is_match(said) == *wanted
            }
        }
    }
}

impl fmt::Display for Detect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Detect {
    fn eq(&self, other: &Detect) -> bool {
        self.text == other.text
    }
}

impl Comparison {
    fn holds(self, exit: i32, number: i32) -> bool {
        match self {
            Comparison::Equal => exit == number,
            Comparison::NotEqual => exit != number,
            Comparison::AtLeast => exit >= number,
            Comparison::AtMost => exit <= number,
        }
    }
}

fn read_exit(text: &str, rest: &str) -> Result<Test, Mistake> {
    let operators = [
        ("!=", Comparison::NotEqual),
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("=", Comparison::Equal),
    ];
    let mut found = operators
        .iter()
        .filter_map(|(sign, comparison)| Some((rest.strip_prefix(sign)?, *comparison)));
    let (number, comparison) = found.next().ok_or_else(|| bad(text))?;
    match number.trim().parse::<u8>() {
        Ok(number) => Ok(Test::Exit(comparison, i32::from(number))),
        Err(_) => Err(Mistake::new(
            "bad-detect",
            format!("`{}` is not an exit status", number.trim()),
            "exit statuses are whole numbers from 0 to 255: `exit != 0`",
        )),
    }
}

fn read_said(text: &str, stream: Stream, rest: &str) -> Result<Test, Mistake> {
    let (wanted, pattern) = match (rest.strip_prefix("!~"), rest.strip_prefix('~')) {
        (Some(pattern), _) => (false, pattern),
        (None, Some(pattern)) => (true, pattern),
        (None, None) => return Err(bad(text)),
    };
    let pattern = pattern.trim();
    if pattern.is_empty() {
        return Err(Mistake::new(
            "bad-detect",
            format!("`{text}` has no pattern"),
            "an empty pattern matches everything; `stdout ~ .` is any output at all",
        ));
    }
    // Answers come in lines, and people mean lines by `^ok$`.
    let pattern = RegexBuilder::new(pattern).multi_line(true).build();
    let pattern = pattern.map_err(|error| bad_pattern(&error))?;
    Ok(Test::Said { stream, wanted, pattern })
}

fn bad(text: &str) -> Mistake {
    Mistake::new("bad-detect", format!("`{text}` does not say how to tell"), FORMS)
}

fn bad_pattern(error: &regex::Error) -> Mistake {
    let told = error.to_string();
    let last = told.lines().last().unwrap_or_default();
    let why = last.strip_prefix("error: ").unwrap_or(last);
    Mistake::new(
        "bad-detect",
        format!("the pattern is not a regular expression: {why}"),
        "put a backslash before a character that is meant as itself: `stdout ~ 1\\.5 \\(bad\\)`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str, exit: i32, stdout: &str, stderr: &str) -> bool {
        Detect::parse(text).unwrap().matches(exit, stdout.as_bytes(), stderr.as_bytes())
    }

    #[test]
    fn statuses_compare_as_written() {
        for (text, matching, other) in [
            ("exit", 1, 0),
            ("exit != 0", 9, 0),
            ("exit = 3", 3, 1),
            ("exit >= 2", 2, 1),
            ("exit <= 1", 1, 2),
        ] {
            assert!(says(text, matching, "", ""), "{text}");
            assert!(!says(text, other, "", ""), "{text}");
        }
    }

    #[test]
    fn patterns_are_of_lines_and_of_one_stream() {
        assert!(says("stderr ~ ^bad", 0, "", "so:\nbad block"));
        assert!(!says("stderr ~ ^bad", 0, "bad", "so bad"));
        assert!(says("stdout !~ ^ok$", 0, "row 3 missing\n", "ok"));
        assert!(!says("stdout !~ ^ok$", 0, "ok\n", ""));
        assert!(says("stdout ~ .", 0, ">fc...\n", "") && !says("stdout ~ .", 0, "", "x"));
    }

    #[test]
    fn what_is_no_predicate_is_refused_with_the_forms() {
        for text in [
            "",
            "exits",
            "exit ~ 1",
            "exit != none",
            "exit = 256",
            "stdout",
            "stdout ~",
            "stdout ~ (",
            "log ~ x",
        ] {
            let mistake = Detect::parse(text).unwrap_err();
            assert_eq!(mistake.code, "bad-detect", "{text}");
            assert!(!mistake.help.is_empty());
        }
    }
}
