use std::collections::BTreeSet;

use super::*;
use crate::demographics::Address;

/// Two sisters of one household, and records of facilities that took the one for the other: each names both. What is known of
/// them differs, so that some likenesses are surer than others.
fn household() -> Vec<(PatientId, Demographics)> {
    let both = |more: &[&str], postcode: &str| {
        let mut who = person("山田", "花子", "19600229");
        who.names = more.iter().map(|given| named("山田", given)).collect();
        who.addresses = vec![Address { postcode: postcode.into(), ..Address::default() }];
        who
    };
    vec![
        (id(1, "elder"), both(&["花子"], "9800011")),
        (id(2, "mistaken"), both(&["花子", "良子"], "9800011")),
        (id(3, "younger"), both(&["良子"], "")),
        (id(1, "mistaken too"), both(&["良子", "花子"], "9800812")),
    ]
}

fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(of - 1).into_iter();
    shorter
        .flat_map(|order| {
            (0..of).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, of - 1);
                longer
            })
        })
        .collect()
}

/// Who is one person, and about whom people are asked and why.
type Outcome = (BTreeSet<BTreeSet<String>>, BTreeSet<(BTreeSet<String>, String)>);

async fn outcome(scratch: &Scratch) -> Outcome {
    let mut persons = BTreeSet::new();
    for (patient, _) in household() {
        let others = scratch.others(&patient).await.into_iter();
        persons.insert(others.chain([patient.to_cx()]).collect::<BTreeSet<_>>());
    }
    let reviews = scratch.index.reviews(0, 100).await.unwrap().into_iter().map(|review| {
        let (one, another) = review.patients;
        (BTreeSet::from([one.to_cx(), another.to_cx()]), format!("{:?}", review.cause))
    });
    (persons, reviews.collect())
}

#[tokio::test]
async fn who_is_one_person_does_not_depend_on_who_came_first() {
    let mut first: Option<Outcome> = None;
    for order in orders(4) {
        let scratch = Scratch::new();
        for number in &order {
            let (patient, who) = household().swap_remove(*number);
            scratch.announce(&[patient], &who).await;
        }
        let outcome = outcome(&scratch).await;
        let (persons, reviews) = &outcome;
        let sisters = [id(1, "elder").to_cx(), id(3, "younger").to_cx()];
        assert!(!persons.iter().any(|person| sisters.iter().all(|sister| person.contains(sister))));
        assert!(persons.len() == 2 && !reviews.is_empty(), "{order:?}: {outcome:?}");
        match &first {
            None => first = Some(outcome),
            Some(first) => assert_eq!(&outcome, first, "{order:?}"),
        }
    }
}

#[tokio::test]
async fn who_stood_back_is_linked_when_there_is_room() {
    let scratch = Scratch::new();
    let household = household();
    for (patient, who) in &household[..3] {
        scratch.announce(std::slice::from_ref(patient), who).await;
    }
    let with_mistaken = scratch.others(&id(2, "mistaken")).await;
    assert_eq!(with_mistaken.len(), 1);
    // Whoever it is turns out to be somebody else; the other one takes the place.
    let (gone, stays) = match with_mistaken[0] == household[0].0.to_cx() {
        true => (&household[0].0, &household[2].0),
        false => (&household[2].0, &household[0].0),
    };
    scratch.announce(std::slice::from_ref(gone), &person("鈴木", "一郎", "19731022")).await;
    assert_eq!(scratch.others(&id(2, "mistaken")).await, [stays.to_cx()]);
}
