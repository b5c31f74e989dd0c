//! The sparse medium agrees with an array that has one number for each byte.

use std::ops::Range;

use errorfs::media::Medium;
use proptest::prelude::*;

/// Bytes of the model; all files are shorter.
const SPACE: usize = 16_384;

#[derive(Clone, Debug)]
enum Step {
    Write(u64, u64),
    Truncate(u64),
    Punch(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u64..9_000, 1_u64..3_000).prop_map(|(start, len)| Step::Write(start, len)),
        (0_u64..9_000).prop_map(Step::Truncate),
        (0_u64..9_000, 1_u64..3_000).prop_map(|(start, len)| Step::Punch(start, len)),
    ];
    prop::collection::vec(step, 0..30)
}

/// One number for each byte, and the length of the file.
struct Model {
    generations: Vec<u32>,
    size: u64,
}

impl Model {
    fn replace(&mut self, range: Range<u64>) {
        for byte in range.start..range.end.min(self.size) {
            self.generations[byte as usize] += 1;
        }
        let last_is_replaced = range.start < self.size && range.end >= self.size;
        let padded = self.size.next_multiple_of(4_096);
        for padding in self.size..if last_is_replaced { padded } else { 0 } {
            self.generations[padding as usize] += 1;
        }
    }

    fn step(&mut self, medium: &Medium, step: &Step) {
        match *step {
            Step::Write(start, len) => {
                medium.written(start..start + len, self.size);
                self.replace(start..start + len);
                self.size = self.size.max(start + len);
            }
            Step::Truncate(size) => {
                medium.discarded(size..self.size.max(size), self.size);
                self.replace(size..self.size.max(size));
                self.size = size;
            }
            Step::Punch(start, len) => {
                medium.discarded(start..start + len, self.size);
                self.replace(start..start + len);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn generations_are_those_of_a_model_with_a_number_for_each_byte(
        steps in steps(),
        from in 0_u64..9_000,
        len in 0_u64..7_000,
    ) {
        let medium = Medium::default();
        let mut model = Model { generations: vec![0; SPACE], size: 5_000 };
        steps.iter().for_each(|step| model.step(&medium, step));
        let pieces = medium.generations(from..from + len);
        let mut at = from;
        for (range, generation) in &pieces {
            prop_assert_eq!(range.start, at, "no gap");
            prop_assert!(!range.is_empty());
            let expected = &model.generations[range.start as usize..range.end as usize];
            prop_assert!(expected.iter().all(|byte| byte == generation), "{:?}", pieces);
            at = range.end;
        }
        prop_assert_eq!(at, from + len);
        prop_assert!(pieces.windows(2).all(|pair| pair[0].1 != pair[1].1), "neighbours are merged");
    }
}
