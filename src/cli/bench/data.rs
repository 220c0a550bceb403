//! Patients, documents and messages of a usual size.

use bytes::Bytes;
use http_body_util::BodyExt;

use crate::ids::EntryUuid;
use crate::metadata::codes::{association, slot};
use crate::metadata::views::{DocumentEntryBuilder, Membership, SubmissionSetBuilder, has_member};
use crate::metadata::{Author, Code, Kind, Submission};
use crate::time::now_dtm;
use crate::transactions::iti18::{self, Parameter, QueryRequest, ReturnType};
use crate::transactions::iti43::{self, DocumentRequest, RetrieveRequest};
use crate::transactions::{Transaction, iti41};
use crate::wire::soap::{Attachment, Form, Outgoing, send};
use crate::wire::stream::Content;

/// The assigning authority of the benchmark's patients.
pub const AUTHORITY: &str = "1.2.392.100495.20.3.51.11310000001";

/// A patient of the benchmark.
pub fn patient(number: u64) -> String {
    format!("{number:010}^^^&{AUTHORITY}&ISO")
}

/// The uniqueId of a document.
pub fn unique_id(run: u64, number: u64) -> String {
    format!("1.2.392.100495.20.3.51.11310000001.{run}.{number}")
}

/// A submission of `count` documents of one patient, with the attributes that a vendor's system sends.
pub fn submission(patient: &str, run: u64, first: u64, count: u64, mime_type: &str) -> Submission {
    let code = |code: &str, display: &str| Code::new(code, "1.2.392.200270.4.3.1", display);
    let author = Author {
        person: Some("D0001^佐藤^健一^^^^^^&1.2.392.100495.20.3.41.1&ISO".into()),
        institutions: vec!["関所総合病院^^^^^^^^^1.2.392.100495.20.3.23.1310000001".into()],
        roles: vec!["医師".into()],
        specialties: vec!["内科".into()],
        telecommunications: Vec::new(),
    };
    let set = EntryUuid::random();
    let now = now_dtm();
    let mut objects = vec![
        SubmissionSetBuilder::new(set.as_str())
            .title("ja-JP", "退院時サマリー一式")
            .authors([&author])
            .content_type_code(&code("18842-5", "退院時サマリー"))
            .patient_id(patient)
            .source_id("1.2.392.100495.20.3.23.1310000001")
            .submission_time(now.as_str())
            .unique_id(format!("{}.0", unique_id(run, first)))
            .build(),
    ];
    for number in first..first + count {
        let id = EntryUuid::random();
        let entry = DocumentEntryBuilder::stable(id.as_str())
            .mime_type(mime_type)
            .title("ja-JP", format!("退院時サマリー 第{number}号"))
            .comments("ja-JP", "検査結果と処方を含む")
            .authors([&author])
            .class_code(&code("18842-5", "退院時サマリー"))
            .type_code(&code("18842-5", "退院時サマリー"))
            .format_code(&code("urn:ihe:iti:xds-sd:text:2008", "CDA"))
            .confidentiality_codes([&code("N", "通常")])
            .event_codes([&code("E11", "２型糖尿病")])
            .facility_type_code(&code("11", "病院"))
            .practice_setting_code(&code("01", "内科"))
            .creation_time(now.as_str())
            .service_start_time("20260401")
            .service_stop_time("20260414")
            .language_code("ja-JP")
            .legal_authenticator("D0001^佐藤^健一^^^^^^&1.2.392.100495.20.3.41.1&ISO")
            .patient_id(patient)
            .source_patient_id(patient)
            .source_patient_info([
                "PID-3|0001^^^&1.2.392.100495.20.3.51.11310000001&ISO",
                "PID-5|山田^太郎^^^^^L^I~ヤマダ^タロウ^^^^^L^P",
                "PID-7|19560527",
                "PID-8|M",
                "PID-11|^^千代田区^東京都^1000001^JPN",
            ])
            .unique_id(unique_id(run, number))
            .build();
        objects.push(entry);
        objects.push(has_member(set.as_str(), id.as_str(), Membership::Original));
    }
    debug_assert!(
        objects
            .iter()
            .filter_map(|o| o.association.as_ref())
            .all(|a| a.association_type == association::HAS_MEMBER)
    );
    Submission { objects, ..Submission::default() }
}

/// What a repository would register for such a submission: with hash, size and repositoryUniqueId.
pub fn registration(patient: &str, run: u64, count: u64) -> Submission {
    let mut submission = submission(patient, run, 1, count, "text/xml");
    for entry in submission.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
        entry.set_slot(slot::HASH, vec!["da39a3ee5e6b4b0d3255bfef95601890afd80709".into()]);
        entry.set_slot(slot::SIZE, vec!["100000".into()]);
        entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.392.200270.4.98.1".into()]);
    }
    submission
}

/// A FindDocuments for a patient.
pub fn find_documents(patient: &str, return_type: ReturnType) -> QueryRequest {
    let parameter = |name: &str, value: String| Parameter { name: name.into(), values: vec![value] };
    QueryRequest {
        query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".into(),
        home: None,
        return_type,
        parameters: vec![
            parameter("$XDSDocumentEntryPatientId", format!("'{patient}'")),
            parameter(
                "$XDSDocumentEntryStatus",
                "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')".into(),
            ),
        ],
    }
}

/// A whole request: Content-Type and bytes.
pub async fn request(
    transaction: Transaction,
    form: Form,
    body: Vec<Bytes>,
    attachments: Vec<Attachment>,
) -> Result<(String, Bytes), String> {
    let outgoing = Outgoing {
        form,
        action: transaction.action.into(),
        to: Some("http://127.0.0.1/services".into()),
        body,
        attachments,
        ..Outgoing::default()
    };
    let reply = send(outgoing);
    let bytes = reply.body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((reply.content_type, bytes))
}

/// A query as a whole request.
pub async fn query_request(
    transaction: Transaction,
    query: &QueryRequest,
) -> Result<(String, Bytes), String> {
    request(transaction, Form::Simple, vec![iti18::write_request(query)], Vec::new()).await
}

/// A retrieve as a whole request.
pub async fn retrieve_request(
    transaction: Transaction,
    documents: Vec<DocumentRequest>,
) -> Result<(String, Bytes), String> {
    let body = iti43::write_request(&RetrieveRequest { documents });
    request(transaction, Form::Mtom, vec![body], Vec::new()).await
}

/// A submission as a whole request; all documents have the same bytes.
pub async fn provide_request(submission: &Submission, document: &Bytes) -> Result<(String, Bytes), String> {
    let documents = submission
        .document_entries()
        .map(|entry| {
            (entry.entry_uuid().to_owned(), "text/xml".to_owned(), Content::from_bytes(document.clone()))
        })
        .collect();
    let (body, attachments) =
        iti41::write_request(submission, documents, Form::Mtom).await.map_err(|error| error.to_string())?;
    request(iti41::ITI41, Form::Mtom, body, attachments).await
}
