//! The signature of an assertion: enveloped, over the assertion and nothing else, in the one form that SAML 2.0 Core (5.4)
//! describes. A narrow form is a safe one: one Reference to the assertion's own ID, two transforms, no XPath, no XSLT, no
//! lookups, no keys from the message.

use bytes::Bytes;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::Verifier;

use super::refused::{ALGORITHM, DIGEST, LIMIT, REFERENCE, Refused, SIGNATURE, SIGNATURE_FORM, UNSIGNED};
use crate::limits;
use crate::wire::soap::{BinaryContent, binary_content};
use crate::wire::xml::{Element, NotCanonical, Ns};

/// An assertion whose signature holds. Nobody else makes one, and whoever reads an assertion asks for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verified<'t>(Element<'t>);

impl<'t> Verified<'t> {
    /// The element that was verified. Its ds:Signature is no part of what was signed.
    pub(super) fn assertion(self) -> Element<'t> {
        self.0
    }
}

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// A digest by its identifier.
type Digest = fn() -> MessageDigest;

/// DigestMethod.
const DIGESTS: [(&str, Digest); 3] = [
    ("http://www.w3.org/2001/04/xmlenc#sha256", MessageDigest::sha256),
    ("http://www.w3.org/2001/04/xmldsig-more#sha384", MessageDigest::sha384),
    ("http://www.w3.org/2001/04/xmlenc#sha512", MessageDigest::sha512),
];

/// SignatureMethod.
const SIGNATURES: [(&str, Id, Digest); 6] = [
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Id::RSA, MessageDigest::sha256),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", Id::RSA, MessageDigest::sha384),
    ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", Id::RSA, MessageDigest::sha512),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", Id::EC, MessageDigest::sha256),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", Id::EC, MessageDigest::sha384),
    ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", Id::EC, MessageDigest::sha512),
];

/// Verifies an assertion's signature with one of some keys.
pub(super) fn verify<'t>(assertion: Element<'t>, keys: &[&PKey<Public>]) -> Result<Verified<'t>, Refused> {
    let mut signatures = assertion.children_named(Ns::DS, "Signature");
    let (Some(signature), None) = (signatures.next(), signatures.next()) else { return Err(UNSIGNED.into()) };
    let parts: Vec<_> = signature.children().take(4).collect();
    let (signed_info, value) = match parts.as_slice() {
        [info, value] => (*info, *value),
        [info, value, key] if key.is(Ns::DS, "KeyInfo") => (*info, *value),
        _ => return Err(SIGNATURE_FORM.because("ds:Signature holds SignedInfo, SignatureValue and KeyInfo")),
    };
    let signed = SignedInfo::read(signed_info)?;
    let value = binary(named(value, "SignatureValue")?)?;

    if signed.uri != format!("#{}", assertion.attr("ID").unwrap_or_default()) {
        return Err(REFERENCE.into());
    }
    let form = canonical(assertion, Some(signature), &signed.prefixes)?;
    let digest = hash((signed.digest)(), &form).map_err(|_| Refused::from(DIGEST))?;
    if digest.len() != signed.digest_value.len() || !memcmp::eq(&digest, &signed.digest_value) {
        return Err(DIGEST.into());
    }
    let form = canonical(signed_info, None, &signed.own_prefixes)?;
    let (_, kind, method) = signed.method;
    let fits = |key: &&&PKey<Public>| key.id() == *kind;
    let holds = keys.iter().filter(fits).any(|key| is_signed(key, method(), &form, &value));
    if holds { Ok(Verified(assertion)) } else { Err(SIGNATURE.into()) }
}

/// ds:SignedInfo, taken apart.
struct SignedInfo {
    /// PrefixList of its own canonicalization.
    own_prefixes: Vec<String>,
    method: &'static (&'static str, Id, Digest),
    uri: String,
    /// PrefixList of the assertion's.
    prefixes: Vec<String>,
    digest: Digest,
    digest_value: Bytes,
}

impl SignedInfo {
    fn read(element: Element<'_>) -> Result<Self, Refused> {
        let [canonicalization, method, reference] = children(named(element, "SignedInfo")?)?;
        let own_prefixes = exclusive(named(canonicalization, "CanonicalizationMethod")?)?;
        let method = algorithm(named(method, "SignatureMethod")?)?;
        let known = SIGNATURES.iter().find(|(known, ..)| *known == method);
        let method = known.ok_or_else(|| ALGORITHM.because("SignatureMethod"))?;

        let [transforms, digest, digest_value] = children(named(reference, "Reference")?)?;
        let [enveloped, canonicalization] = children(named(transforms, "Transforms")?)?;
        if algorithm(named(enveloped, "Transform")?)? != ENVELOPED {
            return Err(ALGORITHM.because("the first Transform is enveloped-signature"));
        }
        let prefixes = exclusive(named(canonicalization, "Transform")?)?;
        let digest = algorithm(named(digest, "DigestMethod")?)?;
        let known = DIGESTS.iter().find(|(known, _)| *known == digest);
        let (_, digest) = known.ok_or_else(|| ALGORITHM.because("DigestMethod"))?;
        Ok(Self {
            own_prefixes,
            method,
            uri: reference.attr("URI").unwrap_or_default().into_owned(),
            prefixes,
            digest: *digest,
            digest_value: binary(named(digest_value, "DigestValue")?)?,
        })
    }
}

/// Exactly so many children.
fn children<const N: usize>(element: Element<'_>) -> Result<[Element<'_>; N], Refused> {
    let children: Vec<_> = element.children().take(N + 1).collect();
    let wrong = |_| SIGNATURE_FORM.because(format!("{} has {N} children", element.local()));
    children.try_into().map_err(wrong)
}

fn named<'t>(element: Element<'t>, name: &'static str) -> Result<Element<'t>, Refused> {
    if element.is(Ns::DS, name) { Ok(element) } else { Err(SIGNATURE_FORM.because(format!("no ds:{name}"))) }
}

/// The Algorithm of an element that says nothing besides.
fn algorithm(element: Element<'_>) -> Result<String, Refused> {
    let [] = children(element)?;
    Ok(element.attr("Algorithm").unwrap_or_default().into_owned())
}

/// The PrefixList of Exclusive XML Canonicalization without comments, which must be what an element names.
fn exclusive(element: Element<'_>) -> Result<Vec<String>, Refused> {
    if element.attr("Algorithm").as_deref() != Some(EXCLUSIVE) {
        return Err(
            ALGORITHM.because(format!("{} is not Exclusive XML Canonicalization 1.0", element.local()))
        );
    }
    let mut inside = element.children();
    match (inside.next(), inside.next()) {
        (None, _) => Ok(Vec::new()),
        (Some(list), None) if list.is(Ns::EXC_C14N, "InclusiveNamespaces") => {
            let list = list.attr("PrefixList").unwrap_or_default();
            let prefixes: Vec<_> = list.split_ascii_whitespace().map(str::to_owned).collect();
            if prefixes.len() > limits::MAX_INCLUSIVE_PREFIXES {
                return Err(LIMIT.because(format!("more than {} prefixes", limits::MAX_INCLUSIVE_PREFIXES)));
            }
            Ok(prefixes)
        }
        _ => Err(SIGNATURE_FORM.because("a transform holds InclusiveNamespaces or nothing")),
    }
}

fn canonical(
    element: Element<'_>,
    without: Option<Element<'_>>,
    prefixes: &[String],
) -> Result<Vec<u8>, Refused> {
    let prefixes: Vec<_> = prefixes.iter().map(String::as_str).collect();
    element.canonical(without, &prefixes).map_err(|problem| match problem {
        NotCanonical::TooLong => LIMIT.because(problem.to_string()),
        NotCanonical::ProcessingInstruction => SIGNATURE_FORM.because(problem.to_string()),
    })
}

/// The bytes of an element's base64, which must be there: a part that it refers to was not signed. Signed bytes are never
/// mended; those who carry tokens through JSON forget its escapes (user pain 102), and are told so.
pub(super) fn binary(element: Element<'_>) -> Result<Bytes, Refused> {
    match binary_content(element) {
        Ok(BinaryContent::Inline(bytes)) => Ok(bytes),
        _ => {
            let why = if element.text().contains('\\') { ": JSON escapes were left in it" } else { "" };
            Err(SIGNATURE_FORM.because(format!("{} is not base64{why}", element.local())))
        }
    }
}

/// Whether a key made a signature. ECDSA's is the two numbers side by side, each as long as the curve's order (RFC 4051,
/// 3.3.1).
fn is_signed(key: &PKey<Public>, method: MessageDigest, form: &[u8], value: &[u8]) -> bool {
    let holds = || match key.id() {
        Id::RSA => Verifier::new(method, key)?.verify_oneshot(value, form),
        _ => {
            let curve = key.ec_key()?;
            let half = curve.group().order_bits().div_ceil(8) as usize;
            let Some((r, s)) = value.split_at_checked(half).filter(|(_, s)| s.len() == half) else {
                return Ok(false);
            };
            let pair = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
            pair.verify(&hash(method, form)?, &curve)
        }
    };
    holds().unwrap_or(false)
}
