//! The sample requests of `schemas/samples`, posted as `schemas/README.md` says: to a region that is the one which they
//! name, all of them are answered with Success.

use crate::support::certs::TempDir;
use crate::support::program::Served;

/// The region of the samples.
const REGION: [&str; 7] = [
    "community.home=urn:oid:2.999.1",
    "community.authorities=[\"2.999.1.3\"]",
    "identity.domains=[{ oid = \"2.999.1.3\", namespace = \"REGION\" }]",
    "hosted.repository=2.999.1.2",
    "hosted.permit.multi_patient=[\"*\"]",
    "hosted.permit.update=[\"*\"]",
    "hosted.permit.remove=[\"*\"]",
];

const SUCCESS: &str = "status=\"urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success\"";

fn sample(transaction: &str) -> String {
    std::fs::read_to_string(format!("schemas/samples/{transaction}.xml")).unwrap()
}

#[test]
fn every_sample_is_answered_as_the_readme_says() {
    let folder = TempDir::new();
    let served = Served::start("examples/hosted/sekisho.toml", folder.path(), &REGION);
    // What the answer to each holds besides its status.
    let answers = [
        ("/hosted/iti-41", "iti-41", "<rs:RegistryResponse "),
        ("/hosted/iti-42", "iti-42", "<rs:RegistryResponse "),
        ("/hosted/iti-61", "iti-61", "<rs:RegistryResponse "),
        ("/hosted/iti-18", "iti-18", "value=\"2.999.1.4.41.1\""),
        ("/hosted/iti-51", "iti-51", "value=\"2.999.1.4.41.1\""),
        ("/hosted/iti-43", "iti-43", "<xds:Document>6YCA6Zmi"),
        ("/services/iti-18", "iti-18", "home=\"urn:oid:2.999.1\""),
        ("/services/iti-38", "iti-38", "home=\"urn:oid:2.999.1\""),
        ("/services/iti-39", "iti-39", "<xds:Document>6YCA6Zmi"),
        // The combined path knows them by their bodies and actions.
        ("/services", "iti-38", "urn:ihe:iti:2007:CrossGatewayQueryResponse"),
        ("/hosted/iti-86", "iti-86", "<rs:RegistryResponse "),
    ];
    for (path, transaction, expected) in answers {
        let (status, answer) = served.post(path, &sample(transaction));
        assert_eq!(status, 200, "{transaction} at {path}: {answer}");
        assert!(answer.contains(SUCCESS), "{transaction} at {path}: {answer}");
        assert!(answer.contains(expected), "{transaction} at {path}: {answer}");
    }
    // Those on patient identity have acknowledgements of their own.
    let identity = [
        ("iti-44", "<hl7:typeCode code=\"CA\"/>"),
        ("iti-45", "<hl7:queryResponseCode code=\"NF\"/>"),
        ("iti-47", "<hl7:id root=\"2.999.1.3\" extension=\"P-0001\"/>"),
        ("iti-55", "<hl7:id root=\"2.999.1.3\" extension=\"P-0001\"/>"),
        ("iti-56", "<xcpd:HomeCommunityId>urn:oid:2.999.1</xcpd:HomeCommunityId>"),
    ];
    for (transaction, expected) in identity {
        let (status, answer) = served.post(&format!("/services/{transaction}"), &sample(transaction));
        assert!(status == 200 && answer.contains(expected), "{transaction}: {answer}");
    }
    // Its objects are nobody's: who sends it puts in what a query gave.
    let changes = [
        ("iti-57", "XDSMetadataVersionError"),
        ("iti-92", "XDSMetadataVersionError"),
        ("iti-62", "UnresolvedReferenceException"),
    ];
    for (transaction, code) in changes {
        let (status, answer) = served.post(&format!("/hosted/{transaction}"), &sample(transaction));
        assert!(status == 200 && answer.contains(&format!("errorCode=\"{code}\"")), "{answer}");
    }
    for file in std::fs::read_dir("schemas/samples").unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let posted = answers.iter().any(|(_, sample, _)| name == format!("{sample}.xml"));
        let changes = changes.iter().any(|(sample, _)| name == format!("{sample}.xml"));
        let identity = identity.iter().any(|(sample, _)| name == format!("{sample}.xml"));
        assert!(posted || changes || identity, "{name} is not posted");
    }
}

#[test]
fn attack_17_a_replayed_message_is_judged_by_what_it_holds() {
    let folder = TempDir::new();
    let served = Served::start("examples/hosted/sekisho.toml", folder.path(), &REGION);
    let documents =
        || served.post("/hosted/iti-18", &sample("iti-18")).1.matches("<rim:ExtrinsicObject ").count();
    let (_, first) = served.post("/hosted/iti-41", &sample("iti-41"));
    assert!(first.contains(SUCCESS), "{first}");

    // The same bytes: the same reply, and nothing is stored again.
    let (_, again) = served.post("/hosted/iti-41", &sample("iti-41"));
    assert!(again.contains(SUCCESS), "{again}");
    assert_eq!(documents(), 1);

    // The same MessageID and SubmissionSet.uniqueId, other content: refused like any other reuse of a uniqueId.
    let other = sample("iti-41").replace("value=\"退院\"", "value=\"入院\"");
    let (status, refused) = served.post("/hosted/iti-41", &other);
    assert_eq!(status, 200);
    assert!(refused.contains("errorCode=\"XDSDuplicateUniqueIdInRegistry\""), "{refused}");
    assert_eq!(documents(), 1);

    // The same MessageID, another submission: a MessageID is no key, and this one is as good as any.
    let another = sample("iti-41").replace("2.999.1.4.41.", "2.999.1.4.99.");
    let (_, accepted) = served.post("/hosted/iti-41", &another);
    assert!(accepted.contains(SUCCESS), "{accepted}");
    assert_eq!(documents(), 2);

    // A query that is sent again is answered again, with what is there now.
    let relates_to = "<wsa:RelatesTo>urn:uuid:5b0d2e86-3c5e-4f0c-9a54-000000000018</wsa:RelatesTo>";
    for _ in 0..2 {
        let (_, answer) = served.post("/hosted/iti-18", &sample("iti-18"));
        assert!(answer.contains(SUCCESS) && answer.contains(relates_to), "{answer}");
    }
}
