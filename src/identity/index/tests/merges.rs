use super::*;
use crate::identity::index::EventKind;

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
    scratch.merge(&id(1, "b"), &id(1, "a")).await.unwrap();
    let before = scratch.events().await;
    let wrong = [
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
