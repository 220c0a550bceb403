//! Answers: which objects a question selects, and their fragments as slices of a few large buffers.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};

use super::catalog::{By, Patients, Selection};
use super::select::{Columns, Select};
use super::{Filter, Question, Test, Versions};
use crate::metadata::{Kind, Relation};
use crate::registry::fragment;
use crate::registry::schema::{TenantNumber, kind_of, uuid_urn};
use crate::store::StoreError;
use crate::store::sql::{Connection, Row};
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::{ObjectKind, QueryResponse, RegistryObject, ReturnType};
use crate::wire::xml::{Ns, Writer};

/// Bytes of a buffer that fragments are copied into.
const BUFFER_BYTES: usize = 64 * 1024;

impl Question {
    /// Answers from one moment of the registry, with at most `most` objects.
    pub(in crate::registry) fn answer(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        most: usize,
    ) -> Result<QueryResponse, StoreError> {
        let mut answering = Answering { question: self, connection, tenant, most, buffer: BytesMut::new() };
        let found = match answering.select() {
            Ok(found) if found.len() <= most => found,
            Err(Stop::Store(error)) => return Err(error),
            Ok(_) | Err(Stop::TooMany) => {
                let problem = format!("{}: more than {most} objects were found", self.query.name);
                return Ok(QueryResponse::failure(RegistryError::error(code::TOO_MANY_RESULTS, problem)));
            }
        };
        if self.return_type == ReturnType::LeafClass && self.query.patient == Patients::One {
            let patients: HashSet<_> =
                found.iter().filter_map(|one| one.object.patient_id.as_deref()).collect();
            if patients.len() > 1 {
                let problem = format!("{}: the objects are of several patients", self.query.name);
                return Ok(QueryResponse::failure(RegistryError::error(
                    code::RESULT_NOT_SINGLE_PATIENT,
                    problem,
                )));
            }
        }
        Ok(QueryResponse::new(Vec::new(), found.into_iter().map(|one| one.object).collect()))
    }
}

/// Why no answer is made.
enum Stop {
    Store(StoreError),
    TooMany,
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// An object that was found.
struct Found {
    number: i64,
    /// Of an association.
    ends: Option<(i64, i64)>,
    object: RegistryObject,
}

struct Answering<'a> {
    question: &'a Question,
    connection: &'a Connection,
    tenant: TenantNumber,
    most: usize,
    buffer: BytesMut,
}

impl<'a> Answering<'a> {
    /// What each kind of query answers with (ITI TF-2: 3.18.4.1.2.3.7).
    fn select(&mut self) -> Result<Vec<Found>, Stop> {
        use Kind::{DocumentEntry, Folder, SubmissionSet};
        match self.question.query.selects {
            // Statuses are asked for: superseded versions have one of their own.
            Selection::EntriesOfPatient => self.all(DocumentEntry),
            Selection::Entries => self.named_latest(DocumentEntry),
            Selection::SetsOfPatient => self.all(SubmissionSet),
            Selection::FoldersOfPatient => self.all(Folder),
            Selection::Folders => self.named_latest(Folder),
            Selection::AllOfPatient => {
                let kinds = [SubmissionSet, Folder, DocumentEntry];
                let found = self.fetch_each(kinds.map(|kind| self.start().of(kind, self.filters())))?;
                self.with_associations(found.into_iter().flatten().collect())
            }
            Selection::EntriesAndAssociations => {
                let found = self.named_latest(DocumentEntry)?;
                self.with_associations(found)
            }
            Selection::Associations => {
                let named = self.named()?;
                self.associations_at(&named, |select| select)
            }
            Selection::SetsOfMembers => self.sets_of_members(),
            Selection::SetAndContents => self.set_and_contents(),
            Selection::FolderAndContents => self.folder_and_contents(),
            Selection::FoldersOfEntry => self.folders_of_entry(),
            Selection::RelatedEntries => self.related_entries(),
        }
    }

    /// GetSubmissionSets: the sets that hold the objects, with the associations by which they do.
    fn sets_of_members(&mut self) -> Result<Vec<Found>, Stop> {
        let members = self.named()?;
        let links = self.fetch(self.links().to(&members).relations(HAS_MEMBER))?;
        let holders = sources(&links);
        let mut found = self.fetch(self.start().of(Kind::SubmissionSet, &[]).among(&holders))?;
        let sets = numbers(&found);
        found.extend(
            links.into_iter().filter(|link| link.ends.is_some_and(|(source, _)| sets.contains(&source))),
        );
        Ok(found)
    }

    /// GetSubmissionSetAndContents: the set, what it holds, and the associations within the answer.
    fn set_and_contents(&mut self) -> Result<Vec<Found>, Stop> {
        let mut found = self.all(Kind::SubmissionSet)?;
        let set = numbers(&found);
        let mut links = self.fetch(self.links().from(&set).relations(HAS_MEMBER))?;
        let members = targets(&links);
        let [entries, folders, associations] = self.fetch_each([
            self.start().of(Kind::DocumentEntry, self.filters()).among(&members),
            self.start().of(Kind::Folder, &[]).among(&members),
            self.links().of(Kind::Association, &[]).among(&members),
        ])?;
        let in_folders = self.fetch(self.links().from(&numbers(&folders)).relations(HAS_MEMBER))?;
        found.extend(entries.into_iter().chain(folders));
        links.extend(associations.into_iter().chain(in_folders));
        within(&found, &mut links);
        found.extend(links);
        Ok(unique(found))
    }

    /// GetFolderAndContents: the folder, its entries, and the associations between them.
    fn folder_and_contents(&mut self) -> Result<Vec<Found>, Stop> {
        let mut found = self.named_latest(Kind::Folder)?;
        let mut links = self.fetch(self.links().from(&numbers(&found)).relations(HAS_MEMBER))?;
        let members = targets(&links);
        let select = self.start().of(Kind::DocumentEntry, self.filters()).among(&members);
        found.extend(self.fetch(self.latest(select))?);
        within(&found, &mut links);
        found.extend(links);
        Ok(found)
    }

    /// GetFoldersForDocument: folders only.
    fn folders_of_entry(&mut self) -> Result<Vec<Found>, Stop> {
        let entry = self.named()?;
        let holders = self.fetch(self.links().to(&entry).relations(HAS_MEMBER))?;
        let select = self.start().of(Kind::Folder, &[]).among(&sources(&holders));
        self.fetch(self.latest(select))
    }

    /// GetRelatedDocuments: one step from the entry, over associations whose ends are both entries.
    fn related_entries(&mut self) -> Result<Vec<Found>, Stop> {
        let select = self.start().of(Kind::DocumentEntry, &[]).named(self.filters());
        let mut found = self.fetch(self.unless_named(select))?;
        let entry = numbers(&found);
        let relations = self.filters().iter().find_map(|filter| match (&filter.test, filter.by) {
            (Test::Numbers(relations), By::AssociationType) => Some(relations.as_slice()),
            _ => None,
        });
        let relations = relations.unwrap_or_default();
        let mut links = self.associations_at(&entry, |select| select.relations(relations))?;
        let others: Vec<i64> = sources(&links).into_iter().chain(targets(&links)).collect();
        let select = self.start().of(Kind::DocumentEntry, &[]).typed(self.filters()).among(&others);
        found.extend(self.fetch(self.latest(select))?);
        let mut found = unique(found);
        within(&found, &mut links);
        // Of several entries with one uniqueId, those that are related to nothing are none of the answer.
        let related: HashSet<i64> = sources(&links).into_iter().chain(targets(&links)).collect();
        found.retain(|one| related.contains(&one.number));
        found.extend(links);
        Ok(found)
    }

    /// Objects of a kind, by all filters on that kind.
    fn all(&mut self, kind: Kind) -> Result<Vec<Found>, Stop> {
        self.fetch(self.start().of(kind, self.filters()))
    }

    /// Objects of a kind that the question names, by all filters on that kind.
    fn named_latest(&mut self, kind: Kind) -> Result<Vec<Found>, Stop> {
        let select = self.start().of(kind, self.filters());
        self.fetch(self.unless_named(select))
    }

    /// The latest versions only, unless all are wanted.
    fn latest(&self, select: Select) -> Select {
        match self.question.versions {
            Versions::Latest => select.latest(),
            Versions::All => select,
        }
    }

    /// The same, but for objects that are named by their entryUUID: whoever knows it wants that very version.
    fn unless_named(&self, select: Select) -> Select {
        match self.filters().iter().any(|filter| filter.by == By::EntryUuid) {
            true => select,
            false => self.latest(select),
        }
    }

    /// Objects, and every association that begins or ends at one of them.
    fn with_associations(&mut self, mut found: Vec<Found>) -> Result<Vec<Found>, Stop> {
        let at = numbers(&found);
        found.extend(self.associations_at(&at, |select| select)?);
        Ok(found)
    }

    fn associations_at(
        &mut self,
        objects: &[i64],
        narrow: impl Fn(Select) -> Select,
    ) -> Result<Vec<Found>, Stop> {
        let found = self.fetch_each([self.links().from(objects), self.links().to(objects)].map(narrow))?;
        Ok(unique(found.into_iter().flatten().collect()))
    }

    /// The numbers of the objects that the question names.
    fn named(&self) -> Result<Vec<i64>, Stop> {
        let select = Select::new(self.tenant, Columns::Number).named(self.filters());
        let (sql, values) = select.finish(self.most + 1);
        let found: Vec<_> = self.connection.ask(&sql, values)?.all(|row| row.get(0))?;
        if found.len() > self.most { Err(Stop::TooMany) } else { Ok(found) }
    }

    fn filters(&self) -> &'a [Filter] {
        &self.question.filters
    }

    /// Associations that count.
    fn links(&self) -> Select {
        let select = self.start();
        match self.question.versions {
            Versions::Latest => select.holding(&self.question.associations),
            Versions::All => select.statuses(&self.question.associations),
        }
    }

    fn start(&self) -> Select {
        let columns = match self.question.return_type {
            ReturnType::LeafClass => Columns::Leaf,
            // The question was refused where it was read.
            ReturnType::ObjectRef | ReturnType::Unsupported => Columns::Reference,
        };
        Select::new(self.tenant, columns)
    }

    /// Runs a statement.
    fn fetch(&mut self, select: Select) -> Result<Vec<Found>, Stop> {
        let [found] = self.fetch_each([select])?;
        Ok(found)
    }

    /// Runs statements of which none needs another's answer. Of what is beyond the bound, no database gives more than the
    /// one object that tells.
    fn fetch_each<const N: usize>(&mut self, selects: [Select; N]) -> Result<[Vec<Found>; N], Stop> {
        let (connection, most) = (self.connection, self.most);
        let asked = selects.map(|select| {
            let (sql, values) = select.finish(most + 1);
            connection.ask(&sql, values)
        });
        let mut each = [const { Vec::new() }; N];
        for (found, asked) in each.iter_mut().zip(asked) {
            let mut asked = asked?;
            let mut rows = asked.rows()?;
            while let Some(row) = rows.next()? {
                if found.len() == self.most {
                    return Err(Stop::TooMany);
                }
                found.push(self.read(&row)?);
            }
        }
        Ok(each)
    }

    fn read(&mut self, row: &Row<'_>) -> Result<Found, StoreError> {
        let id = uuid_urn(row.get(2)?);
        let ends = row.get::<Option<i64>>(3)?.zip(row.get::<Option<i64>>(4)?);
        let mut object = RegistryObject {
            kind: ObjectKind::ObjectRef,
            id,
            home: None,
            unique_id: None,
            repository: None,
            hash: None,
            size: None,
            patient_id: None,
            xml: (Bytes::new(), Bytes::new()),
        };
        if self.question.return_type == ReturnType::ObjectRef {
            object.xml.0 = object_ref(&object.id);
        } else {
            let kind = kind_of(row.get(1)?)?;
            object.kind = match kind {
                Kind::DocumentEntry => ObjectKind::DocumentEntry,
                Kind::SubmissionSet | Kind::Folder => ObjectKind::Package,
                Kind::Association => ObjectKind::Association,
            };
            object.patient_id = row.get(5)?;
            if kind == Kind::DocumentEntry {
                object.unique_id = row.get(6)?;
                object.repository = row.get(7)?;
                object.hash = row.get(8)?;
                object.size = row.get::<Option<i64>>(9)?.map(i64::unsigned_abs);
            }
            let fragment = row.get_ref(11)?.as_blob()?;
            object.xml = self.slices(row.get::<u32>(10)? as usize, fragment)?;
        }
        Ok(Found { number: row.get(0)?, ends, object })
    }

    /// A stored fragment as two slices: start tag and rest.
    fn slices(&mut self, start: usize, stored: &[u8]) -> Result<(Bytes, Bytes), StoreError> {
        let length = fragment::unpacked_length(stored);
        if self.buffer.capacity() < length {
            self.buffer = BytesMut::with_capacity(BUFFER_BYTES.max(length));
        }
        fragment::unpack(stored, &mut self.buffer)?;
        let mut rest = self.buffer.split().freeze();
        let start = rest.split_to(start.min(rest.len()));
        Ok((start, rest))
    }
}

const HAS_MEMBER: &[i64] = &[Relation::HasMember as i64];

fn object_ref(id: &str) -> Bytes {
    let mut out = Writer::with_capacity(80);
    out.start(Ns::RIM, "ObjectRef").attr("id", id).end();
    out.finish().into()
}

fn numbers(found: &[Found]) -> Vec<i64> {
    found.iter().map(|one| one.number).collect()
}
fn sources(links: &[Found]) -> Vec<i64> {
    links.iter().filter_map(|link| Some(link.ends?.0)).collect()
}
fn targets(links: &[Found]) -> Vec<i64> {
    links.iter().filter_map(|link| Some(link.ends?.1)).collect()
}

/// Leaves only the associations whose ends are both in the answer. An association may be an end itself, so what was left
/// is looked at once more.
fn within(found: &[Found], links: &mut Vec<Found>) {
    for _ in 0..2 {
        let there: HashSet<i64> = found.iter().chain(links.iter()).map(|one| one.number).collect();
        links.retain(|link| {
            link.ends.is_some_and(|(source, target)| there.contains(&source) && there.contains(&target))
        });
    }
}

/// Each object once.
fn unique(mut found: Vec<Found>) -> Vec<Found> {
    let mut seen = HashSet::with_capacity(found.len());
    found.retain(|one| seen.insert(one.number));
    found
}
