//! A region whose patients are known outside: a PIX Manager and a Patient Demographics Supplier, in HL7 v2 or V3, tell the
//! main job who a patient is, and patient discovery who fits; and the manager tells of changes (ITI-10, ITI-46). Over
//! sockets; the MPI is another gateway of ours, the other community one of straw.

use std::net::SocketAddr;
use std::time::Instant;

use sekisho::cli::assemble::Running;
use sekisho::cli::peer::Peer as Asker;
use sekisho::demographics::{
    BirthRange, BirthTime, Demographics, DemographicsChange, Name, Representation, Sex,
};
use sekisho::ids::{HomeCommunityId, PatientId};
use sekisho::limits::Limits;
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::Status;
use sekisho::transactions::hl7v2::structure;
use sekisho::transactions::hl7v3::registration::{Custodian, HealthDataLocator};
use sekisho::transactions::hl7v3::{Ii, Party};
use sekisho::transactions::identity::{DemographicsQuery, IdentifiersChanged};
use sekisho::transactions::iti18::{ITI18, QueryResponse};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti46::{self, ITI46};
use sekisho::transactions::iti55::{self, Asking, Attribute, Discovery, ITI55, Outcome, Reason};
use sekisho::transactions::iti56::{self, ITI56};
use sekisho::wire::hl7v2::mllp::{MllpClient, MllpPeer, frame};
use sekisho::wire::hl7v2::{Charset, Message as V2};
use sekisho::wire::http::{Client, ClientSettings};
use sekisho::wire::soap::{Endpoint, Message, Outgoing, call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::support::certs::TempDir;
use super::support::community::{find_documents, patient};
use super::support::http::PATIENCE;
use super::support::sink::Sink;
use super::support::straw::{Straw, THERE, found, person};
use super::support::waiting::until_caught_up;
use super::support::{golden, messages};

/// A patient of the region.
pub const LOCAL: &str = "HERE^^^&1.2.81.3&ISO";
const SHARED: &str = "SHARED^^^&1.2.81.4&ISO";

/// Its domains.
pub const DOMAINS: &str = "[[identity.domains]]\noid = \"1.2.81.3\"\nnamespace = \"HOSPITAL\"\n\
    [[identity.domains]]\noid = \"1.2.81.4\"\nnamespace = \"REGION\"\n";

/// How the MPI is asked.
#[derive(Clone, Copy, Debug)]
enum By {
    V2,
    V3,
}

async fn run(folder: &TempDir, home: &str, more: &str) -> Running {
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    let file = folder.path().join("sekisho.toml");
    let config = format!(
        "[community]\nhome = \"urn:oid:{home}\"\nname = \"Region {home}\"\nauthorities = [\"1.2.81.3\"]\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n[listen.mllp]\naddress = \"127.0.0.1:0\"\n\
         [hosted]\nrepository = \"{home}.2\"\npatients = \"any\"\n[federation]\ndeadline_ms = 30000\n{more}"
    );
    std::fs::write(&file, config).unwrap();
    Running::start(&file, &[]).await.map_err(|stop| stop.message).unwrap()
}

/// An MPI, and a region that knows its patients by it.
struct Region {
    mpi: Running,
    running: Running,
    _folders: [TempDir; 2],
}

impl Region {
    async fn start(by: By, straw: &Straw, community: &str) -> Self {
        let folders = [TempDir::new(), TempDir::new()];
        let mpi = run(&folders[0], "1.2.81", DOMAINS).await;
        let bound = mpi.bound();
        let outside = match by {
            By::V2 => {
                let url = bound.mllp.as_ref().unwrap();
                format!(
                    "[identity.manager]\nurl = \"mllp://{url}\"\n[identity.supplier]\nurl = \"mllp://{url}\"\n"
                )
            }
            By::V3 => format!(
                "[identity.manager]\niti45 = \"{}\"\n[identity.supplier]\nurl = \"{}\"\n",
                bound.endpoints["iti45"], bound.endpoints["iti47"]
            ),
        };
        std::fs::create_dir_all(folders[1].path().join("communities")).unwrap();
        std::fs::write(folders[1].path().join("communities/there.toml"), file(straw, community)).unwrap();
        let more = format!("[identity]\nindex = false\n{DOMAINS}{outside}");
        let running = run(&folders[1], "1.2.82", &more).await;
        Self { mpi, running, _folders: folders }
    }

    /// The MPI hears of somebody.
    async fn knows(&self, ids: &[&str], person: &Demographics) {
        let ids = ids.iter().map(|id| patient(id)).collect::<Vec<_>>();
        self.mpi.index().unwrap().announce(ids, DemographicsChange::set(person), None).await.unwrap();
    }

    async fn discover(&self, who: DemographicsQuery) -> Outcome {
        discover(&self.running, who).await
    }

    async fn shutdown(self) {
        self.running.shutdown().await;
        self.mpi.shutdown().await;
    }
}

fn file(straw: &Straw, more: &str) -> String {
    let address = straw.server.address;
    format!(
        "name = \"There\"\nhome = [\"urn:oid:{THERE}\"]\n{more}\n[limits]\nattempts = 1\n[endpoints]\n\
         iti38 = \"http://{address}/iti38\"\niti55 = \"http://{address}/iti55\"\n"
    )
}

async fn documents(region: &Running) -> QueryResponse {
    let url = region.bound().endpoints["iti18"].parse().unwrap();
    Asker::plain(PATIENCE).unwrap().query(&ITI18, &url, &find_documents(LOCAL)).await.unwrap()
}

async fn discover(region: &Running, who: DemographicsQuery) -> Outcome {
    let query = Ii::of_root("1.2.9.1");
    let asking = Asking { query: query.clone(), sender: "1.2.9", receiver: "1.2.82", respond_to: None };
    let body = iti55::write_request(&Discovery { who, ..Discovery::default() }, &asking);
    let answer = ask(region, &ITI55, body).await;
    iti55::read_response(&answer.envelope, &query).unwrap().outcome
}

async fn ask(region: &Running, transaction: &Transaction, body: bytes::Bytes) -> Message {
    let name = transaction.id.to_ascii_lowercase().replace('-', "");
    ask_at(&region.bound().endpoints[&name], transaction, body).await
}

async fn ask_at(url: &str, transaction: &Transaction, body: bytes::Bytes) -> Message {
    messages::keep(transaction.id, &body);
    let url: hyper::Uri = url.parse().unwrap();
    let request = Outgoing {
        action: transaction.action.to_owned(),
        to: Some(url.to_string()),
        body: vec![body],
        ..Outgoing::default()
    };
    let endpoint = Endpoint { url, relates_to_optional: false };
    let client = Client::new(&ClientSettings::default()).unwrap();
    let answer = call(&client, &endpoint, request, &Limits::default(), Instant::now() + PATIENCE).await;
    let answer = answer.unwrap();
    // The schema has no form for "nowhere"; what implementations send for it is an empty answer.
    if answer.envelope.body().is_some_and(|body| body.children().next().is_some()) {
        messages::keep(transaction.response_action, answer.envelope.tree.source());
    }
    answer
}

fn question() -> DemographicsQuery {
    DemographicsQuery {
        names: person(Sex::Male).names,
        birth: BirthTime::parse("19700101").map(BirthRange::Within),
        ..DemographicsQuery::default()
    }
}

fn romaji() -> Name {
    Name {
        family: "SEKISHO".into(),
        given: "MAMORU".into(),
        representation: Some(Representation::Alphabetic),
        ..Name::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_asks_a_manager_and_a_supplier_outside() {
    for by in [By::V2, By::V3] {
        let mut straw = Straw::new().await;
        let region = Region::start(by, &straw, "authorities = [\"1.2.81.4\"]").await;
        assert_eq!(documents(&region.running).await.status, Status::Success, "nobody knows the patient yet");
        assert!(!straw.is_asked());
        // By the manager: the identifier that the community shares.
        region.knows(&[LOCAL, SHARED], &person(Sex::Male)).await;
        assert_eq!(documents(&region.running).await.objects.len(), 1, "{by:?}");
        assert!(straw.expect(&ITI38).await.text.contains("SHARED^^^&amp;1.2.81.4&amp;ISO"));
        region.shutdown().await;

        // By the supplier: who it is, for the community to say who that is there.
        let mut straw = Straw::new().await;
        straw.knows.lock().unwrap().push(found(THERE, "THERE"));
        let region = Region::start(by, &straw, "").await;
        region.knows(&[LOCAL], &person(Sex::Male)).await;
        assert_eq!(documents(&region.running).await.objects.len(), 1, "{by:?}");
        assert!(straw.expect(&ITI55).await.text.contains("関所"));
        assert!(straw.expect(&ITI38).await.text.contains("THERE^^^&amp;1.2.70.3&amp;ISO"));

        // The MPI is away: the community is named, and nothing else is kept from whoever asks.
        region.mpi.shutdown().await;
        let away = documents(&region.running).await;
        assert_eq!(away.status, Status::Success, "who it is there is in the cache: {:?}", away.errors);
        region.running.shutdown().await;
    }
}

/// An Individual Number (My Number), as nobody may tell it.
const MY_NUMBER: &str = "123456789018";

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_number_that_others_tell_goes_nowhere() {
    for by in [By::V2, By::V3] {
        let mut straw = Straw::new().await;
        let region = Region::start(by, &straw, "authorities = [\"1.2.81.4\"]").await;
        // The manager tells one as the identifier that the community shares; the community as its patient.
        region.knows(&[LOCAL, &format!("{MY_NUMBER}^^^&1.2.81.4&ISO")], &person(Sex::Male)).await;
        straw.knows.lock().unwrap().push(found(THERE, MY_NUMBER));
        let answer = documents(&region.running).await;
        straw.expect(&ITI55).await;
        assert!(!straw.is_asked(), "{by:?}: nobody is asked for documents by it");
        assert_eq!((answer.status, answer.objects.len()), (Status::PartialSuccess, 0), "{by:?}");
        assert!(answer.errors.iter().all(|error| !error.context.contains(MY_NUMBER)), "{by:?}");
        // Nor is it kept that the community has nobody.
        *straw.knows.lock().unwrap() = vec![found(THERE, "THERE")];
        assert_eq!(documents(&region.running).await.objects.len(), 1, "{by:?}");
        straw.expect(&ITI55).await;
        assert!(straw.expect(&ITI38).await.text.contains("THERE^^^&amp;1.2.70.3&amp;ISO"));

        // The supplier tells one as our community's patient.
        region.knows(&[&format!("{MY_NUMBER}^^^&1.2.81.3&ISO")], &person(Sex::Female)).await;
        let female = DemographicsQuery { sex: Some(Sex::Female), ..question() };
        assert_eq!(region.discover(female).await, Outcome::Found(Vec::new()), "{by:?}");
        region.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_in_front_of_a_supplier_has_all_five_answers() {
    for by in [By::V2, By::V3] {
        let straw = Straw::new().await;
        let region = Region::start(by, &straw, "").await;
        assert_eq!(region.discover(question()).await, Outcome::Found(Vec::new()), "{by:?}");
        region.knows(&["REGIONAL^^^&1.2.81.4&ISO"], &person(Sex::Male)).await;
        assert_eq!(
            region.discover(question()).await,
            Outcome::Found(Vec::new()),
            "known in the region, and not to our community"
        );
        region.knows(&[LOCAL], &person(Sex::Male)).await;
        let alternatives =
            DemographicsQuery { names: [vec![romaji()], question().names].concat(), ..question() };
        for who in [question(), alternatives] {
            let Outcome::Found(found) = region.discover(who).await else { panic!("{by:?}") };
            let [found] = &found[..] else { panic!("{found:?}") };
            assert_eq!(found.home, HomeCommunityId::parse("1.2.82").ok());
            assert_eq!((found.patient.to_cx().as_str(), &found.others[..]), (LOCAL, &[][..]));
        }
        region.knows(&["NAMESAKE^^^&1.2.81.3&ISO"], &person(Sex::Female)).await;
        assert_eq!(region.discover(question()).await, Outcome::AskForMore(vec![Attribute::Gender]));
        let female = DemographicsQuery { sex: Some(Sex::Female), ..question() };
        let Outcome::Found(found) = region.discover(female).await else { panic!() };
        assert_eq!(found[0].patient.id(), "NAMESAKE");
        let nameless = DemographicsQuery { names: Vec::new(), ..question() };
        assert_eq!(region.discover(nameless).await, Outcome::Cannot(Reason::AnswerNotAvailable));

        let located = ask(&region.running, &ITI56, iti56::write_request(&patient(LOCAL))).await;
        let located = iti56::read_response(located.envelope.body().unwrap()).unwrap();
        assert_eq!(located.len(), 1);

        let Region { mpi, running, _folders } = region;
        mpi.shutdown().await;
        let region = Region { mpi: run(&_folders[0], "1.2.81", DOMAINS).await, running, _folders };
        // It came back elsewhere; where it was nobody answers.
        assert_eq!(region.discover(question()).await, Outcome::Cannot(Reason::ResponderBusy), "{by:?}");
        region.shutdown().await;
    }
}

/// A region with an index that is told of changes by a manager outside.
async fn notified(straw: &Straw, more: &str) -> (Running, TempDir) {
    let folder = TempDir::new();
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    std::fs::write(folder.path().join("communities/there.toml"), file(straw, "")).unwrap();
    let more = format!("{DOMAINS}[identity.manager]\nurl = \"mllp://127.0.0.1:1\"\n{more}");
    let region = run(&folder, "1.2.82", &more).await;
    let index = region.index().unwrap();
    index.announce(vec![patient(LOCAL)], DemographicsChange::set(&person(Sex::Male)), None).await.unwrap();
    until_caught_up(&region).await;
    (region, folder)
}

/// ITI-46, as a manager sends it.
async fn tell(region: &Running, ids: &[&str]) -> String {
    tell_at(&region.bound().endpoints["iti46"], ids).await
}

/// The same to an address.
pub async fn tell_at(url: &str, ids: &[&str]) -> String {
    let changed = IdentifiersChanged {
        identifiers: ids.iter().map(|id| PatientId::parse(id).unwrap()).collect(),
        person: Box::new(person(Sex::Male)),
    };
    let custodian = Custodian { root: "1.2.81".into(), locator: HealthDataLocator::NotSupported };
    let [sender, receiver] = ["1.2.81", "1.2.82"].map(Party::of_device);
    let body = iti46::write_request(Ii::of_root("1.2.81.99"), &changed, &sender, &receiver, &custodian);
    let answer = ask_at(url, &ITI46, body).await;
    assert_eq!(answer.envelope.addressing.action.as_deref(), Some(ITI46.response_action));
    without_time(&String::from_utf8_lossy(answer.envelope.tree.source()))
}

/// creationTime made the same every time.
fn without_time(text: &str) -> String {
    let (before, rest) = text.split_once("creationTime value=\"").unwrap();
    format!("{before}creationTime value=\"TIME\"{}", rest.split_once('"').unwrap().1)
}

/// ITI-10, as a manager sends it.
async fn tell_v2(region: &Running, event: &str, ids: &str) -> String {
    tell_v2_at(region.bound().mllp.as_ref().unwrap(), event, ids).await
}

/// The same to an address.
pub async fn tell_v2_at(address: &str, event: &str, ids: &str) -> String {
    let at: SocketAddr = address.parse().unwrap();
    let client =
        MllpClient::new(&MllpPeer { host: at.ip().to_string(), port: at.port(), tls: None }).unwrap();
    let message = format!(
        "MSH|^~\\&|MPI|REGION|SEKISHO|SEKISHO|20261121100000||ADT^{event}^ADT_A05|N1|P|2.5||||||UNICODE UTF-8\r\
         EVN||20261121100000\rPID|||{ids}|| \rPV1||N\r"
    );
    let answer = client.send(message.as_bytes(), Instant::now() + PATIENCE).await.unwrap();
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    let mut fields: Vec<&str> = answer.split('|').collect();
    (fields[6], fields[9]) = ("TIME", "ID");
    fields.join("|").replace('\r', "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_manager_tells_of_a_patient_makes_the_cache_forget() {
    let mut straw = Straw::new().await;
    straw.knows.lock().unwrap().push(found(THERE, "THERE"));
    let (region, _folder) = notified(&straw, "").await;
    let mut asked = async |is_asked: bool| {
        assert_eq!(documents(&region).await.objects.len(), 1);
        if is_asked {
            straw.expect(&ITI55).await;
        }
        straw.expect(&ITI38).await;
    };
    asked(true).await;
    asked(false).await;
    let taken = tell(&region, &[LOCAL, "X^^^&1.2.81.4&ISO"]).await;
    golden::check("iti46/taken.xml", taken.as_bytes());
    asked(true).await;
    asked(false).await;
    // About somebody else.
    tell(&region, &["OTHER^^^&1.2.81.3&ISO"]).await;
    asked(false).await;
    let taken = tell_v2(&region, "A31", "HERE^^^HOSPITAL~X^^^&1.2.81.4&ISO").await;
    golden::check("hl7v2/update-taken.hl7", taken.as_bytes());
    asked(true).await;
    let refused = tell_v2(&region, "A31", "HERE^^^NOWHERE").await;
    golden::check("hl7v2/update-unknown-domain.hl7", refused.as_bytes());
    let refused = tell_v2(&region, "A31", "").await;
    golden::check("hl7v2/update-no-identifier.hl7", refused.as_bytes());
    asked(false).await;
    region.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_managers_certificates_may_tell_where_any_are_named() {
    let straw = Straw::new().await;
    let (region, _folder) = notified(&straw, "certificates = [\"CN=mpi\"]\n").await;
    let refused = tell(&region, &[LOCAL]).await;
    golden::check("iti46/refused.xml", without_trace(&refused).as_bytes());
    let refused = tell_v2(&region, "A31", "HERE^^^HOSPITAL").await;
    golden::check("hl7v2/update-of-somebody-else.hl7", without_trace(&refused).as_bytes());
    region.shutdown().await;
}

/// The number of its trace made the same every time.
pub fn without_trace(text: &str) -> String {
    let (before, rest) = text.split_once("(trace ").unwrap();
    format!("{before}(trace TRACE{}", rest.get(36..).unwrap())
}

/// A server of straw over MLLP: it gives away what it is asked, and hangs up, or answers with that code.
async fn listening(code: Option<&'static str>) -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, (tell, told)) = (format!("mllp://{}", listener.local_addr().unwrap()), unbounded_channel());
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\x1c\r") && line.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
            let question = String::from_utf8(bytes).unwrap();
            if let Some(code) = code {
                let id = question.split('|').nth(9).unwrap();
                let answer = format!("MSH|^~\\&|A|B|C|D|20260101||ACK|1|P|2.5\rMSA|{code}|{id}\r");
                line.write_all(&frame(answer.as_bytes())).await.unwrap();
            }
            let _ = tell.send(question);
        }
    });
    (url, told)
}

/// The fifth case's third reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_that_refuses_every_question_is_an_internal_error() {
    let straw = Straw::new().await;
    let (supplier, _told) = listening(Some("AE")).await;
    let folder = TempDir::new();
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    std::fs::write(folder.path().join("communities/there.toml"), file(&straw, "")).unwrap();
    let outside = format!("[identity]\nindex = false\n{DOMAINS}[identity.supplier]\nurl = \"{supplier}\"\n");
    let region = run(&folder, "1.2.82", &outside).await;
    let asking =
        Asking { query: Ii::of_root("1.2.9.1"), sender: "1.2.9", receiver: "1.2.82", respond_to: None };
    let discovery = Discovery { who: question(), ..Discovery::default() };
    let answer = ask(&region, &ITI55, iti55::write_request(&discovery, &asking)).await;
    let text = String::from_utf8_lossy(answer.envelope.tree.source()).into_owned();
    golden::check("iti55/internal-error.xml", without_time(&text).as_bytes());
    region.shutdown().await;
}

/// A My Number in the main job's question is told to nobody who knows patients.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_an_individual_number() {
    let straw = Straw::new().await;
    let ((manager, mut managers), (supplier, mut suppliers)) = (listening(None).await, listening(None).await);
    let folder = TempDir::new();
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    std::fs::write(folder.path().join("communities/there.toml"), file(&straw, "")).unwrap();
    let url = |url: &str| format!("url = \"{url}\"");
    let outside = format!("[identity.manager]\n{}\n[identity.supplier]\n{}\n", url(&manager), url(&supplier));
    let region = run(&folder, "1.2.82", &format!("[identity]\nindex = false\n{DOMAINS}{outside}")).await;
    let url = region.bound().endpoints["iti18"].parse().unwrap();
    let about = find_documents(&format!("{MY_NUMBER}^^^&1.2.81.3&ISO"));
    let answer = Asker::plain(PATIENCE).unwrap().query(&ITI18, &url, &about).await.unwrap();
    assert!(answer.objects.is_empty());
    let location = PatientId::parse(&format!("{MY_NUMBER}^^^&1.2.81.3&ISO")).unwrap();
    let located = ask(&region, &ITI56, iti56::write_request(&location)).await;
    assert!(iti56::read_response(located.envelope.body().unwrap()).unwrap().is_empty());
    assert!(managers.try_recv().is_err() && suppliers.try_recv().is_err());
    region.shutdown().await;
}

/// A question as it was sent, with what differs every time replaced; its structure is checked.
async fn asked(mut told: UnboundedReceiver<String>) -> String {
    let question = tokio::time::timeout(PATIENCE, told.recv()).await.expect("nobody was asked").unwrap();
    let question = question.trim_matches(['\u{b}', '\u{1c}', '\r']);
    let message = V2::read(question.as_bytes(), Charset::Utf8).unwrap();
    let structure = structure::ALL.into_iter().find(|known| known.name == "QBP_Q21").unwrap();
    assert_eq!(structure.check(&message), []);
    assert!(structure.is_ordered(&message));
    golden::segments(question, &[("MSH", 6, "TIME"), ("MSH", 9, "ID"), ("QPD", 2, "TAG")])
}

/// The same over SOAP.
async fn posted(sink: &mut Sink) -> String {
    without_time(&sink.next().await.body.replace(&sink.url("/"), "http://MPI/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_outside_is_as_the_technical_framework_has_it() {
    let straw = Straw::new().await;
    let region = async |manager: String, supplier: String| {
        let folder = TempDir::new();
        std::fs::create_dir_all(folder.path().join("communities")).unwrap();
        std::fs::write(folder.path().join("communities/there.toml"), file(&straw, "")).unwrap();
        let outside = format!("[identity.manager]\n{manager}\n[identity.supplier]\n{supplier}\n");
        (run(&folder, "1.2.82", &format!("[identity]\nindex = false\n{DOMAINS}{outside}")).await, folder)
    };
    let url = |url: &str| format!("url = \"{url}\"");

    let ((manager, at_manager), (supplier, at_supplier)) = (listening(None).await, listening(None).await);
    let (running, folder) = region(url(&manager), url(&supplier)).await;
    documents(&running).await;
    golden::check("hl7v2/question-iti9.hl7", asked(at_manager).await.as_bytes());
    discover(&running, question()).await;
    golden::check("hl7v2/question-iti21.hl7", asked(at_supplier).await.as_bytes());
    running.shutdown().await;
    drop(folder);

    let (mut manager, mut supplier) = (Sink::new(&[]).await, Sink::new(&[]).await);
    let (running, folder) =
        region(format!("iti45 = \"{}\"", manager.url("/45")), url(&supplier.url("/47"))).await;
    documents(&running).await;
    golden::check("identity-v3/question-iti45.xml", posted(&mut manager).await.as_bytes());
    discover(&running, question()).await;
    golden::check("identity-v3/question-iti47.xml", posted(&mut supplier).await.as_bytes());
    running.shutdown().await;
    drop(folder);
}
