//! What the bytes of a corrupt region read as: a function of their place, never of how they are read.

use super::seed::StreamKey;

/// What stands where the stored bytes should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// This byte throughout.
    Byte(u8),
    /// What was there before they were overwritten: the medium knows.
    Stale,
    /// Bytes without a pattern. Draw 0 of (cell `w`, generation) is the word `w` of the file: its
    /// bytes from `8 * w` on, lowest first.
    Junk {
        /// Of the stream that they are.
        key: StreamKey,
        /// How often the bytes had been overwritten.
        generation: u32,
    },
}

impl Filling {
    /// Fills `data`, which begins at `offset` of the file.
    ///
    /// One byte in 256 of junk is what is stored, by chance; the one at `differs_at` is not, so that
    /// no region comes out as it was. A file may have no more than this one byte of it.
    pub(super) fn fill(self, data: &mut [u8], offset: u64, differs_at: u64) {
        let stored = place_in(data, offset, differs_at).map(|place| (place, data[place]));
        match self {
            Filling::Byte(byte) => data.fill(byte),
            Filling::Stale => {}
            Filling::Junk { key, generation } => {
                junk(data, offset, key, generation);
                if let Some((place, stored)) = stored.filter(|(place, old)| data[*place] == *old) {
                    data[place] = !stored;
                }
            }
        }
    }
}

/// Where in `data`, which begins at `offset`, the byte at `at` of the file stands.
fn place_in(data: &[u8], offset: u64, at: u64) -> Option<usize> {
    let place = usize::try_from(at.checked_sub(offset)?).ok()?;
    (place < data.len()).then_some(place)
}

fn junk(data: &mut [u8], offset: u64, key: StreamKey, generation: u32) {
    let lead = (offset % 8) as usize;
    let word = |number: u64| key.draws(number, generation).draw().to_le_bytes();
    let first = data.len().min(8 - lead);
    let (head, rest) = data.split_at_mut(first);
    head.copy_from_slice(&word(offset / 8)[lead..lead + first]);
    for (number, bytes) in (offset / 8 + 1..).zip(rest.chunks_mut(8)) {
        bytes.copy_from_slice(&word(number)[..bytes.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNK: Filling = Filling::Junk { key: StreamKey::from_u64(5), generation: 0 };
    const NOWHERE: u64 = u64::MAX;

    fn filled(filling: Filling, stored: &[u8], offset: u64, differs_at: u64) -> Vec<u8> {
        let mut data = stored.to_vec();
        filling.fill(&mut data, offset, differs_at);
        data
    }

    #[test]
    fn a_part_of_junk_is_what_it_is_in_the_whole() {
        let whole = filled(JUNK, &[0; 100], 1_000, NOWHERE);
        for (start, end) in [(0, 1), (3, 8), (1, 20), (7, 9), (8, 16), (50, 100), (9, 9)] {
            let part = filled(JUNK, &vec![0; end - start], 1_000 + start as u64, NOWHERE);
            assert_eq!(part, whole[start..end], "{start}..{end}");
        }
        let later = Filling::Junk { key: StreamKey::from_u64(5), generation: 1 };
        assert_ne!(filled(later, &[0; 100], 1_000, NOWHERE), whole);
    }

    #[test]
    fn junk_differs_where_it_has_to_whatever_is_stored() {
        for stored in 0..=255 {
            let found = filled(JUNK, &[stored; 9], 4_096, 4_100);
            assert_ne!(found[4], stored);
            let free = filled(JUNK, &[stored; 9], 4_096, NOWHERE);
            let others = |data: &[u8]| [&data[..4], &data[5..]].concat();
            assert_eq!(others(&found), others(&free), "and nowhere else");
        }
    }

    #[test]
    fn a_byte_stands_throughout() {
        assert_eq!(filled(Filling::Byte(7), &[1, 7, 2], 0, 1), [7, 7, 7]);
    }
}
