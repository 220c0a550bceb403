use std::path::PathBuf;

use super::*;
use crate::demographics::{
    Address, Authority, BirthRange, BirthTime, Demographics, DemographicsChange, Domain, DomainKind,
    Identifier, Name, Representation, Sex,
};
use crate::federation::directory::DirectorySettings;
use crate::identity::crossref::{CrossrefSettings, Lookup};
use crate::identity::index::{Index, MIGRATION};
use crate::store::Store;
use crate::transactions::Purpose;
use crate::transactions::hl7v3::{Echo, Transmission};
use crate::wire::xml::Tree;

const HOSPITAL: &str = "1.2.3.1";
const CLINIC: &str = "1.2.3.2";
const PEER: &str = "CN=peer gateway";

/// A region with an index, a cache and one community in its directory.
struct Region {
    discovery: PatientDiscovery,
    index: Index,
    cache: Crossref,
    folder: PathBuf,
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn oid(text: &str) -> Oid {
    Oid::parse(text).unwrap()
}

fn home(text: &str) -> HomeCommunityId {
    HomeCommunityId::parse(text).unwrap()
}

fn policy() -> DiscoveryPolicy {
    DiscoveryPolicy {
        communities: vec![
            Answering { home: home("1.2.3"), authorities: vec![oid(HOSPITAL)] },
            Answering { home: home("1.2.4"), authorities: vec![oid(CLINIC)] },
        ],
        several: Several::Ask,
        minimum_degree: 95,
        time_to_live: Some(Duration::from_secs(60)),
        per_minute: 1_000,
        emergency: Callers::Nobody,
    }
}

impl Region {
    fn new(policy: DiscoveryPolicy) -> Self {
        let folder = std::env::temp_dir().join(format!("sekisho-discovery-{}", uuid::Uuid::new_v4()));
        let communities = folder.join("communities");
        std::fs::create_dir_all(&communities).unwrap();
        let peer = format!(
            "name = \"Peer\"\nhome = [\"urn:oid:1.2.9\"]\ncertificates = [\"{PEER}\"]\n[endpoints]\niti38 = \"http://127.0.0.1:1/\"\n"
        );
        std::fs::write(communities.join("peer.toml"), peer).unwrap();
        let directory =
            Directory::load(DirectorySettings { folder: communities, ..DirectorySettings::default() })
                .unwrap();
        let store = Store::open(&folder.join("data"), &[MIGRATION]).unwrap();
        let index = Index::open(store, "region").unwrap();
        let domain = |oid_text: &str| Domain {
            oid: oid(oid_text),
            namespace: format!("N{oid_text}"),
            name: "hospital".into(),
            kind: DomainKind::Patients,
            source: None,
            twelve_digits: Default::default(),
        };
        let domains = Arc::new(Domains::new(vec![domain(HOSPITAL), domain(CLINIC), domain("1.2.3.3")]));
        index.set_domains(Arc::clone(&domains));
        let cache = Crossref::open(&CrossrefSettings {
            directory: folder.join("crossref"),
            tenant: "region".into(),
            most: 100,
            memory: 1 << 20,
        });
        let cache = cache.unwrap();
        let learning = Learning { cache: cache.clone(), directory };
        let discovery = PatientDiscovery::new(index.clone(), domains, policy, Some(learning));
        Self { discovery, index, cache, folder }
    }

    async fn knows(&self, ids: &[&str], person: &Demographics) {
        let ids = ids.iter().map(|id| PatientId::parse(id).unwrap()).collect::<Vec<_>>();
        self.index.announce(ids, DemographicsChange::set(person), None).await.unwrap();
    }

    async fn ask(&self, question: Discovery, caller: &Caller) -> DiscoveryResponse {
        self.discovery.discover(&received(Ok(question)), caller).await
    }

    async fn outcome(&self, who: DemographicsQuery) -> Outcome {
        self.ask(Discovery { who, ..Discovery::default() }, &Caller::default()).await.outcome
    }
}

fn received(question: Result<Discovery, Vec<crate::transactions::identity::IdentityError>>) -> Received {
    let body = "<m xmlns=\"urn:hl7-org:v3\"><controlActProcess><queryByParameter><queryId root=\"1.2\"/></queryByParameter></controlActProcess></m>";
    let tree = Tree::parse(body.into()).unwrap();
    let (_, echo) = Echo::read(tree.root()).unwrap();
    Received { transmission: Transmission::default(), echo, question }
}

fn name(family: &str, given: &str) -> Name {
    Name {
        family: family.into(),
        given: given.into(),
        representation: Some(Representation::Ideographic),
        ..Name::default()
    }
}

fn person(sex: Sex, postcode: &str) -> Demographics {
    Demographics {
        names: vec![name("関所", "守")],
        birth: BirthTime::parse("19700101"),
        sex: Some(sex),
        addresses: vec![Address {
            postcode: postcode.into(), city: "関所町".into(), ..Address::default()
        }],
        ..Demographics::default()
    }
}

fn question() -> DemographicsQuery {
    DemographicsQuery {
        names: vec![name("関所", "守")],
        birth: BirthTime::parse("19700101").map(BirthRange::Within),
        ..DemographicsQuery::default()
    }
}

fn by_id(id: &str, authority: &str) -> DemographicsQuery {
    let id = Identifier { id: id.into(), authority: Authority::of_oid(authority), ..Identifier::default() };
    DemographicsQuery { identifiers: vec![id], ..DemographicsQuery::default() }
}

fn patients(outcome: &Outcome) -> Vec<String> {
    let Outcome::Found(found) = outcome else { panic!("{outcome:?}") };
    found.iter().map(|found| format!("{}|{}", found.home.clone().unwrap(), found.patient.to_cx())).collect()
}

#[tokio::test]
async fn a_person_is_found_in_each_community_that_knows_them() {
    let region = Region::new(policy());
    region
        .knows(
            &["H1^^^&1.2.3.1&ISO", "C1^^^&1.2.3.2&ISO", "P1^^^&1.2.3.3&ISO"],
            &person(Sex::Male, "060-0001"),
        )
        .await;
    let response =
        region.ask(Discovery { who: question(), ..Discovery::default() }, &Caller::default()).await;
    assert_eq!(
        patients(&response.outcome),
        ["urn:oid:1.2.3|H1^^^&1.2.3.1&ISO", "urn:oid:1.2.4|C1^^^&1.2.3.2&ISO"]
    );
    assert_eq!(response.time_to_live, Some(Duration::from_secs(60)));
    let Outcome::Found(found) = response.outcome else { panic!() };
    // What belongs to no community that we answer for stays here.
    assert_eq!(found[0].others, [PatientId::parse("C1^^^&1.2.3.2&ISO").unwrap()]);

    for (who, expected) in [
        (by_id("P1", "1.2.3.3"), 2),
        (by_id("nobody", HOSPITAL), 0),
        (by_id("H1", "1.9.9"), 0),
        (DemographicsQuery { names: vec![name("誰", "某")], ..question() }, 0),
        // The asking community's own identifier says nothing here.
        (DemographicsQuery { identifiers: by_id("X", "1.9.9").identifiers, ..question() }, 2),
    ] {
        assert_eq!(patients(&region.outcome(who).await).len(), expected);
    }
    let locations =
        region.discovery.locate(&PatientId::parse("H1^^^&1.2.3.1&ISO").unwrap(), &Caller::default()).await;
    assert_eq!(locations.len(), 2);
    let stranger = PatientId::parse("H2^^^&1.2.3.1&ISO").unwrap();
    assert!(region.discovery.locate(&stranger, &Caller::default()).await.is_empty());
}

#[tokio::test]
async fn of_two_namesakes_none_is_chosen_and_what_tells_them_apart_is_asked_for() {
    let region = Region::new(policy());
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    region.knows(&["B^^^&1.2.3.1&ISO"], &person(Sex::Female, "810-0001")).await;
    let ambiguous = Outcome::AskForMore(vec![Attribute::Gender, Attribute::Address]);
    assert_eq!(region.outcome(question()).await, ambiguous);
    let with_sex = DemographicsQuery { sex: Some(Sex::Female), ..question() };
    assert_eq!(patients(&region.outcome(with_sex).await), ["urn:oid:1.2.3|B^^^&1.2.3.1&ISO"]);

    let listing = Region::new(DiscoveryPolicy { several: Several::List, ..policy() });
    listing.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    listing.knows(&["B^^^&1.2.3.1&ISO"], &person(Sex::Female, "810-0001")).await;
    assert_eq!(patients(&listing.outcome(question()).await).len(), 2);
}

#[tokio::test]
async fn two_whom_nothing_tells_apart_are_not_to_be_had() {
    let region = Region::new(policy());
    let twin =
        |given: &str| Demographics { names: vec![name("関所", given)], ..person(Sex::Male, "060-0001") };
    region.knows(&["A^^^&1.2.3.1&ISO"], &twin("守")).await;
    region.knows(&["B^^^&1.2.3.1&ISO"], &twin("護")).await;
    let both = DemographicsQuery { names: vec![name("関所", "守"), name("関所", "護")], ..question() };
    assert_eq!(region.outcome(both).await, Outcome::Cannot(Reason::AnswerNotAvailable));
}

#[tokio::test]
async fn nobody_is_named_by_a_my_number_and_none_is_kept() {
    let region = Region::new(policy());
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    for authority in [HOSPITAL, "1.2.9.1"] {
        let named = by_id("1234 5678 9018", authority);
        let telling = Discovery {
            who: DemographicsQuery { identifiers: named.identifiers, ..question() },
            home: Some(home("1.2.9")),
            authority: Some(oid(authority)),
            time_to_live: Some(Duration::from_secs(60)),
            ..Discovery::default()
        };
        let peer = Caller { certificate: Some(PEER.into()), ..Caller::default() };
        let answer = region.ask(telling, &peer).await;
        assert_eq!(answer.outcome, Outcome::Cannot(Reason::AnswerNotAvailable));
    }
    assert_eq!(region.cache.count(), 0);
}

#[tokio::test]
async fn attack_59_who_describes_many_is_refused() {
    let region = Region::new(policy());
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    let between =
        |low: &str, high: &str| Some(BirthRange::Between(BirthTime::parse(low), BirthTime::parse(high)));
    for who in [
        DemographicsQuery { names: Vec::new(), ..question() },
        DemographicsQuery { birth: None, ..question() },
        DemographicsQuery { names: vec![name("関*", "守")], ..question() },
        DemographicsQuery { names: vec![name("関所", "%")], ..question() },
        DemographicsQuery { names: vec![name("関所", "")], ..question() },
        DemographicsQuery { birth: between("1900", "2020"), ..question() },
        DemographicsQuery { birth: between("1970", ""), ..question() },
        DemographicsQuery::default(),
    ] {
        assert_eq!(region.outcome(who).await, Outcome::Cannot(Reason::AnswerNotAvailable));
    }
    let vague = DemographicsQuery { birth: between("1969", "1971"), ..question() };
    assert_eq!(patients(&region.outcome(vague).await).len(), 1);
    let unreadable = received(Err(Vec::new()));
    let answer = region.discovery.discover(&unreadable, &Caller::default()).await;
    assert_eq!(answer.outcome, Outcome::Cannot(Reason::AnswerNotAvailable));
}

#[tokio::test]
async fn attack_59_who_guesses_has_to_wait() {
    let region = Region::new(DiscoveryPolicy { per_minute: 50, ..policy() });
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    let guess = |n: u32| DemographicsQuery { names: vec![name("誰", &n.to_string())], ..question() };
    let mut guesses = 0;
    while region.outcome(guess(guesses)).await != Outcome::Cannot(Reason::ResponderBusy) {
        guesses += 1;
        assert!(guesses < 20);
    }
    assert_eq!(region.outcome(question()).await, Outcome::Cannot(Reason::ResponderBusy));
    let other = Caller { certificate: Some("CN=other".into()), ..Caller::default() };
    let answer = region.ask(Discovery { who: question(), ..Discovery::default() }, &other).await;
    assert_eq!(patients(&answer.outcome).len(), 1);
}

#[tokio::test]
async fn candidates_are_listed_by_four_items_in_an_emergency_only() {
    let named = Callers::Certified(vec!["CN=emergency".to_owned()]);
    let region = Region::new(DiscoveryPolicy { emergency: named, ..policy() });
    for (id, given) in [("A", "守"), ("B", "護")] {
        let namesake = Demographics { names: vec![name("関所", given)], ..person(Sex::Male, "060-0001") };
        region.knows(&[&format!("{id}^^^&1.2.3.1&ISO")], &namesake).await;
    }
    let four_items = DemographicsQuery {
        names: vec![name("関所", "守"), name("関所", "護")],
        sex: Some(Sex::Male),
        addresses: person(Sex::Male, "060-0001").addresses,
        ..question()
    };
    let question = Discovery { who: four_items.clone(), ..Discovery::default() };
    let certified = Caller { certificate: Some("CN=emergency".into()), ..Caller::default() };
    let asserted = Caller { purpose: Some(Purpose::Emergency), ..Caller::default() };
    for caller in [certified, asserted] {
        let answer = region.ask(question.clone(), &caller).await;
        assert_eq!(patients(&answer.outcome).len(), 2);
        assert_eq!(answer.time_to_live, None);
    }
    let treatment = Caller { purpose: Some(Purpose::Treatment), ..Caller::default() };
    let answer = region.ask(question, &treatment).await;
    assert_eq!(answer.outcome, Outcome::Cannot(Reason::AnswerNotAvailable));
}

/// Whether one, several or nobody was found: who searched is noted. And nothing is kept of a candidate.
#[tokio::test]
async fn every_emergency_search_is_noted_and_a_candidate_is_no_correlation() {
    let region = Region::new(DiscoveryPolicy { minimum_degree: 99, ..policy() });
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let mistyped = BirthTime::parse("19710110").map(BirthRange::Within);
    let four_items = |names: Vec<Name>, birth| DemographicsQuery {
        names,
        birth,
        sex: Some(Sex::Male),
        addresses: person(Sex::Male, "060-0001").addresses,
        identifiers: Vec::new(),
        ..question()
    };
    let caller = Caller { purpose: Some(Purpose::Emergency), ..Caller::default() };
    for (who, found, kept) in [
        (four_items(question().names, question().birth), 1, true),
        (four_items(question().names, mistyped), 1, false),
        (four_items(vec![name("誰", "某")], BirthTime::parse("19311231").map(BirthRange::Within)), 0, true),
    ] {
        let answer = region.ask(Discovery { who, ..Discovery::default() }, &caller).await;
        assert_eq!((patients(&answer.outcome).len(), answer.time_to_live.is_some()), (found, kept));
    }
    assert!(recorder.handle().render().contains("sekisho_emergency_searches_total 3"));
}

#[tokio::test]
async fn what_a_community_tells_of_its_own_patient_is_kept_if_it_is_the_one() {
    let region = Region::new(policy());
    region.knows(&["A^^^&1.2.3.1&ISO"], &person(Sex::Male, "060-0001")).await;
    let telling = Discovery {
        who: DemographicsQuery { identifiers: by_id("THEIRS", "1.2.9.1").identifiers, ..question() },
        home: Some(home("1.2.9")),
        authority: Some(oid("1.2.9.1")),
        time_to_live: Some(Duration::from_secs(60)),
        ..Discovery::default()
    };
    let local = PatientId::parse("A^^^&1.2.3.1&ISO").unwrap();
    let somebody = Caller { certificate: Some("CN=somebody else".into()), ..Caller::default() };
    for caller in [Caller::default(), somebody] {
        region.ask(telling.clone(), &caller).await;
        assert_eq!(region.cache.get(&local, &home("1.2.9")), Lookup::Miss);
    }
    let peer = Caller { certificate: Some(PEER.into()), ..Caller::default() };
    region.ask(Discovery { time_to_live: None, ..telling.clone() }, &peer).await;
    assert_eq!(region.cache.get(&local, &home("1.2.9")), Lookup::Miss);
    region.ask(telling, &peer).await;
    let Lookup::Hit(entry) = region.cache.get(&local, &home("1.2.9")) else { panic!() };
    assert_eq!(entry.remote, [PatientId::parse("THEIRS^^^&1.2.9.1&ISO").unwrap()]);
    assert_eq!(entry.decided, Decided::Initiator);
    // And who asks where the patient is learns of both.
    assert_eq!(region.discovery.locate(&local, &peer).await.len(), 2);
}

/// Neither nobody nor a guess, however many others the region has.
#[tokio::test]
async fn people_whom_no_community_of_ours_knows_hide_nobody() {
    let region = Region::new(policy());
    let born = |day: u32| Demographics {
        birth: BirthTime::parse(&format!("1970{:02}{:02}", 1 + day % 12, 1 + day * 7 % 28)),
        ..person(Sex::Male, &format!("{:07}", day * 1_234_567 % 9_999_999))
    };
    let strangers = limits::MAX_DISCOVERED as u32 + 2;
    for day in 1..=strangers {
        region.knows(&[&format!("S{day}^^^&1.2.3.3&ISO")], &born(day)).await;
    }
    let year = || {
        let [low, high] = ["19700101", "19701231"].map(BirthTime::parse);
        DemographicsQuery { birth: Some(BirthRange::Between(low, high)), ..question() }
    };
    region.knows(&[&format!("H1^^^&{HOSPITAL}&ISO")], &born(30)).await;
    assert_eq!(patients(&region.outcome(year()).await).len(), 1);
    region
        .knows(&[&format!("H2^^^&{HOSPITAL}&ISO")], &Demographics { sex: Some(Sex::Female), ..born(20) })
        .await;
    assert!(matches!(region.outcome(year()).await, Outcome::AskForMore(_)));
}
