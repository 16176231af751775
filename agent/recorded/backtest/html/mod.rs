//! A report as one page that needs nothing else: no script, no font, no request.
//!
//! Attackers choose names in events. Only [`page::Page`] puts text together, and it takes
//! markup from the program alone; everything else is escaped.

mod chart;
mod page;

use super::count::{Row, Table};
use super::report::{Changes, ContainmentRow, Example, NamedGroup, Report, ResourceRow};
use super::rules::RuleChanges;
use super::simulation::{Repaired, SimulatedContainment};
use super::text;
use page::Page;

/// The head of the page. No request is allowed to it, whatever it came to hold.
const HEAD: &str = concat!(
    r#"<!doctype html><html lang="en"><head><meta charset="utf-8">"#,
    r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"#,
    r#"<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">"#,
    "<title>Keepwatch backtest</title><style>",
    include_str!("style.css"),
    "</style></head><body><main>"
);

/// The report as a page.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.markup(HEAD);
    head(&mut page, report);
    containments(&mut page, &report.containments);
    resources(&mut page, &report.resources);
    rules(&mut page, &report.rules);
    charts(&mut page, report);
    groups(&mut page, &report.findings.groups);
    table(&mut page, ("Findings by principal", "Principal"), &report.findings.by_principal);
    table(&mut page, ("Noisiest rules", "Rule"), &report.findings.noisiest_rules);
    table(&mut page, ("Noisiest principals", "Principal"), &report.findings.noisiest_principals);
    foot(&mut page, report);
    page.markup("</main></body></html>\n");
    page.finish()
}

fn head(page: &mut Page, report: &Report) {
    page.markup("<h1>What the change would have done</h1><p>");
    page.element("code", &report.new.policies);
    page.markup(" instead of ").element("code", &report.old.policies);
    let counts = report.read.counts;
    page.text(&format!(", over {} records of {} files", counts.records, report.read.files));
    if let (Some(first), Some(last)) = (report.read.first, report.read.last) {
        page.text(&format!(", findings from {first} to {last}"));
    }
    page.text(&format!("; {}.", text::basis(report.basis))).markup("</p>");
    if counts.unreadable > 0 {
        page.markup(r#"<p class="bad">"#);
        page.text(&format!("{} pieces could not be read and are not in these numbers.", counts.unreadable));
        page.markup("</p>");
    }
    for gate in &report.gates {
        page.markup(if gate.holds { r#"<p class="good">"# } else { r#"<p class="bad">"# });
        page.text(&gate.to_string()).markup("</p>");
    }
    if text::is_same(report) {
        page.element("p", "Nothing would have been different.");
    }
    page.markup(r#"<div class="tiles">"#);
    for (what, old, new) in text::sums(report) {
        page.markup(r#"<div class="tile">"#).element("span", what);
        page.element("b", &format!("{old} → {new}")).element("i", &text::difference(old, new)).markup("</div>");
    }
    page.markup("</div>");
}

fn containments(page: &mut Page, changes: &Changes<ContainmentRow>) {
    page.heading("Who would have been contained");
    if changes.rows.is_empty() {
        page.element("p", "Nobody, on either side.");
        return;
    }
    let cell = |side: &Option<SimulatedContainment>| side.as_ref().map_or_else(|| "—".to_owned(), text::containment);
    page.table(&["", "Actor", "Old", "New"], |page| {
        for row in &changes.rows {
            page.row(&[text::trend(row.change), &row.principal, &cell(&row.old), &cell(&row.new)]);
        }
    });
    page.left_out(changes.left_out);
}

fn resources(page: &mut Page, changes: &Changes<ResourceRow>) {
    page.heading("What would have been done to resources");
    if changes.rows.is_empty() {
        page.element("p", "Nothing, on either side.");
        return;
    }
    let cell = |side: Option<Repaired>| match side {
        None => "—".to_owned(),
        Some(Repaired { times, asked, first }) => {
            let first = first.map(|first| format!("first {first}"));
            let times = (times > 0).then(|| text::counted(times, "time"));
            let asked = (asked > 0).then(|| text::counted(asked, "question"));
            [times, first, asked].into_iter().flatten().collect::<Vec<_>>().join(" · ")
        }
    };
    page.table(&["", "Response", "Resource", "Old", "New"], |page| {
        for row in &changes.rows {
            let (old, new) = (cell(row.old), cell(row.new));
            page.row(&[text::trend(row.change), &row.response.to_string(), &row.resource, &old, &new]);
        }
    });
    page.left_out(changes.left_out);
}

fn rules(page: &mut Page, changes: &RuleChanges) {
    page.heading("Rules that differ");
    if changes.is_empty() {
        page.element("p", "None by their METADATA; what their Rego does differently shows in the findings.");
        return;
    }
    page.table(&["", "Rule", "What", "Old", "New"], |page| {
        changes.added.iter().for_each(|rule| page.row(&["added", &rule.id, "title", "—", &rule.title]));
        changes.removed.iter().for_each(|rule| page.row(&["removed", &rule.id, "title", &rule.title, "—"]));
        for rule in &changes.changed {
            rule.fields.iter().for_each(|field| page.row(&["changed", &rule.id, field.field, &field.old, &field.new]));
        }
    });
    if !changes.not_replayed.is_empty() {
        let ids = changes.not_replayed.join(", ");
        page.element("p", &format!("{ids}: about states, which recorded events do not show; not in these numbers."));
    }
}

fn charts(page: &mut Page, report: &Report) {
    page.heading("Findings per day");
    page.markup(r#"<p class="legend"><span class="old"></span> old <span class="new"></span> new</p>"#);
    chart::days(page, &report.findings.by_day);
    page.heading("Findings per rule");
    chart::bars(page, &report.findings.by_rule);
    page.heading("Findings per account");
    chart::bars(page, &report.findings.by_account);
}

fn groups(page: &mut Page, groups: &[NamedGroup]) {
    page.heading("Findings that differ, with the first of each");
    if groups.is_empty() {
        page.element("p", "None.");
    }
    for NamedGroup { change, rule, group } in groups {
        let fields: Vec<String> =
            group.fields.iter().map(|(field, count)| format!("{count} by {}", text::word(*field))).collect();
        page.markup("<details open><summary>");
        page.element("b", rule).text(&format!(" {} {}", group.count, text::changed(*change)));
        page.text(&fields.iter().map(|field| format!(" · {field}")).collect::<String>()).markup("</summary>");
        page.table(&["Time", "Finding", "Principal", "Account", "Event", "Where"], |page| {
            group.examples.iter().for_each(|one| example(page, one));
        });
        page.markup("</details>");
    }
}

fn example(page: &mut Page, example: &Example) {
    let Example { time, event_id, event_name, account, region, principal, message, file, line, .. } = example;
    let (place, event) = (format!("{account} {region}"), format!("{event_name} {event_id}"));
    page.row(&[&time.to_string(), message, principal, &place, &event, &format!("{file}:{line}")]);
}

fn table(page: &mut Page, (title, name): (&str, &str), table: &Table) {
    page.heading(title);
    page.table(&[name, "Old", "New", "", "Appeared", "Vanished", "Changed"], |page| {
        for Row { name, findings } in &table.rows {
            let difference = text::difference(findings.old, findings.new);
            let numbers = [findings.old, findings.new, findings.appeared, findings.vanished, findings.changed];
            let [old, new, appeared, vanished, changed] = numbers.map(|number| number.to_string());
            page.row(&[name, &old, &new, &difference, &appeared, &vanished, &changed]);
        }
    });
    page.left_out(table.left_out);
}

fn foot(page: &mut Page, report: &Report) {
    let skipped = report.not_answered;
    page.heading("What these numbers suppose");
    page.element(
        "p",
        "Nobody was contained before, every response succeeds and stays, and who is contained goes on as recorded. \
         Resources are not read, so resource rules are not evaluated.",
    );
    page.element(
        "p",
        &format!(
            "Not answered though something was found: {} records of an event that was counted already, {} of the agent's own calls, {} in unwatched accounts.",
            skipped.repeated, skipped.own, skipped.unwatched
        ),
    );
    page.markup("<p>");
    for (name, side) in [("old", &report.old), ("new", &report.new)] {
        page.text(&format!("{name}: {} rules, SHA-256 ", side.rules)).element("code", &side.digest).markup("<br>");
    }
    page.markup("</p>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::backtest::tests::{report_of, two_cases};

    /// A page about events in which everything that an attacker may choose ends in this.
    fn page_with(name: &str) -> String {
        let mut cases = two_cases();
        for case in &mut cases {
            for text in [&mut case.file, &mut case.id, &mut case.name, &mut case.region, &mut case.correlation] {
                text.push_str(name);
            }
            case.principal.arn = Some(format!("arn:aws:iam::111122223333:user/{name}"));
            for finding in case.old.iter_mut().chain(&mut case.new) {
                finding.message.push_str(name);
                finding.rule.id.push_str(name);
                finding.resource = Some(format!("arn:aws:s3:::{name}"));
            }
        }
        let mut report = report_of(cases);
        report.old.policies.push_str(name);
        report.new.policies.push_str(name);
        render(&report)
    }

    #[test]
    fn names_that_attackers_choose_stay_text() {
        let evil = page_with(r#""'><script>alert('1')</script><img src=x onerror="alert(1)">&"#);
        let good = page_with("harmless");
        assert!(evil.contains("&quot;&#39;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&lt;img"), "it is shown");
        for markup in ['<', '>', '"', '\''] {
            assert_eq!(evil.matches(markup).count(), good.matches(markup).count(), "a name puts in `{markup}`");
        }
        assert!(!evil.contains("<script") && !evil.contains("<img"));
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let html = render(&report_of(two_cases()));
        for request in ["<script", "<link", "<img", "@import", "url(", "http://", "https://", "src="] {
            assert!(!html.contains(request), "{request}");
        }
        assert!(html.contains("prefers-color-scheme: dark") && html.contains("<svg"));
        assert_eq!(html.matches("<table").count(), html.matches("</table>").count());
    }
}
