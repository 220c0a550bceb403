//! Random histories against a model that knows nothing of keys, groups or proposals: who is one person follows from the
//! records, the links by hand and the bars alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::identity::index::Ruling;

/// Records of the history, and persons whom they may describe: strangers to each other.
const RECORDS: usize = 6;
const PERSONS: [(&str, &str, &str, &str); 3] = [
    ("山田", "花子", "19600229", "022-111-1111"),
    ("鈴木", "一郎", "19731022", "03-2222-2222"),
    ("佐藤", "健", "19890101", "06-3333-3333"),
];

#[derive(Debug, Clone)]
enum Step {
    /// A record describes a person.
    Announce(usize, usize),
    /// A source merges two records.
    Merge(usize, usize),
    Link(usize, usize),
    Unlink(usize),
    /// Takes back the decision that was made so many decisions ago.
    Undo(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let record = || 0..RECORDS;
    prop_oneof![
        6 => (record(), 0..PERSONS.len()).prop_map(|(record, person)| Step::Announce(record, person)),
        1 => (record(), record()).prop_map(|(a, b)| Step::Merge(a, b)),
        2 => (record(), record()).prop_map(|(a, b)| Step::Link(a, b)),
        2 => record().prop_map(Step::Unlink),
        1 => (0..3_usize).prop_map(Step::Undo),
        1 => Just(Step::Restart),
    ]
}

fn record(number: usize) -> PatientId {
    id(1 + number as u32 % 3, &number.to_string())
}

fn described(number: usize) -> Demographics {
    let (family, given, birth, telephone) = PERSONS[number];
    let mut person = person(family, given, birth);
    person.telecoms[0].value = telephone.into();
    person
}

/// Who is with whom, as the index answers.
async fn partition(scratch: &Scratch) -> BTreeSet<BTreeSet<String>> {
    let mut persons = BTreeSet::new();
    for number in 0..RECORDS {
        if let Ok((others, _)) = scratch.index.corresponding(&record(number)).await {
            let mut all: BTreeSet<String> = others.iter().map(PatientId::to_cx).collect();
            all.insert(record(number).to_cx());
            persons.insert(all);
        }
    }
    persons
}

/// Persons by what each record describes, where nobody decided anything.
fn expected(described: &BTreeMap<usize, usize>) -> BTreeSet<BTreeSet<String>> {
    let mut persons: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (number, person) in described {
        persons.entry(*person).or_default().insert(record(*number).to_cx());
    }
    persons.into_values().collect()
}

/// Each record is of exactly one person, whichever of it is asked about.
fn is_partition(persons: &BTreeSet<BTreeSet<String>>) -> bool {
    let count: usize = persons.iter().map(BTreeSet::len).sum();
    persons.iter().flatten().collect::<BTreeSet<_>>().len() == count
}

async fn run(steps: Vec<Step>) {
    let mut scratch = Scratch::new();
    let mut known: BTreeMap<usize, usize> = BTreeMap::new();
    let mut subsumed = BTreeSet::new();
    let (mut decisions, mut fed_since) = (Vec::new(), true);
    // Former values serve linking: the simple model holds for records that described one person only.
    let mut plain = true;
    for step in steps {
        assert_eq!(scratch.at_hand().await, known.len());
        let before = partition(&scratch).await;
        match step {
            Step::Announce(number, person) => {
                let change = DemographicsChange::set(&described(person));
                let announced = scratch.index.announce(vec![record(number)], change, None).await;
                assert_eq!(announced.is_err(), subsumed.contains(&number));
                if announced.is_ok() {
                    let was = known.insert(number, person);
                    plain &= was.is_none_or(|was| was == person);
                    if was == Some(person) {
                        assert_eq!(partition(&scratch).await, before, "a repeated message changes nothing");
                    }
                    fed_since = true;
                }
            }
            Step::Merge(stays, ends) => {
                let of_one_domain = record(stays).authority() == record(ends).authority();
                let may =
                    stays != ends && of_one_domain && known.contains_key(&stays) && known.contains_key(&ends);
                let merged = scratch.merge(&record(stays), &record(ends)).await;
                assert_eq!(merged.is_ok(), may);
                if may {
                    known.remove(&ends);
                    subsumed.insert(ends);
                    (plain, fed_since) = (false, true);
                } else {
                    assert_eq!(partition(&scratch).await, before, "a refused merge changes nothing");
                }
            }
            Step::Link(a, b) => {
                if let Ok(decision) = rule(&scratch, Ruling::Link(record(a), record(b))).await {
                    decisions.push((decision, before.clone()));
                    (plain, fed_since) = (false, false);
                }
            }
            Step::Unlink(number) => {
                if let Ok(decision) = rule(&scratch, Ruling::Unlink(record(number))).await {
                    let alone = BTreeSet::from([record(number).to_cx()]);
                    assert!(partition(&scratch).await.contains(&alone));
                    decisions.push((decision, before.clone()));
                    (plain, fed_since) = (false, false);
                }
            }
            Step::Undo(ago) => {
                let at = decisions.len().checked_sub(ago + 1);
                if let Some((decision, was)) = at.map(|at| decisions.remove(at)) {
                    let undone = rule(&scratch, Ruling::Undo(decision)).await;
                    if ago == 0 && !fed_since {
                        assert!(undone.is_ok());
                        assert_eq!(partition(&scratch).await, was, "an undo restores what was");
                    }
                    fed_since = true;
                }
            }
            Step::Restart => {
                scratch = scratch.restart();
                assert_eq!(partition(&scratch).await, before, "a restart changes nothing");
            }
        }
        let now = partition(&scratch).await;
        assert!(is_partition(&now));
        assert!(!now.iter().flatten().any(|cx| subsumed.iter().any(|ended| record(*ended).to_cx() == *cx)));
        if plain {
            assert_eq!(now, expected(&known));
        }
    }
    let numbers: Vec<u64> = scratch.events().await.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

async fn rule(scratch: &Scratch, ruling: Ruling) -> Result<u64, super::super::Refused> {
    scratch.index.rule(ruling, "operator").await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn random_histories_end_where_the_model_does(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_56_a_merge_races_feeds_and_questions() {
    let scratch = Scratch::new();
    let hanako = described(0);
    for number in 0..20 {
        scratch.announce(&[id(1, &number.to_string())], &hanako).await;
    }
    let feed = {
        let (index, change) = (scratch.index.clone(), DemographicsChange::set(&hanako));
        tokio::spawn(async move {
            for number in 0..40 {
                index.announce(vec![id(2, &number.to_string())], change.clone(), None).await.unwrap();
                let again = index.announce(vec![id(1, "0")], change.clone(), None).await;
                assert!(matches!(again, Ok(Announced::Unchanged) | Err(IndexError::Subsumed(_))));
            }
        })
    };
    let questions = {
        let index = scratch.index.clone();
        tokio::spawn(async move {
            for _ in 0..40 {
                let asked =
                    DemographicsQuery { names: vec![named("山田", "花子")], ..Default::default() };
                let (matches, _) = index.find(asked, 10).await.unwrap();
                assert_eq!(matches.len(), 1);
            }
        })
    };
    for number in 0..19 {
        scratch.merge(&id(1, &(number + 1).to_string()), &id(1, &number.to_string())).await.unwrap();
        let (others, _) = scratch.index.corresponding(&id(1, "19")).await.unwrap();
        assert!(!others.contains(&id(1, &number.to_string())));
    }
    feed.await.unwrap();
    questions.await.unwrap();
    assert_eq!(scratch.others(&id(1, "19")).await.len(), 40);
}
