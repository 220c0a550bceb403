//! ITI-42 over a socket: what is refused with which code ([`refusals`]), what the registry makes of the objects that it takes
//! ([`objects`]), and what relationships and memberships do to it, pattern by pattern ([`relationships`]). A row or test begins
//! with the section that it holds us to: of ITI TF-2, unless it says otherwise.

mod objects;
mod refusals;
mod relationships;

use sekisho::metadata::codes::association::{RPLC, UPDATE_AVAILABILITY_STATUS};
use sekisho::metadata::codes::{self, scheme, slot};
use sekisho::metadata::rim::{Classification, Object};
use sekisho::metadata::views::association;
use sekisho::transactions::iti18::{ITI18, QueryResponse};
use sekisho::transactions::iti57::ITI57;

use crate::support::draft::{Draft, OTHER_PATIENT, PATIENT, code as coded, id, name, with_ids};
use crate::support::hosted::{Standalone, objects_in};

const GET_ALL: &str = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
const GET_ASSOCIATIONS: &str = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155";
const ANY: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved',\
                   'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";

async fn everything(hosted: &Standalone, patient: &str) -> QueryResponse {
    let patient = format!("'{patient}'");
    let parameters = [
        ("$patientId", &*patient),
        ("$XDSDocumentEntryStatus", ANY),
        ("$XDSSubmissionSetStatus", ANY),
        ("$XDSFolderStatus", ANY),
    ];
    hosted.ask(&ITI18, GET_ALL, &parameters).await
}

/// All objects of a patient as the registry gives them.
async fn objects_of(hosted: &Standalone, patient: &str) -> Vec<Object> {
    objects_in(&everything(hosted, patient).await)
}

/// Types and ends of the associations at an object, by name.
async fn links(hosted: &Standalone, of: &str) -> Vec<(String, String, String)> {
    let at = with_ids(of);
    let answer = hosted.ask(&ITI18, GET_ASSOCIATIONS, &[("$uuid", &at)]).await;
    let all = objects_of(hosted, PATIENT).await;
    let mut found: Vec<_> = answer
        .objects
        .iter()
        .filter_map(|one| all.iter().find(|object| object.id == one.id)?.association.as_ref())
        .map(|link| {
            let short = link.association_type.rsplit(':').next().unwrap_or_default().to_owned();
            (name(&link.source), short, name(&link.target))
        })
        .collect();
    found.sort();
    found
}

fn status(object: &Object) -> &str {
    object.status.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

/// A registry in which `old` was replaced by `new`, `stored` lies in the folder `chart`, `foreign` is another patient's, and
/// the folder `closed` is deprecated.
async fn hosted() -> Standalone {
    let hosted = Standalone::start(&[]).await;
    let first = Draft::new("first")
        .entry("stored", |entry| entry.unique_id("1.2.3.41"))
        .entries(&["old"])
        .folder("chart", &["F"])
        .put("chart", "stored")
        .folder("closed", &["F"])
        .unique_id("first", "1.2.3.42")
        .unique_id("chart", "1.2.3.43");
    hosted.accept(&first).await;
    hosted.accept(&Draft::new("second").entries(&["new"]).relate(RPLC, "new", "/", "old")).await;
    hosted.accept(&Draft::of(OTHER_PATIENT, "third").entries(&["foreign"]).folder("theirs", &["F"])).await;
    let mut close = association(UPDATE_AVAILABILITY_STATUS, &id("fourth"), &id("closed"));
    close.set_slot(slot::ORIGINAL_STATUS, vec![codes::APPROVED.to_owned()]);
    close.set_slot(slot::NEW_STATUS, vec![codes::DEPRECATED.to_owned()]);
    let closing = Draft::new("fourth").object(close).submission();
    assert_eq!(hosted.register(&ITI57, &closing).await.errors, []);
    hosted
}

fn good() -> Draft {
    Draft::new("set").entries(&["entry"])
}

/// An association with documentation.
fn documented(mut object: Object) -> Object {
    object.classifications.push(Classification {
        scheme: Some(scheme::ASSOCIATION_DOCUMENTATION.to_owned()),
        classified_object: Some(object.id.clone()),
        ..Classification::from(&coded("correction"))
    });
    object
}
