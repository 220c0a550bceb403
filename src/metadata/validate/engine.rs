//! The walk over a message: each object for itself ([`objects`]), then the message as a whole ([`super::message`]), then its
//! associations ([`associations`]). Nothing is decided here about how bad a violation is.

use std::collections::HashSet;

use super::findings::Findings;
use super::message::Message;
use super::{Context, Report, Settings, associations, objects, table};
use crate::metadata::rim::Submission;
use crate::metadata::views::DocumentEntry;

/// Checks a submission or an answer against every rule that is not off.
pub fn check(submission: &Submission, context: Context, settings: &Settings) -> Report {
    let message = Message::of(submission, context);
    let mut found = Findings::new(settings);
    for object in &submission.objects {
        objects::check(object, context, &mut found);
    }
    message.check_ids(&mut found);
    match context {
        Context::QueryResponse => message.check_answer(&mut found),
        _ => message.check_submission(&mut found),
    }
    for (object, association) in submission.associations() {
        associations::check(&message, object, association, &mut found);
    }
    found.report
}

/// Checks that the stable entries of an ITI-41 and its documents (the ids of its xds:Document elements) are the same ones.
pub fn check_documents<'a>(
    submission: &'a Submission,
    documents: impl IntoIterator<Item = &'a str>,
    settings: &Settings,
) -> Report {
    let mut found = Findings::new(settings);
    let entries: HashSet<&str> =
        submission.document_entries().filter(|e| !e.is_on_demand()).map(DocumentEntry::entry_uuid).collect();
    let mut seen = HashSet::new();
    for id in documents {
        if !seen.insert(id) {
            found.add(&table::DOCUMENT_UNIQUE, id, id, "two documents have this id");
        } else if !entries.contains(id) {
            found.add(&table::ENTRY_MISSING, id, id, "no entry of the submission has this document's id");
        }
    }
    for entry in submission.document_entries() {
        if !entry.is_on_demand() && !seen.contains(entry.entry_uuid()) {
            let unique_id = entry.unique_id().unwrap_or_default();
            found.add(&table::DOCUMENT_MISSING, entry.entry_uuid(), unique_id, "the entry has no document");
        }
    }
    found.report
}

/// Checks what an entry says of its document against the document: its size in bytes and its SHA-1 in hex. What the entry
/// does not say is right.
pub fn check_content(entry: DocumentEntry<'_>, size: u64, sha1: &str, settings: &Settings) -> Report {
    let mut found = Findings::new(settings);
    let unique_id = entry.unique_id().unwrap_or_default();
    if let Some(said) = entry.hash().filter(|said| !said.eq_ignore_ascii_case(sha1)) {
        let message = format!("the hash of document {unique_id:?} is {sha1}, not what its entry says");
        found.add(&table::DOCUMENT_HASH, entry.entry_uuid(), said, message);
    }
    // A size that is no number is another rule's.
    if let Some(said) = entry.size().filter(|said| *said != size) {
        let message = format!("document {unique_id:?} has {size} bytes, not what its entry says");
        found.add(&table::DOCUMENT_SIZE, entry.entry_uuid(), &said.to_string(), message);
    }
    found.report
}
