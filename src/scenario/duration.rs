//! Durations in the one spelling that errorfs reads and writes: `250us`, `5ms`, `1h30m`.
//!
//! Whole numbers with a unit each, from the largest unit to the smallest, each unit once. A bare
//! number is refused: whether `5` means seconds or milliseconds is nothing to guess at.

use std::time::Duration;

use super::mistake::Mistake;
use super::suggest::nearest;

/// The units from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// What people write for the units above.
const OTHER_UNITS: [(&str, &str); 16] = [
    ("hour", "h"),
    ("hours", "h"),
    ("hr", "h"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
    ("usec", "us"),
    ("µs", "us"),
    ("μs", "us"),
    ("nsec", "ns"),
];

/// The longest duration, in hours: a century. Longer ones are mistakes, and this one fits into 64
/// bits of nanoseconds with room to add.
const HOURS_MAX: u128 = 876_000;

/// Reads a duration.
pub fn parse(text: &str) -> Result<Duration, Mistake> {
    let mut nanos: u128 = 0;
    let mut rest = text;
    let mut unit_next = 0;
    while !rest.is_empty() || text.is_empty() {
        let (number, unit, tail) = split(rest);
        let index = read_unit(text, number, unit)?;
        if index < unit_next {
            return Err(bad(text, "from the largest unit to the smallest, each once"));
        }
        unit_next = index + 1;
        nanos = number
            .parse::<u128>()
            .ok()
            .and_then(|number| number.checked_mul(UNITS[index].1))
            .and_then(|more| nanos.checked_add(more))
            .filter(|nanos| *nanos <= HOURS_MAX * UNITS[0].1)
            .ok_or_else(|| too_long(text))?;
        rest = tail;
    }
    Ok(Duration::new((nanos / UNITS[2].1) as u64, (nanos % UNITS[2].1) as u32))
}

/// Digits, then whatever comes before the next digit.
fn split(text: &str) -> (&str, &str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(letters);
    (number, unit, tail)
}

fn read_unit(text: &str, number: &str, unit: &str) -> Result<usize, Mistake> {
    if number.is_empty() {
        return Err(bad(text, "a whole number and a unit"));
    }
    if unit.is_empty() {
        return Err(no_unit(number));
    }
    if unit.starts_with(['.', ',']) {
        return Err(bad(text, "whole numbers, as in `1s500ms`"));
    }
    if unit.contains(char::is_whitespace) {
        return Err(bad(text, "no spaces"));
    }
    UNITS.iter().position(|(known, _)| *known == unit).ok_or_else(|| unknown_unit(unit))
}

fn bad(text: &str, rule: &str) -> Mistake {
    Mistake::new(
        "bad-duration",
        format!("`{text}` is not a duration"),
        format!("durations are written like `250us`, `5ms`, `10s` or `1h30m`: {rule}"),
    )
}

/// What to say of a number that has no unit.
pub(super) fn no_unit(number: &str) -> Mistake {
    Mistake::new(
        "missing-unit",
        format!("the duration {number} has no unit"),
        format!("write `\"{number}s\"` for seconds, `\"{number}ms\"` for milliseconds"),
    )
}

fn unknown_unit(unit: &str) -> Mistake {
    let known = UNITS.map(|(name, _)| name);
    let meant = OTHER_UNITS
        .iter()
        .find(|(other, _)| *other == unit.to_lowercase())
        .map(|(_, name)| *name)
        .or_else(|| nearest(unit, known));
    let meant = meant.map_or(String::new(), |name| format!("did you mean `{name}`? "));
    let days = if matches!(unit, "d" | "day" | "days") { "a day is `24h`; " } else { "" };
    Mistake::new(
        "unknown-unit",
        format!("`{unit}` is not a unit of time"),
        format!("{meant}{days}units are: h, m, s, ms, us, ns"),
    )
}

fn too_long(text: &str) -> Mistake {
    Mistake::new(
        "out-of-range",
        format!("the duration `{text}` is longer than a century"),
        format!("durations go up to `{HOURS_MAX}h`"),
    )
}

/// Writes a duration so that [`parse`] reads it back, exact to the nanosecond.
pub fn format(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut text = String::new();
    for (unit, size) in UNITS {
        if nanos >= size {
            text += &format!("{}{unit}", nanos / size);
            nanos %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_is_read_and_written() {
        for text in ["250us", "5ms", "1h30m", "10s", "123us456ns", "0s", "876000h"] {
            assert_eq!(parse(text).map(format).as_deref(), Ok(text));
        }
        assert_eq!(parse("123456ns"), Ok(Duration::from_nanos(123_456)));
        assert_eq!(parse("90m"), parse("1h30m"));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for text in [
            "",
            "5",
            "ms",
            "1.5s",
            "1s 5ms",
            "5ms1s",
            "1s1s",
            "5sec",
            "-5s",
            "1d",
            "5S",
            "+1s",
            "876001h",
            "99999999999999999999999999999999999999999h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
