//! The stored-query engine (ITI TF-2: 3.18.4.1.2.3): reads a request by the catalog's row for its query ([`catalog`],
//! [`values`]) into filters, and answers it with a few statements over the registry's rows ([`select`], [`answer`]).

mod answer;
mod catalog;
mod select;
mod values;

pub(super) use catalog::AskedBy;
use catalog::{By, Catalog, Is, Of, Parameter, Query, Takes};

use super::RegistrySettings;
use super::patients::{Standing, UnknownPatient};
use super::rows::{comparable, moment};
use super::schema::{Availability, TenantNumber, uuid_bytes};
use crate::demographics::Domains;
use crate::ids::PatientId;
use crate::limits;
use crate::metadata::{Relation, codes};
use crate::store::StoreError;
use crate::store::sql::Connection;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::{QueryRequest, ReturnType};

/// A request that was understood.
pub(super) struct Question {
    query: &'static Query,
    return_type: ReturnType,
    filters: Vec<Filter>,
    versions: Versions,
    /// Statuses of the associations that count, as stored.
    associations: Vec<i64>,
}

/// Which versions of objects are given, where nobody names one by its entryUUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    Latest,
    All,
}

/// One condition on objects. All conditions of a question must hold.
struct Filter {
    of: Of,
    by: By,
    test: Test,
}

/// What an attribute is compared with.
enum Test {
    /// One of these texts.
    Among(Vec<String>),
    /// One of these entryUUIDs.
    Uuids(Vec<[u8; 16]>),
    /// One of these numbers.
    Numbers(Vec<i64>),
    /// One of these LIKE patterns.
    Like(Vec<String>),
    /// At or after this moment, or no moment at all.
    From(i64),
    /// Before this moment, or no moment at all.
    To(i64),
}

impl Question {
    /// Reads a request; the inner Err holds everything that is wrong with it. `home` means nothing to a plain registry,
    /// and a parameter that the query does not know is passed over.
    pub(super) fn read(
        request: &QueryRequest,
        asked_by: AskedBy,
        domains: &Domains,
    ) -> Result<Result<Self, Vec<RegistryError>>, StoreError> {
        if let Some(refusal) = request.refusal() {
            return Ok(Err(vec![refusal]));
        }
        let Some(query) = Catalog::get()?.query(&request.query, asked_by) else {
            let section = match asked_by {
                AskedBy::Iti18 => "3.18.4.1.2.4",
                AskedBy::Iti51 => "3.51.4.1.2.3",
            };
            let problem = format!("{:?} is no stored query of ITI TF-2: {section}", request.query);
            return Ok(Err(vec![RegistryError::error(code::UNKNOWN_STORED_QUERY, problem)]));
        };
        let unknown =
            request.parameters.iter().filter(|given| query.parameter(&given.name).is_none()).count();
        if unknown > 0 {
            metrics::counter!("sekisho_query_unknown_parameters_total", "query" => query.name.as_str())
                .increment(unknown as u64);
        }
        let mut filters = Vec::new();
        let mut errors = Vec::new();
        let mut given = Vec::new();
        for parameter in &query.parameters {
            let reading = Reading { query, parameter, domains };
            match reading.filters(request) {
                Ok(read) if read.is_empty() && parameter.required => errors.push(reading.missing(request)),
                Ok(read) => {
                    if !read.is_empty() {
                        given.push(parameter.name.as_str());
                    } else if parameter.is == Is::Type {
                        filters.push(reading.stable_only());
                    }
                    filters.extend(read);
                }
                Err(error) => {
                    given.push(parameter.name.as_str());
                    errors.push(error);
                }
            }
        }
        errors.extend(check_choice(query, &given));
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        Ok(Ok(Self::asking(query, request.return_type, filters)))
    }
}

impl Question {
    /// The refusal of a question about a patient who is not known, where the registry's policy is to refuse it
    /// (ITI TF-2: 3.18.4.1.3). One about several patients gives what there is.
    pub(super) fn unknown_patient(
        &self,
        connection: &Connection,
        tenant: TenantNumber,
        settings: &RegistrySettings,
    ) -> Result<Option<RegistryError>, StoreError> {
        if settings.unknown_patient == UnknownPatient::Empty || self.query.asked_by == AskedBy::Iti51 {
            return Ok(None);
        }
        for filter in self.filters.iter().filter(|filter| filter.by == By::PatientId) {
            let Test::Among(asked) = &filter.test else { continue };
            for cx in asked {
                let standing = Standing::of(connection, tenant, settings.known_by, cx)?;
                if !matches!(standing, Standing::Known(_)) {
                    let problem =
                        format!("{}: patientId {cx} is not known to this registry", self.query.name);
                    return Ok(Some(RegistryError::error(code::UNKNOWN_PATIENT_ID, problem)));
                }
            }
        }
        Ok(None)
    }

    /// Takes from the filters what is none: it says how the others are meant.
    fn asking(query: &'static Query, return_type: ReturnType, mut filters: Vec<Filter>) -> Self {
        let mut take = |by| {
            let place = filters.iter().position(|filter| filter.by == by)?;
            match filters.remove(place).test {
                Test::Numbers(numbers) => Some(numbers),
                _ => None,
            }
        };
        let versions = match take(By::MetadataLevel).as_deref() {
            Some([level]) if *level >= 2 => Versions::All,
            _ => Versions::Latest,
        };
        let approved = || vec![Availability::Approved as i64];
        let associations = take(By::AssociationStatus).unwrap_or_else(approved);
        if versions == Versions::All {
            for filter in filters.iter_mut().filter(|filter| filter.by == By::Status) {
                if let Test::Numbers(statuses) = &mut filter.test
                    && statuses.contains(&(Availability::Deprecated as i64))
                {
                    statuses.push(Availability::Superseded as i64);
                }
            }
        }
        Self { query, return_type, filters, versions, associations }
    }
}

/// Of some parameters exactly one is given, of others at least one.
fn check_choice(query: &Query, given: &[&str]) -> Option<RegistryError> {
    let chosen = |names: &[String]| names.iter().filter(|name| given.contains(&name.as_str())).count();
    let error = |code, wanted, names: &[String], problem| {
        let names = names.join(", ");
        let context =
            format!("{}: {wanted} one of {names} is required, {problem} ({})", query.name, query.section);
        Some(RegistryError::error(code, context))
    };
    let (exactly, at_least) = (query.exactly_one.as_slice(), query.at_least_one.as_slice());
    match (chosen(exactly), chosen(at_least)) {
        (0, _) if !exactly.is_empty() => {
            error(code::STORED_QUERY_MISSING_PARAM, "exactly", exactly, "none is given")
        }
        (several, _) if several > 1 => {
            error(code::STORED_QUERY_PARAM_NUMBER, "exactly", exactly, "several are given")
        }
        (_, 0) if !at_least.is_empty() => {
            error(code::STORED_QUERY_MISSING_PARAM, "at least", at_least, "none is given")
        }
        _ => None,
    }
}

/// A parameter that is being read.
struct Reading<'d> {
    query: &'static Query,
    parameter: &'static Parameter,
    /// In which of them twelve digits are no Individual Number.
    domains: &'d Domains,
}

impl Reading<'_> {
    /// The filters that a parameter makes: none if it is not given, one for each time that it is.
    fn filters(&self, request: &QueryRequest) -> Result<Vec<Filter>, RegistryError> {
        let mut filters = Vec::new();
        for given in request.parameters.iter().filter(|given| given.name == self.parameter.name) {
            let mut items = Vec::new();
            for value in &given.values {
                values::items(value, &mut items).map_err(|problem| self.wrong(problem))?;
            }
            items = items.into_iter().map(comparable).collect();
            if items.len() > limits::MAX_QUERY_VALUES {
                return Err(self.wrong(&format!("more than {} values", limits::MAX_QUERY_VALUES)));
            }
            if self.parameter.takes == Takes::One && items.len() > 1 {
                return Err(self.number(&format!("{} values, one is allowed", items.len())));
            }
            filters.extend(self.filter(items)?);
        }
        if filters.len() > 1 && self.parameter.takes != Takes::All {
            return Err(self.number("the parameter is given several times"));
        }
        if filters.len() > limits::MAX_QUERY_CONJUNCTIONS {
            let most = limits::MAX_QUERY_CONJUNCTIONS;
            return Err(self.wrong(&format!("the parameter is given more than {most} times")));
        }
        Ok(filters)
    }

    /// One filter from the values of one Slot; None if they come to nothing.
    fn filter(&self, items: Vec<String>) -> Result<Option<Filter>, RegistryError> {
        let Some(first) = items.first() else { return Ok(None) };
        let test = match self.parameter.is {
            Is::Text => Test::Among(items),
            Is::Code => Test::Among(items.iter().map(|item| self.code(item)).collect::<Result<_, _>>()?),
            Is::PatientId => {
                Test::Among(items.iter().map(|item| self.patient(item)).collect::<Result<_, _>>()?)
            }
            // What is no UUID can be no object's.
            Is::EntryUuid => Test::Uuids(items.iter().filter_map(|item| uuid_bytes(item.trim())).collect()),
            Is::Pattern => self.patterns(items)?,
            Is::TextOrPattern if items.iter().any(|item| item.contains(['%', '_'])) => {
                self.patterns(items)?
            }
            Is::TextOrPattern => Test::Among(items),
            Is::From => Test::From(self.moment(first)?),
            Is::To => Test::To(self.moment(first)?),
            Is::Number => match first.trim().parse() {
                Ok(number) => Test::Numbers(vec![number]),
                Err(_) => return Err(self.wrong(&format!("{first:?} is no integer"))),
            },
            Is::Status => Test::Numbers(known(&items, |item| {
                Availability::parse(item).map(|availability| availability as i64)
            })),
            Is::Type => Test::Numbers(known(&items, |item| match item.to_ascii_lowercase().as_str() {
                codes::STABLE => Some(0),
                codes::ON_DEMAND => Some(1),
                _ => None,
            })),
            Is::Availability => Test::Numbers(known(&items, |item| match item {
                codes::ONLINE => Some(0),
                codes::OFFLINE => Some(1),
                _ => None,
            })),
            Is::AssociationType => {
                Test::Numbers(known(&items, |item| Relation::parse(item).map(|relation| relation as i64)))
            }
        };
        // A status that nobody knows is as good as none (3.18.4.1.2.3.4).
        let nothing = matches!(&test, Test::Numbers(known) if known.is_empty());
        if nothing && self.parameter.is == Is::Status {
            return Ok(None);
        }
        Ok(Some(Filter { of: self.parameter.of, by: self.parameter.by, test }))
    }

    /// Entries are stable ones unless the type is asked for (3.18.4.1.2.3.6.2).
    fn stable_only(&self) -> Filter {
        Filter { of: self.parameter.of, by: self.parameter.by, test: Test::Numbers(vec![0]) }
    }

    /// `code^^scheme`. Some put the display name between.
    fn code(&self, item: &str) -> Result<String, RegistryError> {
        let mut parts = item.split('^');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(code), Some(_), Some(scheme), None) if !code.is_empty() && !scheme.is_empty() => {
                Ok(format!("{code}^^{scheme}"))
            }
            _ => Err(self.wrong(&format!("{item:?} is not code^^scheme"))),
        }
    }

    fn patient(&self, item: &str) -> Result<String, RegistryError> {
        if self.domains.refuse_cx(item) {
            return Err(self.wrong("an Individual Number (My Number) is no patient id and must not be sent"));
        }
        let wrong = |_| self.wrong("a patient id reads id^^^&OID&ISO");
        Ok(PatientId::parse(item).map_err(wrong)?.to_cx())
    }

    fn moment(&self, item: &str) -> Result<i64, RegistryError> {
        moment(item).ok_or_else(|| self.wrong(&format!("{item:?} is no DTM, YYYY[MM[DD[hh[mm[ss]]]]]")))
    }

    fn patterns(&self, items: Vec<String>) -> Result<Test, RegistryError> {
        if items.len() > limits::MAX_QUERY_PATTERNS {
            return Err(self.wrong(&format!("more than {} patterns", limits::MAX_QUERY_PATTERNS)));
        }
        let most = limits::MAX_PATTERN_CHARS;
        if items.iter().any(|item| item.chars().count() > most) {
            return Err(self.wrong(&format!("a pattern is longer than {most} characters")));
        }
        Ok(Test::Like(items))
    }

    fn missing(&self, request: &QueryRequest) -> RegistryError {
        let is_there = request.parameters.iter().any(|given| given.name == self.parameter.name);
        let problem =
            if is_there { "it is required, and has no value that is known" } else { "it is required" };
        RegistryError::error(code::STORED_QUERY_MISSING_PARAM, self.context(problem))
    }
    fn number(&self, problem: &str) -> RegistryError {
        RegistryError::error(code::STORED_QUERY_PARAM_NUMBER, self.context(problem))
    }
    fn wrong(&self, problem: &str) -> RegistryError {
        RegistryError::error(code::REGISTRY_ERROR, self.context(problem))
    }
    fn context(&self, problem: &str) -> String {
        format!("{}: {}: {problem} ({})", self.query.name, self.parameter.name, self.query.section)
    }
}

/// The numbers of those items that are known.
fn known(items: &[String], number: impl Fn(&str) -> Option<i64>) -> Vec<i64> {
    items.iter().filter_map(|item| number(item.trim())).collect()
}
