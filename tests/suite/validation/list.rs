//! The parity list: what the strictest open-source validator of XDS and XCA messages asks for, section by section, and what
//! holds us to it. A line names rules of our table, rules that need the registry, or the test of what is no setting: codes of
//! the protocol, and what a peer sends us. Every rule that the code knows stands in some line; where the list has none, in
//! section 10, of what we ask beyond it.

use std::collections::BTreeSet;
use std::path::Path;

use sekisho::metadata::validate::table;
use sekisho::registry;

/// What holds us to a line.
enum By {
    /// Rules of the table, each of them a setting.
    Rules(&'static [&'static str]),
    /// Rules that need the registry.
    Registry(&'static [&'static str]),
    /// A test: its file, and its name.
    Test(&'static str, &'static str),
    /// Nothing: why.
    Nothing(&'static str),
}
use By::{Nothing, Registry, Rules, Test};

const ROWS: &str = "tests/suite/stored_queries/rows.rs";
const QUERIES: &str = "tests/suite/stored_queries.rs";
const CODES: &str = "tests/suite/error_codes/mod.rs";
const VALUES: &str = "src/metadata/validate/values.rs";

#[rustfmt::skip]
const LIST: &[(&str, &str, By)] = &[
    // 1. Values. Each form with good and bad values stands in the forms' own test.
    ("1", "OID, UUID, identifier, hash, size, language, MIME type, URI, time, PID, HD, CX, CXi, XCN, XON, XTN, recipient", Test(VALUES, "forms_know_their_values")),
    ("1", "homeCommunityId: urn:oid: and an OID", Rules(&["de.home.urn", "ss.home.urn", "folder.home.urn"])),
    ("1", "Slot: a name, once in its list, values up to 256 characters", Rules(&["slot.name.cardinality", "slot.name.unique", "slot.value.length"])),
    ("1", "Slot of a query: repeated only where values are joined by AND", Test(ROWS, "REFUSED")),
    ("1", "classification: its object, its code, its scheme, its display name", Rules(&["cl.classified-object.reference", "cl.code.cardinality", "cl.coding-scheme.cardinality", "cl.display-name.cardinality"])),
    ("1", "author: no code, somebody, and the forms of the parts", Rules(&["author.code.prohibited", "author.identity.cardinality", "author.person.cardinality", "author.person.xcn", "author.institution.xon", "author.role.coded", "author.specialty.coded", "author.telecommunication.xtn"])),
    ("1", "service times in order", Rules(&["de.service-time.chronology"])),

    // 2. DocumentEntry.
    ("2", "creationTime, and none on demand", Rules(&["de.creation-time.cardinality", "de.creation-time.dtm"])),
    ("2", "serviceStartTime, serviceStopTime", Rules(&["de.service-start-time.cardinality", "de.service-start-time.dtm", "de.service-stop-time.cardinality", "de.service-stop-time.dtm"])),
    ("2", "hash and size, by transaction", Rules(&["de.hash.cardinality", "de.hash.sha1", "de.size.cardinality", "de.size.number"])),
    ("2", "languageCode", Rules(&["de.language-code.cardinality", "de.language-code.language"])),
    ("2", "legalAuthenticator, and none on demand", Rules(&["de.legal-authenticator.cardinality", "de.legal-authenticator.xcn"])),
    ("2", "sourcePatientId, sourcePatientInfo", Rules(&["de.source-patient-id.cardinality", "de.source-patient-id.cx", "de.source-patient-info.pid", "de.source-patient-info.discouraged"])),
    ("2", "referenceIdList", Rules(&["de.reference-id-list.cxi"])),
    ("2", "URI", Rules(&["de.uri.cardinality", "de.uri.uri"])),
    ("2", "repositoryUniqueId, by transaction", Rules(&["de.repository-unique-id.cardinality", "de.repository-unique-id.oid"])),
    ("2", "codes, as often as each may be there", Rules(&["de.class-code.cardinality", "de.type-code.cardinality", "de.format-code.cardinality", "de.facility-type-code.cardinality", "de.practice-setting-code.cardinality", "de.confidentiality-code.cardinality"])),
    ("2", "patientId", Rules(&["de.patient-id.cardinality", "de.patient-id.cx"])),
    ("2", "mimeType", Rules(&["de.mime-type.cardinality", "de.mime-type.mime"])),
    ("2", "title: UTF-8, up to 128 characters", Rules(&["de.title.charset", "de.title.length"])),
    ("2", "availabilityStatus in answers", Rules(&["de.availability-status.cardinality", "de.availability-status.value"])),
    ("2", "a document with ITI-63 only", Nothing("XCF is not offered")),
    ("2", "lid unique in a submission", Rules(&["object.lid.unique"])),
    ("2", "objectType, stable or on-demand by transaction", Rules(&["de.object-type.cardinality", "de.object-type.value", "de.object-type.transaction"])),
    ("2", "no limited metadata", Rules(&["object.limited-metadata.prohibited"])),

    // 3. SubmissionSet.
    ("3", "exactly one in a submission", Rules(&["submission.set.cardinality"])),
    ("3", "intendedRecipient", Rules(&["ss.intended-recipient.recipient"])),
    ("3", "submissionTime", Rules(&["ss.submission-time.cardinality", "ss.submission-time.dtm"])),
    ("3", "contentTypeCode", Rules(&["ss.content-type-code.cardinality"])),
    ("3", "sourceId, patientId", Rules(&["ss.source-id.cardinality", "ss.source-id.oid", "ss.patient-id.cardinality", "ss.patient-id.cx"])),
    ("3", "status: none or Approved; Approved in answers", Rules(&["ss.availability-status.cardinality", "ss.availability-status.approved"])),

    // 4. Folder.
    ("4", "lastUpdateTime to the second", Rules(&["folder.last-update-time.cardinality", "folder.last-update-time.seconds"])),
    ("4", "codeList, patientId, a title", Rules(&["folder.code.cardinality", "folder.patient-id.cardinality", "folder.patient-id.cx", "folder.title.cardinality"])),
    ("4", "status: none or Approved", Rules(&["folder.availability-status.cardinality", "folder.availability-status.value", "folder.availability-status.approved"])),
    ("4", "none in ITI-92", Registry(&["registry.update.unmodifiable"])),

    // 5. The submission as a whole.
    ("5", "ids unique", Rules(&["object.id.unique"])),
    ("5", "uniqueIds: there, of their form, unique in the message", Rules(&["de.unique-id.cardinality", "de.unique-id.identifier", "ss.unique-id.cardinality", "ss.unique-id.oid", "folder.unique-id.cardinality", "folder.unique-id.oid", "submission.unique-id.unique"])),
    ("5", "one patient", Rules(&["de.patient-id.same", "folder.patient-id.same"])),

    // 6. Associations.
    ("6", "a type that there is, both ends, an id", Rules(&["assoc.type.known", "assoc.ends.cardinality", "assoc.id.cardinality"])),
    ("6", "documentation, once, and none on memberships", Rules(&["assoc.documentation.cardinality", "assoc.documentation.prohibited"])),
    ("6", "SubmissionSetStatus, and an Original that is in the message", Rules(&["assoc.has-member.status-slot", "assoc.has-member.original-target"])),
    ("6", "a snapshot is a stable entry of the message, of an on-demand one", Rules(&["assoc.snapshot.source"])),
    ("6", "the source of a relationship is in the message", Rules(&["assoc.relation.source"])),
    ("6", "a change of status: from the set, with both statuses", Registry(&["registry.update.set", "registry.update.status"])),
    ("6", "an added association: from the set, to one of the message", Registry(&["registry.update.association"])),
    ("6", "NonVersioningUpdate in answers only", Rules(&["assoc.type.known"])),
    ("6", "an update: lid, a UUID of another object; a member with PreviousVersion", Registry(&["registry.update.logical-id", "registry.update.member", "registry.update.previous-version"])),
    ("6", "ITI-92: AssociationPropagation is not no", Registry(&["registry.update.propagation"])),

    // 7. Requests.
    ("7", "ITI-41: every entry has its document, every document its entry", Rules(&["document.of-entry.cardinality", "document.entry.cardinality"])),
    ("7", "ITI-92: the SubmissionSet's homeCommunityId", Rules(&["submission.set.home"])),
    ("7", "ITI-80", Nothing("XCDR is not offered")),
    ("7", "ITI-62: an ObjectRef, and no query", Test("tests/suite/removal.rs", "a_removal_that_says_otherwise_what_goes_is_a_fault")),
    ("7", "ITI-43, ITI-86: repositoryUniqueId and documentUniqueId", Test(CODES, "a_retrieve_without_identifiers_is_answered_for_each_document")),
    ("7", "ITI-39: homeCommunityId", Test("tests/suite/federation_rules.rs", "the_responding_gateway_retrieves_and_names_documents_in_the_code_context")),
    ("7", "RAD-69, RAD-75", Nothing("imaging is not offered")),

    // 8. Stored queries.
    ("8", "returnType", Test(QUERIES, "another_return_type_is_refused_in_an_answer")),
    ("8", "the query is known, and of the transaction", Test(QUERIES, "every_stored_query_refuses_with_its_code")),
    ("8", "home: where it is needed, whose it may be", Test("tests/suite/federation_rules.rs", "a_query_by_identifiers_goes_to_the_community_that_home_names")),
    ("8", "required parameters, single ones, lists, codes, times, statuses, types", Test(QUERIES, "every_stored_query_refuses_with_its_code")),
    ("8", "choices of parameters", Test(ROWS, "REFUSED")),
    ("8", "what is joined by AND, and what is found by each parameter", Test(QUERIES, "every_stored_query_answers_by_each_of_its_parameters")),
    ("8", "several patients: something narrows the question", Test(QUERIES, "multi_patient_queries_answer_and_refuse")),
    ("8", "FindDocumentsExclude, Fetch, PHARM-1", Nothing("these are not offered: XDSUnknownStoredQuery")),

    // 9. Answers.
    ("9", "every ObjectRef has an id", Rules(&["object-ref.id.cardinality"])),
    ("9", "one patient, but for ITI-51", Rules(&["response.patient-id.single"])),
    ("9", "versions and logical ids in answers", Rules(&["de.logical-id.cardinality", "de.logical-id.uuid", "de.version.cardinality", "folder.logical-id.cardinality", "folder.logical-id.uuid", "folder.version.cardinality"])),
    ("9", "a status, errors with code and severity", Test("tests/suite/transactions.rs", "iti18_responses_of_every_outcome")),
    ("9", "ITI-38, ITI-39: errors have a location", Test("tests/suite/federation_rules.rs", "a_peers_own_errors_are_kept_and_get_a_location")),
    ("9", "a document's identifiers are those that were asked for", Test("tests/suite/federation_rules.rs", "documents_come_under_the_identifiers_that_were_asked_for")),
    ("9", "NewDocumentUniqueId is another one", Test("tests/suite/on_demand.rs", "an_on_demand_document_is_made_of_what_there_is")),
    ("9", "a community's answers, by its own file", Test("tests/suite/federation_rules.rs", "answers_are_held_to_the_rules_of_their_communitys_file")),

    // 10. Beyond the peers.
    ("10", "names of Slots", Rules(&["slot.name.known"])),
    ("10", "the affinity domain's codes and media types", Rules(&["cl.code.listed", "de.mime-type.listed"])),
    ("10", "documentAvailability", Rules(&["de.document-availability.cardinality", "de.document-availability.value"])),
    ("10", "ids, names and references of what is in an object", Rules(&["cl.id.cardinality", "ei.id.cardinality", "ei.name.value", "ei.registry-object.reference"])),
    ("10", "entryUUIDs, their form and case", Rules(&["de.id.cardinality", "ss.id.cardinality", "folder.id.cardinality", "object.id.uuid", "object.id.lower-case"])),
    ("10", "an association leads elsewhere, between what it may join", Rules(&["assoc.ends.different", "assoc.ends.symbolic", "assoc.has-member.source", "assoc.has-member.target", "assoc.has-member.reference-target", "assoc.relation.target", "assoc.update-slots.prohibited", "submission.has-member.cardinality"])),
    ("10", "what is not of the model's order", Nothing("objects are read in any order, and given in the schema's")),
    ("10", "ebRIM's own bounds", Rules(&["object.attribute.known", "object.text.length", "object.text.language", "ss.title.length", "folder.title.length", "de.source-patient-info.repetition"])),
    ("10", "hash and size are the document's", Rules(&["document.hash.content", "document.size.content", "document.id.unique"])),
    ("10", "documents are what they say (TIFF, CDA)", Rules(&["document.type.content", "document.type.signature", "document.type.allowed", "document.cda.readable"])),
    ("10", "what only the registry knows of a registration", Registry(&["registry.entry-uuid.exists", "registry.key.length", "registry.patient-id.known", "registry.patient-id.my-number", "registry.unique-id.unused", "registry.unique-id.same-document", "registry.association.reference", "registry.association.type", "registry.association.ends", "registry.association.deprecated", "registry.association.patient-id"])),
    ("10", "of an update", Registry(&["registry.update.same-object", "registry.update.approved", "registry.update.operation", "registry.update.patient-id"])),
    ("10", "of a removal", Registry(&["registry.remove.known", "registry.remove.references", "registry.remove.unreferenced", "registry.remove.model"])),

    // 11 and 12: messages about patients. What we send is held against the standard's schemas; what we are sent is read as
    // it is meant, and refused where something that an answer needs is missing.
    ("11", "ITI-44, 45, 46, 47: what is missing is said", Test("tests/suite/identity_v3.rs", "a_broken_body_is_a_fault_and_says_what_is_missing")),
    ("11", "ITI-44, 45: identifiers and domains, each with its place", Test("tests/suite/identity_v3.rs", "a_feed_that_cannot_be_taken_is_refused_with_its_place")),
    ("11", "ITI-55: what a question needs", Test("tests/suite/discovery.rs", "the_five_answers_to_a_discovery")),
    ("12", "HL7 v2: segments and fields, each with its place", Test("tests/suite/hl7v2_identity.rs", "feeds_and_their_refusals")),
    ("12", "XACML, HPD, SVS, FHIR", Nothing("these are not offered")),
];

#[test]
fn every_line_of_the_list_is_held_and_every_rule_stands_in_it() {
    let known: BTreeSet<_> = table::rules().map(|(rule, _)| rule.id).collect();
    let of_registry: BTreeSet<_> = registry::rules().map(|rule| rule.id).collect();
    assert_eq!(of_registry.len(), registry::rules().count(), "rule ids are unique");
    let (mut named, mut named_of_registry) = (BTreeSet::new(), BTreeSet::new());
    for (section, line, by) in LIST {
        match by {
            Rules(rules) => named.extend(*rules),
            Registry(rules) => named_of_registry.extend(*rules),
            Test(file, name) => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                let text = std::fs::read_to_string(path).unwrap();
                let is_there = [format!("fn {name}("), format!("const {name}: ")];
                assert!(
                    is_there.iter().any(|one| text.contains(one)),
                    "{section}, {line}: no {name} in {file}"
                );
            }
            Nothing(why) => assert!(!why.is_empty(), "{section}, {line}"),
        }
    }
    assert_eq!(named, known);
    assert_eq!(named_of_registry, of_registry);
}
