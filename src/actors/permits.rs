//! Who may do what at a registry and repository of ours. The configuration says so ([`crate::config`]); the hosted actors ask
//! here before anything else. Our own gateways are no callers here: they decide for themselves whom they answer.

use crate::ids::Oid;
use crate::metadata::Submission;
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
    /// ITI-38, ITI-39 at a tenant's own Responding Gateway: ask for another community.
    pub gateway: Callers,
    /// ITI-51: ask about several patients at once.
    pub multi_patient: Callers,
    /// ITI-57, ITI-92: change metadata.
    pub update: Callers,
    /// ITI-62, ITI-86: remove metadata and documents.
    pub remove: Callers,
    /// In whose name: sourceIds that are somebody's own.
    pub sources: Vec<Source>,
}

/// A document source whose sourceIds are its own (ITI TF-3: 4.2.3.3.9): nobody else may use them, and it no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The subject of its certificate.
    pub certificate: String,
    /// Its sourceIds.
    pub ids: Vec<Oid>,
}

/// A region's own registry and repository are for whoever gets through to us, but for what not everybody should do.
impl Default for Permits {
    fn default() -> Self {
        Self { submit: Callers::Anybody, query: Callers::Anybody, ..Self::nobody() }
    }
}

impl Permits {
    /// Nobody may do anything: what another tenant begins with. Its gateway is there for others, if it has one.
    pub fn nobody() -> Self {
        Self {
            submit: Callers::Nobody,
            query: Callers::Nobody,
            feed: Callers::Nobody,
            gateway: Callers::Anybody,
            multi_patient: Callers::Nobody,
            update: Callers::Nobody,
            remove: Callers::Nobody,
            sources: Vec::new(),
        }
    }

    /// Whether the sourceId of a submission or update may be this caller's. Without one, that is the metadata rules' to say.
    pub(super) fn check_source(&self, submission: &Submission, caller: &Caller) -> Result<(), RegistryError> {
        let Some(id) = submission.submission_set().and_then(|set| set.source_id()) else { return Ok(()) };
        let is_caller = |source: &&Source| caller.certificate.as_deref() == Some(&*source.certificate);
        let has = |source: &Source| source.ids.iter().any(|own| own.as_str() == id);
        let mut own = self.sources.iter().filter(is_caller).peekable();
        let permitted = match own.peek() {
            Some(_) => own.any(has),
            None => !self.sources.iter().any(has),
        };
        if permitted {
            return Ok(());
        }
        let trace = &caller.trace;
        let problem = format!(
            "the SubmissionSet's sourceId {id:?} is not this sender's (ITI TF-3: 4.2.3.3.9; trace {trace})"
        );
        Err(RegistryError::error(code::LOCAL_POLICY_RESTRICTION, problem))
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
    use crate::metadata::views::SubmissionSetBuilder;

    #[test]
    fn a_source_id_is_its_owners_alone() {
        let source = |subject: &str, id: &str| Source {
            certificate: subject.to_owned(),
            ids: vec![Oid::parse(id).unwrap()],
        };
        let sources = vec![source("CN=a", "1.2.1"), source("CN=b", "1.2.2")];
        let permits = Permits { sources, ..Permits::default() };
        for (subject, id, permitted) in [
            (Some("CN=a"), "1.2.1", true),
            (Some("CN=a"), "1.2.2", false),
            (Some("CN=a"), "1.2.3", false),
            (Some("CN=c"), "1.2.3", true),
            (Some("CN=c"), "1.2.1", false),
            (None, "1.2.1", false),
            (None, "1.2.3", true),
        ] {
            let caller = Caller { certificate: subject.map(Into::into), ..Caller::default() };
            let set = SubmissionSetBuilder::new("set").source_id(id).build();
            let submission = Submission { objects: vec![set], ..Submission::default() };
            assert_eq!(permits.check_source(&submission, &caller).is_ok(), permitted, "{subject:?} {id}");
            assert!(Permits::default().check_source(&submission, &caller).is_ok());
        }
    }

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
