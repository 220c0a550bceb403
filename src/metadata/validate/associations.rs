//! The rules of associations (ITI TF-3: 4.2.2; ITI TF-2: 3.42.4.1.3): their type, their ends, and which of them the message
//! must hold. What the registry holds, the registry checks.

use super::findings::Findings;
use super::message::Message;
use super::{table, values};
use crate::metadata::Relation;
use crate::metadata::codes::{self, association, slot};
use crate::metadata::rim::{Association, Kind, Object};
use crate::metadata::views::DocumentEntry;

/// Checks an association and what it says of its ends.
pub(super) fn check(message: &Message<'_>, object: &Object, between: &Association, found: &mut Findings<'_>) {
    let Association { association_type, source, target } = between;
    let asks = message.is_update() || message.is_answer();
    let kind = Relation::parse(association_type).filter(|kind| asks || !kind.is_update());
    // Some registries keep the trace of a change of patients; nobody submits one.
    let is_kept = message.is_answer() && association_type == association::NON_VERSIONING_UPDATE;
    if kind.is_none() && !is_kept {
        let problem = "the association's type is none that the transaction has";
        found.add(&table::ASSOCIATION_TYPE, &object.id, association_type, problem);
    }
    if source.is_empty() || target.is_empty() {
        let problem = "an association has a sourceObject and a targetObject";
        found.add(&table::ASSOCIATION_ENDS, &object.id, "", problem);
        return;
    }
    if source == target {
        found.add(&table::ASSOCIATION_SELF, &object.id, source, "the association leads to where it begins");
        return;
    }
    if let Some(documentation) = object.classified(codes::scheme::ASSOCIATION_DOCUMENTATION).next()
        && !kind.is_some_and(|kind| kind.can_be_documented())
    {
        let value = documentation.node_representation.as_deref().unwrap_or_default();
        found.add(&table::DOCUMENTATION, &object.id, value, "this type of association cannot be documented");
    }
    let unresolved =
        |end: &&String| !end.starts_with("urn:uuid:") && !message.by_id.contains_key(end.as_str());
    if !message.is_answer()
        && let Some(symbolic) = [source, target].into_iter().find(unresolved)
    {
        found.add(&table::SYMBOLIC, &object.id, symbolic, "no object of the submission has this symbolic id");
        return;
    }
    let ends = Ends {
        source: message.by_id.get(source.as_str()).copied(),
        target: message.by_id.get(target.as_str()).copied(),
    };
    match kind {
        Some(Relation::HasMember) => check_member(message, object, between, ends, found),
        Some(kind) if !asks => check_relation(kind, object, between, ends, found),
        _ => {}
    }
}

fn check_member(
    message: &Message<'_>,
    object: &Object,
    between: &Association,
    ends: Ends<'_>,
    found: &mut Findings<'_>,
) {
    let id = &object.id;
    let source = ends.source.map(|source| source.kind);
    let target = ends.target.map(|target| target.kind);
    let by_set = source == Some(Kind::SubmissionSet);
    if matches!(source, Some(Kind::DocumentEntry | Kind::Association)) {
        let problem = "a HasMember leads from a SubmissionSet or a folder";
        found.add(&table::MEMBER_SOURCE, id, &between.source, problem);
    } else if target.is_some_and(|target| !can_be_member(by_set, target)) {
        let problem = "the HasMember's target cannot be a member of its source";
        found.add(&table::MEMBER_TARGET, id, &between.target, problem);
    }
    let status = object.slot(slot::SUBMISSION_SET_STATUS);
    let is_right = matches!(status, [one] if (values::MEMBERSHIP.check)(one).is_ok());
    // What a set holds besides its submission's own objects are entries, by reference (ITI TF-3: 4.2.2.1).
    let elsewhere = target.is_none() && !message.is_answer() && !message.is_update();
    let is_due = by_set && (target == Some(Kind::DocumentEntry) || elsewhere);
    if !is_right && (is_due || !status.is_empty()) {
        let problem = "SubmissionSetStatus must be there exactly once, as Original or Reference";
        found.add(&table::MEMBER_STATUS, id, &status.join(", "), problem);
    } else if is_right && by_set && !message.is_answer() {
        match (status.first().map(String::as_str), target) {
            (Some("Original"), None) => {
                let problem = "the member is Original, and not in the submission";
                found.add(&table::MEMBER_ORIGINAL, id, &between.target, problem);
            }
            (Some("Reference"), Some(_)) => {
                let problem = "the member is Reference, and in the submission";
                found.add(&table::MEMBER_REFERENCE, id, &between.target, problem);
            }
            _ => {}
        }
    }
    for name in [slot::PREVIOUS_VERSION, slot::ASSOCIATION_PROPAGATION] {
        if !message.is_answer() && !message.is_update() && object.slots.iter().any(|slot| slot.name == name) {
            found.add(&table::UPDATE_SLOTS, id, name, "this Slot belongs to Metadata Update");
        }
    }
}

/// The ends of an association, where they are in the message.
#[derive(Clone, Copy)]
struct Ends<'m> {
    source: Option<&'m Object>,
    target: Option<&'m Object>,
}

fn can_be_member(by_set: bool, target: Kind) -> bool {
    match target {
        Kind::DocumentEntry => true,
        Kind::Folder | Kind::Association => by_set,
        Kind::SubmissionSet => false,
    }
}

fn check_relation(
    kind: Relation,
    object: &Object,
    between: &Association,
    ends: Ends<'_>,
    found: &mut Findings<'_>,
) {
    match ends.source.filter(|source| source.kind == Kind::DocumentEntry) {
        None => {
            let problem = "the association leads from no entry of the submission";
            found.add(&table::RELATION_SOURCE, &object.id, &between.source, problem);
        }
        Some(source) if kind == Relation::IsSnapshotOf && DocumentEntry(source).is_on_demand() => {
            found.add(&table::SNAPSHOT_SOURCE, &object.id, &between.source, "a snapshot is a stable entry");
        }
        Some(_) => {}
    }
    if kind.has_target_in_registry() && ends.target.is_some() {
        let problem = "what this association leads to is in the registry already, not in the submission";
        found.add(&table::RELATION_TARGET, &object.id, &between.target, problem);
    }
}
