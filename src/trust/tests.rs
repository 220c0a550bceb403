//! Assertions that another implementation signed (libxml2's canonical form, RSA with a PrefixList; and signxml's, ECDSA),
//! under a clock that stands still, and what becomes of them when they are touched.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openssl::x509::X509;

use super::refused::*;
use super::*;
use crate::limits;
use crate::transactions::Purpose;
use crate::transactions::iti18::ITI18;
use crate::transactions::iti44::ITI44_ADD;
use crate::wire::xml::{Ns, Tree};

const RSA: (&str, &[u8]) =
    (include_str!("../../tests/golden/xua/rsa.xml"), include_bytes!("../../tests/golden/xua/rsa.pem"));
const ECDSA: (&str, &[u8]) =
    (include_str!("../../tests/golden/xua/ecdsa.xml"), include_bytes!("../../tests/golden/xua/ecdsa.pem"));
const NOW: &str = "2026-11-22T03:07:00Z";

fn xua(certificates: &[&[u8]]) -> Xua {
    let certificates: Vec<_> = certificates.iter().map(|pem| X509::from_pem(pem).unwrap()).collect();
    Xua {
        issuers: vec![Issuer::new("https://idp.example/saml", &certificates).unwrap()],
        audiences: vec!["urn:oid:1.2.392.200250.9.1".to_owned()],
        skew: Duration::from_secs(60),
        demand: Demand { schemes: vec!["https", "http"], exempt: vec!["ITI-44".to_owned()] },
    }
}

fn peer() -> Peer {
    Peer { address: ([127, 0, 0, 1], 1).into(), scheme: "http", certificate: None }
}

fn envelope(message: &str) -> Envelope {
    Envelope::read(Tree::parse(Bytes::copy_from_slice(message.as_bytes())).unwrap()).unwrap()
}

fn asked(xua: &Xua, message: &str, now: &str) -> Result<Option<User>, Refused> {
    xua.authenticate(&envelope(message), &peer(), &ITI18, now.parse().unwrap())
}

/// The rule that a message with the RSA assertion breaks.
fn rule(message: &str) -> &'static str {
    asked(&xua(&[RSA.1]), message, NOW).map_or_else(|refused| refused.rule.name, |_| "none")
}

fn coded(code: &str, system: &str, display: Option<&str>) -> crate::transactions::Coded {
    let display = display.map(str::to_owned);
    crate::transactions::Coded { code: code.to_owned(), system: system.to_owned(), display }
}

#[test]
fn what_others_signed_is_verified_and_read() {
    for (message, certificate) in [RSA, ECDSA] {
        let user = asked(&xua(&[certificate]), message, NOW).unwrap().unwrap();
        assert_eq!(user.issuer, "https://idp.example/saml");
        assert_eq!(user.alias.as_deref(), Some("JD"));
        assert_eq!(user.authentication, ["urn:oasis:names:tc:SAML:2.0:ac:classes:X509"]);
        assert_eq!(user.names, ["関所 太郎 & <Dr>"]);
        assert_eq!(
            user.organizations,
            ["箱根診療所", "小田原病院", "三つ目"],
            "within and across statements"
        );
        assert_eq!(user.organization_ids, ["urn:oid:1.2.392.200250.9.77"]);
        assert_eq!(user.communities[0].oid().as_str(), "1.2.392.200250.8.1");
        assert!(user.roles == [coded("46255001", "2.16.840.1.113883.6.96", Some("Pharmacist"))]);
        assert!(user.purposes == [coded("1", "1.0.14265.1", Some("Clinical care"))], "from escaped text");
        assert!(user.provider_ids == [coded("1234567", "", None), coded("ab12", "1.2.3.4", None)]);
        assert_eq!(user.patients, ["543797436^^^&1.2.840.113619.6.197&ISO"]);
        assert_eq!(user.purpose(), Some(Purpose::Treatment));
        assert_eq!(format!("{user:?}"), "User");
    }
}

/// Comments are no part of what is signed, so that anybody may put one in: the value is read over it, never cut.
#[test]
fn attack_46_a_comment_in_the_name_changes_nothing() {
    for (comment, signed) in
        [("<!-- comment -->", true), ("", true), ("<!--x--><!--y-->", true), ("x", false)]
    {
        let message = RSA.0.replace("<!-- comment -->", comment);
        match asked(&xua(&[RSA.1]), &message, NOW) {
            Ok(user) => assert!(signed && user.unwrap().name_id == "taro@clinic.example"),
            Err(refused) => assert!(!signed && refused.rule == DIGEST),
        }
    }
    assert_eq!(rule(&RSA.0.replace("<!-- comment -->", "<?x?>")), "xua.signature.form");
}

/// What is verified is the element that is read: the same node of the same tree.
#[test]
fn attack_48_what_was_verified_is_what_is_read() {
    let (envelope, xua) = (envelope(RSA.0), xua(&[RSA.1]));
    let assertion = presented::assertion(&envelope).unwrap().unwrap();
    let keys = xua.issuers[0].keys_at(NOW.parse().unwrap()).unwrap();
    let verified = signature::verify(assertion, &keys).unwrap().assertion();
    assert!(std::ptr::eq(verified.tree(), &envelope.tree));
    assert_eq!(verified.index(), assertion.index());
    assert!(verified.is(Ns::SAML, "Assertion"));
}

#[test]
fn attack_44_times_are_kept_to_the_second_of_the_skew() {
    for (now, expected) in [
        ("2026-11-22T02:58:59Z", "xua.not-before"),
        ("2026-11-22T02:59:00Z", "none"),
        ("2026-11-22T03:15:59Z", "none"),
        ("2026-11-22T03:16:00Z", "xua.expired"),
        ("2036-11-22T03:00:00Z", "xua.expired"),
    ] {
        let rule = asked(&xua(&[RSA.1]), RSA.0, now).map_or_else(|refused| refused.rule.name, |_| "none");
        assert_eq!(rule, expected, "{now}");
    }
    let refused = asked(&xua(&[RSA.1]), RSA.0, "2026-11-22T03:16:40Z").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the assertion is not valid any more: NotOnOrAfter was 100 s ago by this gateway's clock (xua.expired; SAML 2.0 \
         Core: 2.5.1.2)"
    );
    // The certificates' own end.
    assert_eq!(asked(&xua(&[RSA.1]), RSA.0, "2126-11-22T03:00:00Z").unwrap_err().rule, ISSUER_CERTIFICATE);
}

#[test]
fn attack_40_only_configured_certificates_count() {
    let refused = |xua: &Xua, message: &str| asked(xua, message, NOW).unwrap_err().rule;
    // The certificate that comes with it would fit.
    assert_eq!(refused(&xua(&[ECDSA.1]), RSA.0), SIGNATURE);
    assert_eq!(refused(&xua(&[RSA.1]), ECDSA.0), SIGNATURE);
    assert!(asked(&xua(&[ECDSA.1, RSA.1]), RSA.0, NOW).is_ok(), "the present one and the next");
    let mut strange = xua(&[RSA.1]);
    strange.issuers = vec![Issuer::new("urn:other", &[X509::from_pem(RSA.1).unwrap()]).unwrap()];
    assert_eq!(refused(&strange, RSA.0), ISSUER);
    let stripped = |message: &str| {
        let (head, rest) = message.split_once("<ds:Signature").unwrap();
        format!("{head}{}", rest.split_once("</ds:Signature>").unwrap().1)
    };
    assert_eq!(refused(&xua(&[RSA.1]), &stripped(RSA.0)), UNSIGNED);
}

#[test]
fn attack_39_whatever_is_touched_breaks_it() {
    let second = format!("<w:Security xmlns:w=\"{}\"/><o:Security ", Ns::WSSE.uri());
    let touched = [
        ("Version=\"2.0\"", "Version=\"1.1\"", "xua.version"),
        ("ID=\"_golden-rsa\"", "ID=\"_other\"", "xua.reference"),
        ("ID=\"_golden-rsa\"", "", "xua.id"),
        ("https://idp.example/saml", "https://idp.example/saml ", "xua.digest"),
        ("https://idp.example/saml", "https://idp.example/evil", "xua.issuer"),
        ("46255001", "46255002", "xua.digest"),
        ("NotOnOrAfter=\"2026-11-22T03:15", "NotOnOrAfter=\"2026-11-22T03:55", "xua.digest"),
        ("URI=\"#_golden-rsa\"", "URI=\"\"", "xua.reference"),
        ("URI=\"#_golden-rsa\"", "URI=\"#TS-1\"", "xua.reference"),
        ("u:Id=\"TS-1\"", "u:Id=\"_golden-rsa\"", "xua.id"),
        ("PrefixList=\"xs xsi undeclared\"", "PrefixList=\"xs xsi\"", "xua.signature"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>\\u002B", "xua.signature.form"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA", "xua.signature"),
        ("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>", "xua.signature.form"),
        ("</ds:SignedInfo>", "<ds:Reference/></ds:SignedInfo>", "xua.signature.form"),
        ("<saml2:OneTimeUse/>", "", "xua.digest"),
        ("<o:Security ", &second, "xua.header"),
        ("</o:Security>", "<o:UsernameToken/></o:Security>", "none"),
        (
            "</saml2:Assertion></o:Security>",
            "</saml2:Assertion><EncryptedAssertion/></o:Security>",
            "xua.token",
        ),
    ];
    for (from, to, expected) in touched {
        let message = RSA.0.replace(from, to);
        assert_ne!(message, RSA.0, "{from}");
        assert_eq!(rule(&message), expected, "{from} -> {to}");
    }
}

#[test]
fn attack_41_42_other_algorithms_are_refused_by_name() {
    for (from, to) in [
        ("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"),
        ("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#hmac-sha1"),
        ("2001/04/xmldsig-more#rsa-sha256", "2001/04/xmldsig-more#hmac-sha256"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "none"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", ""),
        ("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"),
        ("2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xslt-19991116"),
        ("2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xpath-19991116"),
        (
            "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
        ),
    ] {
        let message = RSA.0.replace(from, to);
        assert_ne!(message, RSA.0, "{from}");
        assert_eq!(rule(&message), "xua.algorithm", "{from} -> {to}");
    }
    // An algorithm of another kind than the key's: nothing is verified with it.
    assert_eq!(rule(&RSA.0.replace("#rsa-sha256", "#ecdsa-sha256")), "xua.signature");
    assert_eq!(rule(&RSA.0.replace("#rsa-sha256", "#rsa-sha512")), "xua.signature");
    let one = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
    assert_eq!(rule(&RSA.0.replace(one, &one.repeat(500))), "xua.signature.form");
    assert_eq!(rule(&RSA.0.replace(one, "")), "xua.signature.form");
}

#[test]
fn where_none_is_needed_one_that_is_there_is_verified() {
    let xua = xua(&[RSA.1]);
    let (head, rest) = RSA.0.split_once("<o:Security").unwrap();
    let without = format!("{head}{}", rest.split_once("</o:Security>").unwrap().1);
    let now = NOW.parse().unwrap();
    let ask = |message: &str, transaction| xua.authenticate(&envelope(message), &peer(), transaction, now);
    assert_eq!(ask(&without, &ITI18).unwrap_err().rule, MISSING);
    assert_eq!(ask(&without, &ITI44_ADD), Ok(None));
    assert_eq!(ask(&without, &ITI55_DEFERRED_ANSWER), Ok(None));
    assert!(ask(RSA.0, &ITI44_ADD).unwrap().is_some());
    assert_eq!(ask(&RSA.0.replace("46255001", "46255002"), &ITI44_ADD).unwrap_err().rule, DIGEST);
    // Another token in its place is no matter of course.
    for token in ["UsernameToken", "SecurityTokenReference"] {
        let (head, rest) = RSA.0.split_once("<saml2:Assertion").unwrap();
        let instead = format!("{head}<o:{token}/>{}", rest.split_once("</saml2:Assertion>").unwrap().1);
        assert_eq!(ask(&instead, &ITI44_ADD).unwrap_err().rule, TOKEN);
    }
    // A header that is somebody else's is none.
    let role = "<o:Security s:role=\"urn:somebody-else\"";
    assert_eq!(ask(&RSA.0.replace("<o:Security", role), &ITI18).unwrap_err().rule, MISSING);
}

#[test]
fn assertions_are_bounded() {
    let large = format!("<!--{}--></saml2:Subject>", "x".repeat(limits::MAX_ASSERTION_BYTES));
    assert_eq!(rule(&RSA.0.replace("</saml2:Subject>", &large)), "xua.limit");
    let prefixes = format!("PrefixList=\"{}", "p ".repeat(limits::MAX_INCLUSIVE_PREFIXES));
    assert_eq!(rule(&RSA.0.replace("PrefixList=\"", &prefixes)), "xua.limit");
}

#[test]
fn every_rule_has_a_name_of_its_own_and_is_in_the_page() {
    let page = include_str!("../../docs/xua.md");
    for (index, rule) in RULES.iter().enumerate() {
        assert!(!RULES[..index].iter().any(|other| other.name == rule.name), "{}", rule.name);
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | `wsse:{}` |", rule.name, rule.code)));
        assert!(row.is_some(), "docs/xua.md has no row of {} with {}", rule.name, rule.code);
    }
}

/// Any change of one byte of a message is refused, or changes nothing of the user. Never a panic.
#[test]
fn a_flipped_byte_never_makes_another_user() {
    let xua = Arc::new(xua(&[RSA.1]));
    let expected = asked(&xua, RSA.0, NOW).unwrap().unwrap();
    for at in (0..RSA.0.len()).step_by(7) {
        for flip in [1, 0x20] {
            let mut bytes = RSA.0.as_bytes().to_vec();
            bytes[at] ^= flip;
            let Ok(tree) = Tree::parse(Bytes::from(bytes)) else { continue };
            let Ok(envelope) = Envelope::read(tree) else { continue };
            if let Ok(Some(user)) = xua.authenticate(&envelope, &peer(), &ITI18, NOW.parse().unwrap()) {
                assert!(user == expected, "byte {at}");
            }
        }
    }
}
