//! A case as text, for terminals and logs. Pure.

use super::facts::{command, facts, finding_line, heading, reasons, step_line};
use crate::domain::case::CaseRecord;
use crate::domain::text::one_line;
use crate::ledger::Incident;

/// A case in full.
#[must_use]
pub fn render(incident: &Incident, case: &CaseRecord) -> String {
    let plan = case.plan.as_deref().unwrap_or(&incident.id);
    let mut lines = vec![format!("{plan}: {}", heading(case))];
    lines.extend(case.findings.iter().map(|finding| format!("  {}", finding_line(finding))));
    lines.extend(facts(case).into_iter().map(|(label, value)| format!("    {label}: {value}")));
    for record in &case.steps {
        lines.push(format!("  * {}", step_line(record, case.update)));
        lines.extend(record.step.changes().iter().map(|line| format!("      {line}")));
        lines.push(format!("      undo: {}", record.step.undo));
    }
    lines.extend(reasons(case).map(|because| format!("  because {because}")));
    lines.extend(command(case).map(|command| format!("  $ {command}")));
    lines.extend(runbooks(case).map(|runbook| format!("  runbook: {runbook}")));
    lines.iter().map(|line| one_line(line) + "\n").collect()
}

fn runbooks(case: &CaseRecord) -> impl Iterator<Item = &str> {
    let mut paths: Vec<&str> = case.findings.iter().filter_map(|finding| finding.rule.runbook.as_deref()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::CaseUpdate;
    use crate::domain::outcome::StepOutcome;
    use crate::notify::examples;

    #[test]
    fn a_containment_is_reported_in_full() {
        insta::assert_snapshot!(render(&examples::incident(), &examples::contained()), @r"
        KW-7F3A2C01.1: remediated
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
              undo: remove policy `KeepwatchQuarantine-KW-7F3A2C01` from user `mallory`
          * done: set versioning of bucket `invoices` to Enabled
              - versioning: Suspended
              + versioning: Enabled
              undo: set versioning of bucket `invoices` to Suspended
          * done, but not seen yet when read back: hold every recovery point of vault `main` in eu-west-1 (legal hold `keepwatch KW-7F3A2C01`)
              undo: cancel legal hold `keepwatch KW-7F3A2C01` in eu-west-1
          $ keepwatch undo KW-7F3A2C01.1 --by you --with second-person
          runbook: docs/runbooks/recovery_point_deleted.md
        ");
    }

    #[test]
    fn what_an_attacker_names_cannot_break_the_line() {
        let mut case = examples::contained();
        case.account_name = "prod\n\u{1b}[2Jok".to_owned();
        assert!(render(&examples::incident(), &case).lines().all(|line| !line.contains('\u{1b}')));
    }

    #[test]
    fn what_was_right_already_when_it_was_approved_is_no_failure() {
        let mut case = CaseRecord { update: CaseUpdate::Approval, ..examples::contained() };
        for step in &mut case.steps {
            step.outcome = Some(StepOutcome::Gone);
        }
        let text = render(&examples::incident(), &case);
        assert!(text.starts_with("KW-7F3A2C01.1: reported, not changed"), "{text}");
    }
}
