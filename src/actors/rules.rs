//! The metadata rules on submissions (ITI TF-3: 4.2.3): what registry and repository do with a validator's report.

use crate::metadata::validate::{Context, Report};
use crate::transactions::Caller;
use crate::transactions::errors::{Answering, RegistryError};

/// Why a submission is refused; empty where it is not. Every violation is counted, and of those that are only reported the
/// rules are logged: with the trace, by which the request's own line names the sender, and without what was sent.
pub(super) fn refusals(
    report: &Report,
    context: Context,
    answering: Answering,
    caller: &Caller,
) -> Vec<RegistryError> {
    report.count(context);
    if !report.reported.is_empty() {
        let (trace, transaction, rules) = (&*caller.trace, context.label(), report.reported_rules());
        tracing::info!(trace, transaction, rules, "metadata break rules that are not enforced");
    }
    report.enforced.iter().map(|violation| RegistryError::from_violation(violation, answering)).collect()
}
