//! Identity assertions over sockets (XUA, ITI TF-2: 3.40): whose are taken, what the actor is told of the user, and what
//! everybody else is told. The actor is of straw and notes who asked: of a refused message it hears nothing.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hyper::Uri;
use hyper::header::CONTENT_TYPE;
use sekisho::limits::{self, Limits};
use sekisho::server::{Front, Place, Service, Services};
use sekisho::transactions::errors::{RegistryError, code};
use sekisho::transactions::iti18::{ITI18, QueryResponse};
use sekisho::transactions::iti38::ITI38;
use sekisho::transactions::{Caller, Purpose};
use sekisho::trust::{Demand, Issuer, Xua};
use sekisho::wire::http::{Client, ClientSettings, Listener, ServerHandle, TlsClient, TlsServer, serve};

use crate::support::certs::{Authority, TempDir, Usage, VALID};
use crate::support::front::{Asks, QUERY, SIMPLE, adhoc_query, envelope, shown};
use crate::support::golden;
use crate::support::http::{PATIENCE, collect, whole};
use crate::support::idp::{
    Assertion, DS, EXCLUSIVE, How, Idp, MORE, NAME, NAME_ID, SAML, confirmation, holder_of_key, purpose,
    security, transform,
};
use crate::support::program::{Served, run};
use crate::support::waiting::until;

const US: &str = "urn:oid:1.2.392.200250.9.1";
const IDP: &str = "https://idp.example/saml";
const PATH: &str = "/services/iti-18";

/// A front whose actor notes its callers.
struct Gate {
    server: ServerHandle,
    front: Front,
    callers: Arc<Mutex<Vec<Caller>>>,
}

fn xua(idp: &Idp) -> Xua {
    Xua {
        issuers: vec![Issuer::new(&idp.entity_id, std::slice::from_ref(&idp.certificate)).unwrap()],
        audiences: vec![US.to_owned()],
        skew: limits::CLOCK_SKEW,
        demand: Demand { schemes: vec!["https", "http"], exempt: vec!["ITI-38".to_owned()] },
    }
}

impl Gate {
    async fn plain(idp: &Idp) -> Self {
        Self::opened(idp, None).await
    }
    async fn opened(idp: &Idp, tls: Option<TlsServer>) -> Self {
        let callers = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&callers);
        let ask = move |_, caller: Caller| {
            noted.lock().unwrap().push(caller);
            async { QueryResponse::failure(RegistryError::error(code::REGISTRY_ERROR, "heard")) }
        };
        let mut services = Services::new();
        services.offer(Place::Services, Service::query(&ITI18, ask.clone()));
        services.offer(Place::Services, Service::query(&ITI38, ask));
        let (limits, address) = (Limits::default(), "127.0.0.1:0".parse().unwrap());
        let front = Front::new(services, &limits);
        front.trust(Some(Arc::new(xua(idp))));
        let server =
            serve(Listener { address, tls, limits, handler: Arc::new(front.clone()) }).await.unwrap();
        Self { server, front, callers }
    }
    /// Asks with a Security header; gives the rule that was broken, or nothing.
    async fn ask(&self, header: &str) -> Option<String> {
        let (status, body) = Asks::of(&self.server).text(PATH, SIMPLE, query(header)).await;
        judged(status, &body)
    }
    async fn presents(&self, assertion: &str) -> Option<String> {
        self.ask(&security(assertion)).await
    }
    fn heard(&self) -> Vec<Caller> {
        std::mem::take(&mut self.callers.lock().unwrap())
    }
    /// Asserts that a header breaks a rule, and that the actor heard nothing.
    async fn refuses(&self, header: &str, rule: &str) {
        assert_eq!(self.ask(header).await.as_deref(), Some(rule));
        assert!(self.heard().is_empty(), "{rule}: nothing of the body may be acted on");
    }
    async fn refuses_assertion(&self, assertion: &str, rule: &str) {
        self.refuses(&security(assertion), rule).await;
    }
}

fn query(header: &str) -> String {
    envelope(ITI18.action, header, &adhoc_query(QUERY))
}

/// The rule of a fault, which repeats nothing of the user.
fn judged(status: u16, body: &str) -> Option<String> {
    assert!(!body.contains("CANARY"), "{body}");
    if status == 200 {
        return None;
    }
    assert!(status == 400 && body.contains("wsse:"), "{status} {body}");
    let at = body.find("(xua.").unwrap_or_else(|| panic!("{body}")) + 1;
    Some(body[at..].split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_user_is_who_the_assertion_says() {
    for idp in [Idp::rsa(IDP), Idp::ecdsa(IDP)] {
        let gate = Gate::plain(&idp).await;
        let assertion =
            Assertion { purpose: Some(("BTG", "2.16.840.1.113883.5.8")), ..Assertion::new(&idp, US) };
        assert_eq!(gate.presents(&idp.signed(&assertion)).await, None);
        let heard = gate.heard();
        let user = heard[0].user.as_ref().unwrap();
        assert_eq!((user.name_id.as_str(), user.names.as_slice()), (NAME_ID, &[NAME.to_owned()][..]));
        assert_eq!((user.issuer.as_str(), heard[0].purpose), (IDP, Some(Purpose::Emergency)));
    }
}

#[tokio::test]
async fn an_assertion_is_needed_but_for_what_is_exempt() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    gate.refuses("", "xua.missing").await;
    gate.refuses(&security(""), "xua.missing").await;
    let answer = Asks::of(&gate.server).post(PATH, SIMPLE, query("")).await;
    golden::check("faults/xua-missing.http", shown(answer).await.as_bytes());

    let exempt = envelope(ITI38.action, "", &adhoc_query(QUERY));
    let (status, _) = Asks::of(&gate.server).text("/services/iti-38", SIMPLE, exempt).await;
    assert_eq!((status, gate.heard()[0].user.is_none()), (200, true));
    // With none configured, the header is passed over.
    gate.front.trust(None);
    assert_eq!(gate.presents("<x:Any xmlns:x=\"urn:x\"/>").await, None);
    assert!(gate.heard()[0].user.is_none());
}

#[tokio::test]
async fn attack_39_a_signature_is_good_for_the_assertion_that_it_stands_in_and_no_other() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    let signature = idp.signature(&good, &idp.how(&good));
    let (whole, bare) = (good.with(&signature), good.with(""));
    let evil =
        Assertion { id: "_evil".into(), purpose: Some(("BTG", "2.16.840.1.113883.5.8")), ..good.clone() };
    let twin = Assertion { id: good.id.clone(), ..evil.clone() };
    let within = |outer: &Assertion, signature: &str, inner: &str| {
        outer.with(signature).replace("</saml2:Assertion>", &format!("{inner}</saml2:Assertion>"))
    };
    let object = |inner: &str| {
        signature.replace("</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
    };
    let other_block = format!("<x:Kept xmlns:x=\"urn:x\">{whole}</x:Kept>");
    for (header, rule) in [
        // The original inside the signature that the forged one carries, whole or bare.
        (security(&evil.with(&object(&bare))), "xua.signature.form"),
        (security(&evil.with(&object(&whole))), "xua.signature.form"),
        // Beside it, before and behind.
        (security(&format!("{whole}{}", evil.with(""))), "xua.header"),
        (security(&format!("{}{whole}", evil.with(&signature))), "xua.header"),
        // Inside of it.
        (security(&within(&evil, "", &whole)), "xua.unsigned"),
        (security(&within(&evil, &signature, &bare)), "xua.reference"),
        (security(&within(&twin, &signature, &bare)), "xua.id"),
        // In other places of the header, under another or the same ID.
        (other_block.clone() + &security(&evil.with(&signature)), "xua.reference"),
        (other_block.clone() + &security(&twin.with(&signature)), "xua.id"),
        (
            security(&format!("<x:Extension xmlns:x=\"urn:x\">{whole}</x:Extension>{}", evil.with(""))),
            "xua.unsigned",
        ),
        // As a signature of the message.
        (security(&format!("{}{}", object(&whole), evil.with(""))), "xua.unsigned"),
        // In a second Security.
        (security(&whole) + &security(&evil.with("")), "xua.header"),
        // In place of the original.
        (security(&evil.with(&signature)), "xua.reference"),
        (security(&twin.with(&signature)), "xua.digest"),
        (security(&format!("<x:Extension xmlns:x=\"urn:x\">{whole}</x:Extension>")), "xua.missing"),
        (other_block, "xua.missing"),
    ] {
        gate.refuses(&header, rule).await;
    }
    // In the body, where nobody looks.
    let body =
        adhoc_query(QUERY).replace("</q:AdhocQueryRequest>", &format!("{whole}</q:AdhocQueryRequest>"));
    let message = envelope(ITI18.action, &security(&twin.with(&signature)), &body);
    let (status, body) = Asks::of(&gate.server).text(PATH, SIMPLE, message).await;
    assert_eq!(judged(status, &body).as_deref(), Some("xua.digest"));
    assert!(gate.heard().is_empty());
    assert_eq!(gate.presents(&whole).await, None);
}

#[tokio::test]
async fn attack_40_unsigned_stripped_and_signed_by_somebody_else() {
    let (idp, other) = (Idp::rsa(IDP), Idp::rsa(IDP));
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    gate.refuses_assertion(&good.with(""), "xua.unsigned").await;
    // Their own key, with their own certificate, and with ours.
    gate.refuses_assertion(&other.signed(&good), "xua.signature").await;
    let ours = How { key_info: idp.key_info(), ..other.how(&good) };
    gate.refuses_assertion(&other.signed_by(&good, &ours), "xua.signature").await;
    let unknown = Assertion { issuer: "urn:unknown".into(), ..good.clone() };
    gate.refuses_assertion(&other.signed(&unknown), "xua.issuer").await;
    // No KeyInfo is needed.
    let none = How { key_info: String::new(), ..idp.how(&good) };
    assert_eq!(gate.presents(&idp.signed_by(&good, &none)).await, None);
    let answer = Asks::of(&gate.server).post(PATH, SIMPLE, query(&security(&other.signed(&good)))).await;
    golden::check("faults/xua-signature.http", shown(answer).await.as_bytes());
}

#[tokio::test]
async fn attack_41_algorithms_that_anybody_could_sign_with() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    for method in [
        format!("{DS}rsa-sha1"),
        format!("{DS}hmac-sha1"),
        format!("{MORE}hmac-sha256"),
        "none".to_owned(),
        String::new(),
    ] {
        let how = How { method, ..idp.how(&good) };
        gate.refuses_assertion(&idp.signed_by(&good, &how), "xua.algorithm").await;
    }
    let sha1 = (format!("{DS}sha1"), openssl::hash::MessageDigest::sha1());
    let how = How { digest: sha1, ..idp.how(&good) };
    gate.refuses_assertion(&idp.signed_by(&good, &how), "xua.algorithm").await;
    for method in ["rsa-sha384", "rsa-sha512"] {
        let how = How { method: format!("{MORE}{method}"), ..idp.how(&good) };
        assert_eq!(gate.presents(&idp.signed_by(&good, &how)).await, None, "{method}");
    }
    let how = How { method: format!("{DS}rsa-sha1"), ..idp.how(&good) };
    let answer =
        Asks::of(&gate.server).post(PATH, SIMPLE, query(&security(&idp.signed_by(&good, &how)))).await;
    golden::check("faults/xua-algorithm.http", shown(answer).await.as_bytes());
}

#[tokio::test]
async fn attack_42_transforms_beyond_the_two() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    let enveloped = transform(&format!("{DS}enveloped-signature"));
    let exclusive = transform(EXCLUSIVE);
    for (transforms, rule) in [
        (enveloped.clone() + &transform("http://www.w3.org/TR/1999/REC-xslt-19991116"), "xua.algorithm"),
        (transform("http://www.w3.org/TR/1999/REC-xpath-19991116") + &exclusive, "xua.algorithm"),
        (enveloped.clone() + &transform(&format!("{EXCLUSIVE}WithComments")), "xua.algorithm"),
        (exclusive.clone() + &enveloped, "xua.algorithm"),
        (enveloped.clone() + &exclusive.repeat(400), "xua.signature.form"),
        (enveloped.clone(), "xua.signature.form"),
        (String::new(), "xua.signature.form"),
    ] {
        let how = How { transforms, ..idp.how(&good) };
        gate.refuses_assertion(&idp.signed_by(&good, &how), rule).await;
    }
}

#[tokio::test]
async fn attack_43_references_to_something_else_and_doubled_ids() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    for uri in ["", "#", "#_other", "#xpointer(/)", "http://127.0.0.1:9/", "cid:x"] {
        let how = How { uri: uri.to_owned(), ..idp.how(&good) };
        gate.refuses_assertion(&idp.signed_by(&good, &how), "xua.reference").await;
    }
    for attribute in ["Id", "ID", "id", "xml:id"] {
        let double = format!("<x:Double xmlns:x=\"urn:x\" {attribute}=\"{}\"/>", good.id);
        gate.refuses(&(security(&idp.signed(&good)) + &double), "xua.id").await;
    }
}

#[tokio::test]
async fn attack_44_before_and_after_its_time() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    for (valid, expected) in [
        ((-3_600, -70), Some("xua.expired")),
        ((-3_600, -30), None),
        ((-10, 600), None),
        ((30, 600), None),
        ((90, 600), Some("xua.not-before")),
    ] {
        let assertion = Assertion { valid, ..Assertion::new(&idp, US) };
        assert_eq!(gate.presents(&idp.signed(&assertion)).await.as_deref(), expected, "{valid:?}");
    }
    // Without an end it would hold for ever.
    let good = Assertion::new(&idp, US);
    let endless = idp.signed(&good).replace(" NotOnOrAfter=", " Until=");
    gate.heard();
    gate.refuses_assertion(&endless, "xua.digest").await;
    let ended =
        |method, data| Assertion { confirmation: confirmation(method, data), ..Assertion::new(&idp, US) };
    let over = ended(
        "bearer",
        "<saml2:SubjectConfirmationData NotOnOrAfter=\"2020-01-01T00:00:00Z\"></saml2:SubjectConfirmationData>",
    );
    gate.refuses_assertion(&idp.signed(&over), "xua.expired").await;
    let never =
        ended("bearer", "<saml2:SubjectConfirmationData NotBefore=\"soon\"></saml2:SubjectConfirmationData>");
    gate.refuses_assertion(&idp.signed(&never), "xua.instant").await;
    // OneTimeUse may be ignored (ITI TF-2: 3.40.4.1.2): a bearer's assertion is good as long as it is valid.
    let again = idp.signed(&Assertion::new(&idp, US));
    for _ in 0..2 {
        assert_eq!(gate.presents(&again).await, None);
    }
}

#[tokio::test]
async fn attack_45_for_another_audience_or_for_none() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let lists = |lists: &[&[&str]]| {
        let list = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let assertion = Assertion { audiences: lists.iter().map(list).collect(), ..Assertion::new(&idp, US) };
        idp.signed(&assertion)
    };
    for refused in [
        &[&["urn:oid:1.2.3"][..]][..],
        &[],
        &[&[]],
        // All restrictions must be met (SAML 2.0 errata, E46).
        &[&[US], &["urn:oid:1.2.3"]],
        &[&["urn:oid:1.2.392.200250.9.10"]],
        &[&["URN:OID:1.2.392.200250.9.1"]],
    ] {
        gate.refuses_assertion(&lists(refused), "xua.audience").await;
    }
    assert_eq!(gate.presents(&lists(&[&["urn:oid:1.2.3", US], &[US]])).await, None);
    let answer =
        Asks::of(&gate.server).post(PATH, SIMPLE, query(&security(&lists(&[&["urn:oid:1.2.3"]])))).await;
    golden::check("faults/xua-audience.http", shown(answer).await.as_bytes());
}

#[tokio::test]
async fn attack_45_for_the_holder_of_a_key_who_is_another() {
    let (idp, authority) = (Idp::ecdsa(IDP), Authority::new("CA"));
    let pair = authority.server();
    let tls = TlsServer::new(&pair.certificate, &pair.key, Some(&authority.ca())).unwrap();
    let gate = Gate::opened(&idp, Some(tls)).await;
    let (portal, thief) =
        (authority.issue("portal", Usage::Client, VALID), authority.issue("thief", Usage::Client, VALID));
    let assertion =
        Assertion { confirmation: holder_of_key(&portal.certificate), ..Assertion::new(&idp, US) };
    let message = query(&security(&idp.signed(&assertion)));
    let ask = async |identity: &crate::support::certs::Pair, message: String| {
        let tls = TlsClient::new(&authority.ca(), Some((&identity.certificate, &identity.key))).unwrap();
        let client = Client::new(&ClientSettings { tls: Some(tls), ..ClientSettings::default() }).unwrap();
        let url: Uri = format!("https://{}{PATH}", gate.server.address).parse().unwrap();
        let headers = [(CONTENT_TYPE, SIMPLE.parse().unwrap())].into_iter().collect();
        let (length, deadline) = (Some(message.len() as u64), Instant::now() + PATIENCE);
        let answer = client.post(&url, headers, length, whole(message), deadline).await.unwrap();
        let status = answer.status().as_u16();
        judged(status, std::str::from_utf8(&collect(answer.into_body()).await).unwrap())
    };
    assert_eq!(ask(&portal, message.clone()).await, None);
    assert_eq!(gate.heard().len(), 1);
    assert_eq!(ask(&thief, message.clone()).await.as_deref(), Some("xua.holder-of-key"));
    // Nor is it the thief's with a second confirmation that does not hold either.
    let vouched = confirmation("sender-vouches", "");
    let both = Assertion { confirmation: assertion.confirmation.clone() + &vouched, ..assertion.clone() };
    let both = query(&security(&idp.signed(&both)));
    assert_eq!(ask(&thief, both).await.as_deref(), Some("xua.confirmation"));
    // A key that nobody names is nobody's.
    for data in ["", "<saml2:SubjectConfirmationData></saml2:SubjectConfirmationData>"] {
        let unnamed =
            Assertion { confirmation: confirmation("holder-of-key", data), ..Assertion::new(&idp, US) };
        let message = query(&security(&idp.signed(&unnamed)));
        assert_eq!(ask(&portal, message).await.as_deref(), Some("xua.holder-of-key"));
    }
    assert!(gate.heard().is_empty());

    let plain = Gate::plain(&idp).await;
    plain.refuses(&security(&idp.signed(&assertion)), "xua.holder-of-key").await;
    let answer = Asks::of(&plain.server).post(PATH, SIMPLE, message).await;
    golden::check("faults/xua-holder-of-key.http", shown(answer).await.as_bytes());
    let nobody = Assertion { confirmation: String::new(), ..Assertion::new(&idp, US) };
    plain.refuses_assertion(&idp.signed(&nobody), "xua.confirmation").await;
}

#[tokio::test]
async fn attack_46_a_comment_does_not_cut_a_name() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let cut = NAME_ID.replace("@clinic", "@<!-- -->clinic");
    let message = idp.signed(&Assertion::new(&idp, US)).replace(NAME_ID, &cut);
    assert_eq!(gate.presents(&message).await, None);
    assert_eq!(gate.heard()[0].user.as_ref().unwrap().name_id, NAME_ID);
}

#[tokio::test]
async fn attack_47_attributes_outside_of_what_was_signed() {
    let idp = Idp::rsa(IDP);
    let gate = Gate::plain(&idp).await;
    let good = Assertion::new(&idp, US);
    let signature = idp.signature(&good, &idp.how(&good));
    let forged = purpose("BTG", "2.16.840.1.113883.5.8")
        .replace("<saml2:AttributeStatement>", &format!("<saml2:AttributeStatement xmlns:saml2=\"{SAML}\">"));
    // Beside the assertion, before and behind, and in another block of the header: nobody looks there.
    let whole = good.with(&signature);
    for header in [
        security(&format!("{forged}{whole}")),
        security(&format!("{whole}{forged}")),
        forged.clone() + &security(&whole),
    ] {
        assert_eq!(gate.ask(&header).await, None);
        assert_eq!(gate.heard()[0].purpose, None);
    }
    // In the one place inside of the assertion that is not signed: its signature. In KeyInfo anything may stand.
    let key_info = signature.replace("<ds:KeyInfo>", &format!("<ds:KeyInfo>{forged}"));
    assert_eq!(gate.presents(&good.with(&key_info)).await, None);
    assert_eq!(gate.heard()[0].purpose, None);
    let object =
        signature.replace("</ds:Signature>", &format!("<ds:Object>{forged}</ds:Object></ds:Signature>"));
    gate.refuses_assertion(&good.with(&object), "xua.signature.form").await;
    // Inside of the assertion.
    gate.refuses_assertion(
        &whole.replace("</saml2:Assertion>", &format!("{forged}</saml2:Assertion>")),
        "xua.digest",
    )
    .await;
}

const CONFIG: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "試験"
[listen.http]
address = "127.0.0.1:0"
[listen.operator]
address = "127.0.0.1:0"
[standalone]
repository = "1.2.3.4"
patients = "any"
[trust.xua]
audiences = ["urn:oid:1.2.392.200250.9.1"]
[[trust.xua.issuers]]
entity_id = "https://idp.example/saml"
certificates = ["idp.pem"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_assertions_and_new_issuers_while_it_serves() {
    let (idp, next, folder) = (Idp::rsa(IDP), Idp::ecdsa(IDP), TempDir::new());
    let config = folder.path().join("sekisho.toml");
    std::fs::write(&config, CONFIG).unwrap();
    idp.pem(folder.path(), "idp.pem");
    let served = Served::start(config.to_str().unwrap(), &folder.path().join("data"), &[]);
    let ask = |idp: &Idp, audience: &str| {
        let message = query(&security(&idp.signed(&Assertion::new(idp, audience))));
        let (status, body) = served.post(PATH, &message);
        judged(status, &body)
    };
    assert_eq!(ask(&idp, US), None);
    assert_eq!(ask(&idp, "urn:other").as_deref(), Some("xua.audience"));
    assert_eq!(ask(&next, US).as_deref(), Some("xua.signature"));
    next.pem(folder.path(), "idp.pem");
    assert!(Command::new("kill").args(["-HUP", &served.pid().to_string()]).status().unwrap().success());
    until("the next key is taken", async || ask(&next, US).is_none()).await;
    assert_eq!(ask(&idp, US).as_deref(), Some("xua.signature"));

    let (_, metrics) = served.get("/metrics");
    for line in [
        "sekisho_assertions_total{outcome=\"xua.audience\"} 1",
        "sekisho_assertions_total{outcome=\"verified\"}",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let log = served.into_log();
    assert!(log.contains("authentication failure") && log.contains("xua.audience"), "{log}");
    assert!(!log.contains("CANARY") && !metrics.contains("CANARY"), "{log}");
}

#[test]
fn everything_wrong_with_the_section_is_told_at_its_place() {
    let folder = TempDir::new();
    let config = folder.path().join("sekisho.toml");
    std::fs::write(folder.path().join("weak.pem"), weak()).unwrap();
    let wrong = CONFIG.split("[trust.xua]").next().unwrap().to_owned()
        + r#"
[trust.xua]
audience = ["urn:x"]
required_on = ["soap", "mllp"]
exempt = ["ITI-44", "ITI-8"]
clock_skew_seconds = 3600
[[trust.xua.issuers]]
entity_id = "a"
certificates = ["absent.pem"]
[[trust.xua.issuers]]
entity_id = "a"
[[trust.xua.issuers]]
certificates = ["weak.pem"]
"#;
    std::fs::write(&config, wrong).unwrap();
    let (status, out, err) = run(&["check", "--config", config.to_str().unwrap()], "");
    let told = out + &err;
    assert_eq!(status, 2, "{told}");
    for expected in [
        "unknown key `audience` in [trust.xua]",
        "`trust.xua.audiences` names nobody",
        "\"mllp\" is no listener for SOAP",
        "\"ITI-8\" is no transaction that comes as SOAP",
        "expired assertions would be taken for long",
        "absent.pem",
        "this issuer is there already",
        "nothing says what this issuer signs with",
        "`trust.xua.issuers.entity_id` is missing",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    let weak = CONFIG.replace("idp.pem", "weak.pem");
    std::fs::write(&config, weak).unwrap();
    let (_, out, err) = run(&["check", "--config", config.to_str().unwrap()], "");
    assert!((out.clone() + &err).contains("fewer than 2048 bits"), "{out}{err}");
}

/// A certificate with a short RSA key.
fn weak() -> Vec<u8> {
    let key = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
    let mut certificate = openssl::x509::X509::builder().unwrap();
    certificate.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&openssl::asn1::Asn1Time::days_from_now(365).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    certificate.build().to_pem().unwrap()
}
