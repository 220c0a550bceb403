//! What the transactions on patient identity have in common: HL7 v2 and V3 carry the same questions and answers (ITI-8 and
//! 44, 9 and 45, 10 and 46, 21 and 47 and 55), and the actors behind them see no difference.

use crate::demographics::{
    Address, Authority, BirthRange, Change, Demographics, DemographicsChange, Identifier, Name, Sex, Telecom,
    Visit,
};
use crate::ids::{Oid, PatientId};

/// A Patient Identity Feed (ITI-8, ITI-44): who exists in a domain, or who turned out to be somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// What is told.
    pub event: FeedEvent,
    /// MSH-3 and MSH-4 (application, facility), or the sending device's OID: a domain has one source.
    pub source: (String, String),
}

/// What a feed tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per message")]
pub enum FeedEvent {
    /// A01, A04, A05, A08; add and revise: somebody is there, or changed. Whether they were known before makes no
    /// difference. Several identifiers are one person's by declaration of the source.
    Announce {
        /// PID-3; Patient.id and OtherIDs.
        identifiers: Vec<Identifier>,
        /// Those of them whose time is over: nobody's any more, but what was known of them ends.
        ended: Vec<Identifier>,
        /// What changes.
        change: Box<DemographicsChange>,
        /// PV1, where there is one.
        visit: Option<Box<Visit>>,
    },
    /// A40; merge: the subsumed identifier ends, the surviving one stands for both.
    Merge {
        /// PID-3; Patient.id.
        surviving: Identifier,
        /// Which one it is there, from 1.
        nth: usize,
        /// MRG-1; priorRegisteredRole.id.
        subsumed: Identifier,
        /// What changes of the surviving.
        change: Box<DemographicsChange>,
    },
}

impl FeedEvent {
    /// What else has a number beside the patient, and where: the account and the visit.
    pub fn numbers(&self) -> impl Iterator<Item = (Place, &Identifier)> {
        let (change, visit) = match self {
            Self::Announce { change, visit, .. } => (change, visit.as_deref()),
            Self::Merge { change, .. } => (change, None),
        };
        let account = match &change.account {
            Change::Set(account) => Some(account),
            Change::Keep | Change::Remove => None,
        };
        numbers(account, visit)
    }
}

/// The numbers of an account and of a visit, and where they are.
fn numbers<'a>(
    account: Option<&'a Identifier>,
    visit: Option<&'a Visit>,
) -> impl Iterator<Item = (Place, &'a Identifier)> {
    let visit = visit.and_then(|visit| visit.number.as_ref());
    let account = account.map(|account| (Place::Field("PID", 18, 1), account));
    account.into_iter().chain(visit.map(|number| (Place::Field("PV1", 19, 1), number)))
}

/// A PIX Query (ITI-9, ITI-45).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrespondingQuery {
    /// Whose corresponding identifiers are wanted.
    pub patient: Identifier,
    /// In which domains; none means in all.
    pub wanted: Vec<Authority>,
}

/// Corresponding identifiers. Never the one that was asked about; none means: known, and nothing is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corresponding {
    /// Those of one domain side by side.
    pub identifiers: Vec<PatientId>,
    /// The record that was asked about, for V3, which cannot leave the name out.
    pub person: Box<Demographics>,
}

/// The identifiers that are one person's, after a change (ITI-10, ITI-46).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifiersChanged {
    /// All of them, those of one domain side by side.
    pub identifiers: Vec<PatientId>,
    /// A name, for V3.
    pub person: Box<Demographics>,
}

/// A Patient Demographics Query (ITI-21, 22, 47), or the person that a Cross Gateway Patient Discovery (ITI-55) describes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DemographicsQuery {
    /// All of these must be the patient's (ITI-47: repeat = AND).
    pub identifiers: Vec<Identifier>,
    /// Alternatives: the name in several scripts.
    pub names: Vec<Name>,
    /// Birth.
    pub birth: Option<BirthRange>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Alternatives.
    pub addresses: Vec<Address>,
    /// Alternatives.
    pub telecoms: Vec<Telecom>,
    /// Alternatives.
    pub mothers_maiden_names: Vec<Name>,
    /// Name of the place of birth.
    pub birth_place: Option<String>,
    /// Address of the place of birth.
    pub birth_place_address: Option<Address>,
    /// PID-18.
    pub account: Option<Identifier>,
    /// ITI-22: what the visit must be like.
    pub visit: Option<Box<Visit>>,
    /// Domains whose identifiers are wanted; none means all.
    pub wanted: Vec<Authority>,
    /// MinimumDegreeMatch, 0 to 100.
    pub minimum_degree: Option<u8>,
}

impl DemographicsQuery {
    /// What else is asked for by a number, and where it is told.
    pub fn numbers(&self) -> impl Iterator<Item = (Place, &Identifier)> {
        numbers(self.account.as_ref(), self.visit.as_deref())
    }
}

/// A patient who fits a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Identifiers, those of wanted domains; those of one domain side by side.
    pub identifiers: Vec<PatientId>,
    /// Current values.
    pub person: Box<Demographics>,
    /// 0 to 100, in the sense of MinimumDegreeMatch.
    pub degree: u8,
    /// ITI-22.
    pub visit: Option<Box<Visit>>,
}

/// A page of matches and what lies behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// In the order of the first answer.
    pub matches: Vec<Match>,
    /// How many the whole answer has.
    pub total: usize,
    /// How many are left behind this page.
    pub remaining: usize,
    /// Where the next page is asked for (DSC-1 in v2), if there is one.
    pub pointer: Option<String>,
    /// The domains wanted, none meaning all: V3 names those in which a patient has no identifier.
    pub wanted: Vec<Oid>,
}

/// Where in a message something is wrong, whatever its syntax; each transaction has a table of what it writes there: ERR-2
/// (ERR-1 in 2.3.1) or an XPath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The identifier that was asked about: QPD-3.1; PatientIdentifier/value.
    Asked,
    /// Its authority: QPD-3.4.
    AskedAuthority,
    /// The n-th wanted domain, from 1: QPD-4 or QPD-8; the n-th `dataSource` or `otherIDsScopingOrganization`.
    Wanted(usize),
    /// The n-th announced or the surviving identifier, from 1: PID-3.1.
    Identifier(usize),
    /// Its authority: PID-3.4.
    IdentifierAuthority(usize),
    /// The subsumed identifier: MRG-1.1.
    Subsumed,
    /// Its authority: MRG-1.4.
    SubsumedAuthority,
    /// The n-th query parameter, from 1: a repetition of QPD-3 in ITI-21.
    Parameter(usize),
    /// The pointer or queryId of a continuation: DSC-1.
    Continuation,
    /// A segment, field and component of v2; for V3 the name stands for itself.
    Field(&'static str, u16, u16),
    /// A segment of v2 that is there once more than it may be.
    Again(&'static str),
    /// No single one.
    Message,
}

/// HL7 table 0357, as the Technical Framework uses it (ITI TF-2: C.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are HL7's")]
pub enum ErrorCode {
    SegmentSequence = 100,
    RequiredFieldMissing = 101,
    DataType = 102,
    TableValueNotFound = 103,
    UnsupportedMessageType = 200,
    UnsupportedEventCode = 201,
    UnsupportedProcessingId = 202,
    UnsupportedVersionId = 203,
    UnknownKeyIdentifier = 204,
    DuplicateKeyIdentifier = 205,
    InternalError = 207,
}

/// Something that an actor finds wrong, or cannot do. Never a patient's data in `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityError {
    /// The code.
    pub code: ErrorCode,
    /// Where.
    pub place: Place,
    /// For people: what is wrong and by which rule.
    pub text: String,
    /// Whether the sender may send it again as it is: AR instead of AE.
    pub retry: Retry,
}

/// Whether a message may be sent again unmended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again: AE.
    Pointless,
    /// Busy, or the store is away: AR (v2), case 5 or AR (V3).
    Later,
}

impl IdentityError {
    /// The sender's fault: it would fail again.
    pub fn new(code: ErrorCode, place: Place, text: impl Into<String>) -> Self {
        Self { code, place, text: text.into(), retry: Retry::Pointless }
    }
    /// 204 somewhere.
    pub fn unknown_key(place: Place, text: impl Into<String>) -> Self {
        Self::new(ErrorCode::UnknownKeyIdentifier, place, text)
    }
    /// 207: not the sender's fault.
    pub fn internal(text: impl Into<String>) -> Self {
        Self { code: ErrorCode::InternalError, place: Place::Message, text: text.into(), retry: Retry::Later }
    }
}

/// What actors answer. Several errors where the transaction has one for each wrong domain; never an empty list.
pub type Answer<T> = Result<T, Vec<IdentityError>>;
