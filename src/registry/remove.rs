//! Removing metadata (IHE ITI RMD supplement: 3.62.4.1.3): what is named goes as a whole or not at all, and what stays must
//! still be a registry: nothing refers to what is gone, nothing stands alone, every entry and folder lies in a
//! SubmissionSet, and of an object's versions the newest go last. Runs in the writer.

use std::collections::{HashMap, HashSet};

use super::rows::{Link, Stored};
use super::rules::{Rule, kind_name, rules};
use super::schema::{TenantNumber, kind_number, uuid_urn};
use crate::metadata::{Kind, Relation};
use crate::store::StoreError;
use crate::store::sql::{Connection, params};
use crate::transactions::errors::{RegistryError, code};

rules! {
    KNOWN "registry.remove.known" "RMD: 3.62.4.1.3"
        "the registry has what is to be removed";
    REFERENCES "registry.remove.references" "RMD: 3.62.4.1.3"
        "no association that stays refers to what is removed";
    UNREFERENCED "registry.remove.unreferenced" "RMD: 3.62.4.1.3"
        "nothing that stays is left without any association";
    MODEL "registry.remove.model" "ITI TF-3: 4.1.4"
        "entries and folders that stay lie in a SubmissionSet, and older versions go with the newest or before it";
}

/// Removes objects; gives what is wrong with that, and then nothing is removed.
pub(super) fn remove(
    connection: &Connection,
    tenant: TenantNumber,
    ids: &[String],
) -> Result<Vec<RegistryError>, StoreError> {
    let (removal, errors) = Removal::plan(connection, tenant, ids)?;
    if errors.is_empty() {
        removal.carry_out()?;
    }
    Ok(errors)
}

/// What is wrong with removing objects.
pub(super) fn check(
    connection: &Connection,
    tenant: TenantNumber,
    ids: &[String],
) -> Result<Vec<RegistryError>, StoreError> {
    Ok(Removal::plan(connection, tenant, ids)?.1)
}

/// Forgets that the submissions that brought a document were accepted.
pub(super) fn forget_submissions(
    connection: &Connection,
    tenant: TenantNumber,
    unique_id: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM registry_submission WHERE tenant = ?1 AND unique_id IN (
                 SELECT s.unique_id FROM registry_object e
                 JOIN registry_object a ON a.tenant = ?1 AND a.target = e.object AND a.relation = ?3
                 JOIN registry_object s ON s.object = a.source AND s.tenant = a.tenant
                 WHERE e.tenant = ?1 AND e.unique_id = ?2 AND s.kind = ?4)",
        )?
        .execute(params![
            tenant.0,
            unique_id,
            Relation::HasMember as i64,
            kind_number(Kind::SubmissionSet)
        ])?;
    Ok(())
}

struct Removal<'a> {
    connection: &'a Connection,
    tenant: TenantNumber,
    /// What is named, by number.
    going: HashMap<i64, Kind>,
    /// The associations at an object, as far as they were looked up.
    links: HashMap<i64, Vec<Link>>,
}

impl<'a> Removal<'a> {
    fn plan(
        connection: &'a Connection,
        tenant: TenantNumber,
        ids: &[String],
    ) -> Result<(Self, Vec<RegistryError>), StoreError> {
        let mut errors = Vec::new();
        let mut removal = Self { connection, tenant, going: HashMap::new(), links: HashMap::new() };
        for id in ids {
            match Stored::by_id(connection, tenant, id)? {
                Some(stored) => drop(removal.going.insert(stored.object, stored.kind)),
                None => errors.push(error(
                    code::UNRESOLVED_REFERENCE,
                    &KNOWN,
                    id,
                    "the registry has no such object",
                )),
            }
        }
        removal.check(&mut errors)?;
        Ok((removal, errors))
    }

    fn check(&mut self, errors: &mut Vec<RegistryError>) -> Result<(), StoreError> {
        let mut going: Vec<_> = self.going.iter().map(|(number, kind)| (*number, *kind)).collect();
        going.sort_unstable_by_key(|(number, _)| *number);
        let mut left = HashSet::new();
        for (number, kind) in going {
            for link in self.links_at(number)? {
                if !self.going.contains_key(&link.number) {
                    let problem = format!("{} refers to it and stays", self.name(link.number)?);
                    errors.push(self.error(code::REFERENCES_EXIST, &REFERENCES, number, &problem)?);
                }
            }
            if kind == Kind::Association {
                let ends = Link::of(self.connection, number)?;
                left.extend(
                    [ends.source, ends.target].into_iter().filter(|end| !self.going.contains_key(end)),
                );
            }
            if matches!(kind, Kind::DocumentEntry | Kind::Folder) {
                self.check_versions(number, errors)?;
            }
        }
        let mut left: Vec<_> = left.into_iter().collect();
        left.sort_unstable();
        for number in left {
            self.check_left(number, errors)?;
        }
        Ok(())
    }

    /// An object that stays and loses an association.
    fn check_left(&mut self, number: i64, errors: &mut Vec<RegistryError>) -> Result<(), StoreError> {
        let mut staying = self.links_at(number)?;
        staying.retain(|link| !self.going.contains_key(&link.number));
        if staying.is_empty() {
            let problem = "no association would be left at it";
            errors.push(self.error(code::UNREFERENCED_OBJECT, &UNREFERENCED, number, problem)?);
            return Ok(());
        }
        if !matches!(self.kind(number)?, Kind::DocumentEntry | Kind::Folder) {
            return Ok(());
        }
        for link in &staying {
            let is_member = link.relation == Some(Relation::HasMember as i64) && link.target == number;
            if is_member && self.kind(link.source)? == Kind::SubmissionSet {
                return Ok(());
            }
        }
        let problem = "it would lie in no SubmissionSet";
        errors.push(self.error(code::METADATA_MODEL, &MODEL, number, problem)?);
        Ok(())
    }

    /// Older versions go with their object's newest, or before it.
    fn check_versions(&self, number: i64, errors: &mut Vec<RegistryError>) -> Result<(), StoreError> {
        let (lid, version): (String, i64) = self
            .connection
            .prepare_cached(
                "SELECT logical_id, version FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40",
            )?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if version == 1 {
            return Ok(());
        }
        for older in Stored::versions(self.connection, self.tenant, &lid)? {
            if older.version < version && !self.going.contains_key(&older.object) {
                let (other, name) = (older.version, self.name(older.object)?);
                let problem = format!("version {other} of the same object, {name}, stays");
                errors.push(self.error(code::METADATA_MODEL, &MODEL, number, &problem)?);
            }
        }
        Ok(())
    }

    fn carry_out(&self) -> Result<(), StoreError> {
        // A submission of which a part is gone is not answered as if it were there.
        let mut forget = self.connection.prepare_cached(
            "DELETE FROM registry_submission WHERE tenant = ?1 AND unique_id IN (
                 SELECT s.unique_id FROM registry_object s WHERE s.tenant = ?1 AND s.object = ?2 AND s.kind = ?3
                 UNION ALL
                 SELECT s.unique_id FROM registry_object a JOIN registry_object s ON s.object = a.source AND s.tenant = a.tenant
                 WHERE a.tenant = ?1 AND a.object = ?2 AND s.kind = ?3)",
        )?;
        for number in self.going.keys() {
            forget.execute(params![self.tenant.0, number, kind_number(Kind::SubmissionSet)])?;
        }
        let mut values = self
            .connection
            .prepare_cached("DELETE FROM registry_value WHERE object = ?1 AND tenant = ?1 >> 40")?;
        let mut objects = self
            .connection
            .prepare_cached("DELETE FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40")?;
        for number in self.going.keys() {
            values.execute([number])?;
            objects.execute([number])?;
        }
        Ok(())
    }

    /// Every association that begins or ends at an object.
    fn links_at(&mut self, number: i64) -> Result<Vec<Link>, StoreError> {
        if let Some(known) = self.links.get(&number) {
            return Ok(known.clone());
        }
        let found = Link::at(self.connection, self.tenant, number)?;
        self.links.insert(number, found.clone());
        Ok(found)
    }

    fn kind(&self, number: i64) -> Result<Kind, StoreError> {
        const FIND: &str = "SELECT kind FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40";
        super::schema::kind_of(self.connection.prepare_cached(FIND)?.query_row([number], |row| row.get(0))?)
    }

    fn name(&self, number: i64) -> Result<String, StoreError> {
        const FIND: &str = "SELECT uuid FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40";
        let uuid = self.connection.prepare_cached(FIND)?.query_row([number], |row| row.get(0))?;
        Ok(format!("{} {:?}", kind_name(self.kind(number)?), uuid_urn(uuid)))
    }

    fn error(
        &self,
        code: &'static str,
        rule: &Rule,
        number: i64,
        problem: &str,
    ) -> Result<RegistryError, StoreError> {
        Ok(rule.broken(code, &self.name(number)?, problem))
    }
}

fn error(code: &'static str, rule: &Rule, id: &str, problem: &str) -> RegistryError {
    rule.broken(code, &format!("{id:?}"), problem)
}
