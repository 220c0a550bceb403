//! Row 12: an identity assertion verified and read, in this process, from a message that is parsed already; beside it the
//! verification of its signature by OpenSSL alone.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::x509::X509;

use super::figures::{Figures, Row};
use crate::transactions::iti18::ITI18;
use crate::trust::{Demand, Issuer, Xua};
use crate::wire::http::Peer;
use crate::wire::soap::Envelope;
use crate::wire::xml::{Element, Ns, Tree};

const ROUNDS: usize = 5_000;
const AT_MOST: f64 = 3.0;
const MESSAGE: &str = include_str!("xua.xml");

/// Row 12, for both kinds of keys.
pub fn rows() -> Result<Vec<Row>, String> {
    let rsa = || PKey::from_rsa(Rsa::generate(2048)?);
    let ecdsa = || PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?);
    let rows = [("RSA-2048", "rsa-sha256", rsa()), ("ECDSA P-256", "ecdsa-sha256", ecdsa())];
    let measured = rows.map(|(name, method, key)| row(name, method, &key.map_err(wrong)?));
    measured.into_iter().collect()
}

fn wrong(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn row(name: &str, method: &str, key: &PKey<Private>) -> Result<Row, String> {
    let (message, form, value) = signed(key, method)?;
    let xua = xua(key).map_err(wrong)?;
    let envelope = parsed(message)?;
    let peer = Peer { address: ([127, 0, 0, 1], 0).into(), scheme: "http", certificate: None };
    let now = Timestamp::now();
    let (mut ours, mut limit) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    // By turns: whatever else the machine does, it does to both.
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let user = xua.authenticate(&envelope, &peer, &ITI18, now);
        ours.push(started.elapsed());
        user.map_err(wrong)?.ok_or("there was no user")?;
        let started = Instant::now();
        let holds = verify(key, &form, &value).map_err(wrong)?;
        limit.push(started.elapsed());
        if !holds {
            return Err("what was signed does not verify".into());
        }
    }
    let (ours, limit) = (figures(ours), figures(limit));
    let times = ours.p50.unwrap_or(f64::NAN) / limit.p50.unwrap_or(f64::NAN);
    Ok(Row {
        work: format!("row 12: an assertion verified and read, {name}"),
        reach: format!("≤ {AT_MOST} × the verify itself"),
        reached: format!("{times:.2} × ({:.0} µs)", ours.p50.unwrap_or(f64::NAN) * 1e3),
        met: Some(times <= AT_MOST),
        ours,
        limit,
    })
}

fn figures(mut times: Vec<Duration>) -> Figures {
    times.sort_unstable();
    let at = |share: f64| {
        let time = times.get((times.len() as f64 * share) as usize)?;
        Some(time.as_secs_f64() * 1e3)
    };
    let (p50, p99) = (at(0.5), at(0.99));
    Figures { rate: p50.map(|p50| 1e3 / p50), p50, p99, ..Figures::default() }
}

fn xua(key: &PKey<Private>) -> Result<Xua, ErrorStack> {
    let mut certificate = X509::builder()?;
    let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(2)?);
    certificate.set_not_before(&from)?;
    certificate.set_not_after(&until)?;
    certificate.set_pubkey(key)?;
    certificate.sign(key, MessageDigest::sha256())?;
    let issuer = Issuer::new("https://idp.example/saml", &[certificate.build()]);
    Ok(Xua {
        issuers: issuer.into_iter().collect(),
        audiences: vec!["urn:oid:1.2.392.200250.9.1".to_owned()],
        skew: Duration::from_secs(60),
        demand: Demand::default(),
    })
}

/// A message with an assertion of now, the bytes that its signature is made of, and the signature as OpenSSL takes it.
fn signed(key: &PKey<Private>, method: &str) -> Result<(String, Vec<u8>, Vec<u8>), String> {
    let now = Timestamp::now().as_second();
    let at = |second: i64| Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default();
    let message =
        MESSAGE.replace("METHOD", method).replace("FROM", &at(now - 10)).replace("UNTIL", &at(now + 3_600));
    let digest = canonical(&message, |assertion| Some((assertion, assertion.child(Ns::DS, "Signature"))))?;
    let digest = hash(MessageDigest::sha256(), &digest).map_err(wrong)?;
    let message = message.replace("DIGEST", &STANDARD.encode(digest));
    let info = |assertion: Element<'_>| {
        assertion.child(Ns::DS, "Signature")?.child(Ns::DS, "SignedInfo").map(Element::index)
    };
    let form = canonical(&message, |assertion| Some((assertion.tree().element(info(assertion)?), None)))?;
    let (written, value) = sign(key, &form).map_err(wrong)?;
    Ok((message.replace("VALUE", &STANDARD.encode(written)), form, value))
}

/// A signature as XML has it and as OpenSSL has it.
fn sign(key: &PKey<Private>, form: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    if let Ok(curve) = key.ec_key() {
        let pair = EcdsaSig::sign(&hash(MessageDigest::sha256(), form)?, &curve)?;
        let written = [pair.r().to_vec_padded(32)?, pair.s().to_vec_padded(32)?].concat();
        return Ok((written, pair.to_der()?));
    }
    let value = Signer::new(MessageDigest::sha256(), key)?.sign_oneshot_to_vec(form)?;
    Ok((value.clone(), value))
}

fn verify(key: &PKey<Private>, form: &[u8], value: &[u8]) -> Result<bool, ErrorStack> {
    Verifier::new(MessageDigest::sha256(), key)?.verify_oneshot(value, form)
}

fn parsed(message: String) -> Result<Envelope, String> {
    Envelope::read(Tree::parse(Bytes::from(message)).map_err(wrong)?).map_err(wrong)
}

/// The canonical form of something in a message's assertion.
fn canonical(
    message: &str,
    of: impl for<'t> Fn(Element<'t>) -> Option<(Element<'t>, Option<Element<'t>>)>,
) -> Result<Vec<u8>, String> {
    let envelope = parsed(message.to_owned())?;
    let assertion = envelope.security().next().and_then(|security| security.child(Ns::SAML, "Assertion"));
    let (element, without) = assertion.and_then(of).ok_or("the message has another form")?;
    element.canonical(without, &[]).map_err(wrong)
}
