//! Paths in ledgers: any bytes as one line of readable text, and back without loss.
//!
//! A leaf. Escaping for scenarios and terminals is the business of others.

/// Writes a path as text: valid UTF-8 stays as it is, except that a backslash becomes `\\` and the
/// bytes of control characters and of what is not UTF-8 become `\xHH`.
pub fn escape(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for letter in chunk.valid().chars() {
            push_letter(&mut text, letter);
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

fn push_letter(text: &mut String, letter: char) {
    match letter {
        '\\' => text.push_str("\\\\"),
        letter if letter.is_control() => {
            push_bytes(text, letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        letter => text.push(letter),
    }
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in bytes {
        text.push_str("\\x");
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// The path that [`escape`] wrote; `None` if the text holds a backslash that it cannot have written.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                path.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                path.push(digit(*high)? << 4 | digit(*low)?);
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                path.push(*byte);
                tail
            }
        };
    }
    Some(path)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn readable_names_stay_readable() {
        assert_eq!(escape("db/größe 1.sst".as_bytes()), "db/größe 1.sst");
        assert_eq!(escape(b"a\\b\n\xff"), "a\\\\b\\x0A\\xFF");
    }

    #[test]
    fn a_stray_backslash_is_not_a_path() {
        for text in ["\\", "a\\n", "\\x", "\\x1", "\\xg0"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_comes_back(path in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = escape(&path);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(unescape(&text), Some(path));
        }
    }
}
