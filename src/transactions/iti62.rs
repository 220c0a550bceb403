//! ITI-62 Remove Metadata (IHE ITI RMD supplement: 3.62).

use bytes::Bytes;

use super::{Malformed, Transaction};
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

pub use super::iti42::{read_response, write_response};

/// The transaction. Its actions keep its older name.
pub const ITI62: Transaction = Transaction {
    id: "ITI-62",
    name: "Remove Metadata",
    action: "urn:ihe:iti:2010:DeleteDocumentSet",
    response_action: "urn:ihe:iti:2010:DeleteDocumentSetResponse",
    body: (Ns::LCM, "RemoveObjectsRequest"),
    mtom: false,
};

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveRequest {
    /// entryUUIDs, as sent.
    pub objects: Vec<String>,
}

/// Reads an lcm:RemoveObjectsRequest. What ebRS offers besides a list of objects, the transaction forbids: a query by
/// which more would go than somebody meant, and a scope in which less would.
pub fn read_request(body: Element<'_>) -> Result<RemoveRequest, Malformed> {
    const ALL: &str = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll";
    let malformed = |rule, problem| Malformed { rule, section: "RMD: 3.62.4.1.2", problem };
    let says = |query: &Element<'_>| {
        query.attr("id").is_some_and(|id| !id.is_empty()) || query.children().next().is_some()
    };
    if body.child(Ns::RIM, "AdhocQuery").is_some_and(|query| says(&query)) {
        let problem = "a rim:AdhocQuery says what is removed; only a rim:ObjectRefList may".to_owned();
        return Err(malformed("remove.adhoc-query", problem));
    }
    if let Some(scope) = body.attr("deletionScope").filter(|scope| *scope != ALL) {
        return Err(malformed("remove.deletion-scope", format!("deletionScope is {scope:?}, not DeleteAll")));
    }
    let lists = body.children_named(Ns::RIM, "ObjectRefList");
    let objects: Vec<_> = lists
        .flat_map(|list| list.children_named(Ns::RIM, "ObjectRef"))
        .take(limits::MAX_OBJECTS_PER_REMOVAL + 1)
        // A URI: blanks around it do not belong to it.
        .map(|reference| reference.attr("id").unwrap_or_default().trim().to_owned())
        .collect();
    match objects.len() {
        0 => Err(malformed("remove.objects", "the request names no rim:ObjectRef".to_owned())),
        many if many > limits::MAX_OBJECTS_PER_REMOVAL => {
            let most = limits::MAX_OBJECTS_PER_REMOVAL;
            Err(malformed(
                "remove.too-many",
                format!("more than {most} objects; remove them in several requests"),
            ))
        }
        _ => Ok(RemoveRequest { objects }),
    }
}

/// Writes one.
pub fn write_request(request: &RemoveRequest) -> Bytes {
    let mut out = Writer::with_capacity(256 + 80 * request.objects.len());
    out.start(Ns::LCM, "RemoveObjectsRequest").declare(&[Ns::LCM, Ns::RIM]);
    out.start(Ns::RIM, "ObjectRefList");
    for id in &request.objects {
        out.start(Ns::RIM, "ObjectRef").attr("id", id).end();
    }
    out.end().end();
    out.finish().into()
}
