//! The demo's certificates: one CA, and for each region a gateway's and a portal's, all good for a month and made again when
//! they are not. Nobody outside of the demo trusts them: the CA's key is never written down.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Days that the certificates are good for.
const VALID_DAYS: u32 = 60;
/// Certificates that end sooner than in so many days are made again.
const RENEW_DAYS: u32 = 31;

/// Makes `ca.pem` in `directory`, and `server.pem`, `server.key`, `client.pem`, `client.key` in each of `folders`; leaves them
/// alone if all are there and good for a while. openssl works hard here: not for the runtime's threads.
pub fn provide(directory: &Path, folders: &[&Path]) -> Result<(), CertificateError> {
    if all_good(directory, folders) {
        return Ok(());
    }
    let authority = Authority::new()?;
    write_public(&directory.join("ca.pem"), &authority.certificate.to_pem()?)?;
    for (index, folder) in folders.iter().enumerate() {
        fs::create_dir_all(folder)?;
        for (file, name, role) in [("server", "gateway", Role::Gateway), ("client", "portal", Role::Portal)] {
            let (certificate, key) = authority.issue(&format!("region {} {name}", index + 1), role)?;
            write_public(&folder.join(format!("{file}.pem")), &certificate.to_pem()?)?;
            write_private(&folder.join(format!("{file}.key")), &key.private_key_to_pem_pkcs8()?)?;
        }
    }
    Ok(())
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// OpenSSL refused.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// The disk did.
    #[error("disk: {0}")]
    Disk(#[from] std::io::Error),
}

fn all_good(directory: &Path, folders: &[&Path]) -> bool {
    let good = |file: &Path| {
        let until = Asn1Time::days_from_now(RENEW_DAYS);
        let certificate = fs::read(file).map(|pem| X509::from_pem(&pem));
        matches!((certificate, until), (Ok(Ok(certificate)), Ok(until)) if certificate.not_after() > until)
    };
    let complete = |folder: &&Path| {
        ["server", "client"].iter().all(|name| {
            good(&folder.join(format!("{name}.pem"))) && folder.join(format!("{name}.key")).is_file()
        })
    };
    good(&directory.join("ca.pem")) && folders.iter().all(complete)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Serves, and asks other gateways.
    Gateway,
    /// Asks only.
    Portal,
}

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    fn new() -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let name = name_of("demo CA, trusted by nobody else")?;
        let mut builder = builder(&name, &name, &key)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let key_id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(key_id)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    fn issue(&self, name: &str, role: Role) -> Result<(X509, PKey<Private>), ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(&name_of(name)?, self.certificate.subject_name(), &key)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
        let mut usage = ExtendedKeyUsage::new();
        usage.client_auth();
        if role == Role::Gateway {
            usage.server_auth();
            let mut names = SubjectAlternativeName::new();
            let names = names.dns("localhost").ip("127.0.0.1");
            let names = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
            builder.append_extension(names)?;
        }
        builder.append_extension(usage.build()?)?;
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let key_ids = (SubjectKeyIdentifier::new().build(&context)?, {
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?
        });
        builder.append_extension(key_ids.0)?;
        builder.append_extension(key_ids.1)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build(), key))
    }
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn name_of(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("C", "JP")?;
    name.append_entry_by_text("O", "Sekisho demo")?;
    name.append_entry_by_text("CN", common_name)?;
    Ok(name.build())
}

fn builder(
    subject: &X509Name,
    issuer: &openssl::x509::X509NameRef,
    key: &PKey<Private>,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    let (start, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(VALID_DAYS)?);
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)?;
    Ok(builder)
}

fn write_public(file: &Path, pem: &[u8]) -> std::io::Result<()> {
    fs::write(file, pem)
}

/// Readable by its owner only, from its first byte on.
fn write_private(file: &Path, pem: &[u8]) -> std::io::Result<()> {
    let _ = fs::remove_file(file);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(pem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::probe;

    #[test]
    fn certificates_are_made_once_and_chain_to_the_ca() {
        let directory = std::env::temp_dir().join(format!("sekisho-certificates-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory).unwrap();
        let folder = directory.join("region-1");
        provide(&directory, &[&folder]).unwrap();
        let ca = probe::certificate(&directory.join("ca.pem")).unwrap();
        for name in ["server", "client"] {
            let certificate = probe::certificate(&folder.join(format!("{name}.pem"))).unwrap();
            let key = probe::key(&folder.join(format!("{name}.key"))).unwrap();
            assert!(probe::belong_together(&certificate, &key));
            assert!(certificate.verify(&ca.public_key().unwrap()).unwrap());
            assert_eq!(probe::validity(&certificate), probe::Validity::Good);
            assert!(!probe::is_open_to_others(&folder.join(format!("{name}.key"))));
        }
        let before = fs::read(directory.join("ca.pem")).unwrap();
        provide(&directory, &[&folder]).unwrap();
        assert_eq!(fs::read(directory.join("ca.pem")).unwrap(), before);
        fs::remove_dir_all(&directory).unwrap();
    }
}
