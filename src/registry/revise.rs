//! Carrying out a planned update ([`super::update`]): new versions with what they take over, and the statuses of whatever is
//! older. Runs in the writer.

use super::fragment::Fragment;
use super::prepare::{self, Prepared};
use super::rows::{self, Link};
use super::rules::patients;
use super::schema::{Availability, FreeNumbers, TenantNumber};
use super::submit::{Effects, Numbers, insert_all};
use super::update::{Plan, Target};
use crate::metadata::{Kind, Relation};
use crate::store::StoreError;
use crate::store::sql::Connection;

/// Stores an update that the rules have passed.
pub(super) fn carry_out(
    connection: &Connection,
    tenant: TenantNumber,
    mut objects: Vec<Prepared>,
    numbers: Numbers,
    plan: &Plan,
    now: &str,
) -> Result<(), StoreError> {
    number_versions(&mut objects, plan);
    let mut numbers = numbers;
    let made = take_over(connection, &objects, plan, &mut numbers)?;
    let free = FreeNumbers::ask(connection, tenant, patients(&objects))?;
    insert_all(connection, free, &objects, &made, &mut numbers)?;
    let superseded = plan.versions.iter().map(|version| version.latest.object);
    rows::supersede(connection, tenant, superseded.collect())?;
    for wanted in [Availability::Approved, Availability::Deprecated] {
        let targets = plan.statuses.iter().filter_map(|(target, status)| match target {
            Target::Stored(number) if *status == wanted => Some(*number),
            _ => None,
        });
        rows::rewrite(connection, tenant, targets.collect(), |object| {
            object.status = Some(wanted.urn().to_owned());
        })?;
    }
    let mut effects = Effects::default();
    effects.deprecate(connection, tenant, plan.replaced.clone())?;
    effects.updated_folders.extend(plan.folders.iter().filter(|folder| plan.version_of(**folder).is_none()));
    effects.take_place(connection, tenant, now)
}

/// Gives new versions their number and status.
fn number_versions(objects: &mut [Prepared], plan: &Plan) {
    for version in &plan.versions {
        let Some(new) = objects.get_mut(version.place) else { continue };
        let asked = plan.statuses.iter().rev().find_map(|(target, status)| match target {
            Target::New(place) if *place == version.place => Some(*status),
            _ => None,
        });
        let status = match (asked, version.latest.availability) {
            (Some(asked), _) => asked,
            (None, Availability::Approved) => Availability::Approved,
            // Only ITI-92 comes here: what is deprecated stays so.
            (None, _) => Availability::Deprecated,
        };
        new.object.version = Some((version.latest.version + 1).to_string());
        new.object.status = Some(status.urn().to_owned());
        new.fragment = Fragment::of(&new.object);
    }
}

/// The associations that new versions take over, and for those of folders, the set's hold on them.
fn take_over(
    connection: &Connection,
    objects: &[Prepared],
    plan: &Plan,
    numbers: &mut Numbers,
) -> Result<Vec<Prepared>, StoreError> {
    let set = objects.iter().find(|new| new.object.kind == Kind::SubmissionSet);
    let mut made = Vec::new();
    for &Link { number, source, target, relation, .. } in &plan.propagated {
        let mut object = rows::object(connection, number)?;
        if let Some(association) = &mut object.association {
            for (end, id) in [(source, &mut association.source), (target, &mut association.target)] {
                match plan.version_of(end).and_then(|version| objects.get(version.place)) {
                    Some(new) => id.clone_from(&new.object.id),
                    None => numbers.insert(id.clone(), end),
                }
            }
        }
        let copy = prepare::anew(object);
        if let Some(set) = set.filter(|_| relation == Some(Relation::HasMember as i64)) {
            made.push(prepare::membership(&set.object.id, &copy.object.id));
        }
        made.push(copy);
    }
    Ok(made)
}
