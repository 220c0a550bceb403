use super::*;
use crate::identity::index::{Refused, Ruling};

async fn three() -> Scratch {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    scratch.announce(&[id(1, "a")], &hanako).await;
    scratch.announce(&[id(2, "b")], &hanako).await;
    scratch.announce(&[id(3, "c")], &person("鈴木", "一郎", "19731022")).await;
    scratch
}

async fn rule(scratch: &Scratch, ruling: Ruling) -> Result<u64, Refused> {
    scratch.index.rule(ruling, "関所 守").await.unwrap()
}

#[tokio::test]
async fn what_an_operator_parts_the_matcher_does_not_join_again() {
    let scratch = three().await;
    let unlink = rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    let mut hanako = person("山田", "花子", "19600229");
    hanako.names.push(named("ヤマダ", "ハナコ"));
    scratch.announce(&[id(2, "b")], &hanako).await;
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    assert_eq!(rule(&scratch, Ruling::Link(id(1, "a"), id(2, "b"))).await, Err(Refused::HeldApart));
    // Undone, the matcher's link is there again.
    let undo = rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
    assert_eq!(rule(&scratch, Ruling::Undo(unlink)).await, Err(Refused::NoDecision));
    rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    rule(&scratch, Ruling::Merge(id(1, "a"), id(2, "b"))).await.unwrap();
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn an_undone_merge_parts_whom_matching_joined_since() {
    let scratch = three().await;
    rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    let merge = rule(&scratch, Ruling::Merge(id(1, "a"), id(2, "b"))).await.unwrap();
    // While no bar holds them apart, a message lets the matcher link them.
    let mut hanako = person("山田", "花子", "19600229");
    hanako.names.push(named("ヤマダ", "ハナコ"));
    scratch.announce(&[id(2, "b")], &hanako).await;
    assert_eq!(scratch.index.show(&id(1, "a")).await.unwrap().links.len(), 2);
    rule(&scratch, Ruling::Undo(merge)).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    assert!(scratch.others(&id(2, "b")).await.is_empty());
}

#[tokio::test]
async fn an_operators_link_stands_until_it_is_undone() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    assert_eq!(rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await, Err(Refused::Already));
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 2);
    scratch.announce(&[id(3, "c")], &person("鈴木", "次郎", "19731022")).await;
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 2);
    let shown = scratch.index.show(&id(3, "c")).await.unwrap();
    assert_eq!((shown.records.len(), shown.links.len(), shown.decisions.len()), (3, 2, 1));
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn an_undo_follows_what_a_source_merged_since() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    scratch.announce(&[id(3, "d")], &person("鈴木", "三郎", "19731022")).await;
    scratch.merge(&id(3, "d"), &id(3, "c")).await.unwrap();
    assert_eq!(scratch.others(&id(3, "d")).await.len(), 2);
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "d")).await.is_empty());
    assert!(matches!(scratch.index.corresponding(&id(3, "c")).await, Err(IndexError::Subsumed(_))));
}

#[tokio::test]
async fn wrong_rulings_change_nothing() {
    let scratch = three().await;
    let before = scratch.events().await;
    let wrong = [
        (Ruling::Link(id(1, "a"), id(1, "a")), Refused::Same),
        (Ruling::Link(id(1, "a"), id(1, "z")), Refused::Unknown(id(1, "z"))),
        (Ruling::Unlink(id(3, "c")), Refused::Already),
        (Ruling::Undo(7), Refused::NoDecision),
    ];
    for (ruling, refused) in wrong {
        assert_eq!(rule(&scratch, ruling).await, Err(refused));
    }
    assert_eq!(scratch.events().await, before);
}

#[tokio::test]
async fn an_undo_puts_back_no_link_that_would_not_be_found_any_more() {
    let scratch = three().await;
    let unlink = rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    // Whom the identifier stands for was a mistake of its source.
    scratch.announce(&[id(1, "a")], &person("鈴木", "一郎", "19731022")).await;
    rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert!(!scratch.others(&id(2, "b")).await.contains(&id(1, "a").to_cx()));
    assert_eq!(scratch.others(&id(1, "a")).await, ["c^^^&1.2.3&ISO"]);
}

#[tokio::test]
async fn what_later_decisions_changed_again_is_taken_back_from_behind() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    let unlink = rule(&scratch, Ruling::Unlink(id(3, "c"))).await.unwrap();
    let merge = rule(&scratch, Ruling::Merge(id(3, "c"), id(2, "b"))).await.unwrap();
    for earlier in [link, unlink] {
        assert_eq!(rule(&scratch, Ruling::Undo(earlier)).await, Err(Refused::Later(merge)));
    }
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
    let undo = rule(&scratch, Ruling::Undo(merge)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    // Brought back, it stands in the way again.
    let again = rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert_eq!(rule(&scratch, Ruling::Undo(unlink)).await, Err(Refused::Later(merge)));
    rule(&scratch, Ruling::Undo(again)).await.unwrap();
    rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}
