//! A registry and repository of ours: `[hosted]`, `[standalone]`, and what `[[tenants]]` have in common with them.

use std::path::PathBuf;

use super::content::{self, Content};
use super::documents;
use super::section::Section;
use crate::actors::document_repository::OnDemand;
use crate::actors::permits::{Callers, Permits, Source};
use crate::actors::retention::{RetentionAction, RetentionRule};
use crate::ids::Oid;
use crate::limits;
use crate::metadata::Code;
use crate::metadata::validate::{self, CodeLists, RuleSetting, RuleSettings};
use crate::registry::UnknownPatient;
use crate::repository::{Keys, Quota};

/// `[hosted]` or `[standalone]`
#[derive(Debug, Clone)]
pub struct Hosted {
    /// repositoryUniqueId.
    pub repository: Oid,
    /// Whose patients are accepted.
    pub patients: Patients,
    /// What a query about a patient whom nobody knows is answered with.
    pub unknown_patient: UnknownPatient,
    /// The affinity domain's code lists.
    pub codes: Option<CodeLists>,
    /// What becomes of a request for an on-demand document.
    pub on_demand: OnDemand,
    /// contentTypeCode of what ITI-64 does.
    pub link_change_code: Option<Code>,
    /// Who may do what.
    pub permits: Permits,
    /// What is looked for in documents.
    pub content: Content,
    /// How strictly the metadata of single senders are taken, where that is otherwise.
    pub rules_of_senders: Vec<SenderRules>,
    /// How much the repository may hold.
    pub quota: Quota,
    /// What becomes of what has been kept for long enough.
    pub retention: Vec<RetentionRule>,
    /// What its documents are encrypted with; None leaves them as they come.
    pub keys: Option<Keys>,
}

/// Rules for the submissions of one sender.
#[derive(Debug, Clone)]
pub struct SenderRules {
    /// The subject of its certificate.
    pub certificate: String,
    /// What is otherwise than for everybody.
    pub changes: RuleSettings,
}

impl Hosted {
    /// The metadata rules here: those that hold anyway, with the affinity domain's code lists and what documents may be.
    pub fn rules(&self, rules: Option<validate::Settings>) -> Option<validate::Settings> {
        if self.codes.is_none() && self.content.allow.is_empty() {
            return rules;
        }
        let rules = rules.unwrap_or_else(|| validate::Settings::built_in().clone());
        Some(
            rules
                .with_codes(self.codes.clone().unwrap_or_default())
                .with_contents(self.content.allow.clone()),
        )
    }
}

/// Whose patients a hosted registry accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patients {
    /// Those of the community's authorities, or of the tenant's.
    Own,
    /// Anybody's.
    Any,
    /// Those of them whom a Patient Identity Feed announced.
    Fed,
}

/// Whose registry and repository it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The region's own: whoever gets through to us may submit and ask, unless it says otherwise. Who may tell of its
    /// patients, the identifier domains say.
    Own,
    /// A tenant's: nobody may do anything, unless it says otherwise.
    Tenant,
}

/// `[hosted]` or `[standalone]`
pub(super) fn hosted(section: Section<'_>) -> Option<Hosted> {
    let hosted = holding(&section, Whose::Own);
    section.close();
    hosted
}

/// The keys of any registry and repository of ours.
pub(super) fn holding(section: &Section<'_>, whose: Whose) -> Option<Hosted> {
    let repository = section.required("repository");
    let patients = [("own", Patients::Own), ("any", Patients::Any), ("fed", Patients::Fed)];
    let patients = section.word("patients", &patients).unwrap_or(Patients::Own);
    let unknown = [("empty", UnknownPatient::Empty), ("refuse", UnknownPatient::Refused)];
    let unknown_patient = section.word("unknown_patient_queries", &unknown).unwrap_or_default();
    let on_demand =
        [("off", OnDemand::Off), ("assemble", OnDemand::Assemble), ("persist", OnDemand::Persist)];
    let on_demand = section.word("on_demand", &on_demand).unwrap_or_default();
    let codes = code_lists(section);
    let link_change_code = section.section("link_change_code").and_then(coded_value);
    let permits = permitted(section.section("permit"), whose);
    let content = section.section("content").map(content::read).unwrap_or_default();
    let senders: Vec<_> = section.tables("senders").into_iter().filter_map(sender).collect();
    let (rules_of_senders, sources): (Vec<_>, Vec<_>) = senders.into_iter().unzip();
    let sources: Vec<Source> = sources.into_iter().flatten().collect();
    let keys = documents::keys(section);
    let quota = section.section("quota").map(quota).unwrap_or_default();
    // What is missing ends the reading only when everything has been read: the rest would pass for unknown.
    let retention = retention(section);
    Some(Hosted {
        repository: repository?,
        patients,
        unknown_patient,
        codes,
        on_demand,
        link_change_code,
        permits: Permits { sources, ..permits },
        content,
        rules_of_senders: rules_of_senders.into_iter().flatten().collect(),
        quota,
        retention,
        keys,
    })
}

/// What holds for one sender otherwise than for everybody: rules, and which sourceIds are its own.
fn sender(section: Section<'_>) -> Option<(Option<SenderRules>, Option<Source>)> {
    let certificate: Option<String> = section.required("certificate");
    let changes = section.section("rules").map(|rules| changes(&section, &rules));
    let ids: Vec<Oid> = section.list("source_ids");
    if changes.is_none() && ids.is_empty() {
        let help = "rules = { … }, or source_ids = [\"OID\"]";
        section.error("rules", "nothing is said of this sender", help);
    }
    section.close();
    let certificate = certificate?;
    let source = (!ids.is_empty()).then(|| Source { certificate: certificate.clone(), ids });
    Some((changes.map(|changes| SenderRules { certificate, changes }), source))
}

fn changes(section: &Section<'_>, rules: &Section<'_>) -> RuleSettings {
    let mut changes = RuleSettings::new();
    for (entry, setting) in rules.pairs::<RuleSetting>() {
        match validate::Settings::built_in().clone().take(&entry.key, &setting) {
            Ok(()) => drop(changes.insert(entry.key.clone(), setting)),
            Err(problem) => {
                section.error_at(entry.place, problem.to_string(), "docs/validation.md lists all rules");
            }
        }
    }
    changes
}

fn quota(section: Section<'_>) -> Quota {
    let quota = Quota { documents: section.optional("documents"), bytes: section.optional("bytes") };
    section.close();
    quota
}

/// `retention`: rules in the order in which they are carried out.
fn retention(section: &Section<'_>) -> Vec<RetentionRule> {
    let written = section.tables("retention");
    if written.len() > limits::MAX_RETENTION_RULES {
        let message =
            format!("{} rules of retention; at most {}", written.len(), limits::MAX_RETENTION_RULES);
        section.error("retention", message, "join those of one age");
    }
    written.into_iter().filter_map(retention_rule).collect()
}

fn retention_rule(section: Section<'_>) -> Option<RetentionRule> {
    let days: Option<u64> = section.required("days");
    let days = days.and_then(|days| {
        let fits = u32::try_from(days).ok();
        if fits.is_none() {
            section.error(
                "days",
                format!("{days} days are too many"),
                "leave the rule out: nothing is then removed",
            );
        }
        fits
    });
    let actions =
        [RetentionAction::Deprecate, RetentionAction::Remove].map(|action| (action.label(), action));
    if !section.has("action") {
        section.error("action", "nothing says what becomes of them", "action = \"deprecate\" or \"remove\"");
    }
    let action = section.word("action", &actions);
    let class: Option<String> = section.optional("class");
    if class.as_ref().is_some_and(|class| !class.contains("^^")) {
        section.error("class", "this is no code with its scheme", "write class = \"code^^scheme\"");
    }
    section.close();
    Some(RetentionRule { days: days?, class, action: action? })
}

/// The file of code lists; all that is wrong with it stops the start.
fn code_lists(section: &Section<'_>) -> Option<CodeLists> {
    let file: PathBuf = section.optional("codes")?;
    let help = "docs/validation.md says what stands in it";
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => {
            section.error("codes", format!("{} cannot be read: {error}", file.display()), help);
            return None;
        }
    };
    let lists = CodeLists::parse(&text);
    for problem in lists.as_ref().err().into_iter().flatten() {
        section.error("codes", format!("{}: {problem}", file.display()), help);
    }
    lists.ok()
}

fn coded_value(section: Section<'_>) -> Option<Code> {
    let code: Option<String> = section.required("code");
    let scheme: Option<String> = section.required("scheme");
    let display: Option<String> = section.required("display");
    section.close();
    Some(Code { code: code?, scheme: scheme?, display: display? })
}

fn permitted(section: Option<Section<'_>>, whose: Whose) -> Permits {
    let mut permits = match whose {
        Whose::Own => Permits::default(),
        Whose::Tenant => Permits::nobody(),
    };
    let Some(section) = section else { return permits };
    let callers = |key| -> Option<Callers> {
        let names: Vec<String> = section.has(key).then(|| section.list(key))?;
        Some(match names.as_slice() {
            [] => Callers::Nobody,
            [all] if all == "*" => Callers::Anybody,
            _ if names.iter().any(|name| name == "*") => {
                let help = "write [\"*\"] for everybody, or the subjects of those who may";
                section.error(key, "\"*\" stands beside names, which then mean nothing", help);
                Callers::Nobody
            }
            _ => Callers::Certified(names),
        })
    };
    for (key, who) in [
        ("submit", &mut permits.submit),
        ("query", &mut permits.query),
        ("multi_patient", &mut permits.multi_patient),
        ("update", &mut permits.update),
        ("remove", &mut permits.remove),
    ] {
        if let Some(named) = callers(key) {
            *who = named;
        }
    }
    if whose == Whose::Tenant {
        permits.feed = callers("feed").unwrap_or(permits.feed);
        permits.gateway = callers("gateway").unwrap_or(permits.gateway);
    }
    section.close();
    permits
}
