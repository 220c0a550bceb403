//! Where the answer to a request goes (WS-Addressing 1.0 Core, 3.4; ITI TF-2: V.3): back on the same connection, to an
//! address that the operator allows, or nowhere. No other address is ever connected to (attack 18).

use std::net::IpAddr;
use std::str::FromStr;

use bytes::Bytes;
use hyper::Uri;

use super::envelope::for_us;
use super::fault::{INVALID_EPR, INVALID_HEADER, MISSING_ADDRESS};
use super::{ANONYMOUS, Envelope, Fault, NONE_ADDRESS};
use crate::limits;
use crate::wire::xml::{Element, Ns};

/// Where the answer to a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per message")]
pub enum Route {
    /// Back on the same connection.
    Back,
    /// Nobody wants it.
    Nowhere,
    /// To an address of its own.
    Elsewhere {
        /// The answer.
        reply: Destination,
        /// A fault instead of it; None if nobody wants one.
        fault: Option<Destination>,
    },
}

/// An allowed endpoint reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// What is connected to.
    pub url: Uri,
    /// As sent: for wsa:To.
    pub address: String,
    /// Its reference parameters as header blocks, for [`super::Outgoing::headers`].
    pub parameters: Vec<Bytes>,
}

/// Addresses that replies may go to.
#[derive(Debug, Clone, Default)]
pub struct AllowedReplies(Vec<AllowedReply>);

/// One of them: scheme, host and port, and the first segments of the path. `https://peer.example:8443/replies`, or
/// `peer.example:8443` for any path there over https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedReply {
    place: Place,
    path: String,
}

/// What a connection is made to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    https: bool,
    host: Host,
    port: u16,
}

/// An address is compared as an address, a name as a name: neither is resolved, so that neither passes for the other.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl AllowedReplies {
    /// No address.
    pub const fn none() -> Self {
        Self(Vec::new())
    }
    /// These and no others.
    pub fn new(allowed: Vec<AllowedReply>) -> Self {
        Self(allowed)
    }
    /// What to connect to for an address, if it is allowed.
    pub fn find(&self, address: &str) -> Option<Uri> {
        let (place, path, uri) = parse(address).ok()?;
        self.0.iter().any(|allowed| allowed.place == place && allowed.covers(&path)).then_some(uri)
    }
}

impl AllowedReply {
    /// Whether TLS is spoken there.
    pub fn is_https(&self) -> bool {
        self.place.https
    }
    /// Whether nobody reads on the way: TLS, or this machine.
    pub fn is_confidential(&self) -> bool {
        let here = match &self.place.host {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost",
        };
        self.place.https || here
    }
    fn covers(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.trim_end_matches('/')) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl FromStr for AllowedReply {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let (place, path, uri) = parse(&whole)?;
        if uri.query().is_some() {
            return Err("has a query; write scheme, host, port and the path's beginning".to_owned());
        }
        Ok(Self { place, path })
    }
}

/// Takes an absolute http or https URL apart. Whatever two readers might understand differently is refused: a user name,
/// a fragment, dots and escaped dots or slashes as segments, characters that belong into no URL.
fn parse(address: &str) -> Result<(Place, String, Uri), String> {
    let odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b'#' | b'"' | b'<' | b'>' | b'`');
    if address.bytes().any(odd) {
        return Err("holds a character that no URL of a service has".to_owned());
    }
    let uri: Uri = address.parse().map_err(|error| format!("is no URL: {error}"))?;
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("is neither an https nor an http URL".to_owned()),
    };
    let authority = uri.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') {
        return Err("has a user name".to_owned());
    }
    let host = match authority.host() {
        "" => return Err("has no host".to_owned()),
        host => Host::parse(host)?,
    };
    let behind = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    let port = match behind.strip_prefix(':') {
        None => {
            if https {
                443
            } else {
                80
            }
        }
        Some(port) => port.parse().map_err(|_| "has a port that is no number up to 65535")?,
    };
    let path = uri.path().to_owned();
    let lower = path.to_ascii_lowercase();
    if lower.split('/').any(|segment| matches!(segment, "." | ".."))
        || ["%2e", "%2f", "%5c"].iter().any(|odd| lower.contains(odd))
    {
        return Err("has a path that says its way with dots".to_owned());
    }
    Ok((Place { https, host, port }, path, uri))
}

impl Host {
    fn parse(host: &str) -> Result<Self, String> {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match (inner, host.parse::<IpAddr>()) {
            (Some(inner), _) => match inner.parse() {
                Ok(address) => Ok(Self::Address(IpAddr::V6(address))),
                Err(_) => Err("has brackets around what is no IPv6 address".to_owned()),
            },
            (None, Ok(address)) => Ok(Self::Address(address)),
            (None, Err(_)) => Ok(Self::Name(host.to_ascii_lowercase())),
        }
    }
}

/// What an endpoint reference asks for.
enum Wanted {
    Back,
    Nowhere,
    There(Destination),
}

impl Envelope {
    /// Where the answer goes; a fault if that is nowhere that we go. Faults go where replies go unless wsa:FaultTo says
    /// otherwise (WS-Addressing 1.0 Core, 3.4); one that is found before the message is accepted goes back on the same
    /// connection in any case.
    pub fn route(&self, allowed: &AllowedReplies) -> Result<Route, Box<Fault>> {
        let reply = self.wanted("wsa:ReplyTo", "ReplyTo", allowed)?.unwrap_or(Wanted::Back);
        let fault = self.wanted("wsa:FaultTo", "FaultTo", allowed)?;
        match (reply, fault) {
            (Wanted::Back, None | Some(Wanted::Back)) => Ok(Route::Back),
            (Wanted::Back, Some(_)) => Err(Box::new(Fault::only_anonymous("wsa:FaultTo"))),
            (Wanted::Nowhere, _) => Ok(Route::Nowhere),
            (Wanted::There(_), _) if self.addressing.message_id.is_none() => {
                Err(Box::new(Fault::header_required("wsa:MessageID", "V.3.2.2")))
            }
            // By the time that a later fault is found, the connection has had its answer.
            (Wanted::There(reply), None | Some(Wanted::Back)) => {
                Ok(Route::Elsewhere { fault: Some(reply.clone()), reply })
            }
            (Wanted::There(reply), Some(Wanted::Nowhere)) => Ok(Route::Elsewhere { reply, fault: None }),
            (Wanted::There(reply), Some(Wanted::There(fault))) => {
                Ok(Route::Elsewhere { reply, fault: Some(fault) })
            }
        }
    }

    fn wanted(
        &self,
        header: &'static str,
        local: &str,
        allowed: &AllowedReplies,
    ) -> Result<Option<Wanted>, Box<Fault>> {
        let addressing = &self.addressing;
        let address = if local == "ReplyTo" { &addressing.reply_to } else { &addressing.fault_to };
        let refused = |mut fault: Fault| {
            fault.problem_header = Some(header);
            Err(Box::new(fault))
        };
        match address.as_deref() {
            None => Ok(None),
            Some(ANONYMOUS) => Ok(Some(Wanted::Back)),
            Some(NONE_ADDRESS) => Ok(Some(Wanted::Nowhere)),
            Some("") => {
                let reason = format!("{header} has no wsa:Address (WS-Addressing 1.0 Core, 2.1)");
                refused(Fault::addressing(&[INVALID_HEADER, MISSING_ADDRESS], reason))
            }
            Some(address) => {
                let Some(url) = allowed.find(address) else {
                    return refused(Fault::only_anonymous(header));
                };
                let endpoint = for_us(self.header()).find(|block| block.is(Ns::WSA, local));
                match endpoint.and_then(reference_parameters) {
                    Some(parameters) => {
                        Ok(Some(Wanted::There(Destination { url, address: address.to_owned(), parameters })))
                    }
                    None => {
                        let reason = format!(
                            "{header} has reference parameters that are too large or would pass for headers of ours"
                        );
                        refused(Fault::addressing(&[INVALID_HEADER, INVALID_EPR], reason))
                    }
                }
            }
        }
    }
}

/// The reference parameters of an endpoint reference as header blocks (WS-Addressing 1.0 SOAP Binding, 3.3); None if they
/// are beyond bounds, or would say something in our name.
fn reference_parameters(endpoint: Element<'_>) -> Option<Vec<Bytes>> {
    const MARK: (&str, &str) = ("sekisho-wsa:IsReferenceParameter", "true");
    let declared = ("xmlns:sekisho-wsa", Ns::WSA.uri());
    let Some(parameters) = endpoint.child(Ns::WSA, "ReferenceParameters") else { return Some(Vec::new()) };
    let mut blocks = Vec::new();
    let mut bytes = 0;
    for parameter in parameters.children() {
        if matches!(parameter.ns(), Ns::WSA | Ns::SOAP | Ns::SOAP11 | Ns::WSSE | Ns::NONE) {
            return None;
        }
        let (start, rest) = parameter.detach(&[Ns::SOAP, Ns::WSA], &[declared, MARK]);
        bytes += start.len() + rest.len();
        if blocks.len() == limits::MAX_REFERENCE_PARAMETERS || bytes > limits::MAX_ADDRESSING_BYTES {
            return None;
        }
        blocks.push([start, rest].concat().into());
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::Tree;

    fn allowed(entries: &[&str]) -> AllowedReplies {
        AllowedReplies::new(entries.iter().map(|entry| entry.parse().unwrap()).collect())
    }

    fn envelope(headers: &str) -> Envelope {
        let xml = format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:p='urn:peer'><s:Header>{headers}</s:Header><s:Body/></s:Envelope>",
            Ns::SOAP.uri(),
            Ns::WSA.uri()
        );
        Envelope::read(Tree::parse(xml.into()).unwrap()).unwrap()
    }

    fn to(header: &str, address: &str) -> String {
        format!("<a:{header}><a:Address>{address}</a:Address></a:{header}>")
    }

    const ID: &str = "<a:MessageID>urn:uuid:1</a:MessageID>";
    const PEER: &str = "https://peer.example:8443/replies";

    #[test]
    fn attack_18_only_what_is_written_on_the_list_is_connected_to() {
        let list =
            allowed(&[PEER, "other.example:9443", "https://[2001:db8::1]/in/", "http://127.0.0.1:8080"]);
        for good in [
            PEER,
            "https://peer.example:8443/replies/",
            "https://peer.example:8443/replies/iti38?key=1",
            "HTTPS://PEER.example:8443/replies",
            "https://other.example:9443/any/path",
            "https://[2001:DB8:0:0::1]:443/in/x",
            "https://[2001:db8::1]/in",
            "http://127.0.0.1:8080/x",
        ] {
            assert!(list.find(good).is_some(), "{good}");
        }
        for bad in [
            "https://peer.example:8443@evil.example/replies",
            "https://peer.example:8443%40evil.example/replies",
            "https://user@peer.example:8443/replies",
            "https://evil.example:8443/replies",
            "https://evil.example/https://peer.example:8443/replies",
            "https://peer.example.evil.example:8443/replies",
            "https://peer.example:8444/replies",
            "https://peer.example/replies",
            "https://peer.example:/replies",
            "https://peer.example.:8443/replies",
            "http://peer.example:8443/replies",
            "https://peer.example:8443/repliesx",
            "https://peer.example:8443/Replies",
            "https://peer.example:8443/replies/../admin",
            "https://peer.example:8443/replies/%2e%2E/admin",
            "https://peer.example:8443/replies%2f..%2fadmin",
            "https://peer.example:8443/replies\\..\\admin",
            "https://peer.example:8443\\@evil.example/replies",
            "https://peer.example:8443/replies#@evil.example",
            "https://peer.example:8443 /replies",
            "https://peer.example\n:8443/replies",
            "https:peer.example:8443/replies",
            "//peer.example:8443/replies",
            "peer.example:8443/replies",
            "ftp://peer.example:8443/replies",
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:127.0.0.1]:8080/x",
            "http://[::1]:8080/x",
            "http://localhost:8080/x",
            "http://127.1:8080/x",
            "http://2130706433:8080/x",
            "http://0x7f000001:8080/x",
            "http://127.0.0.1.:8080/x",
            "http://127.0.0.1:08080x/x",
            "https://[2001:db8::1%25eth0]/in",
            "https://[2001:db8::2]/in",
            "https://ｐeer.example:8443/replies",
            "",
            "http://",
            "https:///replies",
        ] {
            assert_eq!(list.find(bad), None, "{bad}");
        }
        assert_eq!(AllowedReplies::none().find(PEER), None);
    }

    #[test]
    fn an_entry_says_what_is_wrong_with_it() {
        for bad in
            ["ftp://peer", "https://a@peer", "https://peer/?x", "https://peer/../x", "peer:99999", "[::1"]
        {
            assert!(bad.parse::<AllowedReply>().is_err(), "{bad}");
        }
    }

    #[test]
    fn routes_follow_both_headers() {
        let list = allowed(&[PEER]);
        let route = |headers: &str| envelope(&format!("{ID}{headers}")).route(&list);
        let there = |route: Result<Route, Box<Fault>>| match route.unwrap() {
            Route::Elsewhere { reply, fault } => (reply.address, fault.map(|fault| fault.address)),
            other => panic!("{other:?}"),
        };
        let reply = to("ReplyTo", PEER);
        let faults = "https://peer.example:8443/replies/faults";
        assert_eq!(route(""), Ok(Route::Back));
        assert_eq!(route(&to("ReplyTo", ANONYMOUS)), Ok(Route::Back));
        assert_eq!(route(&to("ReplyTo", NONE_ADDRESS)), Ok(Route::Nowhere));
        assert_eq!(there(route(&reply)), (PEER.to_owned(), Some(PEER.to_owned())));
        assert_eq!(there(route(&format!("{reply}{}", to("FaultTo", faults)))).1.as_deref(), Some(faults));
        assert_eq!(there(route(&format!("{reply}{}", to("FaultTo", NONE_ADDRESS)))).1, None);
        for refused in [
            to("ReplyTo", "https://evil.example/"),
            to("FaultTo", PEER),
            format!("{reply}{}", to("FaultTo", "http://169.254.169.254/")),
        ] {
            assert!(route(&refused).is_err(), "{refused}");
        }
        let fault = envelope(&reply).route(&list).unwrap_err();
        assert_eq!(fault.problem_header, Some("wsa:MessageID"), "an answer could relate to nothing");
    }

    #[test]
    fn reference_parameters_become_headers_and_none_that_would_speak_for_us() {
        let with = |parameters: &str| -> Result<Vec<Bytes>, Box<Fault>> {
            let reply = format!(
                "{ID}<a:ReplyTo><a:Address>{PEER}</a:Address><a:ReferenceParameters>{parameters}</a:ReferenceParameters>\
                 </a:ReplyTo>"
            );
            match envelope(&reply).route(&allowed(&[PEER]))? {
                Route::Elsewhere { reply, .. } => Ok(reply.parameters),
                other => panic!("{other:?}"),
            }
        };
        let blocks = with("<p:Ticket n='1'>a&amp;b</p:Ticket><x:Y xmlns:x='urn:y'/>").unwrap();
        let tree = Tree::parse(format!("<h>{}{}</h>", text(&blocks[0]), text(&blocks[1])).into()).unwrap();
        let ticket = tree.root().children().next().unwrap();
        assert_eq!(
            (tree.uri(ticket.ns()), ticket.local(), ticket.text().as_ref()),
            ("urn:peer", "Ticket", "a&b")
        );
        assert!(
            tree.root()
                .children()
                .all(|p| p.attr_ns(Ns::WSA, "IsReferenceParameter").as_deref() == Some("true"))
        );
        for bad in [
            "<a:Action>urn:x</a:Action>".to_owned(),
            "<s:Header/>".to_owned(),
            format!("<w:Security xmlns:w='{}'/>", Ns::WSSE.uri()),
            "<NoNamespace/>".to_owned(),
            "<p:T/>".repeat(limits::MAX_REFERENCE_PARAMETERS + 1),
            format!("<p:T>{}</p:T>", "x".repeat(limits::MAX_ADDRESSING_BYTES)),
        ] {
            assert!(with(&bad).is_err(), "{bad:.60}");
        }
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }
}
