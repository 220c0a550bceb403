//! A local patient is linked to another patient of the affinity domain, or took over another local identifier (ITI-64,
//! ITI TF-2: 3.64.4.1.3): the documents of that local patient, told by their sourcePatientId, follow. Runs in the writer.
//!
//! It looks afterwards as if Metadata Update had done it (3.64.4.1.3.1): one new SubmissionSet holds new versions of the
//! approved entries, and of the folders whose entries are all of that local patient; what is deprecated stays as it is.
//! Where a folder or an association would span two patients, the text leaves the choice (3.64.4.1.3.2). Ours is its first:
//! the new version leaves that relation, the version before keeps it, and what was left is told ([`Left`]).
//!
//! All entries of the local patient follow (3.64.4.1.3), also those of a third patient of the affinity domain, to whom it was
//! linked before: a source may have submitted with a patientId that was out of date. Of entries from before that was noted
//! ([`super::schema`]), those of the patient to whom the link was, and, for an identifier that ended, of the one to whom it
//! is.

use std::collections::{BTreeMap, BTreeSet};

use super::RegistrySettings;
use super::patients::{self, KnownBy, Standing};
use super::prepare::{self, Prepared};
use super::rows::{self, Link, Stored};
use super::rules;
use super::schema::{Availability, FreeNumbers, TenantNumber, Values, kind_number, uuid_urn};
use super::submit::{self, Numbers};
use crate::ids::{EntryUuid, Oid, PatientId};
use crate::metadata::codes::slot;
use crate::metadata::views::{self, Membership, SubmissionSetBuilder};
use crate::metadata::{Code, Kind, Object, Relation, codes};
use crate::store::StoreError;
use crate::store::sql::{Connection, params};
use crate::transactions::identity::{Answer, ErrorCode, IdentityError, Place, Retry};

/// A change of a local patient's link, as [`crate::transactions::iti64`] reads it.
#[derive(Debug, Clone)]
pub struct Relinking {
    /// To whom the local patient is linked now.
    pub new: PatientId,
    /// sourcePatientId of the documents that follow.
    pub local: PatientId,
    /// To whom it was linked.
    pub previous: PatientId,
    /// A local identifier for which `local` stands now.
    pub subsumed_local: Option<PatientId>,
    /// Who says so: sourceId of the SubmissionSet.
    pub source: Oid,
}

/// What a relinking did, and what an operator should look at (ITI TF-2: 3.64.4.1.3.2). The associations are named by their
/// entryUUID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Entries that have a new version.
    pub entries: usize,
    /// Memberships in folders that hold another patient's documents.
    pub memberships: Vec<String>,
    /// Associations with another patient's documents.
    pub associations: Vec<String>,
}

/// contentTypeCode where the affinity domain has none of its own (ITI TF-2: 3.64.4.1.3.1.1): the trigger event, from HL7
/// table 0003.
pub(super) fn default_content_type() -> Code {
    Code::new("A43", "2.16.840.1.113883.12.3", "Move patient information - patient identifier list")
}

impl Relinking {
    /// Carries it out, or says why not; then nothing has changed. A change that concerns no document leaves no trace.
    pub(super) fn carry_out(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        settings: &RegistrySettings,
        now: &str,
    ) -> Result<Answer<Left>, StoreError> {
        let errors = self.check(connection, tenant, settings)?;
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        let mut work = Work {
            relinking: self,
            connection,
            tenant,
            new: self.new.to_cx(),
            set: EntryUuid::random().as_str().to_owned(),
            moved: BTreeMap::new(),
            objects: Vec::new(),
            numbers: Numbers::default(),
            superseded: Vec::new(),
            ended: Vec::new(),
            joined: BTreeSet::new(),
            left: Left::default(),
        };
        work.entries()?;
        if work.moved.is_empty() {
            return Ok(Ok(work.left));
        }
        work.folders(now)?;
        work.associations()?;
        work.store(settings, now)
    }

    fn check(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        settings: &RegistrySettings,
    ) -> Result<Vec<IdentityError>, StoreError> {
        let mut errors = Vec::new();
        for (id, place) in [(&self.new, Place::Identifier(1)), (&self.previous, Place::Subsumed)] {
            match Standing::of(connection, tenant, settings.known_by, &id.to_cx())? {
                Standing::Subsumed => errors.push(patients::subsumed(place)),
                Standing::Unknown if settings.known_by == KnownBy::Feed => {
                    errors.push(patients::unknown(place));
                }
                Standing::Unknown | Standing::Known(_) => {}
            }
        }
        if self.new == self.previous && self.subsumed_local.is_none() {
            errors.push(IdentityError {
                code: ErrorCode::DuplicateKeyIdentifier,
                place: Place::Subsumed,
                text: "nothing changes: it is the patient who is linked already (ITI TF-2: 3.64.4.1.2.4)"
                    .to_owned(),
                retry: Retry::Pointless,
            });
        }
        let subsumed = self.subsumed_local.as_ref();
        if subsumed.is_some_and(|subsumed| subsumed.authority() != self.local.authority()) {
            errors.push(IdentityError::unknown_key(
                Place::Field("MRG", 1, 4),
                "the subsumed local identifier is of another authority (ITI TF-2: 3.64.4.1.2.4)",
            ));
        }
        Ok(errors)
    }

    /// Whose entries are looked at, and which sourcePatientIds concern us there.
    fn owners(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
    ) -> Result<BTreeMap<String, Vec<&PatientId>>, StoreError> {
        // The attribute is no parameter: the index is of this one only.
        let mut find = connection.prepare_cached(&format!(
            "SELECT DISTINCT p.patient_id FROM registry_value v
                 JOIN registry_object o ON o.object = v.object AND o.tenant = v.tenant
                 JOIN registry_patient p ON p.patient = o.patient AND p.tenant = o.tenant
             WHERE v.tenant = ?1 AND v.value = ?2 AND v.attribute = {}",
            Values::SourcePatientId as i64
        ))?;
        let subsumed: Vec<_> = self.subsumed_local.iter().collect();
        let both = [vec![&self.local], subsumed.clone()].concat();
        let mut owners = BTreeMap::from([(self.previous.to_cx(), both.clone())]);
        for local in &both {
            let found = find.query_map(params![tenant.0, local.to_cx()], |row| row.get::<String>(0))?;
            for patient in found {
                owners.insert(patient?, both.clone());
            }
        }
        owners.insert(self.new.to_cx(), subsumed);
        Ok(owners)
    }

    /// Whether it is a document of the local patient.
    fn concerns(&self, object: &Object) -> bool {
        let source = object.slot_value(slot::SOURCE_PATIENT_ID).and_then(|cx| PatientId::parse(cx).ok());
        source.is_some_and(|source| source == self.local || Some(&source) == self.subsumed_local.as_ref())
    }
}

/// A relinking under way.
struct Work<'a> {
    relinking: &'a Relinking,
    connection: &'a Connection,
    tenant: TenantNumber,
    /// The patient to whom the link is now, as a canonical CX.
    new: String,
    /// The id of the new SubmissionSet.
    set: String,
    /// The ids of new versions, by the number of the version before.
    moved: BTreeMap<i64, String>,
    /// What will be stored: all but the set.
    objects: Vec<Prepared>,
    /// What is in the registry and is referred to.
    numbers: Numbers,
    /// Versions that have a newer one now.
    superseded: Vec<i64>,
    /// Associations that end.
    ended: Vec<i64>,
    /// Folders that stay and get new members.
    joined: BTreeSet<i64>,
    left: Left,
}

impl Work<'_> {
    /// New versions of the approved entries (3.64.4.1.3.1.4).
    fn entries(&mut self) -> Result<(), StoreError> {
        for (owner, ids) in self.relinking.owners(self.connection, self.tenant)? {
            for number in self.approved_entries(&owner)? {
                let mut object = rows::object(self.connection, number)?;
                let source = object.slot_value(slot::SOURCE_PATIENT_ID);
                let source = source.and_then(|cx| PatientId::parse(cx).ok());
                if !source.is_some_and(|source| ids.contains(&&source)) {
                    continue;
                }
                object.set_slot(slot::SOURCE_PATIENT_ID, vec![self.relinking.local.to_cx()]);
                self.version(number, object)?;
            }
        }
        self.left.entries = self.moved.len();
        Ok(())
    }

    fn approved_entries(&self, cx: &str) -> Result<Vec<i64>, StoreError> {
        let mut find = self.connection.prepare_cached(
            "SELECT object FROM registry_object
             WHERE tenant = ?1 AND kind = ?3 AND status = ?4 AND patient =
                 (SELECT patient FROM registry_patient WHERE tenant = ?1 AND patient_id = ?2)
             ORDER BY object",
        )?;
        let entry = kind_number(Kind::DocumentEntry);
        let found = find
            .query_map(params![self.tenant.0, cx, entry, Availability::Approved as i64], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// A new version of an object, which the set holds.
    fn version(&mut self, number: i64, object: Object) -> Result<(), StoreError> {
        let before = object.version.clone();
        let version = prepare::next_version(object, &self.new);
        let id = version.object.id.clone();
        let mut member = match version.object.kind {
            Kind::DocumentEntry => views::has_member(&self.set, &id, Membership::Original),
            _ => views::association(codes::association::HAS_MEMBER, &self.set, &id),
        };
        member.set_slot(slot::PREVIOUS_VERSION, vec![before.unwrap_or_else(|| "1".to_owned())]);
        self.objects.extend([version, prepare::anew(member)]);
        self.moved.insert(number, id);
        self.superseded.push(number);
        Ok(())
    }

    /// Folders that the entries are in (3.64.4.1.3.1.6). One whose documents are all the local patient's gets a new version;
    /// any other is left, unless it is of the right patient anyhow.
    fn folders(&mut self, now: &str) -> Result<(), StoreError> {
        let moved = self.moved.keys().copied().collect();
        let folders = submit::folders_of(self.connection, self.tenant, moved)?;
        let folders: BTreeSet<_> = folders.into_iter().map(|(_, folder)| folder).collect();
        for number in folders {
            let Some(folder) = Stored::by_number(self.connection, self.tenant, number)? else { continue };
            let members = self.members(number)?;
            let mut all_ours = true;
            for (_, member) in &members {
                let object = rows::object(self.connection, member.object)?;
                all_ours &= self.relinking.concerns(&object);
            }
            let into = if all_ours {
                let mut object = rows::object(self.connection, number)?;
                object.set_slot(slot::LAST_UPDATE_TIME, vec![now.to_owned()]);
                self.version(number, object)?;
                self.moved.get(&number).cloned().unwrap_or_default()
            } else if folder.patient.as_deref() == Some(&*self.new) {
                self.joined.insert(number);
                self.name(number)?
            } else {
                let left = members.iter().filter(|(_, member)| self.moved.contains_key(&member.object));
                for (link, _) in left {
                    self.left.memberships.push(self.uuid(link.number)?);
                }
                continue;
            };
            for (_, member) in members {
                let entry = match self.moved.get(&member.object) {
                    Some(new) => new.clone(),
                    // In a folder that stays, they are already.
                    None if !all_ours || member.patient.as_deref() != Some(&*self.new) => continue,
                    None => self.name(member.object)?,
                };
                let link = prepare::membership(&into, &entry);
                self.objects.push(prepare::membership(&self.set, &link.object.id));
                self.objects.push(link);
            }
        }
        Ok(())
    }

    /// The entries of a folder, each with the membership by which it is there; latest versions.
    fn members(&self, folder: i64) -> Result<Vec<(Link, Stored)>, StoreError> {
        let mut members = Vec::new();
        for link in Link::at(self.connection, self.tenant, folder)? {
            let is_member =
                link.approved && link.source == folder && link.relation == Some(Relation::HasMember as i64);
            if is_member
                && let Some(entry) = Stored::by_number(self.connection, self.tenant, link.target)?
                && entry.availability != Availability::Superseded
            {
                members.push((link, entry));
            }
        }
        Ok(members)
    }

    /// Associations between entries, and what refers to them from other sets (3.64.4.1.3.1.4, 5; 3.64.4.1.3.1.5).
    fn associations(&mut self) -> Result<(), StoreError> {
        let mut links = BTreeMap::new();
        for &number in &self.superseded {
            for link in Link::at(self.connection, self.tenant, number)? {
                if link.approved {
                    links.insert(link.number, link);
                }
            }
        }
        for link in links.into_values() {
            let relation = link.relation.and_then(Relation::of_number);
            match relation {
                Some(Relation::HasMember) => self.reference(link)?,
                // Their targets are deprecated, and stay behind.
                Some(relation) if relation.replaces() || relation.is_update() => {}
                Some(_) => self.association(link)?,
                None => {}
            }
        }
        Ok(())
    }

    /// A set that refers to an entry of which it is not the origin refers to the new version.
    fn reference(&mut self, link: Link) -> Result<(), StoreError> {
        let Some(new) = self.moved.get(&link.target).cloned() else { return Ok(()) };
        let mut object = rows::object(self.connection, link.number)?;
        if object.slot_value(slot::SUBMISSION_SET_STATUS) != Some("Reference") {
            return Ok(());
        }
        if let Some(association) = &mut object.association {
            association.target = new;
            self.numbers.insert(association.source.clone(), link.source);
        }
        self.objects.push(prepare::anew(object));
        self.ended.push(link.number);
        Ok(())
    }

    /// An association of two entries is made anew where both are of one patient afterwards.
    fn association(&mut self, link: Link) -> Result<(), StoreError> {
        let mut object = rows::object(self.connection, link.number)?;
        let Some(association) = &mut object.association else { return Ok(()) };
        for (end, id) in [(link.source, &mut association.source), (link.target, &mut association.target)] {
            if let Some(new) = self.moved.get(&end) {
                id.clone_from(new);
                continue;
            }
            match Stored::by_number(self.connection, self.tenant, end)? {
                Some(other) if other.availability == Availability::Superseded => return Ok(()),
                Some(other) if other.patient.as_deref() == Some(&*self.new) => {
                    self.numbers.insert(id.clone(), end);
                }
                _ => {
                    self.left.associations.push(object.id);
                    return Ok(());
                }
            }
        }
        self.objects.push(prepare::anew(object));
        Ok(())
    }

    fn store(mut self, settings: &RegistrySettings, now: &str) -> Result<Answer<Left>, StoreError> {
        let content_type = settings.relinking_content_type.clone().unwrap_or_else(default_content_type);
        let mut set = SubmissionSetBuilder::new(&self.set)
            .content_type_code(&content_type)
            .patient_id(&self.new)
            .source_id(self.relinking.source.as_str())
            .submission_time(now)
            .unique_id(format!("2.25.{}", uuid::Uuid::new_v4().as_u128()));
        let (memberships, associations) = (self.left.memberships.len(), self.left.associations.len());
        if memberships + associations > 0 {
            let left = format!("Left behind: {memberships} memberships, {associations} associations");
            set = set.comments("en", left);
        }
        self.objects.insert(0, prepare::made(set.build()));
        let Self { connection, tenant, .. } = self;
        let free = FreeNumbers::ask(connection, tenant, rules::patients(&self.objects))?;
        submit::insert_all(connection, free, &self.objects, &[], &mut self.numbers)?;
        rows::supersede(connection, tenant, self.superseded)?;
        rows::rewrite(connection, tenant, self.ended, |object| {
            object.status = Some(codes::DEPRECATED.to_owned());
        })?;
        rows::rewrite(connection, tenant, self.joined.into_iter().collect(), |object| {
            object.set_slot(slot::LAST_UPDATE_TIME, vec![now.to_owned()]);
        })?;
        Ok(Ok(self.left))
    }

    /// The entryUUID of an object that is there, so that what is stored may refer to it.
    fn name(&mut self, number: i64) -> Result<String, StoreError> {
        let id = self.uuid(number)?;
        self.numbers.insert(id.clone(), number);
        Ok(id)
    }

    fn uuid(&self, number: i64) -> Result<String, StoreError> {
        const FIND: &str = "SELECT uuid FROM registry_object WHERE object = ?1 AND tenant = ?1 >> 40";
        Ok(uuid_urn(self.connection.prepare_cached(FIND)?.query_row([number], |row| row.get(0))?))
    }
}
