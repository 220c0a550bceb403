//! `profiles/stored-queries.toml` as types. The file says what everything in it means.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::store::StoreError;

const FILE: &str = include_str!("../../../profiles/stored-queries.toml");

static CATALOG: LazyLock<Result<Catalog, String>> = LazyLock::new(|| Catalog::parse(FILE));

/// All stored queries.
#[derive(Debug)]
pub(super) struct Catalog {
    queries: Vec<Query>,
}

/// A stored query, its groups of parameters among its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) section: String,
    #[serde(default)]
    pub(super) asked_by: AskedBy,
    pub(super) selects: Selection,
    pub(super) patient: Patients,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    pub(super) exactly_one: Vec<String>,
    #[serde(default)]
    pub(super) at_least_one: Vec<String>,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
}

/// A parameter of a query.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) of: Of,
    pub(super) by: By,
    pub(super) is: Is,
    #[serde(default)]
    pub(super) takes: Takes,
    #[serde(default)]
    pub(super) required: bool,
}

/// The transaction that carries a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::registry) enum AskedBy {
    /// Registry Stored Query: about one patient.
    #[default]
    #[serde(rename = "iti-18")]
    Iti18,
    /// Multi-Patient Stored Query.
    #[serde(rename = "iti-51")]
    Iti51,
}

/// What a query answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Selection {
    EntriesOfPatient,
    SetsOfPatient,
    FoldersOfPatient,
    AllOfPatient,
    Entries,
    Folders,
    Associations,
    EntriesAndAssociations,
    SetsOfMembers,
    SetAndContents,
    FolderAndContents,
    FoldersOfEntry,
    RelatedEntries,
}

/// How many patients a LeafClass answer may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Patients {
    One,
    Any,
}

/// Which objects a parameter narrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Of {
    Entry,
    Set,
    Folder,
    Any,
}

/// The attribute that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum By {
    AssociationStatus,
    AssociationType,
    AuthorPerson,
    Availability,
    ClassCode,
    ConfidentialityCode,
    ContentTypeCode,
    CreationTime,
    EntryUuid,
    EventCode,
    FacilityTypeCode,
    FolderCode,
    FormatCode,
    LastUpdateTime,
    LogicalId,
    MetadataLevel,
    PatientId,
    PracticeSettingCode,
    ReferenceId,
    ServiceStartTime,
    ServiceStopTime,
    SourceId,
    Status,
    SubmissionTime,
    Type,
    TypeCode,
    UniqueId,
}

impl By {
    /// Whether it is a name of an object.
    pub(super) fn names(self) -> bool {
        matches!(self, Self::EntryUuid | Self::LogicalId | Self::UniqueId)
    }
}

/// What values look like, and how they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Is {
    AssociationType,
    Availability,
    Code,
    EntryUuid,
    From,
    Number,
    PatientId,
    Pattern,
    Status,
    Text,
    TextOrPattern,
    To,
    Type,
}

/// How many values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Takes {
    #[default]
    One,
    Many,
    All,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    query: Vec<Query>,
    groups: BTreeMap<String, Vec<Parameter>>,
}

impl Catalog {
    /// The catalog that is compiled in.
    pub(super) fn get() -> Result<&'static Catalog, StoreError> {
        CATALOG.as_ref().map_err(|problem| StoreError::Damaged(format!("stored-queries.toml: {problem}")))
    }

    /// The query with an id, which may be written in upper case, if that transaction carries it.
    pub(super) fn query(&self, id: &str, asked_by: AskedBy) -> Option<&Query> {
        self.queries.iter().find(|query| query.asked_by == asked_by && query.id.eq_ignore_ascii_case(id))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { mut query, groups } = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut ids = HashSet::new();
        for query in &mut query {
            for group in query.with.iter().map(String::as_str).chain(["every"]) {
                let group = groups.get(group).ok_or_else(|| format!("{}: no group {group:?}", query.name))?;
                query.parameters.extend(group.iter().cloned());
            }
            if !ids.insert(query.id.clone()) {
                return Err(format!("{}: its id is that of another query", query.name));
            }
            query.check()?;
        }
        Ok(Self { queries: query })
    }
}

impl Query {
    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        for parameter in &self.parameters {
            if !names.insert(&parameter.name) {
                return Err(format!("{}: {} stands twice", self.name, parameter.name));
            }
        }
        let mut choices = self.exactly_one.iter().chain(&self.at_least_one);
        match choices.find(|name| !names.contains(name)) {
            Some(name) => Err(format!("{}: it has a choice of {name:?}, which is no parameter", self.name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_holds_the_queries_of_both_transactions() {
        let catalog = Catalog::parse(FILE).unwrap();
        let count = |asked_by| catalog.queries.iter().filter(|query| query.asked_by == asked_by).count();
        assert_eq!((count(AskedBy::Iti18), count(AskedBy::Iti51)), (14, 3));
        let id = "URN:UUID:14D4DEBF-8F97-4251-9A74-A90016B0AF0D";
        assert!(catalog.query(id, AskedBy::Iti51).is_none());
        let find = catalog.query(id, AskedBy::Iti18).unwrap();
        assert_eq!((find.name.as_str(), find.parameters.len()), ("FindDocuments", 19));
    }

    #[test]
    fn mistakes_in_the_catalog_are_found() {
        for (mistake, instead, problem) in [
            ("with = [\"contents\",", "with = [\"content\",", "no group"),
            ("takes = \"many\"", "takes = \"several\"", "unknown variant"),
            ("\"$XDSFolderLogicalID\"]", "\"$XDSFolderLogicalId\"]", "which is no parameter"),
            ("name = \"$XDSFolderCodeList", "name = \"$XDSFolderStatus", "stands twice"),
            ("958f3006-baad-4929-a4de-ff1114824431", "14d4debf-8f97-4251-9a74-a90016b0af0d", "another query"),
        ] {
            let wrong = FILE.replacen(mistake, instead, 1);
            let found = Catalog::parse(&wrong).unwrap_err();
            assert!(found.contains(problem), "{found}");
        }
    }
}
