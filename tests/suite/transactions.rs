//! Each transaction's bodies: what we write for every outcome (goldens, kept for the schemas), and that what we write is
//! read again as it was.

use bytes::Bytes;
use sekisho::metadata::rim::Submission;
use sekisho::metadata::views::{DocumentEntryBuilder, Membership, SubmissionSetBuilder, has_member};
use sekisho::metadata::{Author, Code, Kind};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryError, RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti18::{self, Parameter, QueryRequest, QueryResponse, ReturnType, with_home};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti39::ITI39;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::ITI43;
use sekisho::transactions::iti43::{
    self, DocumentHead, DocumentRequest, DocumentSource, RetrieveRequest, RetrieveResponse, RetrievedDocument,
};
use sekisho::transactions::iti51::ITI51;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::transactions::iti62::ITI62;
use sekisho::transactions::iti86::ITI86;
use sekisho::transactions::iti92::ITI92;
use sekisho::transactions::{iti41, iti42, iti51, iti57, iti61, iti62, iti86, iti92};
use sekisho::wire::soap::Form;
use sekisho::wire::stream::Content;
use sekisho::wire::xml::{Ns, Tree, Writer};

use crate::support::{example, golden, messages};

const PATIENT: &str = "0001^^^&1.2.392.100495.20.3.51.11310000001&ISO";
const HOME: &str = "urn:oid:1.2.392.200270.4.99.1";

/// Golden and schema folder at once.
fn written(name: &str, body: &[u8]) {
    golden::check(&format!("transactions/{name}.xml"), body);
    messages::keep(name, body);
}

fn parse(body: impl Into<Bytes>) -> Tree {
    Tree::parse(body.into()).unwrap()
}

/// Actions, body elements and encodings (ITI TF-2: Appendix V.3.2 and each transaction's WSDL; supplements: MU, RMD, RMU),
/// as peers spell them: `-b` stays before `Response`, ITI-61's answer has no `Entry`, and ITI-62 its older name.
#[rustfmt::skip]
const ACTIONS: &[(Transaction, &str, &str, &str, bool)] = &[
    (ITI18, "urn:ihe:iti:2007:RegistryStoredQuery", "urn:ihe:iti:2007:RegistryStoredQueryResponse", "AdhocQueryRequest", false),
    (ITI38, "urn:ihe:iti:2007:CrossGatewayQuery", "urn:ihe:iti:2007:CrossGatewayQueryResponse", "AdhocQueryRequest", false),
    (ITI39, "urn:ihe:iti:2007:CrossGatewayRetrieve", "urn:ihe:iti:2007:CrossGatewayRetrieveResponse", "RetrieveDocumentSetRequest", true),
    (ITI41, "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse", "ProvideAndRegisterDocumentSetRequest", true),
    (ITI42, "urn:ihe:iti:2007:RegisterDocumentSet-b", "urn:ihe:iti:2007:RegisterDocumentSet-bResponse", "SubmitObjectsRequest", false),
    (ITI43, "urn:ihe:iti:2007:RetrieveDocumentSet", "urn:ihe:iti:2007:RetrieveDocumentSetResponse", "RetrieveDocumentSetRequest", true),
    (ITI51, "urn:ihe:iti:2009:MultiPatientStoredQuery", "urn:ihe:iti:2009:MultiPatientStoredQueryResponse", "AdhocQueryRequest", false),
    (ITI57, "urn:ihe:iti:2010:UpdateDocumentSet", "urn:ihe:iti:2010:UpdateDocumentSetResponse", "SubmitObjectsRequest", false),
    (ITI61, "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry", "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse", "SubmitObjectsRequest", false),
    (ITI62, "urn:ihe:iti:2010:DeleteDocumentSet", "urn:ihe:iti:2010:DeleteDocumentSetResponse", "RemoveObjectsRequest", false),
    (ITI86, "urn:ihe:iti:2017:RemoveDocuments", "urn:ihe:iti:2017:RemoveDocumentsResponse", "RemoveDocumentsRequest", false),
    (ITI92, "urn:ihe:iti:2018:RestrictedUpdateDocumentSet", "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse", "SubmitObjectsRequest", false),
];

#[test]
fn every_transaction_has_its_actions_its_body_and_its_encoding() {
    for (transaction, request, response, body, mtom) in ACTIONS {
        let Transaction { action, response_action, body: (_, element), .. } = transaction;
        assert_eq!(
            (*action, *response_action, *element, transaction.mtom),
            (*request, *response, *body, *mtom),
            "{}",
            transaction.id
        );
    }
}

pub fn submission() -> Submission {
    let code = |code: &str, display: &str| Code::new(code, "1.2.392.200270.4.3.1", display);
    let author = Author {
        person: Some("D0001^佐藤^健一^^^^^^&1.2.392.100495.20.3.41.1&ISO".into()),
        institutions: vec!["関所総合病院^^^^^^^^^1.2.392.100495.20.3.23.1310000001".into()],
        ..Author::default()
    };
    let set = SubmissionSetBuilder::new("SubmissionSet01")
        .title("ja-JP", "退院時サマリー <一式> & \"その他\"")
        .authors([&author])
        .content_type_code(&code("18842-5", "退院時サマリー"))
        .patient_id(PATIENT)
        .source_id("1.2.392.100495.20.3.23.1310000001")
        .submission_time("20261121010203")
        .unique_id("1.2.392.1.1")
        .build();
    let entry = DocumentEntryBuilder::stable("Document01")
        .mime_type("text/xml")
        .title("ja-JP", "退院時サマリー")
        .authors([&author])
        .class_code(&code("18842-5", "退院時サマリー"))
        .type_code(&code("18842-5", "退院時サマリー"))
        .format_code(&code("urn:ihe:iti:xds-sd:text:2008", "CDA"))
        .confidentiality_codes([&code("N", "通常")])
        .facility_type_code(&code("11", "病院"))
        .practice_setting_code(&code("01", "内科"))
        .creation_time("20261120")
        .language_code("ja-JP")
        .patient_id(PATIENT)
        .source_patient_id(PATIENT)
        .source_patient_info(["PID-5|山田^太郎^^^^^L^I~ヤマダ^タロウ^^^^^L^P"])
        .unique_id("1.2.392.1.2")
        .hash("da39a3ee5e6b4b0d3255bfef95601890afd80709")
        .size(0)
        .repository_unique_id("1.2.392.200270.4.98.1")
        .build();
    let member = has_member("SubmissionSet01", "Document01", Membership::Original);
    Submission { objects: vec![set, entry, member], ..Submission::default() }
}

fn query() -> QueryRequest {
    let parameter = |name: &str, values: &[&str]| Parameter {
        name: name.into(),
        values: values.iter().map(|v| (*v).into()).collect(),
    };
    QueryRequest {
        query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".into(),
        home: None,
        return_type: ReturnType::LeafClass,
        parameters: vec![
            parameter("$XDSDocumentEntryPatientId", &[&format!("'{PATIENT}'")]),
            parameter(
                "$XDSDocumentEntryStatus",
                &["('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"],
            ),
            parameter("$XDSDocumentEntryEventCodeList", &["('a^^s','b^^s')"]),
            parameter("$XDSDocumentEntryEventCodeList", &["('c^^s')", "('d^^s')"]),
            parameter("$example:unknown", &["'kept & passed on'"]),
        ],
    }
}

fn errors() -> Vec<RegistryError> {
    vec![
        RegistryError::error(code::UNAVAILABLE_COMMUNITY, "urn:oid:1.2.3 (Dead & gone): no connection")
            .at("urn:oid:1.2.3"),
        RegistryError::warning(
            code::EXTRA_METADATA_NOT_SAVED,
            "a slot with <characters> \"that\" need\nescaping",
        ),
    ]
}

/// The objects of an answer, as a peer would have sent them: read from XML with foreign prefixes.
fn objects() -> Vec<iti18::RegistryObject> {
    let mut out = Writer::default();
    let entry = submission().of(Kind::DocumentEntry).next().unwrap().clone();
    entry.write(&mut out);
    let entry = String::from_utf8(out.finish()).unwrap().replace("rim:", "ns4:");
    let answer = format!(
        "<q:AdhocQueryResponse xmlns:q='{}' xmlns:ns4='{}' status='{}'><ns4:RegistryObjectList>{entry}<ns4:ObjectRef id='urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155'/></ns4:RegistryObjectList></q:AdhocQueryResponse>",
        Ns::QUERY.uri(),
        Ns::RIM.uri(),
        Status::Success.urn()
    );
    let tree = parse(answer);
    iti18::read_response(tree.root()).unwrap().objects
}

#[test]
fn iti18_request_is_written_and_read_again() {
    let mut request = query();
    request.home = Some(HOME.into());
    let body = iti18::write_request(&request);
    written("iti18-request", &body);
    assert_eq!(iti18::read_request(parse(body).root()).unwrap(), request);
}

#[test]
fn iti18_request_reads_what_peers_send() {
    let home_as_slot = format!(
        "<AdhocQueryRequest xmlns='{}' xmlns:r='{}'><ResponseOption returnType='ObjectRef'/><r:AdhocQuery id=' urn:uuid:x '><r:Slot name='$homeCommunityId'><r:ValueList><r:Value>'{HOME}'</r:Value></r:ValueList></r:Slot></r:AdhocQuery></AdhocQueryRequest>",
        Ns::QUERY.uri(),
        Ns::RIM.uri()
    );
    let request = iti18::read_request(parse(home_as_slot.clone()).root()).unwrap();
    assert_eq!((request.home.as_deref(), request.parameters.len()), (Some(HOME), 0));
    for (written, read) in [
        ("ObjectRef", ReturnType::ObjectRef),
        ("Everything", ReturnType::Unsupported),
        ("", ReturnType::Unsupported),
    ] {
        let request = home_as_slot.replace("ObjectRef", written);
        assert_eq!(iti18::read_request(parse(request).root()).unwrap().return_type, read);
    }
    let none = home_as_slot.replace("r:AdhocQuery", "r:Other");
    assert_eq!(iti18::read_request(parse(none).root()).unwrap_err().rule, "query.adhoc-query");
}

#[test]
fn iti18_responses_of_every_outcome() {
    let with_homes: Vec<_> = objects().into_iter().map(|object| with_home(object, HOME)).collect();
    let outcomes = [
        ("iti18-success", QueryResponse::new(Vec::new(), objects())),
        ("iti18-success-empty", QueryResponse::new(Vec::new(), Vec::new())),
        ("iti38-partial-success", QueryResponse::new(errors(), with_homes)),
        (
            "iti18-failure",
            QueryResponse::failure(RegistryError::error(
                code::STORED_QUERY_MISSING_PARAM,
                "$XDSDocumentEntryStatus",
            )),
        ),
    ];
    for (name, response) in outcomes {
        let body: Bytes = iti18::write_response(&response).concat().into();
        written(name, &body);
        let tree = parse(body);
        let read = iti18::read_response(tree.root()).unwrap();
        assert_eq!((read.status, &read.errors), (response.status, &response.errors), "{name}");
        let facts = |r: &QueryResponse| -> Vec<_> {
            r.objects
                .iter()
                .map(|o| (o.kind, o.id.clone(), o.home.clone(), o.unique_id.clone(), o.size))
                .collect()
        };
        assert_eq!(facts(&read), facts(&response), "{name}");
    }
}

#[test]
fn an_answer_lists_a_bounded_number_of_errors() {
    let many = vec![RegistryError::error(code::REGISTRY_METADATA_ERROR, "x"); 1_000];
    let body = iti42::write_response(&RegistryResponse::from_errors(many));
    let tree = parse(body);
    let read = iti42::read_response(tree.root()).unwrap();
    assert_eq!(read.errors.len(), sekisho::limits::MAX_ERRORS_PER_ANSWER + 1);
    assert!(read.errors.last().unwrap().context.starts_with("800 more"));
}

#[test]
fn iti42_request_and_responses() {
    let submission = submission();
    let body = iti42::write_request(&submission);
    written("iti42-request", &body);
    assert_eq!(iti42::read_request(parse(body).root()).unwrap().objects.len(), 3);
    for (name, errors, status) in [
        ("iti42-success", Vec::new(), Status::Success),
        ("iti42-warning", vec![errors().remove(1)], Status::Success),
        ("iti42-failure", errors(), Status::Failure),
    ] {
        let response = RegistryResponse::from_errors(errors);
        assert_eq!(response.status, status);
        let body = iti42::write_response(&response);
        written(name, &body);
        assert_eq!(iti42::read_response(parse(body).root()).unwrap(), response);
    }
}

/// ITI-51 and ITI-61 have the bodies of ITI-18 and ITI-42, and actions of their own.
#[test]
fn iti51_and_iti61_requests() {
    let request = QueryRequest { query: "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f".into(), ..query() };
    let body = iti51::write_request(&request);
    written("iti51-request", &body);
    assert_eq!(iti51::read_request(parse(body).root()).unwrap(), request);

    let submission = example::on_demand();
    let body = iti61::write_request(&submission);
    golden::check("transactions/iti61-request.xml", &body);
    messages::keep("iti61-request", &body);
    assert_eq!(iti61::read_request(parse(body).root()).unwrap(), submission);
    let response = RegistryResponse::from_errors(errors());
    assert_eq!(iti61::read_response(parse(iti61::write_response(&response)).root()).unwrap(), response);
}

/// ITI-57 and ITI-92 have the bodies of ITI-42: a new version says its logical id, and its membership the version before.
#[test]
fn iti57_and_iti92_requests() {
    let mut submission = submission();
    submission.objects[1].lid = Some("urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155".into());
    submission.objects[2].set_slot("PreviousVersion", vec!["1".into()]);
    let body = iti57::write_request(&submission);
    written("iti57-request", &body);
    assert_eq!(
        iti57::read_request(parse(body.clone()).root()).unwrap().objects[1].lid,
        submission.objects[1].lid
    );
    assert_eq!(iti92::write_request(&submission), body);
}

#[test]
fn iti62_request_is_written_and_read_again_and_names_objects_only() {
    let ids =
        ["urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155", "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a"];
    let request = iti62::RemoveRequest { objects: ids.map(str::to_owned).to_vec() };
    let body = iti62::write_request(&request);
    written("iti62-request", &body);
    assert_eq!(iti62::read_request(parse(body.clone()).root()).unwrap(), request);

    let body = String::from_utf8(body.to_vec()).unwrap();
    let query = |attribute| {
        body.replace("<rim:ObjectRefList", &format!("<rim:AdhocQuery{attribute}/><rim:ObjectRefList"))
    };
    // An empty query, which some clients' libraries write, says nothing.
    assert!(iti62::read_request(parse(query("")).root()).is_ok());
    let scope =
        " deletionScope=\"urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteRepositoryItemOnly\">";
    for (wrong, rule) in [
        (query(" id=\"urn:uuid:x\""), "remove.adhoc-query"),
        (body.replacen('>', scope, 1), "remove.deletion-scope"),
        (body.replace("rim:ObjectRef ", "rim:Other "), "remove.objects"),
    ] {
        assert_eq!(iti62::read_request(parse(wrong).root()).unwrap_err().rule, rule);
    }
    let many = iti62::RemoveRequest {
        objects: vec![ids[0].to_owned(); sekisho::limits::MAX_OBJECTS_PER_REMOVAL + 1],
    };
    let body = iti62::write_request(&many);
    assert_eq!(iti62::read_request(parse(body).root()).unwrap_err().rule, "remove.too-many");
}

#[test]
fn iti86_request_is_written_and_read_again() {
    let request = RetrieveRequest {
        documents: ["1.2.392.1.2", "1.2.392.1.3"]
            .map(|document| DocumentRequest { home: None, ..wanted(document) })
            .to_vec(),
    };
    let body = iti86::write_request(&request);
    // Not kept for the published schema, which has room for one document only.
    golden::check("transactions/iti86-request.xml", &body);
    assert_eq!(iti86::read_request(parse(body).root()).unwrap(), request);
}

#[tokio::test]
async fn iti41_request_in_both_forms() {
    for (name, form) in [("iti41-request-mtom", Form::Mtom), ("iti41-request-simple", Form::Simple)] {
        let documents =
            vec![("Document01".to_owned(), "text/xml".to_owned(), Content::from_bytes("<文書/>"))];
        let (body, attachments) = iti41::write_request(&submission(), documents, form).await.unwrap();
        let body: Bytes = body.concat().into();
        written(name, &body);
        let read = iti41::read_request(parse(body).root()).unwrap();
        let expected = match attachments.first() {
            Some(part) => DocumentSource::Part(part.content_id.clone()),
            None => DocumentSource::Inline("<文書/>".into()),
        };
        assert_eq!(read.documents, [("Document01".to_owned(), expected)]);
        assert_eq!(form == Form::Mtom, attachments.len() == 1);
    }
}

fn wanted(document: &str) -> DocumentRequest {
    DocumentRequest {
        home: Some(HOME.into()),
        repository: "1.2.392.200270.4.98.1".into(),
        document: document.into(),
    }
}

fn retrieved(document: &str, on_demand: bool) -> RetrievedDocument {
    let head = DocumentHead {
        request: wanted(document),
        new_repository: on_demand.then(|| "1.2.392.200270.4.98.2".to_owned()),
        new_document: on_demand.then(|| "1.2.392.1.99".to_owned()),
        mime_type: "text/xml".into(),
    };
    RetrievedDocument { head, content: Content::from_bytes("<文書/>") }
}

#[test]
fn iti43_request_is_written_and_read_again() {
    let mut request = RetrieveRequest { documents: vec![wanted("1.2.392.1.2"), wanted("1.2.392.1.3^x")] };
    request.documents[1].home = None;
    let body = iti43::write_request(&request);
    written("iti43-request", &body);
    assert_eq!(iti43::read_request(parse(body).root()).unwrap(), request);
    let empty = format!("<x:RetrieveDocumentSetRequest xmlns:x='{}'/>", Ns::XDS.uri());
    assert_eq!(iti43::read_request(parse(empty).root()).unwrap_err().rule, "retrieve.no-request");
}

#[tokio::test]
async fn iti43_responses_of_every_outcome() {
    let missing =
        || RegistryError::error(code::DOCUMENT_UNIQUE_ID_ERROR, "1.2.392.1.4 is not here").at("1.2.392.1.4");
    type Outcome = (&'static str, Vec<RegistryError>, Vec<RetrievedDocument>, Status);
    let outcomes: Vec<Outcome> = vec![
        (
            "iti43-success",
            vec![],
            vec![retrieved("1.2.392.1.2", false), retrieved("1.2.392.1.3", false)],
            Status::Success,
        ),
        ("iti43-on-demand", vec![], vec![retrieved("1.2.392.1.2", true)], Status::Success),
        (
            "iti39-partial-success",
            vec![missing()],
            vec![retrieved("1.2.392.1.2", false)],
            Status::PartialSuccess,
        ),
        ("iti43-failure", vec![missing()], vec![], Status::Failure),
    ];
    for (name, errors, documents, status) in outcomes {
        let heads: Vec<_> = documents.iter().map(|document| document.head.clone()).collect();
        let response = RetrieveResponse::new(errors.clone(), documents);
        assert_eq!(response.status, status);
        let (body, attachments) = iti43::write_response(response, Form::Mtom).await.unwrap();
        let body: Bytes = body.concat().into();
        written(name, &body);
        let read = iti43::read_response(parse(body).root()).unwrap();
        assert_eq!((read.status, read.errors.len()), (status, errors.len()));
        assert_eq!(read.documents.iter().map(|(head, _)| head.clone()).collect::<Vec<_>>(), heads);
        for ((_, source), part) in read.documents.iter().zip(&attachments) {
            assert_eq!(*source, DocumentSource::Part(part.content_id.clone()));
        }
    }
}

#[tokio::test]
async fn a_media_type_that_is_none_never_reaches_a_header() {
    let mut document = retrieved("1.2.392.1.2", false);
    document.head.mime_type = "text/xml\r\nX-Injected: yes".into();
    let (_, attachments) =
        iti43::write_response(RetrieveResponse::new(vec![], vec![document]), Form::Mtom).await.unwrap();
    assert_eq!(attachments[0].content_type, "application/octet-stream");
}

#[test]
fn statuses_and_severities_are_read_as_peers_write_them() {
    for (text, status) in [
        ("Success", Status::Success),
        (Status::PartialSuccess.urn(), Status::PartialSuccess),
        ("urn:x:ResponseStatusType:Failure", Status::Failure),
    ] {
        assert_eq!(Status::parse(text), Some(status));
    }
    assert_eq!(Status::parse("urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Approved"), None);
    assert_eq!(Severity::Warning.urn(), "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning");
}
