//! Whether a program gave the answer that it gives without faults.
//!
//! Several control trials show what of an output is the answer, and what is different each time:
//! times, process ids, progress.

use super::Said;

/// What programs print without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Golden {
    /// Always this.
    Same(Said),
    /// So many lines, and some of them are different each time.
    Lines(Vec<Line>),
    /// Nothing that could be compared.
    Different,
}

/// One line of an output that is not always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Always this.
    Same(Vec<u8>),
    /// Always this but for the numbers in it.
    Numbers(Vec<u8>),
    /// Anything.
    Any,
}

/// How an answer compares with the golden one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is the same, or cannot be compared.
    Right,
    /// A part of it, and nothing else: the rest is missing.
    Part,
    /// Another one.
    Wrong,
}

impl Golden {
    /// What several outputs without faults have in common.
    pub fn of(outputs: &[&Said]) -> Golden {
        let Some((first, others)) = outputs.split_first() else { return Golden::Different };
        if others.iter().all(|other| other.hash == first.hash) {
            return Golden::Same((*first).clone());
        }
        let outputs: Vec<Vec<&[u8]>> = outputs.iter().map(|said| lines(said)).collect();
        let count = outputs[0].len();
        if count == 0 || outputs.iter().any(|output| output.len() != count) {
            return Golden::Different;
        }
        let at = |place: usize| outputs.iter().map(move |output| output[place]);
        Golden::Lines((0..count).map(|place| line(&at(place).collect::<Vec<_>>())).collect())
    }

    /// Compares an answer. What cannot be compared is not held against it.
    pub fn compare(&self, said: &Said) -> Answer {
        match self {
            Golden::Different => Answer::Right,
            Golden::Same(golden) if golden.hash == said.hash => Answer::Right,
            Golden::Same(golden) if is_part(golden, said) => Answer::Part,
            Golden::Same(_) => Answer::Wrong,
            Golden::Lines(expected) => compare_lines(expected, &lines(said)),
        }
    }
}

fn lines(said: &Said) -> Vec<&[u8]> {
    said.text.split(|byte| *byte == b'\n').collect()
}

fn line(variants: &[&[u8]]) -> Line {
    let first = variants[0];
    if variants.iter().all(|variant| *variant == first) {
        return Line::Same(first.to_vec());
    }
    let first = without_numbers(first);
    match variants.iter().all(|variant| without_numbers(variant) == first) {
        true => Line::Numbers(first),
        false => Line::Any,
    }
}

/// Every run of digits becomes one `0`.
fn without_numbers(line: &[u8]) -> Vec<u8> {
    let mut masked: Vec<u8> = Vec::with_capacity(line.len());
    let mut in_number = false;
    for byte in line {
        if !byte.is_ascii_digit() {
            masked.push(*byte);
        } else if !in_number {
            masked.push(b'0');
        }
        in_number = byte.is_ascii_digit();
    }
    masked
}

fn compare_lines(expected: &[Line], found: &[&[u8]]) -> Answer {
    let fits = |(line, found): (&Line, &&[u8])| match line {
        Line::Same(same) => same == found,
        Line::Numbers(masked) => *masked == without_numbers(found),
        Line::Any => true,
    };
    let fit = expected.iter().zip(found).all(fits);
    match found.len().cmp(&expected.len()) {
        std::cmp::Ordering::Equal if fit => Answer::Right,
        std::cmp::Ordering::Less if fit => Answer::Part,
        _ => Answer::Wrong,
    }
}

/// Whether an answer is the beginning of the golden one, or lines of it in their order.
fn is_part(golden: &Said, said: &Said) -> bool {
    if !golden.is_whole || !said.is_whole || said.text.len() >= golden.text.len() {
        return false;
    }
    if golden.text.starts_with(&said.text) {
        return true;
    }
    let mut rest = golden.text.split(|byte| *byte == b'\n');
    said.text.split(|byte| *byte == b'\n').all(|line| rest.any(|other| other == line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(outputs: &[&str]) -> Golden {
        let outputs: Vec<Said> = outputs.iter().map(|text| Said::new(*text)).collect();
        Golden::of(&outputs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_answer_is_right_missing_something_or_wrong() {
        let golden = golden(&["a\nb\nc\n", "a\nb\nc\n"]);
        let compare = |text: &str| golden.compare(&Said::new(text));
        assert_eq!(compare("a\nb\nc\n"), Answer::Right);
        for part in ["", "a\nb", "a\nc\n", "c\n"] {
            assert_eq!(compare(part), Answer::Part, "{part:?}");
        }
        for wrong in ["a\nB\nc\n", "a\nb\nc\nd\n", "c\nb\n", "x"] {
            assert_eq!(compare(wrong), Answer::Wrong, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_different_each_time_is_not_part_of_the_answer() {
        let golden = golden(&["took 1.25 s\npid a\n3 rows\n", "took 11.3 s\npid b\n3 rows\n"]);
        let compare = |text: &str| golden.compare(&Said::new(text));
        assert_eq!(compare("took 7.7 s\npid x\n3 rows\n"), Answer::Right);
        assert_eq!(compare("took 7.7 s\npid x\n4 rows\n"), Answer::Wrong);
        assert_eq!(compare("took 7.7 h\npid x\n3 rows\n"), Answer::Wrong);
        assert_eq!(compare("took 7.7 s\npid x"), Answer::Part);
    }

    #[test]
    fn outputs_without_anything_in_common_are_not_compared() {
        assert_eq!(golden(&["a\n", "a\nb\n"]), Golden::Different);
        assert_eq!(Golden::Different.compare(&Said::new("x")), Answer::Right);
    }
}
