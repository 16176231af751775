//! A notice as text, for terminals and logs. Pure.

use super::facts::{command, facts, finding_line, heading, reasons, step_line};
use super::notification::Notification;
use crate::ledger::Incident;

/// A notice in full.
#[must_use]
pub fn render(incident: &Incident, notification: &Notification) -> String {
    let plan = notification.plan.as_deref().unwrap_or(&incident.id);
    let mut lines = vec![format!("{plan}: {}", heading(notification))];
    lines.extend(notification.findings.iter().map(|finding| format!("  {}", finding_line(finding))));
    lines.extend(facts(notification).into_iter().map(|(label, value)| format!("    {label}: {value}")));
    for step in &notification.steps {
        lines.push(format!("  * {}", step_line(step, notification.kind)));
        lines.extend(step.changes.iter().map(|line| format!("      {line}")));
        lines.push(format!("      undo: {}", step.undo));
    }
    lines.extend(reasons(notification).map(|because| format!("  because {because}")));
    lines.extend(command(notification).map(|command| format!("  $ {command}")));
    lines.extend(runbooks(notification).map(|runbook| format!("  runbook: {runbook}")));
    lines.iter().map(|line| one_line(line) + "\n").collect()
}

/// Text that an attacker may have chosen (names, user agents) must not look like ours: no
/// line breaks, no control sequences.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn runbooks(notification: &Notification) -> impl Iterator<Item = &str> {
    let mut paths: Vec<&str> =
        notification.findings.iter().filter_map(|finding| finding.rule.runbook.as_deref()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::examples;

    #[test]
    fn a_containment_is_told_in_full() {
        insta::assert_snapshot!(render(&examples::incident(), &examples::contained()), @r"
        KW-7F3A2C01.1: dealt with
          critical BKP-01: `mallory` deleted recovery point `rp-1` from vault `main`
            account: securecart-prod (111122223333)
            Region: eu-west-1
            resource: arn:aws:backup:eu-west-1:111122223333:backup-vault:main (owner team-ledger)
            who: iam user mallory, key ending in 7Q2X
            call: DeleteRecoveryPoint of backup.amazonaws.com
            from: 198.51.100.7 (NL, AS64500 Example)
            user agent: Boto3/1.43
            when: 2026-01-02T03:04:05Z, known 2.250 s later
            MFA: no
            event: e1
            CloudTrail: https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/e1
            related: 4 other calls of this principal within 30 min in eu-west-1: DeleteRecoveryPoint × 3, ListBackupVaults × 1
            principal seen: first 2025-11-02T09:00:00Z, last 2026-01-02T03:04:06Z
            at stake: vault `main` holds 3 recovery points, the newest of 2026-01-01T05:00:00Z
          * done: deny user `mallory` destructive actions (inline policy `KeepwatchQuarantine-KW-7F3A2C01`)
              undo: take it back
          * done: set versioning of bucket `invoices` to Enabled
              - versioning: Suspended
              + versioning: Enabled
              undo: take it back
          * done, but not seen yet when read back: hold every recovery point of vault `main` in eu-west-1
              undo: take it back
          $ keepwatch undo KW-7F3A2C01.1 --by you --with second-person
          runbook: docs/runbooks/recovery_point_deleted.md
        ");
    }

    #[test]
    fn what_an_attacker_names_cannot_break_the_line() {
        let mut notification = examples::contained();
        notification.account_name = "prod\n\u{1b}[2Jok".to_owned();
        assert!(render(&examples::incident(), &notification).lines().all(|line| !line.contains('\u{1b}')));
    }
}
