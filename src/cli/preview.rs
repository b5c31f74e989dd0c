//! `errorfs preview`: what a scenario and a seed would damage in a directory, and how much of it is
//! taken of a limit, without mounting it.
//!
//! The ground truth beforehand: the same compile, placement and damage as of a mount that has just
//! been armed. Reads the directory, writes nothing to it.

use std::io::{BufWriter, ErrorKind, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::{eprint, scenarios, serving};
use crate::diagnostic::Consequence;
use crate::fs::{region_line, survey};
use crate::injector::{Armed, Target};
use crate::ledger::{Region, RegionContent, escape};
use crate::media::Medium;
use crate::plan::fault::{BLOCK, Fault, Space};
use crate::plan::{Corrupted, Damage, Flip, Plan, Surveyed, Unreadable, compile};
use crate::scenario::Scenario;

/// Bytes that are judged at a time: bounds memory, and is a multiple of every sector and region.
const STRIDE: u64 = 8 << 20;

/// Say which bits, regions and sectors a scenario and a seed would damage, without mounting.
#[derive(Debug, Args)]
pub(super) struct Preview {
    /// A scenario file; may be repeated.
    #[arg(long, required = true, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The root of all randomness, instead of the scenario's; drawn and printed if neither has one.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The id that the mount will have; without one, every copy of a directory has the same damage.
    #[arg(long, value_name = "MOUNT_ID", default_value = "", hide_default_value = true)]
    id: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The directory that would be mounted.
    dir: PathBuf,
}

/// Runs the verb.
pub(super) fn run(preview: &Preview) -> Result<Exit, Failure> {
    let scenario = scenarios::load(&preview.scenario, Consequence::None)?;
    let seed = serving::seed(preview.seed, &scenario);
    let plan = compile(&scenario, seed, &preview.id, scenario.fingerprint().as_bytes());
    warn_of_the_unpredictable(&scenario, &plan);
    let root = open_directory(&preview.dir)?;
    let survey = survey(root.as_fd()).map_err(|error| unreadable(&preview.dir, &error))?;
    let (usage, files) = (survey.usage(), survey.files);
    serving::tell_unselected(&plan, &files);
    let placement =
        plan.place(&files).map_err(|error| Failure::caused(Exit::NothingMatched, &error))?;
    let armed = Armed::new(plan, placement).with_usage(usage);
    let out = BufWriter::new(std::io::stdout().lock());
    let mut listing = Listing { armed: &armed, root: root.as_fd(), json: preview.json, out };
    match listing.all(&files) {
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            Err(Failure::new(Exit::TryAgain, format!("cannot write to stdout: {error}")))
        }
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(unreadable(&preview.dir, &error))
        }
        _ => Ok(Exit::Done),
    }
}

/// What is not a property of stored bytes, or not always to be seen, is said and not guessed.
fn warn_of_the_unpredictable(scenario: &Scenario, plan: &Plan) {
    for (rule, source) in plan.rules().iter().zip(&scenario.rules) {
        let (name, fault) = (&rule.name, rule.fault.name());
        if matches!(rule.fault, Fault::Space(_)) {
            continue; // What is taken of it is shown.
        }
        if !rule.fault.is_stored() {
            eprint(&format!(
                "rule `{name}` ({fault}) depends on the operations that come: not shown"
            ));
        } else if !source.when.is_always() {
            eprint(&format!(
                "rule `{name}` ({fault}) shows this damage only when its conditions hold"
            ));
        }
    }
}

fn open_directory(dir: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(dir, flags, Mode::empty()).map_err(|error| unreadable(dir, &error))
}

fn unreadable(dir: &Path, error: &dyn std::error::Error) -> Failure {
    let failure = Failure::caused(Exit::Usage, error);
    let message = format!("cannot preview `{}`: {}", dir.display(), failure.message);
    Failure::new(failure.exit, message)
}

/// One damaged bit, as a line of JSON. The format may only grow.
#[derive(Debug, Serialize)]
struct BitLine<'a> {
    rule: &'a str,
    fault: &'static str,
    path: String,
    byte: u64,
    bit: u8,
    before: u8,
    after: u8,
    id: String,
}

/// One corrupt region, as a line of JSON. The format may only grow.
#[derive(Debug, Serialize)]
struct RegionLine<'a> {
    rule: &'a str,
    fault: &'static str,
    path: String,
    /// As the ledger will have it.
    region: Region,
    id: String,
}

/// One bad sector, as a line of JSON. The format may only grow.
#[derive(Debug, Serialize)]
struct SectorLine<'a> {
    rule: &'a str,
    fault: &'static str,
    path: String,
    /// First byte and length.
    sector: (u64, u64),
    id: String,
}

/// One limit and what is taken of it, as a line of JSON. The format may only grow.
#[derive(Debug, Serialize)]
struct SpaceLine<'a> {
    rule: &'a str,
    fault: &'static str,
    /// Bytes, in whole blocks.
    capacity: u64,
    taken: u64,
    inodes: Option<u64>,
    inodes_taken: u64,
}

/// Writes what would be damaged, file by file.
struct Listing<'a, W> {
    armed: &'a Armed,
    root: BorrowedFd<'a>,
    json: bool,
    out: W,
}

impl<W: Write> Listing<'_, W> {
    fn all(&mut self, files: &[Surveyed]) -> std::io::Result<()> {
        let plan = self.armed.plan();
        for rule in plan.rules() {
            if let Fault::Space(space) = &rule.fault {
                self.space(&rule.name, space)?;
            }
        }
        files.iter().try_for_each(|file| self.file(file))?;
        self.out.flush()
    }

    fn space(&mut self, rule: &str, space: &Space) -> std::io::Result<()> {
        let (blocks, inodes_taken) = self.armed.usage().taken();
        let (capacity, taken, inodes) = (space.blocks * BLOCK, blocks * BLOCK, space.inodes);
        if self.json {
            let fault = "space";
            let line = SpaceLine { rule, fault, capacity, taken, inodes, inodes_taken };
            return self.json_line(&line);
        }
        let limit = inodes.map_or(String::new(), |inodes| format!(" of {inodes}"));
        writeln!(
            self.out,
            "{taken} of {capacity} bytes are taken, by {inodes_taken}{limit} inodes ({rule})"
        )
    }

    fn file(&mut self, file: &Surveyed) -> std::io::Result<()> {
        let selection = self.armed.select(&file.path);
        if !selection.medium {
            return Ok(());
        }
        let medium = Medium::default();
        let target = Target {
            selection: &selection,
            path: &file.path,
            origin: &file.path,
            medium: Some(&medium),
        };
        let mut data = Opened { root: self.root, path: &file.path, file: None };
        for start in (0..file.len).step_by(STRIDE as usize) {
            let range = start..file.len.min(start + STRIDE);
            let Damage { regions, flips, unreadable } = self.armed.damage(range, &target);
            regions.iter().try_for_each(|region| self.region(file, region, &mut data))?;
            flips.iter().try_for_each(|flip| self.bit(file, (flip, &regions), &mut data))?;
            unreadable.iter().try_for_each(|sector| self.sector(file, sector))?;
        }
        Ok(())
    }

    fn region(
        &mut self,
        file: &Surveyed,
        corrupted: &Corrupted,
        data: &mut Opened<'_>,
    ) -> std::io::Result<()> {
        let before = data.bytes(&corrupted.bytes)?;
        let id = self.armed.region_id(corrupted, Some(&file.path));
        let line = RegionLine {
            rule: &self.armed.label(corrupted.rule).rule,
            fault: self.armed.label(corrupted.rule).fault,
            path: escape(file.path.as_os_str().as_encoded_bytes()),
            region: region_line(corrupted.clone(), id, before, data.open()?),
            id: id.to_string(),
        };
        if self.json {
            return self.json_line(&line);
        }
        let (RegionLine { rule, path, region, id, .. }, Range { start, end }) =
            (line, &corrupted.bytes);
        let (content, remark) = (content(&region.content), remark(&region));
        writeln!(self.out, "{path}: bytes {start}..{end} read as {content}{remark} ({rule}, {id})")
    }

    fn bit(
        &mut self,
        file: &Surveyed,
        (flip, regions): (&Flip, &[Corrupted]),
        data: &mut Opened<'_>,
    ) -> std::io::Result<()> {
        let mut stored = data.bytes(&(flip.byte..flip.byte + 1))?;
        let over = regions.partition_point(|region| region.bytes.end <= flip.byte);
        regions.get(over).iter().for_each(|region| region.fill(&mut stored, flip.byte));
        let before = stored[0];
        let line = BitLine {
            rule: &self.armed.label(flip.rule).rule,
            fault: self.armed.label(flip.rule).fault,
            path: escape(file.path.as_os_str().as_encoded_bytes()),
            byte: flip.byte,
            bit: flip.bit,
            before,
            after: before ^ 1 << flip.bit,
            id: self.armed.flip_id(flip, Some(&file.path)).to_string(),
        };
        if self.json {
            return self.json_line(&line);
        }
        let BitLine { rule, path, byte, bit, after, id, .. } = line;
        writeln!(
            self.out,
            "{path}: byte {byte} bit {bit}: {before:#04x} -> {after:#04x} ({rule}, {id})"
        )
    }

    fn sector(&mut self, file: &Surveyed, bad: &Unreadable) -> std::io::Result<()> {
        let line = SectorLine {
            rule: &self.armed.label(bad.rule).rule,
            fault: self.armed.label(bad.rule).fault,
            path: escape(file.path.as_os_str().as_encoded_bytes()),
            sector: (bad.sector.start, bad.sector.end - bad.sector.start),
            id: self.armed.sector_id(bad, Some(&file.path)).to_string(),
        };
        if self.json {
            return self.json_line(&line);
        }
        let (SectorLine { rule, path, id, .. }, Range { start, end }) = (line, &bad.sector);
        writeln!(self.out, "{path}: bytes {start}..{end} unreadable ({rule}, {id})")
    }

    fn json_line(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        writeln!(self.out)
    }
}

/// Opens a file that the survey has found: still inside the directory, and no link.
fn open_file(root: BorrowedFd<'_>, path: &Path) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// A file that is opened once its bytes are asked for.
struct Opened<'a> {
    root: BorrowedFd<'a>,
    path: &'a Path,
    file: Option<std::fs::File>,
}

impl Opened<'_> {
    fn open(&mut self) -> std::io::Result<&std::fs::File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_file(self.root, self.path)?.into(),
        };
        Ok(self.file.insert(file))
    }

    /// All of these bytes.
    fn bytes(&mut self, range: &Range<u64>) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.open()?.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes)
    }
}

fn content(content: &RegionContent) -> String {
    match content {
        RegionContent::Stale => "what was there before".to_owned(),
        RegionContent::Zero => "zero".to_owned(),
        RegionContent::Byte(byte) => format!("{byte:#04x}"),
        RegionContent::Junk(_) => "junk".to_owned(),
    }
}

/// What is worth a word: that nobody will see the damage, or that there is nothing to damage.
fn remark(region: &Region) -> &'static str {
    match (region.changed == Some(0), region.hole > 0) {
        (true, true) => ", which changes nothing: they lie in a hole",
        (true, false) => ", which is what is stored",
        (false, true) => ", in part or whole a hole",
        (false, false) => "",
    }
}
