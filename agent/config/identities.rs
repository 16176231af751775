//! Which principals accounts.toml names: the agent itself and break-glass identities.

use super::Config;
use crate::domain::account::AccountId;
use crate::domain::arn::Arn;
use crate::domain::event::Event;
use crate::domain::principal::{AGENT_SESSION_PREFIX, AGENT_SOURCE_IDENTITY, Principal, PrincipalKind};

impl Principal {
    /// The same principal, with what only the configuration knows: whether it is this agent
    /// or a break-glass identity.
    #[must_use]
    pub fn flagged(mut self, config: &Config) -> Self {
        self.flags.agent = self.is_agent(config);
        self.flags.break_glass = self.arn.as_ref().is_some_and(|arn| config.never.break_glass.contains(arn));
        self
    }

    /// INVARIANT: role, session name and source identity must all agree. An attacker who
    /// holds one of them must not become invisible.
    fn is_agent(&self, config: &Config) -> bool {
        let own_role = self.kind == PrincipalKind::AssumedRole && self.is_role_of(config);
        let own_session = self.session.as_deref().is_some_and(|session| session.starts_with(AGENT_SESSION_PREFIX));
        own_role && own_session && self.source_identity.as_deref() == Some(AGENT_SOURCE_IDENTITY)
    }

    /// Whether it is the read or the respond role of an account that the agent watches. Role
    /// names are unique in an account whatever their path, so the name and the account suffice.
    fn is_role_of(&self, config: &Config) -> bool {
        let Some(role) = self.arn.as_deref().and_then(Arn::read) else {
            return false;
        };
        let watched = role.account.parse::<AccountId>().is_ok_and(|id| config.account(&id).is_some());
        let named = |name: &str| role.service == "iam" && role.name() == name;
        watched && (named(&config.roles.read) || named(&config.roles.respond))
    }
}

impl Event {
    /// The same event, its principal compared with what the configuration says.
    #[must_use]
    pub fn flagged(mut self, config: &Config) -> Self {
        self.principal = self.principal.flagged(config);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::examples;
    use crate::event::principal::resolve;

    fn of(example: &str) -> Principal {
        resolve(&examples::read(example)["userIdentity"])
    }

    fn config(break_glass: &str) -> Config {
        Config::parse(&format!(
            r#"
            organisation = {{ id = "o-example" }}
            intake = {{ queue = "q", dead_letters = "d", region = "eu-west-1" }}
            roles = {{ read = "keepwatch-read", respond = "keepwatch-respond", external_id = "x" }}
            never = {{ break_glass = ["{break_glass}"] }}
            [[account]]
            id = "111122223333"
            name = "shop"
            class = "production"
            regions = ["eu-west-1"]
            "#
        ))
        .unwrap()
    }

    #[test]
    fn the_agent_is_known_by_role_and_session_and_source_identity_together() {
        let own = examples::read("agent_session_restores_versioning")["userIdentity"].clone();
        let config = config("arn:aws:iam::111122223333:user/nobody");
        assert!(resolve(&own).flagged(&config).flags.agent);
        let mut another_session = own.clone();
        another_session["arn"] = json!("arn:aws:sts::111122223333:assumed-role/keepwatch-respond/mallory");
        let mut another_source = own.clone();
        another_source["sessionContext"]["sourceIdentity"] = json!("mallory");
        let mut another_role = own.clone();
        another_role["sessionContext"]["sessionIssuer"]["arn"] = json!("arn:aws:iam::111122223333:role/deployer");
        let mut another_account = own;
        another_account["sessionContext"]["sessionIssuer"]["arn"] =
            json!("arn:aws:iam::999988887777:role/keepwatch-respond");
        for impostor in [another_session, another_source, another_role, another_account] {
            assert!(!resolve(&impostor).flagged(&config).flags.agent, "{impostor}");
        }
    }

    #[test]
    fn break_glass_is_known_by_its_exact_arn() {
        let arn = "arn:aws:iam::111122223333:user/team/mallory";
        assert!(of("user_deletes_recovery_point").flagged(&config(arn)).flags.break_glass);
        assert!(
            !of("user_deletes_recovery_point")
                .flagged(&config("arn:aws:iam::111122223333:user/mallory"))
                .flags
                .break_glass
        );
    }
}
