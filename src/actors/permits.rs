//! Who may do what at a registry and repository of ours. The configuration says so ([`crate::config`]); the hosted actors ask
//! here before anything else. Our own gateways are no callers here: they decide for themselves whom they answer.

use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};

/// Some of those who may reach us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Callers {
    /// No one: the transaction is not offered.
    #[default]
    Nobody,
    /// Whoever gets through to us.
    Anybody,
    /// Those whose verified certificate has one of these subjects.
    Certified(Vec<String>),
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permits {
    /// ITI-41, ITI-42, ITI-61: submit.
    pub submit: Callers,
    /// ITI-18, ITI-43: ask and retrieve.
    pub query: Callers,
    /// ITI-44 at a tenant's own path: tell of its patients.
    pub feed: Callers,
    /// ITI-51: ask about several patients at once.
    pub multi_patient: Callers,
    /// ITI-57, ITI-92: change metadata.
    pub update: Callers,
    /// ITI-62, ITI-86: remove metadata and documents.
    pub remove: Callers,
}

/// A region's own registry and repository are for whoever gets through to us, but for what not everybody should do.
impl Default for Permits {
    fn default() -> Self {
        Self { submit: Callers::Anybody, query: Callers::Anybody, ..Self::nobody() }
    }
}

impl Permits {
    /// Nobody may do anything: what another tenant begins with.
    pub fn nobody() -> Self {
        Self {
            submit: Callers::Nobody,
            query: Callers::Nobody,
            feed: Callers::Nobody,
            multi_patient: Callers::Nobody,
            update: Callers::Nobody,
            remove: Callers::Nobody,
        }
    }
}

impl Callers {
    /// Whether a transaction for them is offered at all.
    pub fn any(&self) -> bool {
        *self != Self::Nobody
    }

    /// Whether a caller is one of them.
    pub(super) fn include(&self, caller: &Caller) -> bool {
        match self {
            Self::Nobody => false,
            Self::Anybody => true,
            Self::Certified(subjects) => caller
                .certificate
                .as_deref()
                .is_some_and(|subject| subjects.iter().any(|permitted| permitted == subject)),
        }
    }

    /// The answer to a caller who is none of them.
    pub(super) fn check(&self, caller: &Caller) -> Result<(), RegistryError> {
        if self.include(caller) {
            return Ok(());
        }
        let problem = format!("this caller is not permitted to do that here (trace {})", caller.trace);
        Err(RegistryError::error(code::LOCAL_POLICY_RESTRICTION, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_named_is_permitted() {
        let certified = |subject: &str| Caller { certificate: Some(subject.into()), ..Caller::default() };
        let named = Callers::Certified(vec!["CN=research".to_owned()]);
        assert!(named.check(&certified("CN=research")).is_ok());
        for (callers, caller) in [
            (&named, certified("CN=research2")),
            (&named, Caller::default()),
            (&Callers::Nobody, certified("CN=research")),
        ] {
            assert_eq!(callers.check(&caller).unwrap_err().code, code::LOCAL_POLICY_RESTRICTION);
        }
        assert!(Callers::Anybody.check(&Caller::default()).is_ok());
    }
}
