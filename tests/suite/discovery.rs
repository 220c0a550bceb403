//! Patient discovery over real sockets: two regions that know nothing of each other's patients but how to ask, with whole
//! configurations, as anybody would run them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Uri;
use sekisho::cli::assemble::Running;
use sekisho::cli::peer::Peer;
use sekisho::demographics::{
    Address, Authority, BirthRange, BirthTime, Demographics, DemographicsChange, Identifier, Name,
    Representation, Sex,
};
use sekisho::ids::{HomeCommunityId, Oid, PatientId};
use sekisho::limits::Limits;
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::hl7v3::Ii;
use sekisho::transactions::identity::DemographicsQuery;
use sekisho::transactions::iti18::{ITI18, Parameter, QueryRequest, QueryResponse, ReturnType};
use sekisho::transactions::iti55::{
    self, Asking, Attribute, Discovery, ITI55, ITI55_DEFERRED, Outcome, Reason, lifetime,
};
use sekisho::transactions::iti56::{self, ITI56};
use sekisho::wire::http::{Client, ClientSettings};
use sekisho::wire::soap::{Endpoint, Message, Outgoing, call};
use sekisho::wire::stream::Content;

use super::support::certs::TempDir;
use super::support::front::Asks;
use super::support::http::PATIENCE;
use super::support::submissions::{self, Document};
use super::support::waiting::until_caught_up;
use super::support::{golden, messages};

struct Region {
    running: Running,
    folder: TempDir,
    root: &'static str,
}

impl Region {
    async fn start(root: &'static str) -> Self {
        Self::start_with(root, "").await
    }

    async fn start_with(root: &'static str, more: &str) -> Self {
        let folder = TempDir::new();
        std::fs::create_dir(folder.path().join("communities")).unwrap();
        let file = folder.path().join("sekisho.toml");
        let config = format!(
            "[community]\nhome = \"urn:oid:{root}\"\nname = \"Region {root}\"\nauthorities = [\"{root}.3\"]\n\
             [listen.http]\naddress = \"127.0.0.1:0\"\n[hosted]\nrepository = \"{root}.2\"\npatients = \"any\"\n\
             [federation]\ndeadline_ms = 30000\n[[identity.domains]]\noid = \"{root}.3\"\nnamespace = \"H{root}\"\n"
        );
        std::fs::write(&file, config + more).unwrap();
        let running = Running::start(&file, &[]).await.map_err(|stop| stop.message).unwrap();
        Self { running, folder, root }
    }

    fn url(&self, name: &str) -> Uri {
        self.running.bound().endpoints[name].parse().unwrap()
    }

    /// Takes another region into the directory.
    fn meets(&self, other: &Region) {
        let Region { root, .. } = other;
        let endpoints =
            ["iti38", "iti39", "iti55", "iti56"].map(|name| format!("{name} = \"{}\"\n", other.url(name)));
        let text = format!(
            "name = \"Region {root}\"\nhome = [\"urn:oid:{root}\"]\n[limits]\nattempts = 1\n[endpoints]\n{}",
            endpoints.concat()
        );
        std::fs::write(self.folder.path().join("communities").join(format!("{root}.toml")), text).unwrap();
        assert_eq!(self.running.directory().unwrap().reload(), []);
    }

    async fn knows(&self, id: &str, person: &Demographics) -> PatientId {
        let patient = PatientId::new(id, Oid::parse(&format!("{}.3", self.root)).unwrap());
        let index = self.running.index().unwrap();
        index.announce(vec![patient.clone()], DemographicsChange::set(person), None).await.unwrap();
        until_caught_up(&self.running).await;
        patient
    }

    async fn has_document_of(&self, patient: &PatientId) {
        let document = Document::new(100);
        let submission = submissions::submission(&patient.to_cx(), std::slice::from_ref(&document));
        let part = (
            "Document0".to_owned(),
            "application/octet-stream".to_owned(),
            Content::from_bytes(document.bytes()),
        );
        let peer = Peer::plain(PATIENCE).unwrap();
        let answer = peer.submit(&self.url("hosted-iti41"), &submission, vec![part]).await.unwrap();
        assert_eq!(answer.status, Status::Success, "{:?}", answer.errors);
    }

    /// The main job: what there is of a patient, wherever.
    async fn documents_of(&self, patient: &PatientId) -> QueryResponse {
        let parameter = |name: &str, value: String| Parameter { name: name.to_owned(), values: vec![value] };
        let approved = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')".to_owned();
        let request = QueryRequest {
            query: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d".to_owned(),
            home: None,
            return_type: ReturnType::LeafClass,
            parameters: vec![
                parameter("$XDSDocumentEntryPatientId", format!("'{}'", patient.to_cx())),
                parameter("$XDSDocumentEntryStatus", approved),
            ],
        };
        Peer::plain(PATIENCE).unwrap().query(&ITI18, &self.url("iti18"), &request).await.unwrap()
    }

    async fn call(&self, transaction: &Transaction, headers: Vec<Bytes>, body: Bytes) -> Message {
        messages::keep(transaction.id, &body);
        let name = transaction.id.to_ascii_lowercase().replace('-', "");
        let endpoint = Endpoint { url: self.url(&name), relates_to_optional: false };
        let request = Outgoing {
            action: transaction.action.to_owned(),
            to: Some(endpoint.url.to_string()),
            headers,
            body: vec![body],
            ..Outgoing::default()
        };
        let client = Client::new(&ClientSettings::default()).unwrap();
        let message =
            call(&client, &endpoint, request, &Limits::default(), Instant::now() + PATIENCE).await.unwrap();
        let envelope = &message.envelope;
        assert_eq!(envelope.addressing.action.as_deref(), Some(transaction.response_action));
        // The schema has no form for "nowhere"; what implementations send for it is an empty answer.
        if envelope.body().is_some_and(|body| body.children().next().is_some()) {
            messages::keep(transaction.response_action, envelope.tree.source());
        }
        message
    }

    /// ITI-55, the answer's envelope compared with a golden.
    async fn discover(&self, golden: &str, who: DemographicsQuery) -> Outcome {
        let question = Discovery {
            who,
            home: HomeCommunityId::parse("1.9.9").ok(),
            authority: Oid::parse("1.9.9.3").ok(),
            time_to_live: Some(Duration::from_secs(86_400)),
            ..Discovery::default()
        };
        let query = Ii { root: "1.9.9.1".into(), extension: Some("42".into()) };
        let asking = Asking { query: query.clone(), sender: "1.9.9", receiver: self.root, respond_to: None };
        let headers = question.time_to_live.map(lifetime::write).into_iter().collect();
        let message = self.call(&ITI55, headers, iti55::write_request(&question, &asking)).await;
        golden::check(&format!("iti55/{golden}.xml"), &without_time(message.envelope.tree.source()));
        iti55::read_response(&message.envelope, &query).unwrap().outcome
    }
}

/// creationTime is the one thing that differs besides UUIDs.
fn without_time(envelope: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(envelope).unwrap();
    let (before, rest) = text.split_once("<hl7:creationTime value=\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}<hl7:creationTime value=\"TIME\"{after}").into_bytes()
}

fn name(family: &str, given: &str, representation: Representation) -> Name {
    Name {
        family: family.into(),
        given: given.into(),
        representation: Some(representation),
        ..Name::default()
    }
}

fn person(sex: Sex, postcode: &str) -> Demographics {
    Demographics {
        names: vec![
            name("関所", "守", Representation::Ideographic),
            name("セキショ", "マモル", Representation::Phonetic),
        ],
        birth: BirthTime::parse("19700101"),
        sex: Some(sex),
        addresses: vec![Address {
            postcode: postcode.into(), city: "関所町".into(), ..Address::default()
        }],
        ..Demographics::default()
    }
}

fn question() -> DemographicsQuery {
    DemographicsQuery {
        names: person(Sex::Male, "").names,
        birth: BirthTime::parse("19700101").map(BirthRange::Within),
        ..DemographicsQuery::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_answers_to_a_discovery() {
    let region = Region::start("1.2.50").await;
    region.knows("A", &person(Sex::Male, "060-0001")).await;
    let found = region.discover("found", question()).await;
    let Outcome::Found(found) = found else { panic!("{found:?}") };
    assert_eq!(found[0].patient.to_cx(), "A^^^&1.2.50.3&ISO");
    let nobody =
        DemographicsQuery { names: vec![name("誰", "某", Representation::Ideographic)], ..question() };
    assert_eq!(region.discover("nobody", nobody).await, Outcome::Found(Vec::new()));
    let nameless = DemographicsQuery { names: Vec::new(), ..question() };
    assert_eq!(region.discover("refused", nameless).await, Outcome::Cannot(Reason::AnswerNotAvailable));
    region.knows("B", &person(Sex::Female, "810-0001")).await;
    let wanted = vec![Attribute::Gender, Attribute::Address];
    assert_eq!(region.discover("ambiguous", question()).await, Outcome::AskForMore(wanted));
    let with_sex = DemographicsQuery { sex: Some(Sex::Female), ..question() };
    let Outcome::Found(found) = region.discover("resolved", with_sex).await else { panic!() };
    assert_eq!(found[0].patient.to_cx(), "B^^^&1.2.50.3&ISO");

    let asks = Asks {
        client: Client::new(&ClientSettings::default()).unwrap(),
        address: region.url("iti55").authority().unwrap().as_str().parse().unwrap(),
    };
    for (path, action) in [("iti-55", ITI55_DEFERRED.action), ("iti-56", ITI56.action)] {
        let wsdl = asks.method(hyper::Method::GET, &format!("/services/{path}?wsdl")).await;
        assert!(wsdl.starts_with("HTTP/1.1 200 ") && wsdl.contains(action), "{wsdl}");
        let schema = wsdl.split("schemaLocation=\"").nth(1).unwrap().split('"').next().unwrap();
        let schema = schema.split("8443").nth(1).unwrap();
        let schema = asks.method(hyper::Method::GET, schema).await;
        assert!(schema.starts_with("HTTP/1.1 200 ") && schema.contains("xs:schema"), "{schema}");
    }

    let asked = PatientId::parse("B^^^&1.2.50.3&ISO").unwrap();
    for (patient, expected) in [(asked, 1), (PatientId::parse("C^^^&1.2.50.3&ISO").unwrap(), 0)] {
        let answer = region.call(&ITI56, Vec::new(), iti56::write_request(&patient)).await;
        golden::check(&format!("iti56/{expected}.xml"), answer.envelope.tree.source());
        let locations = iti56::read_response(answer.envelope.body().unwrap()).unwrap();
        assert_eq!(locations.len(), expected);
    }
    region.running.shutdown().await;
}

/// One answer for several communities, each with its custodian, and a question that only names an identifier.
#[tokio::test(flavor = "multi_thread")]
async fn communities_that_share_a_gateway_answer_together() {
    let more = "[[identity.domains]]\noid = \"1.2.54.4\"\nnamespace = \"CLINIC\"\n\
        [[identity.domains]]\noid = \"1.2.54.5\"\nnamespace = \"PORTAL\"\n\
        [identity.discovery]\ncommunities = [[\"urn:oid:1.2.55\", \"1.2.54.4\"]]\nkeep = false\n";
    let region = Region::start_with("1.2.54", more).await;
    let ids = ["A^^^&1.2.54.3&ISO", "C^^^&1.2.54.4&ISO", "P^^^&1.2.54.5&ISO"];
    let ids = ids.map(|id| PatientId::parse(id).unwrap()).to_vec();
    let change = DemographicsChange::set(&person(Sex::Male, "060-0001"));
    region.running.index().unwrap().announce(ids, change, None).await.unwrap();
    let portal =
        Identifier { id: "P".into(), authority: Authority::of_oid("1.2.54.5"), ..Identifier::default() };
    let named = DemographicsQuery { identifiers: vec![portal], ..DemographicsQuery::default() };
    for (golden, who) in [("two-communities", question()), ("by-identifier", named)] {
        let Outcome::Found(found) = region.discover(golden, who).await else { panic!() };
        let found: Vec<_> =
            found.iter().map(|found| (found.home.clone().unwrap(), found.patient.to_cx())).collect();
        let home = |oid| HomeCommunityId::parse(oid).unwrap();
        let expected = [(home("1.2.54"), "A^^^&1.2.54.3&ISO"), (home("1.2.55"), "C^^^&1.2.54.4&ISO")];
        assert_eq!(found, expected.map(|(home, patient)| (home, patient.to_owned())));
    }
    let patient = PatientId::parse("C^^^&1.2.54.4&ISO").unwrap();
    let answer = region.call(&ITI56, Vec::new(), iti56::write_request(&patient)).await;
    golden::check("iti56/two-communities.xml", answer.envelope.tree.source());
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namesakes_are_listed_where_the_policy_says_so_and_whoever_asks_too_much_must_wait() {
    let more = "[identity.discovery]\nseveral = \"list\"\nper_minute = 3\n";
    let region = Region::start_with("1.2.53", more).await;
    region.knows("A", &person(Sex::Male, "060-0001")).await;
    region.knows("B", &person(Sex::Female, "810-0001")).await;
    let Outcome::Found(found) = region.discover("several", question()).await else { panic!() };
    let mut ids: Vec<_> = found.iter().map(|found| found.patient.id()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["A", "B"]);
    for _ in 0..2 {
        region.discover("several", question()).await;
    }
    assert_eq!(region.discover("busy", question()).await, Outcome::Cannot(Reason::ResponderBusy));
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_begins_with_the_local_identifier_alone() {
    let (here, there) = (Region::start("1.2.51").await, Region::start("1.2.52").await);
    here.meets(&there);
    let local = here.knows("HERE", &person(Sex::Male, "060-0001")).await;
    let remote = there.knows("THERE", &person(Sex::Male, "060-0001")).await;
    there.has_document_of(&remote).await;

    let answer = here.documents_of(&local).await;
    assert_eq!((answer.status, answer.objects.len()), (Status::Success, 1), "{:?}", answer.errors);
    assert_eq!(answer.objects[0].patient_id.as_deref(), Some("THERE^^^&1.2.52.3&ISO"));

    // A namesake appears there. What was found out is kept, as that region permitted; so nobody asks again…
    there.knows("NAMESAKE", &person(Sex::Female, "810-0001")).await;
    let answer = here.documents_of(&local).await;
    assert_eq!((answer.status, answer.objects.len()), (Status::Success, 1));
    // …until the patient changes here: the sex was never known, and then it is asked for.
    let unsexed = Demographics { sex: None, addresses: Vec::new(), ..person(Sex::Male, "") };
    let unsexed = here.knows("UNSEXED", &unsexed).await;
    let answer = here.documents_of(&unsexed).await;
    assert_eq!(answer.status, Status::PartialSuccess);
    let [error] = &answer.errors[..] else { panic!("{:?}", answer.errors) };
    assert_eq!(error.code, code::UNAVAILABLE_COMMUNITY);
    assert!(
        error.context.contains("Region 1.2.52") && error.context.contains("several people"),
        "{}",
        error.context
    );
    here.knows("UNSEXED", &person(Sex::Male, "060-0001")).await;
    assert_eq!(here.documents_of(&unsexed).await.objects.len(), 1, "the community is asked again");

    // A stranger to the region over there is no failure of it.
    let alone = Demographics {
        names: vec![name("峠", "渉", Representation::Ideographic)],
        ..person(Sex::Male, "1")
    };
    let alone = here.knows("ALONE", &alone).await;
    assert_eq!(here.documents_of(&alone).await.status, Status::Success);

    // It is away: who is known keeps its identifier, who is not known yet is named.
    let Region { running, .. } = there;
    running.shutdown().await;
    let fresh = Demographics {
        names: vec![name("浜", "渚", Representation::Ideographic)],
        ..person(Sex::Female, "2")
    };
    let fresh = here.knows("FRESH", &fresh).await;
    let answer = here.documents_of(&fresh).await;
    assert_eq!(answer.status, Status::PartialSuccess);
    assert!(answer.errors[0].context.contains("could not be found out"), "{}", answer.errors[0].context);
    here.running.shutdown().await;
}
