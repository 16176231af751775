//! Notifications as Slack messages in Block Kit. Pure.
//!
//! Names, user agents and ARNs are the attacker's to choose: they are escaped, and Slack reads
//! no markup, link or mention in them. Only the on-call mention goes out as it is. Limits hold by construction: 50 blocks, 3,000
//! characters a text, 150 a header (Slack's Block Kit reference).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::button::{Answers, Button, SNOOZE};
use crate::config::OnCall;
use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate};
use crate::domain::finding::Finding;
use crate::domain::text::one_line;
use crate::ledger::Incident;
use crate::notify::facts::{Way, command, facts, finding_line, heading, headline, owned, reasons, step_line, way, who};

const HEADER_CHARS: usize = 150;
const TEXT_CHARS: usize = 2_900;
/// Two blocks are kept: for a mention, and for saying that there is more.
const BLOCKS: usize = 48;

/// What is posted: the blocks, and the text for notifications.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// For notifications and for clients without blocks.
    pub text: String,
    /// Block Kit.
    pub blocks: Vec<Value>,
}

/// The first message of an incident's thread: how it stands, from everything reported so far.
#[must_use]
pub fn root(incident: &Incident, reported: &[&CaseRecord], answers: Answers) -> Message {
    let text = headline(incident, reported);
    let mut lines: Vec<String> = Vec::new();
    for (state, count) in tally(reported) {
        lines.push(format!("{count} × {state}"));
    }
    let actor = reported.iter().find_map(|case| case.event()).map(|event| who(&event.principal));
    let mut blocks = vec![header(&text), section(&lines.join("\n"))];
    blocks.extend(actor.map(|actor| section(&format!("*who* {}", escape(&actor)))));
    blocks.push(context(&format!("all of it: `keepwatch incident show {}` · details in this thread", incident.id)));
    blocks.extend(
        (answers == Answers::Buttons && is_left_to_undo(reported)).then(|| actions(&[Button::Undo.on(&incident.id)])),
    );
    Message { text: escape(&text), blocks }
}

/// Whether fewer plans were taken back than could be.
fn is_left_to_undo(reported: &[&CaseRecord]) -> bool {
    let undoable = reported.iter().filter(|case| matches!(way(case), Some(Way::Undo(_)))).count();
    undoable > reported.iter().filter(|case| case.update == CaseUpdate::Undo).count()
}

/// What is shown to one person alone, who pressed something.
#[must_use]
pub fn aside(text: &str) -> Message {
    Message { text: escape(text), blocks: vec![section(&escape(text))] }
}

impl Message {
    /// The message with somebody woken by it, in the blocks and in what goes out without them.
    #[must_use]
    pub fn waking(mut self, on_call: &OnCall) -> Self {
        self.text = format!("{on_call} {}", self.text);
        self.blocks.insert(0, section(&on_call.to_string()));
        self
    }
}

/// A reply in an incident's thread: one notification in full, or a storm of them in short.
#[must_use]
pub fn reply(incident: &Incident, cases: &[&CaseRecord], answers: Answers) -> Message {
    match cases {
        [case] => alone(case, answers),
        _ => storm(incident, cases, answers),
    }
}

fn alone(case: &CaseRecord, answers: Answers) -> Message {
    let found = join(case.findings.iter().map(|finding| escape(&finding_line(finding))));
    let text = cut(&format!("{}: {found}", escape(&heading(case))), TEXT_CHARS);
    let mut blocks = vec![section(&format!("*{}*\n{found}", heading(case)))];
    blocks.push(section(&join(facts(case).into_iter().map(|(label, value)| format!("*{label}* {}", escape(&value))))));
    blocks.extend(done(case));
    blocks.extend(why(case));
    blocks.extend(ways(case, answers));
    blocks.push(context(&escape(&references(case))));
    Message { text, blocks }
}

fn done(case: &CaseRecord) -> Option<Value> {
    let steps = join(case.steps.iter().map(|record| {
        let changes: String =
            record.step.changes().iter().map(|line| format!("      `{}`\n", escape(line).replace('`', "'"))).collect();
        format!(
            "• {}\n{changes}      undo: {}",
            escape(&step_line(record, case.update)),
            escape(&record.step.undo.to_string())
        )
    }));
    (!steps.is_empty()).then(|| section(&steps))
}

fn why(case: &CaseRecord) -> Option<Value> {
    let why = join(reasons(case).map(|because| format!("• {}", escape(&because))));
    (!why.is_empty()).then(|| section(&format!("*because*\n{why}")))
}

/// What people can do about it: as a command, which works while Slack cannot reach the agent,
/// and as buttons.
fn ways(case: &CaseRecord, answers: Answers) -> Vec<Value> {
    let command = command(case).map(|command| section(&format!("`{}`", escape(&command))));
    let buttons = match (way(case), answers) {
        (Some(Way::Approve(plan)), Answers::Buttons) => Some(waiting(plan)),
        (Some(Way::Undo(plan)), Answers::Buttons) => Some(vec![Button::Undo.on(plan), Button::Exempt.on(plan)]),
        (_, Answers::Commands) | (None, Answers::Buttons) => None,
    };
    command.into_iter().chain(buttons.as_deref().map(actions)).collect()
}

/// What can be said to a plan that waits.
fn waiting(plan: &str) -> Vec<Value> {
    [Button::Approve, Button::Deny, Button::Snooze, Button::Exempt].map(|button| button.on(plan)).to_vec()
}

/// A plan that waited when somebody asked to be reminded of it.
#[must_use]
pub fn reminder(plan: &str, case: &CaseRecord) -> Message {
    let text = format!("{} h ago {plan} waited for approval; if it still does:", SNOOZE.as_hours());
    let findings = join(case.findings.iter().map(|finding| escape(&finding_line(finding))));
    let blocks = vec![section(&format!("{}\n{findings}", escape(&text))), actions(&waiting(plan))];
    Message { text: escape(&text), blocks }
}

/// What would have to stand in `accounts.toml`, for one person alone.
#[must_use]
pub fn exemption(draft: &str) -> Message {
    let text = "reviewed and put into accounts.toml, with a reason, this would exempt it; until then nothing changes:";
    let draft = join(draft.lines().map(|line| escape(line).replace('`', "'")));
    Message { text: text.to_owned(), blocks: vec![section(&format!("{text}\n```\n{draft}\n```"))] }
}

/// Many notifications at once: counted, with every step that was taken.
fn storm(incident: &Incident, cases: &[&CaseRecord], answers: Answers) -> Message {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases {
        let rules: Vec<&str> = case.findings.iter().map(|finding| finding.rule.id.as_str()).collect();
        let what = match (&case.subject, case.update) {
            (_, CaseUpdate::Undo | CaseUpdate::Approval | CaseUpdate::Denial | CaseUpdate::Consent) => {
                format!("{}, asked for by {}", heading(case), case.people.join(" and "))
            }
            (CaseSubject::Event { event } | CaseSubject::Resource { cause: Some(event), .. }, CaseUpdate::Response) => {
                format!("{} by {} ({})", event.name, who(&event.principal), rules.join(", "))
            }
            (CaseSubject::Resource { cause: None, .. }, CaseUpdate::Response) => {
                format!("drift ({})", rules.join(", "))
            }
            (CaseSubject::Policies | CaseSubject::Unreadable, CaseUpdate::Response) => heading(case).to_owned(),
        };
        *counts.entry(what).or_default() += 1;
    }
    let lines = join(counts.iter().map(|(what, count)| format!("{count} × {}", escape(what))));
    let text = format!("{} more updates of {}", cases.len(), incident.id);
    let mut blocks = vec![section(&lines)];
    for case in cases {
        blocks.extend(case.findings.first().map(|finding| section(&brief(finding, case))));
        blocks.extend(done(case));
        blocks.extend(if case.update == CaseUpdate::Consent { why(case) } else { None });
        blocks.extend(ways(case, answers));
    }
    if blocks.len() > BLOCKS {
        blocks.truncate(BLOCKS);
        blocks.push(context(&format!("and more: `keepwatch incident show {}`", incident.id)));
    }
    Message { text, blocks }
}

/// A finding and whose resource it is about.
fn brief(finding: &Finding, case: &CaseRecord) -> String {
    let resource = finding.resource.as_deref().map(|arn| format!("\n*resource* {}", escape(&owned(arn, case))));
    format!("{}{}", escape(&finding_line(finding)), resource.unwrap_or_default())
}

/// How an incident stands: what came of its notifications, counted.
fn tally(reported: &[&CaseRecord]) -> BTreeMap<&'static str, usize> {
    reported.iter().fold(BTreeMap::new(), |mut counts, case| {
        *counts.entry(heading(case)).or_default() += 1;
        counts
    })
}

fn references(case: &CaseRecord) -> String {
    let mut words: Vec<String> = Vec::new();
    for finding in &case.findings {
        words.extend(finding.rule.attack.iter().map(|id| format!("ATT&CK {id}")));
        words.extend(finding.rule.controls.iter().cloned());
        words.extend(finding.rule.runbook.iter().map(|path| format!("runbook {path}")));
    }
    words.dedup();
    if words.is_empty() { "no references".to_owned() } else { words.join(" · ") }
}

fn join(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// Slack reads `&`, `<` and `>` as markup; `*`, `_`, `~` and backticks as style. The first
/// three are escaped as Slack asks; style can only change how our own line looks. What is escaped
/// stays on its line: a line break that an attacker chose would begin a line of ours.
fn escape(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": cut(text, HEADER_CHARS)}})
}

fn section(text: &str) -> Value {
    // `verbatim` keeps Slack from making links and mentions of what looks like one.
    json!({"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text": cut(text, TEXT_CHARS)}})
}

fn actions(buttons: &[Value]) -> Value {
    json!({"type": "actions", "elements": buttons})
}

fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "verbatim": true, "text": cut(text, TEXT_CHARS)}]})
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::examples;

    fn said(message: &Message) -> String {
        serde_json::to_string(&message.blocks).expect("JSON")
    }

    #[test]
    fn a_reply_says_who_what_what_was_done_and_how_to_undo_it() {
        let said = said(&reply(&examples::incident(), &[&examples::contained()], Answers::Commands));
        for word in
            ["BKP-01", "mallory", "198.51.100.7", "key ending in 7Q2X", "2.250 s later", "undo KW-7F3A2C01.1", "T1490"]
        {
            assert!(said.contains(word), "{word} is missing in {said}");
        }
        assert!(!said.contains("AKIAEXAMPLE"), "a key is never shown whole");
    }

    #[test]
    fn names_that_an_attacker_chose_are_no_markup() {
        let mut case = examples::contained();
        case.findings[0].message = "`<!channel>` did it <https://evil.example|ok> &".to_owned();
        let said = said(&reply(&examples::incident(), &[&case], Answers::Commands));
        assert!(!said.contains("<!channel>") && !said.contains("<https"), "{said}");
    }

    #[test]
    fn a_mention_is_the_only_markup_in_a_message() {
        let mut case = examples::contained();
        case.findings[0].message = "<!channel> did it".to_owned();
        let on_call: OnCall = "<!subteam^S0123>".parse().expect("a mention");
        let message = reply(&examples::incident(), &[&case], Answers::Commands).waking(&on_call);
        for text in [&message.text, &said(&message)] {
            assert_eq!((text.matches('<').count(), text.matches("<!subteam^S0123>").count()), (1, 1), "{text}");
        }
    }

    #[test]
    fn what_was_done_can_be_undone_by_a_button_until_it_is() {
        let done = examples::contained();
        let undone = CaseRecord { update: CaseUpdate::Undo, ..examples::contained() };
        let incident = examples::incident();
        let shown = |message: Message| said(&message).matches("keepwatch_undo").count();
        assert_eq!(shown(reply(&incident, &[&done], Answers::Buttons)), 1);
        assert_eq!(shown(reply(&incident, &[&undone], Answers::Buttons)), 0);
        assert_eq!(shown(root(&incident, &[&done], Answers::Buttons)), 1);
        assert_eq!(shown(root(&incident, &[&done, &undone], Answers::Buttons)), 0);
        assert_eq!(shown(root(&incident, &[&done], Answers::Commands)), 0, "nobody would hear the press");
    }

    #[test]
    fn a_proposal_can_be_approved_or_denied_by_a_button() {
        let mut proposed = examples::contained();
        proposed.steps.iter_mut().for_each(|record| record.outcome = None);
        let said = said(&reply(&examples::incident(), &[&proposed], Answers::Buttons));
        for word in ["keepwatch_approve", "keepwatch_deny", "KW-7F3A2C01.1", "keepwatch approve KW-7F3A2C01.1"] {
            assert!(said.contains(word), "{word} is missing in {said}");
        }
    }

    #[test]
    fn a_storm_is_one_reply_within_slacks_limits() {
        let case = examples::contained();
        let message = reply(&examples::incident(), &vec![&case; 127], Answers::Buttons);
        assert!(message.blocks.len() <= 50);
        assert!(said(&message).contains("127 × DeleteRecoveryPoint by iam user mallory"));
    }

    #[test]
    fn a_line_break_that_an_attacker_chose_begins_no_line_of_ours() {
        let mut case = examples::contained();
        case.findings[0].message = "deleted `x`\n*undone*\n\u{202e}• done: release".to_owned();
        let shown = json!(alone(&case, Answers::Commands).blocks).to_string();
        assert!(shown.contains("deleted `x` *undone* • done: release"), "{shown}");
    }

    #[test]
    fn texts_are_cut_to_what_slack_takes() {
        let mut case = examples::contained();
        case.findings[0].message = "é".repeat(10_000);
        for block in reply(&examples::incident(), &[&case], Answers::Commands).blocks {
            let text = block.pointer("/text/text").and_then(Value::as_str).unwrap_or_default();
            assert!(text.chars().count() <= 3_000);
        }
    }
}
