//! The search by four items in an emergency (4情報検索), over mutual TLS: a few candidates for whoever may, and each search in
//! the log and counted, with who did it and never about whom.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use hyper::Uri;
use hyper::header::CONTENT_TYPE;
use sekisho::demographics::{Address, BirthRange, BirthTime, Name, Representation, Sex};
use sekisho::transactions::hl7v3::Ii;
use sekisho::transactions::identity::DemographicsQuery;
use sekisho::transactions::iti55::{self, Asking, Discovery, ITI55, Outcome, Reason};
use sekisho::wire::hl7v2::mllp::frame;
use sekisho::wire::http::{Client, ClientSettings, TlsClient};
use sekisho::wire::soap::Envelope;
use sekisho::wire::xml::Tree;

use crate::support::certs::{Authority, Pair, TempDir, Usage, VALID};
use crate::support::front::{SIMPLE, envelope};
use crate::support::http::{PATIENCE, collect, whole};
use crate::support::messages;
use crate::support::program::Served;

/// Seven of one house, born on one day.
const GIVEN: [&str; 7] = ["守", "護", "衛", "士", "門", "番", "役"];

const CONFIG: &str = r#"
[community]
home = "urn:oid:1.2.90"
name = "試験"
authorities = ["1.2.90.3"]
[listen.http]
address = "127.0.0.1:0"
[listen.operator]
address = "127.0.0.1:0"
[listen.mllp]
address = "127.0.0.1:0"
[listen.soap]
address = "127.0.0.1:0"
[hosted]
repository = "1.2.90.2"
patients = "any"
[federation]
communities = "communities"
[identity.emergency]
callers = ["C=JP, O=Test Region, CN=ambulance"]
[[identity.domains]]
oid = "1.2.90.3"
namespace = "HOSPITAL"
"#;

fn feed(served: &Served, id: usize, given: &str) {
    let message = format!(
        "MSH|^~\\&|HIS|HOSPITAL|SEKISHO|SEKISHO|20261121100000||ADT^A04|{id}|P|2.3.1|||||JPN|UNICODE UTF-8\r\
         EVN|A04|20261121100000\rPID|||{id}^^^HOSPITAL||関所^{given}^^^^^L^I||19700101|M|||1-2-3^^箱根町^神奈川県^250-0521^JPN^H\r\
         PV1||O\r"
    );
    let mut line = TcpStream::connect(served.ready["mllp"].as_str().unwrap()).unwrap();
    line.write_all(&frame(message.as_bytes())).unwrap();
    line.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("MSA|AA|"), "{answer}");
}

/// All four items, of everybody with one of these names.
fn four_items(given: &[&str]) -> DemographicsQuery {
    let name = |given: &&str| Name {
        family: "関所".into(),
        given: (*given).into(),
        representation: Some(Representation::Ideographic),
        ..Name::default()
    };
    let address = Address {
        street: "1-2-3".into(),
        city: "箱根町".into(),
        state: "神奈川県".into(),
        postcode: "250-0521".into(),
        ..Address::default()
    };
    DemographicsQuery {
        names: given.iter().map(name).collect(),
        birth: BirthTime::parse("19700101").map(BirthRange::Within),
        sex: Some(Sex::Male),
        addresses: vec![address],
        ..DemographicsQuery::default()
    }
}

async fn discover(served: &Served, client: &Client, who: DemographicsQuery) -> Outcome {
    let query = Ii::of_root("1.2.9.1");
    let asking = Asking { query: query.clone(), sender: "1.2.9", receiver: "1.2.90", respond_to: None };
    let body = iti55::write_request(&Discovery { who, ..Discovery::default() }, &asking);
    messages::keep(ITI55.id, &body);
    let message = envelope(ITI55.action, "", std::str::from_utf8(&body).unwrap());
    let url: Uri = format!("{}/services/iti-55", served.ready["soap"].as_str().unwrap()).parse().unwrap();
    let headers = [(CONTENT_TYPE, SIMPLE.parse().unwrap())].into_iter().collect();
    let (length, deadline) = (Some(message.len() as u64), Instant::now() + PATIENCE);
    let answer = client.post(&url, headers, length, whole(message), deadline).await.unwrap();
    assert_eq!(answer.status(), 200);
    let envelope = Envelope::read(Tree::parse(collect(answer.into_body()).await).unwrap()).unwrap();
    messages::keep(ITI55.response_action, envelope.tree.source());
    let response = iti55::read_response(&envelope, &query).unwrap();
    if matches!(&response.outcome, Outcome::Found(found) if !found.is_empty()) {
        assert_eq!(response.time_to_live, None, "candidates are not for keeping");
    }
    response.outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_gets_a_few_candidates_and_every_search_is_in_the_log() {
    let (authority, folder) = (Authority::new("CA"), TempDir::new());
    std::fs::create_dir(folder.path().join("communities")).unwrap();
    let config = folder.path().join("sekisho.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let pair = authority.server();
    let tls = [
        format!("listen.soap.tls.certificate={}", pair.certificate.display()),
        format!("listen.soap.tls.key={}", pair.key.display()),
        format!("listen.soap.tls.client_ca={}", authority.ca().display()),
    ];
    let tls: Vec<_> = tls.iter().map(String::as_str).collect();
    let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &tls);
    for (id, given) in GIVEN.iter().enumerate() {
        feed(&served, id, given);
    }
    let client = |name: &str| {
        let Pair { certificate, key } = authority.issue(name, Usage::Client, VALID);
        let tls = TlsClient::new(&authority.ca(), Some((&certificate, &key))).unwrap();
        Client::new(&ClientSettings { tls: Some(tls), ..ClientSettings::default() }).unwrap()
    };
    let (ambulance, clinic) = (client("ambulance"), client("clinic"));

    let Outcome::Found(found) = discover(&served, &ambulance, four_items(&GIVEN)).await else { panic!() };
    assert_eq!(found.len(), 5, "seven fit");
    let refused = discover(&served, &clinic, four_items(&GIVEN)).await;
    assert_eq!(refused, Outcome::Cannot(Reason::AnswerNotAvailable), "nobody else is told of candidates");
    // An item less is no such search.
    let three = DemographicsQuery { addresses: Vec::new(), ..four_items(&GIVEN) };
    assert!(
        !matches!(discover(&served, &ambulance, three).await, Outcome::Found(found) if !found.is_empty())
    );
    let nobody = BirthTime::parse("19311231").map(BirthRange::Within);
    let nobody = DemographicsQuery { birth: nobody, sex: Some(Sex::Female), ..four_items(&["皆無"]) };
    assert_eq!(discover(&served, &ambulance, nobody).await, Outcome::Found(Vec::new()));

    let (_, metrics) = served.get("/metrics");
    assert!(metrics.contains("sekisho_emergency_searches_total 2"), "{metrics}");
    let log = served.into_log();
    let noted: Vec<_> =
        log.lines().filter(|line| line.contains("an emergency search by four items")).collect();
    assert_eq!(noted.len(), 2, "{log}");
    assert!(noted.iter().all(|line| line.contains("CN=ambulance")), "{noted:?}");
    assert!(!log.contains("関所") && !log.contains("19700101"), "{log}");
}
