//! The Patient Demographics Supplier (ITI TF-1: 8.1; PDQ and PDQV3): who fits a description, page by page.

use std::sync::Arc;
use std::time::Instant;

use super::continuations::{Continuations, Found};
use super::identifiers::{by_domain, refuse_my_number, trouble, wanted};
use crate::demographics::{Authority, Domain, Domains, Identifier};
use crate::identity::index::{Index, IndexError};
use crate::limits;
use crate::transactions::Caller;
use crate::transactions::identity::{Answer, DemographicsQuery, ErrorCode, IdentityError, Page, Place};

/// A Patient Demographics Supplier. Cheap to clone; clones share the open continuations.
#[derive(Clone)]
pub struct PdqSupplier {
    index: Index,
    domains: Arc<Domains>,
    continuations: Continuations,
}

impl PdqSupplier {
    /// A supplier over an index.
    pub fn new(index: Index, domains: Arc<Domains>) -> Self {
        Self { index, domains, continuations: Continuations::default() }
    }

    /// The domains whose identifiers it gives.
    pub fn domains(&self) -> &Arc<Domains> {
        &self.domains
    }

    /// ITI-21, 22, 47: the first page, of at most `page` matches (None: as many as the bound allows). What is left is kept
    /// for this caller for a while, in the order and set of this answer, under `name` (QAK-1 or queryId).
    ///
    /// A patient who has no identifier in any of the wanted domains is left out (ITI TF-2: 3.21.4.2.2.8).
    pub async fn find(
        &self,
        query: DemographicsQuery,
        page: Option<usize>,
        name: &str,
        caller: &Caller,
    ) -> Answer<Page> {
        let wanted = wanted(&self.domains, &query.wanted)?;
        let asked = query.identifiers.iter().map(|id| (Place::Field("PID", 3, 1), id));
        refuse_my_number(|authority| self.domains.find(authority), asked.chain(query.numbers()))?;
        let Some(query) = self.with_known_domains(query)? else { return Ok(Page::default()) };
        let most = limits::MAX_DEMOGRAPHICS_MATCHES;
        let (mut matches, counted) =
            self.index.find(query, most).await.map_err(|error| refused(&error, caller))?;
        let fetched = matches.len();
        for found in &mut matches {
            by_domain(&self.domains, &wanted, &mut found.identifiers);
        }
        matches.retain(|found| !found.identifiers.is_empty());
        let total = counted.saturating_sub(fetched - matches.len());
        let found = Found { matches, total, wanted };
        Ok(self.continuations.begin(found, page, name, caller, Instant::now()))
    }

    /// The next page behind a pointer (v2) or of a queryId (V3, with startResultNumber and a new page size).
    pub async fn more(
        &self,
        pointer: &str,
        start: Option<usize>,
        page: Option<usize>,
        caller: &Caller,
    ) -> Answer<Page> {
        self.continuations.more(pointer, start, page, caller, Instant::now()).ok_or_else(|| {
            let text = "nothing is kept for this caller under this pointer; ask anew";
            vec![IdentityError::unknown_key(Place::Continuation, text)]
        })
    }

    /// Forgets what is kept under a pointer or name; nothing open is no error.
    pub async fn cancel(&self, name: &str, caller: &Caller) {
        self.continuations.cancel(name, caller);
    }

    /// The query with each identifier's authority in full; None if a domain is not here, so that nobody fits. A query that
    /// describes nobody is refused: it would be answered with everybody.
    fn with_known_domains(&self, mut query: DemographicsQuery) -> Answer<Option<DemographicsQuery>> {
        let describes_nobody = DemographicsQuery {
            wanted: query.wanted.clone(),
            minimum_degree: query.minimum_degree,
            ..DemographicsQuery::default()
        };
        if query == describes_nobody {
            let text = "a query must say something of the patient";
            let place = Place::Field("QPD", 3, 0);
            return Err(vec![IdentityError::new(ErrorCode::RequiredFieldMissing, place, text)]);
        }
        let mut known = true;
        for Identifier { authority, .. } in &mut query.identifiers {
            match self.domains.find(authority) {
                Some(domain) => *authority = in_full(domain),
                None => known = false,
            }
        }
        Ok(known.then_some(query))
    }
}

/// A question that is too wide is the sender's fault; what else goes wrong is ours.
fn refused(error: &IndexError, caller: &Caller) -> Vec<IdentityError> {
    match error {
        IndexError::TooWide => {
            let place = Place::Field("QPD", 3, 0);
            vec![IdentityError::new(ErrorCode::RequiredFieldMissing, place, error.to_string())]
        }
        error => trouble(error, caller),
    }
}

/// Namespace, OID and type.
fn in_full(domain: &Domain) -> Authority {
    Authority { namespace: domain.namespace.clone(), ..Authority::of_oid(domain.oid.as_str()) }
}
