//! What a tenant may hold: counted with each submission, refused beyond it, and given back.

use sekisho::transactions::errors::code;

use super::estate::{PATIENT, REPORT_UID, fill};
use super::{CONFIG, EAST, WEST};
use crate::support::hosted::Standalone;
use crate::support::http::raw;
use crate::support::submissions::{Document, submission};

async fn submit(tenant: &Standalone, document: &Document) -> Vec<String> {
    let submission = submission(PATIENT, std::slice::from_ref(document));
    let answer = tenant.submit(&submission, vec![("Document0".to_owned(), document.bytes())]).await;
    answer.errors.iter().map(|error| error.code.to_string()).collect()
}

async fn status(region: &Standalone) -> String {
    let address = region.running().bound().operator.clone().unwrap();
    let address = address.trim_start_matches("http://").parse().unwrap();
    raw(address, b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
}

#[tokio::test]
async fn a_tenant_holds_what_its_quota_says_and_no_more() {
    let quota = "name = \"east\"\nquota = { documents = 5, bytes = 3_000_000 }";
    let configuration = CONFIG.replace("name = \"east\"", quota);
    let operator = ["listen.operator.address=127.0.0.1:0"];
    let region = Standalone::configured(&configuration, &operator).await;
    let (east, west) = (region.tenant("east"), region.tenant("west"));
    fill(&east, "east", EAST).await;
    fill(&west, "west", WEST).await;
    let full = [code::REPOSITORY_OUT_OF_RESOURCES];
    // Small and large ones, by bytes and by number.
    assert_eq!(submit(&east, &Document::new(3_000_000)).await, full);
    assert_eq!(submit(&east, &Document::new(2_900_000)).await, [""; 0]);
    let sixth = Document::new(10);
    assert_eq!(submit(&east, &sixth).await, full);
    assert_eq!(submit(&west, &sixth).await, [""; 0], "another tenant has room");
    assert_eq!(east.entries_of(PATIENT).await.len(), 4, "something of a refused submission was kept");

    // The count survives, and what is removed is given back.
    drop((east, west));
    let folder = region.stop().await;
    let region = Standalone::in_folder(folder, &configuration, &operator).await;
    let east = region.tenant("east");
    assert_eq!(submit(&east, &sixth).await, full);
    let status = status(&region).await;
    assert!(status.contains("\"used_percent\": 100"), "{status}");
    assert!(status.contains("tenant east has used 100 % of its quota"), "{status}");
    let answer = east.remove_documents(&[(EAST, REPORT_UID)]).await;
    assert_eq!(answer.errors, []);
    assert_eq!(submit(&east, &sixth).await, [""; 0]);
    assert_eq!(submit(&east, &Document::new(10)).await, full);
    drop(east);
    region.stop().await;
}
