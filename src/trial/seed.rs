//! The seed of each trial, from the seed of all.

/// Seeds stay whole in programs whose numbers are floating-point, such as readers of JSON.
const BITS: u64 = (1 << 53) - 1;

/// The seed of one trial. Hashed, not added: the trials of seed 7 are not those of seed 8, shifted.
pub fn trial_seed(base: u64, number: u64) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("errorfs trial seed v1");
    hasher.update(&base.to_le_bytes()).update(&number.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first) & BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_has_the_same_seed_for_ever_and_no_other_trial_has_it() {
        assert_eq!(trial_seed(7, 1), 7_408_077_625_652_909);
        let seeds: std::collections::HashSet<u64> =
            (0..20).flat_map(|base| (1..200).map(move |n| trial_seed(base, n))).collect();
        assert_eq!(seeds.len(), 20 * 199);
    }
}
