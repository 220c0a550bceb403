//! Several tenants in one gateway: nothing of one is ever seen, said or changed through another.

use sekisho::transactions::errors::code;
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti41::ITI41;

use crate::support::hosted::Standalone;
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

const PATIENT: &str = "1^^^&1.2.3&ISO";

#[tokio::test]
async fn each_tenant_has_its_own_documents() {
    let region = Standalone::configured(CONFIG, &[]).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    let document = Document::new(100);
    let submission = submission(PATIENT, std::slice::from_ref(&document));
    let answer = east.submit(&submission, vec![("Document0".to_owned(), document.bytes())]).await;
    assert_eq!(answer.errors, []);
    assert_eq!(east.entries_of(PATIENT).await.len(), 1);
    assert_eq!(west.entries_of(PATIENT).await.len(), 0);
    assert_eq!(region.entries_of(PATIENT).await.len(), 0);
    drop((east, west));
    region.stop().await;
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
    drop(clinic);
    region.stop().await;
}
