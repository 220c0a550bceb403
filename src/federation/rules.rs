//! Metadata rules on a peer's answers (ITI TF-3: 4.2.3): the operator names in the community's file those that it is held
//! to. Where none is named nothing is parsed, and objects pass as bytes.

use std::collections::HashSet;

use bytes::{BufMut, Bytes, BytesMut};

use crate::federation::member::{Member, Oddity};
use crate::limits::{MAX_VIOLATION_VALUE_CHARS, MAX_VIOLATIONS_PER_MESSAGE};
use crate::metadata::Submission;
use crate::metadata::validate::{self, Context, Report, Settings};
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::RegistryObject;
use crate::wire::xml::{Ns, Tree};

/// Leaves out what breaks a rule that is enforced for the community, with an error that names the rules; what breaks one
/// that is only reported is counted and logged.
pub(super) fn hold(
    member: &Member,
    objects: Vec<RegistryObject>,
    errors: &mut Vec<RegistryError>,
) -> Vec<RegistryObject> {
    let Some(rules) = member.rules.as_ref().filter(|_| !objects.is_empty()) else { return objects };
    let mut leave_out = |kept: Vec<RegistryObject>, count: usize, why: &str| {
        let context = format!("{} sent {count} objects that break {why}; they were left out", member.title());
        errors.push(RegistryError::error(code::REGISTRY_ERROR, context).at(member.home().to_urn()));
        kept
    };
    let Some(answer) = read(&objects) else {
        member.noticed(Oddity::InvalidMetadata, objects.len() as u64);
        return leave_out(Vec::new(), objects.len(), "the form of ebRIM (ITI TF-3: 4.2)");
    };
    let report = check(member, &answer, rules);
    if report.enforced.is_empty() {
        return objects;
    }
    let broken: HashSet<&str> = report.enforced.iter().map(|violation| violation.object.as_str()).collect();
    // A list of violations that is full may lack some.
    let full = report.enforced.len() >= MAX_VIOLATIONS_PER_MESSAGE;
    let all = objects.len();
    let kept: Vec<_> =
        objects.into_iter().filter(|object| !full && !broken.contains(named(&object.id))).collect();
    let left_out = all - kept.len();
    leave_out(kept, left_out, &report.enforced_rules())
}

fn check(member: &Member, answer: &Submission, rules: &Settings) -> Report {
    let report = validate::check(answer, Context::QueryResponse, rules);
    report.count(Context::QueryResponse);
    let violations = report.enforced.len() + report.reported.len();
    member.noticed(Oddity::InvalidMetadata, violations as u64);
    if !report.reported.is_empty() {
        let (community, rules) = (member.home(), report.reported_rules());
        tracing::info!(%community, rules, "answered metadata break rules that are not enforced");
    }
    report
}

/// The objects as a model; None where they are none.
fn read(objects: &[RegistryObject]) -> Option<Submission> {
    let slices = || objects.iter().flat_map(|object| [&object.xml.0, &object.xml.1]);
    let start = format!("<rim:RegistryObjectList xmlns:rim=\"{}\">", Ns::RIM.uri());
    let end = "</rim:RegistryObjectList>";
    let length = start.len() + end.len() + slices().map(Bytes::len).sum::<usize>();
    let mut list = BytesMut::with_capacity(length);
    list.put_slice(start.as_bytes());
    slices().for_each(|slice| list.put_slice(slice));
    list.put_slice(end.as_bytes());
    let tree = Tree::parse(list.freeze()).ok()?;
    Submission::read(tree.root()).ok()
}

/// An id as far as a violation names it.
fn named(id: &str) -> &str {
    id.char_indices().nth(MAX_VIOLATION_VALUE_CHARS).map_or(id, |(end, _)| &id[..end])
}
