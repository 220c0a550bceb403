//! `[listen]`: where we listen, and for whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::document::{Node, Value};
use super::section::{Section, Setting};
use super::settings::{check_authorities, check_identity};
use crate::demographics::Domain;
use crate::wire::hl7v2::Charset;

/// Without TLS, on loopback.
const MLLP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2575);
/// With TLS.
const MLLPS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 2576);

/// `[listen]`
#[derive(Debug, Clone)]
pub struct Listen {
    /// SOAP over HTTPS.
    pub soap: Option<TlsListener>,
    /// SOAP over HTTP.
    pub http: Option<PlainListener>,
    /// HL7 v2 over TLS.
    pub mllps: Option<MllpsListener>,
    /// HL7 v2.
    pub mllp: Option<MllpListener>,
    /// Health, metrics, pages.
    pub operator: Option<SocketAddr>,
}

/// `[listen.soap]`: a listener with TLS.
#[derive(Debug, Clone)]
pub struct TlsListener {
    /// Where.
    pub address: SocketAddr,
    /// Our certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Whose client certificates are taken, PEM; None (only with `insecure`) asks for none.
    pub client_ca: Option<PathBuf>,
}

/// `[listen.mllps]`
#[derive(Debug, Clone)]
pub struct MllpsListener {
    /// Where, and with which certificates.
    pub listener: TlsListener,
    /// What messages are in that do not say it.
    pub charset: Charset,
}

/// `[listen.mllp]`
#[derive(Debug, Clone)]
pub struct MllpListener {
    /// Where.
    pub listener: PlainListener,
    /// What messages are in that do not say it.
    pub charset: Charset,
}

/// `[listen.http]`: a listener without TLS.
#[derive(Debug, Clone)]
pub struct PlainListener {
    /// Where.
    pub address: SocketAddr,
    /// Whether it may listen beyond loopback.
    pub insecure: bool,
}

/// Reads the section.
pub fn read(section: Section<'_>) -> Listen {
    let soap = section.section("soap").and_then(|soap| {
        let listener = tls_listener(&soap, None);
        soap.close();
        listener
    });
    let http = section.section("http").and_then(|http| {
        let listener = plain_listener(&http, None);
        http.close();
        listener
    });
    let mllps = section.section("mllps").and_then(|mllps| {
        let (listener, charset) = (tls_listener(&mllps, Some(MLLPS)), charset(&mllps));
        mllps.close();
        Some(MllpsListener { listener: listener?, charset })
    });
    let mllp = section.section("mllp").and_then(|mllp| {
        let (listener, charset) = (plain_listener(&mllp, Some(MLLP)), charset(&mllp));
        mllp.close();
        Some(MllpListener { listener: listener?, charset })
    });
    let operator = section.section("operator").and_then(|section| {
        let address = section.required("address");
        section.close();
        address
    });
    if !section.has("soap") && !section.has("http") {
        let help = "add [listen.soap] (HTTPS) or, on loopback, [listen.http]";
        section.error(
            "soap",
            "nothing would be served: neither `listen.soap` nor `listen.http` is there",
            help,
        );
    }
    let addresses = [
        ("soap", soap.as_ref().map(|listener| listener.address)),
        ("http", http.as_ref().map(|listener| listener.address)),
        ("mllps", mllps.as_ref().map(|mllps| mllps.listener.address)),
        ("mllp", mllp.as_ref().map(|mllp| mllp.listener.address)),
        ("operator", operator),
    ];
    ports_differ(&section, &addresses);
    section.close();
    Listen { soap, http, mllps, mllp, operator }
}

fn ports_differ(section: &Section<'_>, addresses: &[(&'static str, Option<SocketAddr>)]) {
    let given: Vec<_> = addresses.iter().filter_map(|(name, address)| address.map(|a| (*name, a))).collect();
    for (index, (name, address)) in given.iter().enumerate() {
        let clash = given.iter().take(index).find(|(_, other)| {
            let overlap =
                other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified();
            address.port() != 0 && other.port() == address.port() && overlap
        });
        if let Some((other, _)) = clash {
            let message = format!("`listen.{name}` and `listen.{other}` both want port {}", address.port());
            section.error(name, message, "give each listener a port of its own, or 0 for a free one");
        }
    }
}

impl Listen {
    /// Where nobody shows a certificate, nobody feeds a domain whose source has one.
    pub(super) fn sources_show_certificates(&self, top: &Section<'_>, domains: &[Domain]) {
        let listeners = self.soap.iter().chain(self.mllps.iter().map(|mllps| &mllps.listener));
        let certified =
            |domain: &&Domain| domain.source.as_ref().is_some_and(|source| !source.certificates.is_empty());
        let Some(domain) = domains.iter().find(certified) else { return };
        if !listeners.into_iter().any(|listener| listener.client_ca.is_some()) {
            let name = &domain.name;
            let message =
                format!("nobody could feed the domain {name}: no listener asks for client certificates");
            top.warning(
                "listen",
                message,
                "give listen.soap or listen.mllps a client_ca, or the source no certificates",
            );
        }
    }

    /// A bridge without an index has nobody who would answer HL7 v2.
    pub(super) fn mllp_has_an_actor(&self, top: &Section<'_>) {
        if self.mllp.is_some() || self.mllps.is_some() {
            let message =
                "nobody would answer over MLLP: a bridge has no registry, and there is no patient index";
            top.error("listen", message, "add [identity], or remove listen.mllp and listen.mllps");
        }
    }
}

fn tls_listener(section: &Section<'_>, default: Option<SocketAddr>) -> Option<TlsListener> {
    let address = address(section, default);
    let insecure = section.optional("insecure").unwrap_or(false);
    let tls = section.required_section("tls", "a table with certificate, key and client_ca");
    let files = tls.and_then(|tls| {
        let certificate: Option<PathBuf> = tls.required("certificate");
        let key: Option<PathBuf> = tls.required("key");
        let client_ca: Option<PathBuf> = tls.optional("client_ca");
        if client_ca.is_none() && !insecure && !tls.has("client_ca") {
            tls.error(
                "client_ca",
                "anybody could ask: without `client_ca` no client has to show a certificate",
                "name the CA of your peers' certificates, or say insecure = true beside `tls`",
            );
        }
        check_identity(&tls, certificate.as_ref(), key.as_ref());
        check_authorities(&tls, "client_ca", client_ca.as_ref());
        tls.close();
        Some((certificate?, key?, client_ca))
    });
    let (certificate, key, client_ca) = files?;
    Some(TlsListener { address: address?, certificate, key, client_ca })
}

fn plain_listener(section: &Section<'_>, default: Option<SocketAddr>) -> Option<PlainListener> {
    let address = address(section, default);
    let insecure = section.optional("insecure").unwrap_or(false);
    match address {
        Some(address) if !address.ip().is_loopback() && !insecure => section.error(
            "address",
            format!("{address} is not loopback: patients' data would travel unencrypted"),
            "use [listen.soap] or [listen.mllps] with TLS, or 127.0.0.1; insecure = true permits it knowingly",
        ),
        Some(address) if !address.ip().is_loopback() => {
            section.warning(
                "address",
                "unencrypted, and not on loopback",
                "the status page shows this in red",
            );
        }
        _ => {}
    }
    Some(PlainListener { address: address?, insecure })
}

fn address(section: &Section<'_>, default: Option<SocketAddr>) -> Option<SocketAddr> {
    match default {
        Some(default) if !section.has("address") => Some(default),
        _ => section.required("address"),
    }
}

fn charset(section: &Section<'_>) -> Charset {
    section.optional("charset").unwrap_or_default()
}

impl Setting for Charset {
    const WANTED: &'static str = "a character set as MSH-18 names it, such as \"UNICODE UTF-8\", \"ISO IR87\", \"8859/1\"; or \"Shift_JIS\"";
    fn read(node: &Node, _: &std::path::Path) -> Result<Self, Option<String>> {
        match &node.value {
            Value::Text(text) => {
                Charset::named(text).ok_or(Some(format!("{text:?} is no character set that is read")))
            }
            _ => Err(None),
        }
    }
}
