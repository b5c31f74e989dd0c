//! Randomness: a keyed block function, the streams cut out of it, and unbiased bounded draws.
//!
//! The numbering of draws is version 1 for ever (golden vectors below): a seed means the same on
//! every machine and in every later release. Seeds that nobody chose are not made here.

use std::convert::Infallible;

use rand::{Rng, TryRng};

/// The version of everything that turns a seed into draws; ledgers record it.
pub const DRAW_VERSION: u32 = 1;

/// Begins the encoding of every stream key; the number is [`DRAW_VERSION`].
const KEY_TAG: &[u8] = b"errorfs draw v1";

/// Philox4x32: round multipliers and key increments (Salmon et al., "Parallel random numbers: as
/// easy as 1, 2, 3", SC'11, section 5.3; the increments are the golden ratio and sqrt(3) - 1).
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_INCREMENTS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

/// Philox4x32-10: a bijection of 128-bit counters for each 64-bit key. Word 0 is the lowest.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut words = counter;
    let mut key = key;
    for _ in 0..ROUNDS {
        words = philox_round(words, key);
        key[0] = key[0].wrapping_add(KEY_INCREMENTS[0]);
        key[1] = key[1].wrapping_add(KEY_INCREMENTS[1]);
    }
    words
}

fn philox_round(words: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let low = u64::from(MULTIPLIERS[0]) * u64::from(words[0]);
    let high = u64::from(MULTIPLIERS[1]) * u64::from(words[2]);
    [
        (high >> 32) as u32 ^ words[1] ^ key[0],
        high as u32,
        (low >> 32) as u32 ^ words[3] ^ key[1],
        low as u32,
    ]
}

/// What a stream is for: streams of different purposes never share a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Whether an operation fires a rule with `probability`.
    Probability,
    /// How late an answer is.
    Latency,
    /// Bits that read wrong once.
    Transient,
    /// Bits that are stored wrong.
    StoredBits,
    /// Sectors that are stored unreadable.
    StoredSectors,
    /// Regions that are stored corrupt.
    StoredRegions,
    /// What corrupt regions read as.
    Junk,
    /// Which block of a write is lost.
    LostWrite,
    /// Which block of a write is torn, and where.
    TornWrite,
    /// Which block goes astray, and where.
    Misdirected,
    /// Where `count` faults go.
    Placement,
    /// Which paths have wrong metadata.
    Metadata,
    /// How the damage of a sick device lies.
    Clusters,
    /// How much a short read or write moves.
    Length,
    /// What is stored wrong of a write.
    Written,
    /// What a loss of power leaves.
    PowerCut,
    /// Which syncs persist nothing.
    Lies,
}

impl Purpose {
    /// The word in the key's encoding. Never changed: it is part of what a seed means.
    const fn tag(self) -> &'static [u8] {
        match self {
            Purpose::Probability => b"probability",
            Purpose::Latency => b"latency",
            Purpose::Transient => b"transient",
            Purpose::StoredBits => b"stored bits",
            Purpose::StoredSectors => b"stored sectors",
            Purpose::StoredRegions => b"stored regions",
            Purpose::Junk => b"junk",
            Purpose::LostWrite => b"lost write",
            Purpose::TornWrite => b"torn write",
            Purpose::Misdirected => b"misdirected",
            Purpose::Placement => b"placement",
            Purpose::Metadata => b"metadata",
            Purpose::Clusters => b"clusters",
            Purpose::Length => b"length",
            Purpose::Written => b"written",
            Purpose::PowerCut => b"power cut",
            Purpose::Lies => b"lies",
        }
    }
}

/// The key of one stream of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey([u32; 2]);

impl StreamKey {
    /// The first 8 bytes, little-endian, of BLAKE3 over the fields, each preceded by its length as
    /// 8 bytes little-endian: tag, seed (8 bytes little-endian), rule, domain, file, purpose.
    pub fn derive(seed: u64, rule: &str, domain: &str, file: &[u8], purpose: Purpose) -> StreamKey {
        let seed = seed.to_le_bytes();
        let fields = [KEY_TAG, &seed, rule.as_bytes(), domain.as_bytes(), file, purpose.tag()];
        StreamKey::from_u64(hash_fields(&fields))
    }

    /// The key with this number; its low half is key word 0.
    pub const fn from_u64(number: u64) -> StreamKey {
        StreamKey([number as u32, (number >> 32) as u32])
    }

    /// The key as a number.
    pub const fn to_u64(self) -> u64 {
        self.0[0] as u64 | (self.0[1] as u64) << 32
    }

    /// The draws at one place of the stream, from draw 0 on.
    pub const fn draws(self, cell: u64, generation: u32) -> Draws {
        Draws { key: self, cell, generation, draw: 0 }
    }
}

/// The first 8 bytes, little-endian, of BLAKE3 over length-prefixed fields.
pub(super) fn hash_fields(fields: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The draws of one cell and generation. Draw `d` is words 0 and 1 of the block whose counter is
/// (cell low, cell high, generation, d); after 2^32 draws they repeat.
#[derive(Clone, Debug)]
pub struct Draws {
    key: StreamKey,
    cell: u64,
    generation: u32,
    draw: u32,
}

impl Draws {
    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let counter = [self.cell as u32, (self.cell >> 32) as u32, self.generation, self.draw];
        self.draw = self.draw.wrapping_add(1);
        let block = philox4x32_10(counter, self.key.0);
        u64::from(block[0]) | u64::from(block[1]) << 32
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.draw() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw())
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for chunk in destination.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A number below `bound`, each equally likely; 0 for a bound of 0.
///
/// Multiplication with rejection (Lemire, "Fast random integer generation in an interval", ACM
/// TOMACS 29(1), 2019): a plain remainder would favour small numbers.
pub fn below(draws: &mut impl Rng, bound: u64) -> u64 {
    let mut wide = u128::from(draws.next_u64()) * u128::from(bound);
    if (wide as u64) < bound {
        let rejected = bound.wrapping_neg() % bound;
        while (wide as u64) < rejected {
            wide = u128::from(draws.next_u64()) * u128::from(bound);
        }
    }
    (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_known_answers() {
        // Random123, tests/kat_vectors, "philox4x32 10".
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for (counter, key, answer) in cases {
            assert_eq!(philox4x32_10(counter, key), answer);
        }
    }

    #[test]
    fn philox_agrees_with_an_independent_implementation() {
        let mut draws = StreamKey::from_u64(1).draws(0, 0);
        for _ in 0..2_000 {
            let [a, b, c] = [draws.draw(), draws.draw(), draws.draw()];
            let counter = [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32];
            let key = [c as u32, (c >> 32) as u32];
            assert_eq!(philox4x32_10(counter, key), rand_philox::philox4x32_10(counter, key));
        }
    }

    #[test]
    fn every_field_of_a_key_matters_and_none_runs_into_the_next() {
        let key = |seed, rule, domain, file: &str, purpose| {
            StreamKey::derive(seed, rule, domain, file.as_bytes(), purpose).to_u64()
        };
        let keys = [
            key(7, "ab", "c", "d", Purpose::StoredBits),
            key(8, "ab", "c", "d", Purpose::StoredBits),
            key(7, "a", "bc", "d", Purpose::StoredBits),
            key(7, "ab", "cd", "", Purpose::StoredBits),
            key(7, "ab", "c", "d", Purpose::StoredSectors),
        ];
        let distinct: std::collections::BTreeSet<u64> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn words_and_bytes_come_from_the_same_numbered_draws() {
        let mut draws = StreamKey::from_u64(42).draws(1, 2);
        let mut bytes = [0; 20];
        draws.clone().fill_bytes(&mut bytes);
        let [first, second, third] = [draws.draw(), draws.draw(), draws.draw()];
        assert_eq!(bytes[..8], first.to_le_bytes());
        assert_eq!(bytes[8..16], second.to_le_bytes());
        assert_eq!(bytes[16..], third.to_le_bytes()[..4]);
    }

    #[test]
    fn bounded_draws_stay_below_and_reach_every_number_about_equally() {
        let mut draws = StreamKey::from_u64(3).draws(0, 0);
        let mut counts = [0_u32; 6];
        for _ in 0..6_000 {
            counts[below(&mut draws, 6) as usize] += 1;
        }
        // Binomial(6000, 1/6): 5 standard deviations are 144.
        assert!(counts.iter().all(|count| count.abs_diff(1_000) < 144), "{counts:?}");
        assert_eq!(below(&mut draws, 0), 0);
        assert_eq!(below(&mut draws, 1), 0);
    }
}
