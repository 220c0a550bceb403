use super::*;
use crate::identity::index::EventKind;
use crate::identity::index::{Along, Ruling};
use crate::store::StoreError;

#[tokio::test]
async fn a_subsumed_identifier_is_in_no_answer_along_a_chain() {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    for record in ["a", "b", "c"] {
        scratch.announce(&[id(1, record)], &person("山田", record, "19600229")).await;
    }
    scratch.announce(&[id(2, "x")], &hanako).await;
    scratch.merge(&id(1, "b"), &id(1, "a")).await.unwrap();
    scratch.merge(&id(1, "c"), &id(1, "b")).await.unwrap();
    for subsumed in ["a", "b"] {
        assert!(matches!(
            scratch.index.corresponding(&id(1, subsumed)).await,
            Err(IndexError::Subsumed(patient)) if patient == id(1, subsumed)
        ));
        let again = scratch.index.announce(vec![id(1, subsumed)], DemographicsChange::set(&hanako), None);
        assert!(matches!(again.await, Err(IndexError::Subsumed(_))));
    }
    assert!(scratch.others(&id(1, "c")).await.is_empty());
    // The name of the subsumed record serves linking.
    scratch.announce(&[id(3, "z")], &person("山田", "a", "19600229")).await;
    assert_eq!(scratch.others(&id(1, "c")).await, ["z^^^&1.2.3&ISO"]);
    let merged = |event: &Event| matches!(event.kind, EventKind::Merged { .. });
    assert_eq!(scratch.events().await.iter().filter(|event| merged(event)).count(), 2);
}

#[tokio::test]
async fn wrong_merges_change_nothing() {
    let scratch = Scratch::new();
    for record in ["a", "b", "c"] {
        scratch.announce(&[id(1, record)], &person("山田", record, "19600229")).await;
    }
    scratch.announce(&[id(2, "x")], &person("鈴木", "一郎", "19731022")).await;
    scratch.merge(&id(1, "b"), &id(1, "a")).await.unwrap();
    let before = scratch.events().await;
    let wrong = [
        (id(1, "c"), id(2, "x")),
        (id(2, "x"), id(1, "c")),
        (id(1, "b"), id(1, "b")),
        (id(1, "b"), id(1, "a")),
        (id(1, "a"), id(1, "c")),
        (id(1, "c"), id(1, "nobody")),
        (id(1, "nobody"), id(1, "c")),
    ];
    for (surviving, subsumed) in wrong {
        assert!(scratch.merge(&surviving, &subsumed).await.is_err());
    }
    assert_eq!(scratch.events().await, before);
    assert!(scratch.others(&id(1, "c")).await.is_empty());
}

#[tokio::test]
async fn declared_links_of_the_subsumed_pass_to_the_surviving() {
    let scratch = Scratch::new();
    scratch.announce(&[id(1, "a"), id(2, "x")], &person("山田", "花子", "19600229")).await;
    scratch.announce(&[id(1, "b")], &person("鈴木", "一郎", "19731022")).await;
    scratch.merge(&id(1, "b"), &id(1, "a")).await.unwrap();
    assert_eq!(scratch.others(&id(1, "b")).await, ["x^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn whom_an_operator_parted_no_chain_joins_after_a_merge() {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    scratch.announce(&[id(2, "p")], &hanako).await;
    scratch.announce(&[id(3, "q")], &hanako).await;
    scratch.announce(&[id(1, "e")], &person("鈴木", "一郎", "19731022")).await;
    scratch.announce(&[id(1, "s"), id(2, "p")], &hanako).await;
    assert_eq!(scratch.others(&id(1, "s")).await.len(), 2);
    let parted = Ruling::Part(id(1, "e"), id(3, "q"));
    scratch.index.rule(parted, "関所 守").await.unwrap().unwrap();
    // Now s stands for e, and q must not come back to it by way of p, which its source says is s.
    scratch.merge(&id(1, "s"), &id(1, "e")).await.unwrap();
    assert_eq!(scratch.others(&id(1, "s")).await, ["p^^^&1.2.2&ISO"]);
    assert!(scratch.others(&id(3, "q")).await.is_empty());
    let reviews = scratch.index.reviews(0, 10).await.unwrap();
    assert!(reviews.iter().any(|review| review.patients == (id(3, "q"), id(2, "p"))));
}

#[tokio::test]
async fn who_joins_a_merge_can_refuse_it_and_nothing_changes() {
    let scratch = Scratch::new();
    scratch.announce(&[id(1, "a")], &person("山田", "花子", "19600229")).await;
    scratch.announce(&[id(1, "b")], &person("鈴木", "一郎", "19731022")).await;
    let events = scratch.events().await;
    let merge = async |along: Along| {
        scratch.index.merge(id(1, "b"), id(1, "a"), DemographicsChange::default(), Some(along)).await
    };
    let refused = merge(Box::new(|_| Ok(Err(Vec::new())))).await;
    assert!(matches!(refused, Err(IndexError::Along(_))));
    let failed = merge(Box::new(|_| Err(StoreError::Closed))).await;
    assert!(matches!(failed, Err(IndexError::Store(_))));
    assert_eq!(scratch.events().await, events);
    // So the source can send it again.
    merge(Box::new(|_| Ok(Ok(())))).await.unwrap();
    let ended = merge(Box::new(|_| panic!("a refused merge is nobody's"))).await;
    assert!(matches!(ended, Err(IndexError::Subsumed(_))));
}
