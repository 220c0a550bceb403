//! Identifier domains: which authority gave an identifier, however a message names it (ITI TF-2: 3.9.4.1.2.2, App. E.3).

use super::is_my_number;
use crate::ids::{Oid, PatientId};

/// An assigning authority as a message names it: by namespace, by OID, or both (HD of HL7 v2; II/@root in V3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Authority {
    /// HD-1; empty if absent.
    pub namespace: String,
    /// HD-2; empty if absent.
    pub universal_id: String,
    /// HD-3; empty if absent.
    pub universal_id_type: String,
}

impl Authority {
    /// An authority by its OID alone.
    pub fn of_oid(oid: &str) -> Self {
        Self { universal_id: oid.to_owned(), universal_id_type: "ISO".to_owned(), ..Self::default() }
    }
    /// Whether two of them may name one domain: nothing that both say differs.
    pub fn may_be(&self, other: &Self) -> bool {
        let agree = |one: &str, another: &str| one.is_empty() || another.is_empty() || one == another;
        agree(&self.namespace, &other.namespace) && agree(&self.universal_id, &other.universal_id)
    }
    /// Nothing was said.
    pub fn is_empty(&self) -> bool {
        self.namespace.is_empty() && self.universal_id.is_empty()
    }
}

/// An identifier as a message carries it: the authority is not looked up yet.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Identifier {
    /// CX-1; II/@extension.
    pub id: String,
    /// CX-4; II/@root.
    pub authority: Authority,
    /// CX-5, for example `PI`; empty if absent.
    pub type_code: String,
    /// CX-7 and CX-8; effectiveTime of OtherIDs.
    #[serde(default, skip_serializing_if = "Validity::is_open")]
    pub validity: Validity,
}

/// The days on which an identifier is somebody's, counted from 1970, both included; None where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Validity {
    /// The first day.
    pub from: Option<i64>,
    /// The last day.
    pub until: Option<i64>,
}

impl Validity {
    /// From the first of some days to the last of others: a date may be as vague as a month or a year.
    pub fn between(from: Option<(i64, i64)>, until: Option<(i64, i64)>) -> Self {
        Self { from: from.map(|(first, _)| first), until: until.map(|(_, last)| last) }
    }
    /// Nothing is said.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
    /// Whether it is over by a day.
    pub fn has_ended(&self, day: i64) -> bool {
        self.until.is_some_and(|until| until < day)
    }
    /// Whether it holds on a day, as far as is said.
    pub fn holds(&self, day: i64) -> bool {
        !self.has_ended(day) && self.from.is_none_or(|from| from <= day)
    }
    /// Whether both hold on some day.
    pub fn meets(&self, other: &Self) -> bool {
        let before =
            |one: &Self, two: &Self| one.until.zip(two.from).is_some_and(|(until, from)| until < from);
        !before(self, other) && !before(other, self)
    }
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(id)^^^{}&{}", self.authority.namespace, self.authority.universal_id)
    }
}

/// What kind of identifiers a domain has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DomainKind {
    /// A facility's chart numbers, or a region's patient ids.
    #[default]
    Patients,
    /// 被保険者番号: insurer, symbol, number, branch, with validity. A key for matching, never the patient id of XDS; a family
    /// shares all of it but the branch.
    Insured,
    /// A portal's users.
    Portal,
}

/// What twelve digits with the check digit of an Individual Number (My Number) are in a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TwelveDigits {
    /// An Individual Number, which is refused.
    #[default]
    MyNumber,
    /// A number of the domain's own: some chart numbers have twelve digits, and every eleventh such a check digit.
    Own,
}

/// Who alone tells of a domain's identifiers (ITI TF-2: 3.8.4.1.1). What is named of it must hold, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainSource {
    /// MSH-3 and MSH-4 (application, facility); in V3 the OID of the sending device, and nothing. Whoever is on the network
    /// can write them.
    pub system: Option<(String, String)>,
    /// Its client certificates, each by its subject or its SHA-256; none: whatever it shows.
    pub certificates: Vec<String>,
}

/// An identifier domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its assigning authority.
    pub oid: Oid,
    /// HD-1 in what we send: all three components are due there (ITI TF-2: 3.9.4.2.2.6).
    pub namespace: String,
    /// For people.
    pub name: String,
    /// What its identifiers are.
    pub kind: DomainKind,
    /// The one source that feeds it; None lets anybody.
    pub source: Option<DomainSource>,
    /// What twelve digits are.
    pub twelve_digits: TwelveDigits,
}

/// Whether an identifier of a domain is one that no network may keep; without a domain, My Numbers are.
pub fn refused_in(domain: Option<&Domain>, id: &str) -> bool {
    domain.is_none_or(|domain| domain.twelve_digits == TwelveDigits::MyNumber) && is_my_number(id)
}

/// The domains of a region.
#[derive(Debug, Clone, Default)]
pub struct Domains(Vec<Domain>);

impl Domains {
    /// Those domains.
    pub fn new(domains: Vec<Domain>) -> Self {
        Self(domains)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Domain> {
        self.0.iter()
    }
    /// The domain of an OID.
    pub fn by_oid(&self, oid: &str) -> Option<&Domain> {
        self.0.iter().find(|domain| domain.oid.as_str() == oid)
    }
    /// The domain that an authority names; if it gives namespace and OID, both must be that domain's. Some put the OID where
    /// the namespace belongs.
    pub fn find(&self, authority: &Authority) -> Option<&Domain> {
        let Authority { namespace, universal_id, .. } = authority;
        self.0.iter().find(|domain| {
            let by_oid = universal_id == domain.oid.as_str();
            let by_namespace = *namespace == domain.namespace || namespace == domain.oid.as_str();
            match (namespace.is_empty(), universal_id.is_empty()) {
                (false, false) => by_oid && by_namespace,
                (true, false) => by_oid,
                (false, true) => by_namespace,
                (true, true) => false,
            }
        })
    }
    /// Whether an identifier is one that no network may keep: an Individual Number, in a domain that has no such numbers of
    /// its own.
    pub fn refuse(&self, patient: &PatientId) -> bool {
        refused_in(self.by_oid(patient.authority().as_str()), patient.id())
    }
    /// The same for what should be a CX and may be none: whatever stands before its first `^` is the identifier.
    pub fn refuse_cx(&self, cx: &str) -> bool {
        let mut components = cx.split('^');
        let id = components.next().unwrap_or_default();
        let oid = components.nth(2).and_then(|authority| authority.split('&').nth(1));
        refused_in(oid.and_then(|oid| self.by_oid(oid)), id)
    }
    /// Whether an identifier is an insured person's number: a key, and nobody's identifier.
    pub fn is_insured(&self, patient: &PatientId) -> bool {
        let domain = self.by_oid(patient.authority().as_str());
        domain.is_some_and(|domain| domain.kind == DomainKind::Insured)
    }
    /// The patient id that an identifier stands for, if its domain is known and it is not empty.
    pub fn resolve(&self, identifier: &Identifier) -> Option<PatientId> {
        let domain = self.find(&identifier.authority).filter(|_| !identifier.id.is_empty())?;
        Some(PatientId::new(&identifier.id, domain.oid.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_which_identifiers_hold() {
        let days = |from, until| Validity { from, until };
        let spring = days(Some(10), Some(20));
        assert!(spring.holds(10) && spring.holds(20) && !spring.holds(9) && !spring.holds(21));
        assert!(
            Validity::default().holds(0) && !days(Some(1), None).holds(0) && !days(None, Some(1)).holds(2)
        );
        for (other, meets) in [
            (days(Some(20), None), true),
            (days(Some(21), None), false),
            (days(None, Some(9)), false),
            (days(None, Some(10)), true),
            (Validity::default(), true),
        ] {
            assert_eq!((spring.meets(&other), other.meets(&spring)), (meets, meets), "{other:?}");
        }
    }

    #[test]
    fn a_domain_may_have_twelve_digits_of_its_own() {
        let domain = |oid: &str, twelve_digits| Domain {
            oid: Oid::parse(oid).unwrap(),
            namespace: oid.to_owned(),
            name: String::new(),
            kind: DomainKind::Patients,
            source: None,
            twelve_digits,
        };
        let domains =
            Domains::new(vec![domain("1.2.1", TwelveDigits::MyNumber), domain("1.2.2", TwelveDigits::Own)]);
        let refuses = |id: &str, oid: &str| domains.refuse(&PatientId::new(id, Oid::parse(oid).unwrap()));
        assert!(refuses("123456789018", "1.2.1") && refuses("123456789018", "1.2.9"));
        assert!(!refuses("123456789018", "1.2.2") && !refuses("123456789012", "1.2.1"));
        for (cx, refused) in [
            ("123456789018^^^&1.2.1&ISO", true),
            ("1234-5678-9018", true),
            ("123456789018^^^&1.2.2&ISO^PI", false),
            ("123456789012^^^&1.2.1&ISO", false),
            ("", false),
        ] {
            assert_eq!(domains.refuse_cx(cx), refused, "{cx}");
        }
    }
}
