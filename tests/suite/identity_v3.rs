//! ITI-44, 45, 46 and 47 over sockets, with a real patient index: each outcome of ITI TF-2: 3.44 to 3.47 as it stands on the
//! wire.

use std::time::Instant;

use bytes::Bytes;
use hyper::Method;
use sekisho::limits::Limits;
use sekisho::server::{Front, Place, Service, Services};
use sekisho::transactions::Transaction;
use sekisho::transactions::hl7v3::Party;
use sekisho::transactions::hl7v3::registration::{Custodian, HealthDataLocator};
use sekisho::transactions::identity::{Feed, IdentifiersChanged};
use sekisho::transactions::iti44::{ITI44_ADD, ITI44_MERGE, ITI44_REVISE};
use sekisho::transactions::iti45::ITI45;
use sekisho::transactions::iti46::{self, ITI46};
use sekisho::transactions::iti47::{ITI47_CANCEL, ITI47_CANCEL_NAMED, ITI47_CONTINUE, ITI47_FIND};
use sekisho::wire::http::{Client, ClientSettings};
use sekisho::wire::soap::{CallError, Endpoint, Form, Message, Outgoing, call};

use crate::support::front::{Asks, SIMPLE, envelope};
use crate::support::hl7v3::{
    add, continuation, corresponding, family, find, id, merge, message, parameter, person, replacement,
    revise, subject,
};
use crate::support::hosted::Standalone;
use crate::support::http::{PATIENCE, plain};
use crate::support::{golden, messages};

/// Two domains of the region; `UNKNOWN` is none.
const HOSPITAL: &str = "2.999.1.1";
const CLINIC: &str = "2.999.1.2";
const UNKNOWN: &str = "2.999.1.9";

struct Peer {
    region: Standalone,
    client: Client,
}

/// Whether a request that is sent is as the schema has it.
enum Request {
    Valid(String),
    Broken(String),
}

impl Peer {
    async fn start() -> Self {
        let domains = format!(
            "identity.domains=[{{oid=\"{HOSPITAL}\", namespace=\"HOSPITAL\"}}, {{oid=\"{CLINIC}\", namespace=\"CLINIC\"}}]"
        );
        let region = Standalone::start(&[&domains]).await;
        Self { region, client: Client::new(&ClientSettings::default()).unwrap() }
    }

    async fn call(&self, transaction: &Transaction, request: Request) -> Result<Message, CallError> {
        if let Request::Valid(body) = &request {
            messages::keep(transaction.id, body.as_bytes());
        }
        let (Request::Valid(body) | Request::Broken(body)) = &request;
        let endpoint = Endpoint { url: self.region.url(transaction).unwrap(), relates_to_optional: false };
        let outgoing = Outgoing {
            form: Form::Simple,
            action: transaction.action.to_owned(),
            to: Some(endpoint.url.to_string()),
            body: vec![Bytes::copy_from_slice(body.as_bytes())],
            ..Outgoing::default()
        };
        let answer =
            call(&self.client, &endpoint, outgoing, &Limits::default(), Instant::now() + PATIENCE).await?;
        messages::keep("answer", answer.envelope.tree.source());
        assert_eq!(answer.envelope.addressing.action.as_deref(), Some(transaction.response_action));
        Ok(answer)
    }

    /// Sends what is valid; gives the answer's body.
    async fn ask(&self, transaction: &Transaction, body: String) -> String {
        shown(&self.call(transaction, Request::Valid(body)).await.unwrap())
    }

    /// Sends what the schema does not allow, and nonetheless is answered.
    async fn ask_oddly(&self, transaction: &Transaction, body: String) -> String {
        shown(&self.call(transaction, Request::Broken(body)).await.unwrap())
    }

    /// Sends what is no message of the transaction; gives the fault.
    async fn fault(&self, transaction: &Transaction, body: String) -> String {
        match self.call(transaction, Request::Broken(body)).await {
            Err(CallError::Fault(fault)) => fault.reason,
            other => panic!("{other:?}"),
        }
    }

    /// Feeds somebody, and sees that it is taken.
    async fn feed(&self, ids: &str, person: &str) {
        let answer = self.ask(&ITI44_ADD, add(ids, person)).await;
        assert!(answer.contains("<hl7:typeCode code=\"CA\"/>"), "{answer}");
    }
}

/// The body of an answer, its time and its own id made the same every time, an element on each line.
pub fn shown(message: &Message) -> String {
    let body = message.envelope.body().unwrap();
    let text = String::from_utf8(message.envelope.tree.source()[body.range()].to_vec()).unwrap();
    let (before, rest) = text.split_once("creationTime value=\"").unwrap();
    let (time, after) = rest.split_once('"').unwrap();
    assert_eq!(time.len(), 14);
    format!("{before}creationTime value=\"NOW\"{after}").replace("><", ">\n<") + "\n"
}

pub fn check(name: &str, answer: &str) {
    golden::check(&format!("identity-v3/{name}.xml"), answer.as_bytes());
}

pub fn hanako() -> String {
    person(("山田", "花子"), ("ヤマダ", "ハナコ"), ("Yamada", "Hanako"), "19600229")
}

fn other_ids(root: &str, extension: &str) -> String {
    format!(
        "<asOtherIDs classCode=\"PAT\">{}<scopingOrganization classCode=\"ORG\" determinerCode=\"INSTANCE\"><id \
         root=\"{root}\"/></scopingOrganization></asOtherIDs>",
        id(root, extension)
    )
}

#[tokio::test]
async fn corresponding_identifiers_are_told_by_the_cases_of_the_technical_framework() {
    let peer = Peer::start().await;
    // Identifiers that one message names are one person's.
    let ids = id(HOSPITAL, "H-1") + &id(CLINIC, "C-1") + &id(CLINIC, "C-2");
    check("iti44-added", &peer.ask(&ITI44_ADD, add(&ids, &hanako())).await);
    peer.feed(
        &id(HOSPITAL, "H-2"),
        &person(("佐藤", "一"), ("サトウ", "ハジメ"), ("Sato", "Hajime"), "19550505"),
    )
    .await;

    let cases: [(&str, String); 7] = [
        ("found", corresponding(HOSPITAL, "H-1", &[])),
        ("found-not-itself", corresponding(CLINIC, "C-1", &[CLINIC])),
        ("known-not-linked", corresponding(HOSPITAL, "H-2", &[])),
        ("known-not-in-wanted", corresponding(HOSPITAL, "H-1", &[HOSPITAL])),
        ("unknown-id", corresponding(HOSPITAL, "H-9", &[])),
        ("unknown-domain", corresponding(UNKNOWN, "H-1", &[])),
        ("unknown-wanted", corresponding(HOSPITAL, "H-1", &[CLINIC, UNKNOWN, "2.999.1.8"])),
    ];
    for (name, query) in cases {
        check(&format!("iti45-{name}"), &peer.ask(&ITI45, query).await);
    }
    let two = corresponding(HOSPITAL, "H-1", &[]).replace(
        "<patientIdentifier>",
        "<patientIdentifier><value root=\"2.999.1.1\" extension=\"H-2\"/><semanticsText>Patient.id</semanticsText>\
         </patientIdentifier><patientIdentifier>",
    );
    check("iti45-two-patients", &peer.ask(&ITI45, two).await);
    let nobody = corresponding(HOSPITAL, "H-1", &["HOSPITAL"])
        .replace("<value root=\"2.999.1.1\" extension=\"H-1\"/>", "")
        .replace("</queryByParameter>", "<whatever/></queryByParameter>");
    check("iti45-no-patient", &peer.ask_oddly(&ITI45, nobody).await);
}

#[tokio::test]
async fn a_merge_ends_one_identifier_in_favour_of_another() {
    let peer = Peer::start().await;
    peer.feed(&id(HOSPITAL, "OLD"), &hanako()).await;
    peer.feed(&(id(HOSPITAL, "NEW") + &id(CLINIC, "C-1")), &hanako()).await;

    let merged = merge(&id(HOSPITAL, "NEW"), &id(HOSPITAL, "OLD"), &hanako());
    check("iti44-merged", &peer.ask(&ITI44_MERGE, merged).await);
    let found = peer.ask(&ITI45, corresponding(CLINIC, "C-1", &[HOSPITAL])).await;
    assert!(found.contains("extension=\"NEW\"") && !found.contains("OLD"), "{found}");

    for (name, surviving, subsumed) in [
        ("again", id(HOSPITAL, "NEW"), id(HOSPITAL, "OLD")),
        ("of-itself", id(HOSPITAL, "NEW"), id(HOSPITAL, "NEW")),
        ("of-two-domains", id(HOSPITAL, "NEW"), id(CLINIC, "C-1")),
        ("of-nobody-known", id(HOSPITAL, "NEW"), id(HOSPITAL, "WHO")),
        ("into-nobody-known", id(HOSPITAL, "WHO"), id(HOSPITAL, "NEW")),
        ("of-a-my-number", id(HOSPITAL, "NEW"), id(HOSPITAL, "123456789018")),
    ] {
        let answer = peer.ask(&ITI44_MERGE, merge(&surviving, &subsumed, &hanako())).await;
        check(&format!("iti44-merge-{name}"), &answer);
    }
    let late = revise(&id(HOSPITAL, "OLD"), &hanako());
    check("iti44-revised-after-merge", &peer.ask(&ITI44_REVISE, late).await);
    check("iti45-subsumed-id", &peer.ask(&ITI45, corresponding(HOSPITAL, "OLD", &[])).await);

    let unknown = merge(&id(HOSPITAL, "NEW"), &id(UNKNOWN, "OLD"), &hanako());
    check("iti44-merge-unknown-domain", &peer.ask(&ITI44_MERGE, unknown).await);
    let none = message("PRPA_IN201304UV02", "", &subject(&id(HOSPITAL, "NEW"), &hanako(), ""));
    check("iti44-merge-of-nothing", &peer.ask(&ITI44_MERGE, none).await);
    let several = replacement(&(id(HOSPITAL, "A") + &id(HOSPITAL, "B")));
    let several = message("PRPA_IN201304UV02", "", &subject(&id(HOSPITAL, "NEW"), &hanako(), &several));
    check("iti44-merge-of-several", &peer.ask(&ITI44_MERGE, several).await);
    let disguised = message(
        "PRPA_IN201302UV02",
        "",
        &subject(&id(HOSPITAL, "NEW"), &hanako(), &replacement(&id(HOSPITAL, "A"))),
    );
    check("iti44-merge-as-revise", &peer.ask(&ITI44_REVISE, disguised).await);
}

#[tokio::test]
async fn a_feed_that_cannot_be_taken_is_refused_with_its_place() {
    let peer = Peer::start().await;
    let no_id = add("<id nullFlavor=\"UNK\"/>", &hanako());
    check("iti44-no-id", &peer.ask(&ITI44_ADD, no_id).await);
    let strangers = add(&format!("<id nullFlavor=\"NI\"/>{}", id(UNKNOWN, "X")), &hanako());
    check("iti44-unknown-domain", &peer.ask(&ITI44_ADD, strangers).await);
    let bad_birth = add(&id(HOSPITAL, "H-1"), &hanako().replace("19600229", "1960022"));
    check("iti44-birth-time", &peer.ask(&ITI44_ADD, bad_birth).await);
    let two = subject(&id(HOSPITAL, "H-1"), &hanako(), "") + &subject(&id(HOSPITAL, "H-2"), &hanako(), "");
    check("iti44-several-patients", &peer.ask(&ITI44_ADD, message("PRPA_IN201301UV02", "", &two)).await);
    let my_number = add(&id(HOSPITAL, "123456789018"), &hanako());
    check("iti44-my-number", &peer.ask(&ITI44_ADD, my_number).await);
    check("iti45-my-number", &peer.ask(&ITI45, corresponding(HOSPITAL, "123456789018", &[])).await);
    for known in ["H-1", "H-2"] {
        let answer = peer.ask(&ITI45, corresponding(HOSPITAL, known, &[])).await;
        assert!(answer.contains("queryResponseCode code=\"AE\""), "{answer}");
    }
}

#[tokio::test]
async fn patients_are_found_by_what_is_asked_of_them() {
    let peer = Peer::start().await;
    let ids = id(HOSPITAL, "H-1") + &id(CLINIC, "C-1");
    let more = "<asOtherIDs classCode=\"PAT\"><id root=\"2.999.1.2\" extension=\"C-3\"/><scopingOrganization \
        classCode=\"ORG\" determinerCode=\"INSTANCE\"><id root=\"2.999.1.2\"/></scopingOrganization></asOtherIDs>\
        <personalRelationship classCode=\"PRS\"><code code=\"MTH\" codeSystem=\"2.16.840.1.113883.5.111\"/>\
        <relationshipHolder1 classCode=\"PSN\" determinerCode=\"INSTANCE\"><name><family>鈴木</family></name>\
        </relationshipHolder1></personalRelationship><birthPlace><birthplace classCode=\"PLC\" \
        determinerCode=\"INSTANCE\"><name>京都</name></birthplace></birthPlace>";
    peer.feed(&ids, &(hanako() + more)).await;
    peer.feed(
        &id(HOSPITAL, "H-2"),
        &person(("佐藤", "一"), ("サトウ", "ハジメ"), ("Sato", "Hajime"), "19550505"),
    )
    .await;
    let by_id = |extension| {
        parameter("livingSubjectId", &format!("<value root=\"{HOSPITAL}\" extension=\"{extension}\"/>"))
    };
    let wanted = |oid: &str| parameter("otherIDsScopingOrganization", &format!("<value root=\"{oid}\"/>"));
    let name = |scheme, family| {
        parameter("livingSubjectName", &format!("<value use=\"{scheme}\"><family>{family}</family></value>"))
    };
    let born = |value: &str| parameter("livingSubjectBirthTime", &format!("<value {value}"));

    check("iti47-by-id", &peer.ask(&ITI47_FIND, find(None, &by_id("H-1"))).await);
    for (what, parameters) in [
        ("kanji", name("IDE", "山田")),
        ("kana", name("SYL", "ヤマダ")),
        ("romaji in other case", name("ABC", "YAMADA")),
        ("a birthday", born("value=\"19600229\"/>")),
        ("a range", born("><low value=\"1960\"/><high value=\"196003\"/></value>") + &family("山田")),
        ("one of two names", name("IDE", "別名") + &name("IDE", "山田")),
    ] {
        // The schema has an order.
        let answer = peer.ask(&ITI47_FIND, find(None, &parameters)).await;
        assert!(answer.contains("extension=\"H-1\"") && !answer.contains("H-2"), "{what}: {answer}");
    }
    check(
        "iti47-nobody",
        &peer.ask(&ITI47_FIND, find(None, &(born("value=\"18991231\"/>") + &family("山田")))).await,
    );
    check("iti47-unknown-id", &peer.ask(&ITI47_FIND, find(None, &by_id("H-9"))).await);
    let both = by_id("H-1") + &wanted(CLINIC) + &wanted(HOSPITAL);
    check("iti47-wanted", &peer.ask(&ITI47_FIND, find(None, &both)).await);
    let absent = by_id("H-2") + &wanted(CLINIC) + &wanted(HOSPITAL);
    check("iti47-wanted-without-id", &peer.ask(&ITI47_FIND, find(None, &absent)).await);
    let unknown = by_id("H-1") + &wanted(CLINIC) + &wanted(UNKNOWN) + &wanted("2.999.1.8");
    check("iti47-unknown-wanted", &peer.ask(&ITI47_FIND, find(None, &unknown)).await);
    check("iti47-nothing-asked", &peer.ask(&ITI47_FIND, find(None, "")).await);
    let backwards = find(None, &born("value=\"1960022\"/>"));
    check("iti47-birth-time", &peer.ask(&ITI47_FIND, backwards).await);
    check("iti47-my-number", &peer.ask(&ITI47_FIND, find(None, &by_id("123456789018"))).await);
    let sex = parameter("livingSubjectAdministrativeGender", "<value code=\"F\"/>");
    check("iti47-too-wide", &peer.ask(&ITI47_FIND, find(None, &sex)).await);

    // A revision replaces what it names and keeps the rest.
    let moved =
        "<name use=\"IDE\"><family>田中</family><given>花子</given></name><telecom nullFlavor=\"NI\"/>";
    let answer = peer.ask(&ITI44_REVISE, revise(&id(HOSPITAL, "H-1"), moved)).await;
    check("iti44-revised", &answer);
    check("iti47-after-revise", &peer.ask(&ITI47_FIND, find(None, &by_id("H-1"))).await);
}

#[tokio::test]
async fn an_answer_comes_page_by_page_for_the_one_who_asked() {
    let peer = Peer::start().await;
    let people = [
        ("一", "ハジメ", "Hajime", "19500101"),
        ("聡子", "サトコ", "Satoko", "19620315"),
        ("健二", "ケンジ", "Kenji", "19731231"),
        ("美由紀", "ミユキ", "Miyuki", "19840607"),
        ("翔", "ショウ", "Sho", "20050819"),
    ];
    for (number, (kanji, kana, romaji, born)) in people.into_iter().enumerate() {
        let person = person(("渡辺", kanji), ("ワタナベ", kana), ("Watanabe", romaji), born);
        peer.feed(&id(HOSPITAL, &format!("W-{number}")), &person).await;
    }
    let quantities = |answer: &str| {
        ["Total", "Current", "Remaining"].map(|which| {
            let (_, rest) = answer.split_once(&format!("result{which}Quantity value=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse::<usize>().unwrap()
        })
    };
    let first = peer.ask(&ITI47_FIND, find(Some(2), &family("渡辺"))).await;
    assert_eq!(quantities(&first), [5, 2, 3]);
    check("iti47-first-page", &first);
    let wait = "waitContinuedQueryResponse";
    let second = peer.ask(&ITI47_CONTINUE, continuation("Q-1", None, 2, wait)).await;
    assert_eq!(quantities(&second), [5, 2, 1]);
    check("iti47-second-page", &second);
    let again = peer.ask(&ITI47_CONTINUE, continuation("Q-1", Some(3), 3, wait)).await;
    assert_eq!(quantities(&again), [5, 3, 0]);
    // The other trigger event of the Technical Framework.
    let other = continuation("Q-1", Some(5), 2, wait).replace("PRPA_TE000003UV01", "QUQI_TE000003UV01");
    check("iti47-last-page", &peer.ask(&ITI47_CONTINUE, other).await);
    check("iti47-unknown-continuation", &peer.ask(&ITI47_CONTINUE, continuation("Q-2", None, 2, wait)).await);
    check("iti47-cancelled", &peer.ask(&ITI47_CANCEL, continuation("Q-1", None, 0, "aborted")).await);
    let gone = peer.ask(&ITI47_CONTINUE, continuation("Q-1", Some(1), 2, wait)).await;
    assert!(gone.contains("queryResponseCode code=\"AE\""), "{gone}");
    check("iti47-continued-after-cancel", &gone);
    // As some peers name it.
    let named = continuation("Q-1", None, 0, "aborted")
        .replace("<QUQI_IN000003UV01 ", "<QUQI_IN000003UV01_Cancel ")
        .replace("</QUQI_IN000003UV01>", "</QUQI_IN000003UV01_Cancel>");
    let cancelled = peer.ask_oddly(&ITI47_CANCEL_NAMED, named).await;
    assert!(cancelled.contains("typeCode code=\"CA\""), "{cancelled}");
    check("iti47-cancelled-by-name", &cancelled);
}

/// The body of an answer as it came, its time made the same every time.
fn body_of(envelope: &str) -> String {
    let (_, body) = envelope.split_once("<soap:Body>").unwrap();
    let (body, _) = body.split_once("</soap:Body>").unwrap();
    let (before, rest) = body.split_once("creationTime value=\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}creationTime value=\"NOW\"{after}").replace("><", ">\n<") + "\n"
}

#[tokio::test]
async fn what_cannot_be_done_at_present_is_rejected_and_may_come_again() {
    const DOMAIN: &str = "1.2.1";
    let region = crate::support::region::Region::start().await;
    let limits = Limits::default();
    let server = plain(limits.clone(), Front::new(region.web_services(), &limits)).await;
    let asks = Asks::of(&server);
    region.put_away();
    let (one, other) = (id(DOMAIN, "A"), id(DOMAIN, "B"));
    for (name, transaction, body, code) in [
        ("iti44-away", &ITI44_ADD, add(&one, &hanako()), "CR"),
        ("iti44-revise-away", &ITI44_REVISE, revise(&one, &hanako()), "CR"),
        ("iti44-merge-away", &ITI44_MERGE, merge(&one, &other, &hanako()), "CR"),
        ("iti45-away", &ITI45, corresponding(DOMAIN, "A", &[]), "AR"),
        ("iti47-away", &ITI47_FIND, find(None, &family("山田")), "AR"),
    ] {
        messages::keep(transaction.id, body.as_bytes());
        let (status, answer) = asks.text("/services", SIMPLE, envelope(transaction.action, "", &body)).await;
        assert!(status == 200 && answer.contains(&format!("typeCode code=\"{code}\"")), "{name}: {answer}");
        check(name, &body_of(&answer));
    }
    region.stop().await;
}

#[tokio::test]
async fn a_domain_has_one_source() {
    let domains = format!(
        "identity.domains=[{{oid=\"{HOSPITAL}\", namespace=\"HOSPITAL\", source={{application=\"2.999.5\", facility=\"\"}}}}]"
    );
    let region = Standalone::start(&[&domains]).await;
    let peer = Peer { region, client: Client::new(&ClientSettings::default()).unwrap() };
    let told = add(&id(HOSPITAL, "H-1"), &hanako());
    check("iti44-another-source", &peer.ask(&ITI44_ADD, told.clone()).await);
    let its_own = told.replace("2.999.9", "2.999.5");
    assert!(peer.ask(&ITI44_ADD, its_own).await.contains("typeCode code=\"CA\""));
}

#[tokio::test]
async fn odd_messages_that_are_legal_are_taken() {
    let peer = Peer::start().await;
    // Whatever may be missing is missing, in other prefixes, with comments, nulls and things that nobody knows.
    let sparse = add(
        &format!("<!-- c --><id root=\"{HOSPITAL}\" extension=\"H-1\" assigningAuthorityName=\"病院\"/>"),
        "<realmCode code=\"JP\"/><name nullFlavor=\"NI\"/><name><!-- 山 -->山田<![CDATA[　花子]]></name>\
         <administrativeGenderCode nullFlavor=\"UNK\"/><birthTime nullFlavor=\"ASKU\"/><asCitizen><politicalNation>\
         <code code=\"JP\"/></politicalNation></asCitizen>",
    );
    let prefixed = sparse
        .replace("xmlns=\"urn:hl7-org:v3\"", "xmlns:hl7v3=\"urn:hl7-org:v3\"")
        .replace("</", "\u{1}")
        .replace("<!", "\u{2}")
        .replace('<', "<hl7v3:")
        .replace('\u{1}', "</hl7v3:")
        .replace('\u{2}', "<!");
    let answer = peer.ask_oddly(&ITI44_ADD, prefixed).await;
    assert!(answer.contains("typeCode code=\"CA\""), "{answer}");
    let bare = "<PRPA_IN201305UV02 xmlns=\"urn:hl7-org:v3\"><id root=\"2.999.7.1\"/><controlActProcess><queryByParameter>\
        <queryId root=\"2.999.7.2\"/><parameterList><livingSubjectName><value>山田</value></livingSubjectName>\
        </parameterList></queryByParameter></controlActProcess></PRPA_IN201305UV02>";
    let answer = peer.ask_oddly(&ITI47_FIND, bare.to_owned()).await;
    check("iti47-of-a-bare-query", &answer);

    // A BOM, and the path that all share.
    let asks_url = peer.region.url(&ITI45).unwrap();
    let body = format!("\u{FEFF}{}", envelope(ITI45.action, "", &corresponding(HOSPITAL, "H-1", &[])));
    let common = asks_url.to_string().replace("/services/iti-45", "/services").parse().unwrap();
    let headers = [(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(SIMPLE))];
    let (length, body) = (Some(body.len() as u64), crate::support::http::whole(body));
    let answer = peer
        .client
        .post(&common, headers.into_iter().collect(), length, body, Instant::now() + PATIENCE)
        .await;
    let answer = crate::support::http::collect(answer.unwrap().into_body()).await;
    assert!(String::from_utf8_lossy(&answer).contains("queryResponseCode code=\"NF\""));
}

#[tokio::test]
async fn a_broken_body_is_a_fault_and_says_what_is_missing() {
    let peer = Peer::start().await;
    let mut told = String::new();
    let root = |name: &str, content: &str| format!("<{name} xmlns=\"urn:hl7-org:v3\">{content}</{name}>");
    for (transaction, name, content) in [
        (&ITI44_ADD, "PRPA_IN201301UV02", ""),
        (&ITI44_ADD, "PRPA_IN201301UV02", "<id root=\"1.2\"/>"),
        (
            &ITI44_ADD,
            "PRPA_IN201301UV02",
            "<id root=\"1.2\"/><interactionId root=\"1\" extension=\"PRPA_IN201302UV02\"/>",
        ),
        (
            &ITI44_ADD,
            "PRPA_IN201301UV02",
            "<id root=\"1.2\"/><controlActProcess><subject><registrationEvent/></subject></controlActProcess>",
        ),
        (&ITI45, "PRPA_IN201309UV02", "<id root=\"1.2\"/>"),
        (&ITI45, "PRPA_IN201309UV02", "<id root=\"1.2\"/><controlActProcess/>"),
        (
            &ITI47_FIND,
            "PRPA_IN201305UV02",
            "<id root=\"1.2\"/><controlActProcess><queryByParameter/></controlActProcess>",
        ),
        (&ITI47_CONTINUE, "QUQI_IN000003UV01", "<id root=\"1.2\"/><controlActProcess/>"),
        (&ITI47_FIND, "PRPA_IN201305UV02", "<id root=\"1.2\"/><receiver/><receiver/>"),
    ] {
        told += &format!("{}: {}\n", transaction.id, peer.fault(transaction, root(name, content)).await);
    }
    golden::check("identity-v3/faults.txt", told.as_bytes());
}

#[tokio::test]
async fn a_notification_is_told_from_a_feed_by_its_path() {
    use sekisho::demographics::Demographics;
    use sekisho::ids::{Oid, PatientId};

    let mut services = Services::new();
    let notified = Service::pix_update_notification(async |changed: IdentifiersChanged, _| {
        assert_eq!(changed.identifiers.len(), 2);
        Ok(())
    });
    services.offer(Place::OwnPath, notified);
    for service in Service::patient_identity_feed(async |_: Feed, _| {
        Err(vec![sekisho::transactions::identity::IdentityError::internal("a feed, which is busy")])
    }) {
        services.offer(Place::Services, service);
    }
    let limits = Limits::default();
    let server = plain(limits.clone(), Front::new(services, &limits)).await;
    let asks = Asks::of(&server);
    let patient = |id, oid| PatientId::new(id, Oid::parse(oid).unwrap());
    let changed = IdentifiersChanged {
        identifiers: vec![patient("H-1", HOSPITAL), patient("C-1", CLINIC)],
        person: Box::new(Demographics::default()),
    };
    let custodian = Custodian { root: "2.999.1".into(), locator: HealthDataLocator::NotSupported };
    let body = iti46::write_request(
        sekisho::transactions::hl7v3::Ii::random(),
        &changed,
        &Party::of_device("2.999.8"),
        &Party::of_device("2.999.9"),
        &custodian,
    );
    messages::keep("ITI-46", &body);
    let body = envelope(ITI46.action, "", std::str::from_utf8(&body).unwrap());
    let (status, taken) = asks.text("/services/iti-46", SIMPLE, body.clone()).await;
    assert!(status == 200 && taken.contains("typeCode code=\"CA\""), "{taken}");
    let (status, fed) = asks.text("/services", SIMPLE, body).await;
    assert!(status == 200 && fed.contains("typeCode code=\"CR\"") && fed.contains("busy"), "{fed}");
    let (_, nobody) = asks
        .text("/services/iti-46", SIMPLE, envelope(ITI46.action, "", &revise(&other_ids("x", ""), "")))
        .await;
    assert!(nobody.contains("typeCode code=\"CE\"") && nobody.contains("/patient/id<"), "{nobody}");
    golden::check("iti46/nobody.xml", body_of(&nobody).as_bytes());
    for path in ["iti-44", "iti-46"] {
        let wsdl = asks.method(Method::GET, &format!("/services/{path}?wsdl")).await;
        assert!(
            wsdl.starts_with("HTTP/1.1 200 ") && wsdl.contains("urn:hl7-org:v3:PRPA_IN201302UV02"),
            "{wsdl}"
        );
    }
}
