//! Weights and readings learnt and kept, configured thresholds.

use super::{Scratch, id, named, person};
use crate::demographics::Demographics;
use crate::identity::index::{KeptModel, Weights};
use crate::identity::matching::{FORM, Model, Thresholds};
use crate::store::StoreError;
use crate::store::sql::params;

/// Persons who are known in two domains: as many pairs of one person as learning needs, and some more.
const PERSONS: u32 = 180;

/// Somebody of their own.
fn somebody(number: u32) -> Demographics {
    let birth = format!("{}{:02}{:02}", 1930 + number % 71, 1 + number % 12, 1 + number % 28);
    let mut person = person(&format!("家{number}"), &format!("名{}", number % 60), &birth);
    person.telecoms[0].value = format!("022-555-{number:04}");
    person
}

fn in_two_scripts() -> Demographics {
    let mut both = person("山田", "花子", "19600229");
    both.names.push(named("ヤマダ", "ハナコ"));
    both
}

async fn learn(scratch: &Scratch, operator: &str) -> Weights {
    let learnt = scratch.index.learn(|_| ()).await.unwrap();
    scratch.index.keep_model(&learnt.after, learnt.sampled, operator).await.unwrap();
    learnt.weights
}

async fn kept(scratch: &Scratch) -> Option<KeptModel> {
    scratch.index.learn(|_| ()).await.unwrap().kept
}

/// The weights in use.
async fn weights(scratch: &Scratch) -> Vec<f64> {
    let before = scratch.index.learn(|_| ()).await.unwrap().before;
    before.weights().map(|weight| weight.weight).collect()
}

fn built_in() -> Vec<f64> {
    Model::built_in().weights().map(|weight| weight.weight).collect()
}

#[tokio::test]
async fn what_was_learnt_is_used_from_the_next_start_on() {
    let scratch = Scratch::new();
    for number in 0..PERSONS {
        for domain in [1, 2] {
            scratch.announce(&[id(domain, &number.to_string())], &somebody(number)).await;
        }
    }
    let learnt = scratch.index.learn(|_| ()).await.unwrap();
    assert_eq!((learnt.records, learnt.sampled), (2 * u64::from(PERSONS), 2 * u64::from(PERSONS)));
    assert_eq!((learnt.weights, learnt.kept), (Weights::Learnt, None));
    assert!((learnt.pairs - f64::from(PERSONS)).abs() < 0.2 * f64::from(PERSONS), "{}", learnt.pairs);
    assert!(learnt.outcomes[1].linked >= u64::from(PERSONS));
    learn(&scratch, "operator").await;
    assert_eq!(weights(&scratch).await, built_in());
    let scratch = scratch.restart();
    assert_ne!(weights(&scratch).await, built_in());
    let KeptModel { number, operator, records, .. } = kept(&scratch).await.unwrap();
    assert_eq!((number, operator.as_str(), records), (1, "operator", 2 * u64::from(PERSONS)));
    scratch.index.keep_model(&Model::built_in(), 0, "operator").await.unwrap();
    assert_eq!(weights(&scratch.restart()).await, built_in());
}

#[tokio::test]
async fn a_small_region_learns_readings_and_keeps_the_weights() {
    let scratch = Scratch::new();
    scratch.announce(&[id(3, "both")], &in_two_scripts()).await;
    assert_eq!(learn(&scratch, "operator").await, Weights::BuiltIn);
    let scratch = scratch.restart();
    assert_eq!(weights(&scratch).await, built_in());
    assert_eq!(scratch.index.learn(|_| ()).await.unwrap().before.known_readings(), 2);
    // Nobody else tells how these kanji are read.
    let twice = |family: &str, given: &str| {
        let mut person = person(family, given, "19600229");
        person.telecoms[0].value = "06-1111-2222".into();
        person
    };
    scratch.announce(&[id(1, "kanji")], &twice("山田", "花子")).await;
    scratch.announce(&[id(2, "kana")], &twice("ヤマダ", "ハナコ")).await;
    assert!(scratch.others(&id(1, "kanji")).await.contains(&"kana^^^&1.2.2&ISO".to_owned()));
}

#[tokio::test]
async fn a_model_that_cannot_be_read_is_passed_over() {
    let scratch = Scratch::new();
    scratch.announce(&[id(3, "both")], &in_two_scripts()).await;
    learn(&scratch, "operator").await;
    let spoil = "UPDATE identity_model SET form = ?1, body = substr(body, 1, ?2)";
    let mut scratch = scratch;
    for (form, length) in [(FORM, 20), (FORM + 1, i64::from(i32::MAX))] {
        learn(&scratch, "operator").await;
        let spoilt = scratch.store.write(move |connection| {
            connection.execute(spoil, params![form, length]).map_err(StoreError::from)
        });
        assert!(spoilt.await.unwrap() > 0);
        scratch = scratch.restart();
        let learnt = scratch.index.learn(|_| ()).await.unwrap();
        assert_eq!(learnt.before.known_readings(), 0);
        assert_eq!(learnt.after.known_readings(), 2);
    }
}

#[tokio::test]
async fn thresholds_decide_what_is_linked_and_what_people_see() {
    let (one, two) = (id(1, "a"), id(2, "b"));
    for (thresholds, linked, reviews) in [
        (Thresholds::default(), 1, 0),
        (Thresholds { link: 1.0, review: 0.02 }, 0, 1),
        (Thresholds { link: 1.0, review: 1.0 }, 0, 0),
    ] {
        let scratch = Scratch::new();
        scratch.index.set_thresholds(thresholds);
        // Married, and with another telephone.
        let mut later = person("鈴木", "花子", "19600229");
        later.telecoms.clear();
        let mut before = person("山田", "花子", "19600229");
        if linked == 1 {
            later = before.clone();
        }
        before.names.push(named("鈴木", "花子"));
        scratch.announce(std::slice::from_ref(&one), &before).await;
        scratch.announce(std::slice::from_ref(&two), &later).await;
        assert_eq!(scratch.others(&one).await.len(), linked);
        assert_eq!(scratch.index.reviews(0, 10).await.unwrap().len(), reviews);
    }
}

#[tokio::test]
async fn what_was_matched_before_is_matched_again() {
    let scratch = Scratch::new();
    let never = Thresholds { link: 2.0, review: 0.02 };
    scratch.index.set_thresholds(never);
    let records = 2 * crate::limits::REMATCHED_AT_ONCE as u64 + 2;
    for number in 0..records / 2 {
        for domain in [1, 2] {
            scratch.announce(&[id(domain, &number.to_string())], &somebody(number as u32)).await;
        }
    }
    let asked = scratch.index.reviews(0, 1_000).await.unwrap().len() as u64;
    assert!(asked >= records / 2 && scratch.others(&id(1, "3")).await.is_empty());

    scratch.index.set_thresholds(Thresholds::default());
    let mut last = 0;
    while let Some(rematched) = scratch.index.rematch(last).await.unwrap() {
        assert!(rematched.last > last && rematched.of == records);
        last = rematched.last;
    }
    assert_eq!(last, records);
    assert!(scratch.index.reviews(0, 1_000).await.unwrap().is_empty());
    assert_eq!(scratch.others(&id(1, "3")).await, [id(2, "3").to_cx()]);
    let events = scratch.events().await.len();
    scratch.index.rematch(0).await.unwrap();
    assert_eq!(scratch.events().await.len(), events, "nothing is news the second time");
}
