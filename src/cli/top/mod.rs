//! `errorfs top`: a live mount on a terminal, as it works.

mod rates;
mod sample;
mod screen;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use super::asking::{Asking, MountedAt};
use super::exit::{Exit, Failure};
use super::process::asked_to_end;
use crate::scenario::duration;
use sample::Sample;

/// Watch a live mount: operations, faults, how long they take, and what each rule does
///
///   errorfs top /mnt
///
/// Rates and durations are those of the last interval. P50 and P99 are how long errorfs itself took;
/// what rules made operations wait stands beside them. Data that the kernel moves by itself
/// (passthrough) or has in its cache is not seen. `q` ends it.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Top {
    #[command(flatten)]
    mounted: MountedAt,
    /// How often the screen changes
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    interval: Duration,
}

/// A signal or a change of the window's size is noticed so soon.
const GLANCE: Duration = Duration::from_millis(100);

/// Shows the mount until somebody wants no more of it.
pub(super) fn run(args: &Top) -> Result<Exit, Failure> {
    if !(std::io::stdout().is_terminal() && std::io::stdin().is_terminal()) {
        let message = "top draws on a terminal: `errorfs status --json`, `errorfs metrics` and \
                       `errorfs events` tell programs the same";
        return Err(Failure::new(Exit::Usage, message));
    }
    let asking = args.mounted.find()?;
    let first = Sample::take(&asking)?;
    let ended = asked_to_end()?;
    let mut terminal = ratatui::try_init().map_err(terminal_failed)?;
    let watched = watch(&mut terminal, &asking, first, args.interval, &ended);
    ratatui::restore();
    watched.map(|()| Exit::Done)
}

fn watch(
    terminal: &mut DefaultTerminal,
    asking: &Asking,
    first: Sample,
    interval: Duration,
    ended: &AtomicBool,
) -> Result<(), Failure> {
    let (mut before, mut now) = (None, first);
    loop {
        let draw = |frame: &mut ratatui::Frame<'_>| screen::draw(frame, before.as_ref(), &now);
        terminal.draw(draw).map_err(terminal_failed)?;
        let due = now.taken + interval;
        if !rest(due, ended).map_err(terminal_failed)? {
            return Ok(());
        }
        if due <= Instant::now() {
            before = Some(std::mem::replace(&mut now, Sample::take(asking)?));
        }
    }
}

/// Until the screen is to change; whether it is to go on.
fn rest(due: Instant, ended: &AtomicBool) -> std::io::Result<bool> {
    while !ended.load(Ordering::Relaxed) {
        let left = due.saturating_duration_since(Instant::now());
        match event::poll(left.min(GLANCE))?.then(event::read).transpose()? {
            Some(Event::Key(key)) if ends(&key) => return Ok(false),
            Some(Event::Resize(..)) => return Ok(true),
            _ if left.is_zero() => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

fn ends(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
        || (control && matches!(key.code, KeyCode::Char('c' | 'd')))
}

fn terminal_failed(error: std::io::Error) -> Failure {
    Failure::new(Exit::TryAgain, format!("the terminal: {error}"))
}
