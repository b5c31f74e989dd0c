//! Another workload of a campaign file, over the same system: `[[variant]]`.

use super::campaign::{NAME_EXAMPLE, optional, read_check, tables, taken};
use super::campaign_model::{Campaign, Checks};
use super::document::{Findings, Keys, Table};
use super::recipe::required;
use super::rule::read_name;

const KEYS: Keys = Keys {
    of: "a variant",
    noun: "key",
    known: &["name", "workload", "oracle", "check"],
    later: &[],
};

/// What is asked instead; all else is the campaign's.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its own among the variants.
    pub name: String,
    /// In place of the campaign's.
    pub workload: String,
    /// In place of the campaign's, also if there is none.
    pub oracle: Option<String>,
    /// In place of the campaign's, also if there are none.
    pub check: Checks,
}

impl Campaign {
    /// The campaign with the workload of a variant. An error says which there are.
    pub fn choose(mut self, variant: &str) -> Result<Campaign, String> {
        let Some(found) = self.variants.iter().find(|one| one.name == variant).cloned() else {
            let names: Vec<&str> = self.variants.iter().map(|one| one.name.as_str()).collect();
            let there = match names[..] {
                [] => "there are none".to_owned(),
                _ => format!("variants are: {}", names.join(", ")),
            };
            return Err(format!("there is no variant `{variant}`; {there}"));
        };
        self.name = format!("{}, {}", self.name, found.name);
        (self.workload, self.oracle, self.check) = (found.workload, found.oracle, found.check);
        Ok(self)
    }
}

/// The tables of all variants.
pub(super) fn variant_tables<'a>(table: &Table<'a>, findings: &mut Findings) -> Vec<Table<'a>> {
    tables(table, "variant", "[[variant]]", findings)
}

/// Reads all variants.
pub(super) fn read_variants(table: &Table<'_>, findings: &mut Findings) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    for own in variant_tables(table, findings) {
        let Some(variant) = read_variant(&own, findings) else { continue };
        if variants.iter().any(|other| other.name == variant.name) {
            let error = taken(&own, "variant", &variant.name);
            findings.push(error.help("give each variant a name of its own"));
        }
        variants.push(variant);
    }
    variants
}

fn read_variant(table: &Table<'_>, findings: &mut Findings) -> Option<Variant> {
    KEYS.check(table, findings);
    let name = table.require("name", "a variant", "name = \"update\"");
    let name = findings.keep(name.and_then(|field| read_name(&field, NAME_EXAMPLE)));
    let workload = required(table, "a variant", "workload", "workload = \"...\"", findings);
    let oracle = optional(table, "oracle", findings);
    let check = read_check(table, findings);
    Some(Variant { name: name?, workload: workload?, oracle, check })
}
