//! What happens about findings: pure, so that every answer can be tested and explained.
//!
//! What happens is the least of the global, the account's and the rule's mode, less
//! exemptions, budgets and the never-list, which is checked last and is fixed in the code.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{Config, Exemption};
use crate::domain::account::{Account, Mode};
use crate::domain::action::Strength;
use crate::domain::finding::{Finding, ResponseKind};
use crate::domain::principal::{Principal, PrincipalKind};
use crate::domain::reason::{Because, BudgetClass, NeverEntry, Reason, Usage};
use crate::domain::resource::Target;
use crate::domain::response::Response;
use crate::rules::strategy::matches_glob;

/// What is done at once, what people are asked, and why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// To be done now, in this order.
    pub act: Vec<Response>,
    /// To be done when a person says so.
    pub ask: Vec<Response>,
    /// Why, rule by rule.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// What is done at once, in two parts: containment, which never waits for reading
    /// resources, and the rest. Without containment there is only one part.
    #[must_use]
    pub fn by_urgency(&self) -> (Vec<Response>, Vec<Response>) {
        let (urgent, rest): (Vec<Response>, Vec<Response>) =
            self.act.iter().cloned().partition(|response| matches!(response, Response::Contain { .. }));
        if urgent.is_empty() { (rest, urgent) } else { (urgent, rest) }
    }
}

/// What was done to a resource lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecentRepairs {
    /// Repairs within the hour.
    pub repairs: u32,
    /// Whether people took a repair back within the day.
    pub taken_back: bool,
}

/// What a decision depends on besides the findings.
#[derive(Debug, Clone)]
pub struct DecisionContext<'a> {
    /// Modes, exemptions, budgets and the configured never-list.
    pub config: &'a Config,
    /// The account that the findings are about.
    pub account: &'a Account,
    /// Who caused them, where an event did.
    pub principal: Option<&'a Principal>,
    /// What was done in this account in the last hour.
    pub usage: Usage,
    /// What was done everywhere in the last hour.
    pub usage_everywhere: Usage,
    /// What was done to each resource lately, by ARN.
    pub past: &'a BTreeMap<String, RecentRepairs>,
    /// The present moment.
    pub now: Timestamp,
}

/// What is done about one proposal.
enum Answer {
    Act,
    Ask(Because),
    Leave(Because),
}

/// Decides about the findings of one event or one resource.
#[must_use]
pub fn decide(findings: &[Finding], decision_context: &DecisionContext<'_>) -> Decision {
    let mut decision = Decision::default();
    for finding in findings {
        let (mode, because) = decision_context.mode(finding);
        decision.reasons.push(Reason { rule: Some(finding.rule.id.clone()), mode, because });
        for verb in &finding.propose {
            decision_context.apply_proposal(finding, *verb, mode, &mut decision);
        }
    }
    in_order(&mut decision.act);
    in_order(&mut decision.ask);
    decision.ask.retain(|response| !decision.act.contains(response));
    decision
}

/// Contain, freeze, restore, copy; nothing twice, and the stronger containment wins.
fn in_order(responses: &mut Vec<Response>) {
    responses.sort_by_key(Response::rank);
    responses
        .dedup_by(|later, earlier| matches!((&later, &earlier), (Response::Contain { .. }, Response::Contain { .. })));
    let mut seen = Vec::new();
    responses.retain(|response| {
        let is_new = !seen.contains(response);
        seen.push(response.clone());
        is_new
    });
}

impl DecisionContext<'_> {
    /// How far a finding may go, and why.
    fn mode(&self, finding: &Finding) -> (Mode, Because) {
        if let Some(exemption) = self.config.exemptions.iter().find(|exemption| self.applies(exemption, finding)) {
            let Exemption { owner, expires, reason, .. } = exemption.clone();
            return (Mode::Observe, Because::Exempt { expires, owner, reason });
        }
        if let Some(list) = &finding.approved {
            return (Mode::Observe, Because::Approved { list: list.clone() });
        }
        if self.principal.is_some_and(|principal| principal.flags.agent) {
            return (Mode::Observe, Because::OwnCall);
        }
        let (account, rule) = (self.account, &finding.rule);
        let mode = self.config.mode.min(account.mode).min(rule.mode);
        let because = if mode == Mode::Enforce {
            Because::Enforced
        } else if mode == self.config.mode {
            Because::GlobalMode { mode }
        } else if mode == account.mode {
            Because::AccountMode { mode, account: account.name.clone() }
        } else {
            Because::RuleMode { mode, rule: rule.id.clone() }
        };
        (mode, because)
    }

    fn applies(&self, exemption: &Exemption, finding: &Finding) -> bool {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        exemption.rule == finding.rule.id
            && today <= exemption.expires
            && finding.resource.as_deref().is_some_and(|arn| matches_glob(&exemption.resource, arn))
    }

    /// Puts one proposal where it belongs, and says why when it is not simply done.
    fn apply_proposal(&self, finding: &Finding, verb: ResponseKind, mode: Mode, decision: &mut Decision) {
        if mode < Mode::Approve {
            return;
        }
        let answer = match self.response(finding, verb) {
            Err(because) => Answer::Leave(because),
            Ok(response) => {
                let answer = self.answer(&response, mode);
                match &answer {
                    Answer::Act => decision.act.push(response),
                    Answer::Ask(_) => decision.ask.push(response),
                    Answer::Leave(_) => {}
                }
                answer
            }
        };
        match answer {
            Answer::Act => {}
            Answer::Ask(because) | Answer::Leave(because) => {
                decision.reasons.push(Reason { rule: Some(finding.rule.id.clone()), mode, because });
            }
        }
    }

    /// The response that a proposal means here.
    fn response(&self, finding: &Finding, verb: ResponseKind) -> Result<Response, Because> {
        let contain = |strength| {
            let principal = self.principal.ok_or(Because::NoActor)?;
            Ok(Response::Contain { principal: Box::new(principal.clone()), strength })
        };
        let target = || {
            let arn = finding.resource.as_deref().ok_or(Because::NoResource)?;
            Target::from_arn(arn, &self.account.id).ok_or_else(|| Because::UnknownKind { arn: arn.to_owned() })
        };
        match verb {
            ResponseKind::Contain => contain(Strength::Soft),
            ResponseKind::ContainHard => contain(Strength::Hard),
            ResponseKind::Freeze => target().map(Response::Freeze),
            ResponseKind::Restore => target().map(Response::Restore),
            ResponseKind::Copy => target().map(Response::Copy),
        }
    }

    fn answer(&self, response: &Response, mode: Mode) -> Answer {
        let mode = match response {
            Response::Contain { principal, .. } => match containable(principal, self.config) {
                Err(because) => return Answer::Leave(because),
                Ok(home) if home.mode < Mode::Approve => {
                    return Answer::Leave(Because::AccountMode { mode: home.mode, account: home.name.clone() });
                }
                Ok(home) => mode.min(home.mode),
            },
            Response::Freeze(_) | Response::Restore(_) | Response::Copy(_) => mode,
        };
        if mode == Mode::Approve {
            return Answer::Ask(Because::WaitsForApproval);
        }
        match self.over_budget(response) {
            Some(because) => Answer::Ask(because),
            None => match response {
                Response::Contain { principal, .. } => never(principal, self.config).map_or(Answer::Act, Answer::Ask),
                Response::Freeze(_) | Response::Restore(_) | Response::Copy(_) => Answer::Act,
            },
        }
    }

    /// Why a resource is not repaired again without approval.
    fn contested(&self, target: &Target) -> Option<Because> {
        let arn = target.arn();
        let RecentRepairs { repairs, taken_back } = self.past.get(&arn).copied().unwrap_or_default();
        if taken_back {
            return Some(Because::UndoneByPeople { arn });
        }
        (repairs >= self.config.budgets.repairs_of_one_resource).then_some(Because::Contested { arn, repairs })
    }

    /// Which allowance a response would go over.
    fn over_budget(&self, response: &Response) -> Option<Because> {
        let budgets = &self.config.budgets;
        let (used, everywhere, allowed, class) = match response {
            Response::Contain { strength: Strength::Hard, .. } => {
                (self.usage.hard, self.usage_everywhere.hard, budgets.hard_containments, BudgetClass::Hard)
            }
            Response::Contain { strength: Strength::Soft, .. } => {
                (self.usage.soft, self.usage_everywhere.soft, budgets.soft_containments, BudgetClass::Soft)
            }
            Response::Freeze(_) => return None,
            Response::Restore(target) | Response::Copy(target) => {
                if let Some(because) = self.contested(target) {
                    return Some(because);
                }
                (self.usage.repairs, self.usage_everywhere.repairs, budgets.repairs, BudgetClass::Repair)
            }
        };
        let organisation = allowed.saturating_mul(budgets.organisation_factor);
        (used >= allowed || everywhere >= organisation).then_some(Because::BudgetUsedUp { class, used })
    }
}

/// The account of ours in which an IAM policy can limit this principal: its mode counts, too.
fn containable<'a>(principal: &Principal, config: &'a Config) -> Result<&'a Account, Because> {
    if !matches!(principal.kind, PrincipalKind::IamUser | PrincipalKind::AssumedRole) {
        return Err(Because::NotContainable { principal: principal.kind });
    }
    let watched = principal.account.as_deref().and_then(|id| id.parse().ok()).and_then(|id| config.account(&id));
    // A role's session is denied by its unique id.
    let is_named =
        principal.name.is_some() && (principal.kind == PrincipalKind::IamUser || principal.unique_id.is_some());
    match watched {
        Some(home) if is_named => Ok(home),
        Some(_) => Err(Because::NamelessActor),
        None => Err(Because::ForeignActor),
    }
}

/// Roles that an organisation's own machinery runs on: containing one breaks more than
/// the attack does.
const MACHINERY: &[&str] = &[
    "AWSBackupDefaultServiceRole",
    "AWSCloudFormationStackSet*",
    "AWSControlTowerExecution",
    "OrganizationAccountAccessRole",
    "s3crr_role_for_*",
];

/// Why a principal is never contained without approval.
fn never(principal: &Principal, config: &Config) -> Option<Because> {
    let name = principal.name.as_deref().unwrap_or_default();
    let arn = principal.arn.as_deref().unwrap_or_default();
    let roles = &config.roles;
    let is_role = principal.kind == PrincipalKind::AssumedRole;
    let entry = if is_role && [&roles.agent, &roles.read, &roles.respond].iter().any(|own| *own == name) {
        NeverEntry::OwnRole
    } else if principal.flags.break_glass || config.never.break_glass.contains(arn) {
        NeverEntry::BreakGlass
    } else if principal.flags.service_linked {
        NeverEntry::ServiceLinked
    } else if is_role && MACHINERY.iter().any(|pattern| matches_glob(pattern, name)) {
        NeverEntry::Machinery
    } else if config.never.contain.iter().any(|pattern| matches_glob(pattern, arn)) {
        NeverEntry::Configured
    } else {
        return None;
    };
    Some(Because::NeverList { name: name.to_owned(), entry })
}

#[cfg(test)]
mod tests;
