//! Statements over the registry's rows, made of fixed pieces: whatever came with a request is bound, lists as one value,
//! so that the same question is the same prepared statement for any number of values.

use super::catalog::{By, Of};
use super::{Filter, Test};
use crate::metadata::{Kind, Relation};
use crate::registry::schema::{Availability, TenantNumber, Values, kind_number, uuid_urn};
use crate::store::sql::{List, Value};

/// What a statement gives of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// Its number.
    Number,
    /// What an ObjectRef needs.
    Reference,
    /// The whole object.
    Leaf,
}

impl Columns {
    fn select(self) -> &'static str {
        match self {
            Self::Number => "SELECT o.object FROM registry_object o",
            Self::Reference => "SELECT o.object, o.kind, o.uuid, o.source, o.target FROM registry_object o",
            Self::Leaf => {
                "SELECT o.object, o.kind, o.uuid, o.source, o.target, p.patient_id, o.unique_id, o.repository,
                    o.hash, o.size, o.start, o.fragment
                 FROM registry_object o LEFT JOIN registry_patient p ON p.patient = o.patient AND p.tenant = o.tenant"
            }
        }
    }
}

/// A statement in the making.
pub(super) struct Select {
    columns: Columns,
    /// Which objects' keys are known, so that no index is wanted.
    by_number: bool,
    /// Conditions besides the tenant.
    sql: String,
    /// The tenant, and what the conditions bind.
    values: Vec<Value>,
}

impl Select {
    /// Objects of a tenant.
    pub(super) fn new(tenant: TenantNumber, columns: Columns) -> Self {
        Self { columns, by_number: false, sql: String::new(), values: vec![Value::Integer(tenant.0)] }
    }

    /// Of one kind, as the question's filters on that kind want them.
    pub(super) fn of(mut self, kind: Kind, filters: &[Filter]) -> Self {
        self.sql.push_str(&format!(" AND o.kind = {}", kind_number(kind)));
        for filter in filters.iter().filter(|filter| applies(filter.of, kind)) {
            self = self.filter(filter);
        }
        self
    }

    /// With one of the entryUUIDs and uniqueIds that the question names, whatever else it wants.
    pub(super) fn named(mut self, filters: &[Filter]) -> Self {
        for filter in filters.iter().filter(|filter| filter.by.names()) {
            self = self.filter(filter);
        }
        self
    }

    /// Of the type (stable, on-demand) that the question wants.
    pub(super) fn typed(mut self, filters: &[Filter]) -> Self {
        for filter in filters.iter().filter(|filter| filter.by == By::Type) {
            self = self.filter(filter);
        }
        self
    }

    /// The latest version of an object, not an older one.
    pub(super) fn latest(mut self) -> Self {
        self.sql.push_str(&format!(" AND o.status < {}", Availability::Superseded as i64));
        self
    }

    /// Associations that hold: of some statuses, and none that only asked for a change.
    pub(super) fn holding(mut self, statuses: &[i64]) -> Self {
        self.sql.push_str(&format!(" AND o.relation < {}", Relation::UpdateAvailabilityStatus as i64));
        self.statuses(statuses)
    }

    /// Of some statuses.
    pub(super) fn statuses(self, statuses: &[i64]) -> Self {
        self.numbers("o.status", statuses)
    }

    /// One of these.
    pub(super) fn among(mut self, objects: &[i64]) -> Self {
        self.by_number = true;
        self.numbers("o.object", objects)
    }
    /// Associations from one of these.
    pub(super) fn from(self, objects: &[i64]) -> Self {
        self.numbers("o.source", objects)
    }
    /// Associations to one of these.
    pub(super) fn to(self, objects: &[i64]) -> Self {
        self.numbers("o.target", objects)
    }
    /// Associations of some types.
    pub(super) fn relations(self, relations: &[i64]) -> Self {
        self.numbers("o.relation", relations)
    }

    /// The statement, which gives no more than so many objects, and what is bound.
    pub(super) fn finish(mut self, most: usize) -> (String, Vec<Value>) {
        // The sign keeps SQLite from going through all of a tenant's objects instead of to the few that are named.
        let sign = if self.by_number { "+" } else { "" };
        self.values.push(Value::Integer(most as i64));
        (format!("{} WHERE {sign}o.tenant = ?{} LIMIT ?", self.columns.select(), self.sql), self.values)
    }

    fn filter(mut self, filter: &Filter) -> Self {
        if let (By::LogicalId, Test::Uuids(ids)) = (filter.by, &filter.test) {
            return self.versions_of(ids);
        }
        let place = Place::of(filter.by);
        if let Place::Values(attribute) = place {
            let attribute = attribute as i64;
            self.sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM registry_value v WHERE v.tenant = o.tenant AND v.object = o.object AND v.attribute = {attribute}"
            ));
        }
        let column = match place {
            Place::Column(column) => column,
            Place::Values(_) => "v.value",
            Place::Patient => {
                // Looked up once, not for every row.
                let wanted = match &filter.test {
                    Test::Among(ids) => ids.as_slice(),
                    _ => &[],
                };
                self.values.extend(self.values.first().cloned());
                let (one, value) = match wanted {
                    [one] => (
                        " AND o.patient = (SELECT patient FROM registry_patient WHERE tenant = ? AND patient_id = ?)",
                        Value::from(one.clone()),
                    ),
                    several => (
                        " AND o.patient IN (SELECT patient FROM registry_patient WHERE tenant = ? AND patient_id IN (SELECT value FROM json_each(?)))",
                        List::Texts(several.to_vec()).into(),
                    ),
                };
                self.sql.push_str(one);
                self.values.push(value);
                return self;
            }
        };
        match &filter.test {
            Test::Uuids(ids) => {
                self.sql.push_str(&format!(" AND {column} IN (SELECT unhex(value) FROM json_each(?))"));
                self.values.push(blobs(ids));
            }
            Test::Among(texts) => self = self.texts(column, texts),
            Test::Numbers(numbers) => self = self.numbers(column, numbers),
            Test::Like(patterns) => {
                let one = format!("{column} LIKE ?");
                let any = vec![one.as_str(); patterns.len()].join(" OR ");
                self.sql.push_str(&format!(" AND ({any})"));
                self.values.extend(patterns.iter().cloned().map(Value::from));
            }
            Test::From(moment) => {
                self.sql.push_str(&format!(" AND ({column} IS NULL OR {column} >= ?)"));
                self.values.push(Value::Integer(*moment));
            }
            Test::To(moment) => {
                self.sql.push_str(&format!(" AND ({column} IS NULL OR {column} < ?)"));
                self.values.push(Value::Integer(*moment));
            }
        }
        if let Place::Values(_) = place {
            self.sql.push(')');
        }
        self
    }

    /// Versions of the objects with one of these logical ids.
    fn versions_of(mut self, ids: &[[u8; 16]]) -> Self {
        self.by_number = true;
        self.sql.push_str(
            " AND o.object IN (
                 SELECT object FROM registry_object
                 WHERE tenant = ? AND version = 1 AND uuid IN (SELECT unhex(value) FROM json_each(?))
                 UNION ALL
                 SELECT object FROM registry_object
                 WHERE tenant = ? AND version > 1 AND logical_id IN (SELECT value FROM json_each(?)))",
        );
        let urns = ids.iter().copied().map(uuid_urn).collect();
        let tenant = self.values.first().cloned();
        self.values.extend(tenant.clone());
        self.values.push(blobs(ids));
        self.values.extend(tenant);
        self.values.push(List::Texts(urns).into());
        self
    }

    fn texts(mut self, column: &str, texts: &[String]) -> Self {
        match texts {
            [one] => {
                self.sql.push_str(&format!(" AND {column} = ?"));
                self.values.push(one.clone().into());
            }
            many => {
                self.sql.push_str(&format!(" AND {column} IN (SELECT value FROM json_each(?))"));
                self.values.push(List::Texts(many.to_vec()).into());
            }
        }
        self
    }

    fn numbers(mut self, column: &str, numbers: &[i64]) -> Self {
        match numbers {
            [one] => {
                self.sql.push_str(&format!(" AND {column} = ?"));
                self.values.push(Value::Integer(*one));
            }
            many => {
                self.sql.push_str(&format!(" AND {column} IN (SELECT value FROM json_each(?))"));
                self.values.push(List::Integers(many.to_vec()).into());
            }
        }
        self
    }
}

/// Where an attribute is stored.
#[derive(Clone, Copy)]
enum Place {
    Column(&'static str),
    Values(Values),
    Patient,
}

impl Place {
    fn of(by: By) -> Self {
        match by {
            By::AssociationStatus | By::MetadataLevel | By::Status => Self::Column("o.status"),
            By::AssociationType => Self::Column("o.relation"),
            By::AuthorPerson => Self::Values(Values::AuthorPerson),
            By::Availability => Self::Column("coalesce(o.offline, 0)"),
            By::ClassCode => Self::Column("o.class_code"),
            By::ConfidentialityCode => Self::Values(Values::ConfidentialityCode),
            By::ContentTypeCode => Self::Column("o.content_type_code"),
            By::CreationTime => Self::Column("o.creation_time"),
            By::EntryUuid => Self::Column("o.uuid"),
            By::EventCode => Self::Values(Values::EventCode),
            By::FacilityTypeCode => Self::Column("o.facility_type_code"),
            By::FolderCode => Self::Values(Values::FolderCode),
            By::FormatCode => Self::Column("o.format_code"),
            By::LogicalId => Self::Column("o.logical_id"),
            By::LastUpdateTime => Self::Column("o.last_update_time"),
            By::PatientId => Self::Patient,
            By::PracticeSettingCode => Self::Column("o.practice_setting_code"),
            By::ReferenceId => Self::Values(Values::ReferenceId),
            By::ServiceStartTime => Self::Column("o.service_start_time"),
            By::ServiceStopTime => Self::Column("o.service_stop_time"),
            By::SourceId => Self::Column("o.source_id"),
            By::SubmissionTime => Self::Column("o.submission_time"),
            By::Type => Self::Column("o.on_demand"),
            By::TypeCode => Self::Column("o.type_code"),
            By::UniqueId => Self::Column("o.unique_id"),
        }
    }
}

fn applies(of: Of, kind: Kind) -> bool {
    match (of, kind) {
        (Of::Entry, Kind::DocumentEntry) | (Of::Set, Kind::SubmissionSet) | (Of::Folder, Kind::Folder) => {
            true
        }
        (Of::Any, kind) => kind != Kind::Association,
        _ => false,
    }
}

fn blobs(uuids: &[[u8; 16]]) -> Value {
    List::Blobs(uuids.iter().map(|uuid| uuid.to_vec()).collect()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::schema::MIGRATION;
    use crate::store::{Connection, testing};

    fn plan(connection: &Connection, select: Select) -> String {
        let (sql, values) = select.finish(10);
        let mut statement = connection.prepare_cached(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map(values, |row| row.get::<String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    fn filter(by: By, test: Test) -> Filter {
        Filter { of: Of::Any, by, test }
    }

    fn texts(count: usize) -> Test {
        Test::Among((0..count).map(|n| n.to_string()).collect())
    }

    fn uuids(count: u8) -> Test {
        Test::Uuids((0..count).map(|n| [n; 16]).collect())
    }

    /// Whatever is asked, the first step is a search by key, and the registry's size does not matter.
    #[test]
    fn every_statement_begins_with_a_key() {
        let connection = testing::in_memory(&[MIGRATION]).unwrap();
        let start = || Select::new(TenantNumber(1), Columns::Leaf);
        let entry = Kind::DocumentEntry;
        let of_patient = [
            filter(By::PatientId, texts(1)),
            filter(By::Status, Test::Numbers(vec![0])),
            filter(By::Type, Test::Numbers(vec![0])),
            filter(By::ClassCode, texts(2)),
            filter(By::CreationTime, Test::From(0)),
            filter(By::EventCode, texts(2)),
            filter(By::AuthorPerson, Test::Like(vec!["*a*".to_owned()])),
        ];
        for (select, key) in [
            (
                start().of(entry, &of_patient[..3]),
                "registry_object_patient (tenant=? AND patient=? AND kind=?)",
            ),
            (start().of(entry, &of_patient), "registry_object_patient (tenant=? AND patient=? AND kind=?)"),
            (
                start().of(entry, &[filter(By::PatientId, texts(2))]),
                "registry_object_patient (tenant=? AND patient=? AND kind=?)",
            ),
            (
                start().of(entry, &[filter(By::EntryUuid, uuids(1))]),
                "registry_object_uuid (tenant=? AND uuid=?)",
            ),
            (
                start().of(entry, &[filter(By::EntryUuid, uuids(3))]),
                "registry_object_uuid (tenant=? AND uuid=?)",
            ),
            (
                start().of(entry, &[filter(By::UniqueId, texts(1))]),
                "registry_object_unique_id (tenant=? AND unique_id=?)",
            ),
            (
                start().of(entry, &[filter(By::UniqueId, texts(3))]),
                "registry_object_unique_id (tenant=? AND unique_id=?)",
            ),
            (start().named(&[filter(By::EntryUuid, uuids(3))]), "registry_object_uuid (tenant=? AND uuid=?)"),
            (start().from(&[1]), "registry_object_source (tenant=? AND source=?"),
            (
                start().to(&[1, 2]).relations(&[1]),
                "registry_object_target (tenant=? AND target=? AND relation=?)",
            ),
            (start().of(entry, &[]).among(&[1]), "INTEGER PRIMARY KEY (rowid=?)"),
            (start().of(entry, &of_patient[3..]).among(&[1, 2]), "INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            let plan = plan(&connection, select);
            let first = plan.lines().find(|line| line.starts_with("SEARCH o ")).unwrap_or_default();
            assert!(first.contains(key), "{key} is not the first step of\n{plan}");
        }
    }
}
