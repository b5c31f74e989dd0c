//! Whatever is written into a scenario file or a ledger: no panic, and every mistake has its place.
//!
//! Files that are good, bad and shipped, and a real ledger of every kind of fault, are mutated with a
//! seed. `ERRORFS_FUZZ_SECONDS=3600 ERRORFS_FUZZ_SEED=1 cargo test mutat` (scripts/fuzz) goes on for an
//! hour. What once made something panic is kept in `found` and is always tried first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use errorfs::diagnostic::{Severity, to_github, to_json, to_text};
use errorfs::ledger;
use errorfs::plan::compile;
use errorfs::scenario::{Scenario, parse};

use crate::scenario::fixtures::{files, folder, shipped};
use crate::support::noise;

/// Rounds without a limit of time.
const ROUNDS: u64 = 4_000;

/// Pieces that mean something somewhere.
const WORDS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "=",
    "\"",
    "\n",
    ",",
    ".",
    "-",
    "\u{0}",
    "\u{e9}",
    "\u{1f600}",
    "1e309",
    "-0.0",
    "18446744073709551616",
    "9223372036854775807",
    "0xFFFFFFFFFFFFFFFF",
    "nan",
    "inf",
    "\"EIO\"",
    "[[rule]]\n",
    "fault",
    "bytes = \"..\"",
    "\"0..\"",
    "\"876000h\"",
    "1970-01-01",
    "true",
    "null",
    "\"\"",
    "rate = 1",
    "count = 1",
    "at = []",
    "after_event = \"a\"",
    "clusters = {}",
    "\\u0000",
];

struct Dice {
    state: u64,
}

impl Dice {
    fn roll(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bytes = noise(self.state, 8);
        let drawn = u64::from_le_bytes(bytes.try_into().unwrap());
        (drawn % bound.max(1) as u64) as usize
    }
}

/// One to eight changes.
fn mutated(text: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..1 + dice.roll(8) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(24)).min(bytes.len());
        let from = dice.roll(other.len() + 1);
        let to = (from + dice.roll(200)).min(other.len());
        let piece: Vec<u8> = match dice.roll(6) {
            0 => Vec::new(),
            1 => WORDS[dice.roll(WORDS.len())].as_bytes().to_vec(),
            2 => vec![dice.roll(256) as u8],
            3 => other[from..to].to_vec(),
            4 => bytes[at..end].repeat(2),
            _ => dice.roll(1 << 20).to_string().into_bytes(),
        };
        bytes.splice(at..end, piece);
    }
    bytes
}

/// Reads, says what is wrong in every format, and carries what is right through to a plan.
fn try_scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = parse(&text);
    for diagnostic in &parsed.diagnostics {
        let span = &diagnostic.span;
        assert!(
            span.start <= span.end && span.end <= text.len(),
            "{span:?}: {}",
            diagnostic.message
        );
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
    }
    to_text("x", &text, &parsed.diagnostics, true);
    to_json("x", &text, &parsed.diagnostics);
    to_github("x", &text, &parsed.diagnostics);
    let errors = parsed.diagnostics.iter().any(|one| one.severity == Severity::Error);
    assert_eq!(parsed.scenario.is_none(), errors, "refused if, and only if, something is wrong");
    if let Some(scenario) = parsed.scenario {
        let again = Scenario::from_canonical(&scenario.canonical());
        assert_eq!(again.as_ref(), Ok(&scenario), "{}", scenario.to_toml());
        compile(&scenario, 7, "", scenario.fingerprint().as_bytes());
    }
}

/// Reads, and turns what can be read into a scenario.
fn try_ledger(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let Ok(ledger) = ledger::read(file.path()) else { return };
    let Ok(scenario) = Scenario::from_canonical(&ledger.header.scenario) else { return };
    if let Ok(replay) = ledger::replay(&scenario, ledger.header.seed, &ledger.events) {
        try_scenario(replay.scenario.to_toml().as_bytes());
    }
}

/// Tries mutations of the corpus, as many rounds or as long as is wanted.
fn torment(corpus: &[Vec<u8>], attempt: fn(&[u8]), name: &str) {
    let number = |key| std::env::var(key).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("ERRORFS_FUZZ_SEED").unwrap_or(1);
    corpus.iter().for_each(|input| attempt(input));
    let limit = number("ERRORFS_FUZZ_SECONDS").map(Duration::from_secs);
    let start = Instant::now();
    for round in 0.. {
        if limit.map_or(round >= ROUNDS, |limit| start.elapsed() >= limit) {
            println!("{name}: {round} rounds from seed {seed}");
            return;
        }
        let mut dice = Dice { state: seed.wrapping_mul(1 << 32).wrapping_add(round) };
        let [one, other] = [0; 2].map(|_: i32| &corpus[dice.roll(corpus.len())]);
        let input = mutated(one, other, &mut dice);
        if catch_unwind(AssertUnwindSafe(|| attempt(&input))).is_err() {
            let kept = std::env::temp_dir().join(format!("errorfs-found-{name}-{seed}-{round}"));
            std::fs::write(&kept, &input).unwrap();
            panic!(
                "{name}: seed {seed}, round {round}; keep {} in tests/robustness/found",
                kept.display()
            );
        }
    }
}

fn read_all(files: impl IntoIterator<Item = std::path::PathBuf>) -> Vec<Vec<u8>> {
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn no_mutated_scenario_makes_anything_panic_and_every_mistake_has_its_place() {
    let of = |name| files(&folder(name));
    let found = of("tests/robustness/found");
    read_all(found).iter().for_each(|input| try_scenario(input));
    let corpus = of("tests/scenario/good").into_iter().chain(of("tests/scenario/bad"));
    torment(&read_all(corpus.chain(shipped())), try_scenario, "scenario");
}

#[test]
fn no_mutated_ledger_makes_anything_panic() {
    let real = std::fs::read(folder("tests/ledger/real/every-kind.jsonl")).unwrap();
    try_ledger(&real);
    let lines: Vec<&[u8]> = real.split_inclusive(|byte| *byte == b'\n').collect();
    let head = lines[0];
    // The header with some of the events, so that a mutation meets each of them.
    let corpus: Vec<Vec<u8>> =
        lines[1..].chunks(5).map(|some| [&[head], some].concat().concat()).collect();
    torment(&corpus, try_ledger, "ledger");
}

/// The ledger is real: of every kind of fault, and replayed without a remainder.
#[test]
fn the_real_ledger_has_every_kind_and_can_be_replayed() {
    let ledger = ledger::read(Path::new(&folder("tests/ledger/real/every-kind.jsonl"))).unwrap();
    let kinds: std::collections::BTreeSet<&str> =
        ledger.events.iter().map(|event| &*event.fault).collect();
    assert_eq!(kinds.len(), 17, "{kinds:?}");
    let scenario = Scenario::from_canonical(&ledger.header.scenario).unwrap();
    let replay = ledger::replay(&scenario, ledger.header.seed, &ledger.events).unwrap();
    assert!(replay.omitted.is_empty(), "{:?}", replay.omitted);
    assert!(parse(&replay.scenario.to_toml()).scenario.is_some());
}
