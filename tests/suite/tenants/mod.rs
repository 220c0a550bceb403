//! Several tenants in one gateway: nothing of one is ever seen, said or changed through another.

mod certificates;
mod estate;
mod gateways;
mod queries;
mod quota;
mod retention;

use std::collections::HashSet;

use sekisho::metadata::codes::association::{APND, IS_SNAPSHOT_OF, RPLC, SIGNS, XFRM, XFRM_RPLC};
use sekisho::transactions::errors::{RegistryError, RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti41::ITI41;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti43::{self, ITI43};
use sekisho::transactions::iti44::{ITI44_ADD, ITI44_MERGE};
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti62::{self, ITI62, RemoveRequest};
use sekisho::transactions::iti92::ITI92;

use self::estate::{
    DOCUMENTS, FOLDER, FOLDER_MEMBER, LIST_UID, OBJECTS, PATIENT, REPORT, REPORT_UID, bytes, deprecating,
    fill, first, mark, put_into, related, revised, taking_in,
};
use self::queries::{QUERIES, catalog, said, xml};
use crate::support::hl7v3::{add, id, merge, person};
use crate::support::hosted::{Standalone, wanted};
use crate::support::http::raw;
use crate::support::submissions::{Document, submission};

/// Two communities besides the region itself, and a facility of its own.
const CONFIG: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "国"
[listen.http]
address = "127.0.0.1:0"
[standalone]
repository = "1.2.3.4"
patients = "any"
permit = { update = ["*"], remove = ["*"], multi_patient = ["*"] }
[[tenants]]
name = "east"
home = "urn:oid:1.2.4"
repository = "1.2.4.4"
patients = "any"
on_demand = "assemble"
permit = { submit = ["*"], query = ["*"], feed = ["*"], update = ["*"], remove = ["*"], multi_patient = ["*"] }
[[tenants]]
name = "west"
home = "urn:oid:1.2.5"
repository = "1.2.5.4"
patients = "any"
on_demand = "assemble"
permit = { submit = ["*"], query = ["*"], feed = ["*"], update = ["*"], remove = ["*"], multi_patient = ["*"] }
[[tenants]]
name = "clinic"
facility = "1.2.3.9"
repository = "1.2.3.5"
patients = "any"
permit = { submit = ["CN=clinic"] }
"#;

/// In three scripts.
const NAME: [(&str, &str); 3] = [("山田", "花子"), ("ヤマダ", "ハナコ"), ("YAMADA", "HANAKO")];

const EAST: &str = "1.2.4.4";
const WEST: &str = "1.2.5.4";

/// Everything that a tenant says of what it has.
async fn everything(tenant: &Standalone, repository: &str) -> String {
    let mut all = String::new();
    for query in QUERIES {
        all.push_str(&said(&query.ask(tenant).await));
    }
    for document in DOCUMENTS {
        all.push_str(&format!("\n{document}: {:?}", tenant.document(repository, document).await));
    }
    all
}

#[test]
fn no_stored_query_is_left_out() {
    let asked: HashSet<_> = QUERIES.iter().map(|query| query.name).collect();
    for (name, ..) in catalog() {
        assert!(asked.contains(name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn nothing_of_a_tenant_is_seen_through_another() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    fill(&east, "east", EAST).await;
    for query in QUERIES {
        let found = query.ask(&east).await;
        assert!(!found.objects.is_empty(), "{}: it would find nothing anyway", query.name);
        for other in [&west, &region] {
            let found = query.ask(other).await;
            assert_eq!(
                (found.status, found.errors, found.objects.len()),
                (Status::Success, vec![], 0),
                "{}",
                query.name
            );
        }
    }
    for document in DOCUMENTS.into_iter().chain([LIST_UID]) {
        assert!(east.document(EAST, document).await.is_ok(), "{document}");
        for (repository, expected) in
            [(EAST, code::UNKNOWN_REPOSITORY_ID), (WEST, code::DOCUMENT_UNIQUE_ID_ERROR)]
        {
            assert_eq!(west.document(repository, document).await.unwrap_err(), expected, "{document}");
        }
    }
    drop((east, west));
    region.stop().await;
}

#[tokio::test]
async fn nothing_of_a_tenant_is_changed_through_another() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    fill(&east, "east", EAST).await;
    let before = everything(&east, EAST).await;
    let unresolved = vec![code::UNRESOLVED_REFERENCE];
    let mut attempts: Vec<_> = [RPLC, XFRM, APND, XFRM_RPLC, SIGNS, IS_SNAPSHOT_OF]
        .into_iter()
        .map(|relation| (relation, &ITI42, related(relation, REPORT), Some(&unresolved)))
        .collect();
    attempts.extend([
        ("an entry is taken in", &ITI42, taking_in(REPORT), Some(&unresolved)),
        ("a folder is taken in", &ITI42, taking_in(FOLDER), Some(&unresolved)),
        ("an association is taken in", &ITI42, taking_in(FOLDER_MEMBER), Some(&unresolved)),
        ("an entry is put into a folder", &ITI42, put_into(FOLDER), Some(&unresolved)),
        ("a new version", &ITI57, revised("west", WEST, "1"), None),
        ("a new version, restricted", &ITI92, revised("west", WEST, "1"), None),
        ("a status of an entry", &ITI57, deprecating(REPORT), None),
        ("a status of a folder", &ITI57, deprecating(FOLDER), None),
    ]);
    for (what, transaction, submission, expected) in attempts {
        let answer = west.register(transaction, &submission).await;
        assert_eq!(answer.status, Status::Failure, "{what}");
        let mut codes: Vec<_> = answer.errors.iter().map(|error| &*error.code).collect();
        codes.dedup();
        if let Some(expected) = expected {
            assert_eq!(&codes, expected, "{what}: {:?}", answer.errors);
        }
    }
    for object in OBJECTS {
        let request = RemoveRequest { objects: vec![object.to_owned()] };
        let answer = west.answered(&ITI62, iti62::write_request(&request)).await;
        assert_eq!(answer.errors[0].code, code::UNRESOLVED_REFERENCE, "{object}");
    }
    for document in DOCUMENTS {
        for (repository, expected) in
            [(EAST, code::UNKNOWN_REPOSITORY_ID), (WEST, code::DOCUMENT_UNIQUE_ID_ERROR)]
        {
            let answer = west.remove_documents(&[(repository, document)]).await;
            assert_eq!(answer.errors[0].code, expected, "{document}");
        }
    }
    assert_eq!(everything(&east, EAST).await, before);
    drop((east, west));
    region.stop().await;
}

#[tokio::test]
async fn tenants_with_the_same_identifiers_stay_apart_in_all_they_do() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    // The same SubmissionSets with the same identifiers: no replay, no duplicate, no other hash of the same document.
    fill(&east, "east", EAST).await;
    fill(&west, "west", WEST).await;
    for (tenant, owner, other) in [(&east, "east", "west"), (&west, "west", "east")] {
        for query in QUERIES {
            let found = query.ask(tenant).await;
            assert!(!found.objects.is_empty(), "{}", query.name);
            for object in &found.objects {
                let xml = xml(object);
                assert!(xml.contains(&mark(owner)) && !xml.contains(&mark(other)), "{}: {xml}", query.name);
            }
        }
    }
    // Twice: the second time from what is remembered.
    for document in DOCUMENTS.into_iter().cycle().take(2 * DOCUMENTS.len()) {
        assert_eq!(east.document(EAST, document).await.unwrap(), bytes("east", document));
        assert_eq!(west.document(WEST, document).await.unwrap(), bytes("west", document));
    }
    let list = String::from_utf8(west.document(WEST, LIST_UID).await.unwrap()).unwrap();
    assert!(!list.contains("east"), "{list}");

    let before = everything(&east, EAST).await;
    // A replay is the tenant's own: it changes nothing anywhere.
    let documents = [(REPORT, REPORT_UID), (estate::OLD_LETTER, estate::OLD_LETTER_UID)];
    let documents = documents.map(|(id, unique_id)| (id.to_owned(), bytes("west", unique_id)));
    assert_eq!(west.submit(&first("west"), documents.into()).await.errors, []);
    // What one does with its own leaves the other's.
    assert_eq!(west.register(&ITI42, &related(APND, REPORT)).await.errors, []);
    assert_eq!(west.register(&ITI42, &put_into(FOLDER)).await.errors, []);
    assert_eq!(west.register(&ITI57, &revised("west", WEST, "1")).await.errors, []);
    assert_eq!(west.register(&ITI57, &deprecating(FOLDER)).await.errors, []);
    assert_eq!(west.register(&ITI42, &related(RPLC, estate::NEW_LETTER)).await.errors, []);
    for document in DOCUMENTS {
        let answer = west.remove_documents(&[(WEST, document)]).await;
        assert_eq!(answer.errors, [], "{document}");
        assert_eq!(west.document(WEST, document).await.unwrap_err(), code::DOCUMENT_UNIQUE_ID_ERROR);
    }
    feed(&west, &add(&id("1.2.3", "1"), &person(NAME[0], NAME[1], NAME[2], "19600101"))).await;
    feed(&west, &add(&id("1.2.3", "2"), &person(NAME[0], NAME[1], NAME[2], "19600101"))).await;
    feed(&west, &merge(&id("1.2.3", "2"), &id("1.2.3", "1"), &person(NAME[0], NAME[1], NAME[2], "19600101")))
        .await;
    assert_eq!(west.entries_of(PATIENT).await.len(), 0, "the merge did nothing");
    assert_eq!(everything(&east, EAST).await, before);

    // Nor does a restart mix them.
    drop((east, west));
    let folder = region.stop().await;
    let region = Standalone::in_folder(folder, CONFIG, &[]).await;
    assert_eq!(everything(&region.tenant("east"), EAST).await, before);
    region.stop().await;
}

/// Tells a tenant's registry of patients.
async fn feed(tenant: &Standalone, message: &str) {
    let transaction = if message.contains("PRPA_IN201304UV02") { &ITI44_MERGE } else { &ITI44_ADD };
    let answer = tenant.call(transaction, vec![message.to_owned().into()], Vec::new()).await.unwrap();
    let text = String::from_utf8_lossy(answer.envelope.body().unwrap().tree().source()).into_owned();
    assert!(text.contains("typeCode code=\"CA\""), "{text}");
}

#[tokio::test]
async fn who_is_not_permitted_is_told_so_and_nothing_else() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let clinic = region.tenant("clinic");
    // Nobody may ask there, and no gateway of another community stands before a facility.
    assert_eq!((clinic.url(&ITI18), clinic.url(&ITI38)), (None, None));
    assert!(clinic.url(&ITI41).is_some());
    let document = Document::new(100);
    let submission = submission(PATIENT, std::slice::from_ref(&document));
    let answer = clinic.submit(&submission, vec![("Document0".to_owned(), document.bytes())]).await;
    let codes: Vec<_> = answer.errors.iter().map(|error| &*error.code).collect();
    assert_eq!(codes, [code::LOCAL_POLICY_RESTRICTION]);
    assert_eq!(clinic.register(&ITI42, &submission).await.errors[0].code, code::LOCAL_POLICY_RESTRICTION);
    drop(clinic);
    region.stop().await;
}

/// Who speaks in another's name is refused, be it a submission or an update; others are not asked.
#[tokio::test]
async fn a_source_id_that_is_somebodys_own_is_refused_from_others() {
    let bound =
        "repository = \"1.2.4.4\"\nsenders = [{ certificate = \"CN=his\", source_ids = [\"1.2.3.8\"] }]";
    let configuration = CONFIG.replace("repository = \"1.2.4.4\"", bound);
    let region = Standalone::configured(&configuration, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    fill(&west, "west", WEST).await;
    let document = Document::new(100);
    let own = submission(PATIENT, std::slice::from_ref(&document));
    let refused = [code::LOCAL_POLICY_RESTRICTION];
    let codes =
        |answer: RegistryResponse| answer.errors.into_iter().map(|e| e.code.to_string()).collect::<Vec<_>>();
    assert_eq!(codes(east.submit(&own, vec![("Document0".to_owned(), document.bytes())]).await), refused);
    for (transaction, said) in
        [(&ITI42, related(APND, REPORT)), (&ITI57, deprecating(REPORT)), (&ITI92, revised("east", EAST, "1"))]
    {
        assert_eq!(codes(east.register(transaction, &said).await), refused, "{}", transaction.id);
    }
    let mut other = own.clone();
    for source in other.objects[0].external_identifiers.iter_mut().filter(|one| one.value == "1.2.3.8") {
        source.value = "1.2.3.9".to_owned();
    }
    let sent = vec![("Document0".to_owned(), document.bytes())];
    assert_eq!(codes(east.submit(&other, sent).await), [""; 0], "nobody's own");
    drop((east, west));
    region.stop().await;
}

/// Who may not ask learns nothing by guessing: what is there is refused in the same words as what is not, and so is what
/// another tenant has. (What patients allow, is asked by disclosure decisions when these are there.)
#[tokio::test]
async fn attack_50_guessing_identifiers_tells_nothing() {
    let portal = "submit = [\"*\"], query = [\"CN=portal\"]";
    let closed = CONFIG.replace("submit = [\"*\"], query = [\"*\"]", portal);
    let closed = closed.replace("multi_patient = [\"*\"]", "multi_patient = [\"CN=portal\"]");
    let region = Standalone::configured(&closed, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    fill(&east, "east", EAST).await;
    let refusals = async |tenant: &Standalone, repository: &str, document: &str| {
        let request = wanted(&[(repository, document)]);
        let message = tenant.call(&ITI43, vec![iti43::write_request(&request)], Vec::new()).await.unwrap();
        let answer = iti43::read_response(message.envelope.body().unwrap()).unwrap();
        assert_eq!((answer.status, answer.documents.len()), (Status::Failure, 0), "{document}");
        let said = |error: &RegistryError| {
            let context = error.context.split(" (trace").next().unwrap_or_default().to_owned();
            (error.code.to_string(), context)
        };
        answer.errors.iter().map(said).collect::<Vec<_>>()
    };
    let nothing = refusals(&east, EAST, "1.2.3.404").await;
    assert_eq!(nothing[0].0, code::LOCAL_POLICY_RESTRICTION);
    for document in DOCUMENTS.into_iter().chain([LIST_UID, ""]) {
        for (tenant, repository) in [(&east, EAST), (&east, WEST), (&west, EAST), (&west, WEST)] {
            assert_eq!(refusals(tenant, repository, document).await, nothing, "{document} of {repository}");
        }
    }
    for query in QUERIES {
        let answer = query.ask(&east).await;
        let codes: Vec<_> = answer.errors.iter().map(|error| &*error.code).collect();
        assert_eq!(
            (answer.objects.len(), codes),
            (0, vec![code::LOCAL_POLICY_RESTRICTION]),
            "{}",
            query.name
        );
    }
    drop((east, west));
    region.stop().await;
}

/// No spelling of a path but its own leads to a tenant.
#[tokio::test]
async fn attack_49_hostile_names_of_tenants_lead_nowhere() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let east = region.tenant("east");
    fill(&east, "east", EAST).await;
    let url = east.url(&ITI18).unwrap();
    let address = url.authority().unwrap().as_str().parse().unwrap();
    let long = format!("/hosted/{}/iti-18", "a".repeat(4096));
    for path in [
        "/hosted/..%2feast/iti-18",
        "/hosted/west/../east/iti-18",
        "/hosted/west/..%2f..%2fhosted%2feast/iti-18",
        "/hosted/./east/iti-18",
        "/hosted//east/iti-18",
        "//hosted/east/iti-18",
        "/hosted/east%00/iti-18",
        "/hosted/%00east/iti-18",
        "/hosted/east%2fiti-18",
        "/hosted/%65ast/iti-18",
        "/hosted/EAST/iti-18",
        "/hosted/east;west/iti-18",
        "/hosted/east%20/iti-18",
        "/hosted/e%D0%B0st/iti-18",
        "/hosted/east\\iti-18",
        "/hosted/*/iti-18",
        "/hosted/%25/iti-18",
        "/hosted/own/iti-18",
        "/hosted/urn:oid:1.2.4/iti-18",
        "/hosted/1.2.4.4/iti-18",
        "/services/east/iti-18",
        "/services/hosted/east/iti-18",
        "/hosted/east",
        "/hosted/",
        &long,
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/soap+xml\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(address, request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "404" | "400"), "{path}: {answer}");
        assert!(!answer.contains("owner-"), "{path}: {answer}");
    }
    drop(east);
    region.stop().await;
}
