//! Asking a community who a patient is there (ITI TF-2: 3.55), and which communities it knows of (ITI TF-2: 3.56).
//!
//! The first question tells no more than name, birth and sex. What more a community wants to tell people apart (case 3), or
//! what may tell apart those that it lists (case 2), goes into a second one, as far as it is known. If several are left that
//! are not evidently one, nobody is chosen: an error names the community, and a person decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::demographics::{Authority, BirthRange, Demographics, Domains, Identifier, NameKind};
use crate::federation::Unavailable;
use crate::federation::line::Question;
use crate::federation::member::Oddity;
use crate::federation::peer::{Peer, no_body};
use crate::ids::PatientId;
use crate::limits;
use crate::transactions::hl7v3::query::Priority;
use crate::transactions::hl7v3::{Ii, read_acknowledgement};
use crate::transactions::identity::DemographicsQuery;
use crate::transactions::iti55::{
    self, Asking, Attribute, DeferredAnswer, Discovery, DiscoveryResponse, Found, ITI55, ITI55_DEFERRED,
    Outcome, Reason, lifetime,
};
use crate::transactions::iti56::{self, ITI56, Location};
use crate::transactions::{Caller, Malformed};
use crate::wire::soap::Message;

const URN_UUID: &str = "urn:uuid:";

/// Why it is not known who a patient is in a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncorrelated {
    /// The community, or who knows its patients, could not be asked.
    Away(Unavailable),
    /// It says that it cannot answer.
    Cannot(Reason),
    /// Several people fit.
    Ambiguous,
    /// It answers for another community only, which it may not.
    Foreign,
    /// It was asked, and answers later.
    Pending,
}

/// What an answer may come to that names nobody, with the name under which that is kept.
const UNRESOLVED: [(Uncorrelated, &str); 6] = [
    (Uncorrelated::Ambiguous, "ambiguous"),
    (Uncorrelated::Foreign, "foreign"),
    (Uncorrelated::Cannot(Reason::ResponderBusy), "busy"),
    (Uncorrelated::Cannot(Reason::AnswerNotAvailable), "not-available"),
    (Uncorrelated::Cannot(Reason::InternalError), "internal-error"),
    (Uncorrelated::Away(Unavailable::Malformed), "malformed"),
];

impl Uncorrelated {
    /// The words for consumers.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Away(why) => why.reason(),
            Self::Cannot(Reason::ResponderBusy) => "it is busy",
            Self::Cannot(Reason::AnswerNotAvailable) => "it does not answer this question",
            Self::Cannot(Reason::InternalError) => "it has an internal failure",
            Self::Ambiguous => "several people there fit, and what is known here does not tell them apart",
            Self::Foreign => "it answered for another community",
            Self::Pending => "it was asked, and answers later",
        }
    }

    /// The name under which it is kept.
    pub fn label(self) -> &'static str {
        UNRESOLVED.iter().find(|(why, _)| *why == self).map_or("failed", |(_, label)| label)
    }

    /// What is kept under a name.
    pub fn of_label(label: &str) -> Self {
        let known = UNRESOLVED.iter().find(|(_, known)| *known == label);
        known.map_or(Self::Away(Unavailable::Internal), |(why, _)| *why)
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Our community, its assigning authority, and for how long others may keep our patient's identifier.
    pub template: Discovery,
    /// Our device.
    pub device: String,
    /// What is known of identifier domains: in which of them twelve digits are no Individual Number.
    pub domains: Arc<Domains>,
}

/// Whom a community has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovered {
    /// Identifiers of one person.
    pub patients: Vec<PatientId>,
    /// The least degree of them.
    pub degree: u8,
    /// How long that holds; None: only for this question.
    pub time_to_live: Option<Duration>,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum Next {
    /// This is who the person is there.
    Known(Discovered),
    /// To be asked once more, with more of what is known of them.
    Ask(DemographicsQuery),
}

/// How a community takes a question that it may answer later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// It will answer.
    Promised,
    /// It does not answer later (NS250): it must be asked for an immediate answer.
    Declined,
}

/// Asks a community about a person of ours; `own` is our identifier, if it may be told.
pub async fn discover(
    peer: &Arc<Peer>,
    asker: &Asker,
    person: &Demographics,
    own: Option<&PatientId>,
    caller: &Caller,
    deadline: Instant,
) -> Result<Discovered, Uncorrelated> {
    let mut question = Discovery { who: first_question(person, own), ..asker.template.clone() };
    for _ in 0..limits::MAX_DISCOVERY_ROUNDS {
        let answer = peer.discover(&question, &asker.device, caller, deadline).await;
        match follow(peer, asker, person, &question.who, answer.map_err(Uncorrelated::Away)?)? {
            Next::Known(discovered) => return Ok(discovered),
            Next::Ask(who) => question.who = who,
        }
    }
    Err(Uncorrelated::Ambiguous)
}

/// What follows from an answer to a question about a person of ours.
pub fn follow(
    peer: &Peer,
    asker: &Asker,
    person: &Demographics,
    asked: &DemographicsQuery,
    answer: DiscoveryResponse,
) -> Result<Next, Uncorrelated> {
    let DiscoveryResponse { outcome, time_to_live } = answer;
    let time_to_live = time_to_live.or(peer.time_to_live);
    let more: Vec<Attribute> = match outcome {
        Outcome::Cannot(reason) => return Err(Uncorrelated::Cannot(reason)),
        Outcome::AskForMore(attributes) => attributes,
        Outcome::Found(found) => {
            let found = judge(peer, &asker.domains, found)?;
            let fitting: Vec<_> = found.into_iter().filter(|found| !contradicts(person, found)).collect();
            if one_person_each(&fitting) {
                let degree = fitting.iter().map(|found| found.degree).min().unwrap_or(0);
                let patients = fitting.into_iter().map(|found| found.patient);
                let patients = patients.take(limits::MAX_IDENTITIES_PER_COMMUNITY).collect();
                return Ok(Next::Known(Discovered { patients, degree, time_to_live }));
            }
            Attribute::all().collect()
        }
    };
    let richer = with(asked, person, &more);
    if richer == *asked { Err(Uncorrelated::Ambiguous) } else { Ok(Next::Ask(richer)) }
}

/// What is told of a person at first; `own` is our identifier, if it may be told.
pub fn first_question(person: &Demographics, own: Option<&PatientId>) -> DemographicsQuery {
    let names = person.names.iter().filter(|name| matches!(name.kind, NameKind::Legal | NameKind::Alias));
    let own = own.map(|own| Identifier {
        id: own.id().to_owned(),
        authority: Authority::of_oid(own.authority().as_str()),
        ..Identifier::default()
    });
    DemographicsQuery {
        identifiers: own.into_iter().collect(),
        names: names.cloned().collect(),
        birth: person.birth.clone().map(BirthRange::Within),
        sex: person.sex,
        ..DemographicsQuery::default()
    }
}

/// The same with what else is wanted, as far as it is known.
fn with(asked: &DemographicsQuery, person: &Demographics, wanted: &[Attribute]) -> DemographicsQuery {
    let mut asked = asked.clone();
    for attribute in wanted {
        match attribute {
            Attribute::Gender => asked.sex = person.sex,
            Attribute::Address => asked.addresses.clone_from(&person.addresses),
            Attribute::Telecom => asked.telecoms.clone_from(&person.telecoms),
            Attribute::BirthPlaceName => asked.birth_place.clone_from(&person.birth_place),
            Attribute::BirthPlaceAddress => {
                asked.birth_place_address.clone_from(&person.birth_place_address);
            }
            Attribute::MothersMaidenName => {
                asked.mothers_maiden_names.clone_from(&person.mothers_maiden_names);
            }
        }
    }
    asked
}

/// Takes out whom the community may not speak for: a patient of another one would make us ask about a stranger (attack 58).
/// And whom it names by an Individual Number, which must not be asked with.
fn judge(peer: &Peer, domains: &Domains, mut found: Vec<Found>) -> Result<Vec<Found>, Uncorrelated> {
    let member = &peer.member;
    let named = found.len();
    let told = |found: &[Found]| found.iter().map(|found| 1 + found.others.len()).sum::<usize>();
    let before = told(&found);
    found.retain(|found| !domains.refuse(&found.patient));
    found.iter_mut().for_each(|found| found.others.retain(|id| !domains.refuse(id)));
    member.noticed(Oddity::MyNumber, (before - told(&found)) as u64);
    if found.is_empty() && named > 0 {
        return Err(Uncorrelated::Away(Unavailable::Malformed));
    }
    let all = found.len();
    let homeless = found.iter().filter(|found| found.home.is_none()).count();
    let own: Vec<_> =
        found.into_iter().filter(|found| found.home.as_ref().is_none_or(|home| member.is(home))).collect();
    member.noticed(Oddity::MissingHome, homeless as u64);
    member.noticed(Oddity::ForeignPatient, (all - own.len()) as u64);
    if own.is_empty() && all > 0 { Err(Uncorrelated::Foreign) } else { Ok(own) }
}

/// Sex or day of birth are known on both sides, and others.
fn contradicts(person: &Demographics, found: &Found) -> bool {
    use crate::demographics::Sex;
    let sex = |person: &Demographics| person.sex.filter(|sex| matches!(sex, Sex::Male | Sex::Female));
    let day = |person: &Demographics| person.birth.as_ref().and_then(|birth| birth.date().map(str::to_owned));
    let differ = |a: Option<String>, b: Option<String>| a.is_some() && b.is_some() && a != b;
    let sexes_differ =
        matches!((sex(person), sex(&found.person)), (Some(ours), Some(theirs)) if ours != theirs);
    sexes_differ || differ(day(person), day(&found.person))
}

/// Whether each community's matches are one, or evidently one person under several identifiers.
fn one_person_each(found: &[Found]) -> bool {
    found.iter().enumerate().all(|(place, one)| {
        found
            .iter()
            .skip(place + 1)
            .filter(|other| other.home == one.home)
            .all(|other| other.person == one.person)
    })
}

/// wsa:MessageID of a deferred question: its answer names it.
fn message_id(key: &str) -> String {
    format!("{URN_UUID}{key}")
}

/// The key of the question that an answer is to. None if it names none, or two.
pub fn key_of(answer: &DeferredAnswer) -> Option<&str> {
    let related = answer.relates_to.as_deref().map(|id| id.strip_prefix(URN_UUID).unwrap_or(id));
    let Some(query) = &answer.query else { return related };
    let named = Some(query.root.as_str()).filter(|_| query.extension.is_none())?;
    related.is_none_or(|related| related == named).then_some(named)
}

impl Peer {
    /// Whether an answer that came by itself is its own: under one of its certificates where its file names any, in the name
    /// of one of its communities where the answer has one, and with wsa:RelatesTo.
    pub fn answers(&self, answer: &DeferredAnswer, caller: &Caller) -> bool {
        let member = &self.member;
        let sender = answer.transmission.sender.organization.as_deref();
        (member.certificates.is_empty() || member.is_certified(caller))
            && sender.is_none_or(|home| member.is_named(home))
            && (answer.relates_to.is_some() || member.quirks.relates_to_optional)
    }

    /// Whether it can be asked who somebody is there.
    pub fn discovers(&self) -> bool {
        self.lines.discovery.is_some()
    }

    /// ITI-55.
    pub async fn discover(
        &self,
        question: &Discovery,
        device: &str,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<DiscoveryResponse, Unavailable> {
        let line = self.lines.discovery.as_ref().ok_or(Unavailable::NoEndpoint)?;
        let query = Ii::random();
        let receiver = self.member.home().oid().as_str();
        let asking = Asking { query: query.clone(), sender: device, receiver, respond_to: None };
        let body = iti55::write_request(question, &asking);
        let headers = question.time_to_live.map(lifetime::write).into_iter().collect();
        let question = Question { headers, ..Question::simple(&ITI55, body, caller, deadline) };
        line.ask(question, |message| iti55::read_response(&message.envelope, &query)).await
    }

    /// ITI-55, for an answer that comes later to `address` under that key: a UUID, of the message and of the query.
    pub async fn defer(
        &self,
        question: &Discovery,
        device: &str,
        (key, address): (&str, &str),
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Deferral, Unavailable> {
        let line = self.lines.discovery.as_ref().ok_or(Unavailable::NoEndpoint)?;
        let receiver = self.member.home().oid().as_str();
        let asking = Asking { query: Ii::of_root(key), sender: device, receiver, respond_to: Some(address) };
        let question = Discovery { priority: Priority::Deferred, ..question.clone() };
        let body = iti55::write_request(&question, &asking);
        let question = Question {
            headers: question.time_to_live.map(lifetime::write).into_iter().collect(),
            message_id: Some(message_id(key)),
            ..Question::simple(&ITI55_DEFERRED, body, caller, deadline)
        };
        let promised = |message: Message| {
            let body = message.envelope.body().ok_or_else(no_body)?;
            let acknowledgement = read_acknowledgement(body).ok_or_else(|| Malformed {
                rule: "xcpd.acknowledgement",
                section: "ITI TF-2: 3.55.4.1.3",
                problem: format!("{} acknowledges nothing", body.local()),
            })?;
            Ok(if acknowledgement.code.is_positive() { Deferral::Promised } else { Deferral::Declined })
        };
        line.ask(question, promised).await
    }

    /// ITI-56: which communities it knows of that have data of a patient whom it knows by this identifier.
    pub async fn locate(
        &self,
        patient: &PatientId,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Vec<Location>, Unavailable> {
        let line = self.lines.location.as_ref().ok_or(Unavailable::NoEndpoint)?;
        let question = Question::simple(&ITI56, iti56::write_request(patient), caller, deadline);
        line.ask(question, |message| match message.envelope.body() {
            Some(body) => iti56::read_response(body),
            None => Err(no_body()),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{BirthTime, Sex};
    use crate::federation::member::{Member, Role};
    use crate::federation::peer::Lines;
    use crate::ids::HomeCommunityId;
    use crate::transactions::hl7v3::registration::HealthDataLocator;

    fn peer() -> Peer {
        let home = |text| HomeCommunityId::parse(text).unwrap();
        let member = Member::new(Role::Peer, "Peer", home("1.5"), vec![home("1.6")]);
        Peer::new(Arc::new(member), Lines::default(), None)
    }

    fn found(home: Option<&str>, id: &str, birth: &str) -> Found {
        Found {
            home: home.map(|home| HomeCommunityId::parse(home).unwrap()),
            patient: PatientId::parse(&format!("{id}^^^&1.5.3&ISO")).unwrap(),
            others: Vec::new(),
            person: Box::new(Demographics { birth: BirthTime::parse(birth), ..Demographics::default() }),
            degree: 100,
            locator: HealthDataLocator::NotSupported,
        }
    }

    #[test]
    fn attack_58_a_community_speaks_for_nobody_else() {
        let peer = peer();
        let answer = vec![
            found(Some("1.5"), "A", "1970"),
            found(Some("1.6"), "B", "1970"),
            found(Some("1.7"), "C", "1970"),
            found(None, "D", "1970"),
        ];
        let judge = |found| judge(&peer, &Domains::default(), found);
        let kept = judge(answer).unwrap();
        let ids: Vec<_> = kept.iter().map(|found| found.patient.id()).collect();
        assert_eq!(ids, ["A", "B", "D"]);
        let oddities = peer.member.observed.counts().oddities;
        assert_eq!(oddities, [("missing-home", 1), ("foreign-patient", 1)]);
        assert_eq!(judge(vec![found(Some("1.7"), "C", "1970")]), Err(Uncorrelated::Foreign));
        assert_eq!(judge(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn several_are_one_only_where_nothing_differs() {
        let one = found(Some("1.5"), "A", "19700101");
        assert!(one_person_each(&[one.clone(), found(Some("1.5"), "B", "19700101")]));
        assert!(one_person_each(&[one.clone(), found(Some("1.6"), "B", "19700102")]));
        assert!(!one_person_each(&[one.clone(), found(Some("1.5"), "B", "19700102")]));
        let ours = Demographics {
            birth: BirthTime::parse("19700101"),
            sex: Some(Sex::Female),
            ..Demographics::default()
        };
        assert!(!contradicts(&ours, &one));
        assert!(contradicts(&ours, &found(None, "B", "19700102")));
        assert!(!contradicts(&ours, &found(None, "B", "1970")));
        let man = Demographics { sex: Some(Sex::Male), ..Demographics::default() };
        assert!(contradicts(&ours, &Found { person: Box::new(man), ..one }));
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let person = Demographics {
            birth: BirthTime::parse("19700101"),
            sex: Some(Sex::Female),
            birth_place: Some("関所".into()),
            telecoms: vec![crate::demographics::Telecom { value: "03".into(), ..Default::default() }],
            ..Demographics::default()
        };
        let first = first_question(&person, None);
        assert!(first.telecoms.is_empty() && first.birth_place.is_none() && first.sex.is_some());
        let second = with(&first, &person, &[Attribute::BirthPlaceName, Attribute::MothersMaidenName]);
        assert_eq!(second.birth_place.as_deref(), Some("関所"));
        assert!(second.telecoms.is_empty());
        assert_eq!(with(&first, &person, &[Attribute::MothersMaidenName]), first);
    }
}
