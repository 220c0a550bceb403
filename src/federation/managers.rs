//! Who knows a region's patients outside of this gateway: a PIX Manager or central MPI (ITI-45), a Patient Demographics
//! Supplier (ITI-47) (ITI TF-2: 3.45, 3.47).

use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::demographics::{Authority, Demographics, Identifier};
use crate::federation::Unavailable;
use crate::federation::line::{Line, Question};
use crate::ids::{Oid, PatientId};
use crate::transactions::Caller;
use crate::transactions::hl7v3::known::{self, Known};
use crate::transactions::iti45::ITI45;
use crate::transactions::iti47::ITI47_FIND;

/// Somebody who knows which identifiers are one person's.
pub trait Manager: Send + Sync {
    /// The other identifiers of a patient, and what is known of them; None if it does not know the patient.
    fn person<'a>(
        &'a self,
        patient: &'a PatientId,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Option<Person>, Unavailable>>;
}

/// A person whom somebody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Other identifiers than the one that was asked with.
    pub identifiers: Vec<PatientId>,
    /// What is known.
    pub demographics: Demographics,
}

/// How somebody outside is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// A PIX Manager, by ITI-45.
    PixQuery,
    /// A Patient Demographics Supplier, by ITI-47.
    DemographicsQuery,
}

/// Somebody outside who knows patients.
#[derive(Debug)]
pub struct ManagerLine {
    /// Its endpoint.
    pub line: Line,
    /// Our device.
    pub device: String,
    /// What it is.
    pub asked_by: AskedBy,
}

impl Manager for ManagerLine {
    fn person<'a>(
        &'a self,
        patient: &'a PatientId,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Option<Person>, Unavailable>> {
        Box::pin(async move {
            let asked = identifier(patient);
            let (transaction, body) = match self.asked_by {
                AskedBy::PixQuery => (&ITI45, known::write_pix_query(&asked, &self.device)),
                AskedBy::DemographicsQuery => (&ITI47_FIND, known::write_pdq_query(&asked, &self.device)),
            };
            let question = Question::simple(transaction, body, caller, deadline);
            let answer = self.line.ask(question, |message| known::read(&message.envelope)).await?;
            let mut person = person(patient, answer)?;
            // A PIX Manager may withhold the name; what it calls one is no description of anybody.
            if let (AskedBy::PixQuery, Some(person)) = (self.asked_by, &mut person) {
                person.demographics = Demographics::default();
            }
            Ok(person)
        })
    }
}

fn identifier(patient: &PatientId) -> Identifier {
    Identifier {
        id: patient.id().to_owned(),
        authority: Authority::of_oid(patient.authority().as_str()),
        type_code: String::new(),
    }
}

/// Several people under one identifier are nobody: none is chosen.
fn person(patient: &PatientId, answer: Known) -> Result<Option<Person>, Unavailable> {
    let mut people = match answer {
        Known::People(people) => people,
        Known::Unknown => return Ok(None),
        Known::Refused => return Err(Unavailable::Fault),
    };
    let (Some(only), true) = (people.pop(), people.is_empty()) else { return Ok(None) };
    let id = |id: &Identifier| {
        let authority = Oid::parse(&id.authority.universal_id).ok()?;
        (!id.id.is_empty()).then(|| PatientId::new(&id.id, authority))
    };
    let identifiers = only.identifiers.iter().filter_map(id).filter(|id| id != patient).collect();
    Ok(Some(Person { identifiers, demographics: only.person() }))
}
