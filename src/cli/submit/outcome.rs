//! What became of each file of a bulk submission, and how that is told.

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::cli::query::errors_json;
use crate::transactions::errors::{RegistryError, code};

/// What became of a file.
pub(super) enum Fate {
    /// It is a document now, or would be.
    Accepted,
    /// It was one before.
    There,
    /// The peer says no.
    Refused(Vec<RegistryError>),
    /// It was not sent: something is missing.
    Unusable(Vec<String>),
    /// There was no answer.
    Unanswered(String),
    /// It was not tried, since others got no answer.
    Untried,
}

/// A file and what became of it.
pub(super) struct Told {
    pub(super) file: String,
    pub(super) unique_id: String,
    pub(super) fate: Fate,
}

impl Told {
    fn outcome(&self) -> &'static str {
        match self.fate {
            Fate::Accepted => "accepted",
            Fate::There => "there already",
            Fate::Refused(_) => "refused",
            Fate::Unusable(_) => "not sent",
            Fate::Unanswered(_) => "no answer",
            Fate::Untried => "not tried",
        }
    }

    /// What is wrong, each with what to do next.
    fn problems(&self) -> Vec<(String, &'static str)> {
        match &self.fate {
            Fate::Accepted | Fate::There | Fate::Untried => Vec::new(),
            Fate::Refused(errors) => errors
                .iter()
                .map(|error| (format!("{}: {}", error.code, error.context), next_step(error)))
                .collect(),
            Fate::Unusable(problems) => problems.iter().map(|problem| (problem.clone(), "mend it")).collect(),
            Fate::Unanswered(why) => vec![(why.clone(), "start again; `sekisho doctor URL` tells why")],
        }
    }

    /// As a line in a pipe.
    pub(super) fn line(&self) -> String {
        let problems: Vec<_> =
            self.problems().into_iter().map(|(problem, next)| format!("{problem}; {next}")).collect();
        let plain = |text: &str| text.replace(char::is_control, " ");
        format!(
            "{}\t{}\t{}\t{}",
            self.outcome(),
            plain(&self.file),
            self.unique_id,
            plain(&problems.join(" | "))
        )
    }

    fn json(&self) -> Value {
        let errors = match &self.fate {
            Fate::Refused(errors) => errors_json(errors),
            _ => json!(self.problems().iter().map(|(problem, _)| problem).collect::<Vec<_>>()),
        };
        let mut next: Vec<_> = self.problems().iter().map(|(_, next)| *next).collect();
        next.dedup();
        json!({ "file": self.file, "outcome": self.outcome(), "uniqueId": self.unique_id, "errors": errors, "next": next })
    }
}

/// Shows failures and a summary; says what they mean for a script.
pub(super) fn tell(told: &[Told], dry_run: bool, output: Output) -> Exit {
    let count = |outcome: &str| told.iter().filter(|one| one.outcome() == outcome).count();
    let outcomes = ["accepted", "there already", "refused", "not sent", "no answer", "not tried"];
    if output == Output::People {
        let problems = told.iter().flat_map(|one| {
            one.problems().into_iter().map(|(problem, next)| [one.file.clone(), problem, next.to_owned()])
        });
        let problems: Vec<_> = problems.collect();
        if !problems.is_empty() {
            output.table(["file", "what is wrong", "next"], &problems);
        }
    }
    let summary: Vec<_> = outcomes
        .iter()
        .map(|outcome| (*outcome, count(outcome)))
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    if output == Output::People {
        let dry = if dry_run { " (dry run: nothing was stored)" } else { "" };
        output.line(&format!("{} files: {}{dry}", told.len(), summary.join(", ")));
    }
    output.json(&json!({
        "files": told.len(),
        "dryRun": dry_run,
        "counts": outcomes.iter().map(|outcome| ((*outcome).to_owned(), count(outcome).into())).collect::<serde_json::Map<_, _>>(),
        "documents": told.iter().map(Told::json).collect::<Vec<_>>(),
    }));
    match (count("no answer"), count("refused") + count("not sent")) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::No,
        _ => Exit::Unavailable,
    }
}

/// What to do about an error. Whatever it is, what was accepted is not sent again.
fn next_step(error: &RegistryError) -> &'static str {
    match &*error.code {
        code::UNKNOWN_PATIENT_ID => "announce the patient first (`sekisho feed`), or mend `patient`",
        code::NON_IDENTICAL_HASH | code::NON_IDENTICAL_SIZE => {
            "another document has this uniqueId: give this one its own"
        }
        code::REGISTRY_METADATA_ERROR | code::REPOSITORY_METADATA_ERROR => {
            "mend what the rule names: docs/validation.md"
        }
        code::LOCAL_POLICY_RESTRICTION => "ask the peer's operator for permission",
        code::REPOSITORY_OUT_OF_RESOURCES => "ask the peer's operator for room",
        _ if is_busy(error) => "start again later",
        _ => "mend it and start again",
    }
}

/// Whether asking again helps.
pub(super) fn is_busy(error: &RegistryError) -> bool {
    [code::REGISTRY_BUSY, code::REPOSITORY_BUSY].contains(&&*error.code)
}
