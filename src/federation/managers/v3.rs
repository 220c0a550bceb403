//! A PIX Manager or Patient Demographics Supplier that speaks HL7 V3 (ITI TF-2: 3.45, 3.47).

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, try_join_all};

use super::{
    AskedBy, Fitting, Manager, Person, Supplier, by_oid, having, identifier, match_without_my_numbers, only,
    questions, together,
};
use crate::demographics::{Demographics, Domains};
use crate::federation::Unavailable;
use crate::federation::line::{Line, Question};
use crate::ids::PatientId;
use crate::transactions::Caller;
use crate::transactions::hl7v3::known::{self, Known};
use crate::transactions::hl7v3::registration::RegistrationEvent;
use crate::transactions::identity::{DemographicsQuery, Match};
use crate::transactions::iti45::ITI45;
use crate::transactions::iti47::ITI47_FIND;

/// Somebody outside who knows patients.
#[derive(Debug)]
pub struct ManagerLine {
    /// Its endpoint.
    pub line: Line,
    /// Our device.
    pub device: String,
    /// The region's domains.
    pub domains: Arc<Domains>,
    /// What it is.
    pub asked_by: AskedBy,
}

impl ManagerLine {
    async fn find_one(
        &self,
        who: &DemographicsQuery,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Option<Fitting>, Unavailable> {
        let body = known::write_find_query(who, &self.device);
        self.ask(Question::simple(&ITI47_FIND, body, caller, deadline)).await
    }

    /// None: what was asked with is unknown there.
    async fn ask(&self, question: Question<'_>) -> Result<Option<Fitting>, Unavailable> {
        let transaction = question.transaction.id;
        match self.line.ask(question, |message| known::read(&message.envelope)).await? {
            Known::People { found, remaining } => {
                let found = found.into_iter().map(matching);
                let found = found.map(|found| match_without_my_numbers(&self.domains, transaction, found));
                Ok(Some(Fitting { matches: found.collect(), remaining }))
            }
            Known::Unknown => Ok(None),
            Known::Refused => Err(Unavailable::Fault),
        }
    }
}

impl Manager for ManagerLine {
    fn person<'a>(
        &'a self,
        patient: &'a PatientId,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Option<Person>, Unavailable>> {
        Box::pin(async move {
            if self.domains.refuse(patient) {
                return Ok(None);
            }
            let asked = identifier(patient);
            let found = match self.asked_by {
                AskedBy::PixQuery => {
                    let body = known::write_pix_query(&asked, &self.device);
                    self.ask(Question::simple(&ITI45, body, caller, deadline)).await?
                }
                AskedBy::DemographicsQuery => {
                    let who = DemographicsQuery { identifiers: vec![asked], ..DemographicsQuery::default() };
                    self.find_one(&who, caller, deadline).await?
                }
            };
            let matches = found.map(|found| found.matches).unwrap_or_default();
            let mut person = match self.asked_by {
                // Its answer leaves the identifier out.
                AskedBy::PixQuery => only(patient, matches),
                AskedBy::DemographicsQuery => only(patient, having(patient, matches)),
            };
            // A PIX Manager may withhold the name; what it calls one is no description of anybody.
            if let (AskedBy::PixQuery, Some(person)) = (self.asked_by, &mut person) {
                person.demographics = Demographics::default();
            }
            Ok(person)
        })
    }
}

impl Supplier for ManagerLine {
    fn find<'a>(
        &'a self,
        who: &'a DemographicsQuery,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Fitting, Unavailable>> {
        Box::pin(async move {
            let questions = questions(who);
            let asked = questions.iter().map(|who| self.find_one(who, caller, deadline));
            Ok(together(try_join_all(asked).await?.into_iter().flatten().collect()))
        })
    }
}

fn matching(event: RegistrationEvent) -> Match {
    Match {
        identifiers: event.patient.identifiers.iter().filter_map(by_oid).collect(),
        degree: event.degree.unwrap_or(100),
        person: Box::new(event.patient.person()),
        visit: None,
    }
}
