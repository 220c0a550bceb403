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
const ADDRESS: &str = "@ADDRESS@";
/// How the WSDL files, and the schemas among themselves, refer to schemas.
const LOCATIONS: [&str; 2] = ["schemaLocation=\"../xsd/", "schemaLocation=\""];

macro_rules! files {
    ($($folder:literal $name:literal $extension:literal;)*) => {
        &[$(($name, include_str!(concat!("../../schemas/", $folder, "/", $name, $extension)))),*]
    };
}

/// WSDL by transaction.
const WSDL: &[(&str, &str)] = files! {
    "wsdl" "iti-18" ".wsdl";
    "wsdl" "iti-38" ".wsdl";
    "wsdl" "iti-39" ".wsdl";
    "wsdl" "iti-41" ".wsdl";
    "wsdl" "iti-42" ".wsdl";
    "wsdl" "iti-43" ".wsdl";
    "wsdl" "iti-44" ".wsdl";
    "wsdl" "iti-45" ".wsdl";
    "wsdl" "iti-46" ".wsdl";
    "wsdl" "iti-47" ".wsdl";
    "wsdl" "iti-51" ".wsdl";
    "wsdl" "iti-55" ".wsdl";
    "wsdl" "iti-56" ".wsdl";
    "wsdl" "iti-57" ".wsdl";
    "wsdl" "iti-61" ".wsdl";
    "wsdl" "iti-62" ".wsdl";
    "wsdl" "iti-86" ".wsdl";
    "wsdl" "iti-92" ".wsdl";
};

/// Schemas by file name.
const XSD: &[(&str, &str)] = files! {
    "xsd" "hl7v3.xsd" "";
    "xsd" "lcm.xsd" "";
    "xsd" "query.xsd" "";
    "xsd" "rim.xsd" "";
    "xsd" "rmd.xsd" "";
    "xsd" "rs.xsd" "";
    "xsd" "xcpd.xsd" "";
    "xsd" "xds-b.xsd" "";
    "xsd" "xml.xsd" "";
};

/// Answers a GET with a query.
pub(super) fn describe(
    there: &[Arc<Service>],
    scheme: &str,
    request: &Request<Body>,
    query: &str,
) -> Result<Response<Body>, Refusal> {
    let (key, name) = query.split_once('=').unwrap_or((query, ""));
    let file = match key.to_ascii_lowercase().as_str() {
        // The combined path has no description of its own.
        "wsdl" => there
            .first()
            .map(|service| service.transaction.id)
            .filter(|id| there.iter().all(|service| service.transaction.id == *id))
            .and_then(|id| named(WSDL, &id.to_ascii_lowercase())),
        "xsd" => named(XSD, name),
        _ => return Err(Refusal::method(request.method())),
    };
    let url = url(scheme, request);
    let text = located(file.ok_or_else(Refusal::no_description)?, &url).replace(ADDRESS, &url);
    let mut response = Response::new(whole(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=UTF-8"));
    Ok(response)
}

fn named(files: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A file whose references lead to where its schemas are served.
fn located(file: &str, url: &str) -> String {
    let [from_wsdl, from_schema] = LOCATIONS;
    file.replace(from_wsdl, from_schema).replace(from_schema, &format!("{from_schema}{url}?xsd="))
}

/// The service's URL as the client wrote it, so that it also holds behind a proxy; no character in it needs escaping.
fn url(scheme: &str, request: &Request<Body>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| !host.contains(['&', '\'', '<', '"', '@']));
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.map_or_else(|| "localhost".to_owned(), |host| host.to_string());
    format!("{scheme}://{host}{}", request.uri().path())
}
