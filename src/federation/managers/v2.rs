//! A PIX Manager or Patient Demographics Supplier that speaks HL7 v2 over MLLP (ITI TF-2: 3.9, 3.21).

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, try_join_all};

use super::{
    AskedBy, Fitting, Manager, Person, Supplier, by_oid, having, identifier, match_without_my_numbers, only,
    questions, together, without_my_numbers,
};
use crate::demographics::{Domains, Identifier};
use crate::federation::Unavailable;
use crate::federation::mllp_line::MllpLine;
use crate::ids::PatientId;
use crate::transactions::Caller;
use crate::transactions::hl7v2::{AckCode, Refusal};
use crate::transactions::identity::{CorrespondingQuery, DemographicsQuery};
use crate::transactions::{iti9, iti21};

/// HL7 table 0357: the identifier, or its domain, is unknown.
const UNKNOWN_KEY: &str = "204";

/// Somebody outside who knows patients.
pub struct MllpManager {
    /// To it.
    pub line: MllpLine,
    /// How the region's domains are named.
    pub domains: Arc<Domains>,
    /// What it is.
    pub asked_by: AskedBy,
}

impl MllpManager {
    /// By OID, and by namespace where there is one.
    fn named(&self, identifier: &mut Identifier) {
        let authority = &mut identifier.authority;
        if let Some(domain) = self.domains.by_oid(&authority.universal_id) {
            authority.namespace.clone_from(&domain.namespace);
        }
    }

    fn resolved(&self, identifier: &Identifier) -> Option<PatientId> {
        self.domains.resolve(identifier).or_else(|| by_oid(identifier))
    }

    async fn corresponding(
        &self,
        patient: &PatientId,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Option<Person>, Unavailable> {
        let mut asked = identifier(patient);
        self.named(&mut asked);
        let query = CorrespondingQuery { patient: asked, wanted: Vec::new() };
        let write = |id: &str| iti9::request(&query, id, &self.line.parties, id);
        let answer = self.line.ask("ITI-9", write, iti9::read_answer, caller, deadline).await?;
        let Some(identifiers) = known(answer)? else { return Ok(None) };
        let identifiers = identifiers.iter().filter_map(|id| self.resolved(id)).filter(|id| id != patient);
        let identifiers = without_my_numbers(&self.domains, "ITI-9", identifiers.collect());
        Ok(Some(Person { identifiers, ..Person::default() }))
    }

    async fn find_one(
        &self,
        mut who: DemographicsQuery,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Option<Fitting>, Unavailable> {
        who.identifiers.iter_mut().for_each(|id| self.named(id));
        let write = |id: &str| {
            let question =
                iti21::Question { query: who.clone(), tag: id.to_owned(), page: None, pointer: None };
            iti21::request(&question, &self.line.parties, id)
        };
        let read = |answer: &_, id: &str| iti21::read_answer(answer, id, &self.domains);
        let Some(page) = known(self.line.ask("ITI-21", write, read, caller, deadline).await?)? else {
            return Ok(None);
        };
        let matches = page.matches.into_iter();
        let matches = matches.map(|found| match_without_my_numbers(&self.domains, "ITI-21", found)).collect();
        // A pointer leads to at least one more.
        Ok(Some(Fitting { matches, remaining: usize::from(page.pointer.is_some()) }))
    }
}

impl Manager for MllpManager {
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
            if self.asked_by == AskedBy::PixQuery {
                return self.corresponding(patient, caller, deadline).await;
            }
            let who =
                DemographicsQuery { identifiers: vec![identifier(patient)], ..DemographicsQuery::default() };
            let found = self.find_one(who, caller, deadline).await?;
            Ok(found.and_then(|found| only(patient, having(patient, found.matches))))
        })
    }
}

impl Supplier for MllpManager {
    fn find<'a>(
        &'a self,
        who: &'a DemographicsQuery,
        caller: &'a Caller,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Fitting, Unavailable>> {
        Box::pin(async move {
            let asked = questions(who).into_iter().map(|who| self.find_one(who, caller, deadline));
            Ok(together(try_join_all(asked).await?.into_iter().flatten().collect()))
        })
    }
}

/// None: what was asked with is unknown there.
fn known<T>(answer: Result<T, Refusal>) -> Result<Option<T>, Unavailable> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Refusal::Refused(AckCode::Error, errors))
            if errors.iter().any(|error| error.code == UNKNOWN_KEY) =>
        {
            Ok(None)
        }
        Err(Refusal::NotAnAnswer) => Err(Unavailable::Malformed),
        Err(Refusal::Refused(..)) => Err(Unavailable::Fault),
    }
}
