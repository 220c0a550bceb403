//! What an event of the index means for one consumer (ITI TF-2: 3.10, 3.46, 3.64): pure, so that the rules can be read here.

use std::collections::HashMap;

use crate::delivery::outbox::Link;
use crate::demographics::{Authority, Identifier};
use crate::identity::index::EventKind;
use crate::ids::{Oid, PatientId};
use crate::transactions::iti64::LinkChange;

/// The identifiers that a consumer is told (ITI-10, ITI-46), those of one domain side by side; None where the event does not
/// concern it. `domains` are those of its interest, none means all.
///
/// A link that is dissolved is two events, one for each part, and thus two notifications.
pub fn update(event: &EventKind, domains: &[Oid]) -> Option<Vec<PatientId>> {
    let EventKind::Linked { identifiers, changed } = event else { return None };
    let of_interest = |oid: &str| domains.is_empty() || domains.iter().any(|domain| domain.as_str() == oid);
    if !changed.iter().any(|oid| of_interest(oid)) {
        return None;
    }
    let mut by_domain: Vec<(&Oid, Vec<PatientId>)> = Vec::new();
    for patient in identifiers.iter().filter(|patient| of_interest(patient.authority().as_str())) {
        match by_domain.iter_mut().find(|(domain, _)| *domain == patient.authority()) {
            Some((_, there)) => there.push(patient.clone()),
            None => by_domain.push((patient.authority(), vec![patient.clone()])),
        }
    }
    let told: Vec<_> = by_domain.into_iter().flat_map(|(_, there)| there).collect();
    Some(told).filter(|told| !told.is_empty())
}

/// What a registry is told, and what it believes from then on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Messages, in their order.
    pub told: Vec<LinkChange>,
    /// To whom of the affinity domain local patients are linked now.
    pub known: Vec<Link>,
}

/// The local patients whose links an event may concern, for a registry of that affinity domain.
pub fn locals<'e>(event: &'e EventKind, affinity: &Oid) -> Vec<&'e PatientId> {
    let all: Vec<_> = match event {
        EventKind::Linked { identifiers, .. } => identifiers.iter().collect(),
        EventKind::Merged { surviving, subsumed } => vec![surviving, subsumed],
        EventKind::Changed(_) => Vec::new(),
    };
    all.into_iter().filter(|patient| patient.authority() != affinity).collect()
}

/// What a registry is told (ITI-64). `believed` says to whom of the affinity domain it holds local patients to be linked;
/// `source` is the OID that we sign with.
///
/// A local patient's first link is no change: there is no previous patient to name, and documents that were registered with
/// it have that patientId already. One who loses a link without getting another cannot be told: the message has no form for
/// it, and the documents stay until there is a new one.
pub fn links(
    event: &EventKind,
    affinity: &Oid,
    believed: &HashMap<PatientId, PatientId>,
    source: &str,
) -> Links {
    let change =
        |new: &PatientId, local: &PatientId, previous: &PatientId, subsumed: Option<&PatientId>| LinkChange {
            new: identifier(new),
            local: identifier(local),
            previous: identifier(previous),
            subsumed_local: subsumed.map(identifier),
            source: source.to_owned(),
        };
    let mut links = Links::default();
    match event {
        EventKind::Linked { identifiers, .. } => {
            let Some(new) = identifiers.iter().find(|patient| patient.authority() == affinity) else {
                return links;
            };
            for local in locals(event, affinity) {
                match believed.get(local) {
                    Some(previous) if previous == new => continue,
                    Some(previous) => links.told.push(change(new, local, previous, None)),
                    None => {}
                }
                links.known.push((local.clone(), new.clone()));
            }
        }
        EventKind::Merged { surviving, subsumed } if surviving.authority() != affinity => {
            let Some(new) = believed.get(surviving).or_else(|| believed.get(subsumed)) else { return links };
            let previous = believed.get(subsumed).unwrap_or(new);
            links.told.push(change(new, surviving, previous, Some(subsumed)));
            links.known.push((surviving.clone(), new.clone()));
        }
        EventKind::Merged { .. } | EventKind::Changed(_) => {}
    }
    links
}

fn identifier(patient: &PatientId) -> Identifier {
    Identifier {
        id: patient.id().to_owned(),
        authority: Authority::of_oid(patient.authority().as_str()),
        ..Identifier::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(domain: u32, id: &str) -> PatientId {
        PatientId::new(id, oid(domain))
    }
    fn oid(domain: u32) -> Oid {
        Oid::parse(&format!("1.2.{domain}")).unwrap()
    }
    fn linked(identifiers: &[(u32, &str)], changed: &[u32]) -> EventKind {
        EventKind::Linked {
            identifiers: identifiers.iter().map(|(domain, text)| id(*domain, text)).collect(),
            changed: changed.iter().map(|domain| oid(*domain).as_str().to_owned()).collect(),
        }
    }

    #[test]
    fn a_consumer_is_told_of_its_own_domains_only() {
        let event = linked(&[(1, "a"), (2, "b"), (1, "c"), (3, "d")], &[2]);
        assert_eq!(
            update(&event, &[]).unwrap(),
            [id(1, "a"), id(1, "c"), id(2, "b"), id(3, "d")],
            "side by side"
        );
        assert_eq!(update(&event, &[oid(1), oid(2)]).unwrap(), [id(1, "a"), id(1, "c"), id(2, "b")]);
        assert_eq!(update(&event, &[oid(1), oid(3)]), None, "nothing changed there");
        assert_eq!(
            update(&linked(&[(1, "a")], &[2]), &[oid(2)]),
            None,
            "an identifier went, and none is left"
        );
        assert_eq!(update(&EventKind::Changed(id(1, "a")), &[]), None);
    }

    #[test]
    fn a_registry_is_told_of_links_that_moved_and_local_identifiers_that_merged() {
        let affinity = oid(9);
        let told = |event: &EventKind, believed: &[(PatientId, PatientId)]| {
            links(event, &affinity, &believed.iter().cloned().collect(), "1.2.3")
        };
        let first = told(&linked(&[(1, "a"), (9, "X")], &[9]), &[]);
        assert_eq!((first.told.len(), first.known), (0, vec![(id(1, "a"), id(9, "X"))]));
        let moved = linked(&[(1, "a"), (2, "b"), (9, "Y")], &[9]);
        let believed = [(id(1, "a"), id(9, "X")), (id(2, "b"), id(9, "Y"))];
        let change = told(&moved, &believed);
        assert_eq!(change.known, [(id(1, "a"), id(9, "Y"))], "the other one is known");
        let [LinkChange { new, local, previous, subsumed_local: None, source }] = &change.told[..] else {
            panic!("{change:?}")
        };
        assert_eq!((&*new.id, &*local.id, &*previous.id, &**source), ("Y", "a", "X", "1.2.3"));
        assert_eq!(told(&linked(&[(1, "a")], &[9]), &believed), Links::default(), "nobody to link to");

        let merged = EventKind::Merged { surviving: id(1, "a"), subsumed: id(1, "z") };
        let change = told(&merged, &[(id(1, "a"), id(9, "X")), (id(1, "z"), id(9, "X"))]);
        let merge = &change.told[0];
        assert_eq!((&*merge.new.id, &*merge.previous.id), ("X", "X"), "only local identifiers are merged");
        assert_eq!(merge.subsumed_local.as_ref().map(|id| &*id.id), Some("z"));
        let change = told(&merged, &[(id(1, "a"), id(9, "X")), (id(1, "z"), id(9, "Y"))]);
        assert_eq!(&*change.told[0].previous.id, "Y");
        assert_eq!(told(&merged, &[]), Links::default());
        let of_affinity = EventKind::Merged { surviving: id(9, "X"), subsumed: id(9, "Y") };
        assert_eq!(told(&of_affinity, &believed), Links::default(), "that is ITI-8's");
    }
}
