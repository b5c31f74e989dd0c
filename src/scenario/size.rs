//! Sizes (`4KiB`) and byte ranges (`4096..8192`) in the one spelling that errorfs reads.
//!
//! Binary units only, and written out: whether `4K` means 4000 or 4096 is nothing to guess at.

use std::ops::Range;

use super::mistake::Mistake;
use super::suggest::nearest;

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", bytesize::KIB),
    ("MiB", bytesize::MIB),
    ("GiB", bytesize::GIB),
    ("TiB", bytesize::TIB),
    ("PiB", bytesize::PIB),
    ("EiB", bytesize::EIB),
];

/// The largest offset of a file on Linux (`loff_t`). What lies beyond can never be read.
pub(super) const OFFSET_MAX: u64 = i64::MAX as u64;

/// Reads a size: bytes, or a whole number and a binary unit.
pub fn parse(text: &str) -> Result<u64, Mistake> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(['.', ',', ' ', '_']) {
        return Err(Mistake::new(
            "bad-size",
            format!("`{text}` is not a size"),
            "sizes are whole numbers of bytes, or of a binary unit, as in `4096` or `4KiB`",
        ));
    }
    let factor = if unit.is_empty() { 1 } else { factor(number, unit)? };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes <= OFFSET_MAX)
        .ok_or_else(|| too_large(text))
}

/// What to say of a size beyond every file.
pub(super) fn too_large(text: &str) -> Mistake {
    Mistake::new(
        "out-of-range",
        format!("no file is as large as `{text}`"),
        format!("offsets go up to {OFFSET_MAX} bytes"),
    )
}

fn factor(number: &str, unit: &str) -> Result<u64, Mistake> {
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let first = unit.chars().next().map(|c| c.to_ascii_uppercase());
    let binary = UNITS[1..]
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.chars().next() == first && unit.len() <= 3);
    let meant = binary
        .or_else(|| nearest(unit, UNITS.map(|(name, _)| name)))
        .map_or(String::new(), |name| format!("did you mean `{number}{name}`? "));
    Err(Mistake::new(
        "unknown-unit",
        format!("`{unit}` is not a unit of size"),
        format!("{meant}units are: B, KiB, MiB, GiB, TiB, PiB, EiB, each 1024 of the one before"),
    ))
}

/// Writes a size so that [`parse`] reads it back, in the largest unit that divides it.
pub fn format(bytes: u64) -> String {
    UNITS
        .iter()
        .rev()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
        .map_or("0B".into(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// Reads a half-open range: `0..4096`, `4KiB..`, `..1MiB`. An open end is `u64::MAX`.
pub fn parse_range(text: &str) -> Result<Range<u64>, Mistake> {
    let Some((start, end)) = text.split_once("..") else {
        return Err(bad_range(text, "write two offsets with `..` between"));
    };
    if let Some(end) = end.strip_prefix('=') {
        let next = parse(end).map_or(end.into(), |end| (end + 1).to_string());
        let help = format!("the end is not included: write `{start}..{next}`");
        return Err(bad_range(text, &help));
    }
    if start.is_empty() && end.is_empty() {
        return Err(bad_range(text, "leave `bytes` out to select every byte"));
    }
    if start.contains(char::is_whitespace) || end.contains(char::is_whitespace) {
        return Err(bad_range(text, "no spaces around `..`"));
    }
    let range = Range {
        start: if start.is_empty() { 0 } else { parse(start)? },
        end: if end.is_empty() { u64::MAX } else { parse(end)? },
    };
    if range.is_empty() {
        return Err(empty_range(text, &range));
    }
    Ok(range)
}

fn bad_range(text: &str, help: &str) -> Mistake {
    Mistake::new(
        "bad-range",
        format!("`{text}` is not a range of bytes"),
        format!("{help}; ranges are written like `0..4096`, `4KiB..` or `..1MiB`"),
    )
}

fn empty_range(text: &str, range: &Range<u64>) -> Mistake {
    let help = if range.start == range.end {
        "the end is not included: write one that is larger than the start".into()
    } else {
        format!("write the smaller offset first: `{}..{}`", range.end, range.start)
    };
    Mistake::new("empty-range", format!("`{text}` selects no byte"), help)
}

/// Writes a range so that [`parse_range`] reads it back.
pub fn format_range(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("{}..", range.start),
        end => format!("{}..{end}", range.start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("4KiB"), Ok(4096));
        assert_eq!(parse("512B"), Ok(512));
        assert_eq!(format(4096), "4KiB");
        assert_eq!(format(513), "513B");
        assert_eq!(format(0), "0B");
        for text in ["", "K", "4K", "4KB", "4kb", "4kib", "4 KiB", "4.5KiB", "-1", "8EiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_half_open_and_not_empty() {
        assert_eq!(parse_range("4096.."), Ok(4096..u64::MAX));
        assert_eq!(parse_range("4KiB..8KiB"), Ok(4096..8192));
        assert_eq!(parse_range("..1MiB"), Ok(0..1 << 20));
        for text in ["", "4096", "..", "0..=9", "9..1", "4..4", "1 .. 2", "a..b", "-1..2"] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }
}
