//! "Did you mean": the listed word that a misspelt one is closest to.
//!
//! Knows words only; where they come from and how they are shown is the caller's business.

/// The candidate that was probably meant, if any is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance_to(&lower, candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The distance, unless it is too far for the word's length. A beginning or a plural counts as one
/// typing error, however much is missing.
fn distance_to(lower: &str, candidate: &str) -> Option<usize> {
    let candidate = candidate.to_lowercase();
    let begins =
        lower.len() >= 3 && (candidate.starts_with(lower) || lower.starts_with(&candidate));
    let edits = edits(lower, &candidate);
    let distance = if begins { edits.min(1) } else { edits };
    let allowed = (candidate.chars().count().max(lower.chars().count()) / 3).max(1);
    (distance <= allowed).then_some(distance)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    if from.len() > 64 {
        return usize::MAX; // Nothing that long is a typing error.
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_found_and_a_far_one_is_not() {
        let ops = ["read", "write", "fsync", "readdir"];
        assert_eq!(nearest("raed", ops), Some("read"));
        assert_eq!(nearest("READ", ops), Some("read"));
        assert_eq!(nearest("fsnc", ops), Some("fsync"));
        assert_eq!(nearest("banana", ops), None);
        assert_eq!(nearest("prob", ["probability", "path"]), Some("probability"));
        assert_eq!(nearest("rules", ["rule", "name"]), Some("rule"));
    }
}
