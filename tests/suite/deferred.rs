//! Deferred patient discovery in the asking role (ITI TF-2: 3.55.4.1.3, 3.55.4.2): the gateway asks once, is promised an
//! answer, says so to its consumer, and takes the answer when it comes, also in another process. Over sockets, with a
//! community of straw that answers when and what it is told to.

use std::time::Instant;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use sekisho::cli::assemble::Running;
use sekisho::cli::peer::Peer as Asker;
use sekisho::demographics::{Demographics, DemographicsChange, Sex};
use sekisho::transactions::errors::{Severity, Status, code};
use sekisho::transactions::iti18::{ITI18, QueryResponse, write_response};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::iti55::{
    self, Attribute, DiscoveryResponse, Found, ITI55, ITI55_DEFERRED, ITI55_DEFERRED_ANSWER, Outcome,
};
use sekisho::wire::http::{Client, ClientSettings, TlsClient};

use super::support::certs::{Authority, Pair, TempDir, Usage, VALID};
use super::support::community::{entry_xml, find_documents, home, objects, patient};
use super::support::doorway::Doorway;
use super::support::front::{Asks, SIMPLE, envelope};
use super::support::golden;
use super::support::http::{PATIENCE, collect, whole};
use super::support::sink::Sink;
use super::support::straw::{Asked, Straw, THERE, found, person};
use super::support::waiting::{until, until_caught_up};

const LOCAL: &str = "HERE^^^&1.2.60.3&ISO";

/// A region that knows one patient, before a doorway that stays when it is started anew.
struct Region {
    running: Running,
    folder: TempDir,
    door: Doorway,
}

impl Region {
    async fn start(straw: &Straw, more: &str) -> Self {
        let (folder, door) = (TempDir::new(), Doorway::new().await);
        std::fs::create_dir(folder.path().join("communities")).unwrap();
        let address = straw.server.address;
        let community = format!(
            "name = \"Later\"\nhome = [\"urn:oid:{THERE}\"]\ndeferred = true\n{more}\n[limits]\nattempts = 1\n[endpoints]\n\
             iti38 = \"http://{address}/iti38\"\niti39 = \"http://{address}/iti39\"\niti55 = \"http://{address}/iti55\"\n"
        );
        std::fs::write(folder.path().join("communities/there.toml"), community).unwrap();
        let running = run(&folder, &door).await;
        let region = Self { running, folder, door };
        region.knows(&person(Sex::Male)).await;
        region
    }

    async fn restart(self) -> Self {
        let Self { running, folder, door } = self;
        running.shutdown().await;
        Self { running: run(&folder, &door).await, folder, door }
    }

    async fn knows(&self, person: &Demographics) {
        let index = self.running.index().unwrap();
        index.announce(vec![patient(LOCAL)], DemographicsChange::set(person), None).await.unwrap();
        until_caught_up(&self.running).await;
    }

    /// The clinician's question.
    async fn documents(&self) -> QueryResponse {
        let portal = self.running.bound().http.as_ref().unwrap();
        let url = format!("{portal}/services/iti-18").parse().unwrap();
        let peer = Asker::plain(PATIENCE).unwrap();
        peer.query(&ITI18, &url, &find_documents(LOCAL)).await.unwrap()
    }

    /// Who the patient is there comes later: nothing has failed.
    async fn assert_pending(&self) {
        let answer = self.documents().await;
        assert_eq!((answer.status, answer.objects.len()), (Status::Success, 0), "{:?}", answer.errors);
        let [warning] = &answer.errors[..] else { panic!("{:?}", answer.errors) };
        assert_eq!((&*warning.code, warning.severity), (code::UNAVAILABLE_COMMUNITY, Severity::Warning));
        assert!(warning.context.contains("Later") && warning.context.contains("ask again"));
    }

    /// Brings an answer; gives the acknowledgement's envelope.
    async fn tell(&self, relates_to: &str, body: &Bytes) -> String {
        let body = std::str::from_utf8(body).unwrap();
        let relates_to = format!("<a:RelatesTo>{relates_to}</a:RelatesTo>");
        let message = envelope(ITI55_DEFERRED_ANSWER.action, &relates_to, body);
        let asks =
            Asks { client: Client::new(&ClientSettings::default()).unwrap(), address: self.door.address };
        let (status, text) = asks.text("/services/replies", SIMPLE, message).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    async fn assert_told(&self, code: &str, asked: &Asked, found: Vec<Found>) -> String {
        let answer = DiscoveryResponse::from(Outcome::Found(found));
        let body = iti55::write_response(&answer, &asked.received(), &home(THERE));
        let acknowledgement = self.tell(&asked.message_id, &body).await;
        let code = format!("<hl7:typeCode code=\"{code}\"/>");
        assert!(acknowledgement.contains(&code), "{code}: {acknowledgement}");
        acknowledgement
    }
}

async fn run(folder: &TempDir, door: &Doorway) -> Running {
    let file = folder.path().join("sekisho.toml");
    let config = format!(
        "[community]\nhome = \"urn:oid:1.2.60\"\nname = \"Here\"\nauthorities = [\"1.2.60.3\"]\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n[hosted]\nrepository = \"1.2.60.2\"\npatients = \"any\"\n\
         [federation]\ndeadline_ms = 30000\n[async]\nreplies = \"http://{}/services/replies\"\n\
         [[identity.domains]]\noid = \"1.2.60.3\"\nnamespace = \"HERE\"\n",
        door.address
    );
    std::fs::write(&file, config).unwrap();
    let running = Running::start(&file, &[]).await.map_err(|stop| stop.message).unwrap();
    door.leads_to(running.bound().http.as_ref().unwrap());
    running
}

/// Times and ports differ from run to run.
fn without_time(envelope: &str, door: &Doorway) -> Vec<u8> {
    let (before, rest) = envelope.split_once("<hl7:creationTime value=\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let text = format!("{before}<hl7:creationTime value=\"TIME\"{after}");
    text.replace(&format!(":{}", door.address.port()), ":PORT").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_once_and_its_answer_serves_whoever_asks_later() {
    let mut straw = Straw::new().await;
    let region = Region::start(&straw, "").await;
    region.assert_pending().await;
    let question = straw.expect(&ITI55_DEFERRED).await;
    let shown = question.text.replace(&format!(":{}", straw.server.address.port()), ":THERE");
    golden::check("iti55/deferred-question.xml", &without_time(&shown, &region.door));
    let received = question.received();
    let replies = format!("http://{}/services/replies", region.door.address);
    assert_eq!(received.transmission.respond_to.as_deref(), Some(&*replies));
    // It is not asked again while the answer is awaited, nor by the next process.
    region.assert_pending().await;
    let region = region.restart().await;
    region.assert_pending().await;
    assert!(!straw.is_asked());

    let acknowledgement = region.assert_told("CA", &question, vec![found(THERE, "THERE")]).await;
    golden::check("iti55/deferred-answer-taken.xml", &without_time(&acknowledgement, &region.door));
    let answer = region.documents().await;
    assert_eq!((answer.status, answer.objects.len()), (Status::Success, 1), "{:?}", answer.errors);
    assert!(straw.expect(&ITI38).await.text.contains("THERE^^^&amp;1.2.70.3&amp;ISO"));

    // A second answer is taken and changes nothing.
    region.assert_told("CA", &question, vec![found(THERE, "OTHER")]).await;
    region.documents().await;
    assert!(straw.expect(&ITI38).await.text.contains("THERE^^^&amp;1.2.70.3&amp;ISO"));
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_58_answers_that_nobody_asked_for_or_from_somebody_else_are_not_taken() {
    let mut straw = Straw::new().await;
    let region = Region::start(&straw, "").await;
    region.assert_pending().await;
    let question = straw.expect(&ITI55_DEFERRED).await;
    let answer = DiscoveryResponse::from(Outcome::Found(vec![found(THERE, "STRANGER")]));
    let received = question.received();
    let body = iti55::write_response(&answer, &received, &home(THERE));
    let refused = |told: &str| assert!(told.contains("code=\"CE\"") && told.contains("204"), "{told}");

    let told = region.tell("urn:uuid:00000000-0000-4000-8000-000000000000", &body).await;
    golden::check("iti55/deferred-answer-refused.xml", &without_time(&told, &region.door));
    refused(&told);
    let foreign = iti55::write_response(&answer, &received, &home("1.2.71"));
    refused(&region.tell(&question.message_id, &foreign).await);
    let mut other = received.clone();
    other.echo.id.extension = Some("1".into());
    refused(&region.tell(&question.message_id, &iti55::write_response(&answer, &other, &home(THERE))).await);
    region.assert_pending().await;

    // From the right one, about another community's patient: that is no answer, and it is not asked again at once.
    region.assert_told("CA", &question, vec![found("1.2.71", "STRANGER")]).await;
    let answer = region.documents().await;
    assert!(answer.objects.is_empty());
    assert!(answer.errors[0].context.contains("answered for another community"), "{:?}", answer.errors);
    assert!(!straw.is_asked());
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_certificates_named_an_answer_without_one_is_nobodys() {
    let mut straw = Straw::new().await;
    let region = Region::start(&straw, "certificates = [\"CN=gate.there\"]").await;
    region.assert_pending().await;
    let question = straw.expect(&ITI55_DEFERRED).await;
    region.assert_told("CE", &question, vec![found(THERE, "STRANGER")]).await;
    region.assert_pending().await;
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_community_wishes_to_know_is_told_in_a_second_question() {
    let mut straw = Straw::new().await;
    let region = Region::start(&straw, "").await;
    let telephone = sekisho::demographics::Telecom { value: "03-0000-0000".into(), ..Default::default() };
    region.knows(&Demographics { telecoms: vec![telephone], ..person(Sex::Male) }).await;
    region.assert_pending().await;
    let first = straw.expect(&ITI55_DEFERRED).await;
    assert!(!first.text.contains("patientTelecom"));
    let wishes = DiscoveryResponse::from(Outcome::AskForMore(vec![Attribute::Telecom]));
    let told = region
        .tell(&first.message_id, &iti55::write_response(&wishes, &first.received(), &home(THERE)))
        .await;
    assert!(told.contains("code=\"CA\""), "{told}");
    let second = straw.expect(&ITI55_DEFERRED).await;
    assert!(second.text.contains("patientTelecom") && second.message_id != first.message_id);
    region.assert_told("CE", &first, vec![found(THERE, "FIRST")]).await;
    region.assert_told("CA", &second, vec![found(THERE, "SECOND")]).await;
    assert_eq!(region.documents().await.objects.len(), 1);
    assert!(straw.expect(&ITI38).await.text.contains("SECOND^^^"));
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_somebody_who_has_changed_since_is_not_kept() {
    let mut straw = Straw::new().await;
    let region = Region::start(&straw, "").await;
    region.assert_pending().await;
    let question = straw.expect(&ITI55_DEFERRED).await;
    region.knows(&person(Sex::Female)).await;
    region.assert_told("CA", &question, vec![found(THERE, "FORMER")]).await;
    region.assert_pending().await;
    let again = straw.expect(&ITI55_DEFERRED).await;
    assert_ne!(again.message_id, question.message_id);
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_community_that_does_not_answer_later_is_asked_at_once() {
    let mut straw = Straw::new().await;
    *straw.promises.lock().unwrap() = false;
    let region = Region::start(&straw, "").await;
    let answer = region.documents().await;
    assert_eq!((answer.status, answer.errors.len()), (Status::Success, 0), "{:?}", answer.errors);
    straw.expect(&ITI55_DEFERRED).await;
    let question = straw.expect(&ITI55).await;
    let shown = question.text.replace(&format!(":{}", straw.server.address.port()), ":THERE");
    golden::check("iti55/question.xml", &without_time(&shown, &region.door));
    region.running.shutdown().await;
}

/// Two gateways of ours: one asks, the other answers later.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_ours_understand_each_other() {
    let mut straw = Straw::new().await;
    let here = Region::start(&straw, "").await;
    let there = Region::start(&straw, "").await;
    there.knows(&person(Sex::Male)).await;
    let Region { running, folder, door } = there;
    running.shutdown().await;
    let reply_to = format!("async.reply_to=[\"http://{}/services/replies\"]", here.door.address);
    let overrides = [reply_to, "community.home=\"urn:oid:1.2.70\"".to_owned()];
    std::fs::remove_file(folder.path().join("communities/there.toml")).unwrap();
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    let running = Running::start(&folder.path().join("sekisho.toml"), &overrides).await;
    let running = running.map_err(|stop| stop.message).unwrap();
    door.leads_to(running.bound().http.as_ref().unwrap());
    let there = Region { running, folder, door };
    there.knows(&person(Sex::Male)).await;

    let file = here.folder.path().join("communities/there.toml");
    let own = std::fs::read_to_string(&file).unwrap();
    let iti55 = format!("http://{}/iti55", straw.server.address);
    let text = own.replace(&iti55, &format!("http://{}/services/iti-55", there.door.address));
    std::fs::write(&file, text).unwrap();
    assert_eq!(here.running.directory().unwrap().reload(), []);
    until("an answer comes", async || !here.documents().await.objects.is_empty()).await;
    assert!(straw.expect(&ITI38).await.text.contains("HERE^^^&amp;1.2.60.3&amp;ISO"));
    for region in [here, there] {
        region.running.shutdown().await;
    }
}

/// A region whose replies come over mutual TLS only; its portal asks over plain HTTP.
async fn over_tls(authority: &Authority, community: &str) -> Region {
    let (folder, door) = (TempDir::new(), Doorway::new().await);
    std::fs::create_dir(folder.path().join("communities")).unwrap();
    std::fs::write(folder.path().join("communities/there.toml"), community).unwrap();
    let file = folder.path().join("sekisho.toml");
    let (server, ca) = (authority.server(), authority.ca());
    let config = format!(
        "[community]\nhome = \"urn:oid:1.2.60\"\nname = \"Here\"\nauthorities = [\"1.2.60.3\"]\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n[listen.soap]\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"{}\", key = \"{}\", client_ca = \"{}\" }}\n\
         [hosted]\nrepository = \"1.2.60.2\"\npatients = \"any\"\n[federation]\ndeadline_ms = 30000\n\
         [async]\nreplies = \"https://{}/services/replies\"\n\
         [[identity.domains]]\noid = \"1.2.60.3\"\nnamespace = \"HERE\"\n",
        server.certificate.display(),
        server.key.display(),
        ca.display(),
        door.address
    );
    std::fs::write(&file, config).unwrap();
    let running = Running::start(&file, &[]).await.map_err(|stop| stop.message).unwrap();
    door.leads_to(running.bound().soap.as_ref().unwrap());
    let region = Region { running, folder, door };
    region.knows(&person(Sex::Male)).await;
    region
}

/// Brings something to the replies over TLS: status and text, or why there is none.
async fn bring(
    region: &Region,
    authority: &Authority,
    identity: Option<&Pair>,
    message: String,
) -> Result<(u16, String), String> {
    let identity = identity.map(|pair| (pair.certificate.as_path(), pair.key.as_path()));
    let tls = TlsClient::new(&authority.ca(), identity).unwrap();
    let client = Client::new(&ClientSettings { tls: Some(tls), ..ClientSettings::default() }).unwrap();
    let url = format!("https://{}/services/replies", region.door.address).parse().unwrap();
    let headers = [(CONTENT_TYPE, SIMPLE.parse().unwrap())].into_iter().collect();
    let (length, deadline) = (Some(message.len() as u64), Instant::now() + PATIENCE);
    let answer = client.post(&url, headers, length, whole(message), deadline).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, String::from_utf8_lossy(&collect(answer.into_body()).await).into_owned()))
}

const SUBJECT: &str = "C=JP, O=Test Region, CN=gate.there";

fn peers(authority: &Authority) -> [Pair; 2] {
    ["gate.there", "gate.elsewhere"].map(|name| authority.issue(name, Usage::Client, VALID))
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_58_over_mutual_tls_a_deferred_answer_counts_under_the_communitys_certificate_only() {
    let (authority, mut straw) = (Authority::new("Ours"), Straw::new().await);
    let address = straw.server.address;
    let community = format!(
        "name = \"Later\"\nhome = [\"urn:oid:{THERE}\"]\ndeferred = true\ncertificates = [\"{SUBJECT}\"]\n[endpoints]\n\
         iti38 = \"http://{address}/iti38\"\niti55 = \"http://{address}/iti55\"\n"
    );
    let region = over_tls(&authority, &community).await;
    region.assert_pending().await;
    let question = straw.expect(&ITI55_DEFERRED).await;
    let message = |id: &str| {
        let answer = DiscoveryResponse::from(Outcome::Found(vec![found(THERE, id)]));
        let body = iti55::write_response(&answer, &question.received(), &home(THERE));
        let relates_to = format!("<a:RelatesTo>{}</a:RelatesTo>", question.message_id);
        envelope(ITI55_DEFERRED_ANSWER.action, &relates_to, std::str::from_utf8(&body).unwrap())
    };
    let [there, elsewhere] = peers(&authority);
    assert!(
        bring(&region, &authority, None, message("NOBODYS")).await.is_err(),
        "no certificate, no connection"
    );
    let (status, refused) = bring(&region, &authority, Some(&elsewhere), message("STRANGER")).await.unwrap();
    assert!(status == 200 && refused.contains("code=\"CE\""), "{refused}");
    region.assert_pending().await;
    let (_, taken) = bring(&region, &authority, Some(&there), message("THERE")).await.unwrap();
    assert!(taken.contains("code=\"CA\""), "{taken}");
    assert_eq!(region.documents().await.objects.len(), 1);
    assert!(straw.expect(&ITI38).await.text.contains("THERE^^^"));
    region.running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_58_over_mutual_tls_an_asynchronous_answer_counts_under_the_named_subject_only() {
    let (authority, mut sink) = (Authority::new("Ours"), Sink::new(&[]).await);
    let community = format!(
        "name = \"There\"\nhome = [\"urn:oid:{THERE}\"]\nauthorities = [\"1.2.60.3\"]\n\
         asynchronous = {{ subject = \"{SUBJECT}\" }}\n[endpoints]\niti38 = \"{}\"\n",
        sink.url("/iti38")
    );
    let region = over_tls(&authority, &community).await;
    let [there, elsewhere] = peers(&authority);
    let answering = async {
        let question = sink.next().await;
        let relates_to = format!("<a:RelatesTo>{}</a:RelatesTo>", question.text("MessageID"));
        let message = |id: &str| {
            let found = QueryResponse::new(Vec::new(), objects(&entry_xml(Some(THERE), id, b"")));
            let body = write_response(&found).concat();
            envelope(ITI38.response_action, &relates_to, std::str::from_utf8(&body).unwrap())
        };
        assert!(bring(&region, &authority, None, message("1.2.70.1")).await.is_err());
        let accepted = Ok((202, String::new()));
        assert_eq!(bring(&region, &authority, Some(&elsewhere), message("1.2.70.2")).await, accepted);
        assert_eq!(bring(&region, &authority, Some(&there), message("1.2.70.3")).await, accepted);
    };
    let (answer, ()) = tokio::join!(region.documents(), answering);
    let ids: Vec<_> = answer.objects.iter().filter_map(|object| object.unique_id.as_deref()).collect();
    assert_eq!((answer.status, &ids[..]), (Status::Success, &["1.2.70.3"][..]), "{:?}", answer.errors);
    region.running.shutdown().await;
}
