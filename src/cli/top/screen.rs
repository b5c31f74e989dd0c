//! The screen: what is mounted, the operations, the rules; as much of it as there is room for.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize as _};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use serde_json::Value;

use super::rates::{duration, number, quantile, rate, since};
use super::sample::{Operated, Sample};
use crate::cli::status;
use crate::diagnostic::harmless;

/// From so many columns on there is room for what happened since the mount began.
const WIDE: u16 = 120;
const LEAST: Operated =
    Operated { op: String::new(), begun: 0, faults: 0, took: Vec::new(), waited: Vec::new() };

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, before: Option<&Sample>, now: &Sample) {
    let head = head(before, now);
    let rules = rules(now).len();
    let lengths = [
        Constraint::Length(head.lines.len() as u16 + 1),
        Constraint::Max(now.operations.len() as u16 + 2),
        Constraint::Min((rules as u16 + 1).min(6)),
        Constraint::Length(1),
    ];
    let [top, operated, ruled, bottom] = Layout::vertical(lengths).areas(frame.area());
    frame.render_widget(Paragraph::new(head), top);
    draw_operations(frame, operated, before, now);
    draw_rules(frame, ruled, before, now);
    frame.render_widget(Line::from("q ends it").dim(), bottom);
}

fn head(before: Option<&Sample>, now: &Sample) -> Text<'static> {
    let seconds = elapsed(before, now);
    let sum = |sample: &Sample, of: fn(&Operated) -> u64| sample.operations.iter().map(of).sum();
    let per_second = |of: fn(&Operated) -> u64| {
        let earlier = before.map_or(0, |before| sum(before, of));
        before.and_then(|_| rate(earlier, sum(now, of), seconds)).map_or("-".to_owned(), number)
    };
    let mut lines = status::head(&now.status);
    lines.push(format!(
        "{} operations/s, {} faults/s",
        per_second(|one| one.begun),
        per_second(|one| one.faults),
    ));
    if now.status["passthrough"] == true {
        lines.push("not seen: data that the kernel moves by itself (passthrough)".to_owned());
    }
    let mut lines: Vec<Line<'_>> = lines.iter().map(|line| Line::from(harmless(line))).collect();
    lines[0] = lines[0].clone().bold();
    Text::from(lines)
}

fn elapsed(before: Option<&Sample>, now: &Sample) -> f64 {
    before.map_or(0.0, |before| (now.taken - before.taken).as_secs_f64())
}

fn draw_operations(frame: &mut Frame<'_>, area: Rect, before: Option<&Sample>, now: &Sample) {
    let wide = area.width >= WIDE;
    let mut heads = vec!["OPERATION", "PER S", "FAULTS/S", "P50", "P99", "WAIT P50", "WAIT P99"];
    if wide {
        heads.extend(["ALL", "ALL FAULTS", "ALL P50", "ALL P99", "ALL WAIT P99"]);
    }
    let mut operations: Vec<&Operated> = now.operations.iter().collect();
    operations.sort_by_key(|one| std::cmp::Reverse(one.begun));
    let rows = operations.into_iter().map(|one| operation(one, before, now, wide));
    let widths = std::iter::once(Constraint::Length(15));
    let widths = widths.chain(heads.iter().skip(1).map(|head| Constraint::Length(width(head))));
    let table = Table::new(rows, widths).header(header(&heads, 1));
    frame.render_widget(table, area);
}

fn operation(one: &Operated, before: Option<&Sample>, now: &Sample, wide: bool) -> Row<'static> {
    let earlier = before.map(|before| before.operated(&one.op));
    let seconds = elapsed(before, now);
    let last = earlier.as_ref().unwrap_or(one);
    let per_second = |of: fn(&Operated) -> u64| {
        earlier.as_ref().and_then(|_| rate(of(last), of(one), seconds)).map_or("-".into(), number)
    };
    let durations = |before: &Operated, of: fn(&Operated) -> &[u64], part: f64| {
        duration(quantile(&since(of(before), of(one)), &now.bounds_s, part))
    };
    let mut cells = vec![
        per_second(|one| one.begun),
        per_second(|one| one.faults),
        durations(last, |one| &one.took, 0.5),
        durations(last, |one| &one.took, 0.99),
        durations(last, |one| &one.waited, 0.5),
        durations(last, |one| &one.waited, 0.99),
    ];
    if wide {
        cells.extend([
            number(one.begun as f64),
            number(one.faults as f64),
            durations(&LEAST, |one| &one.took, 0.5),
            durations(&LEAST, |one| &one.took, 0.99),
            durations(&LEAST, |one| &one.waited, 0.99),
        ]);
    }
    Row::new(std::iter::once(Cell::from(one.op.clone())).chain(cells.into_iter().map(right)))
}

fn rules(sample: &Sample) -> &[Value] {
    sample.status["rules"].as_array().map_or(&[], Vec::as_slice)
}

fn draw_rules(frame: &mut Frame<'_>, area: Rect, before: Option<&Sample>, now: &Sample) {
    if rules(now).is_empty() {
        return frame.render_widget(Line::from("no rule is loaded"), area);
    }
    let heads =
        ["RULE", "FAULT", "STATE", "MATCHED", "MISSED", "FIRED", "PER S", "DELIVERED", "LAST HIT"];
    let rows = rules(now).iter().map(|rule| ruled(rule, before, now));
    let fixed = [11, 8, 7, 7, 7, 7, 9, 8];
    let name = area.width.saturating_sub(fixed.iter().sum::<u16>() + fixed.len() as u16);
    let longest = rules(now).iter().map(|rule| status::text(rule, "name").chars().count());
    let why = if area.width >= WIDE { 40 } else { 0 };
    let name = (longest.max().unwrap_or(0).max(4) as u16).min(name.saturating_sub(why));
    let widths = std::iter::once(name).chain(fixed).map(Constraint::Length);
    let widths = widths.chain((why > 0).then_some(Constraint::Fill(1)));
    let table = Table::new(rows, widths).header(header(&heads, 3));
    frame.render_widget(table, area);
}

fn ruled(rule: &Value, before: Option<&Sample>, now: &Sample) -> Row<'static> {
    let count = |key: &str| rule[key].as_u64().unwrap_or(0);
    let name = status::text(rule, "name");
    let fired = before.and_then(|before| before.count(&name, "fired"));
    let fired = fired.and_then(|earlier| rate(earlier, count("fired"), elapsed(before, now)));
    let armed = rule["armed"] == true;
    let missed = count("matched").saturating_sub(count("fired"));
    let numbers = [
        number(count("matched") as f64),
        number(missed as f64),
        number(count("fired") as f64),
        fired.map_or("-".to_owned(), number),
        number(count("delivered") as f64),
    ];
    let state = if armed { "armed" } else { "disarmed" };
    let cells = [harmless(&name), status::text(rule, "fault"), state.to_owned()];
    let last = status::last_hit(rule);
    let numbers = numbers.into_iter().chain([last]).map(right);
    let why = Cell::from(harmless(&status::text(rule, "why"))).dim();
    let row = Row::new(cells.into_iter().map(Cell::from).chain(numbers).chain([why]));
    if armed { row } else { row.style(Style::new().dim()) }
}

/// The first of the columns are words, the others numbers.
fn header(heads: &[&'static str], words: usize) -> Row<'static> {
    let cell = |(place, head): (usize, &&'static str)| match place < words {
        true => Cell::from(*head),
        false => right((*head).to_owned()),
    };
    Row::new(heads.iter().enumerate().map(cell).collect::<Vec<_>>()).bold()
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Text::from(text).alignment(Alignment::Right))
}

fn width(head: &str) -> u16 {
    (head.len() as u16).max(8)
}
