//! ITI-56 Patient Location Query (ITI TF-2: 3.56; supplement XCPD Health Data Locator): which communities have data of a
//! patient whom the answering community knows?

use bytes::Bytes;

use super::{Malformed, Transaction};
use crate::ids::{HomeCommunityId, Oid, PatientId};
use crate::limits;
use crate::wire::xml::{Element, Ns, Writer};

/// The transaction.
pub const ITI56: Transaction = Transaction {
    id: "ITI-56",
    name: "Patient Location Query",
    action: "urn:ihe:iti:2009:PatientLocationQuery",
    response_action: "urn:ihe:iti:2009:PatientLocationQueryResponse",
    body: (Ns::XCPD, "PatientLocationQueryRequest"),
    mtom: false,
};

/// A community that has data of the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Which.
    pub home: HomeCommunityId,
    /// Its own identifier of the patient.
    pub patient: PatientId,
}

fn malformed(rule: &'static str, problem: &str) -> Malformed {
    Malformed { rule, section: "ITI TF-2: 3.56.4", problem: problem.to_owned() }
}

fn read_id(parent: Element<'_>, local: &str) -> Result<PatientId, Malformed> {
    let id = parent.child(Ns::XCPD, local);
    let id = id.and_then(|id| {
        Some((id.attr("extension")?.trim().to_owned(), Oid::parse(id.attr("root")?.trim()).ok()?))
    });
    match id {
        Some((extension, root)) if !extension.is_empty() => Ok(PatientId::new(&extension, root)),
        _ => Err(malformed("xcpd.patient-id", &format!("{local} needs an OID as root, and an extension"))),
    }
}

fn write_patient(out: &mut Writer, local: &str, patient: &PatientId) {
    out.start(Ns::XCPD, local)
        .attr("root", patient.authority().as_str())
        .attr("extension", patient.id())
        .end();
}

/// Reads a question: whose data.
pub fn read_request(body: Option<Element<'_>>) -> Result<PatientId, Malformed> {
    read_id(body.ok_or_else(|| malformed("soap.body", "soap:Body is empty"))?, "RequestedPatientId")
}

/// Writes one.
pub fn write_request(patient: &PatientId) -> Bytes {
    let mut out = Writer::with_capacity(512);
    out.start(Ns::XCPD, ITI56.body.1).declare(&[Ns::XCPD]);
    write_patient(&mut out, "RequestedPatientId", patient);
    out.end();
    Bytes::from(out.finish())
}

/// Reads an answer.
pub fn read_response(body: Element<'_>) -> Result<Vec<Location>, Malformed> {
    let locations = body.children_named(Ns::XCPD, "PatientLocationResponse").take(limits::MAX_COMMUNITIES);
    let read = |location: Element<'_>| {
        let home = location.child(Ns::XCPD, "HomeCommunityId");
        let home = home.and_then(|home| HomeCommunityId::parse(home.text().trim()).ok());
        let home = home.ok_or_else(|| malformed("xcpd.home", "HomeCommunityId must read urn:oid:…"))?;
        Ok(Location { home, patient: read_id(location, "CorrespondingPatientId")? })
    };
    locations.map(read).collect()
}

/// Writes one. The schema knows none for a patient who is unknown; an empty one is what implementations send.
pub fn write_response(asked: &PatientId, locations: &[Location]) -> Bytes {
    let mut out = Writer::with_capacity(512 + locations.len() * 512);
    out.start(Ns::XCPD, "PatientLocationQueryResponse").declare(&[Ns::XCPD]);
    for Location { home, patient } in locations {
        out.start(Ns::XCPD, "PatientLocationResponse");
        out.leaf(Ns::XCPD, "HomeCommunityId", &home.to_urn());
        write_patient(&mut out, "CorrespondingPatientId", patient);
        write_patient(&mut out, "RequestedPatientId", asked);
        out.end();
    }
    out.end();
    Bytes::from(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::Tree;

    #[test]
    fn questions_and_answers_are_read_as_they_were_written() {
        let patient = PatientId::parse("花子^^^&1.2.3&ISO").unwrap();
        let request = Tree::parse(write_request(&patient)).unwrap();
        assert_eq!(read_request(Some(request.root())).unwrap(), patient);
        let location = Location {
            home: HomeCommunityId::parse("1.5").unwrap(),
            patient: PatientId::parse("A^^^&1.5.3&ISO").unwrap(),
        };
        for locations in [vec![], vec![location]] {
            let response = Tree::parse(write_response(&patient, &locations)).unwrap();
            assert_eq!(read_response(response.root()).unwrap(), locations);
        }
        let nobody = b"<PatientLocationQueryRequest xmlns=\"urn:ihe:iti:xcpd:2009\"/>";
        let nobody = Tree::parse(Bytes::from_static(nobody)).unwrap();
        assert!(read_request(Some(nobody.root())).is_err());
        assert!(read_request(None).is_err());
    }
}
