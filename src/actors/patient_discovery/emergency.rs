//! The search by four items (4情報検索: name, sex, address, birth) for somebody who cannot say who they are: candidates are
//! listed, a few, instead of being asked for more. Only in an emergency, and every time it is noted who did it.

use crate::actors::permits::Callers;
use crate::transactions::identity::DemographicsQuery;
use crate::transactions::{Caller, Purpose};

/// Whether a question is such a search, of somebody who may.
pub(super) fn applies(query: &DemographicsQuery, callers: &Callers, caller: &Caller) -> bool {
    let four_items = !query.names.is_empty()
        && query.sex.is_some()
        && query.birth.is_some()
        && !query.addresses.is_empty()
        && query.identifiers.is_empty();
    four_items && (caller.purpose == Some(Purpose::Emergency) || callers.include(caller))
}

/// For the audit trail: who, when, how many; never about whom.
pub(super) fn record(listed: usize, caller: &Caller) {
    metrics::counter!("sekisho_emergency_searches_total").increment(1);
    let (certificate, address) = (caller.certificate.as_deref(), caller.address);
    tracing::warn!(
        trace = &*caller.trace,
        ?certificate,
        ?address,
        listed,
        "an emergency search by four items"
    );
}
