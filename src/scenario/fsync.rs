//! Reads the fault `fsync`: writing back that fails as one of four filesystems lets it fail.

use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fault::FaultRead;
use super::{CacheModel, Evict, Fault, Fsync};

pub(super) const KEYS: Keys =
    Keys { of: "`fsync`", noun: "key", known: &["model", "sequence", "evict"], later: &[] };

const MODEL_EXAMPLE: &str = "model = \"ext4-ordered\"";
const SEQUENCE_EXAMPLE: &str = "sequence = \"xwX\"";

/// Letters beyond which a sequence is none that a person wrote.
const LETTERS_MAX: usize = 1000;

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    KEYS.check(table, findings);
    let field = findings.keep(table.require("model", "`fsync`", MODEL_EXAMPLE));
    let model = findings.read(field, |field| read_model(&field));
    let sequence = match table.get("sequence") {
        Some(field) => findings.keep(read_sequence(&field)),
        None => Some("X".to_owned()),
    };
    let evict = match table.get("evict") {
        Some(field) => findings.keep(read_evict(&field)),
        None => Some(Evict::Drop),
    };
    let fsync = || Some(Fsync { model: model?, sequence: sequence?, evict: evict? });
    FaultRead { fault: fsync().map(Fault::Fsync), kind: Some("fsync"), ..FaultRead::default() }
}

fn read_model(field: &Field<'_>) -> Read<CacheModel> {
    let word = field.text(MODEL_EXAMPLE)?;
    CacheModel::from_name(word).ok_or_else(|| {
        let names = CacheModel::ALL.map(CacheModel::name);
        field
            .error("unknown-model", format!("there is no model `{word}` of a failing fsync"))
            .label(did_you_mean(word, names))
            .help(format!("models are: {}", names.join(", ")))
    })
}

/// Small letters for once, a capital one at the end for ever.
fn read_sequence(field: &Field<'_>) -> Read<String> {
    let text = field.text(SEQUENCE_EXAMPLE)?;
    let once = text.strip_suffix(['X', 'W']).filter(|once| once.len() <= LETTERS_MAX);
    if once.is_some_and(|once| once.bytes().all(|letter| b"xw".contains(&letter))) {
        return Ok(text.to_owned());
    }
    let message = format!("`{}` is not a sequence of failures", text.escape_debug());
    Err(field.error("bad-sequence", message).help(format!(
        "`x` is a failure and `w` a success, once each; end with `X` or `W`, which holds from then \
         on: `{SEQUENCE_EXAMPLE}`"
    )))
}

fn read_evict(field: &Field<'_>) -> Read<Evict> {
    match field.text("evict = \"close\"")? {
        "close" => Ok(Evict::Close),
        "drop" => Ok(Evict::Drop),
        word if word.starts_with(|c: char| c.is_ascii_digit()) => {
            Ok(Evict::After(field.duration("evict = \"10s\"")?))
        }
        word => Err(field
            .error("unknown-eviction", format!("pages are not evicted at `{word}`"))
            .label(did_you_mean(word, ["close", "drop"]))
            .help("write `\"close\"`, `\"drop\"` or a time after the failure, like `\"10s\"`")),
    }
}
