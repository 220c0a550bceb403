//! An identity provider of straw. It writes its assertions in canonical form by hand, so that what it signs owes nothing to
//! the program's own canonical form.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::{X509, X509Name};

pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// Nothing of these may stand in a fault, a log or a metric.
pub const NAME_ID: &str = "CANARY-USER@clinic.example";
pub const NAME: &str = "CANARY 関所 太郎";

pub struct Idp {
    pub entity_id: String,
    pub certificate: X509,
    key: PKey<Private>,
}

/// What an assertion says.
#[derive(Clone)]
pub struct Assertion {
    pub id: String,
    pub issuer: String,
    /// One AudienceRestriction for each list.
    pub audiences: Vec<Vec<String>>,
    /// When it is issued, and from and until when it holds in seconds from then.
    pub issued: i64,
    pub valid: (i64, i64),
    /// SubjectConfirmation elements.
    pub confirmation: String,
    pub purpose: Option<(&'static str, &'static str)>,
    /// More elements at its end.
    pub more: String,
}

/// How it is signed.
pub struct How {
    pub method: String,
    pub digest: (String, MessageDigest),
    pub uri: String,
    /// Elements in ds:Transforms.
    pub transforms: String,
    /// KeyInfo.
    pub key_info: String,
}

impl Idp {
    pub fn rsa(entity_id: &str) -> Self {
        Self::of(entity_id, PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }
    pub fn ecdsa(entity_id: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self::of(entity_id, PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
    }
    fn of(entity_id: &str, key: PKey<Private>) -> Self {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, "idp").unwrap();
        let name = name.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&openssl::asn1::Asn1Time::days_from_now(365).unwrap()).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        Self { entity_id: entity_id.to_owned(), certificate: certificate.build(), key }
    }
    /// Its certificate as a file.
    pub fn pem(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.certificate.to_pem().unwrap()).unwrap();
        path
    }
    pub fn key_info(&self) -> String {
        let der = STANDARD.encode(self.certificate.to_der().unwrap());
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )
    }
    /// As everybody signs.
    pub fn how(&self, assertion: &Assertion) -> How {
        let method = if self.key.id() == openssl::pkey::Id::RSA { "rsa-sha256" } else { "ecdsa-sha256" };
        How {
            method: format!("{MORE}{method}"),
            digest: ("http://www.w3.org/2001/04/xmlenc#sha256".to_owned(), MessageDigest::sha256()),
            uri: format!("#{}", assertion.id),
            transforms: [format!("{DS}enveloped-signature"), EXCLUSIVE.to_owned()]
                .map(|one| transform(&one))
                .concat(),
            key_info: self.key_info(),
        }
    }
    /// An assertion, signed.
    pub fn signed(&self, assertion: &Assertion) -> String {
        self.signed_by(assertion, &self.how(assertion))
    }
    pub fn signed_by(&self, assertion: &Assertion, how: &How) -> String {
        assertion.with(&self.signature(assertion, how))
    }
    /// The ds:Signature of an assertion.
    pub fn signature(&self, assertion: &Assertion, how: &How) -> String {
        let digest = STANDARD.encode(hash(how.digest.1, assertion.with("").as_bytes()).unwrap());
        let info = |declared: &str| {
            format!(
                "<ds:SignedInfo{declared}><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
                 <ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod><ds:Reference URI=\"{}\"><ds:Transforms>{}\
                 </ds:Transforms><ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{digest}\
                 </ds:DigestValue></ds:Reference></ds:SignedInfo>",
                how.method, how.uri, how.transforms, how.digest.0,
            )
        };
        let value = self.sign(&how.method, info(&format!(" xmlns:ds=\"{DS}\"")).as_bytes());
        format!(
            "<ds:Signature xmlns:ds=\"{DS}\">{}<ds:SignatureValue>{}</ds:SignatureValue>{}</ds:Signature>",
            info(""),
            STANDARD.encode(value),
            how.key_info,
        )
    }
    fn sign(&self, method: &str, form: &[u8]) -> Vec<u8> {
        let digest = match method.rsplit(['-', '#']).next().unwrap() {
            "sha1" => MessageDigest::sha1(),
            "sha384" => MessageDigest::sha384(),
            "sha512" => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        if method.contains("hmac") {
            // The public key as the secret: everybody has it.
            let public =
                PKey::hmac(&self.certificate.public_key().unwrap().public_key_to_pem().unwrap()).unwrap();
            return Signer::new(digest, &public).unwrap().sign_oneshot_to_vec(form).unwrap();
        }
        match self.key.ec_key() {
            Ok(key) => {
                let pair = EcdsaSig::sign(&hash(digest, form).unwrap(), &key).unwrap();
                [pair.r().to_vec_padded(32).unwrap(), pair.s().to_vec_padded(32).unwrap()].concat()
            }
            Err(_) => Signer::new(digest, &self.key).unwrap().sign_oneshot_to_vec(form).unwrap(),
        }
    }
}

pub fn transform(algorithm: &str) -> String {
    format!("<ds:Transform Algorithm=\"{algorithm}\"></ds:Transform>")
}

pub fn bearer() -> String {
    confirmation("bearer", "")
}

pub fn confirmation(method: &str, data: &str) -> String {
    format!(
        "<saml2:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:{method}\">{data}</saml2:SubjectConfirmation>"
    )
}

/// Holder-of-key, of a certificate in a PEM file.
pub fn holder_of_key(certificate: &Path) -> String {
    let der = X509::from_pem(&std::fs::read(certificate).unwrap()).unwrap().to_der().unwrap();
    let data = format!(
        "<saml2:SubjectConfirmationData><ds:KeyInfo xmlns:ds=\"{DS}\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></saml2:SubjectConfirmationData>",
        STANDARD.encode(der)
    );
    confirmation("holder-of-key", &data)
}

impl Assertion {
    /// One that holds, of this issuer for this audience.
    pub fn new(idp: &Idp, audience: &str) -> Self {
        Self {
            id: format!("_{}", uuid::Uuid::new_v4().simple()),
            issuer: idp.entity_id.clone(),
            audiences: vec![vec![audience.to_owned()]],
            issued: jiff::Timestamp::now().as_second(),
            valid: (-10, 600),
            confirmation: bearer(),
            purpose: None,
            more: String::new(),
        }
    }

    /// Its canonical form, with something behind the Issuer.
    pub fn with(&self, signature: &str) -> String {
        let at = |second: i64| jiff::Timestamp::from_second(self.issued + second).unwrap();
        let (from, until) = (at(self.valid.0), at(self.valid.1));
        let restriction = |audiences: &Vec<String>| {
            let audience = |name: &String| format!("<saml2:Audience>{name}</saml2:Audience>");
            let all: String = audiences.iter().map(audience).collect();
            format!("<saml2:AudienceRestriction>{all}</saml2:AudienceRestriction>")
        };
        let restrictions: String = self.audiences.iter().map(restriction).collect();
        let (id, issuer, confirmation, more) = (&self.id, &self.issuer, &self.confirmation, &self.more);
        let purpose = self.purpose.map(|(code, system)| purpose(code, system)).unwrap_or_default();
        format!(
            "<saml2:Assertion xmlns:saml2=\"{SAML}\" ID=\"{id}\" IssueInstant=\"{from}\" Version=\"2.0\"><saml2:Issuer>{issuer}\
             </saml2:Issuer>{signature}<saml2:Subject><saml2:NameID>{NAME_ID}</saml2:NameID>{confirmation}</saml2:Subject>\
             <saml2:Conditions NotBefore=\"{from}\" NotOnOrAfter=\"{until}\">{restrictions}</saml2:Conditions>\
             <saml2:AuthnStatement AuthnInstant=\"{from}\"><saml2:AuthnContext><saml2:AuthnContextClassRef>\
             urn:oasis:names:tc:SAML:2.0:ac:classes:X509</saml2:AuthnContextClassRef></saml2:AuthnContext>\
             </saml2:AuthnStatement><saml2:AttributeStatement><saml2:Attribute \
             Name=\"urn:oasis:names:tc:xspa:1.0:subject:subject-id\"><saml2:AttributeValue>{NAME}</saml2:AttributeValue>\
             </saml2:Attribute></saml2:AttributeStatement>{purpose}{more}</saml2:Assertion>"
        )
    }
}

/// An AttributeStatement with a PurposeOfUse, in canonical form.
pub fn purpose(code: &str, system: &str) -> String {
    format!(
        "<saml2:AttributeStatement><saml2:Attribute Name=\"urn:oasis:names:tc:xspa:1.0:subject:purposeofuse\">\
         <saml2:AttributeValue><PurposeOfUse xmlns=\"urn:hl7-org:v3\" code=\"{code}\" codeSystem=\"{system}\">\
         </PurposeOfUse></saml2:AttributeValue></saml2:Attribute></saml2:AttributeStatement>"
    )
}

/// A Security header that must be understood.
pub fn security(tokens: &str) -> String {
    format!("<w:Security xmlns:w=\"{WSSE}\" e:mustUnderstand=\"1\">{tokens}</w:Security>")
}
