//! Tenants behind gateways: facilities answer as a part of their community, other communities at their own gateways.

use std::sync::Arc;

use sekisho::cli::peer::Peer;
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::code;
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, ReturnType};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti39::ITI39;
use sekisho::transactions::iti43::ITI43;

use super::estate::{OLD_LETTER, OLD_LETTER_UID, PATIENT, REPORT, REPORT_UID, bytes, fill, first, mark};
use super::queries::xml;
use super::{NAME, feed};
use crate::support::certs::TempDir;
use crate::support::hl7v3::{add, id, person};
use crate::support::hosted::{APPROVED, Standalone, wanted};
use crate::support::http::PATIENCE;

const REGION: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "地域"
authorities = ["1.2.3"]
[listen.http]
address = "127.0.0.1:0"
[hosted]
repository = "1.2.3.4"
patients = "any"
[federation]
communities = "communities"
"#;

/// Every tenant, its repository, and whose it is.
const TENANTS: [(&str, &str, &str); 5] = [
    ("clinic", "1.2.3.5", "facility = \"1.2.3.9\""),
    ("shy", "1.2.3.6", "facility = \"1.2.3.8\"\nfederated = false"),
    ("east", "1.2.4.4", "home = \"urn:oid:1.2.4\"\nfederated = true"),
    ("ward", "1.2.4.5", "home = \"urn:oid:1.2.4\"\nfacility = \"1.2.4.9\"\nfederated = true"),
    ("west", "1.2.5.4", "home = \"urn:oid:1.2.5\""),
];

fn configuration() -> String {
    let tenant = |(name, repository, whose): (&str, &str, &str)| {
        format!(
            "[[tenants]]\nname = \"{name}\"\nrepository = \"{repository}\"\n{whose}\npatients = \"any\"\n\
             permit = {{ submit = [\"*\"] }}\n"
        )
    };
    REGION.to_owned() + &TENANTS.map(tenant).concat()
}

async fn region(configuration: &str) -> Standalone {
    let folder = TempDir::new();
    std::fs::create_dir(folder.path().join("communities")).unwrap();
    Standalone::in_folder(Arc::new(folder), configuration, &[]).await
}

/// Whose objects are found at an endpoint, or the codes of the errors.
async fn found(at: &Standalone, transaction: &Transaction, home: Option<&str>) -> Vec<String> {
    let parameter = |name: &str, value: String| Parameter { name: name.to_owned(), values: vec![value] };
    let request = QueryRequest {
        query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
        home: home.map(str::to_owned),
        return_type: ReturnType::LeafClass,
        parameters: vec![
            parameter("$XDSDocumentEntryPatientId", format!("'{PATIENT}'")),
            parameter("$XDSDocumentEntryStatus", APPROVED.to_owned()),
        ],
    };
    let peer = Peer::plain(PATIENCE).unwrap();
    let answer = peer.query(transaction, &at.url(transaction).unwrap(), &request).await.unwrap();
    let owners = answer.objects.iter().flat_map(|object| {
        let xml = xml(object);
        TENANTS
            .into_iter()
            .filter(move |(owner, ..)| xml.contains(&mark(owner)))
            .map(|(owner, ..)| owner.to_owned())
    });
    let mut found: Vec<_> = owners.chain(answer.errors.iter().map(|error| error.code.to_string())).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whose report comes, or the code of the error.
async fn fetched(at: &Standalone, transaction: &Transaction, home: &str, repository: &str) -> String {
    let mut request = wanted(&[(repository, REPORT_UID)]);
    request.documents[0].home = Some(home.to_owned());
    let (answer, mut documents) = at.fetch(transaction, &request).await;
    match answer.errors.first() {
        Some(error) => error.code.to_string(),
        None => String::from_utf8(documents.remove(0)).unwrap(),
    }
}

#[tokio::test]
async fn a_gateway_answers_for_its_own_community_and_no_other() {
    let region = region(&configuration()).await;
    for (name, repository, _) in TENANTS {
        fill(&region.tenant(name), name, repository).await;
    }
    let (own, east_home, west_home) = ("urn:oid:1.2.3", "urn:oid:1.2.4", "urn:oid:1.2.5");
    let east = region.tenant("east");
    let unknown = [code::UNKNOWN_COMMUNITY];
    assert_eq!(found(&region, &ITI18, None).await, ["clinic"]);
    assert_eq!(found(&region, &ITI38, Some(own)).await, ["clinic"]);
    assert_eq!(found(&region, &ITI38, None).await, ["clinic"]);
    assert_eq!(found(&region, &ITI38, Some(east_home)).await, unknown);
    assert_eq!(found(&east, &ITI38, Some(east_home)).await, ["east", "ward"]);
    assert_eq!(found(&east, &ITI38, None).await, ["east", "ward"]);
    for home in [own, west_home] {
        assert_eq!(found(&east, &ITI38, Some(home)).await, unknown);
    }
    for name in ["clinic", "shy", "ward", "west"] {
        let tenant = region.tenant(name);
        assert_eq!(
            (tenant.url(&ITI38), tenant.url(&ITI39), tenant.url(&ITI18)),
            (None, None, None),
            "{name}"
        );
    }

    let text = |owner| String::from_utf8(bytes(owner, REPORT_UID).to_vec()).unwrap();
    let elsewhere = code::UNKNOWN_REPOSITORY_ID.to_owned();
    for (name, repository, _) in TENANTS {
        let here = |owners: [&str; 2]| if owners.contains(&name) { text(name) } else { elsewhere.clone() };
        assert_eq!(fetched(&region, &ITI43, own, repository).await, here(["clinic", ""]), "{name}");
        assert_eq!(fetched(&region, &ITI39, own, repository).await, here(["clinic", ""]), "{name}");
        assert_eq!(fetched(&east, &ITI39, east_home, repository).await, here(["east", "ward"]), "{name}");
        assert_eq!(fetched(&east, &ITI39, own, repository).await, code::UNKNOWN_COMMUNITY, "{name}");
    }
    drop(east);
    region.stop().await;
}

#[tokio::test]
async fn a_feed_reaches_the_facilities_of_its_community_only() {
    let configuration = configuration()
        .replace("\"any\"", "\"fed\"")
        .replace("[[tenants]]\n", "[[tenants]]\nauthorities = [\"1.2.3\"]\n");
    let region = region(&configuration).await;
    let submitted = async |tenant: &Standalone| {
        let documents = [(REPORT, REPORT_UID), (OLD_LETTER, OLD_LETTER_UID)];
        let documents = documents.map(|(id, unique_id)| (id.to_owned(), bytes("own", unique_id)));
        let answer = tenant.submit(&first("own"), documents.into()).await;
        answer.errors.iter().map(|error| error.code.to_string()).collect::<Vec<_>>()
    };
    let unknown = vec![code::UNKNOWN_PATIENT_ID.to_owned()];
    for (name, ..) in TENANTS {
        assert_eq!(submitted(&region.tenant(name)).await, unknown, "{name}");
    }
    assert_eq!(submitted(&region).await, unknown);
    feed(&region, &add(&id("1.2.3", "1"), &person(NAME[0], NAME[1], NAME[2], "19600101"))).await;
    assert_eq!(submitted(&region).await, [""; 0]);
    for (name, ..) in TENANTS {
        let expected = if matches!(name, "clinic" | "shy") { vec![] } else { unknown.clone() };
        assert_eq!(submitted(&region.tenant(name)).await, expected, "{name}");
    }
    region.stop().await;
}

/// Who is not named as a peer is answered by no gateway, whatever it names.
#[tokio::test]
async fn a_tenants_gateway_answers_those_whom_it_names() {
    let configuration =
        configuration().replace("submit = [\"*\"]", "submit = [\"*\"], gateway = [\"CN=peer\"]");
    let region = region(&configuration).await;
    let east = region.tenant("east");
    fill(&east, "east", "1.2.4.4").await;
    for home in [Some("urn:oid:1.2.4"), None] {
        assert_eq!(found(&east, &ITI38, home).await, [code::LOCAL_POLICY_RESTRICTION]);
    }
    for repository in ["1.2.4.4", "1.2.4.5", "1.2.3.4"] {
        let answer = fetched(&east, &ITI39, "urn:oid:1.2.4", repository).await;
        assert_eq!(answer, code::LOCAL_POLICY_RESTRICTION, "{repository}");
    }
    assert_eq!(found(&region, &ITI38, None).await, [""; 0], "the region's own is another one");
    drop(east);
    region.stop().await;
}
