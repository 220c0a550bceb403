//! A region whose PIX Manager tells consumers what became of identifiers (ITI-10, ITI-46), and that answers deferred
//! questions (ITI-55), over sockets.

use std::time::Instant;

use bytes::Bytes;
use sekisho::cli::assemble::Running;
use sekisho::demographics::{BirthRange, BirthTime, Demographics, DemographicsChange, Name};
use sekisho::identity::index::Ruling;
use sekisho::ids::{HomeCommunityId, PatientId};
use sekisho::transactions::hl7v2::structure;
use sekisho::transactions::hl7v3::Ii;
use sekisho::transactions::hl7v3::query::Priority;
use sekisho::transactions::identity::DemographicsQuery;
use sekisho::transactions::iti55::{Asking, Discovery, ITI55, ITI55_DEFERRED, write_request};
use sekisho::wire::hl7v2::mllp::{MllpClient, MllpPeer, frame};
use sekisho::wire::hl7v2::{Charset, Message};
use sekisho::wire::http::{Client, ClientSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::certs::TempDir;
use crate::support::doorway::Doorway;
use crate::support::front::{Asks, MESSAGE_ID, SIMPLE, envelope};
use crate::support::http::PATIENCE;
use crate::support::sink::Sink;
use crate::support::waiting::until;
use crate::support::{golden, messages, postgres};

const CONFIG: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "試験"
authorities = ["1.2.392.1"]
[listen.http]
address = "127.0.0.1:0"
[listen.mllp]
address = "127.0.0.1:0"
[hosted]
repository = "1.2.3.4"
patients = "any"
[federation]
communities = "."
[[identity.domains]]
oid = "1.2.392.1"
namespace = "REGION"
[[identity.domains]]
oid = "1.2.392.2"
namespace = "HOSPITAL"
"#;

async fn start(folder: &TempDir, more: &str) -> Running {
    std::fs::create_dir_all(folder.path().join("communities")).unwrap();
    let file = folder.path().join("sekisho.toml");
    std::fs::write(&file, CONFIG.replace("communities = \".\"", "communities = \"communities\"") + more)
        .unwrap();
    Running::start(&file, &[]).await.map_err(|stop| stop.message).unwrap()
}

/// Feeds a patient of the hospital (ITI-8).
async fn feed(region: &Running, id: &str, name: &str) {
    let at: std::net::SocketAddr = region.bound().mllp.as_ref().unwrap().parse().unwrap();
    let peer = MllpPeer { host: at.ip().to_string(), port: at.port(), tls: None };
    let message = format!(
        "MSH|^~\\&|HIS|HOSPITAL|SEKISHO|SEKISHO|20261121100000||ADT^A01|{id}|P|2.3.1|||||JPN|UNICODE UTF-8\r\
         EVN|A01|20261121100000\rPID|||{id}^^^HOSPITAL&1.2.392.2&ISO||{name}||19800101|M\rPV1||I\r"
    );
    let client = MllpClient::new(&peer).unwrap();
    let answer = client.send(message.as_bytes(), Instant::now() + PATIENCE).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("MSA|AA|"), "{answer}");
}

/// The next message that is sent to a consumer of straw, acknowledged with a code; the connection ends when it is dropped.
async fn told(listener: &TcpListener, code: &str) -> (String, TcpStream) {
    let telling = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\x1c\r") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "cut off");
        }
        let message = String::from_utf8(bytes).unwrap();
        let control_id = message.split('|').nth(9).unwrap();
        let answer = format!(
            "MSH|^~\\&|PORTAL|REGION|SEKISHO|SEKISHO|20261121||ACK^A31^ACK|1|P|2.5\rMSA|{code}|{control_id}\r"
        );
        stream.write_all(&frame(answer.as_bytes())).await.unwrap();
        (message, stream)
    };
    tokio::time::timeout(PATIENCE, telling).await.expect("nobody was told")
}

/// What a notification says: MSH-10 and PID-3.
fn said(message: &str) -> (String, String) {
    let pid = message.split('\r').find(|segment| segment.starts_with("PID")).unwrap();
    let fields = |segment: &str, n| segment.split('|').nth(n).unwrap().to_owned();
    (fields(message, 9), fields(pid, 3))
}

#[tokio::test]
async fn consumers_are_told_and_told_again_until_they_take_it() {
    let portal = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut web = Sink::new(&[]).await;
    let folder = TempDir::new();
    let more = format!(
        "[[identity.consumers]]\nname = \"portal\"\nurl = \"mllp://{}\"\ndomains = [\"1.2.392.2\"]\n\
         application = \"PORTAL\"\nfacility = \"REGION\"\n\
         [[identity.consumers]]\nname = \"web\"\nurl = \"{}\"\ndomains = [\"1.2.392.1\", \"1.2.392.2\"]\n\
         application = \"1.2.4\"\n",
        portal.local_addr().unwrap(),
        web.url("/pix")
    );
    let region = start(&folder, &more).await;
    feed(&region, "H1", "試験^太郎").await;
    let (busy, first) = told(&portal, "AR").await;
    // Otherwise the next one would come on the same connection.
    drop(first);
    let (again, _second) = told(&portal, "AA").await;
    assert_eq!(said(&busy), said(&again), "the same message under the same id");
    assert_eq!(said(&again).1, "H1^^^HOSPITAL&1.2.392.2&ISO");
    assert!(again.contains("|ADT^A31^ADT_A05|") && again.contains("\rPV1||N"), "{again}");
    let notified = web.next().await;
    assert_eq!(notified.path, "/pix");
    assert!(notified.content_type.contains("urn:hl7-org:v3:PRPA_IN201302UV02"), "{}", notified.content_type);
    assert!(notified.body.contains("extension=\"H1\"") && notified.body.contains("1.2.4"));
    let shown = notified.body.replace(&web.url("/"), "http://WEB/");
    // Ours begins with what this database is called.
    let (before, rest) = shown.split_once("<hl7:id root=\"1.2.3\" extension=\"").unwrap();
    let shown = format!("{before}<hl7:id root=\"1.2.3\" extension=\"ID\"{}", rest.split_once('"').unwrap().1);
    golden::check("iti46/notification.xml", without_time(&shown).as_bytes());
    region.shutdown().await;

    // What happens while a consumer is away is told when it is there again, also by the next process.
    let region = start(&folder, &more).await;
    feed(&region, "H2", "試験^花子").await;
    // At least once: the one that was taken at the last moment may come again, under its id.
    let (mut message, mut stream) = told(&portal, "AA").await;
    if said(&message) == said(&again) {
        drop(stream);
        (message, stream) = told(&portal, "AA").await;
    }
    assert_eq!(said(&message).1, "H2^^^HOSPITAL&1.2.392.2&ISO");
    assert_ne!(said(&message).0, said(&again).0);
    drop(stream);
    region.shutdown().await;
}

/// Sends something to the region over MLLP, which takes it.
async fn tell(region: &Running, event: &str, structure: &str, segments: &str) {
    let at: std::net::SocketAddr = region.bound().mllp.as_ref().unwrap().parse().unwrap();
    let client =
        MllpClient::new(&MllpPeer { host: at.ip().to_string(), port: at.port(), tls: None }).unwrap();
    let message = format!(
        "MSH|^~\\&|HIS|HOSPITAL|SEKISHO|SEKISHO|20261121100000||ADT^{event}^{structure}|T1|P|2.3.1|||||JPN|UNICODE UTF-8\r\
         EVN|{event}|20261121100000\r{segments}"
    );
    let answer = client.send(message.as_bytes(), Instant::now() + PATIENCE).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("MSA|AA|"), "{answer}");
}

/// A notification with what differs every time replaced.
fn shown(message: &str) -> String {
    golden::segments(message, &[("MSH", 6, "TIME"), ("MSH", 9, "ID"), ("EVN", 2, "TIME")])
}

#[tokio::test]
async fn what_is_told_over_mllp_is_as_the_technical_framework_has_it() {
    let portal = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = TempDir::new();
    let more = format!(
        "[[identity.consumers]]\nname = \"portal\"\nurl = \"mllp://{}\"\ndomains = [\"1.2.392.1\", \"1.2.392.2\"]\n\
         [[identity.registries]]\nname = \"registry\"\nurl = \"mllp://{}\"\ndomain = \"1.2.392.1\"\n",
        portal.local_addr().unwrap(),
        registry.local_addr().unwrap()
    );
    let region = start(&folder, &more).await;
    let person = |ids: &str| format!("PID|||{ids}||試験^太郎||19800101|M\r");
    let announced = |ids: &str| person(ids) + "PV1||I\r";
    let (first, second) =
        ("H1^^^HOSPITAL~R1^^^REGION&1.2.392.1&ISO", "H2^^^HOSPITAL~R1^^^REGION&1.2.392.1&ISO");
    tell(&region, "A01", "ADT_A01", &announced(first)).await;
    let (linked, line) = told(&portal, "AA").await;
    golden::check("hl7v2/notification-iti10.hl7", shown(&linked).as_bytes());
    drop(line);
    tell(&region, "A01", "ADT_A01", &announced(second)).await;
    tell(&region, "A40", "ADT_A39", &(person("H1^^^HOSPITAL") + "MRG|H2^^^HOSPITAL\r")).await;
    let (merged, line) = told(&registry, "AA").await;
    golden::check("hl7v2/notification-iti64.hl7", shown(&merged).as_bytes());
    drop(line);

    // A local patient turns out to be another one of the region's: the registry hears whose it was, and the portal of both
    // parts of what is one no longer.
    let index = region.index().unwrap();
    let patient = |cx: &str| PatientId::parse(cx).unwrap();
    index.rule(Ruling::Unlink(patient("H1^^^&1.2.392.2&ISO")), "tester").await.unwrap().unwrap();
    let mut parts = Vec::new();
    while !(parts.len() >= 2 && parts.iter().rev().take(2).all(|part: &String| !part.contains('~'))) {
        let (message, line) = told(&portal, "AA").await;
        drop(line);
        let pid = said(&message).1;
        if parts.last() != Some(&pid) {
            parts.push(pid);
        }
    }
    let parts: Vec<_> = parts.iter().rev().take(2).map(String::as_str).collect();
    assert!(parts.contains(&"H1^^^HOSPITAL&1.2.392.2&ISO") && parts.contains(&"R1^^^REGION&1.2.392.1&ISO"));
    tell(&region, "A01", "ADT_A01", &announced("H1^^^HOSPITAL~R2^^^REGION&1.2.392.1&ISO")).await;
    let (mut moved, mut line) = told(&registry, "AA").await;
    if said(&moved).0 == said(&merged).0 {
        drop(line);
        (moved, line) = told(&registry, "AA").await;
    }
    drop(line);
    golden::check("hl7v2/notification-iti64-moved.hl7", shown(&moved).as_bytes());
    for message in [&linked, &merged, &moved] {
        let message = message.trim_start_matches('\u{b}').trim_end_matches("\u{1c}\r");
        let message = Message::read(message.as_bytes(), Charset::Utf8).unwrap();
        let name = message.field("MSH", 9).component(3).value();
        let structure = structure::ALL.into_iter().find(|known| known.name == name).unwrap();
        assert_eq!(structure.check(&message), []);
        assert!(structure.is_ordered(&message), "{name}");
    }
    region.shutdown().await;
}

#[tokio::test]
async fn who_is_told_is_taken_up_anew_while_it_runs() {
    let [first, second] = [TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0")];
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let consumer = |name: &str, listener: &TcpListener| {
        let url = listener.local_addr().unwrap();
        format!(
            "[[identity.consumers]]\nname = \"{name}\"\nurl = \"mllp://{url}\"\ndomains = [\"1.2.392.2\"]\n"
        )
    };
    let folder = TempDir::new();
    let region = start(&folder, &consumer("first", &first)).await;
    feed(&region, "H1", "試験^一").await;
    let (message, line) = told(&first, "AA").await;
    assert!(said(&message).1.starts_with("H1^"));
    drop(line);

    let file = folder.path().join("sekisho.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let (head, _) = before.split_once("[[identity.consumers]]").unwrap();
    std::fs::write(&file, head.to_owned() + &consumer("second", &second)).unwrap();
    region.reload().await;
    feed(&region, "H2", "試験^二").await;
    let (message, line) = told(&second, "AA").await;
    assert!(said(&message).1.starts_with("H2^"), "a new one is told what happens from then on");
    drop(line);

    // The first one comes back, and is told what it missed.
    std::fs::write(&file, &before).unwrap();
    region.reload().await;
    let (mut message, mut line) = told(&first, "AA").await;
    if said(&message).1.starts_with("H1^") {
        drop(line);
        (message, line) = told(&first, "AA").await;
    }
    assert!(said(&message).1.starts_with("H2^"), "{message}");
    drop(line);
    region.shutdown().await;
}

/// Its creationTime made the same every time.
fn without_time(answer: &str) -> String {
    let (before, rest) = answer.split_once("creationTime value=\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}creationTime value=\"TIME\"{after}")
}

/// Posts a deferred question, and gives its acknowledgement.
async fn defer(region: &Running, respond_to: Option<&str>) -> String {
    let question = Discovery {
        who: taro(),
        home: Some(HomeCommunityId::parse("urn:oid:1.2.9").unwrap()),
        priority: Priority::Deferred,
        ..Discovery::default()
    };
    let query = Ii { root: "1.2.9.7".into(), extension: Some("77".into()) };
    let asking = Asking { query, sender: "1.2.9", receiver: "1.2.3", respond_to };
    let body: Bytes = write_request(&question, &asking);
    messages::keep("iti-55-deferred", &body);
    let message = envelope(ITI55_DEFERRED.action, "", std::str::from_utf8(&body).unwrap());
    let (status, answer) = asks(region).text("/services/iti-55", SIMPLE, message).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Whoever asks the region.
fn asks(region: &Running) -> Asks {
    let url: hyper::Uri = region.bound().endpoints["iti55"].parse().unwrap();
    let address = url.authority().unwrap().as_str().parse().unwrap();
    Asks { client: Client::new(&ClientSettings::default()).unwrap(), address }
}

/// Whom the hospital has.
fn taro() -> DemographicsQuery {
    DemographicsQuery {
        names: vec![Name { family: "試験".into(), given: "太郎".into(), ..Name::default() }],
        birth: BirthTime::parse("19800101").map(BirthRange::Within),
        ..DemographicsQuery::default()
    }
}

#[tokio::test]
async fn a_deferred_question_is_acknowledged_kept_and_answered_to_where_it_says() {
    let mut asker = Sink::new(&[503]).await;
    let folder = TempDir::new();
    let more = format!("[async]\nreply_to = [\"{}\"]\n", asker.url("/deferred"));
    let region = start(&folder, &more).await;
    feed(&region, "H1", "試験^太郎").await;

    for refused in [None, Some("http://169.254.169.254/deferred"), Some(asker.url("/other").as_str())] {
        let answer = defer(&region, refused).await;
        if refused.is_some() {
            golden::check("iti55/deferred-refused.xml", without_time(&answer).as_bytes());
        }
        assert!(answer.contains("<hl7:typeCode code=\"AE\"/>") && answer.contains("NS250"), "{answer}");
    }
    assert!(asker.is_empty());

    let answer = defer(&region, Some(&asker.url("/deferred"))).await;
    golden::check("iti55/deferred-accepted.xml", without_time(&answer).as_bytes());
    assert!(
        answer.contains("MCCI_IN000002UV01") && answer.contains("<hl7:typeCode code=\"CA\"/>"),
        "{answer}"
    );
    let first = asker.next().await;
    let shown = first.body.replace(&asker.url("/"), "http://ASKER/");
    golden::check("iti55/deferred-answer.xml", without_time(&shown).as_bytes());
    region.shutdown().await;

    // It was not taken: another process answers it, or the first one did once more.
    let region = start(&folder, &more).await;
    let again = asker.next().await;
    for told in [&first, &again] {
        assert_eq!(told.path, "/deferred");
        assert_eq!(told.text("RelatesTo"), MESSAGE_ID);
        assert!(
            told.content_type.contains("urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:"),
            "{}",
            told.content_type
        );
        assert!(told.body.contains("<hl7:queryId root=\"1.2.9.7\" extension=\"77\"/>"), "{}", told.body);
    }
    region.shutdown().await;
}

/// Over WS-Addressing: the answer of every Responding Gateway may go to an address of its own (ITI TF-2: 3.55.4).
#[tokio::test]
async fn an_asynchronous_question_is_answered_where_it_says() {
    let mut asker = Sink::new(&[]).await;
    let folder = TempDir::new();
    let region = start(&folder, &format!("[async]\nreply_to = [\"{}\"]\n", asker.url("/replies"))).await;
    feed(&region, "H1", "試験^太郎").await;
    let discovery = Discovery {
        who: taro(),
        home: Some(HomeCommunityId::parse("urn:oid:1.2.9").unwrap()),
        ..Discovery::default()
    };
    let query = Ii { root: "1.2.9.7".into(), extension: Some("78".into()) };
    let asking = Asking { query, sender: "1.2.9", receiver: "1.2.3", respond_to: None };
    let body = write_request(&discovery, &asking);
    let reply_to = format!("<a:ReplyTo><a:Address>{}</a:Address></a:ReplyTo>", asker.url("/replies"));
    let message = envelope(ITI55.action, &reply_to, std::str::from_utf8(&body).unwrap());
    assert_eq!(asks(&region).text("/services/iti-55", SIMPLE, message).await, (202, String::new()));
    let told = asker.next().await;
    assert_eq!((told.path.as_str(), told.text("RelatesTo")), ("/replies", MESSAGE_ID));
    let shown = told.body.replace(&asker.url("/"), "http://ASKER/");
    golden::check("iti55/asynchronous-answer.xml", without_time(&shown).as_bytes());
    region.shutdown().await;
}

/// Whoever asks for a later answer can wait: nobody is told that we are busy because the MPI is started anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_question_waits_for_an_mpi_that_is_away_for_a_moment() {
    let (mut asker, door) = (Sink::new(&[]).await, Doorway::new().await);
    let folders = [TempDir::new(), TempDir::new()];
    let mpi = start(&folders[0], "").await;
    let name = Name { family: "試験".into(), given: "太郎".into(), ..Name::default() };
    let taro =
        Demographics { names: vec![name], birth: BirthTime::parse("19800101"), ..Demographics::default() };
    let patient = vec![PatientId::parse("R1^^^&1.2.392.1&ISO").unwrap()];
    mpi.index().unwrap().announce(patient, DemographicsChange::set(&taro), None).await.unwrap();
    let more = format!(
        "[async]\nreply_to = [\"{}\"]\n[identity]\nindex = false\n[identity.supplier]\nurl = \"mllp://{}\"\n",
        asker.url("/deferred"),
        door.address
    );
    let region = start(&folders[1], &more).await;
    let answer = defer(&region, Some(&asker.url("/deferred"))).await;
    assert!(answer.contains("<hl7:typeCode code=\"CA\"/>"), "{answer}");
    // Nobody is behind the door: it was tried at least once.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(asker.is_empty());
    door.leads_to(&format!("mllp://{}", mpi.bound().mllp.as_ref().unwrap()));
    let told = asker.next().await;
    assert!(told.body.contains("<hl7:queryResponseCode code=\"OK\"/>"), "{}", told.body);
    assert!(told.body.contains("extension=\"R1\"") && !told.body.contains("ResponderBusy"), "{}", told.body);
    for gateway in [region, mpi] {
        gateway.shutdown().await;
    }
}

/// Two gateways before the same MPI, on one PostgreSQL: both accept questions, and one that lives answers them, once.
#[tokio::test(flavor = "multi_thread")]
async fn deferred_questions_to_several_gateways_are_answered_by_one_of_them() {
    let mut asker = Sink::new(&[]).await;
    let (folders, schema) = ([TempDir::new(), TempDir::new()], postgres::schema());
    let mpi_folder = TempDir::new();
    let mpi = start(&mpi_folder, "").await;
    let gateway = async |folder: &TempDir, repository: &str| {
        std::fs::create_dir_all(folder.path().join("communities")).unwrap();
        let file = folder.path().join("sekisho.toml");
        let config = CONFIG.replace("communities = \".\"", "communities = \"communities\"");
        std::fs::write(&file, config).unwrap();
        let settings = [
            format!("store.postgres={schema}"),
            format!("hosted.repository={repository}"),
            format!("async.reply_to=[{:?}]", asker.url("/deferred")),
            // It knows nobody, which is an answer too.
            format!("identity.supplier.url=mllp://{}", mpi.bound().mllp.as_ref().unwrap()),
            "identity.index=false".to_owned(),
        ];
        Running::start(&file, &settings).await.map_err(|stop| stop.message).unwrap()
    };
    let (one, other) = (gateway(&folders[0], "1.2.3.4").await, gateway(&folders[1], "1.2.3.5").await);
    let address = asker.url("/deferred");
    for asked in [&other, &one, &other] {
        let answer = defer(asked, Some(&address)).await;
        assert!(answer.contains("<hl7:typeCode code=\"CA\"/>"), "{answer}");
        assert_eq!(asker.next().await.path, "/deferred");
    }
    // Whoever answered has noted that they are: otherwise the other one would answer again, and rightly.
    until("no question is open", async || postgres::count(&schema, "delivery_question") == 0).await;
    one.shutdown().await;
    let answer = defer(&other, Some(&address)).await;
    assert!(answer.contains("<hl7:typeCode code=\"CA\"/>"), "{answer}");
    asker.next().await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(asker.is_empty(), "one of them is answered twice");
    other.shutdown().await;
    mpi.shutdown().await;
}
