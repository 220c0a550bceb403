//! Certificates for tests, made with openssl in a temporary folder: an authority, a server, a client.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use uuid::Uuid;

/// A folder of its own that goes when it is dropped.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        // Not by process and number: those of a killed run would be found again, with their database.
        let path = std::env::temp_dir().join(format!("sekisho-test-{}", Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).unwrap();
        Self(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    Server,
    Client,
}

/// From and until when, in days from now. Negative ones are in the past.
#[derive(Clone, Copy)]
pub struct Validity(pub i64, pub i64);

pub const VALID: Validity = Validity(-1, 30);
pub const EXPIRED: Validity = Validity(-30, -1);

/// An authority and the folder that it writes into.
pub struct Authority {
    pub dir: TempDir,
    certificate: X509,
    key: PKey<Private>,
}

/// PEM files of a certificate and its key.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::certified(name, None)
    }
    /// An authority below this one.
    pub fn subordinate(&self, name: &str) -> Self {
        Self::certified(name, Some(self))
    }
    fn certified(name: &str, by: Option<&Self>) -> Self {
        let key = new_key();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        serial(&mut builder);
        let subject = subject(name);
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(by.map_or(&*subject, |by| by.certificate.subject_name())).unwrap();
        validity(&mut builder, VALID);
        builder.set_pubkey(&key).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap();
        builder.append_extension(usage).unwrap();
        builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).unwrap();
        let authority = Self { dir: TempDir::new(), certificate: builder.build(), key };
        std::fs::write(authority.ca(), authority.certificate.to_pem().unwrap()).unwrap();
        authority
    }
    /// The authority's own certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
    /// A server's certificate for 127.0.0.1 and localhost.
    pub fn server(&self) -> Pair {
        self.issue("server", Usage::Server, VALID)
    }
    /// A client's certificate.
    pub fn client(&self) -> Pair {
        self.issue("client", Usage::Client, VALID)
    }
    /// Any certificate.
    pub fn issue(&self, name: &str, usage: Usage, valid: Validity) -> Pair {
        let key = new_key();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        serial(&mut builder);
        builder.set_subject_name(&subject(name)).unwrap();
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        validity(&mut builder, valid);
        builder.set_pubkey(&key).unwrap();
        let mut extended = ExtendedKeyUsage::new();
        match usage {
            Usage::Server => extended.server_auth(),
            Usage::Client => extended.client_auth(),
        };
        builder.append_extension(extended.build().unwrap()).unwrap();
        if usage == Usage::Server {
            let context = builder.x509v3_context(Some(&self.certificate), None);
            let names =
                SubjectAlternativeName::new().dns("localhost").ip("127.0.0.1").build(&context).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let pair = Pair {
            certificate: self.dir.path().join(format!("{name}.pem")),
            key: self.dir.path().join(format!("{name}.key")),
        };
        std::fs::write(&pair.certificate, builder.build().to_pem().unwrap()).unwrap();
        std::fs::write(&pair.key, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        pair
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn subject(name: &str) -> X509Name {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COUNTRYNAME, "JP").unwrap();
    subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, "Test Region").unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    subject.build()
}

fn serial(builder: &mut openssl::x509::X509Builder) {
    let mut number = BigNum::new().unwrap();
    number.rand(64, MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&number).unwrap()).unwrap();
}

fn validity(builder: &mut openssl::x509::X509Builder, Validity(from, until): Validity) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let at = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
    builder.set_not_before(&at(from)).unwrap();
    builder.set_not_after(&at(until)).unwrap();
}
