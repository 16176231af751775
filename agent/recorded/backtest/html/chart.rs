//! Bars, old beside new, as SVG. Draws what it is given and counts nothing.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::page::Page;
use crate::recorded::backtest::count::{Delta, Row, Table};

/// Width of every chart; the page scales it.
const WIDTH: f64 = 960.0;
/// Height of the bars of a chart by day.
const HEIGHT: f64 = 180.0;
/// Height of a row of a chart by name.
const ROW: f64 = 34.0;
/// Where the bars of a chart by name begin.
const MAX_CALL_NAMES: f64 = 150.0;
/// Room for the numbers right of them.
const NUMBERS: f64 = 110.0;
/// How many bars a chart by day has at most; more days are drawn as months.
const MOST_BARS: usize = 124;
/// How many names a chart shows.
const MOST_NAMES: usize = 15;

/// A rectangle.
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Findings per day; per month when there are too many days.
pub(super) fn days(page: &mut Page, days: &BTreeMap<Date, Delta>) {
    let mut bars: BTreeMap<String, Delta> = BTreeMap::new();
    let name: fn(&Date) -> String =
        if days.len() > MOST_BARS { |day| day.strftime("%Y-%m").to_string() } else { Date::to_string };
    for (day, findings) in days {
        *bars.entry(name(day)).or_default() += *findings;
    }
    let most = bars.values().map(|findings| findings.old.max(findings.new)).max().unwrap_or_default();
    if most == 0 {
        page.element("p", "No findings on either side.");
        return;
    }
    let slot = (WIDTH / bars.len() as f64).min(80.0);
    open(page, HEIGHT + 44.0);
    page.markup(r#"<text class="axis" x="0" y="12">"#).text(&most.to_string()).markup("</text>");
    let labelled = bars.len().div_ceil(12).max(1);
    for (index, (name, findings)) in bars.iter().enumerate() {
        let x = index as f64 * slot;
        page.markup("<g>");
        title(page, name, findings);
        for (offset, class, count) in [(0.08, OLD, findings.old), (0.5, NEW, findings.new)] {
            let height = count as f64 / most as f64 * HEIGHT;
            bar(page, class, &Bar { x: x + offset * slot, y: HEIGHT + 20.0 - height, width: 0.4 * slot, height });
        }
        page.markup("</g>");
        if index % labelled == 0 {
            label(page, (x + 0.08 * slot, HEIGHT + 36.0), name);
        }
    }
    page.markup("</svg>");
}

/// Findings by name: the first of a table.
pub(super) fn bars(page: &mut Page, table: &Table) {
    let rows = table.rows.get(..MOST_NAMES).unwrap_or(&table.rows);
    let most = rows.iter().map(|row| row.findings.old.max(row.findings.new)).max().unwrap_or_default();
    if most == 0 {
        page.element("p", "No findings on either side.");
        return;
    }
    open(page, rows.len() as f64 * ROW);
    for (index, Row { name, findings }) in rows.iter().enumerate() {
        let y = index as f64 * ROW;
        page.markup("<g>");
        title(page, name, findings);
        label(page, (0.0, y + 20.0), &shortened(name));
        for (offset, class, count) in [(4.0, OLD, findings.old), (17.0, NEW, findings.new)] {
            let width = count as f64 / most as f64 * (WIDTH - MAX_CALL_NAMES - NUMBERS);
            bar(page, class, &Bar { x: MAX_CALL_NAMES, y: y + offset, width, height: 11.0 });
            label(page, (MAX_CALL_NAMES + width + 6.0, y + offset + 10.0), &count.to_string());
        }
        page.markup("</g>");
    }
    page.markup("</svg>");
    page.left_out(table.left_out + (table.rows.len() - rows.len()) as u64);
}

const OLD: &str = r#"<rect class="old""#;
const NEW: &str = r#"<rect class="new""#;

fn open(page: &mut Page, height: f64) {
    page.markup(r#"<svg role="img" viewBox="0 0 "#).number(WIDTH).markup(" ").number(height).markup(r#"">"#);
}

fn title(page: &mut Page, name: &str, findings: &Delta) {
    page.element("title", &format!("{name}: {} old, {} new", findings.old, findings.new));
}

fn bar(page: &mut Page, class: &'static str, Bar { x, y, width, height }: &Bar) {
    page.markup(class).markup(r#" x=""#).number(*x).markup(r#"" y=""#).number(*y);
    page.markup(r#"" width=""#).number(*width).markup(r#"" height=""#).number(*height).markup(r#""/>"#);
}

fn label(page: &mut Page, (x, y): (f64, f64), text: &str) {
    page.markup(r#"<text x=""#).number(x).markup(r#"" y=""#).number(y).markup(r#"">"#).text(text).markup("</text>");
}

/// As much of a name as there is room for.
fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(18).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}
