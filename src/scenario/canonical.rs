//! The canonical form of a scenario: JSON with the shape of the file, every default written out.
//!
//! Two files that mean the same have the same canonical form; plan ids and ledgers rest on it, so
//! a change here is a change of format.

use serde_json::{Map, Value, json};

use super::document_text;
use super::file::parse_beside;
use super::{
    Acceleration, Askers, BadSector, BitAmount, BitFlip, BitPosition, Clusters, Content, Corrupt,
    Cycle, Dead, Distribution, EntryFault, Evict, Fault, Metadata, Misdirected, Persistence,
    PowerCut, Preset, RegionAmount, RegionPosition, Rest, Rule, RunLength, Scenario, SectorAmount,
    Select, Short, ShortLength, Space, Stall, TornWrite, Unsynced, When, WritePart, XattrFault,
};
use super::{duration, size};
use crate::diagnostic::Diagnostic;
use crate::op::OpKind;

impl Scenario {
    /// This scenario as canonical JSON: keys sorted, absent conditions left out, all else written.
    pub fn canonical(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(rule).collect();
        let mut object = Map::new();
        object.insert("version".into(), json!(1));
        insert(&mut object, "name", self.name.clone());
        insert(&mut object, "seed", self.seed);
        if !self.presets.is_empty() {
            object.insert("preset".into(), self.presets.iter().map(Preset::canonical).collect());
        }
        object.insert("rule".into(), Value::Array(rules));
        Value::Object(object)
    }

    /// What a plan's id is made of: the canonical form without where its figures come from, which
    /// changes no fault.
    pub fn fingerprint(&self) -> String {
        let bare = Scenario { presets: Vec::new(), ..self.clone() };
        bare.canonical().to_string()
    }

    /// The scenario of that canonical JSON, or of any JSON with the shape of the file. The spans
    /// of the diagnostics are those of [`Scenario::to_toml`], and mean nothing to a JSON reader.
    pub fn from_canonical(value: &Value) -> Result<Scenario, Vec<Diagnostic>> {
        Scenario::from_canonical_beside(value, &[])
    }

    /// The same of one that is to stand beside rules of these names: its own may wait for them.
    pub fn from_canonical_beside(
        value: &Value,
        beside: &[String],
    ) -> Result<Scenario, Vec<Diagnostic>> {
        let text = document_text::write(value).map_err(|mistake| vec![mistake.at(0..0)])?;
        let parsed = parse_beside(&text, beside);
        parsed.scenario.ok_or(parsed.diagnostics)
    }

    /// This scenario as a file that a person can read.
    pub fn to_toml(&self) -> String {
        document_text::write(&self.canonical()).expect("a canonical scenario has no null")
    }
}

fn insert<T: Into<Value>>(object: &mut Map<String, Value>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        object.insert(key.into(), value.into());
    }
}

impl Preset {
    /// This preset as canonical JSON.
    pub fn canonical(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), json!(self.name));
        object.insert("evidence".into(), json!(self.evidence.name()));
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        insert(&mut object, "cite", some(&self.cite));
        insert(&mut object, "assumptions", some(&self.assumptions));
        if !self.real_rate.is_empty() {
            object.insert("real_rate".into(), json!(self.real_rate));
        }
        insert(&mut object, "acceleration", self.acceleration.map(accelerated));
        Value::Object(object)
    }
}

fn accelerated(acceleration: Acceleration) -> Value {
    let mut object = Map::new();
    object.insert("method".into(), json!(acceleration.method.name()));
    insert(&mut object, "factor", acceleration.factor);
    Value::Object(object)
}

fn rule(rule: &Rule) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), json!(rule.name));
    insert(&mut object, "domain", rule.domain.clone());
    if !rule.select.is_everything() {
        object.insert("select".into(), select(&rule.select));
    }
    if rule.when != When::default() {
        object.insert("when".into(), when(&rule.when));
    }
    object.insert("fault".into(), json!({ rule.fault.kind_name(): fault(&rule.fault) }));
    Value::Object(object)
}

fn select(select: &Select) -> Value {
    let mut object = Map::new();
    if !select.paths.is_empty() {
        let paths: Vec<String> = select.paths.iter().map(|path| path.text()).collect();
        object.insert("path".into(), json!(paths));
    }
    let names = |ops: crate::op::OpSet| ops.iter().map(OpKind::name).collect::<Vec<_>>();
    insert(&mut object, "ops", select.ops.map(names));
    insert(&mut object, "bytes", select.bytes.as_ref().map(size::format_range));
    let Askers { uids, gids, pids, comms, cgroups } = &select.askers;
    for (key, numbers) in [("uid", uids), ("gid", gids), ("pid", pids)] {
        insert(&mut object, key, (!numbers.is_empty()).then(|| json!(numbers)));
    }
    for (key, texts) in [("comm", comms), ("cgroup", cgroups)] {
        insert(&mut object, key, (!texts.is_empty()).then(|| json!(texts)));
    }
    Value::Object(object)
}

fn when(when: &When) -> Value {
    let mut object = Map::new();
    if !when.nth.is_empty() {
        object.insert("nth".into(), json!(when.nth));
    }
    insert(&mut object, "every", when.every);
    insert(&mut object, "times", when.times);
    insert(&mut object, "probability", when.probability);
    insert(&mut object, "after", when.after.map(duration::format));
    insert(&mut object, "for", when.for_.map(duration::format));
    insert(&mut object, "cycle", when.cycle.map(cycle));
    insert(&mut object, "after_event", when.after_event.clone());
    Value::Object(object)
}

fn cycle(cycle: Cycle) -> Value {
    json!({ "on": duration::format(cycle.on), "off": duration::format(cycle.off) })
}

fn fault(fault: &Fault) -> Value {
    match fault {
        Fault::BitFlip(flip) => bit_flip(flip),
        Fault::Corrupt(corrupt) => regions(corrupt),
        Fault::BadSector(bad) => bad_sector(bad),
        Fault::Error(error) => json!({ "errno": error.errno.name() }),
        Fault::Latency(latency) => {
            let mut object = Map::new();
            object.insert("distribution".into(), distribution(&latency.distribution));
            insert(&mut object, "step", latency.step.map(duration::format));
            Value::Object(object)
        }
        Fault::Stall(stall) => stalled(stall),
        Fault::Dead(dead) => gone(dead),
        Fault::Readonly | Fault::Kill => json!({}),
        Fault::Short(short) => shortened(short),
        Fault::Space(space) => limited(space),
        Fault::Throughput(limit) => {
            json!({ "per_second": limit.per_second, "burst": limit.burst })
        }
        Fault::PowerCut(cut) => power_cut(cut),
        Fault::LostWrite(lost) => Value::Object(part(lost.part)),
        Fault::TornWrite(torn) => torn_write(torn),
        Fault::Misdirected(astray) => misdirected(*astray),
        Fault::Metadata(wrong) => metadata(wrong),
        Fault::Fsync(fsync) => json!({
            "model": fsync.model.name(),
            "sequence": fsync.sequence,
            "evict": evict(fsync.evict),
        }),
    }
}

fn power_cut(cut: &PowerCut) -> Value {
    let mut object = Map::new();
    object.insert("unsynced".into(), json!(cut.unsynced.name()));
    insert(&mut object, "torn", (cut.unsynced == Unsynced::Mixed).then_some(cut.torn));
    object.insert("names".into(), json!(cut.names.name()));
    object.insert("lies".into(), json!(cut.lies));
    object.insert("then".into(), json!(if cut.stays_off { "off" } else { "on" }));
    Value::Object(object)
}

fn bit_flip(flip: &BitFlip) -> Value {
    let (key, amount) = match &flip.amount {
        BitAmount::Rate(rate) => ("rate", json!(rate)),
        BitAmount::Count(count) => ("count", json!(count)),
        BitAmount::At(bits) => {
            let sticky = flip.persistence == Persistence::Sticky;
            let bits = bits.iter().map(|at| position(at, sticky));
            ("at", bits.collect())
        }
    };
    let (how, word) = lasting(flip.persistence);
    json!({ key: amount, how: word })
}

/// Damage on the way to the medium has no persistence to choose.
fn lasting(persistence: Persistence) -> (&'static str, &'static str) {
    match persistence {
        Persistence::Written => ("on", "write"),
        other => ("persistence", other.name()),
    }
}

fn position(at: &BitPosition, sticky: bool) -> Value {
    let mut object = Map::new();
    object.insert("byte".into(), json!(at.byte));
    object.insert("bit".into(), json!(at.bit));
    insert(&mut object, "generation", sticky.then_some(at.generation));
    Value::Object(object)
}

fn regions(corrupt: &Corrupt) -> Value {
    let (key, amount) = match &corrupt.amount {
        RegionAmount::Rate(rate) => ("rate", json!(rate)),
        RegionAmount::Count(count) => ("count", json!(count)),
        RegionAmount::Clusters(them) => ("clusters", clusters(*them)),
        RegionAmount::At(regions) => {
            let sticky = corrupt.persistence == Persistence::Sticky;
            let regions = regions.iter().map(|at| region(at, sticky));
            ("at", regions.collect())
        }
    };
    let (how, word) = lasting(corrupt.persistence);
    json!({
        key: amount,
        "content": content(corrupt.content),
        "region": size::format(u64::from(corrupt.region)),
        how: word,
    })
}

fn clusters(clusters: Clusters) -> Value {
    let Clusters { median, sigma, max, run, near, neighbourhood } = clusters;
    let mut value = json!({
        "median": median,
        "sigma": sigma,
        "max": max,
        "near": near,
        "neighbourhood": neighbourhood,
    });
    match run {
        RunLength::Geometric(mean) => value["run"] = json!(mean),
        RunLength::Burst { single, shape, longest } => {
            value["single"] = json!(single);
            value["shape"] = json!(shape);
            value["longest"] = json!(longest);
        }
    }
    value
}

fn content(content: Content) -> Value {
    match content {
        Content::Zero => json!("zero"),
        Content::Byte(byte) => json!({ "byte": byte }),
        Content::Stale => json!("stale"),
        Content::Junk(None) => json!("junk"),
        Content::Junk(Some(key)) => json!({ "junk": format!("{key:016x}") }),
    }
}

fn region(at: &RegionPosition, sticky: bool) -> Value {
    let mut object = Map::new();
    object.insert("byte".into(), json!(at.byte));
    insert(&mut object, "generation", sticky.then_some(at.generation));
    Value::Object(object)
}

fn bad_sector(bad: &BadSector) -> Value {
    let (key, amount) = match &bad.amount {
        SectorAmount::Rate(rate) => ("rate", json!(rate)),
        SectorAmount::Count(count) => ("count", json!(count)),
        SectorAmount::Clusters(them) => ("clusters", clusters(*them)),
        SectorAmount::At(bytes) => ("at", json!(bytes)),
    };
    json!({ key: amount, "sector": size::format(u64::from(bad.sector)) })
}

fn stalled(stall: &Stall) -> Value {
    let mut object = Map::new();
    insert(&mut object, "for", stall.for_.map(duration::format));
    Value::Object(object)
}

fn gone(dead: &Dead) -> Value {
    let mut object = Map::new();
    object.insert("errno".into(), json!(dead.errno.name()));
    insert(&mut object, "for", dead.for_.map(duration::format));
    insert(&mut object, "down", dead.flap.map(|flap| duration::format(flap.down)));
    insert(&mut object, "up", dead.flap.map(|flap| duration::format(flap.up)));
    Value::Object(object)
}

fn shortened(short: &Short) -> Value {
    let mut object = Map::new();
    match short.length {
        ShortLength::Drawn => {}
        ShortLength::Keep(keep) => drop(object.insert("keep".into(), json!(keep))),
        ShortLength::AtMost(bytes) => drop(object.insert("at_most".into(), json!(bytes))),
    }
    object.insert("multiple".into(), json!(short.multiple));
    Value::Object(object)
}

fn limited(space: &Space) -> Value {
    let mut object = Map::new();
    object.insert("capacity".into(), json!(space.capacity));
    insert(&mut object, "inodes", space.inodes);
    object.insert("errno".into(), json!(space.errno.name()));
    Value::Object(object)
}

fn torn_write(torn: &TornWrite) -> Value {
    let mut object = part(torn.part);
    insert(&mut object, "keep", torn.keep);
    let rest = match torn.rest {
        Rest::Old => "old",
        Rest::Zero => "zero",
    };
    object.insert("rest".into(), json!(rest));
    Value::Object(object)
}

fn misdirected(astray: Misdirected) -> Value {
    let mut object = Map::new();
    object.insert("block".into(), json!(size::format(u64::from(astray.block))));
    insert(&mut object, "at", astray.at);
    insert(&mut object, "to", astray.to);
    Value::Object(object)
}

fn metadata(wrong: &Metadata) -> Value {
    let mut object = Map::new();
    object.insert("rate".into(), json!(wrong.rate));
    insert(&mut object, "size", wrong.size);
    insert(&mut object, "mtime", wrong.mtime);
    insert(&mut object, "mode", wrong.mode);
    insert(&mut object, "nlink", wrong.nlink);
    insert(&mut object, "entry", wrong.entry.map(EntryFault::name));
    insert(&mut object, "target", wrong.target.clone());
    insert(&mut object, "xattr", wrong.xattr.map(XattrFault::name));
    insert(&mut object, "open", wrong.open.map(|errno| errno.name()));
    Value::Object(object)
}

fn evict(evict: Evict) -> String {
    match evict {
        Evict::Close => "close".into(),
        Evict::Drop => "drop".into(),
        Evict::After(time) => duration::format(time),
    }
}

fn part(part: WritePart) -> Map<String, Value> {
    let mut object = Map::new();
    if let WritePart::Block { size, at } = part {
        object.insert("block".into(), json!(size::format(u64::from(size))));
        insert(&mut object, "at", at);
    }
    object
}

fn distribution(distribution: &Distribution) -> Value {
    match distribution {
        Distribution::Constant(delay) => json!({ "constant": duration::format(*delay) }),
        Distribution::Uniform { from, to } => json!({
            "uniform": { "from": duration::format(*from), "to": duration::format(*to) }
        }),
        Distribution::Lognormal { median, sigma } => json!({
            "lognormal": { "median": duration::format(*median), "sigma": sigma }
        }),
        Distribution::Normal { mean, deviation } => json!({
            "normal": { "mean": duration::format(*mean), "deviation": duration::format(*deviation) }
        }),
        Distribution::Pareto { scale, shape } => json!({
            "pareto": { "scale": duration::format(*scale), "shape": shape }
        }),
        Distribution::Empirical(delays) => {
            let delays: Vec<_> = delays.iter().map(|delay| duration::format(*delay)).collect();
            json!({ "empirical": delays })
        }
    }
}
