//! ITI-51 over a socket: for those who are permitted to ask, and not there otherwise.

use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::iti51::ITI51;

use crate::support::hosted::{APPROVED, Standalone};
use crate::support::submissions::{Document, submission};

const FIND_DOCUMENTS: &str = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f";
const PATIENTS: [&str; 2] = ["1^^^&1.2.3&ISO", "2^^^&1.2.3&ISO"];

async fn with_two_patients(permit: &str) -> Standalone {
    let standalone = Standalone::start(&[permit]).await;
    for patient in PATIENTS {
        let document = Document::new(10);
        let bytes = document.bytes();
        let answer =
            standalone.submit(&submission(patient, &[document]), vec![("Document0".to_owned(), bytes)]).await;
        assert_eq!(answer.errors, []);
    }
    standalone
}

fn parameters() -> [(&'static str, &'static str); 2] {
    [
        ("$XDSDocumentEntryPatientId", "('1^^^&1.2.3&ISO','2^^^&1.2.3&ISO')"),
        ("$XDSDocumentEntryStatus", APPROVED),
    ]
}

#[tokio::test]
async fn several_patients_are_asked_about_at_once() {
    let standalone = with_two_patients("standalone.permit.multi_patient=[\"*\"]").await;
    let answer = standalone.ask(&ITI51, FIND_DOCUMENTS, &parameters()).await;
    assert_eq!((answer.status, answer.objects.len()), (Status::Success, 2));
    standalone.stop().await;
}

#[tokio::test]
async fn who_is_not_named_learns_nothing() {
    let standalone = with_two_patients("standalone.permit.multi_patient=[\"CN=research\"]").await;
    let answer = standalone.ask(&ITI51, FIND_DOCUMENTS, &parameters()).await;
    assert_eq!((answer.status, answer.objects.len()), (Status::Failure, 0));
    assert_eq!(answer.errors[0].code, code::LOCAL_POLICY_RESTRICTION);
    standalone.stop().await;
}

#[tokio::test]
async fn it_is_not_offered_unless_somebody_is_permitted() {
    let standalone = Standalone::start(&[]).await;
    assert_eq!(standalone.url(&ITI51), None);
    standalone.stop().await;
}
