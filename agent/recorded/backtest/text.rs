//! A report for a terminal: short, what matters most first. Names come from events, where
//! attackers choose them, so no character of theirs reaches the terminal that moves its cursor.

use std::fmt::Write as _;

use super::compare::{Change, Field};
use super::count::{Row, Table};
use super::report::{Basis, Changes, ContainmentRow, Example, NamedGroup, Report, ResourceRow, Trend};
use super::rules::RuleChanges;
use super::simulation::SimulatedContainment;
use crate::domain::text::{ends_line, turns_direction};

/// How many lines of a list are printed.
const LINES: usize = 10;
/// How many rows of a table are.
const ROWS: usize = 5;

/// The report as text.
#[must_use]
pub fn render(report: &Report) -> String {
    let Report { findings, .. } = report;
    let mut parts = vec![
        head(report),
        containments(&report.containments),
        resources(&report.resources),
        rules(&report.rules),
        groups(&findings.groups),
    ];
    if findings.all.moved() > 0 {
        parts.push(table("most moved rules", &findings.by_rule));
        parts.push(table("most moved accounts", &findings.by_account));
        parts.push(table("most moved principals", &findings.by_principal));
    }
    parts.push(table("noisiest rules", &findings.noisiest_rules));
    parts.push(table("noisiest principals", &findings.noisiest_principals));
    parts.push(skipped(report));
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// What both sides come to, side by side.
pub(super) fn sums(report: &Report) -> [(&'static str, u64, u64); 6] {
    let (old, new) = (report.old.answers, report.new.answers);
    [
        ("actors contained", report.containments.old, report.containments.new),
        ("responses done to resources", report.resources.old, report.resources.new),
        ("questions to people", old.asked, new.asked),
        ("threads in Slack", old.threads, new.threads),
        ("incidents", old.incidents, new.incidents),
        ("findings", report.findings.all.old, report.findings.all.new),
    ]
}

/// Whose accounts and how, in words.
pub(super) const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::EveryAccountEnforces => "as if every account were watched and in mode `enforce`, no accounts.toml given",
        Basis::AccountsFile => "in the modes that accounts.toml says",
        Basis::AccountsFileEnforced => "with accounts.toml, as if every mode in it were `enforce`",
    }
}

/// Whether nothing at all is different.
pub(super) fn is_same(report: &Report) -> bool {
    let moved = report.findings.all.moved() + report.containments.appeared + report.containments.vanished;
    moved == 0 && report.rules.is_empty() && sums(report).iter().all(|(_, old, new)| old == new)
}

fn head(report: &Report) -> String {
    let (old, new) = (visible(&report.old.policies), visible(&report.new.policies));
    let counts = report.read.counts;
    let mut text = format!(
        "{new} instead of {old}, over {} records ({} evaluated), {}\n",
        counts.records,
        report.read.evaluated,
        basis(report.basis)
    );
    if is_same(report) {
        text += "nothing would have been different\n";
    }
    let _ = writeln!(text, "\n  {:<26}{:>10}{:>10}{:>10}", "", "old", "new", "");
    for (what, old, new) in sums(report) {
        let _ = writeln!(text, "  {what:<26}{old:>10}{new:>10}{:>10}", difference(old, new));
    }
    let all = report.findings.all;
    let _ = writeln!(text, "\n  {} findings appear, {} vanish, {} change", all.appeared, all.vanished, all.changed);
    if counts.unreadable > 0 {
        let _ = writeln!(text, "  {} pieces could not be read and are not in these numbers", counts.unreadable);
    }
    text
}

/// A number of things.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// `+3`, `-2`, or nothing.
pub(super) fn difference(old: u64, new: u64) -> String {
    match new.cmp(&old) {
        std::cmp::Ordering::Greater => format!("+{}", new - old),
        std::cmp::Ordering::Less => format!("-{}", old - new),
        std::cmp::Ordering::Equal => String::new(),
    }
}

fn containments(changes: &Changes<ContainmentRow>) -> String {
    let differing = changes.rows.iter().filter(|row| is_different(row.change));
    let line = |row: &ContainmentRow| {
        let held = row.new.as_ref().filter(|_| row.change != Trend::Vanished).or(row.old.as_ref());
        let about = held.map(containment).unwrap_or_default();
        // A budget that one side used up, and the other did not, asks people and contains nobody.
        let was_asked = row.change == Trend::Appeared && row.old.as_ref().is_some_and(|old| old.asked > 0);
        let is_asked = row.change == Trend::Vanished && row.new.as_ref().is_some_and(|new| new.asked > 0);
        let instead = if was_asked || is_asked { " · only asked about on the other side" } else { "" };
        format!("  {:<10}{} · {about}{instead}", trend(row.change), visible(&row.principal))
    };
    let lines: Vec<String> = differing.map(line).collect();
    listed("containments that differ", &lines, changes.appeared + changes.vanished)
}

/// How an actor would have been contained, in a few words.
pub(super) fn containment(held: &SimulatedContainment) -> String {
    let SimulatedContainment { strength, first, times, asked, rules } = held;
    let mut parts = Vec::new();
    if let (Some(strength), Some(first)) = (strength, first) {
        let strength = if *strength == crate::domain::action::Strength::Hard { "hard" } else { "soft" };
        parts.push(format!("{strength} · first {first}"));
        parts.push(counted(*times, "event"));
    }
    if *asked > 0 {
        parts.push(counted(*asked, "question"));
    }
    parts.push(rules.iter().map(|rule| visible(rule)).collect::<Vec<_>>().join(", "));
    parts.join(" · ")
}

fn resources(changes: &Changes<ResourceRow>) -> String {
    let differing = changes.rows.iter().filter(|row| is_different(row.change));
    let line = |row: &ResourceRow| {
        let side = row.new.filter(|_| row.change != Trend::Vanished).or(row.old);
        let times = side.map_or(0, |side| side.times);
        format!("  {:<10}{} {} · {}", trend(row.change), row.response, visible(&row.resource), counted(times, "time"))
    };
    let lines: Vec<String> = differing.map(line).collect();
    listed("responses to resources that differ", &lines, changes.appeared + changes.vanished)
}

const fn is_different(trend: Trend) -> bool {
    match trend {
        Trend::Appeared | Trend::Harder | Trend::Vanished | Trend::Softer => true,
        Trend::Same | Trend::WouldAsk => false,
    }
}

/// A turn in a word.
pub(super) const fn trend(trend: Trend) -> &'static str {
    match trend {
        Trend::Appeared => "new",
        Trend::Harder => "harder",
        Trend::Vanished => "gone",
        Trend::Softer => "softer",
        Trend::Same => "same",
        Trend::WouldAsk => "asked",
    }
}

fn rules(changes: &RuleChanges) -> String {
    let named = |what: &str, rules: &[super::rules::Named]| -> Vec<String> {
        rules.iter().map(|rule| format!("  {what:<10}{} {}", visible(&rule.id), visible(&rule.title))).collect()
    };
    let mut lines = named("added", &changes.added);
    lines.extend(named("removed", &changes.removed));
    for rule in &changes.changed {
        let field = |field: &super::rules::FieldChange| {
            format!("  {:<10}{} {}: {} → {}", "changed", rule.id, field.field, visible(&field.old), visible(&field.new))
        };
        lines.extend(rule.fields.iter().map(field));
    }
    if !changes.not_replayed.is_empty() {
        let ids = changes.not_replayed.join(", ");
        lines.push(format!("  {ids}: about states, which recorded events do not show; not in these numbers"));
    }
    let all = lines.len() as u64;
    if all == 0 { String::new() } else { section("rules that differ", &lines, all) }
}

fn groups(groups: &[NamedGroup]) -> String {
    let mut lines = Vec::new();
    for NamedGroup { change, rule, group } in groups {
        let fields: Vec<String> =
            group.fields.iter().map(|(field, count)| format!("{count} {}", word(*field))).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
        lines.push(format!("  {:<10}{} {}{fields}", changed(*change), group.count, visible(rule)));
        lines.extend(group.examples.first().map(example));
    }
    let all = lines.len() as u64;
    if all == 0 { String::new() } else { section("findings that differ, with the first of each kind", &lines, all) }
}

fn example(example: &Example) -> String {
    let Example { time, event_id, message, file, line, .. } = example;
    format!("    {time} {}\n      {}:{line} event {}", visible(message), visible(file), visible(event_id))
}

/// A change in a word.
pub(super) const fn changed(change: Change) -> &'static str {
    match change {
        Change::Appeared => "appeared",
        Change::Vanished => "vanished",
        Change::Changed => "changed",
    }
}

/// A field in a word.
pub(super) const fn word(field: Field) -> &'static str {
    match field {
        Field::Proposal => "proposal",
        Field::Severity => "severity",
        Field::Mode => "mode",
        Field::Message => "message",
    }
}

fn table(title: &str, table: &Table) -> String {
    let line = |Row { name, findings }: &Row| {
        let (old, new) = (findings.old, findings.new);
        format!("  {old:>10}{new:>10}{:>10}  {}", difference(old, new), visible(name))
    };
    let all = table.left_out + table.rows.len() as u64;
    let lines: Vec<String> = table.rows.iter().take(ROWS).map(line).collect();
    listed(&format!("{title} (findings: old, new)"), &lines, all)
}

fn skipped(report: &Report) -> String {
    let skipped = report.not_answered;
    let said = [
        (skipped.repeated, "records of events that another record had already"),
        (skipped.own, "of the agent's own calls"),
        (skipped.unwatched, "in accounts that accounts.toml does not name"),
    ];
    let lines: Vec<String> =
        said.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("  {count:>10}  {why}")).collect();
    listed("events with findings that would not have been answered", &lines, lines.len() as u64)
}

/// The first lines under a title, and how many there are besides.
fn listed(title: &str, lines: &[String], all: u64) -> String {
    let shown = lines.get(..LINES).unwrap_or(lines);
    if shown.is_empty() { String::new() } else { section(title, shown, all) }
}

fn section(title: &str, lines: &[String], all: u64) -> String {
    let mut text = format!("{title}\n{}\n", lines.join("\n"));
    let more = all.saturating_sub(lines.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more");
    }
    text
}

/// Text that shows every character: those that steer a terminal, or the direction of reading,
/// stand as their numbers.
pub(super) fn visible(text: &str) -> String {
    let steers = |character: char| character.is_control() || turns_direction(character) || ends_line(character);
    let show = |character: char| match steers(character) {
        true => character.escape_unicode().to_string(),
        false => character.to_string(),
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::backtest::tests::{report_of, two_cases};

    #[test]
    fn what_matters_most_comes_first() {
        let text = render(&report_of(two_cases()));
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no `{what}` in\n{text}"));
        assert!(place("actors contained") < place("containments that differ"));
        assert!(place("containments that differ") < place("most moved rules"), "{text}");
        assert!(text.contains("new       arn:aws:iam::111122223333:user/mallory · soft · first"), "{text}");
        assert!(text.contains("as if every account were watched and in mode `enforce`"), "{text}");
    }

    #[test]
    fn nothing_in_an_event_steers_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\r\u{9b}"), "a\\u{1b}[2Jb\\u{202e}c\\u{d}\\u{9b}");
        let mut cases = two_cases();
        cases[0].new[0].message = "\u{1b}]0;owned\u{7}".to_owned();
        assert!(!render(&report_of(cases)).contains('\u{1b}'));
    }
}
